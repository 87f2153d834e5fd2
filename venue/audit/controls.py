"""I25: the pre-trade controls hold on what arrived, judged anew from the records.

The limits are those that the gateway said it had when it started; what is judged by them is what the exchange received,
at the exchange's own quotes, and the plan's instruments.  Three parts have modules of their own: what works together
(:mod:`venue.audit.aggregates`), what could trade with each other (:mod:`venue.audit.crossing`), and what stood stopped
(:mod:`venue.audit.standing`).  What the records cannot judge is named in the note, with the reason.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from domain.groups import parent_of
from domain.money import PRICE_SCALE, from_float
from venue.audit.aggregates import aggregates
from venue.audit.authority import is_entry
from venue.audit.cases import Case, case_of
from venue.audit.crossing import crossings
from venue.audit.door import NO_RECORD
from venue.audit.evidence import SECOND_NS, Bounds, Evidence, Finding
from venue.audit.listings import Listing
from venue.audit.orders import Order, State, Terms, moments
from venue.audit.quantities import committed
from venue.audit.standing import applications, frozen, stopped
from venue.audit.wire import ENTRY_ROLES, PACED, Line

PACE_NS = SECOND_NS * 9 // 10  # a request is noted a little after it was paced
UNJUDGED = {
    "E4": "the phase that the gateway was told is not recorded; E17 judges the hours",
    "E8's count of trades": "which fills the gateway had heard is not recorded; what is disabled is judged",
    "E10": "an override is a person's word at the door, which only its record shows",
    "E11's loss": "the quotes by which the gateway worked it out are not recorded; that it stops new risk is judged",
    "E13": "what becomes of entries without a gateway is the exchange's own doing",
    "E14": "the comparison leaves no trace but its alerts",
    "E15": "I19 and I20 judge the log",
    "E16": "a process that was not heard leaves no trace",
    "E18 of another cell": "when one cell's alert became known to another is not recorded",
    "E19": "a day that was not closed leaves no trace but its alert",
    "E20's margin": "the funds that the broker told are not recorded",
    "E20's naked window": "when the gateway was told what stands uncovered is not recorded; I6 bounds it",
}  # and why


def controls_hold_on_the_wire(evidence: Evidence, bounds: Bounds) -> Finding:
    """I25.  A case is one order that arrived, under one control.

    E1 size and notional, E2 collar (twice as wide: the gateway's reference may be older than the exchange's quote, and
    outlive it; or once around what the decision went by, when the market has moved away meanwhile), E3 no id twice
    unless as a repetition, E5 open orders, short units and the money of entries together, E6 a parent's orders within
    its quantity, E7 requests in a second with the reserve kept for repairs, E8 and E11 nothing new of what is disabled
    or while only repairs may leave, and no strategy applied too often, E9 nothing new while killed, E12 no two orders
    that could trade with each other, E17 expiry, and lots, ticks, freeze quantity as the exchange listed them when the
    order came, or since it told its list to the session that the order came over, E18 nothing new while an alert has
    waited too long, E20 the premium of an order and of a day.
    """
    found = Finding(name="I25", title="the pre-trade controls hold on what arrived")
    judged: Counter[str] = Counter()
    in_flight_ns = round(bounds.in_flight_s * SECOND_NS)
    for order in evidence.ours:
        case = case_of(evidence, order, bounds)
        if case is None:
            continue
        if evidence.wire.open_ns(order.received_ns - in_flight_ns, order.received_ns + 1) == 0:
            late = f"arrived between two sessions, more than {bounds.in_flight_s:g} s after the close"
            found.problems.append(f"{order.client_order_id}: E17: {late}, at {order.received_ns}")
        for name, check in _ORDERLY.items():
            judged[name] += 1
            wrong = check(case)
            if wrong:
                found.problems.append(f"{order.client_order_id}: {name}: {wrong}, at {order.received_ns}")
    for name, whole in _WHOLE:
        judged[name] += whole(found, evidence)
    judged += aggregates(found, evidence, bounds)
    judged += stopped(found, evidence)
    found.cases = judged.total()
    unjudged = "; ".join(f"{what}: {why}" for what, why in UNJUDGED.items())
    counts = ", ".join(f"{name} {count}" for name, count in sorted(judged.items()))
    found.notes.append(f"{counts}; not judged from records: {unjudged}")
    if not evidence.wire.present:
        found.notes.append(NO_RECORD)
    return found


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


_WHOLE: tuple[tuple[str, Callable[[Finding, Evidence], int]], ...] = (
    ("E3", _twice),
    ("E6", _parents),
    ("E7", _pace),
    ("E8", applications),
    ("E9", _killed),
    ("E12", crossings),
    ("E18", frozen),
)
