"""The simulated disks: journals that outlive their owners, and all that can be wrong with what they lie on."""

from __future__ import annotations

from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from messages.records import GroupRecord, Record
from messages.strategy_records import StrategyRecord
from simulation.base import Died, Process, SeededBase
from simulation.faults import Faults
from simulation.schedule import MS
from storage.follower import JournalReplaced
from storage.log import EMPTY, StoredTurn, stored
from storage.memory import MemoryJournal
from storage.port import CommitUnknown, JournalCorrupt, JournalError, JournalUnavailable, Turn

UNAVAILABLE = {
    "F.storage.full_at_opening": "no space left on device",
    "F.storage.busy": "the database is locked",
    "F.process.out_of_descriptors": "too many open files",
}


class SimulatedJournal(MemoryJournal):
    """A journal on a simulated disk, whose commits the tape may cut short."""

    def on(self, storage: Storage, path: Path, ballast: int, *, low: bool) -> SimulatedJournal:
        """Have what is wrong with the disk strike its commits.  ``ballast``: so many fit on a disk that is full."""
        self._storage, self._path = storage, path
        self._ballast, self._low = ballast, low
        return self

    @property
    def storage_low(self) -> bool:
        return self._low

    def commit(self, turn: Turn) -> int:
        storage, faults = self._storage, self._storage.faults
        storage.point("commit, lost")
        if faults.strikes("F.process.commit_before"):
            raise Died
        if faults.strikes("F.storage.slow"):
            storage.slow_down()
        if storage.is_failing(self._path) or self._finds_no_room():
            self.fail_commit(1, durable=False)
        fails = faults.strikes("F.storage.commit_fails")
        if fails and not faults.tape.coin("the failed commit is durable", 0.5):
            self.fail_commit(1, durable=False)
        try:
            number = super().commit(turn)
        except CommitUnknown:
            storage.failed(self._path, turn)
            raise
        storage.committed(self._path, turn)
        storage.point("commit, durable")
        if fails:
            self._unknown = True
            storage.failed(self._path, turn)
            raise CommitUnknown("the commit failed after it had become durable")
        if faults.strikes("F.process.commit_after"):
            raise Died
        return number

    def _finds_no_room(self) -> bool:
        if not self._storage.is_full:
            return False
        self._low = True
        self._ballast -= 1
        return self._ballast < 0


class DiskFollower:
    """Reads along in the journal on a simulated disk, by its bytes (:class:`storage.follower.LogFollower`)."""

    def __init__(self, storage: Storage, path: Path) -> None:
        self._storage, self._path, self._head = storage, path, EMPTY

    def read(self) -> list[Record]:
        found: list[Record] = []
        head, turns = self._head, self._storage.disks[self._path].turns()
        if head.turn and (len(turns) < head.turn or turns[head.turn - 1].head != head):
            raise JournalReplaced(f"{self._path} is not the log that was read before")
        if not turns and self._storage.is_spoiled(self._path):
            raise JournalError(f"{self._path}: the file is empty")
        for turn in turns[head.turn :]:
            if not turn.continues(head):
                raise JournalError(f"{self._path}: the hash chain is broken at turn {turn.turn}")
            found += turn.records()
            head = turn.head
        self._head = head
        return found


class Storage:
    """Every disk of the machine.  ``disks`` has the last owner of each journal."""

    def __init__(self, base: SeededBase, faults: Faults, committed: Callable[[Path, Turn], None]) -> None:
        self.base, self.faults, self.committed = base, faults, committed
        self.disks: dict[Path, MemoryJournal] = {}
        self.failed: Callable[[Path, Turn], None] = lambda _path, _turn: None  # told of commits that raise
        self.replaced: Callable[[Path, list[StoredTurn]], None] = lambda _path, _turns: None  # by an older copy
        self.openings: list[tuple[Path, int, int, int, int]] = []  # epoch, turns before, pid, when
        self._full_until_ns = 0
        self._failing_until_ns: dict[Path, int] = {}
        self._copies: dict[Path, list[StoredTurn]] = {}  # of what is spoiled: a person has one

    def open(self, path: Path, pid: int) -> MemoryJournal:
        """Own this journal.  Raises ``JournalError``."""
        name = self.faults.one_of(tuple(UNAVAILABLE))
        if name:
            raise JournalUnavailable(f"cannot open {path}: {UNAVAILABLE[name]}")
        if self.is_failing(path):
            raise JournalUnavailable(f"cannot open {path}: disk I/O error")
        if self.is_full and self.faults.tape.coin("nor can it be opened", 0.5):
            raise JournalUnavailable(f"cannot open {path}: no space left on device")
        last = self.disks.get(path)
        if last is not None and path in self._copies:
            _verify(path, last.turns())
        fresh = SimulatedJournal(None if last is None else last._disk)
        ballast = self.faults.tape.draw("turns that the ballast is good for", 12) if self.is_full else 6
        self.disks[path] = fresh.on(self, path, ballast, low=self.is_full)
        assert self.base.running is not None
        self.base.running.journals.append(fresh)
        self.openings.append((path, fresh.epoch, fresh.head.turn, pid, self.base.schedule.now_ns))
        return fresh

    def point(self, what: str) -> None:
        """A power cut may come here."""
        self.base.point(what)

    # --- what is wrong ---

    @property
    def is_full(self) -> bool:
        """Whether there is no room on the machine's disk."""
        return self.base.schedule.now_ns < self._full_until_ns

    @property
    def is_low(self) -> bool:
        """Whether some journal says that the system must be started again, since the disk was full."""
        return any(journal.storage_low for journal in self.disks.values())

    def has_been_full(self, path: Path) -> bool:
        """Whether the owner of this journal has met a full disk."""
        return self.disks[path].storage_low

    def refuse_when_full(self) -> None:
        """Raises ``OSError``."""
        if self.is_full:
            raise OSError(ENOSPC, "No space left on device")

    def is_failing(self, path: Path) -> bool:
        """Whether this file cannot be written or read at the moment."""
        return self.base.schedule.now_ns < self._failing_until_ns.get(path, 0)

    def fill(self, for_ns: int) -> None:
        """There is no room for so long."""
        self._full_until_ns = self.base.schedule.now_ns + for_ns

    def fail(self, path: Path, for_ns: int) -> None:
        """Nothing of this file can be written or read for so long."""
        self._failing_until_ns[path] = self.base.schedule.now_ns + for_ns

    def slow_down(self) -> None:
        """The commit under way takes long: its process waits, and what it does after it comes later."""
        base = self.base
        assert base.running is not None
        base.lag_ns = self.faults.tape.between("it takes, ms", 5, 3_000) * MS
        base.stop(base.running, base.lag_ns)

    def owner(self, path: Path) -> Process | None:
        """The living process that has this journal open."""
        held = self.disks[path]
        return next((one for one in self.base.processes.values() if held in one.journals), None)

    def is_spoiled(self, path: Path) -> bool:
        """Whether this file is not what was written."""
        return path in self._copies

    def spoil(self, path: Path, *, cut: bool) -> bool:
        """A bit of this log flips, or its beginning is lost; whether there was any.  Its owner must be dead."""
        log: list[Any] = self.disks[path]._disk.turns
        if not log:
            return False
        self._copies.setdefault(path, list(log))
        place = self.faults.tape.draw("in which turn", len(log))
        if cut:
            del log[: place + 1]
        else:
            payload = log[place].payload
            log[place] = log[place]._replace(payload=bytes([payload[0] ^ 1]) + payload[1:])
        return True

    def put_back(self, path: Path) -> bool:
        """An older copy of this journal takes its place; whether there was any.  Its owner must be dead."""
        last = self.disks[path]
        turns = last.turns()
        if len(turns) < 2 or path in self._copies:
            return False
        older = turns[: self.faults.tape.between("turns that it has", 1, len(turns) - 1)]
        self._lay(path, older, last._disk.epoch)
        self.replaced(path, older)
        return True

    def outdate(self) -> None:
        """Every journal that nobody owns is as an earlier release has left it: an orphan may still write in another."""
        for path, last in self.disks.items():
            if path not in self._copies and self.owner(path) is None:
                self._lay(path, _of_an_earlier_release(last.turns()), last._disk.epoch)

    def _lay(self, path: Path, turns: list[StoredTurn], epoch: int) -> None:
        """Put these in place of a journal whose lock file remembers this epoch."""
        found = MemoryJournal.of(turns)
        found.crash()
        found._disk.epoch = epoch
        self.disks[path] = found

    def mend(self) -> None:
        """The disks work and have room, and a person has put back what was spoiled."""
        self._full_until_ns = 0
        self._failing_until_ns.clear()
        for path, turns in self._copies.items():
            self.disks[path]._disk.turns[:] = turns
        self._copies.clear()


def _of_an_earlier_release(turns: list[StoredTurn]) -> list[StoredTurn]:
    """The same, without what earlier releases did not write."""
    head, found = EMPTY, []
    for turn in turns:
        records = tuple(map(_as_written_earlier, turn.records()))
        found.append(stored(Turn(epoch=turn.epoch, at_ns=turn.at_ns, records=records), head))
        head = found[-1].head
    return found


def _as_written_earlier(record: Record) -> Record:
    match record:
        case GroupRecord():
            return replace(record, group=replace(record.group, requirement=0))
        case StrategyRecord():
            return replace(record, term=0)
        case _:
            return record


def _verify(path: Path, turns: list[StoredTurn]) -> None:
    """What every opening does.  Raises ``JournalCorrupt``."""
    head = EMPTY
    if not turns:
        raise JournalCorrupt(f"{path}: the file is empty")
    for turn in turns:
        if not turn.continues(head):
            raise JournalCorrupt(f"{path}: the hash chain is broken at turn {turn.turn}")
        head = turn.head
