"""Keeps a journal small: what is over leaves it, behind a whole copy of the file.

The journal must have no owner.  It is verified, copied as it is, and then shortened in one transaction: the log goes
on, bound by hash to the last turn of the copy, with turns that state anew every row that is kept.  So the tables are
still the fold of the log, whoever folds it needs nothing of the past, and copy and journal are one unbroken chain.

What is kept: groups that are open, hold a unit, or were changed lately; all that belongs to them; strategies and their
open verticals; controls in force; alerts that need a person; and the inbox of as long (S9).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from domain.groups import group_tag
from messages.records import Record
from storage.durable import make_folder, sync
from storage.log import Head, stored
from storage.opening import begin_epoch, check_file, connect, prepare, roll_back
from storage.ownership import OwnerLock
from storage.port import JournalError, Turn
from storage.reader import JournalReader
from storage.rows import all_of
from storage.sql import queries
from storage.tables import (
    CONTROLS,
    ESCALATIONS,
    GROUPS,
    POSITION_EVENTS,
    PROCESSED_EVENTS,
    REJECTED_EVENTS,
    STRATEGIES,
    TABLES,
    VERTICALS,
)
from storage.verify import verify

RECORDS_A_TURN = 2_000  # of those that state anew what is kept

OF_A_KEPT_GROUP = "group_id IN (SELECT group_id FROM temp.kept)"
NEEDS_A_PERSON = "delivered_ns = 0 OR (severity = 'CRITICAL' AND acknowledged_ns = 0)"
ALSO_KEPT = f"""
SELECT group_id FROM order_groups WHERE updated_ns >= :since
UNION SELECT group_id FROM strategies
UNION SELECT group_id FROM verticals WHERE closed_ns = 0
UNION SELECT group_id FROM escalations WHERE {NEEDS_A_PERSON}
"""  # noqa: S608 - these are our own words, here and below
KEPT = {  # rows that stay, where that is not just those of the kept groups; :since is broker time
    PROCESSED_EVENTS: f"{OF_A_KEPT_GROUP} OR ts_ns >= :since",
    REJECTED_EVENTS: f"{OF_A_KEPT_GROUP} OR ts_ns >= :since",
    POSITION_EVENTS: f"{OF_A_KEPT_GROUP} OR group_id = ''",  # nobody's are numbered by how many there are
    ESCALATIONS: f"{OF_A_KEPT_GROUP} OR raised_ns >= :since OR {NEEDS_A_PERSON}",
    CONTROLS: "at_ns >= :since OR substr(subject, 1, instr(subject, '/')) NOT IN ('order/', 'held/', 'use/')",
    STRATEGIES: "TRUE",
    VERTICALS: f"{OF_A_KEPT_GROUP} OR closed_ns = 0 OR closed_ns >= :since",
}
_OVER = {table: f"FROM {table.name} WHERE NOT ({KEPT.get(table, OF_A_KEPT_GROUP)})" for table in TABLES}
_COUNT = {table: f"SELECT count(*) {over}" for table, over in _OVER.items()}
_DELETE = {table: f"DELETE {over}" for table, over in _OVER.items()}

Since = dict[str, int]


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """What an archiving did: how many groups and turns went into ``file``, and what the journal's size became."""

    path: str
    file: str
    groups: int
    turns: int
    bytes_before: int
    bytes_after: int


def archive(path: Path, into: Path, keep_ns: int) -> Archived | None:
    """Copy the journal to ``into`` and take out of it what was over ``keep_ns`` before its last turn (broker time).

    ``None`` when there is nothing to take out.  Raises ``JournalLocked`` while somebody owns it, and ``JournalError``
    when it is not intact or the copy cannot be made: then nothing was changed.
    """
    lock = OwnerLock(path)
    try:
        check_file(path, lock.last_epoch)
        with closing(connect(path)) as conn:
            prepare(
                conn, path, "FULL", lock.last_epoch
            )  # what an earlier version wrote is migrated, and nothing is left in the WAL
        with JournalReader(path) as reader:
            holding = [group_id for group_id, units in reader.held().items() if any(units.values())]
        report = verify(path)
        if not report.ok:
            raise JournalError(f"{path} is not intact and is left alone: {report.problems[0]}")
        size = path.stat().st_size
        with closing(connect(path)) as conn:  # no other connection of this process is open meanwhile
            head = prepare(conn, path, "FULL", lock.last_epoch)
            since = {"since": _now_ns(conn) - keep_ns}
            _choose(conn, holding, since)
            if not any(conn.execute(_COUNT[table], since).fetchone()[0] for table in TABLES):
                return None
            _copy(conn, into)
            gone = _shorten(conn, head, into, lock, since)
            conn.execute("VACUUM")
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return Archived(
            path=str(path), file=str(into), groups=gone, turns=report.turns, bytes_before=size,
            bytes_after=path.stat().st_size,
        )  # fmt: skip
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"{path} could not be archived to {into}: {error}; nothing is lost") from error
    finally:
        lock.release()


def _now_ns(conn: sqlite3.Connection) -> int:
    return next((int(row[0]) for row in conn.execute(queries()["last_at_ns"])), 0)


def _choose(conn: sqlite3.Connection, holding: Iterable[str], since: Since) -> None:
    """Write down, for this connection alone, which groups stay."""
    conn.execute("PRAGMA temp_store = MEMORY")
    conn.execute("CREATE TEMP TABLE kept (group_id TEXT PRIMARY KEY)")
    conn.executemany("INSERT OR IGNORE INTO temp.kept VALUES (?)", [(group_id,) for group_id in holding])
    conn.executemany("INSERT OR IGNORE INTO temp.kept VALUES (?)", conn.execute(queries()["open_groups"]).fetchall())
    conn.executemany("INSERT OR IGNORE INTO temp.kept VALUES (?)", conn.execute(ALSO_KEPT, since).fetchall())
    conn.execute("DELETE FROM temp.kept WHERE group_id = ''")  # what belongs to no group goes by its time


def _copy(conn: sqlite3.Connection, into: Path) -> None:
    """The whole journal in one file of its own, durable under its name when this returns, or not there."""
    make_folder(into.parent)
    if into.exists():
        raise JournalError(f"{into} exists and is left alone: archive to another place")
    part = into.with_name(into.name + ".part")
    part.unlink(missing_ok=True)
    conn.execute("VACUUM INTO ?", (str(part),))
    report = verify(part)
    if not report.ok:
        raise JournalError(f"the copy {part} is not intact: {report.problems[0]}; the journal is left alone")
    sync(part)
    part.rename(into)
    sync(into.parent)


def _shorten(conn: sqlite3.Connection, head: Head, into: Path, lock: OwnerLock, since: Since) -> int:
    """Take out what does not stay, in one transaction; gives how many groups went."""
    at_ns = _now_ns(conn)
    conn.execute("BEGIN IMMEDIATE")
    try:
        epoch = begin_epoch(conn, head, lock.last_epoch, os.getpid())
        conn.execute(queries()["insert_archive"], (head.turn, head.hash, str(into), time.time_ns()))
        gone = conn.execute(f"SELECT group_id {_OVER[GROUPS]}").fetchall()
        rows = [(group_tag(group_id), group_id, head.turn) for (group_id,) in gone]
        conn.executemany(queries()["insert_archived_group"], rows)
        for table in TABLES:
            conn.execute(_DELETE[table], since)
        end = head
        for records in _in_turns(_remaining(conn)):
            row = stored(Turn(epoch=epoch, at_ns=at_ns, records=records), end)
            conn.execute(queries()["insert_turn"], row)
            end = row.head
        conn.execute(queries()["delete_archived_turns"], (head.turn,))
        conn.execute("COMMIT")
    except BaseException:
        roll_back(conn)
        raise
    lock.remember(epoch)
    return len(gone)


def _remaining(conn: sqlite3.Connection) -> Iterator[Record]:
    for table in TABLES:
        yield from all_of(conn, table, table.select)


def _in_turns(records: Iterator[Record]) -> Iterator[tuple[Any, ...]]:
    """At least one turn, so that the log never ends with what was archived."""
    yield tuple(islice(records, RECORDS_A_TURN))
    yield from iter(partial(_next, records), ())


def _next(records: Iterator[Record]) -> tuple[Any, ...]:
    return tuple(islice(records, RECORDS_A_TURN))
