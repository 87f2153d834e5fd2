"""Power cuts where they are wanted: every point at which a crash can make a difference is counted, and may be one.

A point lies before a process handles a letter, after every effect of a handler (a letter sent, bytes on the wire, a
line of the alert log, the file of the kill switch), and on both sides of every commit, so that the turn under way is
tried both lost and durable.  At a point either the process that runs dies, or the whole program.  Another process need
not die there: it has nothing under way, so that its death differs from one at its own next point in time alone.

Points before letters that only wake or ask are left out when nothing has happened in that process since its last
point: a death there would be the death at that one.

A point is *apart* for a victim where its death is another one than at the point before.  Letters and memory die with
the program: without anything that outlives it, and without time that passes, its death is the one at the point before.
So is that of a process that has no children, and has done nothing since its own last point: what was sent to it since
then is lost either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from simulation.base import Died, Process
from simulation.schedule import MS, SECOND_NS
from simulation.world import World

OWN, PROGRAM = "own", "program"
QUIET: Final = frozenset({"Ping", "WakeupMessage", "Pong"})
# After a crash: by then everybody is back, and has compared with the broker.  Measured in the five shortest stories: it
# takes 4 ms at most after the death of a process, 502 ms after that of the program.
RECOVERY_NS: Final = {OWN: 250 * MS, PROGRAM: 750 * MS}


class Crash(msgspec.Struct, frozen=True):
    """A power cut at a point of a run (the one that the crashes before it have left), of OWN or PROGRAM."""

    point: int
    victim: str

    def __str__(self) -> str:
        return f"{self.point}:{self.victim}"


def parse(text: str) -> tuple[Crash, ...]:
    """``"812:own,40:program"`` as it is printed.  Raises ``ValueError``."""
    found = []
    for part in text.split(","):
        point, _, victim = part.partition(":")
        if not point.isdigit() or victim not in (OWN, PROGRAM):
            raise ValueError(f"{part!r} is no crash: give POINT:own or POINT:program, separated by commas")
        found.append(Crash(int(point), victim))
    return tuple(found)


class Point(msgspec.Struct, frozen=True):
    """Where a crash could come: its number in the run, and what was just going on."""

    number: int
    kind: str  # of the process
    what: str
    at_ns: int
    apart: tuple[str, ...]  # the victims whose death here is another one than at the point before

    def __str__(self) -> str:
        return f"{self.kind}, {self.what}, at {(self.at_ns - SECOND_NS) / SECOND_NS:.3f} s"


class Crasher:
    """Counts the points of a world and cuts the power at those that are asked for, one after the other.

    Each crash's number counts all points from the very start.  ``points`` are those behind the last crash, while the
    system recovers from it; all of the run, if there was none.
    """

    def __init__(self, world: World, crashes: Sequence[Crash] = ()) -> None:
        self.world, self.base = world, world.base
        self.left = list(crashes)
        self.until_ns: int | None = None
        self.number = 0
        self.points: list[Point] = []
        self.done: list[str] = []
        self._idle: set[int] = set()  # processes that did nothing since their last point
        self._outlives: tuple[int, ...] = ()  # as of the last point in ``points``
        self._did: dict[int, tuple[int, int]] = {}  # by process: when its last one was
        self.base.point = self.at

    def at(self, what: str) -> None:
        """A point; raises ``Died`` where the running process dies at it."""
        process = self.base.running
        if process is None:
            return
        letter = not what
        if letter and process.pid in self._idle and self.base.handled in QUIET:
            return
        self.number += 1
        (self._idle.add if letter else self._idle.discard)(process.pid)
        if not self.left:
            self._note(process, what)
        elif self.left[0].point == self.number:
            self._strike(process, what)

    def _note(self, process: Process, what: str) -> None:
        now_ns = self.world.schedule.now_ns
        if self.until_ns is None or now_ns <= self.until_ns:
            told = what or f"before {self.base.handled}"
            self.points.append(Point(self.number, process.kind, told, now_ns, self._apart(process, what)))

    def _apart(self, process: Process, what: str) -> tuple[str, ...]:
        before, self._outlives = self._outlives, self._outliving()
        did, now = self._did.get(process.pid), (self.world.schedule.now_ns, self.world.schedule.happened)
        self._did[process.pid] = now
        idle = not what and did == now and not self.base.descendants(process)
        return tuple(one for one, same in ((OWN, idle), (PROGRAM, before == self._outlives)) if not same)

    def _outliving(self) -> tuple[int, ...]:
        """Changes with everything that a death of the program does not undo, and also with much that it does."""
        world, base, schedule = self.world, self.base, self.world.schedule
        disks, machine = world.storage, world.machine
        return (
            schedule.now_ns, schedule.count,  # the second: every byte that was sent, and every timer that was set
            base.pids, len(base.processes), len(base.answers), len(world.truth), len(disks.openings),
            sum(disk.head.turn for disk in disks.disks.values()), len(machine.alerts), len(machine.wire),
            machine.killed.on,
        )  # fmt: skip

    def _strike(self, process: Process, what: str) -> None:
        crash = self.left.pop(0)
        now_ns = self.world.schedule.now_ns
        point = Point(self.number, process.kind, what or f"before {self.base.handled}", now_ns, (OWN, PROGRAM))
        self.done.append(f"{crash} ({point})")
        self.world.faults.told(f"power cut of {'the program' if crash.victim == PROGRAM else 'this process'}, {point}")
        self.until_ns = now_ns + RECOVERY_NS[crash.victim]
        if crash.victim == PROGRAM:
            for root in self.base.find("RootSupervisor"):
                self.base.kill(root)
        raise Died
