"""What one contract was quoted at before, as far as it was lower than all since.

A market order is measured by a quote that its sender saw, and the market may have been lower between the decision and
the receipt than at either.  From these steps anybody can tell the lowest middle since any moment.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from domain.money import to_float

KEPT_NS = 600 * 1_000_000_000  # far longer than a sender may go by one quote


class Low(NamedTuple):
    """Halfway between bid and ask, in currency units, and until when that was quoted."""

    until_ns: int
    middle: float


class Lows:
    """The steps, oldest and lowest first."""

    def __init__(self) -> None:
        self._steps: deque[tuple[int, int]] = deque()  # until when, and the middle in ten-thousandths

    def end(self, middle: int, until_ns: int) -> None:
        """A quote with this middle was replaced; 0: it had none."""
        if middle <= 0:
            return
        while self._steps and self._steps[-1][1] >= middle:
            self._steps.pop()
        self._steps.append((until_ns, middle))
        while self._steps[0][0] < until_ns - KEPT_NS:
            self._steps.popleft()

    def below(self, middle: int) -> tuple[Low, ...]:
        """The steps lower than ``middle``; 0: all, as nothing is quoted now."""
        return tuple(Low(until, to_float(step)) for until, step in self._steps if not middle or step < middle)
