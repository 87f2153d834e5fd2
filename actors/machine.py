"""The machine that a process actor runs on: its clock, its processes, its files.  The simulator has one of its own.

Actors ask :func:`machine` each time instead of keeping it, because a simulation hosts many "processes" in one.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import structlog
from thespian.actors import Actor

from actors.beside import OnDisk, OtherRealm
from actors.births import pid_of_newest_child
from actors.logs import open_log
from brokers.port import BrokerAdapter
from brokers.registry import make_adapter
from brokers.wire_record import WireRecord
from config.paths import journal_paths, kill_switch_path, wire_record_path
from config.schema import BrokerConfig, Config
from decisions.effects import MS
from domain.rollout import Realm
from messages.records import Record
from storage.durable import DurableMark, make_folder, replace, sync
from storage.follower import LogFollower
from storage.ownership import claim, owner_of
from storage.port import Journal
from storage.sqlite import open_journal


class Mark(Protocol):
    """A file whose existence is all that it says: :class:`storage.durable.DurableMark`."""

    def exists(self) -> bool: ...

    def touch(self) -> None: ...

    def unlink(self, missing_ok: bool = False) -> None: ...


class Follower(Protocol):
    """A reader of somebody else's journal: :class:`storage.follower.LogFollower`."""

    def read(self) -> Sequence[Record]: ...


class Machine:
    """The real one."""

    def monotonic_ns(self) -> int:
        """The machine's monotonic clock: for pacing and silence only, never for a deadline (S12)."""
        return time.monotonic_ns()

    def pid(self) -> int:
        """Of this process; no two incarnations that can meet share one."""
        return os.getpid()

    def parent(self) -> int:
        """The process above this one; another one when that has ended."""
        return os.getppid()

    def end_orphan(self, born_of: int) -> None:
        """End this process when that parent has, and no lifeline did it: a successor may wait for what is held here."""
        if self.parent() != born_of:
            self.die()

    def die(self) -> None:
        """End this process at once, without goodbyes: what is not durable never happened."""
        os.kill(os.getpid(), signal.SIGKILL)

    def die_of_a_bug(self, log: structlog.typing.FilteringBoundLogger, message: object) -> None:
        """The same, of the exception that is being handled and that nobody foresaw, while handling this message."""
        log.exception("process dies of a bug", message=type(message).__name__)
        self.die()

    def born(self, parent: Actor) -> int:
        """The process of the child that this actor has just created."""
        return pid_of_newest_child(parent)

    def kill(self, pid: int) -> None:
        """SIGKILL, which ends a stopped process too; no error when it is gone."""
        if pid > 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def is_gone(self, pid: int) -> bool:
        """Whether there is no such process any more, not even one that waits to be reaped."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    def collect_seldom(self) -> None:
        """Tune the collector of reference cycles to a process that keeps many records and makes hardly any cycle.

        With Python's thresholds a cell of 500 groups spent 7 % of its time looking for cycles, and paused to do it.
        """
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)

    def open_log(self, config: Config, process: str) -> structlog.typing.FilteringBoundLogger:
        """The structured log of a process (actors/logs.py)."""
        return open_log(config, process)

    def open_journal(self, path: Path) -> Journal:
        """Own the journal at ``path``.  Raises ``JournalError``."""
        return open_journal(path)

    def journals(self, directory: str | Path) -> list[Path]:
        """The cells' journals in there, whoever owns them, by cell number."""
        return journal_paths(directory)

    def follow_journal(self, path: Path) -> Follower:
        """Read along in a journal that somebody else writes."""
        return LogFollower(path)

    def replace(self, path: Path, content: bytes) -> None:
        """Put a file in its place, whole or not at all, and make its folder.  Raises ``OSError``."""
        make_folder(path.parent)
        replace(path, content)

    def other_realm(self, config: Config, realm: Realm) -> OtherRealm | None:
        """What the strategies of a cell know of the realm beside theirs."""
        return OnDisk(config, realm)

    def claim(self, path: Path) -> bool:
        """Hold this lock as long as this process lives; ``False`` when another one does (storage/ownership.py)."""
        return claim(path)

    def owner_of(self, lock: Path) -> str:
        """Who holds that lock, in words."""
        return owner_of(lock)

    def complain(self, text: str) -> None:
        """Say this where it is seen although no file can be written."""
        sys.stderr.write(text + "\n")

    def append(self, path: Path, lines: bytes) -> None:
        """Write at the end of the file, durably, all of it or nothing.  Raises ``OSError``."""
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        before = os.fstat(descriptor).st_size
        try:
            if not before:
                sync(path.parent)  # first: a file that has lines has its name too, wherever its writer was killed
            while lines:  # a disk that is nearly full takes a part
                lines = lines[os.write(descriptor, lines) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, before)  # half a line would spoil the next one
            raise
        finally:
            os.close(descriptor)

    def make_adapter(self, config: BrokerConfig) -> BrokerAdapter:
        """The adapter for the configured broker.  Raises ``ValueError`` for one that there is not."""
        return make_adapter(config)

    def wire_record(self, config: Config, log: structlog.typing.FilteringBoundLogger) -> WireRecord:
        """Where the gateway notes what leaves for the broker."""
        return WireRecord(wire_record_path(config.system.journal_dir), log, self.monotonic_ns, self.pid())

    def kill_switch(self, config: Config) -> Mark:
        """Its existence is the kill switch: it works while every journal and the broker are down (E9)."""
        return DurableMark(kill_switch_path(config.system.journal_dir))


_machines: list[Machine] = [Machine()]


def machine() -> Machine:
    """The machine of the actor that is running right now."""
    return _machines[-1]


def now_ms() -> int:
    """Milliseconds of the machine's monotonic clock."""
    return machine().monotonic_ns() // MS


@contextlib.contextmanager
def running_on(other: Machine) -> Iterator[None]:
    """Have :func:`machine` answer with another one; for simulations."""
    _machines.append(other)
    try:
        yield
    finally:
        _machines.pop()
