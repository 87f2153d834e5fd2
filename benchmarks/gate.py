"""The regression gate: ratios of processor time, best of several, with generous bounds.

Processor time, because a machine that does other things changes it little, and the best of several rounds, because
nothing makes a program faster than it is.  A bound is twice what was measured when it was set, or a third more where
both sides are ours: it is there to catch a cost that has come in unseen, such as one that grows with all groups, and
not to measure anything.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

import msgspec

from actors.stack_room import with_room
from benchmarks import cell, plain, turns

ROUNDS = 3


class Gate(msgspec.Struct, frozen=True):
    """Both give reports, plans or groups per second of processor time; ours may cost ``bound`` times as much."""

    name: str
    bound: float
    ours: Callable[[Path], float]
    theirs: Callable[[Path], float]


class Passed(msgspec.Struct, frozen=True):
    """How many times as much processor time ours takes, and how many it may."""

    name: str
    ratio: float
    bound: float

    @property
    def ok(self) -> bool:
        """Whether it is within its bound."""
        return self.ratio <= self.bound

    def __str__(self) -> str:
        return f"{self.name}: {self.ratio:.2f} times the processor time, {self.bound:g} allowed"


GATES = (
    Gate(
        "B2, reports in batches, against the plain way with commits of up to 64", 6.0,
        lambda path: cell.reports_per_second(path, 40, clock=process_time),
        lambda path: plain.reports_per_second(path, 40, 64, clock=process_time),
    ),
    Gate(
        "B1b, reports one at a time, against the plain way with a commit per event", 2.5,
        lambda path: cell.reports_per_second(path, 6, size=1, clock=process_time),
        lambda path: plain.reports_per_second(path, 6, 1, size=1, clock=process_time),
    ),
    Gate(
        "B4, reports beside 1,000 groups that work, against the same beside none", 1.3,
        lambda path: cell.reports_per_second(path, 40, 1_000, clock=process_time),
        lambda path: cell.reports_per_second(path, 40, clock=process_time),
    ),
    Gate(
        "B6, recovery of a group among 400, against among 100", 1.3,
        lambda path: 400 / turns.recovery_seconds(path, 400, process_time),
        lambda path: 100 / turns.recovery_seconds(path, 100, process_time),
    ),
    Gate(
        "B8, plans let in beside 1,000 groups, against the same beside none", 1.3,
        lambda path: turns.plans_per_second(path, 40, 1_000, process_time),
        lambda path: turns.plans_per_second(path, 40, 0, process_time),
    ),
)  # fmt: skip


def passes(gate: Gate, rounds: int = ROUNDS) -> Passed:
    """Run both in turn; it is enough that a round is within the bound."""
    best, others = 0.0, 0.0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="legkeeper-gate-") as place:
            others = max(others, _alone(gate.theirs, Path(place) / "theirs.db"))
            best = max(best, _alone(gate.ours, Path(place) / "ours.db"))
        if others / best <= gate.bound:
            break
    return Passed(gate.name, others / best, gate.bound)


def _alone(run: Callable[[Path], float], path: Path) -> float:
    """Without what an earlier run has left in memory, and however deep the stack is."""
    gc.unfreeze()
    gc.collect()
    return with_room(run)(path)
