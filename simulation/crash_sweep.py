"""Sweeps a story with power cuts: one at every point, then a second one at every point of the recovery, then three."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import TypeVar

import msgspec

from simulation import children
from simulation.crashing import OWN, PROGRAM, Crash, Crasher, Point
from simulation.idempotence import Left, difference, left_by
from simulation.oracles import Violation, bug
from simulation.scenarios import STORIES
from simulation.schedule import SECOND_NS
from simulation.sessions import START_NS
from simulation.tape import Tape
from simulation.world import World

T = TypeVar("T")
R = TypeVar("R")


class Crashed(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a story.  ``violation`` is "" or the invariant, or "BUG" for an exception of the program.

    ``left``: what a second crash must leave the same; only a run that somebody has yet to compare has it.
    """

    story: str
    crashes: tuple[Crash, ...]
    violation: str = ""
    text: str = ""
    happened: tuple[str, ...] = ()  # the crashes as they came
    points: tuple[Point, ...] = ()
    steps: int = 0
    left: Left = {}

    @property
    def name(self) -> str:
        """What ``--at`` takes to do it again."""
        return ",".join(map(str, self.crashes))


def run_story(
    story: str, crashes: Sequence[Crash] = (), look: Callable[[World], object] = lambda _world: None
) -> Crashed:
    """One run with these power cuts; ``look`` may listen to the world."""
    told = STORIES[story]
    world = World(Tape(), {}, told.scenario, told.market)
    crasher = Crasher(world, crashes)
    look(world)
    violation = text = ""
    try:
        world.run()
    except Violation as found:
        violation, text = found.invariant, found.text
    except Exception as error:
        violation, text = "BUG", bug(error).text
    points = crasher.points
    if not crashes:
        ended_ns = max((record.updated_ns for record in world.groups()), default=START_NS) - START_NS
        last_ns = SECOND_NS + max(ended_ns, told.scenario.fire_ns)
        points = [point for point in points if point.at_ns <= last_ns]
    return Crashed(
        story=story,
        crashes=tuple(crashes),
        violation=violation,
        text=text,
        happened=tuple(crasher.done),
        points=tuple(points),
        steps=world.base.steps,
        left={} if violation else left_by(world, told.same),
    )


def again(first: Crashed, story: str, crashes: Sequence[Crash]) -> Crashed:
    """The run with these crashes, which begin with those of ``first``: it must leave what that left (I21)."""
    run = run_story(story, crashes)
    differs = "" if run.violation else difference(first.left, run.left)
    return msgspec.structs.replace(run, violation="I21", text=differs) if differs else run


def victims(points: Iterable[Point]) -> Iterator[Crash]:
    """Every crash that these points allow: the root's own death is the program's."""
    for point in points:
        if point.kind != "RootSupervisor":
            yield Crash(point.number, OWN)
        yield Crash(point.number, PROGRAM)


def different(points: Sequence[Point]) -> Iterator[Crash]:
    """The same without those that are the one at the point before over again."""
    apart = {(point.number, victim) for point in points for victim in point.apart}
    return (crash for crash in victims(points) if (crash.point, crash.victim) in apart)


def share(crashes: Sequence[T], most: int) -> list[T]:
    """At most so many of them, evenly spread; all for 0."""
    if not most or len(crashes) <= most:
        return list(crashes)
    return [crashes[number * len(crashes) // most] for number in range(most)]


def singles(clean: Crashed) -> list[tuple[Crash, ...]]:
    """A crash at every point of a clean run."""
    return [(crash,) for crash in victims(clean.points)]


def followed(first: Crashed) -> list[tuple[Crash, ...]]:
    """Every different crash in the recovery from those of ``first``; the first ones, if it had none."""
    return [(*first.crashes, crash) for crash in different(first.points)]


def triples(clean: Crashed, count: int, seed: int) -> Iterator[Crashed]:
    """So many sampled ones: a crash, one in its recovery, and one in the recovery from that."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    able = singles(clean)
    for _ in range(count):
        run = run_story(clean.story, random.choice(able))
        while not run.violation and len(run.crashes) < 3 and run.points:
            run = again(run, clean.story, random.choice(followed(run)))
        yield bare(run)


def each(work: Callable[[T], R], jobs: Sequence[T], workers: int) -> Iterator[R]:
    """The results as they come."""
    if workers <= 1:
        yield from map(work, jobs)
        return
    yield from children.each(work, jobs, workers, chunk=8)


def run_job(job: tuple[str, tuple[Crash, ...]]) -> Crashed:
    """What a worker does."""
    return bare(run_story(*job))


def bare(run: Crashed) -> Crashed:
    """Without what is only of use where pairs are made of it: the points of a recovery, and what it left."""
    return msgspec.structs.replace(run, points=(), left={})


def run_pairs(most: int, job: tuple[str, tuple[Crash, ...]]) -> list[Crashed]:
    """All pairs with this first crash, or ``most`` of them."""
    story, crashes = job
    first = run_story(story, crashes)
    if first.violation:
        return []
    return [bare(again(first, story, second)) for second in share(followed(first), most)]
