from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import left_journals
import pytest
from journal_data import T0, commit, event_record, group_record, intent_record, one_of_each, replaced

from storage import opening
from storage.opening import APPLICATION_ID
from storage.port import CommitUnknown, JournalCorrupt, JournalError, JournalNewer, Turn
from storage.sql import Migration, migrations, schema_version
from storage.sqlite import SqliteJournal, open_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cell.db"


def written(path: Path, turns: int = 5) -> Path:
    with closing(open_journal(path)) as journal:
        for number in range(turns):
            commit(journal, *one_of_each(f"g{number}"))
    return path


def edit(path: Path, *statements: str) -> None:
    """What somebody with another tool might do to the file."""
    with closing(sqlite3.connect(path)) as conn, conn:
        for statement in statements:
            conn.execute(statement)


def run_in(journal: SqliteJournal, work: Callable[[sqlite3.Connection], object]) -> None:
    """Do something to the journal's own connection, as a fault would."""
    journal._read(work)


def pragma(conn: sqlite3.Connection, name: str) -> object:
    return conn.execute(f"PRAGMA {name}").fetchone()[0]


def test_the_journal_uses_wal_and_full_synchronous_and_normal_when_asked(path: Path) -> None:
    for name, level in (("FULL", 2), ("NORMAL", 1)):
        with closing(open_journal(path, synchronous=name)) as journal:  # type: ignore[arg-type]
            pragmas = "journal_mode", "synchronous", "busy_timeout", "application_id", "user_version"
            found = [journal._read(partial(pragma, name=name)) for name in pragmas]
            assert found == ["wal", level, 5000, APPLICATION_ID, schema_version()]
    with pytest.raises(JournalError, match="OFF"):
        open_journal(path, synchronous="OFF")  # type: ignore[arg-type]


def test_a_journal_of_an_older_schema_is_migrated_and_keeps_its_turns(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.executescript(
            migrations()[0].sql + "INSERT INTO schema_version VALUES (1, '0001', 0);PRAGMA user_version=1;"
        )
        conn.execute("INSERT INTO epochs VALUES (4, 0, 1, 0)")
    with closing(open_journal(path)) as journal:
        assert journal.epoch == 5
        assert commit(journal, group_record()) == 1
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT count(*) FROM readable_turns").fetchone() == (1,)
        versions = [row[0] for row in conn.execute("SELECT version FROM schema_version ORDER BY version")]
    assert versions == list(range(1, schema_version() + 1))


def test_a_migration_that_fails_on_its_way_leaves_the_schema_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_journals.make_older(written(path))
    before = left_journals.version_of(path)
    further = Migration(version=schema_version() + 1, name="further", sql="CREATE TABLE further (x); SELECT wrong;")
    with monkeypatch.context() as patch:
        patch.setattr(opening, "migrations", lambda: (*migrations(), further))
        with pytest.raises(JournalError, match="no such column: wrong"):
            open_journal(path)
    assert left_journals.version_of(path) == before, "a step before the failing one stayed"
    with closing(open_journal(path)) as journal:
        assert journal.head.turn == 5


def test_a_newer_journal_is_refused_naming_both_versions(path: Path) -> None:
    edit(written(path), "PRAGMA user_version = 99")
    with pytest.raises(JournalNewer, match=rf"version 99.*knows {schema_version()}"):
        open_journal(path)


def test_a_schema_that_contradicts_itself_is_refused(path: Path) -> None:
    edit(written(path), "DELETE FROM schema_version WHERE version > 1")
    with pytest.raises(JournalCorrupt, match="schema_version says 1"):
        open_journal(path)


def test_somebody_elses_database_is_refused_and_left_alone(path: Path) -> None:
    edit(path, "CREATE TABLE mine (x)")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="not a legkeeper journal"):
        open_journal(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("keep", [10, 5_000, 40_000])
def test_a_truncated_file_is_refused_with_what_to_do(path: Path, keep: int) -> None:
    written(path, 30)
    os.truncate(path, keep)
    with pytest.raises(JournalCorrupt, match=r"restore the latest copy.*journal verify"):
        open_journal(path)


def test_garbage_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 500)
    with pytest.raises(JournalCorrupt, match="not an SQLite file"):
        open_journal(path)


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: os.truncate(path, 0)])
def test_a_journal_that_vanished_is_not_silently_begun_anew(path: Path, lose: Callable[[Path], None]) -> None:
    lose(written(path))
    with pytest.raises(JournalCorrupt, match=r"epoch 1 was opened on it.*remove .*lock"):
        open_journal(path)
    path.with_name("cell.db.lock").unlink()
    open_journal(path).close()


def test_an_epoch_is_not_used_twice_after_an_older_copy_was_restored(path: Path) -> None:
    copy = written(path).read_bytes()
    for epoch in (2, 3):
        with closing(open_journal(path)) as journal:
            assert journal.epoch == epoch
    path.write_bytes(copy)
    with closing(open_journal(path)) as journal:
        assert journal.epoch == 4


NO_GUARD = ("DROP TRIGGER turns_are_never_changed", "DROP TRIGGER turns_are_never_deleted")


def test_the_log_cannot_be_changed_by_accident(path: Path) -> None:
    written(path)
    for statement in ("UPDATE turns SET at_ns = 1", "DELETE FROM turns WHERE turn = 5"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            edit(path, statement)


@pytest.mark.parametrize(
    "column", ["at_ns = at_ns + 1", "payload = substr(payload, 2)", "prev_hash = hash", "epoch = 2"]
)
def test_a_changed_turn_breaks_the_chain_at_the_opening(path: Path, column: str) -> None:
    edit(
        written(path), *NO_GUARD, "INSERT INTO epochs VALUES (2, 0, 0, 0)", f"UPDATE turns SET {column} WHERE turn = 3"
    )
    with pytest.raises(JournalCorrupt, match="broken at turn 3"):
        open_journal(path)


@pytest.mark.parametrize("gone", [1, 3])
def test_a_missing_turn_is_found_at_the_opening(path: Path, gone: int) -> None:
    edit(written(path), *NO_GUARD, f"DELETE FROM turns WHERE turn = {gone}")
    with pytest.raises(JournalCorrupt, match="turns are missing"):
        open_journal(path)


def test_only_the_tail_of_a_long_chain_is_verified_at_the_opening(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.opening.TAIL_TURNS", 2)
    edit(written(path), *NO_GUARD, "UPDATE turns SET at_ns = at_ns + 1 WHERE turn = 3")
    with closing(open_journal(path)) as journal:
        assert commit(journal) == 6
    edit(path, "UPDATE turns SET at_ns = at_ns + 1 WHERE turn = 5")
    with pytest.raises(JournalCorrupt, match="turn 5"):
        open_journal(path)


def test_after_a_failed_open_the_lock_is_free_again(path: Path) -> None:
    edit(written(path), "PRAGMA user_version = 99")
    with pytest.raises(JournalNewer):
        open_journal(path)
    edit(path, f"PRAGMA user_version = {schema_version()}")
    open_journal(path).close()


def test_a_missing_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="is the folder there"):
        open_journal(tmp_path / "nowhere" / "cell.db")


def test_a_value_that_its_column_does_not_take_refuses_the_turn_and_writes_nothing(path: Path) -> None:
    with closing(open_journal(path)) as journal:
        commit(journal, event_record("e1"))
        for wrong in (replaced(intent_record(), quantity="ten"), replaced(intent_record(), reason="\ud800")):
            with pytest.raises((JournalError, UnicodeEncodeError)):
                commit(journal, event_record("e2"), wrong)
        assert journal.seen(["e1", "e2"]) == {"e1"}
        assert commit(journal, event_record("e3")) == 2


def deny_commit(conn: sqlite3.Connection) -> None:
    conn.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_TRANSACTION else sqlite3.SQLITE_OK
    )


def test_a_commit_that_fails_is_unknown_and_the_journal_refuses_further_ones(path: Path) -> None:
    with closing(open_journal(path)) as journal:
        commit(journal, event_record("e1"))
        run_in(journal, deny_commit)
        with pytest.raises(CommitUnknown, match="turn 2 failed"):
            commit(journal, event_record("e2"))
        run_in(journal, lambda conn: conn.set_authorizer(None))
        with pytest.raises(CommitUnknown, match="until it is opened again"):
            commit(journal, event_record("e3"))
    with closing(open_journal(path)) as journal:
        assert journal.seen(["e1", "e2", "e3"]) == {"e1"}
        assert commit(journal, event_record("e2")) == 2


def interrupt_at_commit(conn: sqlite3.Connection) -> None:
    conn.set_trace_callback(lambda sql: os.kill(os.getpid(), signal.SIGINT) if sql == "COMMIT" else None)


def test_an_interrupt_during_a_commit_leaves_it_unknown_too(path: Path) -> None:
    with closing(open_journal(path)) as journal:
        run_in(journal, interrupt_at_commit)
        with pytest.raises(KeyboardInterrupt):
            commit(journal, event_record("e1"))
        with pytest.raises(CommitUnknown, match="turn 1 failed"):
            commit(journal, event_record("e2"))
    with closing(open_journal(path)) as journal:
        assert journal.seen(["e1", "e2"]) == {"e1"}  # the thread went on and committed


def test_a_turn_number_that_is_taken_never_overwrites_a_turn(path: Path) -> None:
    with closing(open_journal(path)) as journal:
        commit(journal, event_record("e1"))
        run_in(
            journal, lambda conn: conn.execute("INSERT INTO turns SELECT 2, epoch, 0, payload, hash, hash FROM turns")
        )
        with pytest.raises(JournalError, match="UNIQUE constraint failed"):
            commit(journal, event_record("e2"))


def test_a_full_database_spends_the_ballast_then_is_unknown(path: Path) -> None:
    ballast = path.with_name("cell.db.ballast")
    with closing(open_journal(path)) as journal:
        assert ballast.stat().st_size == 64 * 1024
        commit(journal, group_record("g1"))
        low_before = journal.storage_low
        run_in(journal, lambda conn: conn.execute("PRAGMA max_page_count = 1"))
        with pytest.raises(CommitUnknown, match="full"):
            for number in range(1000):
                commit(journal, *one_of_each(f"more-{number}"))
        assert (low_before, journal.storage_low) == (False, True)
        assert not ballast.exists()
    with closing(open_journal(path)) as journal:
        assert ballast.stat().st_size == 64 * 1024
        assert not journal.storage_low


def test_ids_beyond_the_memory_are_looked_up_in_the_table(path: Path) -> None:
    for _ in range(2):
        with closing(open_journal(path, recent_event_ids=3)) as journal:
            commit(journal, *(event_record(f"e{number}") for number in range(10)))
            assert journal.seen([f"e{number}" for number in range(12)]) == {f"e{number}" for number in range(10)}
            assert not journal._recent.complete


def test_a_complete_memory_answers_without_the_file(path: Path) -> None:
    with closing(open_journal(path, recent_event_ids=10)) as journal:
        commit(journal, *(event_record(f"e{number}") for number in range(10)))
        run_in(journal, lambda conn: conn.execute("DELETE FROM processed_events"))
        assert journal.seen(["e0", "e9", "new"]) == {"e0", "e9"}


def test_a_forked_child_may_neither_write_nor_keep_the_lock(path: Path) -> None:
    journal = open_journal(path)
    wait, go = os.pipe()
    there, here = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(here, b"!")  # what runs in a forked child before its own code has run
        try:
            journal.commit(Turn(epoch=journal.epoch, at_ns=T0, records=()))
        except JournalError as error:
            journal.close()
            os.close(go)
            os.read(wait, 1)  # lives on until its parent has closed and opened the journal
            os._exit(0 if "never crosses a fork" in str(error) else 2)
        os._exit(1)
    try:
        assert os.read(there, 1) == b"!"
        assert commit(journal, group_record()) == 1
        journal.close()
        with closing(open_journal(path)) as journal:
            assert journal.epoch == 2
    finally:
        for end in (go, wait, there, here):
            os.close(end)
        status = os.waitpid(pid, 0)[1]
    assert os.waitstatus_to_exitcode(status) == 0
