"""I25: the pre-trade controls hold on what arrived, judged anew from the records.

The limits are those that the gateway said it had when it started; what is judged by them is what the exchange received,
at the exchange's own quotes, and the plan's instruments.  Controls that the records cannot judge are named in the note.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from domain.groups import Leg, group_part, parent_of
from domain.instruments import Instrument
from domain.money import PRICE_SCALE, from_float
from venue.audit.authority import is_entry
from venue.audit.door import NO_RECORD
from venue.audit.evidence import SECOND_NS, Bounds, Evidence, Finding, well_formed
from venue.audit.journal import Intent
from venue.audit.listings import Listing
from venue.audit.orders import Order, State, Terms, moments
from venue.audit.quantities import committed
from venue.audit.wire import ENTRY_ROLES, PACED, Line

MILLISECOND_NS = SECOND_NS // 1_000
PACE_NS = SECOND_NS * 9 // 10  # a request is noted a little after it was paced
UNJUDGED = "not judged from records: E4, E8, E10, E11, E13, E14, E18, E19, E20"


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


def controls_hold_on_the_wire(evidence: Evidence, bounds: Bounds) -> Finding:
    """I25.  A case is one order that arrived, under one control.

    E1 size and notional, E2 collar (twice as wide: the gateway's reference may be older than the exchange's quote, and
    outlive it; or once around what the decision went by, when the market has moved away meanwhile), E3 no id twice
    unless as a repetition, E6 a parent's orders within its quantity, E7 requests in a second with the reserve kept for
    repairs, E9 nothing new while killed, E17 expiry, and lots, ticks, freeze quantity as
    the exchange listed them when the order came, or since it told its list to the session that the order came over.
    """
    found = Finding(name="I25", title="the pre-trade controls hold on what arrived")
    judged: Counter[str] = Counter()
    for order in evidence.ours:
        left = evidence.wire.submits.get(order.client_order_id)
        leg = _leg(evidence, order)
        if left is None or leg is None:
            continue  # I1, I2
        bid, ask = (from_float(price or 0) for price in (order.received.bid, order.received.ask))
        limits = evidence.wire.limits[order.client_order_id]
        intent = evidence.intent(order)
        decided_by = _decided_by(intent, left[0], limits)
        in_flight_ns = round(bounds.in_flight_s * SECOND_NS)
        listings = evidence.record.listings.known(leg.instrument, order.seq, order.received, in_flight_ns)
        case = Case(order, left[0], limits, leg.instrument, listings, bid, ask, decided_by, _dips(intent, order))
        if evidence.wire.open_ns(order.received_ns - in_flight_ns, order.received_ns + 1) == 0:
            late = f"arrived between two sessions, more than {bounds.in_flight_s:g} s after the close"
            found.problems.append(f"{order.client_order_id}: E17: {late}, at {order.received_ns}")
        for name, check in _ORDERLY.items():
            judged[name] += 1
            wrong = check(case)
            if wrong:
                found.problems.append(f"{order.client_order_id}: {name}: {wrong}, at {order.received_ns}")
    for name, whole in (("E3", _twice), ("E6", _parents), ("E7", _pace), ("E9", _killed)):
        judged[name] += whole(found, evidence)
    found.cases = judged.total()
    found.notes.append(", ".join(f"{name} {count}" for name, count in sorted(judged.items())) + f"; {UNJUDGED}")
    if not evidence.wire.present:
        found.notes.append(NO_RECORD)
    return found


def _leg(evidence: Evidence, order: Order) -> Leg | None:
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


def _size(case: Case) -> str:
    most, quantity = case.limits["max_order_qty"], case.order.terms.quantity
    if quantity > most:
        return f"{quantity} units; expected at most {most}"
    worth, allowed = case.price * quantity * case.instrument.multiplier, case.limits["max_order_notional"] * PRICE_SCALE
    return f"worth {worth // PRICE_SCALE}; expected at most {allowed // PRICE_SCALE}" if worth > allowed else ""


def _collar(case: Case) -> str:
    terms = case.order.terms
    if terms.order_type == "market":
        return f"a market order with price {terms.price}" if terms.price else ""
    if terms.price <= 0:
        return f"price {terms.price}; expected one above 0"
    sign = 1 if terms.side == "buy" else -1
    reference, times = (terms.trigger_price, 1) if terms.trigger_price else (case.reference, 2)
    if not reference:
        return "" if case.left.role not in ENTRY_ROLES or case.ask or case.bid else "nothing was quoted"
    beyond, most = sign * (terms.price - reference), times * _collar_width(case, reference)
    own = 0 if terms.trigger_price else case.decided_by
    moved = own and sign * (terms.price - own) <= _collar_width(case, own)
    return f"{beyond} beyond {reference}; expected at most {most}" if beyond > most and not moved else ""


def _collar_width(case: Case, reference: int) -> int:
    share: float = case.limits["price_collar_pct"]
    return max(round(reference * share / 100), from_float(case.limits["price_collar_floor"]))


def _tradable(case: Case) -> str:
    today = datetime.fromtimestamp(case.order.received_ns // SECOND_NS, UTC).date()
    if case.instrument.expired(today):
        return f"expired on {case.instrument.expiry}"
    wrong = [_unfit(case.order.terms, listing) for listing in case.listings]
    return wrong[-1] if all(wrong) else ""


def _unfit(terms: Terms, listing: Listing) -> str:
    if terms.quantity <= 0 or terms.quantity % listing.lot_size:
        return f"{terms.quantity} units; expected whole lots of {listing.lot_size}"
    if terms.quantity > listing.largest_qty:
        return f"{terms.quantity} units; expected at most {listing.largest_qty} by the freeze quantity"
    if terms.price % listing.tick_size or terms.trigger_price % listing.tick_size:
        return f"price {terms.price}, trigger {terms.trigger_price}; expected ticks of {listing.tick_size}"
    return ""


_ORDERLY: dict[str, Callable[[Case], str]] = {"E1": _size, "E2": _collar, "E17": _tradable}


def _twice(found: Finding, evidence: Evidence) -> int:
    for order_id, lines in evidence.wire.submits.items():
        terms = {(x.symbol, x.side, x.quantity, x.order_type, x.price, x.trigger_price) for x in lines}
        pids = {line.pid for line in lines if not line.resend}
        if len(terms) > 1:
            found.problems.append(f"{order_id}: E3: left with {len(terms)} different contents; expected one")
        if sum(not line.resend for line in lines) > len(pids):
            found.problems.append(f"{order_id}: E3: left twice as a new order; expected a repetition to say so")
    return len(evidence.wire.submits)


def _parents(found: Finding, evidence: Evidence) -> int:
    cases = 0
    parents: dict[str, list[Order]] = {}
    for order in evidence.ours:
        parents.setdefault(parent_of(order.client_order_id), []).append(order)
    for orders in parents.values():
        arrived: list[Line] = []
        for order, step, state in moments(orders):
            lines = evidence.wire.submits.get(order.client_order_id)
            if step.kind == "order_received" and lines:
                cases += 1
                _check_parent(found, evidence, order, state, _parent_quantity(lines, arrived))
                arrived += lines
    return cases


def _parent_quantity(lines: list[Line], arrived: list[Line]) -> int:
    """How much of its parent there may be when an order arrives: by what left with it, and by what overtook it."""
    left_ns = min(line.host_ns for line in lines)
    return max(line.parent_qty for line in [*lines, *(line for line in arrived if line.host_ns > left_ns)])


def _check_parent(found: Finding, evidence: Evidence, order: Order, state: State, most: int) -> None:
    total, intent = committed(state), evidence.intent(order)
    views = evidence.views_at(intent.position) if intent else ()
    if total > most and not any(committed(state, seen) <= most for seen in views):
        found.problems.append(f"{order.client_order_id}: E6: {total} filled and open of its parent; expected {most}")


def _pace(found: Finding, evidence: Evidence) -> int:
    recent: deque[int] = deque()
    cases, pid, limits = 0, 0, dict[str, Any]()
    for line in evidence.wire.lines:
        if line.kind == "start":
            pid, limits = line.pid, line.controls
            if recent and line.host_ns < recent[-1]:
                recent.clear()  # the machine was started anew
        if line.kind not in PACED or line.pid != pid:
            continue
        cases += 1
        recent.append(line.host_ns)
        while recent[0] <= line.host_ns - PACE_NS:
            recent.popleft()
        most = limits["orders_per_second"] - (limits["reserved_tokens"] if line.new_risk else 0)
        if len(recent) > most:
            found.problems.append(
                f"{line.client_order_id or line.kind}: E7: request {len(recent)} of a second; expected {most}"
            )
    return cases


def _killed(found: Finding, evidence: Evidence) -> int:
    cases = 0
    for killed in evidence.wire.kills():
        for line in killed.within:
            cases += line.kind == "submit"
            if line.kind == "submit" and is_entry(line.client_order_id):
                found.problems.append(f"{line.client_order_id}: E9: an entry left while killed; expected none")
    return cases
