"""What happens to the file between "locked" and "ready": is it ours, whole, of our version, and one unbroken chain?

Functions over one ``sqlite3`` connection; they run in the thread that owns it.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Literal

from storage.log import EMPTY, Head, StoredTurn
from storage.port import JournalCorrupt, JournalError, JournalNewer
from storage.sql import migrations, queries, schema_version

APPLICATION_ID = 0x4C4B4A4C  # "LKJL"
SQLITE_HEADER = b"SQLite format 3\x00"
TAIL_TURNS = 1_000  # how much of the chain every opening re-computes; `journal verify` does all of it
BUSY_TIMEOUT_S = 5.0
READERS_MAY_TAKE_MS = 200

Synchronous = Literal["FULL", "NORMAL"]


def damaged(path: Path, what: str) -> JournalCorrupt:
    """The error for a file that cannot be trusted, with what to do about it."""
    return JournalCorrupt(
        f"{path}: {what}.  Keep this file and its -wal as they are, restore the latest copy to {path}, "
        f"and run `journal verify` on it before trading"
    )


def check_file(path: Path, last_epoch: int) -> None:
    """Look at the file before SQLite does.  Raises ``JournalCorrupt``.

    ``last_epoch`` is what the lock file remembers: a journal that was opened before may not be missing or empty now,
    because starting with an empty one forgets live orders.
    """
    size = path.stat().st_size if path.exists() else 0
    if size == 0:
        if last_epoch:
            raise damaged(
                path,
                f"the file is {'empty' if path.exists() else 'missing'}, but epoch {last_epoch} was opened on it "
                f"(to start a new journal on purpose, remove {path}.lock too)",
            )
        return
    with path.open("rb") as file:
        header = file.read(len(SQLITE_HEADER))
    # A power cut while the file was made tears its first page; SQLite's rollback journal beside it undoes that.
    was_being_made = not last_epoch and path.with_name(path.name + "-journal").exists()
    if header != SQLITE_HEADER and not was_being_made:
        raise damaged(path, "the file is truncated or not an SQLite file")


def check_emptied(path: Path, version: int, last_epoch: int) -> None:
    """Raises ``JournalCorrupt`` when nothing is left of a journal that was opened before, as the lock file remembers.

    So it is where the file was copied without the -wal that held its first turns.
    """
    if not version and last_epoch:
        raise damaged(
            path,
            f"the file holds nothing, but epoch {last_epoch} was opened on it "
            f"(to start a new journal on purpose, remove {path}.lock too)",
        )


def connect(path: Path) -> sqlite3.Connection:
    """A connection without implicit transactions."""
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, cached_statements=256)


def prepare(conn: sqlite3.Connection, path: Path, synchronous: Synchronous, last_epoch: int) -> Head:
    """Check, migrate and verify; gives the end of the log.  Raises ``JournalError`` and its children.

    ``last_epoch`` is what the lock file remembers.
    """
    try:
        quick_check(conn, path)
        check_emptied(path, check_version(conn, path), last_epoch)
        _configure(conn, path, synchronous)
        _migrate(conn)
        head = _verify_tail(conn, path)
        _start_wal_anew(conn)
        return head
    except sqlite3.DatabaseError as error:
        if primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise damaged(path, f"the file is damaged ({error})") from error
        raise


def primary_code(error: sqlite3.Error) -> int:
    """The SQLite result code without its extension; 0 for errors that Python raised itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def quick_check(conn: sqlite3.Connection, path: Path) -> None:
    """Raises ``JournalCorrupt`` with the first finding of ``PRAGMA quick_check``."""
    findings = [row[0] for row in conn.execute("PRAGMA quick_check(10)")]
    if findings != ["ok"]:
        raise damaged(path, f"the file is damaged ({findings[0]})")


def check_version(conn: sqlite3.Connection, path: Path) -> int:
    """The schema version of the file, 0 for a new one.

    Raises ``JournalNewer`` naming both versions, ``JournalError`` for somebody else's database, and
    ``JournalCorrupt`` when the file contradicts itself.
    """
    (application_id,) = conn.execute("PRAGMA application_id").fetchone()
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    (tables,) = conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not tables and not version:
        return 0
    if application_id != APPLICATION_ID:
        raise JournalError(f"{path} is an SQLite database, but not a legkeeper journal: choose another path")
    if version > schema_version():
        raise JournalNewer(
            f"{path} has schema version {version}, this legkeeper knows {schema_version()}: "
            "use the newer legkeeper, or restore the copy made before it was installed"
        )
    (recorded,) = conn.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
    if recorded != version:
        raise damaged(path, f"user_version is {version}, but schema_version says {recorded}")
    return int(version)


def _configure(conn: sqlite3.Connection, path: Path, synchronous: Synchronous) -> None:
    (mode,) = conn.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise JournalError(f"{path}: the file system does not support SQLite's WAL (got {mode!r}): use a local disk")
    # NORMAL does not sync at COMMIT: a power cut may lose the last turns, and with them intents that were already sent.
    conn.execute(f"PRAGMA synchronous = {synchronous}")
    conn.execute("PRAGMA foreign_keys = ON")


def _migrate(conn: sqlite3.Connection) -> None:
    """All steps in one transaction, user_version too: readers and crashes meet the old schema or the new one."""
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    steps = migrations()[version:]
    if not steps:
        return
    script = "".join(
        f"{step.sql}\nINSERT INTO schema_version VALUES ({step.version}, '{step.name}', {time.time_ns()});\n"
        for step in steps
    )
    try:
        conn.executescript(f"BEGIN IMMEDIATE;\n{script}PRAGMA user_version = {steps[-1].version};\nCOMMIT;")
    except sqlite3.Error:
        roll_back(conn)
        raise


def _start_wal_anew(conn: sqlite3.Connection) -> None:
    """Move what an earlier owner left in the WAL into the file, so that no later turn depends on it.

    After a sync that failed, the kernel shows what it has not written and forgets to write it.  A new owner would read
    such a turn as durable and write on behind it, and a power cut would take both: SQLite reads a WAL up to its first
    bad frame (`python -m simulation disk` shows it).  Copied, it is written anew.  A reader that holds on to an old
    snapshot prevents it for this time, and so does a full disk, where the WAL must stay what it is.
    """
    conn.execute(f"PRAGMA busy_timeout = {READERS_MAY_TAKE_MS}")
    try:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        if primary_code(error) not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
    finally:
        conn.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")


def roll_back(conn: sqlite3.Connection) -> None:
    """End a transaction that failed, if SQLite has not ended it itself."""
    if conn.in_transaction:
        conn.execute("ROLLBACK")


def _verify_tail(conn: sqlite3.Connection, path: Path) -> Head:
    base = log_base(conn)
    count, first, last = conn.execute(queries()["turn_bounds"]).fetchone()
    if (count, first) != ((last - base.turn, base.turn + 1) if last else (0, base.turn)):
        raise damaged(path, f"the log has {count} turns numbered {first} to {last}: turns are missing")
    start = max(base.turn, last - TAIL_TURNS)
    known = conn.execute(queries()["turn_hash"], (start,)).fetchone() if start > base.turn else None
    head = Head(start, known[0]) if known else base
    for row in map(StoredTurn._make, conn.execute(queries()["turns_after"], (start,))):
        if not row.continues(head):
            raise damaged(path, f"the hash chain is broken at turn {row.turn}")
        head = row.head
    return head


def log_base(conn: sqlite3.Connection) -> Head:
    """What the log is bound to: nothing, or the last turn that was archived."""
    row = conn.execute(queries()["log_base"]).fetchone()
    return Head(*row) if row else EMPTY


def begin_epoch(conn: sqlite3.Connection, head: Head, last_epoch: int, pid: int) -> int:
    """Commit a new epoch, above every epoch that the journal or its lock file knows."""
    (known,) = conn.execute(queries()["last_epoch"]).fetchone()
    epoch = max(known, last_epoch) + 1
    conn.execute(queries()["insert_epoch"], (epoch, head.turn, pid, time.time_ns()))
    return int(epoch)
