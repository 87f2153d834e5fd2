"""What a reader says of files that are not whole: always a ``JournalError``, which tells what to do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import left_journals
import pytest
from journal_data import commit, one_of_each

from domain.groups import group_tag
from storage.port import JournalCorrupt
from storage.reader import JournalReader
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
