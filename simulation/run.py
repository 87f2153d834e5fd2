"""Runs of seeds: one result each, and the counts of all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from simulation.faults import swarm
from simulation.oracles import Violation
from simulation.tape import Tape
from simulation.testimony import broken
from simulation.world import World

TWICE_EVERY = 25


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one seed.  ``violation`` is "" or the invariant, ``text`` how it was broken."""

    seed: int
    violation: str
    text: str
    also: tuple[str, ...]  # all invariants of the audit that do not hold, where the run came to its rest
    steps: int  # letters that processes handled
    events: int  # those, timers, bytes on the wire, and what the exchange noted
    cpu_s: float
    virtual_s: float
    draws: tuple[int, ...]
    digest: str  # of everything that was said, became durable, and happened at the exchange
    struck: dict[str, int]
    checks: dict[str, int]
    corners: dict[str, set[str]]  # choices of the scenario that were tried
    offered: dict[str, tuple[str, ...]]  # and those that there were


def run_tape(
    tape: Tape,
    seed: int = -1,
    only: frozenset[str] | None = None,
    look: Callable[[World], object] = lambda _world: None,
) -> Result:
    """One world on this tape; ``look`` may listen to it."""
    began_s = time.process_time()
    world = World(tape, swarm(tape, only))
    look(world)
    violation = text = ""
    try:
        world.run()
    except Violation as found:
        violation, text = found.invariant, found.text
    return Result(
        seed=seed,
        violation=violation,
        text=text,
        also=tuple(broken(world)) if violation and world.at_rest else (),
        steps=world.base.steps,
        events=world.base.steps + world.schedule.count + len(world.truth),
        cpu_s=time.process_time() - began_s,
        virtual_s=world.schedule.monotonic(),
        draws=tuple(tape.drawn),
        digest=world.digest(),
        struck=dict(world.faults.counts),
        checks=dict(world.oracles.checks),
        corners=tape.corners,
        offered=tape.offered,
    )


def run_seed(seed: int, only: frozenset[str] | None = None, aim: Mapping[str, Any] | None = None) -> Result:
    """The world of a seed, aimed at something or not; every so many are run twice and must tell the same story (M2)."""
    result = run_tape(Tape(seed, aim=aim), seed, only)
    if seed % TWICE_EVERY == 0 and not result.violation:
        again = run_tape(Tape(seed, aim=aim), seed, only)
        if again.digest != result.digest:
            return replace(result, violation="M2", text=f"two runs differ: {result.digest} and {again.digest}")
    return result
