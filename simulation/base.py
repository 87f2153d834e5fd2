"""A seeded Thespian base for process actors: mailboxes first in, first out per pair, and the tape picks which is next.

Every actor on it stands for a process.  A process dies whole, with its descendants, in the middle of whatever it does:
what it has sent stays sent, what was on its way to it is lost, its timers never fire, its parent is told a bit later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, ActorSystem, ChildActorExited, WakeupMessage
from thespian.system import simpleSystemBase

from simulation.schedule import MS, Schedule
from simulation.tape import Tape

NOTICE_MS = (2, 30)  # how long after a death the parent is told


class Died(BaseException):
    """The process whose code is running is gone; nothing of it may run any more."""


class Process:
    """One simulated process."""

    def __init__(self, address: ActorAddress, pid: int, kind: str) -> None:
        self.address, self.pid, self.kind = address, pid, kind
        self.stopped_until_ns = 0  # SIGSTOP
        self.journals: list[Any] = []  # what a death gives up, see machine.py
        self.links: list[Any] = []


class SeededBase(simpleSystemBase.ActorSystemBase):  # type: ignore[misc]
    """See the module.  ``watch`` is told of every delivery: (step, process, message, sender)."""

    def __init__(self, system: ActorSystem) -> None:
        self.tape: Tape
        self.schedule: Schedule
        self.boxes: dict[tuple[str, str], deque[tuple[Any, ActorAddress]]] = {}  # (from, to) -> letters; none empty
        self.processes: dict[str, Process] = {}
        self.running: Process | None = None
        self.handled = ""  # what kind of letter it handles
        self.steps = 0
        self.pids = 1000
        self.answers: list[Any] = []  # what was sent to the outside
        self.disordered: Callable[[], bool] = lambda: False  # is another box than the oldest served first?
        self.copies: Callable[[Any], int] = lambda _message: 1  # of a letter that a process sends
        self.on_step: Callable[[Process, Any], None] = lambda _process, _message: None
        self.on_death: Callable[[Process], None] = lambda _process: None
        self.point: Callable[[str], None] = lambda _what: None  # here a power cut may come: before or after an effect
        super().__init__(system, logDefs=False)
        self.outside = self.actorRegistry["System:ExternalRequester"].address
        self.outside_name = self.outside.actorAddressString

    # --- what Thespian calls ---

    def actor_send(self, fromActor: ActorAddress, toActor: ActorAddress, msg: Any) -> None:  # noqa: N803
        if self.running is None:
            self.put(fromActor, toActor, msg)
            return
        for _ in range(self.copies(msg)):
            self.put(fromActor, toActor, msg)
        self.point(type(msg).__name__)

    def wakeupAfter(self, fromActor: ActorAddress, timePeriod: timedelta, payload: Any) -> None:  # noqa: N802, N803
        at_ns = self.schedule.now_ns + round(timePeriod.total_seconds() * 1_000) * MS
        self.schedule.at(at_ns, self._wake, fromActor, WakeupMessage(timePeriod, payload))

    def newActor(self, parentAddr: ActorAddress, actorClass: Any, *rest: Any) -> ActorAddress:  # noqa: N802, N803
        address: ActorAddress = super().newActor(parentAddr, actorClass, *rest)
        self._born(address)
        return address

    def newPrimaryActor(self, actorClass: Any, *rest: Any) -> ActorAddress:  # noqa: N802, N803
        address: ActorAddress = super().newPrimaryActor(actorClass, *rest)
        self._born(address)
        return address

    # --- the world's side ---

    def put(self, sender: ActorAddress, to: ActorAddress, message: Any) -> None:
        """A letter from one actor to another is on its way."""
        pair = (sender.actorAddressString, to.actorAddressString)
        if pair[1] == self.outside_name:
            self.answers.append(message)
            return
        box = self.boxes.get(pair)
        if box is None:
            box = self.boxes[pair] = deque()
        box.append((message, sender))

    def find(self, kind: str) -> list[Process]:
        """The living processes of a kind (the class name), oldest first."""
        return [process for process in self.processes.values() if process.kind == kind]

    def instance(self, process: Process) -> Any:
        """The actor of a process."""
        return self.actorRegistry[process.address.actorAddressString].instance

    def deliver(self) -> bool:
        """Let one process handle one letter; ``False`` when none can."""
        pair = self._choose()
        if pair is None:
            return False
        box = self.boxes[pair]
        message, sender = box.popleft()
        if not box:
            del self.boxes[pair]
        process = self.processes.get(pair[1])
        if process is None:
            return True  # a dead incarnation: what it was still owed died with it
        self.steps += 1
        self.run(process, message, sender)
        return True

    def run(self, process: Process, message: Any, sender: ActorAddress) -> None:
        """Let the process handle this."""
        if type(message) is ActorExitRequest:
            self.kill(process)
            return
        self.on_step(process, message)
        self.running, self.handled = process, type(message).__name__
        try:
            self.point("")
            self.instance(process).receiveMessage(message, sender)
        except Died:
            self.kill(process)
        finally:
            self.running = None

    def kill(self, process: Process) -> None:
        """SIGKILL; its descendants go with it, and its parent hears of it."""
        for child in self._descendants(process):
            self._end(child)
        if process.address.actorAddressString not in self.processes:
            return
        reference = self.actorRegistry[process.address.actorAddressString]
        self._end(process)
        parent = self.processes.get(reference.parent.actorAddressString)
        if parent is not None:
            later = self.tape.between("death is noticed", *NOTICE_MS) * MS
            notice = ChildActorExited(process.address)
            self.schedule.at(self.schedule.now_ns + later, self.put, process.address, parent.address, notice)

    def stop(self, process: Process, for_ns: int) -> None:
        """SIGSTOP, and SIGCONT after so long."""
        process.stopped_until_ns = self.schedule.now_ns + for_ns
        self.schedule.at(process.stopped_until_ns, int)  # so that time gets there

    def _choose(self) -> tuple[str, str] | None:
        now = self.schedule.now_ns
        able = (
            pair
            for pair in self.boxes
            if (process := self.processes.get(pair[1])) is None or process.stopped_until_ns <= now
        )
        first, second = next(able, None), next(able, None)
        if first is None or second is None or not self.disordered():
            return first
        waiting = [first, second, *able]
        return waiting[self.tape.draw("which letter", len(waiting))]

    def _born(self, address: ActorAddress) -> None:
        instance = self.actorRegistry[address.actorAddressString].instance
        if instance is None:
            raise RuntimeError(f"no actor could be made at {address}")
        self.pids += 1
        self.processes[address.actorAddressString] = Process(address, self.pids, type(instance).__name__)

    def _descendants(self, process: Process) -> list[Process]:
        above = process.address.actorAddressString + "~"
        return [found for name, found in self.processes.items() if name.startswith(above)]

    def _end(self, process: Process) -> None:
        name = process.address.actorAddressString
        if self.processes.pop(name, None) is None:
            return
        self.actorRegistry[name].instance = None
        for pair in [pair for pair in self.boxes if pair[1] == name]:
            del self.boxes[pair]
        self.on_death(process)

    def _wake(self, address: ActorAddress, message: WakeupMessage) -> None:
        if address.actorAddressString in self.processes:
            self.put(address, address, message)


class SeededSystem(ActorSystem):  # type: ignore[misc]
    """An actor system on :class:`SeededBase`."""

    def __init__(self, tape: Tape, schedule: Schedule) -> None:
        super().__init__(transientUnique=True)
        self.base.tape, self.base.schedule = tape, schedule

    @property
    def base(self) -> SeededBase:
        """Where everything happens."""
        base: SeededBase = self._systemBase
        return base

    def _startupActorSys(self, *_: object) -> SeededBase:  # noqa: N802
        self.systemAddress = ActorAddress("/ActorSys")
        self.capabilities: dict[str, object] = {}
        self._systemBase = SeededBase(self)
        return self._systemBase
