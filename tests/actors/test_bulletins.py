"""Several reports in one turn are joined before any level is worked out: one look, nothing twice (S9, I3)."""

from __future__ import annotations

import msgspec
import pytest
from world import LONG, SHORT, World, bull_put

from decisions.groups import group as group_core
from domain.execution import ExecType, ExecutionReport
from domain.groups import GroupOutcome, Role
from messages.group import GroupSettled
from messages.operator import SubmitGroup
from messages.records import ExecutionRecord, ProcessedEventRecord
from storage.tables import EXECUTIONS, PROCESSED_EVENTS


def told(world: World, rounds: int) -> list[ExecutionReport]:
    """What the exchange says about the long leg's order while two units trade at a time."""
    world.take([SubmitGroup(bull_put("bp"))])
    world.sizes = dict.fromkeys(world.sizes, 2)
    return [report for _ in range(rounds) for report in world._quote([LONG])]


def looks(monkeypatch: pytest.MonkeyPatch) -> list[msgspec.Struct]:
    """What a group says each time it has looked at itself."""
    found: list[msgspec.Struct] = []
    settle = group_core._settle

    def counting(*args: object) -> object:
        state = settle(*args)  # type: ignore[arg-type]
        found.append(state.settled or GroupSettled)  # type: ignore[arg-type]
        return state

    monkeypatch.setattr(group_core, "_settle", counting)
    return found


def test_one_look_follows_however_many_fills_a_turn_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(size=0)
    fills = told(world, 4)
    assert len(fills) == 4
    found = looks(monkeypatch)
    world.cell.run(fills)
    assert len(found) == 2, "one for the fills, one when the short leg has its order"


def test_risk_follows_all_that_has_filled_in_one_order_and_no_more() -> None:
    world = World(size=0)
    world.take(told(world, 3))
    (short,) = world.orders(Role.RISK)
    assert short.quantity == 6


def test_every_report_is_remembered_and_every_fill_is_written_although_orders_are_written_once() -> None:
    world = World(size=0)
    fills = told(world, 3)
    world.take([*fills, fills[1]])
    ids = {record.exec_id for record in world.journal.rows(EXECUTIONS) if isinstance(record, ExecutionRecord)}
    assert ids == {fill.exec_id for fill in fills}
    seen = [
        record
        for record in world.journal.rows(PROCESSED_EVENTS)
        if isinstance(record, ProcessedEventRecord) and record.group_id == "bp" and record.kind == "ExecutionReport"
    ]
    assert {fill.exec_id for fill in fills} <= {record.event_id.rpartition("/")[2] for record in seen}
    assert world.acted("S9") == 1


def test_a_decision_is_put_down_to_the_last_fill_and_not_to_what_came_after_it() -> None:
    world = World(size=0)
    fills = told(world, 2)
    noise = msgspec.structs.replace(fills[-1], exec_type=ExecType.ORDER_STATUS, exec_id="0", last_qty=0, last_px=0)
    world.take([*fills, noise])
    (short,) = (intent for intent in world.group().intents if intent.role is Role.RISK)
    assert short.cause.endswith(fills[-1].exec_id)


@pytest.mark.parametrize("together", [1, 2, 3, 5])
def test_however_the_reports_are_put_together_the_group_ends_alike(together: int) -> None:
    world = World(size=0)
    waiting: list[msgspec.Struct] = list(told(world, 5))
    world.sizes = dict.fromkeys(world.sizes, 100)
    while waiting:
        part, waiting = waiting[:together], waiting[together:]
        waiting += world.carry_out(world.cell.run(part))
    world.show()
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
    assert world.group().group.outcome is GroupOutcome.HEDGED
