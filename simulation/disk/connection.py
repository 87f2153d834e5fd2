"""An apsw connection that looks like one of :mod:`sqlite3`, as far as the journal uses one.

The journal's own code runs on it unchanged: opening, migrations, transactions, queries.  ``locking_mode=EXCLUSIVE`` is
the one thing that differs: a file system in Python has no shared memory for the WAL's index, which SQLite then keeps
in its heap; what is written to the file and to the WAL is the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import apsw

_CODES = {
    apsw.FullError: sqlite3.SQLITE_FULL,
    apsw.IOError: sqlite3.SQLITE_IOERR,
    apsw.CorruptError: sqlite3.SQLITE_CORRUPT,
    apsw.NotADBError: sqlite3.SQLITE_NOTADB,
    apsw.ConstraintError: sqlite3.SQLITE_CONSTRAINT,
    apsw.CantOpenError: sqlite3.SQLITE_CANTOPEN,
    apsw.ReadOnlyError: sqlite3.SQLITE_READONLY,
}
Row = tuple[Any, ...]


def translated(error: apsw.Error) -> sqlite3.Error:
    """The error as :mod:`sqlite3` raises it."""
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), sqlite3.SQLITE_ERROR)
    kinds = {
        sqlite3.SQLITE_CORRUPT: sqlite3.DatabaseError,
        sqlite3.SQLITE_NOTADB: sqlite3.DatabaseError,
        sqlite3.SQLITE_CONSTRAINT: sqlite3.IntegrityError,
    }
    found: sqlite3.Error = kinds.get(code, sqlite3.OperationalError)(str(error))
    found.sqlite_errorcode = getattr(error, "extendedresult", code)
    return found


class Cursor:
    """The rows of one statement, read at once."""

    def __init__(self, rows: list[Row], description: Sequence[Row]) -> None:
        self._rows, self.description = iter(rows), description

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def fetchone(self) -> Row | None:
        return next(self._rows, None)

    def fetchall(self) -> list[Row]:
        return list(self._rows)


class Connection:
    """See the module."""

    def __init__(self, path: str, vfs: str) -> None:
        self._conn = apsw.Connection(path, vfs=vfs)
        self._conn.execute("PRAGMA locking_mode = EXCLUSIVE")

    @property
    def in_transaction(self) -> bool:
        return self._conn.in_transaction

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Cursor:
        described: list[Sequence[Row]] = [()]

        def look(cursor: apsw.Cursor, _statement: str, _bindings: object) -> bool:
            described[0] = cursor.get_description()
            return True

        cursor = self._conn.cursor()
        cursor.exec_trace = look
        try:
            return Cursor(list(cursor.execute(statement, tuple(parameters))), described[0])
        except apsw.Error as error:
            raise translated(error) from error

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        try:
            self._conn.executemany(statement, [tuple(row) for row in rows])
        except apsw.Error as error:
            raise translated(error) from error

    def executescript(self, script: str) -> None:
        self.execute(script)

    def close(self) -> None:
        # As with sqlite3: what fails in the checkpoint of a closing connection is told to nobody, and done at the
        # next opening.
        with suppress(apsw.Error):
            self._conn.close()
