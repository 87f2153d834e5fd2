"""Kills or stops a process in the middle of a commit, where a test wants it; the program has no hook for this.

The started system finds a ``sitecustomize`` on its PYTHONPATH that calls :func:`install`, which wraps the two functions
through which a cell's journal is written.  What happened is in the rule's note file, one line for each death, so that
a new incarnation knows how often it has been done.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

RULE = "CRASH_RULE"
INSERTED, COMMITTED = "inserted", "committed"  # after the last INSERT and before COMMIT; right after COMMIT
BEGIN_EPOCH = "begin_epoch"  # the word for the commit of a new epoch
BORN = "born"  # before a process of the actor class ``word`` runs anything of its own


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """When to die: at each ``every``-th commit of ``journal`` that writes ``word``, ``times`` times in all.

    With ``signal`` SIGSTOP it hangs instead.
    """

    notes: str
    moment: str
    journal: str = "cell-0.db"
    word: str = ""
    every: int = 1
    times: int = 1
    signal: int = signal.SIGKILL

    def environment(self, directory: Path) -> dict[str, str]:
        """What the system is to be started with."""
        (directory / "sitecustomize.py").write_text("import crash\n\ncrash.install()\n")
        here = Path(__file__).resolve()
        paths = [str(directory), str(here.parent), str(here.parents[2])]
        return {RULE: msgspec.json.encode(self).decode(), "PYTHONPATH": os.pathsep.join(paths)}

    def deaths(self) -> int:
        """How often it has happened."""
        notes = Path(self.notes)
        return len(notes.read_text().splitlines()) if notes.exists() else 0


class Guillotine:
    """Counts the commits that the rule is about, in this process."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.seen = 0

    def is_due(self, path: str, written: str) -> bool:
        """Whether this commit is the one."""
        if not path.endswith("/" + self.rule.journal) or self.rule.word not in written:
            return False
        self.seen += 1
        return self.seen % self.rule.every == 0 and self.rule.deaths() < self.rule.times

    def fall(self, moment: str) -> None:
        """Die at this moment, if it is the rule's."""
        if moment != self.rule.moment:
            return
        with Path(self.rule.notes).open("a") as notes:
            notes.write(f"{os.getpid()}\n")
        os.kill(os.getpid(), self.rule.signal)


class _Doomed:
    """A connection whose next COMMIT is the last thing that this process does."""

    def __init__(self, conn: sqlite3.Connection, guillotine: Guillotine) -> None:
        self._conn, self._guillotine = conn, guillotine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    def execute(self, statement: str) -> Any:
        if statement != "COMMIT":
            return self._conn.execute(statement)
        self._guillotine.fall(INSERTED)
        done = self._conn.execute(statement)
        self._guillotine.fall(COMMITTED)
        return done


def install() -> None:
    """Wrap the writers of the journal as the rule in the environment says."""
    guillotine = Guillotine(msgspec.json.decode(os.environ[RULE], type=Rule))
    journal: Any = import_module("storage.sqlite")
    write_batch, begin_epoch = journal._write_batch, journal.begin_epoch

    def doomed_write_batch(conn: sqlite3.Connection, batch: list[Any]) -> None:
        due = guillotine.is_due(_path(conn), repr(batch))
        write_batch(_Doomed(conn, guillotine) if due else conn, batch)

    def doomed_begin_epoch(conn: sqlite3.Connection, **known: Any) -> int:
        due = guillotine.is_due(_path(conn), BEGIN_EPOCH)
        if due:
            guillotine.fall(INSERTED)
        epoch: int = begin_epoch(conn, **known)
        if due:
            guillotine.fall(COMMITTED)
        return epoch

    multiproc: Any = import_module("thespian.system.multiprocCommon")
    start_child = multiproc.startChild

    def doomed_start_child(actor: str, *rest: Any) -> None:
        if actor == guillotine.rule.word and guillotine.rule.deaths() < guillotine.rule.times:
            guillotine.fall(BORN)
        start_child(actor, *rest)

    multiproc.startChild = doomed_start_child
    journal._write_batch = doomed_write_batch
    journal.begin_epoch = doomed_begin_epoch


def _path(conn: sqlite3.Connection) -> str:
    return str(conn.execute("PRAGMA database_list").fetchone()[2])
