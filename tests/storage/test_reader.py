"""What a reader says of files that are not whole: always a ``JournalError``, which tells what to do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import left_journals
import pytest
from journal_data import commit, one_of_each

from domain.groups import group_tag
from storage.port import JournalCorrupt, JournalEmpty, JournalError
from storage.reader import JournalReader
from storage.sql import schema_version
from storage.sqlite import open_journal
from storage.tables import TABLES

NO_READING = {"close", "path"}
READINGS: dict[str, Callable[[JournalReader], object]] = {
    "groups": JournalReader.groups,
    "group": lambda reader: reader.group("g0"),
    "group_by_tag": lambda reader: reader.group_by_tag(group_tag("g0")),
    "intents": JournalReader.intents,
    "executions": lambda reader: reader.executions("g0"),
    "execution_states": JournalReader.execution_states,
    "hedges": JournalReader.hedges,
    "stops": JournalReader.stops,
    "held": JournalReader.held,
    "position_events": JournalReader.position_events,
    "rejected_events": JournalReader.rejected_events,
    "escalations": JournalReader.escalations,
    "open_escalations": JournalReader.open_escalations,
    "strategies": JournalReader.strategies,
    "verticals": JournalReader.verticals,
    "counts": JournalReader.counts,
    "unresolved": JournalReader.unresolved,
    "epochs": JournalReader.epochs,
    "base": JournalReader.base,
    "archived_in": lambda reader: reader.archived_in(group_tag("g0")),
    "turns": lambda reader: list(reader.turns()),
    "turns_about": lambda reader: list(reader.turns_about("g0")),
    "rows": lambda reader: [row for table in TABLES for row in reader.rows(table)],
    "quick_check": JournalReader.quick_check,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cell-0.db"
    with closing(open_journal(path)) as journal:
        commit(journal, *one_of_each("g0"))
    return path


def test_every_reading_is_looked_at() -> None:
    public = {name for name in vars(JournalReader) if not name.startswith("_")}
    assert READINGS.keys() == public - NO_READING


@pytest.mark.parametrize("name", READINGS)
def test_a_damaged_page_is_a_damaged_journal_whatever_is_asked(path: Path, name: str) -> None:
    with JournalReader(path) as reader:
        READINGS[name](reader)
    left_journals.damage(path)
    with JournalReader(path) as reader, pytest.raises(JournalCorrupt, match="restore the latest copy"):
        READINGS[name](reader)


@pytest.mark.parametrize("make", [left_journals.make_file_only, left_journals.make_header_only])
def test_a_file_in_which_nobody_has_made_a_journal_is_empty_and_not_foreign(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "new.db")
    with pytest.raises(JournalEmpty, match="the next start of its system does"):
        JournalReader(tmp_path / "new.db")


@pytest.mark.parametrize("opened", [JournalReader, open_journal])
def test_a_journal_whose_content_went_with_its_wal_is_damaged_and_not_new(
    path: Path, opened: Callable[[Path], object]
) -> None:
    path.unlink()
    left_journals.make_header_only(path)
    with pytest.raises(JournalCorrupt, match=r"holds nothing, but epoch 1 was opened on it.*remove .*lock"):
        opened(path)


def test_an_older_schema_is_named_with_what_to_do(path: Path) -> None:
    left_journals.make_older(path)
    with pytest.raises(JournalError, match=rf"version {schema_version() - 1}.* start its system once"):
        JournalReader(path)
