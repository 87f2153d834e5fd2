from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from journal_data import T0, commit, group_record, intent_record, one_of_each, replaced

from storage.log import link
from storage.port import JournalError, JournalNewer
from storage.reader import JournalReader
from storage.sql import schema_version
from storage.sqlite import open_journal
from storage.verify import MOST_PROBLEMS, verify

GROUPS = 6  # of :func:`path`
NO_GUARD = ("DROP TRIGGER turns_are_never_changed", "DROP TRIGGER turns_are_never_deleted")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "cell.db"
    for _ in range(2):
        with closing(open_journal(found)) as journal:
            for number in range(3):
                group_id = f"g{journal.epoch}{number}"
                commit(journal, *one_of_each(group_id), at_ns=T0 + journal.head.turn)
                commit(journal, replaced(intent_record(group_id), sent_ns=T0 + 1))
    return found


def edit(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as conn, conn:
        for statement in statements:
            conn.execute(statement)


def test_an_untouched_journal_is_intact(path: Path) -> None:
    report = verify(path)
    assert report.ok
    rows = GROUPS * len(one_of_each())
    assert (report.turns, report.epochs, report.records, report.rows) == (12, 2, rows + GROUPS, rows)
    assert report.first_bad_turn is None
    assert report.lines() == [f"{path}: intact (12 turns, {rows + GROUPS} records, {rows} table rows, 2 epochs)"]


@pytest.mark.parametrize("change", ["at_ns = at_ns + 1", "epoch = 2", "hash = prev_hash"])
def test_e15_the_first_changed_turn_is_named(path: Path, change: str) -> None:
    edit(path, *NO_GUARD, f"UPDATE turns SET {change} WHERE turn IN (3, 5)")
    report = verify(path)
    assert report.first_bad_turn == 3
    assert any(problem.startswith("turn 3: the hash chain breaks") for problem in report.problems)


def test_a_forged_turn_with_a_right_hash_of_its_own_breaks_the_next_one(path: Path) -> None:
    with JournalReader(path) as reader:
        second = next(reader.turns(after=1))
    forged = link(second.prev_hash, 2, second.epoch, second.at_ns + 1, second.payload).hex()
    edit(path, *NO_GUARD, f"UPDATE turns SET at_ns = at_ns + 1, hash = x'{forged}' WHERE turn = 2")
    report = verify(path)
    assert report.first_bad_turn == 3
    assert len(report.problems) == 1


def test_a_missing_turn_is_named_and_what_it_wrote_is_missed(path: Path) -> None:
    edit(path, *NO_GUARD, "DELETE FROM turns WHERE turn = 3")
    report = verify(path)
    assert report.first_bad_turn == 3
    assert "turn 3: missing (the next one is 4)" in report.problems
    assert "order_groups g11: the row is in no turn of the log" in report.problems


def test_an_undecodable_turn_is_named(path: Path) -> None:
    edit(path, *NO_GUARD, "UPDATE turns SET payload = x'c1' WHERE turn = 12")
    report = verify(path)
    assert report.first_bad_turn == 12
    assert any("not a payload" in problem for problem in report.problems)


def test_a_table_that_differs_from_the_log_is_named_by_row_and_column(path: Path) -> None:
    edit(
        path,
        "UPDATE order_intents SET quantity = 11, price = 9.5 WHERE group_id = 'g10'",
        "DELETE FROM executions WHERE group_id = 'g11'",
        "UPDATE order_groups SET tag = 'WRONG' WHERE group_id = 'g12'",
        "INSERT INTO processed_events VALUES ('forged', 'trade', '', 0)",
    )
    report = verify(path)
    assert report.first_bad_turn is None
    order = intent_record("g10").client_order_id
    assert (
        f"order_intents {order}: quantity is 11, the log says 10; price is 9.5, the log says 1.255" in report.problems
    )
    assert (
        f"executions {intent_record('g11').client_order_id}/x1: the row is missing, the log has it" in report.problems
    )
    assert any(problem.startswith("order_groups g12: tag is 'WRONG'") for problem in report.problems)
    assert "processed_events forged: the row is in no turn of the log" in report.problems
    assert len(report.problems) == 4


def test_many_differences_of_one_table_are_counted_not_listed(path: Path) -> None:
    edit(path, *(f"INSERT INTO processed_events VALUES ('f{n}', '', '', 0)" for n in range(MOST_PROBLEMS + 5)))
    report = verify(path)
    assert len(report.problems) == MOST_PROBLEMS + 1
    assert report.problems[-1] == "processed_events: 5 more rows differ"


def test_a_damaged_file_is_reported(path: Path) -> None:
    data = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as conn:
        (root,) = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'executions'").fetchone()
    data[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    path.write_bytes(data)
    report = verify(path)
    assert not report.ok
    assert any("damaged" in problem for problem in report.problems)


def test_what_is_not_a_journal_is_refused_with_a_clear_error(tmp_path: Path, path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal at"):
        JournalReader(tmp_path / "missing.db")
    assert not (tmp_path / "missing.db").exists()
    (tmp_path / "text.db").write_text("hello, I am a text file, and not a short one\n" * 50)
    with pytest.raises(JournalError, match="cannot be read as a journal"):
        JournalReader(tmp_path / "text.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(JournalError, match="empty database"):
        JournalReader(tmp_path / "empty.db")
    edit(tmp_path / "other.db", "CREATE TABLE mine (x)")
    with pytest.raises(JournalError, match="not a legkeeper journal"):
        JournalReader(tmp_path / "other.db")
    edit(path, "PRAGMA user_version = 99")
    with pytest.raises(JournalNewer, match=f"99.*{schema_version()}"):
        JournalReader(path)


def test_a_reader_lists_what_the_owner_wrote_and_cannot_write(path: Path) -> None:
    with JournalReader(path) as reader:
        assert [group.group_id for group in reader.groups()] == ["g10", "g11", "g12", "g20", "g21", "g22"]
        rows = reader.group("g21")
        assert rows is not None and rows.group == group_record("g21") and rows.intents[0].sent_ns == T0 + 1
        assert reader.group("nobody") is None
        assert reader.group_by_tag("nobody") is None
        for listing in (reader.intents, reader.executions, reader.hedges, reader.stops, reader.rejected_events):
            assert len(listing()) == 6
            assert [record.group_id for record in listing("g20")] == ["g20"]
        assert [alert.escalation_id for alert in reader.escalations("g20")] == ["a-g20"]
        assert len(reader.open_escalations()) == 6
        assert [epoch.after_turn for epoch in reader.epochs()] == [0, 6]
        assert [turn.turn for turn in reader.turns(after=9)] == [10, 11, 12]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._conn.execute("DELETE FROM processed_events")
