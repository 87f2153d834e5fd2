"""A root supervisor whose post and timers are in the test's hands, on a machine whose processes are numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import structlog

from actors.machine import Machine, running_on
from config.schema import Config, RolloutConfig, SystemConfig
from messages import wire
from messages.operator import OperatorCommand
from messages.records import EscalationRecord
from messages.supervision import AlertBatch, ChildReady, Operate, Pong, StartRoot
from supervisors.root import RootSupervisor


class Numbers(Machine):
    """Processes are born under the next number, and end when the test says so."""

    def __init__(self) -> None:
        self.ns = 10**12
        self.born_last = 100
        self.killed: list[int] = []
        self.gone: set[int] = set()
        self.complaints: list[str] = []

    def monotonic_ns(self) -> int:
        return self.ns

    def born(self, parent: Any) -> int:
        self.born_last += 1
        return self.born_last

    def kill(self, pid: int) -> None:
        self.killed.append(pid)

    def is_gone(self, pid: int) -> bool:
        return pid in self.gone

    def open_log(self, config: Config, process: str) -> structlog.typing.FilteringBoundLogger:
        log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
        return log

    def complain(self, text: str) -> None:
        self.complaints.append(text)


class Root(RootSupervisor):
    """Its children are addresses that answer every Ping, unless the test has them silent."""

    def __init__(self, machine: Numbers, journal_dir: Path, mode: str = "live") -> None:
        super().__init__()
        self.machine = machine
        self.sent: list[tuple[str, Any]] = []
        self.births = 0
        self.silent: set[str] = set()
        config = Config(system=SystemConfig(journal_dir=str(journal_dir)), rollout=RolloutConfig(mode=mode))
        self.on_start(StartRoot(msgspec.msgpack.encode(config)), "program")
        for name in list(self.children):
            self.is_ready(name)
        self.sent.clear()

    def createActor(self, actor: str, *rest: Any) -> str:
        self.births += 1
        return f"{actor}/{self.births}"

    @property
    def myAddress(self) -> str:
        return "root"

    def send(self, target: str, message: Any) -> None:
        self.sent.append((target, message))

    def wakeupAfter(self, *_: Any) -> None:
        """The test's hand is the timer."""

    def is_ready(self, name: str) -> None:
        """A child says that it has started."""
        child = self.children[name]
        self.on_ready(ChildReady(name, child.born_pid), child.address)

    def says(self, name: str, state: str = "running") -> None:
        """A child answers a Ping."""
        self.on_pong(Pong(self.pings, name, state), self.children[name].address)

    def beats(self, times: int = 1) -> None:
        """So many heartbeats pass, and whoever is not silent answers."""
        for _ in range(times):
            self.machine.ns += self.config.supervision.heartbeat_ms * 10**6
            for name in self.children.keys() - self.silent:
                self.says(name)
            self.heartbeat()

    def asked_of(self, name: str) -> list[OperatorCommand]:
        """What a child was asked to do since this was asked last."""
        mine: list[tuple[str, Any]] = []
        others: list[tuple[str, Any]] = []
        for target, message in self.sent:
            is_mine = isinstance(message, Operate) and target == self.children[name].address
            (mine if is_mine else others).append((target, message))
        self.sent = others
        return [wire.command(message.command) for _, message in mine]

    def raised(self) -> list[EscalationRecord]:
        """The alerts that the notifier was handed, each once."""
        batches = [wire.alerts(message.alerts) for _, message in self.sent if isinstance(message, AlertBatch)]
        return list({alert.escalation_id: alert for batch in batches for alert in batch}.values())


@contextmanager
def root(journal_dir: Path, mode: str = "live") -> Iterator[Root]:
    """One whose children all run."""
    machine = Numbers()
    with running_on(machine):
        yield Root(machine, journal_dir, mode)
