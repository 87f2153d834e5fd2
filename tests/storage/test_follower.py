"""A follower reads each turn once while the owner writes, and notices when another log stands in its own's place."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from journal_data import commit, group_record, intent_record

from storage.follower import JournalReplaced, LogFollower
from storage.port import JournalError
from storage.sqlite import open_journal


def test_each_record_is_read_once_and_in_order_while_the_owner_writes(tmp_path: Path) -> None:
    path = tmp_path / "cell-0.db"
    with closing(open_journal(path)) as journal:
        follower = LogFollower(path)
        assert follower.read() == []
        commit(journal, group_record("g1"))
        commit(journal, intent_record("g1"))
        assert follower.read() == [group_record("g1"), intent_record("g1")]
        assert follower.read() == []
        commit(journal, group_record("g2"))
        assert follower.read() == [group_record("g2")]
        another = LogFollower(path)
        assert len(another.read()) == 3


def test_a_journal_that_was_put_back_from_a_copy_is_noticed_and_read_anew(tmp_path: Path) -> None:
    path, copy = tmp_path / "cell-0.db", tmp_path / "copy.db"
    with closing(open_journal(path)) as journal:
        commit(journal, group_record("g1"))
    shutil.copy(path, copy)
    with closing(open_journal(path)) as journal:
        commit(journal, group_record("lost"))
    follower = LogFollower(path)
    assert len(follower.read()) == 2
    shutil.copy(copy, path)
    with closing(open_journal(path)) as journal:
        commit(journal, group_record("instead"))
        with pytest.raises(JournalReplaced):
            follower.read()
        follower.begin()
        assert follower.read() == [group_record("g1"), group_record("instead")]


def test_a_file_that_is_not_there_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal"):
        LogFollower(tmp_path / "cell-0.db").read()
