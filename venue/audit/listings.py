"""How contracts were listed, and what the list had said to the session over which an order came.

A list is told when a session begins, and when the client asks again.  An order is to be right by what was listed then,
or came to be listed since: of what changed after the list was told, the sender could not know.

What came first is told by the place in the record, not by the clock: the exchange's stands still while it takes one
thing after another, and what it lists anew right after it told the list has the same time.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.instruments import Instrument
from domain.money import from_float
from venue.truth import TruthEvent


class Listing(NamedTuple):
    """How a contract was listed from line ``seq`` of the record on: units, a price in ten-thousandths, units (0: no
    order at all)."""

    seq: int
    lot_size: int
    tick_size: int
    largest_qty: int


class Told(NamedTuple):
    """That the list was told, in line ``seq`` of the record."""

    seq: int
    ts_ns: int


class Listings:
    """Every listing of every contract that was traded, and when the list was told to which session."""

    def __init__(self) -> None:
        self._of: dict[str, list[Listing]] = {}
        self._told: dict[int, list[Told]] = {}

    def take(self, seq: int, event: TruthEvent) -> None:
        """One line of the record: a listing, or that the list was told."""
        if event.kind == "list_told":
            self._told.setdefault(event.session, []).append(Told(seq, event.ts_ns))
            return
        tick_size = from_float(event.tick_size or 0)
        listing = Listing(seq, event.lot_size or 0, tick_size, event.largest_qty or 0)
        self._of.setdefault(event.symbol, []).append(listing)

    def known(self, plan: Instrument, seq: int, received: TruthEvent, in_flight_ns: int) -> list[Listing]:
        """The listings by which the order of line ``seq`` may be right, oldest first: that of its receipt, and those in
        force since the list was told to its session.

        A list that was told less than ``in_flight_ns`` before the order's receipt may have crossed it, unless it is the
        session's first: nothing leaves before that.  A record without listings has the plan's own.
        """
        told = [each for each in self._told.get(received.session, ()) if each.seq < seq]
        settled = [each for each in told if each.ts_ns <= received.ts_ns - in_flight_ns]
        by_seq = (settled or told)[-1 if settled else 0].seq if told else seq
        own = self._of.get(plan.symbol) or [Listing(0, plan.lot_size, plan.tick_size, plan.max_order_qty)]
        came = [listing for listing in own if listing.seq < seq] or own[:1]
        first = max((i for i, listing in enumerate(came) if listing.seq < by_seq), default=0)
        return came[first:]
