"""``strategies``: from the journals and from the running system; starting and stopping one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.paths import journal_path
from domain.strategies import Exit, Standing, StrategyRules, StrategyStatus
from domain.verticals import VerticalKind
from messages.strategy import Mark
from messages.strategy_records import StrategyRecord, VerticalRecord
from storage.export import named
from storage.port import Turn
from storage.sqlite import open_journal

Command = Callable[..., Any]
T0 = 1_767_623_400 * 10**9
RULES = StrategyRules(
    name="weekly-puts",
    kind=VerticalKind.BULL_PUT,
    underlying="LEGK",
    quantity=10,
    short_distance_pct=3.0,
    width=150_000,
)
RECORD = StrategyRecord(
    name="weekly-puts", cell=0, kind=RULES.kind, underlying="LEGK", status=StrategyStatus.OPEN,
    standing=Standing.ACTIVE, reason="", group_id="weekly-puts.2", number=2, adjustments=1, rolled_from="",
    beyond_strike=0, tries=0, next_try_ns=0, verticals=1, realised=-7_500_000, crashes=0, rules=RULES, created_ns=T0,
    updated_ns=T0,
)  # fmt: skip


def vertical(number: int, **changes: Any) -> VerticalRecord:
    known: dict[str, Any] = {
        "group_id": f"weekly-puts.{number}", "strategy": "weekly-puts", "kind": RULES.kind, "underlying": "LEGK",
        "expiry": "2026-02-20", "short_symbol": "LEGK  260220P00485000", "long_symbol": "LEGK  260220P00470000",
        "short_strike": 4_850_000, "long_strike": 4_700_000, "quantity": 10, "multiplier": 100,
        "entry_spot": 5_000_000, "credit": 32_500, "net": 32_500_000, "max_profit": 32_500_000,
        "max_loss": 117_500_000, "breakeven": 4_817_500, "rolled_from": "", "exit": Exit.NONE, "exit_reason": "",
        "closings": 0, "realised": 0, "decided_ns": T0 + number, "entered_ns": T0 + number, "exit_ns": 0,
        "closed_ns": 0,
    }  # fmt: skip
    return VerticalRecord(**(known | changes))


ROLLED = vertical(
    1, exit=Exit.ADJUSTMENT, exit_reason="LEGK came near", realised=-7_500_000, exit_ns=T0 + 5, closed_ns=T0 + 6
)


@pytest.fixture
def told(journal_dir: Path) -> Path:
    journal = open_journal(journal_path(journal_dir, 0))
    journal.commit(
        Turn(epoch=journal.epoch, at_ns=T0, records=(RECORD, ROLLED, vertical(2, rolled_from="weekly-puts.1")))
    )
    journal.close()
    return journal_dir


def test_while_the_system_is_down_the_journals_answer(command: Command, told: Path) -> None:
    shown = command("strategies")
    assert shown.status == 0
    assert shown.out.startswith("the system is not running: this is what the journals say\n")
    line = next(line for line in shown.out.splitlines() if "weekly-puts" in line)
    cells = [cell.strip() for cell in line.split("│")[1:-1]]
    assert cells[:5] == ["weekly-puts", "live", "bull_put", "active", "open"]
    for part in ("-485.00 +470.00", "3.25", "3,250.00", "11,750.00", "481.75", "-750.00", "weekly-puts.2", "not known"):
        assert part in shown.out
    (row,) = command("strategies", "--json").json
    assert (row["record"]["name"], row["vertical"]["breakeven"], row["mark"]) == ("weekly-puts", 4_817_500, None)


def test_while_it_runs_profit_and_distance_are_of_now(command: Command, told: Path, system: Any) -> None:
    mark = Mark(pnl=12_000_000, fair_pnl=13_000_000, spot=4_900_000, distance_pct=33.3)
    row = {"record": named(RECORD), "vertical": named(vertical(2)), "mark": named(mark)}
    system.answer = json.dumps({"ok": True, "strategies": [row]}).encode() + b"\n"
    shown = command("strategies")
    assert "1,200.00" in shown.out and "33.3 %" in shown.out
    assert system.asked == [{"command": "strategies"}]


def test_show_tells_entry_adjustment_closing_and_what_was_earned(command: Command, told: Path) -> None:
    shown = command("strategies", "show", "weekly-puts")
    for part in ("adjustment", "-750.00", "LEGK came near", "weekly-puts.1"):
        assert part in shown.out
    first, second = command("strategies", "show", "weekly-puts", "--json").json
    assert (first["exit"], second["rolled_from"]) == ("adjustment", "weekly-puts.1")


def test_an_unknown_strategy_is_wrong_input_with_the_nearest_name(command: Command, told: Path) -> None:
    result = command("strategies", "show", "weekly-put")
    assert (result.status, result.out) == (2, "")
    assert "did you mean weekly-puts?" in result.err


@pytest.mark.parametrize(("word", "run"), [("start", True), ("stop", False)])
def test_start_and_stop_are_asked_of_the_system(
    command: Command, system: Any, journal_dir: Path, word: str, run: bool
) -> None:
    system.answer = b'{"ok": true, "text": "strategy weekly-puts is so"}\n'
    result = command("strategies", word, "weekly-puts")
    assert (result.status, result.out) == (0, "strategy weekly-puts is so\n")
    assert system.asked == [{"command": "strategy", "name": "weekly-puts", "run": run}]


def test_without_any_strategy_it_says_where_to_read_on(command: Command, journal_dir: Path) -> None:
    open_journal(journal_path(journal_dir, 0)).close()
    assert command("strategies").out.endswith("no strategies; docs/strategies.md tells how to configure one\n")
    assert command("strategies", "--json").json == []


def test_stopping_needs_a_running_system(command: Command, journal_dir: Path) -> None:
    result = command("strategies", "stop", "weekly-puts")
    assert result.status == 1 and "no system is running" in result.err
