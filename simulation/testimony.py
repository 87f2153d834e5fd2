"""What a simulated run leaves behind, laid before the audit: the same checks that judge the files of a real run.

The exchange's record, the journals on the simulated disks and the wire record become :class:`Evidence` without a file;
the audit still reads the journals' own bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from simulation.budgets import LATE_NS
from simulation.oracles import Violation
from simulation.schedule import MS, SECOND_NS
from storage.memory import MemoryJournal
from storage.tables import GROUPS, TABLES
from venue.audit.evidence import Bounds, Evidence
from venue.audit.invariants import CHECKS
from venue.audit.journal import GATEWAY, GATEWAY_FILE, Epoch, Journal, fold_groups, fold_log, fold_table
from venue.audit.layout import LAYOUTS
from venue.audit.orders import ExchangeRecord
from venue.audit.wire import Wire

if TYPE_CHECKING:
    from simulation.world import World

# What the faults of a run may cost without anybody's fault: a process may hang for 8 s before its supervisor has killed
# it, the network may be cut for 6 s, a report that is lost is made good by the second poll.
BOUNDS = Bounds(in_flight_s=12.0, unguarded_s=60.0, killed_s=60.0, on_old_wire_s=12.0)
MILD = ("F.market.", "F.operator.kill_switch", "F.operator.cancel", "F.operator.twice")  # nothing that takes time
LOSSES = ("F.broker.lose_request", "F.broker.forget")  # an entry that is lost arrives never, not late
OTHERS = ("F.broker.manual", "F.broker.liquidation", "F.broker.assignment")  # positions change by other hands
ALERTED_S = 5.0  # for the turn that calls a person, once that is due
LATE_S = 10.0  # for who must call that person to be back, or to hear what has filled
FULL_PACE = 100  # requests a second


def bounds(world: World) -> Bounds:
    """What this run may cost: less where nothing struck that takes time, and no request had to wait for its token.

    A cell has its restart budget of each of its supervisors.
    """
    budget = world.scenario.config.supervision
    alerted_s = world.scenario.config.alerts.uncovered_ms / 1_000 + ALERTED_S
    wide = replace(
        BOUNDS,
        uncovered_s=alerted_s + LATE_S,
        restarts=world.budgets.lives * (budget.intensity + 1) - 1,
        restart_period_s=max(budget.period_ms * MS - LATE_NS, 0) / SECOND_NS,
    )
    struck = world.faults.counts
    if world.scenario.config.controls.orders_per_second < FULL_PACE:
        return wide
    if all(name.startswith((*MILD, *OTHERS)) for name in struck):
        return replace(wide, killed_s=6.0, in_flight_s=1.5, uncovered_s=alerted_s)
    return replace(wide, in_flight_s=1.5) if all(name.startswith((*MILD, *LOSSES)) for name in struck) else wide


def judge(world: World) -> None:
    """Every check of the audit on this run, in its order.  Raises :class:`Violation` for the first that fails."""
    evidence, tolerated, excused = gather(world), bounds(world), list(forgotten(world))
    for check in CHECKS.values():
        found = check(evidence, tolerated)
        world.oracles.checks[found.name] += found.cases
        problems = [problem for problem in found.problems if not any(name in problem for name in excused)]
        if problems:
            raise Violation(found.name, problems[0])


def forgotten(world: World) -> Iterator[str]:
    """Names of what a part of a journal is lost of, which the audit must find missing: a person was called for it."""
    oracles = world.oracles
    for tag in sorted(oracles.left_to_a_person):
        yield oracles.groups[tag].group_id
        yield from oracles.by_group[tag]
        yield from (leg.instrument.symbol for leg in oracles.groups[tag].group.legs)
    for order_id in sorted(oracles.remade):  # the first one was lost on its way, or this would be the second: R7
        yield f"{order_id}: E3: left with 2 different contents"
    for order_id, received_ns in sorted(oracles.received_ns.items()):  # I1: its first intent was there in time
        yield f"{order_id}: received at {received_ns}, decided at"


def broken(world: World) -> Iterator[str]:
    """The names of all checks of the audit that fail on this run."""
    evidence, tolerated = gather(world), bounds(world)
    return (name for name, check in CHECKS.items() if check(evidence, tolerated).problems)


def gather(world: World) -> Evidence:
    """The run's evidence, at rest."""
    journal = Journal()
    for path, memory in sorted(world.storage.disks.items()):
        _read(journal, path, memory)
    journal.epochs = [
        Epoch(_cell(path), epoch, after, pid, at_ns) for path, epoch, after, pid, at_ns in world.storage.openings
    ]
    for order_id, intent in journal.intents.items():
        intent.all_terms |= world.oracles.changes.get(order_id, set())  # also those that an older copy has forgotten
    record = ExchangeRecord(world.truth)
    wire = Wire(world.machine.wire, present=True)
    return Evidence(record, record, journal, wire, at_rest=True, leaps=world.night.leaps)


def _cell(path: Path) -> int:
    if path.name == GATEWAY_FILE:
        return GATEWAY
    return int(path.stem.partition("-")[2])


def _read(journal: Journal, path: Path, memory: MemoryJournal) -> None:
    cell = _cell(path)
    journal.cells.append(cell)
    for table in TABLES:
        names = table.column_names()
        rows = [dict(zip(names, table.to_row(record), strict=True)) for record in memory.rows(table)]
        if table is GROUPS:
            fold_groups(journal, cell, path, rows)
        if table.record.__name__ in LAYOUTS:
            fold_table(journal, table.record.__name__, cell, path, rows)
    fold_log(journal, cell, path, [turn._asdict() for turn in memory.turns()])
