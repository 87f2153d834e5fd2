"""``start`` refuses in words that let somebody act: who would be left alone, with what, and what differed last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from told_journal import T0, write

from config.paths import positions_path
from decisions.positions.position_report import PositionReport, SymbolLine


@pytest.fixture
def left_open(journal_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Journals with an open live group, and a configuration under which nobody would look after it."""
    write(journal_dir)
    monkeypatch.setenv("LEGKEEPER_ROLLOUT_MODE", "paper")
    return journal_dir


def test_open_groups_that_nobody_would_own_are_named_with_what_they_hold(
    command: Callable[..., Any], left_open: Path
) -> None:
    refused = command("start")
    assert (refused.status, refused.out) == (1, "")
    assert "1 live groups are open (bull-put-1: +4 LEGK" in refused.err
    assert ", -4 LEGK" in refused.err
    assert "'rollout 0'" in refused.err


def test_what_journals_and_broker_last_disagreed_about_is_told_with_the_refusal(
    command: Callable[..., Any], left_open: Path
) -> None:
    line = SymbolLine(symbol="LEGK", groups=0, foreign=0, journal=0, broker=400, difference=400, unsettled=0)
    seen = PositionReport(
        as_of_ns=T0, balanced=False, confirmed=("position/LEGK",), suspected=(), symbols=(line,), groups=(), orders=(),
        expiries=(), changes=(),
    )  # fmt: skip
    positions_path(str(left_open)).write_bytes(msgspec.json.encode(seen))
    assert "LEGK: the journals say +0, the broker says +400" in command("start").err


def test_a_journal_of_a_larger_system_is_refused_with_the_positions_in_it(
    command: Callable[..., Any], journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(journal_dir)
    (journal_dir / "cell-0.db").rename(journal_dir / "cell-7.db")
    monkeypatch.setenv("LEGKEEPER_SYSTEM_CELLS", "1")
    refused = command("start")
    assert refused.status == 1
    assert "cell-7.db holds 1 open groups (bull-put-1: +4 LEGK" in refused.err
    assert "start with at least as many cells as before" in refused.err
