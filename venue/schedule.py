"""What the exchange's clock brings by itself: the ends of sessions, and contracts whose last moment comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from domain.instruments import Instrument
from venue.rules import Rules


class Schedule:
    """Each end and each expiry once."""

    def __init__(self, rules: Rules, instruments: Iterable[Instrument]) -> None:
        self._rules = rules
        expiries = {i.expiry: rules.expiry_ns(i.expiry) for i in instruments if i.expiry}
        self._expiries = deque(sorted((due, expiry) for expiry, due in expiries.items()))
        self._close_ns = -1  # the end of this session; 0: it never ends; -1: nobody has asked yet

    def closes(self, now_ns: int) -> Iterator[int]:
        """The ends of sessions that have come by now."""
        if self._close_ns < 0:
            self._close_ns = self._rules.close_after(now_ns)
        while self._close_ns and now_ns >= self._close_ns:
            yield self._close_ns
            self._close_ns = self._rules.close_after(self._close_ns)

    def expiries(self, now_ns: int) -> Iterator[str]:
        """The ISO expiry dates whose contracts are dead by now."""
        while self._expiries and self._expiries[0][0] <= now_ns:
            yield self._expiries.popleft()[1]
