"""A seeded Thespian base for process actors: mailboxes first in, first out per pair, and the tape picks which is next.

Every actor on it stands for a process.  A process dies whole, with its descendants, in the middle of whatever it does:
what it has sent stays sent, what was on its way to it is lost, its timers never fire, its parent is told a bit later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from datetime import timedelta
from hashlib import blake2b
from itertools import islice
from typing import Any, Final

from thespian.actors import ActorAddress, ActorExitRequest, ActorSystem, ChildActorExited, WakeupMessage
from thespian.system import simpleSystemBase

from messages.supervision import StartChild
from simulation.schedule import MS, Schedule
from simulation.tape import Corners, Tape

FOR_GOOD_NS = 1 << 62
CORNERS: Final[Corners] = {"one letter in so many is any that waits": (0, 1, 3, 10, 30)}  # 0: always the oldest
NOTICE_MS = (2, 30)  # how long after a death the parent is told


RELIABLE = frozenset({"StartChild", "StartRoot", "ChildReady", "ChildFailed", "PeersChanged", "CellDirectory"})
NOTICES = RELIABLE | {"ChildActorExited", "WakeupMessage", "WatchMessage", "ActorExitRequest"}


def is_notice(message: Any) -> bool:
    """Whether it cannot be lost: what a parent tells a child at its start, and what needs no mailbox."""
    return type(message).__name__ in NOTICES


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
    """See the module.  ``on_step`` is told of every delivery, ``on_answer`` of what is said to the outside."""

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
        self.shuffled = 0  # one letter in so many is any of those that wait; 0: none
        self.disordered: Callable[[], bool] = lambda: False  # is another box than the oldest served first?
        self.copies: Callable[[Any], tuple[int, int]] = lambda _message: (1, 0)  # of a letter, and how late: ns
        self.times: Callable[[int, int], tuple[int, ...]] = lambda _now, due: (due,)  # when a timer fires
        self.exits_first: Callable[[], bool] = lambda: False  # is a death told before the last letters?
        self.full: dict[str, int] = {}  # mailboxes that nothing gets into until then
        self.held: dict[tuple[str, str], int] = {}  # letters of one to another that wait until then
        self.story = blake2b(digest_size=16)  # of every step: who was told what, and what came of it
        self.blocked_until_ns = 0  # from then on nobody is stopped and nothing is held
        self.lag_ns = 0  # what the running handler still does takes effect so much later
        self.on_step: Callable[[Process, Any, ActorAddress], None] = lambda _process, _message, _sender: None
        self.on_answer: Callable[[ActorAddress, Any], None] = lambda _sender, _message: None
        self.on_death: Callable[[Process], None] = lambda _process: None
        self.on_start: Callable[[Process, str, str], None] = lambda _parent, _child, _name: None  # address, and name
        self.point: Callable[[str], None] = lambda _what: None  # here a power cut may come: before or after an effect
        super().__init__(system, logDefs=False)
        self.outside = self.actorRegistry["System:ExternalRequester"].address
        self.outside_name = self.outside.actorAddressString

    # --- what Thespian calls ---

    def actor_send(self, fromActor: ActorAddress, toActor: ActorAddress, msg: Any) -> None:  # noqa: N803
        if self.running is None:
            self.put(fromActor, toActor, msg)
            return
        copies, late_ns = self.copies(msg)
        self.story.update(f"{copies} {type(msg).__name__} {toActor.actorAddressString}\n".encode())
        if type(msg) is StartChild:
            self.on_start(self.running, toActor.actorAddressString, msg.name)
        if late_ns or self.lag_ns:
            self.hold(fromActor.actorAddressString, toActor.actorAddressString, max(late_ns, self.lag_ns))
        for _ in range(copies):
            self.put(fromActor, toActor, msg)
        self.point(type(msg).__name__)

    def wakeupAfter(self, fromActor: ActorAddress, timePeriod: timedelta, payload: Any) -> None:  # noqa: N802, N803
        now_ns = self.schedule.now_ns
        for at_ns in self.times(now_ns, now_ns + round(timePeriod.total_seconds() * 1_000) * MS):
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
            self.on_answer(sender, message)
            return
        if self.full and self.full.get(pair[1], 0) > self.schedule.now_ns and not is_notice(message):
            return
        box = self.boxes.get(pair)
        if box is None:
            box = self.boxes[pair] = deque()
        box.append((message, sender))

    def hold(self, sender: str, to: str, for_ns: int) -> None:
        """Letters of one to another, and all behind them, wait so long."""
        until_ns = self.schedule.now_ns + for_ns
        self.held[sender, to] = max(until_ns, self.held.get((sender, to), 0))
        self._block(until_ns)

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
        self.on_step(process, message, sender)
        self.story.update(f"{self.steps} {process.pid} {type(message).__name__}\n".encode())
        self.running, self.handled = process, type(message).__name__
        try:
            self.point("")
            self.instance(process).receiveMessage(message, sender)
        except Died:
            self.kill(process)
        finally:
            self.running, self.lag_ns = None, 0

    def kill(self, process: Process) -> None:
        """SIGKILL; its descendants go with it, and its parent hears of it."""
        for child in self.descendants(process):
            self._end(child)
        self.kill_alone(process)

    def kill_alone(self, process: Process) -> None:
        """The same without its descendants: they are orphans."""
        if process.address.actorAddressString not in self.processes:
            return
        reference = self.actorRegistry[process.address.actorAddressString]
        self._end(process)
        parent = self.processes.get(reference.parent.actorAddressString)
        if parent is not None:
            notice = ChildActorExited(process.address)
            last = [pair for pair in self.boxes if pair[0] == process.address.actorAddressString]
            first = bool(last) and self.exits_first()
            for sender, to in last if first else ():
                self.hold(sender, to, self.tape.between("the last letters are late by, ms", 1, 200) * MS)
            later = 0 if first else self.tape.between("death is noticed", *NOTICE_MS) * MS
            self.schedule.at(self.schedule.now_ns + later, self.put, self.outside, parent.address, notice)

    def stop(self, process: Process, for_ns: int) -> None:
        """SIGSTOP, and SIGCONT after so long."""
        process.stopped_until_ns = max(process.stopped_until_ns, self.schedule.now_ns + for_ns)
        self._block(process.stopped_until_ns)

    def stop_for_good(self, process: Process) -> None:
        """SIGSTOP, and nobody ever lets it go on: somebody must notice and kill it."""
        process.stopped_until_ns = self.blocked_until_ns = FOR_GOOD_NS

    def hanging(self) -> list[Process]:
        """Those that were stopped for good, and are still there."""
        return [process for process in self.processes.values() if process.stopped_until_ns == FOR_GOOD_NS]

    def release(self) -> None:
        """Everybody runs who was not stopped for good, and nothing is held back any more."""
        for process in self.processes.values():
            if process.stopped_until_ns != FOR_GOOD_NS:
                process.stopped_until_ns = 0
        self.held.clear()
        self.full.clear()
        self.blocked_until_ns = FOR_GOOD_NS if self.hanging() else 0

    def _block(self, until_ns: int) -> None:
        self.blocked_until_ns = max(self.blocked_until_ns, until_ns)
        self.schedule.at(until_ns, int)  # so that time gets there

    def _choose(self) -> tuple[str, str] | None:
        boxes: Collection[tuple[str, str]] = self.boxes
        if self.blocked_until_ns > self.schedule.now_ns:
            boxes = [pair for pair in boxes if self._may_move(pair)]
        if not boxes:
            return None
        if len(boxes) > 1:
            if self.disordered():
                return list(boxes)[self.tape.draw("which letter", len(boxes))]
            if self.shuffled:
                place = self.tape.draw("the next letter", len(boxes) * self.shuffled)
                if 0 < place < len(boxes):
                    return next(islice(boxes, place, None))
        return next(iter(boxes))

    def _may_move(self, pair: tuple[str, str]) -> bool:
        now_ns = self.schedule.now_ns
        to = self.processes.get(pair[1])
        return (to is None or to.stopped_until_ns <= now_ns) and self.held.get(pair, 0) <= now_ns

    def _born(self, address: ActorAddress) -> None:
        instance = self.actorRegistry[address.actorAddressString].instance
        if instance is None:
            raise RuntimeError(f"no actor could be made at {address}")
        self.pids += 1
        self.processes[address.actorAddressString] = Process(address, self.pids, type(instance).__name__)

    def descendants(self, process: Process) -> list[Process]:
        """Those whom this process has started, and those whom they have."""
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
