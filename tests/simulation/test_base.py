"""The order in which waiting letters are served: the oldest first where the tape says 0, any of them in most seeds."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from thespian.actors import ActorAddress

from simulation.base import CORNERS, SeededSystem
from simulation.schedule import Schedule
from simulation.tape import Tape
from simulation.world import World

ROW = "one letter in so many is any that waits"


def served(tape: Tape, one_in: int, letters: int = 200) -> list[int]:
    """The places in the queue of those that were served, where five boxes always have a letter."""
    base = SeededSystem(tape, Schedule()).base
    base.shuffled = one_in
    box: deque[tuple[Any, ActorAddress]] = deque([("a letter", base.outside)])
    places = []
    for number in range(letters):
        base.boxes = {(str(number), str(place)): box for place in range(5)}
        places.append(list(base.boxes).index(base._choose() or ("", "")))
    return places


@pytest.mark.parametrize("one_in", CORNERS[ROW])
def test_a_tape_of_zeros_serves_the_oldest_first(one_in: int) -> None:
    assert {*served(Tape(), one_in)} == {0}


def test_one_in_so_many_is_any_of_those_that_wait() -> None:
    assert {*served(Tape(1), 1)} == {0, 1, 2, 3, 4}
    out_of_turn = {one_in: sum(map(bool, served(Tape(1), one_in))) for one_in in (1, 3, 10, 30)}
    assert out_of_turn == dict(sorted(out_of_turn.items(), key=lambda row: -row[1]))
    assert {*served(Tape(1), 0)} == {0}


def test_most_seeds_vary_the_order_whatever_faults_they_have() -> None:
    worlds = [World(Tape(seed), {}) for seed in range(60)]
    assert sum(bool(world.base.shuffled) for world in worlds) > 30
