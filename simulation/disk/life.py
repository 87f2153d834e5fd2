"""The life of a journal: the turns of a simulated story, committed by the production code on a virtual disk.

And its afterlife: the journal is opened again on what a fault has left, and must hold every turn that was acknowledged,
nothing that was never written, tables that are the log folded, and room for one turn more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from simulation.crash_sweep import run_story
from simulation.disk.connection import Connection
from simulation.disk.medium import Files, Medium
from simulation.disk.vfs import MediumVFS
from simulation.world import World
from storage.log import StoredTurn, stored
from storage.opening import Synchronous
from storage.ownership import beside
from storage.port import JournalError, Turn
from storage.sqlite import SqliteJournal
from storage.tables import TABLES, coalesce

STORY = "condor_in_parts"
BALLAST_BYTES = 16 * 1024


class Lost(AssertionError):
    """What was acknowledged is gone, or what was never written is there."""


class Mark(msgspec.Struct, frozen=True):
    """What the journal's owner was told when so many calls had been made."""

    calls: int
    epoch: int
    turn: int


class Life(msgspec.Struct, kw_only=True):
    """What was done, and what was acknowledged.  ``attempted`` are all turns that a commit was tried for."""

    medium: Medium
    marks: list[Mark]
    attempted: list[StoredTurn]
    failed: str = ""  # the error that ended it

    def acknowledged(self, calls: int) -> Mark:
        """The last word before so many calls were made."""
        return next((mark for mark in reversed(self.marks) if mark.calls <= calls), Mark(0, 0, 0))


@cache
def records_of_a_story(count: int) -> tuple[tuple[int, tuple[Any, ...]], ...]:
    """Broker time and records of the first turns of the first cell."""
    worlds: list[World] = []
    run_story(STORY, look=worlds.append)
    return tuple((turn.at_ns, turn.records()) for turn in worlds[0].journals()[0].turns()[:count])


@contextmanager
def journal_on(medium: Medium, path: Path, synchronous: Synchronous = "FULL") -> Iterator[SqliteJournal]:
    """The production journal on this disk.  Beside the path lie its real lock and ballast.  Not closed at the end."""
    vfs = MediumVFS(medium)
    for real in (path, path.with_name(path.name + "-journal")):  # where the opening looks before SQLite does
        real.unlink(missing_ok=True)
        if str(real) in medium.files:
            real.write_bytes(medium.files[str(real)])
    module: Any = import_module("storage.sqlite")
    before = module.connect
    module.connect = lambda where: Connection(str(where), vfs.name)
    try:
        journal = SqliteJournal(path, synchronous, BALLAST_BYTES, 1_000)
    finally:
        module.connect = before
    try:
        yield journal
    finally:
        # What a dead process leaves undone is undone on a disk that nobody reads any more.
        medium.before = _unplugged
        with suppress(Exception):
            journal.close()


class Unplugged(OSError):
    """The power is off."""


def _unplugged(_call: object) -> None:
    raise Unplugged("the power is off")


def live(
    medium: Medium,
    path: Path,
    turns: int,
    openings: int = 2,
    synchronous: Synchronous = "FULL",
    after: Life | None = None,
) -> Life:
    """So many turns, over so many openings of the journal, each but the last closed in order; or until an error.

    ``after``: the life that was lived on this disk before; what the journal now holds of it counts as acknowledged.
    """
    life = Life(medium=medium, marks=[], attempted=[])
    told = records_of_a_story(turns)
    share = -(-len(told) // openings)
    try:
        for first in range(0, len(told), share):
            last = first + share >= len(told)
            with journal_on(medium, path, synchronous) as journal:
                life.marks.append(Mark(len(medium.calls), journal.epoch, journal.head.turn))
                if after is not None and not life.attempted:
                    life.attempted += after.attempted[: journal.head.turn]
                for at_ns, records in told[first : first + share]:
                    commit(journal, life, at_ns, records)
                before = medium.before
                if not last:
                    journal.close()
            medium.before = before
    except JournalError as error:
        life.failed = f"{type(error).__name__}: {error}"
    return life


def commit(journal: SqliteJournal, life: Life, at_ns: int, records: Sequence[Any]) -> None:
    """One turn; what it is acknowledged with is marked."""
    turn = Turn(epoch=journal.epoch, at_ns=at_ns, records=tuple(records))
    life.attempted.append(stored(turn, journal.head))
    number = journal.commit(turn)
    life.marks.append(Mark(len(life.medium.calls), journal.epoch, number))


def afterlife(files: Files, path: Path, life: Life, told: Mark, further: int = 1) -> int:
    """Open what is left, judge it, commit ``further`` turns.  Gives how many turns there were.

    Raises :class:`Lost`, or what opening the journal raises.
    """
    medium = Medium(files)
    with journal_on(medium, path) as journal:
        found = [StoredTurn._make(row) for row in journal._rows("turns_after", 0)]
        if journal.epoch <= told.epoch:
            raise Lost(f"epoch {journal.epoch} is given out again; {told.epoch} was acknowledged")
        if found != life.attempted[: len(found)]:
            raise Lost(
                f"the log of {len(found)} turns is not a beginning of the {len(life.attempted)} that were written"
            )
        _tables_are_the_log_folded(journal, found)
        again = Life(medium=medium, marks=[], attempted=list(found))
        at_ns, records = records_of_a_story(1)[0]
        for _ in range(further):
            commit(journal, again, at_ns, records)
    if len(found) < told.turn:
        raise Lost(f"{len(found)} turns are there, {told.turn} were acknowledged")
    return len(found)


def _tables_are_the_log_folded(journal: SqliteJournal, found: Sequence[StoredTurn]) -> None:
    folded = coalesce(record for turn in found for record in turn.records())
    for table in TABLES:
        expected = {table.to_row(record) for record in folded.get(table, {}).values()}
        rows = journal._read(partial(_rows_of, table=table))
        if rows != expected:
            raise Lost(f"table {table.name} is not the log folded: {len(rows ^ expected)} rows differ")


def _rows_of(conn: Any, table: Any) -> set[tuple[Any, ...]]:
    names = ", ".join(f'"{name}"' for name in table.column_names())
    return set(conn.execute(f"SELECT {names} FROM {table.name}"))  # noqa: S608 - names of our own


def remember_epoch(path: Path, epoch: int) -> None:
    """Put the lock file into the state that a machine with this last epoch has."""
    beside(path, ".lock").write_text(f"{0:<10} {epoch:<20}\n")
    beside(path, ".ballast").unlink(missing_ok=True)
