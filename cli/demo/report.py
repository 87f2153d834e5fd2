"""What a demonstration shows while it runs, and what it says at its end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from rich.columns import Columns
from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.demo.safeguards import SAFEGUARDS
from cli.demo.stage import Scene
from config.paths import journal_paths
from domain.execution import Side
from domain.groups import GroupOutcome, Leg, Mode
from domain.money import to_decimal
from messages.operator import ProcessStatus
from messages.records import GroupRecord
from storage.reader import JournalReader

STYLES = {
    GroupOutcome.HEDGED: "green",
    GroupOutcome.FLAT: "cyan",
    GroupOutcome.HALTED: "red",
    GroupOutcome.OPEN: "yellow",
}

BAR_STEPS = 5
EVENTS = 6  # the latest ones stay in view
FIXED_LINES = 6  # headline, processes (two when they wrap), a blank, the heading, and the cursor


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One group at the end.  ``slippage`` is money against the mid at each decision; positive is a cost."""

    group: str
    strategy: str
    status: str
    outcome: str
    slippage: str
    fills: int
    hedges: int
    survived: int
    reason: str


def lines(journal: Path, survived: dict[str, int]) -> list[Line]:
    """Every group of the journals, oldest first."""
    found = []
    for path in journal_paths(journal):
        with JournalReader(path) as reader:
            found += [_line(reader, record, survived) for record in reader.groups()]
    return sorted(found, key=lambda line: line.group)


def _line(reader: JournalReader, record: GroupRecord, survived: dict[str, int]) -> Line:
    rows = reader.group(record.group_id)
    assert rows is not None
    states = {state.client_order_id: state for state in rows.execution_states}
    multipliers = {leg.instrument.symbol: leg.instrument.multiplier for leg in record.group.legs}
    slippage = 0
    for intent in rows.intents:
        state = states.get(intent.client_order_id)
        if state is not None and intent.reference_price:
            per_unit = (state.avg_px - intent.reference_price) * intent.side.sign
            slippage += per_unit * state.cum_qty * multipliers[intent.symbol]
    return Line(
        group=record.group_id,
        strategy=record.strategy,
        status=record.status.value,
        outcome=record.outcome.value,
        slippage=f"{to_decimal(slippage):.2f}",
        fills=len(reader.executions(record.group_id)),
        hedges=len(rows.hedges),
        survived=survived.get(record.group_id, 0),
        reason=record.reason,
    )


def progress(scene: Scene, wanted: int, height: int) -> Group:
    """The live picture, at most ``height`` lines: how the processes are, what was done to them, and the groups."""
    events = [_event(event) for event in scene.events[-EVENTS:]]
    room = height - len(events) - FIXED_LINES
    return Group(_headline(scene, wanted), _processes(scene), *events, Text(), _groups(scene, max(1, room)))


def _event(event: str) -> Text:
    return Text(f"  {event}", "bold red" if "SIGKILL" in event else "dim", no_wrap=True, overflow="ellipsis")


def _headline(scene: Scene, wanted: int) -> Table:
    outcomes = Counter(record.outcome for record in scene.records.values())
    ended = sum(count for outcome, count in outcomes.items() if outcome is not GroupOutcome.OPEN)
    line = Table.grid(padding=(0, 2))
    line.add_row(
        Text(f"{scene.elapsed_s:5.1f} s"),
        ProgressBar(total=max(1, wanted), completed=ended, width=20),
        Text(f"{ended}/{wanted} ended", no_wrap=True),
        *(Text(f"{outcome.value} {outcomes.get(outcome, 0)}", style=style) for outcome, style in STYLES.items()),
    )
    return line


def _processes(scene: Scene) -> Columns:
    return Columns([_process(process, scene.killed.get(process.name)) for process in scene.processes], padding=(0, 3))


def _process(process: ProcessStatus, killed: int | None) -> Text:
    """One process; red from the moment of its SIGKILL to the moment that another one has taken its place."""
    if process.pid in (0, killed):
        return Text(f"✗ {process.name} {'killed' if killed else process.state}", style="bold red")
    again = f", restarted {process.restarts}x" if process.restarts else ""
    style = "green" if process.state in ("open", "running") else "yellow"
    return Text(f"● {process.name} {process.state}{again}", style=style)


def _groups(scene: Scene, rows: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, width in (("group", 23), ("status", 16), ("bought +, sold −", 31), ("", 10), ("", 0)):
        table.add_column(name, min_width=width, no_wrap=True)
    known = sorted(scene.records.values(), key=lambda r: r.group_id)
    shown = known if len(known) <= rows else sorted(known, key=_interest)[: rows - 1]
    for record in shown:
        hits = scene.survived.get(record.group_id, 0)
        table.add_row(
            record.group_id,
            Text(record.status.value, style=STYLES[record.outcome]),
            Text(" ").join(_bar(leg, scene.held.get(record.group_id, {})) for leg in record.group.legs),
            Text("" if record.mode is Mode.ENTERING else record.mode.value, style="yellow"),
            Text(", ".join(filter(None, (_times(record.hedges_placed, "hedge"), _times(hits, "kill")))), style="dim"),
        )
    if len(shown) < len(known):
        table.add_row(Text(f"and {len(known) - len(shown)} more", style="dim"))
    return table


def _interest(record: GroupRecord) -> tuple[bool, int]:
    """What moves first: open groups, then those that changed last."""
    return record.outcome is not GroupOutcome.OPEN, -record.updated_ns


def _bar(leg: Leg, held: dict[str, int]) -> Text:
    """How much of a leg is held, in whole fifths; the first unit shows, and the last one makes it full."""
    filled = min(leg.target_qty, max(0, held.get(leg.instrument.symbol, 0) * leg.side.sign))
    steps = max(filled * BAR_STEPS // leg.target_qty, int(filled > 0))
    sign, style = ("+", "cyan") if leg.side is Side.BUY else ("−", "magenta")
    return Text(sign + "█" * steps + "░" * (BAR_STEPS - steps), style=style)


def _times(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}" if number else ""


def print_end(console: Console, found: list[Line], kills: tuple[str, ...], refused: dict[str, str]) -> None:
    """The table of groups, and what was refused."""
    table = Table(title=f"{len(found)} groups; killed on the way: {', '.join(kills) or 'nothing'}")
    for name in ("group", "status", "outcome", "slippage", "fills", "hedges", "kills survived", "reason"):
        table.add_column(name, justify="right" if name in ("slippage", "fills", "hedges", "kills survived") else "left")
    for line in found:
        style = STYLES[GroupOutcome(line.outcome)]
        table.add_row(
            line.group, line.status, Text(line.outcome, style=style), line.slippage, str(line.fills), str(line.hedges),
            str(line.survived), line.reason,
        )  # fmt: skip
    console.print(table)
    for group_id, why in refused.items():
        console.print(f"refused {group_id}: {why}", style="red", highlight=False)


def print_safeguards(console: Console, acted: dict[str, int]) -> None:
    """How often each safeguard acted."""
    table = Table(title="safeguards")
    table.add_column("safeguard")
    table.add_column("acted", justify="right")
    for safeguard, times in acted.items():
        name = f"{safeguard} {SAFEGUARDS.get(safeguard, '')}"
        table.add_row(name, str(times), style="" if times else "dim")
    console.print(table)


def document(
    found: list[Line], kills: tuple[str, ...], refused: dict[str, str], findings: list[Any], acted: dict[str, int]
) -> dict[str, Any]:
    """The same as one JSON document."""
    return {
        "groups": [msgspec.structs.asdict(line) for line in found],
        "kills": list(kills),
        "refused": refused,
        "safeguards": acted,
        "audit": [{**msgspec.to_builtins(finding), "status": finding.status} for finding in findings],
    }
