"""What of ours works at the exchange, whenever an order or a change of one takes effect there.

What anybody knows lags behind what is.  But at the moment at which an order arrives, whoever sent it cannot have heard
yet that another one, which had left before it and still works, has ended: that is judged by the order of the records
alone, without a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from domain.execution import Side
from venue.audit.evidence import Evidence
from venue.audit.orders import Order, Step, Terms, moments
from venue.audit.wire import Line, Wire


class Left(NamedTuple):
    """A request as it first left: which line of the wire record that is."""

    place: int
    line: Line


class Working(NamedTuple):
    """An order that works at the exchange, by its last terms.  ``left``: the request that gave it those."""

    order: Order
    step: Step
    terms: Terms
    left: Left

    @property
    def side(self) -> Side:
        """Bought or sold."""
        return self.order.side

    def is_dormant(self, seq: int) -> bool:
        """Whether it is a stop that has not been woken by this event: it is in no book."""
        return bool(self.terms.trigger_price) and not 0 <= self.order.triggered_seq <= seq

    def meets(self, other: Working) -> bool:
        """Whether the two could trade with each other, now that the later of their events has happened."""
        seq = max(self.step.seq, other.step.seq)
        if self.side is other.side or self.is_dormant(seq) or other.is_dormant(seq):
            return False
        bid, ask = (self.terms, other.terms) if self.side is Side.BUY else (other.terms, self.terms)
        return "market" in (bid.order_type, ask.order_type) or bid.price >= ask.price


class Book:
    """Our orders that work at the exchange, by symbol."""

    def __init__(self) -> None:
        self._of: dict[str, dict[Order, Working]] = {}

    def put(self, working: Working) -> None:
        """The order as it is now; one that has ended is in no book."""
        of_symbol = self._of.setdefault(working.terms.symbol, {})
        if working.step.open:
            of_symbol[working.order] = working
        else:
            of_symbol.pop(working.order, None)

    def of(self, symbol: str) -> Iterable[Working]:
        """Those of one contract."""
        return self._of.get(symbol, {}).values()

    def all(self) -> Iterable[Working]:
        """Every one."""
        return (working for of_symbol in self._of.values() for working in of_symbol.values())


class Taken(NamedTuple):
    """An order, or a change of one, has just taken effect.  ``book`` holds it too, and changes from one to the next."""

    asked: Working
    book: Book


def taken(evidence: Evidence) -> Iterator[Taken]:
    """Every order of ours as the exchange received it, and every change, in the order of its record.

    A change that takes only quantity away asks for nothing.  What is not in the wire record is left out: I1 finds it.
    """
    first, changes, book = _submits(evidence.wire), _changes(evidence.wire), Book()
    known: dict[Order, tuple[Terms, Left]] = {}
    for order, step, _ in moments(evidence.ours):
        asks = step.kind == "order_received" and order.client_order_id in first
        if asks:
            known[order] = order.terms, first[order.client_order_id]
        elif step.kind == "replaced" and order in known:
            replaced, (before, left) = next(one for one in order.replaced if one.seq == step.seq), known[order]
            asks = replaced.terms._replace(quantity=before.quantity) != before or step.d_open > 0
            known[order] = replaced.terms, changes.get(replaced.request_id, left) if asks else left
        if order not in known:
            continue
        working = Working(order, step, *known[order])
        book.put(working)
        if asks and step.open:
            yield Taken(working, book)


def _submits(wire: Wire) -> dict[str, Left]:
    found: dict[str, Left] = {}
    for place, line in enumerate(wire.lines):
        if line.kind == "submit":
            found.setdefault(line.client_order_id, Left(place, line))
    return found


def _changes(wire: Wire) -> dict[str, Left]:
    return {line.request_id: Left(place, line) for place, line in enumerate(wire.lines) if line.kind == "modify"}
