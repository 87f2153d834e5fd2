"""Runs of seeds: one result each, and the counts of all."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from actors.machine import machine
from simulation.faults import swarm
from simulation.oracles import Violation, bug
from simulation.scenarios import STORIES
from simulation.tape import Tape
from simulation.testimony import broken
from simulation.world import World

TWICE_EVERY = 25


def be_quiet() -> None:
    """Have this process log nothing, and look for cycles seldom: it runs many worlds, and its output is their results.

    A tenth of a seed's time went into looking for cycles.
    """
    machine().collect_seldom()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one seed.  ``violation`` is "" or the invariant, ``text`` how it was broken."""

    seed: int
    scenario: str  # of the built-in ones; "": drawn
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
    tried: dict[str, dict[str, int]]  # by row and choice (simulation/corners.py): how often


def run_tape(
    tape: Tape,
    seed: int = -1,
    only: frozenset[str] | None = None,
    look: Callable[[World], object] = lambda _world: None,
    scenario: str = "",
) -> Result:
    """One world on this tape, with a scenario that it draws or a built-in one; ``look`` may listen to it."""
    began_s = time.process_time()
    rates = swarm(tape, only)
    told = STORIES[scenario] if scenario else None
    world = World(tape, rates, told.scenario, told.market) if told else World(tape, rates)
    look(world)
    violation = text = ""
    try:
        world.run()
    except Violation as found:
        violation, text = found.invariant, found.text
    except Exception as error:
        violation, text = "BUG", bug(error).text
    return Result(
        seed=seed,
        scenario=scenario,
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
        tried={row: dict(counts) for row, counts in tape.tried.items()},
    )


def run_seed(
    seed: int, only: frozenset[str] | None = None, aim: Mapping[str, Any] | None = None, scenario: str = ""
) -> Result:
    """The world of a seed, aimed at something or not; every so many are run twice and must tell the same story (M2)."""
    result = run_tape(Tape(seed, aim=aim), seed, only, scenario=scenario)
    if seed % TWICE_EVERY == 0 and not result.violation:
        again = run_tape(Tape(seed, aim=aim), seed, only, scenario=scenario)
        if again.digest != result.digest:
            return replace(result, violation="M2", text=f"two runs differ: {result.digest} and {again.digest}")
    return result


class Job(msgspec.Struct, frozen=True):
    """What to do with a seed: ``only`` these faults (``None``: its own), one of these built-in ``scenarios``, turn
    about (none: its own), and what it is aimed at (``simulation/aims.py``)."""

    only: frozenset[str] | None = None
    scenarios: tuple[str, ...] = ()
    aim: Mapping[str, Any] = {}

    def scenario(self, seed: int) -> str:
        """Which a seed gets; "": one that it draws."""
        return self.scenarios[seed % len(self.scenarios)] if self.scenarios else ""

    def __call__(self, seed: int) -> Result:
        return run_seed(seed, self.only, self.aim, self.scenario(seed))
