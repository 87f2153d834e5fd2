"""The books of all journals, read as one (E14).

Every answer costs what is open, held or asked about, and not what was ever done.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from decisions.positions.books import Books, KnownOrder, News, add
from domain.calendar import FOREVER_NS
from domain.groups import Leg
from messages.records import GroupRecord, PositionEventRecord


class Library:
    """One per look; the books in it live on."""

    def __init__(self, books: Iterable[Books] = ()) -> None:
        self.books = list(books)

    def order(self, client_order_id: str) -> KnownOrder | None:
        """An order of ours."""
        return next((book.orders[client_order_id] for book in self.books if client_order_id in book.orders), None)

    def event(self, event_id: str) -> PositionEventRecord | None:
        """A change that no order caused."""
        return next((book.events[event_id] for book in self.books if event_id in book.events), None)

    def news(self) -> News:
        """What has changed since this was last asked, of whichever library these books stood in."""
        found = [book.news() for book in self.books]
        return News(set().union(*(one.orders for one in found)), set().union(*(one.events for one in found)))

    def everything(self) -> News:
        """The ids of all that is here."""
        return News(set().union(*(book.orders for book in self.books)), set().union(*(b.events for b in self.books)))

    def totals(self) -> dict[str, int]:
        """Signed units by symbol, of all orders and of all changes without orders."""
        return _sums(book.totals for book in self.books)

    def foreign(self) -> dict[str, int]:
        """Signed units by symbol that belong to no group's leg."""
        return _sums(book.foreign for book in self.books)

    def events_of(self, symbol: str) -> list[PositionEventRecord]:
        """Every change of a symbol that no order caused, oldest first."""
        found = [book.events[key] for book in self.books for key in book.moved.get(symbol, ())]
        return sorted(found, key=_age)

    def latest(self, most: int) -> list[PositionEventRecord]:
        """The last changes that no order caused, oldest first."""
        found = [event for book in self.books for event in islice(reversed(book.events.values()), most)]
        return sorted(found, key=_age)[-most:]

    def doubted(self) -> set[str]:
        """Symbols of which something changed that a person must answer for, or once had to."""
        return set().union(*(book.doubted for book in self.books))

    def booked(self, activity_id: str) -> int:
        """Units that the journals have taken of a broker's activity."""
        return sum(book.booked.get(activity_id, 0) for book in self.books)

    def is_linked(self, activity_id: str) -> bool:
        """Whether an activity explained what had been journaled by evidence before."""
        return any(activity_id in book.linked for book in self.books)

    def groups(self) -> list[GroupRecord]:
        """The groups that are open or hold a unit, oldest first: so they answer for a change of a shared symbol."""
        found = [group for book in self.books for group in book.active.values()]
        return sorted(found, key=lambda group: (group.created_ns, group.group_id))

    def cell_of(self, group_id: str) -> int:
        """The cell of a group, also of one that is over; 0 for nobody."""
        return next((book.groups[group_id].cell for book in self.books if group_id in book.groups), 0)

    def leg(self, symbol: str) -> Leg | None:
        """A leg that any group ever had in this symbol; for what its instrument is."""
        return next((book.legs[symbol] for book in self.books if symbol in book.legs), None)

    def held(self) -> dict[tuple[str, str], int]:
        """Signed units by group and leg: fills, busts and corrections applied, and changes without orders."""
        return {
            (group_id, leg_id): units
            for book in self.books
            for group_id, legs in book.units.items()
            for leg_id, units in legs.items()
        }

    def held_symbols(self) -> set[str]:
        """The symbols of which any group holds a unit, long or short."""
        return {
            leg.instrument.symbol
            for book in self.books
            for group_id in book.units.keys() & book.active.keys()
            for leg in book.active[group_id].group.legs
            if leg.leg_id in book.units[group_id]
        }

    def underlyings(self) -> frozenset[str]:
        """The underlyings of all that groups hold."""
        return frozenset(
            leg.instrument.underlying
            for book in self.books
            for group_id in book.units.keys() & book.active.keys()
            for leg in book.active[group_id].group.legs
        )

    def began_ns(self) -> int:
        """When the first group came about, or the first change without an order; far ahead while there is neither."""
        return min((book.began_ns for book in self.books), default=FOREVER_NS)

    def is_told(self, alert_id: str) -> bool:
        """Whether an alert of the reconciler's is journaled."""
        return any(alert_id in book.told for book in self.books)

    def has_told(self, kind: str, group_id: str, text: str) -> bool:
        """Whether these very words were told of this group, under whatever id."""
        return any(text in book.texts.get((kind, group_id), ()) for book in self.books)

    def beyond_events(self, group_id: str) -> int:
        """A number beyond those of all changes that are journaled for this group ("": nobody's): the next one's.

        Not how many there are: where an older copy of a journal was put back while a letter was on its way, some are
        missing before the one that the letter told of.
        """
        return max((book.beyond.get(group_id, 0) for book in self.books), default=0)


def _sums(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts:
        for key, units in part.items():
            add(found, key, units)
    return found


def _age(event: PositionEventRecord) -> tuple[int, str]:
    return event.ts_ns, event.event_id
