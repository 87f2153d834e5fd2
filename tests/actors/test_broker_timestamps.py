"""S12: every deadline is the broker's; what the machine's clock does, or that we were not there, changes nothing."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest
from world import LONG, SHORT, World, bull_put

from decisions.effects import MS
from domain.groups import GroupOutcome

TRIGGER = 25_000
CLOCKS = ("time", "monotonic", "perf_counter")


def guarded(*, replaces: bool = False) -> World:
    world = World(replaces=replaces)
    world.submit(bull_put(quantity=10, stop=TRIGGER))
    assert world.group().group.outcome is GroupOutcome.HEDGED
    return world


def story(world: World) -> list[object]:
    """A stop that triggers, waits its two seconds in vain, and falls back: all that happened and was decided."""
    world.quote(SHORT, 28_000, 28_500, 100)
    world.advance(4_000, fresh=True)
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)
    return [*world.truth, *world.group().intents, *world.group().stops]


def set_machine(patch: pytest.MonkeyPatch, seconds: Callable[[], int]) -> None:
    """From now on the machine's clocks say this."""
    for name in CLOCKS:
        patch.setattr(time, name, lambda: float(seconds()))
        patch.setattr(time, f"{name}_ns", lambda: seconds() * 10**9)


@pytest.mark.parametrize("replaces", [False, True])
class TestBrokerTimestamps:
    """Named by the sources."""

    def test_a_deadline_is_met_to_the_nanosecond_of_the_brokers_clock(self, replaces: bool) -> None:
        world = guarded(replaces=replaces)
        world.quote(SHORT, 28_000, 28_500, 0)
        triggered = world.group().stops[0].triggered_ns
        for moment, asked in ((triggered + 2_000 * MS - 1, 0), (triggered + 2_000 * MS, 1)):
            world.now_ns = moment
            world.take([world.tick()])
            assert len(world.cancels()) + len(world.changes()) == asked

    def test_a_jump_forward_of_the_local_clock_changes_nothing(
        self, replaces: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain = story(guarded(replaces=replaces))
        jumps = itertools.chain([1_000], itertools.repeat(10**9))
        set_machine(monkeypatch, lambda: next(jumps))
        assert story(guarded(replaces=replaces)) == plain

    def test_a_jump_backward_of_the_local_clock_changes_nothing(
        self, replaces: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain = story(guarded(replaces=replaces))
        jumps = itertools.count(10**9, -3_600)
        set_machine(monkeypatch, lambda: next(jumps))
        assert story(guarded(replaces=replaces)) == plain

    @pytest.mark.parametrize("away_ms", [100, 1_900, 2_000, 60_000])
    def test_a_stall_or_a_pause_acts_once_and_by_the_brokers_clock_when_it_is_over(
        self, replaces: bool, away_ms: int
    ) -> None:
        world = guarded(replaces=replaces)
        world.quote(SHORT, 28_000, 28_500, 0)
        triggered = world.group().stops[0].triggered_ns
        world.now_ns += away_ms * MS  # nothing was heard or done meanwhile; then the ticks come
        world.take([world.tick(), world.tick(), world.tick()])
        asked = len(world.cancels()) + len(world.changes())
        assert asked == (world.now_ns >= triggered + 2_000 * MS)
        world.sizes[SHORT] = 100
        world.advance(4_000, fresh=True)
        assert (world.position(SHORT), world.position(LONG)) == (0, 0)
        assert len(world.cancels(world.group().stops[0].stop_id + "001")) + len(world.changes()) == 1
