"""Restart budgets, judged by who is started when: kept (I24), and where one is spent, a halt and a person called (R25).

Looks at births, deaths and the alert log; only whether the system says that it is halted is read off its status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulation.base import Process
from simulation.schedule import MS
from supervisors.tree import HARMLESS, NOT_VITAL

if TYPE_CHECKING:
    from simulation.world import World

# A supervisor may be stopped for 8 s, stand still for 10 s with its machine, and its timers may be late by 3 s: a start
# comes so much later than what was decided at the exit before it.
LATE_NS: Final = 21_000 * MS
CALLED_NS: Final = 30_000 * MS  # by then an alert has got around a full disk, a cut and a notifier that was gone
HALT: Final = "SYSTEM_HALTED"

Place = tuple[int, str]  # a supervisor's process id, and the name of its child


class Budgets:
    """``on_start`` is told of every child that a supervisor starts; ``look`` is called every now and then."""

    def __init__(self, world: World) -> None:
        self.world, self.supervision = world, world.scenario.config.supervision
        self.starts: dict[Place, list[int]] = {}
        self._children: dict[Place, str] = {}  # the address of whoever was started last
        self._missing: dict[Place, int] = {}  # since when nobody lives there
        self._halted_ns = 0  # since when the system says that it is halted

    @property
    def lives(self) -> int:
        """How many supervisors one cell has had at most."""
        names = [name for _, name in self.starts]
        return max(map(names.count, names), default=1)

    def on_start(self, supervisor: Process, child: str, name: str) -> None:
        """A supervisor starts a child at this address.  After a rest it does so once more than its budget says."""
        now_ns, place = self.world.schedule.now_ns, (supervisor.pid, name)
        before = self.starts.setdefault(place, [])
        self._children[place] = child
        if before:
            since_ns = now_ns - self.supervision.period_ms * MS + LATE_NS
            restarts = 1 + sum(at_ns > since_ns for at_ns in before[1:])
            most = self.supervision.intensity + (name in HARMLESS | NOT_VITAL)
            text = f"{name} was restarted {restarts} times in {self.supervision.period_ms} ms; {most} are its budget"
            self.world.oracles.demand(restarts <= most, "I24", text)
        before.append(now_ns)

    def look(self) -> None:
        """A vital child for which there is no successor is one for which the system is halted."""
        now_ns, processes = self.world.schedule.now_ns, self.world.base.processes
        living = {process.pid for process in processes.values()}
        self._children = {place: child for place, child in self._children.items() if place[0] in living}
        gone = [place for place, child in self._children.items() if child not in processes]
        self._missing = {place: self._missing.get(place, now_ns) for place in gone if place[1] not in NOT_VITAL}
        patience_ns = LATE_NS + CALLED_NS + self.supervision.backoff_max_ms * MS
        for (_, name), since_ns in self._missing.items():
            patient = now_ns - since_ns <= patience_ns
            self.world.oracles.demand(
                patient or self.says_so(), "I24", f"{name} is gone for good, and nothing is halted"
            )

    def says_so(self) -> bool:
        """Whether the system says that it is halted."""
        base = self.world.base
        return any(base.instance(root).halted for root in base.find("RootSupervisor"))

    def is_halted(self) -> bool:
        """Whether it does, and all that belongs to a halt is there: the kill switch is on, and a person was called.

        What is missing of it is waited for, until so late that nothing excuses it any more.
        """
        if not self.says_so():
            self._halted_ns = 0
            return False
        now_ns = self.world.schedule.now_ns
        self._halted_ns = self._halted_ns or now_ns
        called = any(alert.kind == HALT for alert in self.world.machine.alerts[self.world.operator.filed :])
        marked = self.world.machine.killed.exists()
        patient = now_ns - self._halted_ns <= CALLED_NS + self.supervision.period_ms * MS  # the notifier may rest
        self.world.oracles.demand(called or patient, "L5", "the system is halted, and nobody was called")
        self.world.oracles.demand(marked or patient, "R25", "the system is halted, and its kill switch is off")
        return called and marked
