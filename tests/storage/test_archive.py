"""Retention: what is over leaves the journal behind a whole copy, and nobody notices but the disk."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from journal_data import (
    T0,
    commit,
    escalation_record,
    event_record,
    group_record,
    intent_record,
    one_of_each,
    replaced,
    state_record,
)
from syncs import Syncs

from decisions.positions.books import Books
from domain.groups import GroupOutcome, group_tag
from messages.records import IntentStatus, Record
from storage import archive as archiving
from storage.archive import archive
from storage.follower import JournalReplaced, LogFollower
from storage.port import JournalError, JournalLocked
from storage.reader import JournalReader
from storage.sqlite import open_journal
from storage.verify import verify
from venue.audit.journal import Journal as AuditedJournal
from venue.audit.journal import read_journals

DAY = 86_400 * 10**9
LATER = T0 + 10 * DAY


def ended(group_id: str, at_ns: int = T0, *, holding: int = 0) -> tuple[Record, ...]:
    """A group that is over: nothing lives, and so many units are held."""
    group = replaced(group_record(group_id, at_ns), outcome=GroupOutcome.HEDGED, updated_ns=at_ns)
    intent = replaced(intent_record(group_id), status=IntentStatus.FILLED)
    state = replaced(state_record(group_id), cum_qty=holding)
    return group, intent, state, replaced(event_record(f"e-{group_id}", group_id), ts_ns=at_ns)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Groups that are old, late, holding, open, and one that a person must see to; the last turn is ten days later."""
    path = tmp_path / "cell-0.db"
    with closing(open_journal(path)) as journal:
        commit(journal, *ended("old"), event_record("e-nobody", ""))
        commit(journal, *ended("holding", holding=4))
        commit(journal, *ended("seen-to"), replaced(escalation_record("seen-to", "call"), acknowledged_ns=0))
        commit(journal, *one_of_each("open"))
        commit(journal, *ended("late", LATER), at_ns=LATER)
    return path


def known(path: Path) -> set[str]:
    with JournalReader(path) as reader:
        return {group.group_id for group in reader.groups()}


def test_s9_only_what_is_over_and_holds_nothing_leaves_the_journal(path: Path, tmp_path: Path) -> None:
    done = archive(path, tmp_path / "archive/cell-0.db", DAY)
    assert done is not None and done.groups == 1
    assert known(path) == {"holding", "seen-to", "open", "late"}
    assert known(Path(done.file)) == {"old", "holding", "seen-to", "open", "late"}, "the copy is whole"
    with closing(open_journal(path)) as journal:
        assert journal.seen(["e-old", "e-nobody", "e-holding", "e-late"]) == {"e-holding", "e-late"}


def test_the_copy_is_synced_with_its_folders_before_the_journal_is_shortened(
    path: Path, tmp_path: Path, syncs: Syncs
) -> None:
    folder = tmp_path / "archive" / "monday"
    archive(path, folder / "cell-0.db", DAY)
    copied = [tmp_path, tmp_path / "archive", folder / "cell-0.db.part", folder]
    assert syncs.since() == [*copied, Path(f"{path}.lock")]


def test_i19_the_log_goes_on_from_the_copy_and_the_tables_are_its_fold(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "archive/cell-0.db"
    archive(path, copy, DAY)
    assert verify(path).problems == () == verify(copy).problems
    with JournalReader(path) as short, JournalReader(copy) as whole:
        (*_, last), first = whole.turns(), next(short.turns())
        assert first.continues(last.head), "the chain is one, over both files"


def test_i11_a_rebuilt_group_is_what_it_was(path: Path, tmp_path: Path) -> None:
    with closing(open_journal(path)) as journal:
        before, epoch = journal.groups(journal.open_groups()), journal.epoch
        alerts, clock_ns = journal.open_escalations(), journal.clock_ns
    archive(path, tmp_path / "archive/cell-0.db", DAY)
    with closing(open_journal(path)) as journal:
        assert journal.groups(journal.open_groups()) == before
        assert (journal.open_escalations(), journal.clock_ns) == (alerts, clock_ns)
        assert journal.epoch > epoch + 1, "the archiving had an epoch of its own: nothing older may write or send"
        commit(journal, event_record("e-next"), at_ns=LATER)
    assert verify(path).ok


def test_the_id_of_an_archived_group_stays_taken(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "archive/cell-0.db"
    archive(path, copy, DAY)
    with closing(open_journal(path)) as journal:
        assert journal.group_by_tag(group_tag("old")) == "old"
        assert journal.group("old") is None
    with JournalReader(path) as reader:
        assert reader.archived_in(group_tag("old")) == str(copy)


def test_archiving_again_takes_what_is_over_since(path: Path, tmp_path: Path) -> None:
    archive(path, tmp_path / "first.db", DAY)
    assert archive(path, tmp_path / "second.db", DAY) is None, "nothing is over"
    assert not (tmp_path / "second.db").exists()
    with closing(open_journal(path)) as journal:
        commit(journal, event_record("e-tick", ""), at_ns=LATER + 2 * DAY)
    done = archive(path, tmp_path / "third.db", DAY)
    assert done is not None and known(path) == {"holding", "seen-to", "open"}
    assert verify(path).ok and verify(tmp_path / "third.db").ok


def test_who_follows_the_log_is_told_to_begin_anew_and_sees_what_is_kept(path: Path, tmp_path: Path) -> None:
    follower = LogFollower(path)
    follower.read()
    archive(path, tmp_path / "archive.db", DAY)
    with pytest.raises(JournalReplaced):
        follower.read()
    follower.begin()
    books = Books()
    for record in follower.read():
        books.follow(record)
    assert books.groups.keys() == {"holding", "seen-to", "open", "late"}
    with closing(open_journal(path)) as journal:
        commit(journal, event_record("e-more"), at_ns=LATER)
    assert len(follower.read()) == 1


def test_the_audit_follows_the_chain_of_both(path: Path, tmp_path: Path) -> None:
    archive(path, tmp_path / "archive/cell-0.db", DAY)
    for directory in (tmp_path, tmp_path / "archive"):
        found: AuditedJournal = read_journals(directory)
        assert found.turns and found.chain_problems == []


def test_turns_that_are_in_no_archive_are_never_deleted(path: Path, tmp_path: Path) -> None:
    archive(path, tmp_path / "archive.db", DAY)
    with closing(sqlite3.connect(path)) as conn, pytest.raises(sqlite3.IntegrityError, match="never deleted"):
        conn.execute("DELETE FROM turns")


def test_a_journal_that_is_owned_or_damaged_is_left_alone(path: Path, tmp_path: Path) -> None:
    with closing(open_journal(path)), pytest.raises(JournalLocked):
        archive(path, tmp_path / "archive.db", DAY)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("UPDATE order_groups SET reason = 'forged' WHERE group_id = 'old'")
        conn.commit()
    with pytest.raises(JournalError, match="is not intact and is left alone"):
        archive(path, tmp_path / "archive.db", DAY)
    assert not (tmp_path / "archive.db").exists() and "old" in known(path)


def test_a_copy_is_never_overwritten(path: Path, tmp_path: Path) -> None:
    there = tmp_path / "archive.db"
    there.write_text("somebody's")
    with pytest.raises(JournalError, match="exists and is left alone"):
        archive(path, there, DAY)
    assert there.read_text() == "somebody's" and "old" in known(path)


def test_an_archiving_that_breaks_off_changes_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = verify(path)

    def broken(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(archiving, "stored", broken)  # after everything was deleted, before anything is stated anew
    with pytest.raises(JournalError, match="nothing is lost"):
        archive(path, tmp_path / "archive.db", DAY)
    after = verify(path)
    assert after.ok and (after.turns, after.rows) == (whole.turns, whole.rows)
    monkeypatch.undo()
    shutil.move(tmp_path / "archive.db", tmp_path / "set-aside.db")
    assert archive(path, tmp_path / "archive.db", DAY) is not None


def test_what_is_working_is_never_archived_however_old(tmp_path: Path) -> None:
    path = tmp_path / "cell-0.db"
    with closing(open_journal(path)) as journal:
        live = replaced(group_record("g"), outcome=GroupOutcome.FLAT)
        commit(journal, *one_of_each("g"), live, event_record("late", ""), at_ns=LATER)
        assert journal.open_groups() == ["g"], "it has ended, but an order of it works"
    archive(path, tmp_path / "archive.db", DAY)
    assert known(path) == {"g"}
