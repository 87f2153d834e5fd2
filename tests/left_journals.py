"""Journal files as an earlier legkeeper, a crash or a damage leaves them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from storage.opening import APPLICATION_ID
from storage.ownership import beside
from storage.sql import migrations, schema_version


def version_of(path: Path) -> int:
    """The schema version in the file."""
    with closing(sqlite3.connect(path)) as conn:
        found: int = conn.execute("PRAGMA user_version").fetchone()[0]
    return found


def make_older(path: Path) -> None:
    """The same journal as the last schema before this one had it."""
    with closing(sqlite3.connect(path)) as conn, conn:
        assert conn.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        conn.execute("ALTER TABLE strategies DROP COLUMN term")
        conn.execute("DELETE FROM schema_version WHERE version = ?", (schema_version(),))
        conn.execute(f"PRAGMA user_version = {schema_version() - 1}")
    columns = "SELECT group_concat(name) FROM pragma_table_info(?)"
    with closing(sqlite3.connect(path)) as conn, closing(sqlite3.connect(":memory:")) as before:
        for step in migrations()[:-1]:
            before.executescript(step.sql)
        for (table,) in before.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            assert conn.execute(columns, (table,)).fetchone() == before.execute(columns, (table,)).fetchone()


def make_newer(path: Path) -> None:
    """A journal of a legkeeper that nobody has written yet."""
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA user_version = 99")


def make_file_only(path: Path) -> None:
    """Its maker died before SQLite wrote anything."""
    path.touch()


def make_header_only(path: Path) -> None:
    """Its maker died between the WAL mode and the first table."""
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size == 4096


def make_torn(path: Path) -> None:
    """Its maker died while SQLite wrote the first page: a rollback journal lies beside the file, and is hot."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA cache_size = 1")
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("CREATE TABLE filler (x)")
        conn.executemany("INSERT INTO filler VALUES (?)", [("x" * 3_000,)] * 50)  # more than the cache takes
        copies = {beside(path, suffix): beside(path, suffix).read_bytes() for suffix in ("", "-journal")}
        conn.execute("ROLLBACK")
    for name, content in copies.items():
        assert content
        name.write_bytes(content)


HALF_MADE: tuple[Callable[[Path], None], ...] = (make_file_only, make_header_only, make_torn)


def damage(path: Path, tables: Iterable[str] = ()) -> None:
    """Overwrite the first page of these tables and of their indexes; without any, of all but the schema's own."""
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        (size,) = conn.execute("PRAGMA page_size").fetchone()
        found = conn.execute("SELECT tbl_name, rootpage FROM sqlite_schema WHERE rootpage > 0").fetchall()
    wanted = set(tables) or {table for table, _ in found} - {"schema_version"}
    with path.open("r+b") as file:
        for table, page in found:
            if table in wanted:
                file.seek((page - 1) * size)
                file.write(b"\xff" * size)
