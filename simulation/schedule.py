"""Virtual time: what is due, and a clock that jumps to it when nothing else can happen."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

SECOND_NS = 1_000_000_000
MS = 1_000_000


class Schedule:
    """Callbacks in the order of their times, first come first served among equals.  ``now_ns`` starts at one second.

    ``count``: how many there were.
    """

    def __init__(self) -> None:
        self.now_ns = SECOND_NS
        self._due: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self.count = 0

    def at(self, at_ns: int, callback: Callable[..., object], *args: Any) -> None:
        """Call back at this time, or now when it is past."""
        self.count += 1
        heapq.heappush(self._due, (max(at_ns, self.now_ns), self.count, callback, args))

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: Any) -> None:
        """The same in seconds from now, as an event loop says it."""
        self.at(self.now_ns + round(delay * SECOND_NS), callback, *args)

    @property
    def happened(self) -> int:
        """How many of them have been called."""
        return self.count - len(self._due)

    def monotonic(self) -> float:
        """Seconds, as :func:`time.monotonic` says them."""
        return self.now_ns / SECOND_NS

    def step(self) -> None:
        """Let time pass until the next thing is due, and do it."""
        self.now_ns, _, callback, args = heapq.heappop(self._due)
        callback(*args)
