"""The simulated machine: virtual clocks, disks that outlive processes, and processes that die where the tape says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from errno import EMFILE, ENOSPC
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
import structlog

from actors.beside import OtherRealm
from actors.machine import Follower, Machine, Mark
from brokers.embedded.adapter import DECLARED, EmbeddedAdapter
from brokers.embedded.link import LinkError
from brokers.port import BrokerAdapter
from brokers.wire_record import WireRecord
from config.schema import BrokerConfig, Config
from domain.rollout import Realm
from messages.records import EscalationRecord
from simulation.base import Died, Process, SeededBase
from simulation.faults import Faults
from simulation.network import Network
from simulation.oracles import bug
from simulation.schedule import MS
from simulation.storage import DiskFollower, Storage
from simulation.watch import Watch
from storage.port import Journal
from venue.audit.wire import PACED, Line


class Flag:
    """A file whose existence is all that it says."""

    def __init__(self, storage: Storage, point: Callable[[str], None] = lambda _what: None) -> None:
        self.on = False
        self._storage, self._point = storage, point

    def exists(self) -> bool:
        return self.on

    def touch(self) -> None:
        if not self.on:
            self._storage.refuse_when_full()
        self.on = True
        self._point("the kill switch's file")

    def unlink(self, missing_ok: bool = False) -> None:
        assert missing_ok or self.on
        self.on = False
        self._point("the kill switch's file, removed")


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
        return [line.host_ns // MS for line in recent if line.kind in PACED][::-1]

    def write(self, line: dict[str, Any]) -> None:
        self._seen(msgspec.convert(line, Line))

    def close(self) -> None:
        """There is no file."""


class MeetsABug(Exception):
    """F.process.start_raises: a program fails of something that nobody foresaw."""


class NoLog:
    """A structured log that nobody reads."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return self._nothing

    def _nothing(self, *_: object, **__: object) -> None:
        pass


class SimulatedMachine(Machine):
    """Where every process of a simulated system runs.  ``alerts`` is what a person finds in the alert log."""

    def __init__(self, base: SeededBase, network: Network, faults: Faults, storage: Storage, watch: Watch) -> None:
        self.base, self.network, self.faults = base, network, faults
        self.storage, self.watch = storage, watch
        self.killed = Flag(storage, self._at_point)
        self.alerts: list[EscalationRecord] = []
        self.wire: list[Line] = []  # what left for the broker, and when gateways started and were killed
        self.claims: dict[Path, Process] = {}  # who holds which lock
        self.log: Any = NoLog()
        base.on_death = self._on_death

    def monotonic_ns(self) -> int:
        return self.base.schedule.now_ns

    def collect_seldom(self) -> None:
        """Not here: a simulation throws whole worlds away."""

    def pid(self) -> int:
        assert self.base.running is not None
        return self.base.running.pid

    def parent(self) -> int:
        """The same for ever: who dies with whom is the faults' business."""
        return 0

    def die(self) -> None:
        raise Died

    def die_of_a_bug(self, log: structlog.typing.FilteringBoundLogger, message: object) -> None:
        """Two faults let a program fail; what else it fails of is a bug of its own, which a restart may hide."""
        del log
        error = sys.exc_info()[1]
        assert error is not None
        if not isinstance(error, MeetsABug | MemoryError):
            raise bug(error, f" while it handled {type(message).__name__}")
        self.die()

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
        del config
        if self.faults.strikes("F.process.start_raises"):
            raise MeetsABug(f"{process} meets a bug while it starts")
        log: structlog.typing.FilteringBoundLogger = self.log
        return log

    def open_journal(self, path: Path) -> Journal:
        journal = self.storage.open(path, self.pid())
        self.watch.on_open(path, journal.epoch)
        return journal

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
        if self.faults.strikes("F.process.out_of_descriptors"):
            raise LinkError("cannot connect: too many open files")
        return self.network.dial(self.base.running)

    def wire_record(self, config: Config, log: structlog.typing.FilteringBoundLogger) -> WireRecord:
        del config, log
        return SimulatedWireRecord(self.wire, self._note, self.monotonic_ns, self.pid())

    def _note(self, line: Line) -> None:
        self.wire.append(line)
        self.watch.on_wire(line, is_marked=self.killed.on)

    def kill_switch(self, config: Config) -> Mark:
        del config
        return self.killed

    def journals(self, directory: str | Path) -> list[Path]:
        disks = self.storage.disks
        return sorted(path for path in disks if path.parent == Path(directory) and path.stem.startswith("cell-"))

    def follow_journal(self, path: Path) -> Follower:
        return DiskFollower(self.storage, path)

    def replace(self, path: Path, content: bytes) -> None:
        """The reports that a person may look at: nobody does."""

    def other_realm(self, config: Config, realm: Realm) -> OtherRealm | None:
        """A simulated system has one realm."""
        del config, realm
        return None

    def claim(self, path: Path) -> bool:
        holder, asking = self.claims.get(path), self.base.running
        if holder is not None and holder is not asking and holder in self.base.processes.values():
            return False
        assert asking is not None
        self.claims[path] = asking
        return True

    def owner_of(self, lock: Path) -> str:
        return f"process {self.claims[lock].pid}"

    def complain(self, text: str) -> None:
        """Nobody looks."""

    def append(self, path: Path, lines: bytes) -> None:
        del path
        if self.faults.strikes("F.storage.alert_log_full"):
            raise OSError(ENOSPC, "No space left on device")
        if self.faults.strikes("F.process.out_of_descriptors"):
            raise OSError(EMFILE, "Too many open files")
        self.storage.refuse_when_full()
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
