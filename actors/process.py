"""The shell of every actor that is a process: Thespian never sees an exception, and a bug ends the process.

Thespian would call a handler that raised again on the same half-changed instance.  Here the process kills itself
instead; its supervisor hears of it within milliseconds and starts a clean one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import msgspec
import structlog
from thespian.actors import Actor, ActorAddress, ActorExitRequest, ThespianWatch, WakeupMessage

from actors.alarms import Alarms
from actors.machine import machine, now_ms
from config.schema import Config
from domain.rollout import Realm
from messages import wire
from messages.operator import DELAYED
from messages.records import Severity
from messages.supervision import (
    PROTOCOL,
    ChildFailed,
    ChildReady,
    PeersChanged,
    Ping,
    Pong,
    StartChild,
    Telemetry,
    Trouble,
)
from monitoring.measures import Measures

METRICS = "metrics"
AGAIN, AGAIN_MS = "start again", 1_000


class ProcessActor(Actor):  # type: ignore[misc]
    """Base of gateway, cells, notifier and metrics.  Subclasses fill ``handlers`` and say how they start."""

    role: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.born_of = machine().parent()
        self.name = self.role
        self.index = 0
        self.realm = Realm.LIVE
        self.config = Config()
        self.parent: ActorAddress | None = None
        self.peers: dict[str, ActorAddress] = {}
        self.begun = False  # whether it has started
        self.delayed: tuple[StartChild, ActorAddress] | None = None  # what is tried again, since it could not be done …
        self.delay = ""  # … and why
        self.refused: ChildFailed | None = None  # why it cannot start, for good
        self.log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
        self.handlers: dict[type[Any], Callable[[Any, ActorAddress], None]] = {}
        self.measures = Measures()
        self.alarms = Alarms()

    def on_start(self) -> str:
        """Begin work; returns a word about it for the status page.  Raises ``CannotStart`` when it makes no sense."""
        return ""

    def on_peers(self) -> None:
        """Somebody in ``peers`` has a new address."""

    def measure(self) -> None:
        """Set the gauges in ``measures``; they are reported right after."""

    def on_wakeup(self, payload: Any) -> None:
        """A ``wakeup`` is due."""

    def on_exit(self) -> None:
        """Let go of everything; the process ends after this."""

    def watched(self) -> list[int]:
        """File descriptors whose readability wakes this actor."""
        return []

    def state(self) -> str:
        """One word for the status page."""
        return "running"

    def detail(self) -> str:
        """What else to say there; "": what it said when it started."""
        return ""

    def wakeup(self, ms: int, payload: Any) -> None:
        """Have :meth:`on_wakeup` called in ``ms`` milliseconds of the machine's clock, once.

        Should the timer get lost, the supervisor's next Ping makes good for it.
        """
        self.wakeupAfter(timedelta(milliseconds=ms), self.alarms.set(payload, now_ms() + ms))

    def receiveMessage(self, message: Any, sender: ActorAddress) -> ThespianWatch | None:  # noqa: N802
        machine().end_orphan(self.born_of)
        try:
            self._handle(message, sender)
            watched = self.watched()
        except Exception:
            machine().die_of_a_bug(self.log, message)
        return ThespianWatch(watched) if watched else None

    def _handle(self, message: Any, sender: ActorAddress) -> None:
        if not self.begun:
            self._before_it_has_begun(message, sender)
            return
        match message:
            case Ping():
                self.send(sender, Pong(message.number, self.name, self.state(), self.detail()))
                self._report()
                for payload in self.alarms.overdue(now_ms()):
                    self.on_wakeup(payload)
            case PeersChanged():
                self.peers.update(message.peers)
                if message.peers.keys() != {METRICS}:  # nobody owes it anything
                    self.on_peers()
            case WakeupMessage():
                if self.alarms.rings(message.payload):
                    self.on_wakeup(message.payload.payload)
            case ActorExitRequest():
                self.on_exit()
            case _:
                self.handlers[type(message)](message, sender)

    def _before_it_has_begun(self, message: Any, sender: ActorAddress) -> None:
        """There is nothing that it could do with anything else; who wants something asks again."""
        match message:
            case StartChild():
                self._start(message, sender)
            case WakeupMessage() if self.alarms.rings(message.payload) and self.delayed is not None:
                self._start(*self.delayed)
            case Ping() if self.refused is not None:
                self.send(sender, self.refused)  # that it said so may have got lost
            case Ping() if self.delayed is not None:
                self.send(sender, Pong(message.number, self.name, DELAYED, self.delay))
                if self.alarms.overdue(now_ms()):
                    self._start(*self.delayed)
            case PeersChanged():
                self.peers.update(message.peers)

    def _report(self) -> None:
        if METRICS in self.peers:
            self.measure()
            report = wire.pack(self.measures.report())
            self.send(self.peers[METRICS], Telemetry(self.name, machine().pid(), report))

    def _start(self, message: StartChild, sender: ActorAddress) -> None:
        self.parent, self.name, self.index = sender, message.name, message.index
        self.peers, self.realm = {**message.peers, **self.peers}, Realm(message.realm)
        try:
            if message.version != PROTOCOL:
                raise CannotStart(f"{self.name} speaks {PROTOCOL}, its supervisor {message.version}: restart all of it")
            self.config = msgspec.msgpack.decode(message.config, type=Config)
            self.log = machine().open_log(self.config, self.name)
            detail = self.on_start()
            machine().collect_seldom()
        except NotNow as refusal:
            self.log.error("cannot start yet", reason=str(refusal))
            if self.delayed is None:
                text = f"{self.name} cannot start yet, and tries again: {refusal}"
                self.send(sender, Trouble("CANNOT_START_YET", text, Severity.CRITICAL.value))
            self.delayed, self.delay = (message, sender), str(refusal)
            self.wakeup(AGAIN_MS, AGAIN)
            return
        except CannotStart as refusal:
            self.log.error("cannot start", reason=str(refusal))
            self.refused = ChildFailed(self.name, str(refusal), permanent=True)
            self.send(sender, self.refused)
            return
        self.begun = True
        self.log.info("started", detail=detail)
        self.send(sender, ChildReady(self.name, machine().pid(), detail))


class NotNow(Exception):
    """What it needs is not to be had at the moment: starting is tried again, in the same process."""


class CannotStart(Exception):
    """Starting again would fail the same way: a person must do something first, and the message says what."""
