"""``start`` refuses in words that let somebody act: who would be left alone, with what, and what differed last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import left_journals
import msgspec
import pytest
from left_journals import version_of
from told_journal import T0, write

from config.paths import journal_path, positions_path
from decisions.positions.position_report import PositionReport, SymbolLine
from storage.ownership import OwnerLock
from storage.sql import schema_version
from storage.verify import verify
from supervisors import refusals


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


def test_a_cell_is_known_by_its_journals_name_also_where_others_are_missing(
    command: Callable[..., Any], journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only journal was taken for the first cell's, whoever had written it."""
    write(journal_dir)
    (journal_dir / "cell-0.db").rename(journal_dir / "cell-1.db")
    (journal_dir / "cell-0.db.lock").unlink()
    monkeypatch.setenv("LEGKEEPER_SYSTEM_CELLS", "1")
    refused = command("start")
    assert refused.status == 1
    assert "cell-1.db holds 1 open groups (bull-put-1: +4 LEGK" in refused.err


def test_open_groups_in_a_journal_of_an_older_schema_are_told_like_all_others(
    command: Callable[..., Any], left_open: Path
) -> None:
    """Before, starting was refused because the journal was not migrated, which only a start does."""
    for cell in (0, 1):
        left_journals.make_older(journal_path(left_open, cell))
    assert "1 live groups are open (bull-put-1: +4 LEGK" in command("start").err
    assert all(version_of(journal_path(left_open, cell)) == schema_version() for cell in (0, 1))
    assert all(verify(journal_path(left_open, cell)).ok for cell in (0, 1))


@pytest.mark.parametrize("make", left_journals.HALF_MADE)
def test_a_half_made_journal_holds_nothing_and_hides_nobody(
    command: Callable[..., Any], left_open: Path, make: Callable[[Path], None]
) -> None:
    make(journal_path(left_open, 7))
    assert "1 live groups are open (bull-put-1: +4 LEGK" in command("start").err
    assert verify(journal_path(left_open, 7)).ok


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (left_journals.make_newer, f"has schema version 99, this legkeeper knows {schema_version()}"),
        (lambda path: path.write_bytes(b"x" * 4096), "it cannot be read as a journal"),
        (lambda path: path.write_bytes(b""), "holds nothing, but epoch 1 was opened on it"),
    ],
)
def test_a_journal_that_nobody_can_read_is_refused_and_left_as_it_is(
    command: Callable[..., Any], left_open: Path, spoil: Callable[[Path], object], says: str
) -> None:
    path = journal_path(left_open, 1)
    spoil(path)
    left_journals.make_older(journal_path(left_open, 0))
    before = path.read_bytes()
    refused = command("start")
    assert (refused.status, refused.out) == (1, "")
    assert says in refused.err and str(path) in refused.err
    assert path.read_bytes() == before
    assert version_of(journal_path(left_open, 0)) == schema_version(), "what could be migrated stays so"


def test_a_journal_is_migrated_by_nobody_but_the_owner_of_its_directory(
    command: Callable[..., Any], left_open: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "LOCK_PATIENCE_S", 0.0)
    path = journal_path(left_open, 0)
    left_journals.make_older(path)
    for owned, says in ((left_open / "system", "another system runs on"), (path, f"{path} is owned by process")):
        lock = OwnerLock(owned)
        try:
            assert says in command("start").err
        finally:
            lock.release()
        assert version_of(path) == schema_version() - 1


def test_a_journal_of_paper_that_nobody_can_read_does_not_concern_a_system_without_paper(
    command: Callable[..., Any], left_open: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEGKEEPER_ROLLOUT_MODE", "live")
    monkeypatch.setenv("LEGKEEPER_SYSTEM_CELLS", "1")
    journal_path(left_open, 0).rename(journal_path(left_open, 7))
    for cell, spoil in ((25, left_journals.make_newer), (26, left_journals.make_older)):
        path = journal_path(left_open / "paper", cell)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(journal_path(left_open, 1).read_bytes())
        spoil(path)
    assert "cell-7.db holds 1 open groups" in command("start").err
    assert version_of(journal_path(left_open / "paper", 25)) == 99
    assert version_of(journal_path(left_open / "paper", 26)) == schema_version()
