"""The simulated machine: virtual clocks, disks that outlive processes, and processes that die where the tape says."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
import structlog

from actors.beside import OtherRealm
from actors.machine import Follower, Machine, Mark
from brokers.embedded.adapter import DECLARED, EmbeddedAdapter
from brokers.port import BrokerAdapter
from brokers.wire_record import WireRecord
from config.schema import BrokerConfig, Config
from domain.rollout import Realm
from messages.records import EscalationRecord, Record
from simulation.base import Died, SeededBase
from simulation.faults import Faults
from simulation.network import Network
from simulation.schedule import MS
from simulation.watch import Watch
from storage.log import EMPTY
from storage.memory import MemoryJournal
from storage.port import CommitUnknown, Journal, JournalError, JournalUnavailable, Turn
from venue.audit.wire import LEAVING, Line


class DiskFollower:
    """Reads along in the journal on a simulated disk, by its bytes (:class:`storage.follower.LogFollower`)."""

    def __init__(self, disks: dict[Path, MemoryJournal], path: Path) -> None:
        self._disks, self._path, self._head = disks, path, EMPTY

    def read(self) -> list[Record]:
        found: list[Record] = []
        head = self._head
        for turn in self._disks[self._path].turns()[head.turn :]:
            if not turn.continues(head):
                raise JournalError(f"{self._path}: the hash chain is broken at turn {turn.turn}")
            found += turn.records()
            head = turn.head
        self._head = head
        return found


class Flag:
    """A file whose existence is all that it says."""

    def __init__(self, point: Callable[[str], None] = lambda _what: None) -> None:
        self.on = False
        self._point = point

    def exists(self) -> bool:
        return self.on

    def touch(self) -> None:
        self.on = True
        self._point("the kill switch's file")

    def unlink(self, missing_ok: bool = False) -> None:
        assert missing_ok or self.on
        self.on = False
        self._point("the kill switch's file, removed")


class SimulatedJournal(MemoryJournal):
    """A journal on a simulated disk, whose commits the tape may cut short."""

    def on(self, faults: Faults, committed: Callable[[Path, Turn], None], path: Path) -> SimulatedJournal:
        """Have the faults of this run strike its commits; ``committed`` is called with every turn that is durable."""
        self._faults, self._committed, self._path = faults, committed, path
        return self

    def at(self, point: Callable[[str], None]) -> SimulatedJournal:
        """Have ``point`` called before and after each commit: it may end the process there."""
        self._point = point
        return self

    def commit(self, turn: Turn) -> int:
        faults = self._faults
        self._point("commit, lost")
        if faults.strikes("F.process.commit_before"):
            raise Died
        fails = faults.strikes("F.storage.commit_fails")
        if fails and not faults.tape.coin("the failed commit is durable", 0.5):
            self.fail_commit(1, durable=False)
            return super().commit(turn)
        number = super().commit(turn)
        self._committed(self._path, turn)
        self._point("commit, durable")
        if fails:
            self._unknown = True
            raise CommitUnknown("the commit failed after it had become durable")
        if faults.strikes("F.process.commit_after"):
            raise Died
        return number


class SimulatedWireRecord(WireRecord):
    """What leaves for the broker, shown to ``seen`` line by line."""

    def __init__(
        self, lines: list[Line], seen: Callable[[Line], None], monotonic_ns: Callable[[], int], pid: int
    ) -> None:
        self.clock_ns = 0
        self._lines, self._seen, self._monotonic_ns, self._pid = lines, seen, monotonic_ns, pid

    def left_ms(self, within_ms: int) -> list[int]:
        now_ms = self._monotonic_ns() // MS
        recent = takewhile(lambda line: line.host_ns // MS > now_ms - within_ms, reversed(self._lines))
        return [line.host_ns // MS for line in recent if line.kind in LEAVING][::-1]

    def write(self, line: dict[str, Any]) -> None:
        self._seen(msgspec.convert(line, Line))

    def close(self) -> None:
        """There is no file."""


class NoLog:
    """A structured log that nobody reads."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return self._nothing

    def _nothing(self, *_: object, **__: object) -> None:
        pass


class SimulatedMachine(Machine):
    """Where every process of a simulated system runs.  ``alerts`` is what a person finds in the alert log."""

    def __init__(
        self,
        base: SeededBase,
        network: Network,
        faults: Faults,
        committed: Callable[[Path, Turn], None],
        watch: Watch,
    ) -> None:
        self.base, self.network, self.faults = base, network, faults
        self._committed, self.watch = committed, watch
        self.disks: dict[Path, MemoryJournal] = {}  # the last owner of each
        self.killed = Flag(self._at_point)
        self.alerts: list[EscalationRecord] = []
        self.wire: list[Line] = []  # what left for the broker, and when gateways started and were killed
        self.openings: list[tuple[Path, int, int, int, int]] = []  # of journals: epoch, turns before, pid, when
        self.log: Any = NoLog()
        base.on_death = self._on_death

    def monotonic_ns(self) -> int:
        return self.base.schedule.now_ns

    def collect_seldom(self) -> None:
        """Not here: a simulation throws whole worlds away."""

    def pid(self) -> int:
        assert self.base.running is not None
        return self.base.running.pid

    def die(self) -> None:
        raise Died

    def born(self, parent: Any) -> int:
        del parent
        return self.base.pids  # they are given out in the order of births

    def kill(self, pid: int) -> None:
        for process in list(self.base.processes.values()):
            if process.pid == pid:
                self.base.kill(process)

    def is_gone(self, pid: int) -> bool:
        return all(process.pid != pid for process in self.base.processes.values())

    def open_log(self, config: Config, process: str) -> structlog.typing.FilteringBoundLogger:
        del config, process
        log: structlog.typing.FilteringBoundLogger = self.log
        return log

    def open_journal(self, path: Path) -> Journal:
        if self.faults.strikes("F.storage.full_at_opening"):
            raise JournalUnavailable(f"cannot open {path}: no space left on device")
        last = self.disks.get(path)
        fresh = SimulatedJournal() if last is None else SimulatedJournal(last._disk)
        self.disks[path] = fresh.on(self.faults, self._committed, path).at(self._at_point)
        assert self.base.running is not None
        self.base.running.journals.append(fresh)
        self.watch.on_open(path, fresh.epoch)
        self.openings.append((path, fresh.epoch, fresh.head.turn, self.pid(), self.monotonic_ns()))
        return fresh

    def make_adapter(self, config: BrokerConfig) -> BrokerAdapter:
        return EmbeddedAdapter(
            config.host,
            config.port,
            monotonic=self.base.schedule.monotonic,
            answer_timeout_s=config.answer_timeout_ms / 1000,
            silence_timeout_s=config.silence_timeout_ms / 1000,
            declared=msgspec.structs.replace(
                DECLARED,
                deduplicates_client_order_ids=self.network.promises_ids,
                market_orders_rest=DECLARED.market_orders_rest or config.market_orders_rest,
                replace_in_place=DECLARED.replace_in_place and config.replace_in_place,
                server_side_stops=DECLARED.server_side_stops and config.server_side_stops,
            ),
            dial=self._dial,  # type: ignore[arg-type]
        )

    def _dial(self, _host: str, _port: int) -> object:
        assert self.base.running is not None
        return self.network.dial(self.base.running)

    def wire_record(self, config: Config, log: structlog.typing.FilteringBoundLogger) -> WireRecord:
        del config, log
        return SimulatedWireRecord(self.wire, self._note, self.monotonic_ns, self.pid())

    def _note(self, line: Line) -> None:
        self.wire.append(line)
        self.watch.on_wire(line)

    def kill_switch(self, config: Config) -> Mark:
        del config
        return self.killed

    def journals(self, directory: str | Path) -> list[Path]:
        return sorted(path for path in self.disks if path.parent == Path(directory) and path.stem.startswith("cell-"))

    def follow_journal(self, path: Path) -> Follower:
        return DiskFollower(self.disks, path)

    def replace(self, path: Path, content: bytes) -> None:
        """The reports that a person may look at: nobody does."""

    def other_realm(self, config: Config, realm: Realm) -> OtherRealm | None:
        """A simulated system has one realm."""
        del config, realm
        return None

    def complain(self, text: str) -> None:
        """Nobody looks."""

    def append(self, path: Path, lines: bytes) -> None:
        del path
        if self.faults.strikes("F.storage.alert_log_full"):
            raise OSError(28, "No space left on device")
        self.alerts += [msgspec.json.decode(line, type=EscalationRecord) for line in _as_arrays(lines)]
        self.base.point("a line of the alert log")

    def _at_point(self, what: str) -> None:
        self.base.point(what)

    def _on_death(self, process: Any) -> None:
        for journal in process.journals:
            journal.crash()
        for link in process.links:
            link.peer_died()


def _as_arrays(lines: bytes) -> list[bytes]:
    """The alert log names its fields; the record is an array of them."""
    found = [msgspec.json.decode(line) for line in lines.splitlines()]
    return [msgspec.json.encode(["EscalationRecord", *fields.values()]) for fields in found]
