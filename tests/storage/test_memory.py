from __future__ import annotations

import pytest
from journal_data import commit, event_record, group_record, one_of_each

from storage.memory import MemoryJournal
from storage.port import CommitUnknown, JournalError, JournalLocked
from storage.tables import GROUPS, TABLE_OF


def test_a_crash_loses_nothing_that_was_committed_and_fences_the_old_owner() -> None:
    old = MemoryJournal()
    commit(old, *one_of_each())
    old.crash()
    new = old.reopen()
    assert new.epoch == 2
    assert new.open_groups() == ["g1"]
    with pytest.raises(JournalError, match="closed"):
        commit(old, event_record("zombie"))
    old.close()
    with pytest.raises(JournalLocked):
        old.reopen()


@pytest.mark.parametrize("durable", [False, True])
def test_a_planned_failure_is_unknown_then_refuses_and_shows_the_truth_after_reopening(durable: bool) -> None:
    journal = MemoryJournal()
    journal.fail_commit(2, durable=durable)
    commit(journal, event_record("e1"))
    for event_id in ("e2", "e3"):
        with pytest.raises(CommitUnknown):
            commit(journal, event_record(event_id))
    journal.crash()
    reopened = journal.reopen()
    assert reopened.seen(["e1", "e2", "e3"]) == ({"e1", "e2"} if durable else {"e1"})
    assert commit(reopened) == (3 if durable else 2)


def test_the_log_folds_to_the_tables_and_equal_lives_have_equal_heads() -> None:
    heads = []
    for _ in range(2):
        journal = MemoryJournal()
        commit(journal, *one_of_each("g1"))
        commit(journal, *one_of_each("g2"), group_record("g1", 5))
        folded = {
            (TABLE_OF[type(record)], TABLE_OF[type(record)].key_of(record)): record
            for turn in journal.turns()
            for record in turn.records()
        }
        for table in TABLE_OF.values():
            assert sorted(map(repr, journal.rows(table))) == sorted(
                repr(record) for (of, _), record in folded.items() if of is table
            )
        assert len(journal.rows(GROUPS)) == 2
        heads.append(journal.head)
    assert heads[0] == heads[1]
    assert heads[0].turn == 2
