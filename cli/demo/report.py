"""What a demonstration shows while it runs, and what it says at its end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.demo.stage import Scene
from config.paths import journal_paths
from domain.groups import GroupOutcome
from domain.money import to_decimal
from messages.records import GroupRecord
from storage.reader import JournalReader

STYLES = {
    GroupOutcome.HEDGED: "green",
    GroupOutcome.FLAT: "cyan",
    GroupOutcome.HALTED: "red",
    GroupOutcome.OPEN: "yellow",
}


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


def progress(scene: Scene, wanted: int) -> Group:
    """The live picture: how many groups are where, and how the processes are."""
    outcomes = Counter(record.outcome for record in scene.records.values())
    ended = sum(count for outcome, count in outcomes.items() if outcome is not GroupOutcome.OPEN)
    counts = Text("  ").join(
        Text(f"{outcome.value} {outcomes.get(outcome, 0)}", style=style) for outcome, style in STYLES.items()
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    for record in sorted(scene.records.values(), key=lambda r: r.group_id):
        table.add_row(
            record.group_id,
            Text(record.status.value, style=STYLES[record.outcome]),
            record.mode.value,
            f"{record.hedges_placed} hedges" if record.hedges_placed else "",
        )
    processes = "   ".join(
        f"{p.name} {p.state}" + (f" (restarted {p.restarts}x)" if p.restarts else "") for p in scene.processes
    )
    killed = f"SIGKILL sent to: {', '.join(scene.kills)}" if scene.kills else ""
    return Group(
        ProgressBar(total=max(1, wanted), completed=ended, width=60),
        counts,
        table,
        processes,
        Text(killed, style="red"),
    )


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


def document(found: list[Line], kills: tuple[str, ...], refused: dict[str, str], findings: list[Any]) -> dict[str, Any]:
    """The same as one JSON document."""
    return {
        "groups": [msgspec.structs.asdict(line) for line in found],
        "kills": list(kills),
        "refused": refused,
        "audit": [{**msgspec.to_builtins(finding), "status": finding.status} for finding in findings],
    }
