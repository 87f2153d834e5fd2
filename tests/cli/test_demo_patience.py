"""What a demonstration counts as waiting: a machine that is too busy to run anything is not waited for."""

from __future__ import annotations

import pytest

from cli.demo.patience import ROUND_S, Patience


class Wall:
    """A clock that is told how late it is."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def looks(seconds: float, each_s: float, *, answered: bool) -> int:
    """How many looks of this length a patience of so many seconds allows."""
    wall = Wall()
    patience, count = Patience(seconds, wall), 0
    while not patience.over:
        wall.now_s += each_s
        patience.looked(answered=answered)
        count += 1
    return count


def test_quick_looks_are_counted_by_the_clock() -> None:
    assert looks(3.0, 0.125, answered=True) == 24


def test_a_look_that_took_long_and_was_answered_counts_as_a_short_one() -> None:
    assert looks(3.0, 4.0, answered=True) == round(3.0 / ROUND_S)


@pytest.mark.parametrize("each_s", [0.5, 2.0])
def test_silence_counts_whole_so_that_every_wait_ends(each_s: float) -> None:
    assert looks(4.0, each_s, answered=False) == round(4.0 / each_s)
