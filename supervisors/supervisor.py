"""A supervisor: starts children in order, restarts them by policy, kills what hangs, and gives up with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from thespian.actors import Actor, ActorAddress, ActorExitRequest, ChildActorExited, WakeupMessage

from actors.alarms import Alarms
from actors.machine import machine, now_ms
from config.schema import Config
from decisions.supervision import Care, ChildSpec, GiveUp, History, RestartAfter, SupervisorSpec, on_beat, on_exit
from domain.rollout import Realm
from messages.operator import HANGS, ProcessStatus
from messages.records import Severity
from messages.supervision import ChildFailed, ChildReady, PeersChanged, Ping, Pong, StartChild, Trouble
from supervisors.tree import meanwhile

SPARE_MS = 1_000


@dataclass(slots=True)
class Child:
    """One running child."""

    spec: ChildSpec
    address: ActorAddress
    born_pid: int = 0  # its process, before it has said anything
    pid: int = 0  # the same, once it is ready
    state: str = "starting"
    detail: str = ""
    restarts: int = 0
    heard_ms: int = 0
    failure: str = ""  # why it said that it cannot go on
    permanent: bool = False
    killed_ms: int | None = None  # when it was killed because it did not answer
    called: bool = False  # a person was told that it does not end

    @property
    def is_up(self) -> bool:
        """Whether it has started, and was not killed."""
        return bool(self.pid) and self.killed_ms is None


class Supervisor(Actor):  # type: ignore[misc]
    """Base of RootSupervisor and CellSupervisor; a process of its own, and as careful as :class:`ProcessActor`."""

    def __init__(self) -> None:
        super().__init__()
        self.spec: SupervisorSpec
        self.config = Config()
        self.encoded = b""
        self.realm = Realm.LIVE
        self.log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
        self.children: dict[str, Child] = {}
        self.restarts: dict[str, int] = {}
        self.born_of = machine().parent()
        self.history: History = ()
        self.peers: dict[str, ActorAddress] = {}
        self.pings = 0
        self.beat_ms = 0  # when it last looked after its children
        self.alarms = Alarms()
        self.stopping = False
        self.halted = ""
        self.given_up: set[str] = set()  # vital children that it halted for
        self.handlers: dict[type[Any], Callable[[Any, ActorAddress], None]] = {
            ChildReady: self.on_ready,
            ChildFailed: self.on_failed,
            ChildActorExited: self.on_exited,
            Pong: self.on_pong,
            WakeupMessage: self.on_wakeup,
            ActorExitRequest: self.on_exit_request,
        }

    def child_ready(self, child: Child) -> None:
        """A child has started, for the first time or again."""

    def rests(self, spec: ChildSpec, reason: str) -> None:
        """A child has spent its budget, and is tried again after a period."""

    def warn(self, trouble: Trouble) -> None:
        """A person should know."""

    def start_of(self, spec: ChildSpec) -> StartChild:
        """What a new child is told."""
        return StartChild(spec.name, spec.position, self.encoded, self.seen_by(spec.name, self.peers), self.realm.value)

    def seen_by(self, name: str, peers: dict[str, ActorAddress]) -> dict[str, ActorAddress]:
        """Those of ``peers`` whom this child is to know, by the names that it knows them by."""
        del name
        return dict(peers)

    def give_up(self, reason: str) -> None:
        """The restart budget is spent, or a restart would not help."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:  # noqa: N802
        machine().end_orphan(self.born_of)
        try:
            self.handlers[type(message)](message, sender)
        except Exception:
            machine().die_of_a_bug(self.log, message)

    def start_children(self) -> None:
        """Start all children, in the order of the spec."""
        for spec in self.spec.children:
            self.start_child(spec)
        self.heartbeat()

    def start_child(self, spec: ChildSpec) -> None:
        """Start one child and tell it what it is."""
        address = self.createActor(spec.actor)
        restarts = self.restarts.get(spec.name, 0)
        self.children[spec.name] = Child(spec, address, machine().born(self), heard_ms=now_ms(), restarts=restarts)
        self.send(address, self.start_of(spec))

    def on_ready(self, message: ChildReady, sender: ActorAddress) -> None:
        child = self.children.get(message.name)
        if child is None or child.address != sender or child.killed_ms is not None:
            return
        child.pid, child.state, child.detail, child.heard_ms = message.pid, "running", message.detail, now_ms()
        self.child_ready(child)

    def on_failed(self, message: ChildFailed, sender: ActorAddress) -> None:
        """It will not get any further by itself: note why, and end it.

        Whatever it answers from now on does not count: when the request to end is lost, it is killed like one that
        hangs.
        """
        child = self.children.get(message.name)
        if child is not None and child.address == sender:
            child.failure, child.permanent, child.heard_ms = message.reason, message.permanent, now_ms()
            self.send(sender, ActorExitRequest())

    def on_exited(self, message: ChildActorExited, sender: ActorAddress) -> None:
        """A child is gone: restart it, or give up, as the policy says."""
        del sender
        child = next((c for c in self.children.values() if c.address == message.childAddress), None)
        if child is None or self.stopping:
            return
        del self.children[child.spec.name]
        self.log.warning("child exited", child=child.spec.name, pid=child.pid, failure=child.failure)
        verdict, self.history = on_exit(
            self.spec,
            self.history,
            child.spec.name,
            now_ms(),
            normal=False,
            permanent_failure=child.permanent,
            reason=child.failure,
        )
        match verdict:
            case RestartAfter():
                for name in verdict.stop:
                    self.end_child(name)
                for name in verdict.names:
                    self.restarts[name] = self.restarts.get(name, 0) + 1
                if verdict.delay_ms:
                    self.wakeup(verdict.delay_ms, ("restart", verdict.names))
                else:
                    self.restart(verdict.names)
            case GiveUp():
                self.on_spent(child.spec, verdict.reason)

    def on_spent(self, spec: ChildSpec, reason: str) -> None:
        """A restart does not help: halt for a vital child, once for each; one that rests is tried again later."""
        if spec.vital and spec.name not in self.given_up:
            self.given_up.add(spec.name)
            self.halted = reason
            self.log.error("gave up", child=spec.name, reason=reason)
            self.give_up(reason)
        if spec.rests:
            self.log.error("rests", child=spec.name, reason=reason, ms=self.spec.period_ms)
            self.rests(spec, reason)
            self.restarts[spec.name] = self.restarts.get(spec.name, 0) + 1
            self.wakeup(self.spec.period_ms, ("restart", (spec.name,)))

    def end_child(self, name: str) -> None:
        """Kill a child that shares the fate of another (rest_for_one, one_for_all)."""
        child = self.children.pop(name, None)
        if child is not None:
            machine().kill(child.born_pid)

    def restart(self, names: tuple[str, ...]) -> None:
        """Start these children again, in order."""
        for spec in self.spec.children:
            if spec.name in names and spec.name not in self.children:
                self.start_child(spec)

    def on_wakeup(self, message: WakeupMessage, sender: ActorAddress) -> None:
        del sender
        if self.stopping or not self.alarms.rings(message.payload):
            return
        match message.payload.payload:
            case ("restart", names):
                self.restart(names)
            case "heartbeat":
                self.heartbeat()

    def wakeup(self, ms: int, payload: Any) -> None:
        """Have :meth:`on_wakeup` act on this in ``ms`` milliseconds; a second timer stands by in case one gets lost."""
        alarm = self.alarms.set(payload, now_ms() + ms)
        self.wakeupAfter(_ms(ms), alarm)
        self.wakeupAfter(_ms(ms + SPARE_MS), alarm)

    def heartbeat(self) -> None:
        """Look after every child.

        What this supervisor is late itself, because it was stopped or its machine was, is no silence of theirs: their
        answers may wait unread.
        """
        self.pings += 1
        now = now_ms()
        late_ms = max(0, now - self.beat_ms - self.config.supervision.heartbeat_ms) if self.beat_ms else 0
        self.beat_ms = now
        for child in list(self.children.values()):
            child.heard_ms = min(now, child.heard_ms + late_ms)
            self.look_after(child)
        self.wakeup(self.config.supervision.heartbeat_ms, "heartbeat")

    def look_after(self, child: Child) -> None:
        """Ask it how it is, or kill it when it has not answered for too long (it may hang, or be stopped).

        One that has not started yet is given longer: a large journal takes its time to open, and answers nothing then.
        """
        name, pid, now = child.spec.name, child.born_pid, now_ms()
        timeout_ms = self.config.supervision.heartbeat_timeout_ms
        patience_ms = timeout_ms if child.pid else self.config.supervision.start_timeout_ms
        care = on_beat(
            child.heard_ms, child.killed_ms, now, patience_ms=patience_ms, timeout_ms=timeout_ms, called=child.called
        )
        if care is Care.ASK or not pid:
            self.send(child.address, Ping(self.pings))
        elif machine().is_gone(pid):
            self.on_exited(ChildActorExited(child.address), self.myAddress)  # nobody has told us
        elif care is Care.KILL:
            self.log.error("child hangs: killed", child=name, pid=pid, started=bool(child.pid))
            child.killed_ms = now
            machine().kill(pid)
        elif care is Care.CALL:
            self.log.error("child does not end", child=name, pid=pid)
            child.called = True
            text = (
                f"{name} (process {pid}) hangs and does not end although it was killed, as one that waits for a disk "
                "does: look at the disk and at the machine, and start the machine anew if need be; until it has ended "
                f"nothing takes its place, and {meanwhile(name)}"
            )
            self.warn(Trouble("PROCESS_STUCK", text, Severity.CRITICAL.value))

    def on_pong(self, message: Pong, sender: ActorAddress) -> None:
        child = self.children.get(message.name)
        if child is not None and child.address == sender and not child.failure and child.killed_ms is None:
            child.state, child.heard_ms = message.state, now_ms()
            child.detail = message.detail or child.detail

    def on_exit_request(self, message: ActorExitRequest, sender: ActorAddress) -> None:
        """Thespian passes the request on to the children and waits for them."""
        del message, sender
        self.stopping = True

    def tell_children(self, message: PeersChanged) -> None:
        """Pass new addresses on to every child."""
        self.peers.update(message.peers)
        for child in self.children.values():
            seen = self.seen_by(child.spec.name, message.peers)
            if seen:
                self.send(child.address, PeersChanged(seen))

    def statuses(self) -> tuple[ProcessStatus, ...]:
        """How the children are; one that is not there (yet, again, or any more) is "down"."""
        return tuple(self._status(spec.name, self.children.get(spec.name)) for spec in self.spec.children)

    def _status(self, name: str, child: Child | None) -> ProcessStatus:
        restarts = self.restarts.get(name, 0)
        if child is None:
            return ProcessStatus(name=name, pid=0, state="down", restarts=restarts)
        state = child.state if child.killed_ms is None else HANGS
        return ProcessStatus(name=name, pid=child.pid, state=state, restarts=restarts, detail=child.detail)


def _ms(ms: int) -> timedelta:
    return timedelta(milliseconds=ms)
