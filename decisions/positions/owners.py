"""Whose the units are that come and go without an order (R21).

First they make up for each other, and for what is nobody's: who trades by hand and undoes it leaves every group as it
was, and a group never answers for a position that it did not open.  The rest is taken from the groups that hold the
symbol, the oldest first (FIFO, as a broker allocates assignments); of what somebody traded by hand, a group that was
given up comes before those that live, for what it holds is a person's to close at the broker.  What is beyond what
groups hold is nobody's: foreign, recorded, never touched.
"""

from __future__ import annotations

from collections.abc import Iterable

from decisions.positions.library import Library
from domain.groups import GroupOutcome
from messages.records import GroupRecord


class Owners:
    """What each has, while the changes of one look are handed out: every answer counts for the next."""

    def __init__(self, library: Library, changes: Iterable[tuple[str, int]]) -> None:
        """``changes``: all that are to be handed out, symbol and signed units."""
        self.held = library.held()
        self._library = library
        self._nobodys = library.foreign()
        self._free: dict[tuple[str, bool], int] = {}  # symbol, whether units come -> how many concern no group
        moved: dict[tuple[str, bool], int] = {}
        for symbol, units in changes:
            moved[symbol, units > 0] = moved.get((symbol, units > 0), 0) + abs(units)
        for (symbol, comes), units in moved.items():
            undone = min(units, moved.get((symbol, not comes), 0))
            own = self._nobodys.get(symbol, 0)
            self._free[symbol, comes] = undone + (abs(own) if own and comes == (own < 0) else 0)

    def hand_out(self, symbol: str, quantity: int, *, by_hand: bool) -> list[tuple[str, str, int]]:
        """Group, leg and signed units of each who has a part in it; nobody's part has neither group nor leg."""
        sign, comes = (1 if quantity > 0 else -1), quantity > 0
        nobodys = min(abs(quantity), self._free.get((symbol, comes), 0))
        self._free[symbol, comes] = self._free.get((symbol, comes), 0) - nobodys
        left, found = abs(quantity) - nobodys, []
        for key in self.holders(symbol, by_hand=by_hand):
            own = self.held.get(key, 0)
            units = min(left, abs(own)) if own * sign < 0 else 0
            if units:
                self.held[key] = own + sign * units
                left -= units
                found.append((*key, sign * units))
        return [*found, ("", "", sign * (nobodys + left))] if nobodys + left else found

    def holders(self, symbol: str, *, by_hand: bool = False) -> list[tuple[str, str]]:
        """The groups that have a leg in this symbol, in the order in which they answer for a change of it."""
        groups = self._library.groups()
        if by_hand:
            groups.sort(key=lambda group: not _is_given_up(group))
        return [
            (group.group_id, leg.leg_id)
            for group in groups
            for leg in group.group.legs
            if leg.instrument.symbol == symbol
        ]

    def note(self, symbol: str, units: int) -> int:
        """Count units as nobody's; what nobody had before."""
        before = self._nobodys.get(symbol, 0)
        self._nobodys[symbol] = before + units
        return before


def _is_given_up(record: GroupRecord) -> bool:
    """Whether a person was told that this group is his, also if he has yet to close what it holds."""
    return record.quarantined and record.outcome is GroupOutcome.HALTED
