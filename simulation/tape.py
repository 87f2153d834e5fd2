"""One tape of choices: everything that a simulated world leaves to chance is a labelled draw from it.

A seed only fills the tape.  0 is the benign choice everywhere, so that a tape becomes a simpler story when draws are
set to 0 or cut off: behind its recorded end every draw is 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

UNIT = 1 << 20  # the resolution of a draw between 0 and 1
Corners = Mapping[str, Sequence[Any]]  # by row, what there is to be tried; simulation/corners.py has all of them


class Tape:
    """Either filled by ``seed`` as it is drawn from, or ``recorded`` before; what was drawn is in :attr:`drawn`.

    A recorded tape is known by places, or ``told`` by labels: what the first, second, … draw of each label was.  The
    latter outlives that the world learns to draw something else in between.

    Draws with a label of ``aim`` have its value instead: the number that is drawn, or the choice that is picked.  It is
    written down like any other, so that the recorded tape tells the same story without the aim.
    """

    def __init__(
        self,
        seed: int | None = None,
        recorded: Sequence[int] = (),
        aim: Mapping[str, Any] | None = None,
        told: Mapping[str, Mapping[int, int]] | None = None,
    ) -> None:
        self._random = None if seed is None else Random(seed).random  # noqa: S311 - repeatable, not secret
        self._recorded = recorded
        self._aim = aim or {}
        self._told = told
        self._times: Counter[str] = Counter()
        self.drawn: list[int] = []
        self.labels: list[str] = []
        self.tried: dict[str, Counter[str]] = defaultdict(Counter)  # by row of a table of corners

    def draw(self, label: str, choices: int) -> int:
        """One of ``choices`` numbers from 0."""
        if choices <= 1:
            return 0
        if label in self._aim:
            value = int(self._aim[label]) % choices
        elif self._random is not None:
            value = int(self._random() * choices)
        elif self._told is not None:
            value = self._told.get(label, {}).get(self._times[label], 0) % choices
            self._times[label] += 1
        else:
            place = len(self.drawn)
            value = self._recorded[place] % choices if place < len(self._recorded) else 0
        return self._noted(label, value)

    def _noted(self, label: str, value: int) -> int:
        self.drawn.append(value)
        self.labels.append(label)
        return value

    def coin(self, label: str, chance: float) -> bool:
        """True with this chance; a certain answer is no draw."""
        if chance <= 0.0:
            return False
        return self.draw(label, UNIT) > (1.0 - chance) * (UNIT - 1)

    def between(self, label: str, low: int, high: int) -> int:
        """A whole number, both ends included; ``low`` is the benign one."""
        if label in self._aim:
            return low + self._noted(label, min(max(low, self._aim[label]), high) - low)
        return low + self.draw(label, high - low + 1)

    def pick(self, label: str, choices: Sequence[Any]) -> Any:
        """One of these; the first is the benign one.  Raises ``ValueError`` when the aim is none of them."""
        if label in self._aim:
            return choices[self._noted(label, list(choices).index(self._aim[label]))]
        return choices[self.draw(label, len(choices))]

    def corner(self, label: str, corners: Corners, row: str = "") -> Any:
        """The same from a row of a table (that of its label, unless told): what of it was never tried is told (M1)."""
        row = row or label
        chosen = self.pick(label, corners[row])
        self.tried[row][str(chosen)] += 1
        return chosen


class TapeRandom(Random):
    """The part of :class:`random.Random` that the exchange's mischief uses, drawn from a tape.

    :meth:`random` is 1 where the tape says 0, so that no chance strikes on a benign tape.
    """

    def __init__(self, tape: Tape, label: str) -> None:
        super().__init__(0)
        self._tape, self._label = tape, label

    def random(self) -> float:
        return 1.0 - self._tape.draw(self._label, UNIT) / UNIT

    def randint(self, a: int, b: int) -> int:
        return self._tape.between(self._label, a, b)

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        assert stop is None
        assert step == 1
        return self._tape.draw(self._label, start)

    def choice(self, seq: Any) -> Any:
        return self._tape.pick(self._label, seq)
