"""The exchange's time and the quotes that are due by it.  No I/O; real time comes in as an argument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

import msgspec

from domain.quotes import Quote

SECOND_NS = 1_000_000_000


class Clock(Protocol):
    """Exchange time, from a reading of the monotonic clock."""

    @property
    def start_ns(self) -> int: ...

    @property
    def speed(self) -> float: ...

    def at(self, monotonic_s: float) -> int: ...


class Market(Protocol):
    """Where quotes come from: those before the start, and then those that are due."""

    @property
    def warm(self) -> Sequence[Quote]: ...

    def due(self, now_ns: int) -> bool: ...

    def take(self, now_ns: int, limit: int) -> list[Quote]: ...


class VenueClock(msgspec.Struct, frozen=True, kw_only=True):
    """Exchange time that runs ``speed`` times as fast as a monotonic clock, from ``start_ns`` at ``started_s``."""

    start_ns: int
    started_s: float
    speed: float

    def at(self, monotonic_s: float) -> int:
        """Exchange time in nanoseconds since 1970 UTC, at this reading of the monotonic clock."""
        return self.start_ns + round((monotonic_s - self.started_s) * self.speed * SECOND_NS)


def held(warm: Iterable[Quote], quotes: Iterable[Quote], start_ns: int, every_ns: int) -> Iterator[Quote]:
    """``quotes`` in between repetitions of the last quote of each symbol, with fresh times, every ``every_ns``.

    ``warm`` are the quotes that were good at ``start_ns``.  It never ends: when ``quotes`` does, the repetitions go on.
    A symbol that was quoted less than ``every_ns`` ago is not repeated.
    """
    last = {quote.symbol: quote for quote in warm}
    due_ns = start_ns + every_ns
    for quote in quotes:
        while quote.ts_ns >= due_ns:
            yield from _repeated(last, due_ns, every_ns)
            due_ns += every_ns
        last[quote.symbol] = quote
        yield quote
    while last:
        yield from _repeated(last, due_ns, every_ns)
        due_ns += every_ns


def _repeated(last: dict[str, Quote], now_ns: int, every_ns: int) -> Iterator[Quote]:
    for symbol, quote in last.items():
        if now_ns - quote.ts_ns >= every_ns:
            last[symbol] = msgspec.structs.replace(quote, ts_ns=now_ns)
            yield last[symbol]


class Feed:
    """Hands out quotes when they are due.  ``quotes`` are in order of time and may be endless."""

    def __init__(self, quotes: Iterable[Quote], start_ns: int, hold_ns: int = 0) -> None:
        self._quotes = iter(quotes)
        self._next = next(self._quotes, None)
        self.warm = self._before(start_ns)  # the last quote of each symbol up to the start, oldest first
        if hold_ns:
            rest = chain(() if self._next is None else (self._next,), self._quotes)
            self._quotes = held(self.warm, rest, start_ns, hold_ns)
            self._next = next(self._quotes, None)

    def due(self, now_ns: int) -> bool:
        """Whether a quote waits whose time has come."""
        return self._next is not None and self._next.ts_ns <= now_ns

    def take(self, now_ns: int, limit: int) -> list[Quote]:
        """At most ``limit`` quotes that are due, oldest first."""
        taken: list[Quote] = []
        while len(taken) < limit and self._next is not None and self._next.ts_ns <= now_ns:
            taken.append(self._next)
            self._next = next(self._quotes, None)
        return taken

    def _before(self, start_ns: int) -> list[Quote]:
        last: dict[str, Quote] = {}
        while self._next is not None and self._next.ts_ns <= start_ns:
            last[self._next.symbol] = self._next
            self._next = next(self._quotes, None)
        return sorted(last.values(), key=lambda quote: quote.ts_ns)
