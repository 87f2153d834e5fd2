"""The journal in an SQLite file, through aiosqlite, behind the synchronous port.

The owner has exactly one connection.  A second one in the owner is never opened: SQLite 3.7.0 to 3.51.2 can corrupt a
WAL that two connections write or checkpoint, and two connections would make two orders of turns.  Readers in other
processes open the file read-only (:mod:`storage.reader`).

Each turn is one hop to the connection's thread: BEGIN IMMEDIATE, the turn's row, one ``executemany`` per table, COMMIT.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import aiosqlite

from messages.records import (
    ControlRecord,
    EscalationRecord,
    ExecutionStateRecord,
    IntentRecord,
    ProcessedEventRecord,
    Record,
)
from messages.strategy_records import StrategyRecord, VerticalRecord
from storage.log import Head, StoredTurn, stored
from storage.opening import Synchronous, begin_epoch, check_file, connect, prepare, roll_back
from storage.ownership import Ballast, OwnerLock, may_pass
from storage.port import CommitUnknown, GroupRows, JournalError, JournalUnavailable, Turn
from storage.rows import all_of, group_rows, groups_rows, live_orders
from storage.sql import queries
from storage.tables import CONTROLS, ESCALATIONS, INTENTS, STRATEGIES, VERTICALS, Row, coalesce

RECENT_EVENT_IDS = 100_000  # about 15 MB; older ids are looked up in the table

# What sqlite3 raises for a value that its column does not take, as opposed to a disk or a file that fails.
_WRONG_VALUES = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    ValueError,
)

T = TypeVar("T")
Batch = list[tuple[str, list[Row]]]  # statement and its rows, in the order of execution


class _OneHopConnection(aiosqlite.Connection):
    """An aiosqlite connection that runs a whole function in its thread, where aiosqlite hops once per statement."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._thread.daemon = True  # an owner that dies of an exception must exit, not hang on and keep the lock

    def hop(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What ``work`` gives, run in the connection's thread; the caller stands still meanwhile."""
        if not self._running:
            raise ValueError("the connection is closed")  # nobody would answer
        answer = _Answer()
        self._tx.put_nowait((cast(Any, answer), partial(work, self._conn)))
        return cast(T, answer.wait())


class _Answer:
    """Stands where aiosqlite's thread expects a future and its loop.

    Waking an event loop takes a byte in a socket and a look at it, 0.1 ms more than the lock here; and a journal that
    is asked has nothing else to do until it is answered.
    """

    def __init__(self) -> None:
        self._result: Any = None
        self._error: BaseException | None = None
        self._under_way = threading.Lock()
        self._under_way.acquire()

    def get_loop(self) -> _Answer:
        return self

    def call_soon_threadsafe(self, settle: Callable[[_Answer, Any], None], answer: _Answer, outcome: Any) -> None:
        settle(answer, outcome)
        self._under_way.release()

    def done(self) -> bool:
        return not self._under_way.locked()

    def set_result(self, result: Any) -> None:
        self._result = result

    def set_exception(self, error: BaseException) -> None:
        self._error = error

    def wait(self) -> Any:
        """The result.  Raises what the work raised; an interrupt arrives here as ``KeyboardInterrupt``."""
        self._under_way.acquire()
        if self._error is not None:
            raise self._error
        return self._result


class RecentIds:
    """The latest ids, oldest forgotten first.  ``complete`` while nothing was forgotten."""

    def __init__(self, limit: int, oldest_first: Iterable[str], *, complete: bool) -> None:
        self._limit = limit
        self._ids = dict.fromkeys(oldest_first)
        self.complete = complete

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._ids

    def add(self, event_id: str) -> None:
        """Remember an id, forgetting the oldest one when full."""
        self._ids[event_id] = None
        if len(self._ids) > self._limit:
            del self._ids[next(iter(self._ids))]
            self.complete = False


def open_journal(
    path: Path,
    *,
    synchronous: Synchronous = "FULL",
    ballast_bytes: int = 64 * 1024,
    recent_event_ids: int = RECENT_EVENT_IDS,
) -> SqliteJournal:
    """Take the journal's lock, check and migrate the file, and commit a new epoch.

    ``synchronous="NORMAL"`` is faster and loses the last turns in a power cut: intents that were sent may be forgotten.
    Raises ``JournalLocked``, ``JournalNewer``, ``JournalCorrupt``, and ``JournalError`` for everything else.
    """
    if synchronous not in ("FULL", "NORMAL"):
        raise JournalError(f"synchronous is FULL or NORMAL, not {synchronous!r}")
    return SqliteJournal(path.resolve(), synchronous, ballast_bytes, recent_event_ids)


class SqliteJournal:
    """The owner's journal (:class:`storage.port.Journal`).  Use :func:`open_journal`."""

    def __init__(self, path: Path, synchronous: Synchronous, ballast_bytes: int, recent_event_ids: int) -> None:
        self._path = path
        self._pid = os.getpid()
        self._unknown = ""  # why no commit is possible any more
        self._closed = False
        with ExitStack() as undo:
            self._lock = OwnerLock(path)
            undo.callback(self._lock.release)
            self._ballast = Ballast(path, ballast_bytes)
            self._storage_low = not self._ballast.ensure()
            self._runner = undo.enter_context(asyncio.Runner())
            self._db = _OneHopConnection(partial(connect, path))
            try:
                check_file(path, self._lock.last_epoch)
                self._runner.run(_started(self._db))
                undo.callback(self._close_connection)
                self._head = self._write(
                    partial(prepare, path=path, synchronous=synchronous, last_epoch=self._lock.last_epoch)
                )
                begin = partial(begin_epoch, head=self._head, last_epoch=self._lock.last_epoch, pid=self._pid)
                self._epoch = self._write(begin)
                self._recent = self._load_recent(recent_event_ids)
                self._lock.remember(self._epoch)
            except (sqlite3.Error, OSError) as error:
                kind = JournalUnavailable if may_pass(error) else JournalError
                raise kind(f"cannot open {path}: {error}") from error
            self._undo = undo.pop_all()

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self._path

    @property
    def head(self) -> Head:
        """The end of the log as this owner knows it."""
        return self._head

    @property
    def storage_low(self) -> bool:
        """The disk is or was full and the ballast is spent: reduce only, until there is room and it is opened anew."""
        return self._storage_low

    def commit(self, turn: Turn) -> int:
        """Make the turn durable and return its number.

        Raises ``CommitUnknown`` when it may or may not be durable; from then on every commit does.  Raises a plain
        ``JournalError`` when the turn was refused and nothing was written: another epoch, a value that its column does
        not take, or two groups with the same tag.  Raises what the codec raises for a record that it cannot encode.
        """
        self._refuse_if_unusable()
        if self._unknown:
            raise CommitUnknown(f"{self._path}: {self._unknown}; nothing can be committed until it is opened again")
        if turn.epoch != self._epoch:
            raise JournalError(
                f"a turn of epoch {turn.epoch} does not belong to epoch {self._epoch}; nothing was written"
            )
        row = stored(turn, self._head)
        batch = _batch(row, turn.records)
        try:
            self._write(partial(_write_batch, batch=batch))
        except JournalError:
            raise
        except BaseException as error:
            # Also for an interrupt: the thread goes on and may yet commit.
            self._unknown = f"the commit of turn {row.turn} failed ({error!r})"
            if not isinstance(error, Exception):
                raise
            raise CommitUnknown(
                f"{self._path}: {self._unknown}; whether it is durable is not known: stop, open again, and read"
            ) from error
        self._head = row.head
        for record in turn.records:
            if isinstance(record, ProcessedEventRecord):
                self._recent.add(record.event_id)
        return row.turn

    def seen(self, event_ids: Iterable[str]) -> set[str]:
        self._refuse_if_unusable()
        ids = set(event_ids)
        found = {event_id for event_id in ids if event_id in self._recent}
        older = [] if self._recent.complete else sorted(ids - found)
        if older:
            found.update(row[0] for row in self._rows("seen", json.dumps(older)))
        return found

    @property
    def clock_ns(self) -> int:
        return next((int(row[0]) for row in self._rows("last_at_ns")), 0)

    def group(self, group_id: str) -> GroupRows | None:
        return self._read(partial(group_rows, group_id=group_id))

    def groups(self, group_ids: Sequence[str]) -> list[GroupRows | None]:
        return self._read(partial(groups_rows, group_ids=group_ids))

    def group_by_tag(self, tag: str) -> str | None:
        return next((row[0] for row in self._rows("group_by_tag", tag)), None)

    def open_groups(self) -> list[str]:
        return [row[0] for row in self._rows("open_groups")]

    def live_orders(self) -> list[tuple[IntentRecord, ExecutionStateRecord | None]]:
        return self._read(live_orders)

    def ended_untold(self, since_ns: int) -> list[IntentRecord]:
        return self._read(lambda conn: all_of(conn, INTENTS, "ended_untold", since_ns))

    def open_escalations(self) -> list[EscalationRecord]:
        return self._read(partial(all_of, table=ESCALATIONS, query="open_escalations"))

    def standing_controls(self) -> list[ControlRecord]:
        return self._read(partial(all_of, table=CONTROLS, query="standing_controls"))

    def strategies(self) -> list[StrategyRecord]:
        return self._read(partial(all_of, table=STRATEGIES, query=STRATEGIES.select))

    def open_verticals(self) -> list[VerticalRecord]:
        return self._read(partial(all_of, table=VERTICALS, query="open_verticals"))

    def close(self) -> None:
        self._closed = True
        if os.getpid() == self._pid:  # in a forked child, closing would break the parent's event loop
            self._undo.close()

    def _refuse_if_unusable(self) -> None:
        if self._closed:
            raise JournalError(f"{self._path} is closed: open it again")
        if os.getpid() != self._pid:
            raise JournalError(f"{self._path} belongs to process {self._pid}: a connection never crosses a fork")

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._refuse_if_unusable()
        # An interrupt arrives as KeyboardInterrupt, and commit() takes it for what it is: the commit's fate is unknown.
        return self._db.hop(work)

    def _rows(self, query: str, *parameters: Any) -> list[Row]:
        return self._read(lambda conn: conn.execute(queries()[query], parameters).fetchall())

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run work that is whole or not at all; on a full disk, again after each way to make room."""
        for make_room in (self._ballast.release, self._reuse_wal):
            try:
                return self._read(work)
            except sqlite3.Error as error:
                if not _disk_full(error):
                    raise
            self._storage_low = True
            make_room()
        return self._read(work)

    def _reuse_wal(self) -> None:
        # Once all of the WAL is in the database, the next turn overwrites it from its start, in space that is already
        # ours.  PASSIVE waits for nobody; where it fails, the turn that is tried next says so.
        with suppress(sqlite3.OperationalError):
            self._read(lambda conn: conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone())

    def _load_recent(self, limit: int) -> RecentIds:
        latest_first = [row[0] for row in self._rows("latest_event_ids", limit + 1)]
        return RecentIds(limit, reversed(latest_first[:limit]), complete=len(latest_first) <= limit)

    def _close_connection(self) -> None:
        self._runner.run(self._db.close())


async def _started(db: _OneHopConnection) -> None:
    await db


def _batch(turn: StoredTurn, records: Iterable[Record]) -> Batch:
    batch: Batch = [(queries()["insert_turn"], [turn])]
    for table, rows in coalesce(records).items():
        batch.append((queries()[table.upsert], [table.to_row(record) for record in rows.values()]))
    return batch


def _write_batch(conn: sqlite3.Connection, batch: Batch) -> None:
    conn.execute("BEGIN IMMEDIATE")
    try:
        for statement, rows in batch:
            conn.executemany(statement, rows)
    except _WRONG_VALUES as error:
        roll_back(conn)
        raise JournalError(f"the turn was refused, nothing was written: {error}") from error
    except BaseException:
        roll_back(conn)
        raise
    try:
        conn.execute("COMMIT")
    except BaseException:
        roll_back(conn)
        raise


def _disk_full(error: sqlite3.Error) -> bool:
    # In WAL mode a COMMIT that met a full disk has not written its commit frame, so that the same turn can be tried
    # again.  The -shm file has an error code of its own.
    full = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
    return getattr(error, "sqlite_errorcode", 0) in full
