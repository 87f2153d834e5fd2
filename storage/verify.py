"""Is the journal what was written?  The file, the chain, and the tables against the log (I11, I19)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from storage.port import JournalError
from storage.reader import JournalReader
from storage.tables import TABLE_OF, TABLES, Row, Table

MOST_PROBLEMS = 20  # named per table

Folded = dict[Table, dict[Row, Row]]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What ``journal verify`` found.  ``first_bad_turn`` is where the log stops being trustworthy."""

    path: str
    turns: int
    epochs: int
    records: int
    rows: int
    first_bad_turn: int | None
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.problems

    def lines(self) -> list[str]:
        """The report for a person."""
        counted = f"{self.turns} turns, {self.records} records, {self.rows} table rows, {self.epochs} epochs"
        verdict = "intact" if self.ok else f"{len(self.problems)} problems"
        return [f"{self.path}: {verdict} ({counted})", *(f"  {problem}" for problem in self.problems)]


class _Log:
    """The log as read so far: its fold, and what is wrong with it."""

    def __init__(self) -> None:
        self.folded: Folded = {table: {} for table in TABLES}
        self.turns = 0
        self.records = 0
        self.first_bad_turn: int | None = None
        self.problems: list[str] = []

    def blame(self, turn: int, what: str) -> None:
        self.problems.append(f"turn {turn}: {what}")
        self.first_bad_turn = min(turn, self.first_bad_turn or turn)


def verify(path: Path) -> Report:
    """Check the whole journal at ``path`` as of one moment; the owner may be running.

    The fold is kept in memory, one row per key.  Raises ``JournalError`` when there is no journal to check.
    """
    with JournalReader(path, snapshot=True) as reader:
        log = _Log()
        epochs = rows = 0
        try:
            reader.quick_check()
            epochs = len(reader.epochs())
            _read_log(reader, log)
            for table in TABLES:
                found = dict(_keyed(reader, table))
                rows += len(found)
                log.problems.extend(_differences(table, found, log.folded[table]))
        except JournalError as error:
            log.problems.append(str(error))
        return Report(
            path=str(path),
            turns=log.turns,
            epochs=epochs,
            records=log.records,
            rows=rows,
            first_bad_turn=log.first_bad_turn,
            problems=tuple(log.problems),
        )


def _read_log(reader: JournalReader, log: _Log) -> None:
    """Fold every turn that can be decoded; blame the first one that breaks the chain and every one that is missing."""
    head, last_epoch, unbroken = reader.base(), 0, True
    for row in reader.turns():
        if row.turn != head.turn + 1:
            log.blame(head.turn + 1, f"missing (the next one is {row.turn})")
        elif unbroken and not row.continues(head):
            unbroken = False
            log.blame(row.turn, "the hash chain breaks here: this turn or its row was changed")
        if row.epoch < last_epoch:
            log.blame(row.turn, f"epoch {row.epoch} follows epoch {last_epoch}")
        try:
            records = row.records()
        except JournalError as error:
            log.blame(row.turn, str(error))
            records = ()
        for record in records:
            table = TABLE_OF[type(record)]
            log.folded[table][table.key_of(record)] = table.to_row(record)
        head, last_epoch = row.head, max(row.epoch, last_epoch)
        log.turns += 1
        log.records += len(records)


def _keyed(reader: JournalReader, table: Table) -> Iterator[tuple[Row, Row]]:
    where = [table.column_names().index(column) for column in table.key]
    return ((tuple(row[index] for index in where), row) for row in reader.rows(table))


def _differences(table: Table, found: dict[Row, Row], expected: dict[Row, Row]) -> list[str]:
    """What a table and the fold of the log do not agree on, in words; at most ``MOST_PROBLEMS`` and a count."""
    names = {key: "/".join(map(str, key)) for key in found.keys() | expected.keys()}
    wrong = sorted(key for key in names if found.get(key) != expected.get(key))
    words = (f"{table.name} {names[key]}: {_difference(table, found.get(key), expected.get(key))}" for key in wrong)
    rest = len(wrong) - MOST_PROBLEMS
    return [*islice(words, MOST_PROBLEMS), *([f"{table.name}: {rest} more rows differ"] if rest > 0 else [])]


def _difference(table: Table, found: Row | None, expected: Row | None) -> str:
    if found is None:
        return "the row is missing, the log has it"
    if expected is None:
        return "the row is in no turn of the log"
    columns = zip(table.column_names(), found, expected, strict=True)
    return "; ".join(f"{name} is {got!r}, the log says {want!r}" for name, got, want in columns if got != want)
