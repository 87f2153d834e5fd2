"""The exchange's record, read as the history of every order: how much had filled and was open after each event.

One *send* is one ``order_received`` line.  A send whose id the exchange already knows and refuses without giving it a
number of its own is a *retransmission*; every other send is an order.  A *surprise* is a change of what has filled that
no trading system can prevent: a bust, a correction, or a fill after the exchange had ended the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from operator import itemgetter
from typing import NamedTuple

from domain.execution import Side
from domain.groups import TAG_PREFIX
from domain.money import from_float
from venue.audit.listings import Listings
from venue.audit.nameless import Told, Untold
from venue.truth import TruthEvent

ENDS = frozenset({"canceled", "expired", "rejected"})
EXECUTIONS = {"fill": "trade", "corrected": "trade_correct", "busted": "trade_cancel"}  # kind -> the journal's word


class Terms(NamedTuple):
    """What an order asks for; prices in ten-thousandths, 0 where there is none."""

    symbol: str
    side: str
    quantity: int
    price: int
    trigger_price: int
    order_type: str


def terms_of(event: TruthEvent) -> Terms:
    """The terms that a line of the record shows."""
    return Terms(
        event.symbol,
        event.side,
        event.qty or 0,
        from_float(event.price or 0),
        from_float(event.trigger_price or 0),
        event.order_type,
    )


class Replaced(NamedTuple):
    """What an order was changed into in place; ``request_id``: of the change that asked for it."""

    seq: int
    terms: Terms
    request_id: str


class Step(NamedTuple):
    """An order after the event with number ``seq``; ``d_filled`` and ``d_open`` are what the event changed."""

    seq: int
    ts_ns: int
    kind: str
    filled: int
    open: int
    ended: bool
    exec_id: str  # as the journal keeps it
    d_filled: int
    d_open: int
    surprise: bool
    again: bool  # told without exec id in the very words of an earlier one
    undoes: int  # the number of the fill that it takes back or corrects; -1: of none
    paid: int  # for all that had filled by then: units times ten-thousandths


class Execution(NamedTuple):
    """A fill, a correction or a bust as the exchange recorded it.  ``kind`` is the journal's word for it."""

    client_order_id: str
    exec_id: str  # as the journal keeps it
    kind: str
    quantity: int
    price: int


class Order:
    """One order at the exchange, from its receipt on."""

    def __init__(self, seq: int, received: TruthEvent) -> None:
        self.received = received
        self.client_order_id = received.client_order_id
        self.venue_order_id = ""
        self.seq = seq
        self.received_ns = received.ts_ns
        self.terms = terms_of(received)
        self.answer = ""  # accepted, rejected, or "" when the record ends before
        self.replaced: list[Replaced] = []
        self.triggered_seq = -1  # which event woke a stop; -1: none has
        self.steps: list[Step] = []
        self._fills: dict[str, tuple[int, int]] = {}  # by exec id, as they stand: units, and the price of one
        self._told_by: dict[str, int] = {}  # exec id of a fill -> the number of its event
        self._untold = Untold() if received.nameless else None
        self._quantity = self.terms.quantity
        self._step(seq, received, received.exec_id, ended=False)

    @property
    def side(self) -> Side:
        """Bought or sold."""
        return Side(self.terms.side)

    @property
    def quantity(self) -> int:
        """For how many units it is, by its last terms."""
        return self._quantity

    @property
    def last(self) -> Step:
        """How the order is in the end."""
        return self.steps[-1]

    def ended_by(self, ts_ns: int) -> bool:
        """Whether the order had ended by this time."""
        return any(step.ended and step.ts_ns <= ts_ns for step in self.steps)

    def ever_filled(self, until_ns: int) -> int:
        """All fills up to this time, busted ones too: who has not heard of a bust believes that all of them stand."""
        return sum(step.d_filled for step in self.steps if step.ts_ns <= until_ns and step.d_filled > 0)

    def told(self, event: TruthEvent) -> Told:
        """How an execution of this order, which must be told in order, is known to the journal."""
        if self._untold is not None:
            return self._untold.told(event)
        return Told(event.exec_id, event.last_qty or 0, from_float(event.last_px or 0))

    def apply(self, seq: int, event: TruthEvent, exec_id: str) -> None:
        """Follow one event of this order; ``exec_id``: as the journal keeps it."""
        ended, surprise = self.last.ended, False
        match event.kind:
            case "accepted" | "rejected":
                self.answer, self.venue_order_id = event.kind, event.venue_order_id
            case "fill":
                self._fills[event.exec_id] = _traded(event)
                self._told_by[event.exec_id] = seq
                surprise = ended
            case "busted":
                self._fills.pop(event.exec_ref_id, None)
                surprise = True
            case "corrected":
                self._fills[event.exec_ref_id] = _traded(event)
                surprise = True
            case "replaced":
                self.replaced.append(Replaced(seq, terms_of(event), event.request_id))
                self._quantity = event.qty or 0
            case "triggered":
                self.triggered_seq = seq
                return
            case _ if event.kind not in ENDS:
                return
        self._step(seq, event, exec_id, ended=ended or event.kind in ENDS, surprise=surprise)

    def _step(self, seq: int, event: TruthEvent, exec_id: str, *, ended: bool, surprise: bool = False) -> None:
        filled = sum(units for units, _ in self._fills.values())
        paid = sum(units * price for units, price in self._fills.values())
        ended = ended or filled >= self._quantity
        is_open = 0 if ended else self._quantity - filled
        before = (self.last.filled, self.last.open) if self.steps else (0, 0)
        d_filled, d_open = filled - before[0], is_open - before[1]
        again = bool(exec_id) and any(step.exec_id == exec_id for step in self.steps)
        undoes = self._told_by.get(event.exec_ref_id, -1) if event.kind in ("busted", "corrected") else -1
        self.steps.append(
            Step(
                seq,
                event.ts_ns,
                event.kind,
                filled,
                is_open,
                ended,
                exec_id,
                d_filled,
                d_open,
                surprise,
                again,
                undoes,
                paid,
            )
        )


def _traded(event: TruthEvent) -> tuple[int, int]:
    return event.last_qty or 0, from_float(event.last_px or 0)


class ExchangeRecord:
    """The whole record.  ``strays`` are lines about an order of which no receipt is recorded."""

    def __init__(self, events: Iterable[TruthEvent]) -> None:
        self.sends: list[TruthEvent] = []
        self.orders: list[Order] = []
        self.executions: list[Execution] = []
        self.strays: list[TruthEvent] = []
        self.movements: list[TruthEvent] = []  # changes of position that no order caused
        self.listings = Listings()
        self.turned_away: dict[str, int] = {}  # order -> when its front end first refused it by a report
        self.last_ns = 0
        self._by_client: dict[str, list[Order]] = {}
        retransmissions: set[Order] = set()
        for seq, event in enumerate(events):
            self.last_ns = event.ts_ns
            self._read(seq, event, retransmissions)
        unanswered = {order for known in self._by_client.values() for order in known[1:] if not order.answer}
        self.orders = [order for order in self.orders if order not in retransmissions | unanswered]

    def under(self, client_order_id: str) -> list[Order]:
        """The orders that were taken under this id: one, unless the exchange took a repeated id for a second order."""
        return self._by_client.get(client_order_id, [])

    def _read(self, seq: int, event: TruthEvent, retransmissions: set[Order]) -> None:
        if event.kind in ("listing", "list_told"):
            self.listings.take(seq, event)
            return
        if not event.client_order_id:
            self.movements.append(event)
            return
        if event.kind == "turned_away":
            self.turned_away.setdefault(event.client_order_id, event.ts_ns)
            return
        known = self._by_client.setdefault(event.client_order_id, [])
        if event.kind == "order_received":
            self.sends.append(event)
            known.append(Order(seq, event))
            self.orders.append(known[-1])
            return
        order = _order_of(event, known)
        if order is None:
            if event.kind not in ("cancel_received", "cancel_rejected"):
                self.strays.append(event)
            return
        if event.kind == "rejected" and not event.venue_order_id and order is not known[0]:
            retransmissions.add(order)
            known.remove(order)
            return
        exec_id = event.exec_id
        if event.kind in EXECUTIONS:
            exec_id, quantity, price = order.told(event)
            kind = EXECUTIONS[event.kind]
            self.executions.append(Execution(event.client_order_id, exec_id, kind, quantity, price))
        order.apply(seq, event, exec_id)


def _order_of(event: TruthEvent, known: list[Order]) -> Order | None:
    """Which of the orders under one id an event is about: answers go to the last receipt, the rest by the number."""
    if event.kind in ("accepted", "rejected"):
        return next((order for order in reversed(known) if not order.answer), None)
    numbered = (order for order in reversed(known) if order.venue_order_id == event.venue_order_id)
    return next(numbered, known[-1] if known else None)


State = dict[Order, Step]


def moments(orders: Iterable[Order]) -> Iterator[tuple[Order, Step, State]]:
    """Every event of these orders in the order of the record, with how each order received so far is after it.

    The mapping is one object that changes from moment to moment.
    """
    state: State = {}
    histories = [[(step.seq, order, step) for step in order.steps] for order in orders]
    for _, order, step in merge(*histories, key=itemgetter(0)):
        state[order] = step
        yield order, step, state


def is_ours(client_order_id: str) -> bool:
    """Whether the id has the prefix of the system that is audited."""
    return client_order_id.startswith(TAG_PREFIX)
