"""An order that arrived, with all that the controls on it are judged by (I25)."""

from __future__ import annotations

from typing import Any, NamedTuple

from domain.groups import Leg, group_part
from domain.instruments import Instrument
from domain.money import from_float
from venue.audit.evidence import SECOND_NS, Bounds, Evidence, well_formed
from venue.audit.journal import Intent
from venue.audit.listings import Listing
from venue.audit.orders import Order
from venue.audit.wire import ENTRY_ROLES, Line

MILLISECOND_NS = SECOND_NS // 1_000


class Case(NamedTuple):
    """An order that arrived, what left for it, and what it is judged by."""

    order: Order
    left: Line
    limits: dict[str, Any]
    instrument: Instrument
    listings: list[Listing]  # by any of which the order may be right; the last: at its receipt
    bid: int
    ask: int
    decided_by: int  # the middle that the decision went by, while it is young enough for the gateway; else 0
    dips: tuple[int, ...]  # lower middles than when it arrived, each quoted at some time since it was decided

    @property
    def reference(self) -> int:
        """The middle of the exchange's quote when the order arrived; 0 when a side is missing.

        An entry that found nothing quoted may have been overtaken by the end of its quote: it is judged by that one,
        as old as the gateway itself may take a reference to be.
        """
        if self.bid and self.ask:
            return (self.bid + self.ask) // 2
        return self.decided_by if self.left.role in ENTRY_ROLES and not (self.bid or self.ask) else 0

    @property
    def price(self) -> int:
        """What a unit counts with: its limit, or of a market order the lowest middle from its decision to its arrival.

        The gateway measures by one that it saw in between; 0: it was decided blind, and the gateway saw as little.
        """
        middle = (self.bid + self.ask) // 2 if self.bid and self.ask else self.decided_by
        return self.order.terms.price or min(middle, self.decided_by, *self.dips)


def case_of(evidence: Evidence, order: Order, bounds: Bounds) -> Case | None:
    """The case of an order; ``None`` for one that no plan or no line of the wire record knows (I1, I2)."""
    left, leg = evidence.wire.submits.get(order.client_order_id), leg_of(evidence, order)
    if left is None or leg is None:
        return None
    bid, ask = (from_float(price or 0) for price in (order.received.bid, order.received.ask))
    limits = evidence.wire.limits[order.client_order_id]
    intent = evidence.intent(order)
    decided_by = _decided_by(intent, left[0], limits)
    in_flight_ns = round(bounds.in_flight_s * SECOND_NS)
    listings = evidence.record.listings.known(leg.instrument, order.seq, order.received, in_flight_ns)
    return Case(order, left[0], limits, leg.instrument, listings, bid, ask, decided_by, _dips(intent, order))


def let_pass(evidence: Evidence, order: Order, control: str) -> bool:
    """Whether the gateway's journal says that a person's override let this order pass this control (E10)."""
    return (f"use/{order.client_order_id}/{control}",) in evidence.journal.history["ControlRecord"]


def leg_of(evidence: Evidence, order: Order) -> Leg | None:
    """The leg of a plan that the order is of; ``None`` when no journal has it."""
    row = evidence.journal.groups.get(group_part(order.client_order_id)) if well_formed(order.client_order_id) else None
    return next((leg for leg in row.group.legs if leg.instrument.symbol == order.terms.symbol), None) if row else None


def _decided_by(intent: Intent | None, left: Line, limits: dict[str, Any]) -> int:
    """The intent's own reference, 0 when there was none or it had grown too old by the time that the order left."""
    if intent is None or left.ts_ns - intent.decided_ns > limits["reference_max_age_ms"] * MILLISECOND_NS:
        return 0
    reference: int = intent.facts["reference_price"]
    return reference


def _dips(intent: Intent | None, order: Order) -> tuple[int, ...]:
    since_ns = intent.decided_ns if intent else order.received_ns
    return tuple(from_float(low.middle) for low in order.received.lows if low.until_ns >= since_ns)
