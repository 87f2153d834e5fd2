"""From choices with which a run fails to a few with which it fails the same way.

Passes leave choices out, which makes them 0, the benign one, or halve them: what is simpler and still fails is gone on
with.  They are repeated until a round of them changes nothing, or the budget is spent.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from math import inf
from typing import Final, NamedTuple


class Choice(NamedTuple):
    """A draw that is not 0: the ``nth`` of its label, from 0."""

    label: str
    nth: int
    number: int


Choices = tuple[Choice, ...]  # in the order in which they were drawn
Again = Callable[[Choices], Choices | None]  # run with these: those that were drawn, None where it does not fail so


class Budget:
    """At most so many runs, and none that begins after so many seconds; ``used``: how many there were."""

    def __init__(self, runs: int, seconds: float = inf) -> None:
        self._runs, self.used = runs, 0
        self._until_s = time.monotonic() + seconds

    @property
    def is_spent(self) -> bool:
        """No run may begin any more."""
        return self.used >= self._runs or time.monotonic() >= self._until_s

    def take(self) -> bool:
        """Whether one more run may begin, which counts."""
        may = not self.is_spent
        self.used += may
        return may


def shrink(choices: Choices, again: Again, budget: Budget) -> Choices:
    """The simplest choices that were found with which it fails."""
    search = _Search(choices, again, budget)
    while True:
        before = search.best
        for simplify in PASSES:
            simplify(search)
        if search.best == before or budget.is_spent:
            return search.best


class _Search:
    def __init__(self, choices: Choices, again: Again, budget: Budget) -> None:
        self.best, self._again, self._budget = choices, again, budget
        self._vain: set[Choices] = set()

    def takes(self, candidate: Iterable[Choice]) -> bool:
        """Whether these are fewer or smaller, and it fails with them: then they are the best ones."""
        choices = tuple(candidate)
        if choices == self.best or choices in self._vain or not self._budget.take():
            return False
        drawn = self._again(choices)
        if drawn is None:
            self._vain.add(choices)
            return False
        self.best = drawn  # of a life that ended earlier, or went another way, the rest was not drawn
        return True

    def labels(self) -> list[str]:
        return list(dict.fromkeys(one.label for one in self.best))


def _cut(search: _Search) -> None:
    """The shortest beginning that a bisection finds."""
    low, high = 0, len(search.best)
    while low < high:
        middle = (low + high) // 2
        if search.takes(search.best[:middle]):
            high = len(search.best)
        else:
            low = middle + 1


def _families(search: _Search) -> None:
    """All that is drawn about one fault, and all of one label."""
    for family in dict.fromkeys([*map(_family, search.labels()), *search.labels()]):
        search.takes(one for one in search.best if family not in (one.label, _family(one.label)))


def _small(search: _Search) -> None:
    """Of each label the small numbers: where something happens by chance, it is the large ones that make it happen."""
    for label in search.labels():
        numbers = sorted({one.number for one in search.best if one.label == label})
        low, high = 0, len(numbers)
        while low < high:
            middle = (low + high) // 2
            if search.takes(one for one in search.best if one.label != label or one.number > numbers[middle]):
                low = middle + 1
            else:
                high = middle


def _blocks(search: _Search) -> None:
    """What was drawn one after the other: halves of all, quarters, …, single ones."""
    size = max(1, len(search.best) // 2)
    while size:
        start = 0
        while start < len(search.best):
            if not search.takes(search.best[:start] + search.best[start + size :]):
                start += size
        size //= 2


def _halves(search: _Search) -> None:
    """Smaller numbers: an earlier moment, a shorter wait, a smaller group."""
    place = 0
    while place < len(search.best):
        one = search.best[place]
        smaller = one._replace(number=one.number // 2)
        if not smaller.number or not search.takes((*search.best[:place], smaller, *search.best[place + 1 :])):
            place += 1


def _family(label: str) -> str:
    """The fault that a label is about, else the label."""
    found = FAULT.search(label)
    return found.group() if found else label


FAULT: Final = re.compile(r"F\.\w+\.\w+")
PASSES: Final = (_cut, _families, _small, _blocks, _halves)
