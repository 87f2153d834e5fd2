"""Checks of how much: per slot (I3), per leg (I4), per hedge (I5), and of what leaves a position (I9).

The exchange can make any sum too large by itself: a late fill after an end, a correction, a bust of what was closed.
Such an excess is excused and listed.  So is one that a decision caused which had not heard of the surprise yet: the
journal did not hold the execution before the intent.  Every other excess is charged to the event at which the sum grew
past its limit.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from typing import NamedTuple

from domain.groups import Leg, parent_of, tag_kind
from venue.audit.evidence import (
    HEDGE,
    Bounds,
    Evidence,
    Finding,
    GroupOrders,
    Seen,
    filled_of,
    open_of,
    well_formed,
)
from venue.audit.orders import Order, State, Step, moments

ACTIONS = frozenset({"order_received", "replaced"})  # what the system asked for
Measure = Callable[[State, Seen | None], int]


def committed(state: State, seen: Seen | None = None) -> int:
    """Filled and open units of all orders."""
    return sum(filled_of(order, state, seen) + open_of(order, state, seen) for order in state)


def filled(state: State, seen: Seen | None = None) -> int:
    """Filled units of all orders."""
    return sum(filled_of(order, state, seen) for order in state)


class Excess(NamedTuple):
    """A sum that grew past its limit at this event of this order."""

    order: Order
    step: Step
    total: int
    excused: bool


def excesses(
    evidence: Evidence,
    orders: Iterable[Order],
    limit: int,
    measure: Measure,
    leaving: Iterable[Order] = (),
    whole: Measure | None = None,
    repairing: Container[Order] = (),
) -> Iterator[Excess]:
    """Where ``measure`` of these orders grows past ``limit``, in the order of the record.

    What was excused once, and sold again by ``leaving``, may be held once more when it is busted after that.  So may
    what a late fill made too much by the ``whole`` measure, with what was lost without an order: who sold it again need
    not have heard of the loss.  And what was excused once may be lacking once more when the exchange takes back a fill
    of an order that was ``repairing`` it, which it had received after that: no decision makes that excess grow.  A
    surprise is measured by what the exchange had made before it: who has heard of that, and repairs it, did not cause
    this one.
    """
    before, peak, peak_seq, exits = 0, limit, 0, list(leaving)
    for order, step, state in moments(orders):
        total = measure(state, None)
        if whole is not None and step.surprise and step.d_filled > 0:
            peak = max(peak, whole(state, None))
        sold = sum(_filled_by(one, step.seq) for one in exits) if peak > limit else 0
        undone = order in repairing and step.surprise and step.d_filled < 0 and order.steps[0].seq > peak_seq
        if total > max(limit + min(peak - limit, sold), before, peak if undone else limit):
            most = max(limit, min(peak, before)) if step.surprise else limit
            excess = Excess(order, step, total, excused=_excused(evidence, order, step, state, measure, most))
            if excess.excused and total > peak:
                peak, peak_seq = total, step.seq
            yield excess
        before = total


def _filled_by(order: Order, seq: int) -> int:
    return next((step.filled for step in reversed(order.steps) if step.seq <= seq), 0)


def _excused(evidence: Evidence, order: Order, step: Step, state: State, measure: Measure, most: int) -> bool:
    """Whether a decision that had not heard of the surprise made the excess.

    It is the decision of the order itself; when the exchange took back or corrected a fill, whose order's own decision
    may be long past, also the latest one of all these orders.
    """
    decided = {intent.position for one in ({order} if not step.surprise else state) if (intent := evidence.intent(one))}
    own = evidence.intent(order)
    views = {max(decided), own.position} if decided and own else decided
    return any(measure(state, seen) <= most for position in views for seen in evidence.views_at(position))


def _charge(found: Finding, excess: Excess, what: str, limit: int) -> None:
    order, step, total, excused = excess
    told = f"{order.client_order_id}: {what} {total} after {step.kind} at {step.ts_ns}; expected at most {limit}"
    if excused:
        found.notes.append(f"excused, the exchange's own doing: {told}")
    else:
        found.problems.append(told)


def slots_are_never_overfilled(evidence: Evidence, _: Bounds) -> Finding:
    """I3.  A case is one event of an order; a slot is all orders whose ids differ in the attempt only.

    Filled and open units of a slot never exceed the quantity of its first attempt's intent.  When an attempt is
    received, every other attempt of the slot received so far has a lower number and has ended.
    """
    found = Finding(name="I3", title="a slot never works more than its quantity, one attempt at a time")
    slots: dict[str, list[Order]] = {}
    for order in evidence.ours:
        slots.setdefault(order.client_order_id[:17], []).append(order)
    first: dict[str, str] = {}
    for order_id in evidence.journal.intents:
        first[order_id[:17]] = min(order_id, first.get(order_id[:17], order_id))
    for slot, orders in slots.items():
        found.cases += sum(len(order.steps) for order in orders)
        known = evidence.journal.intents.get(first.get(slot, ""))
        quantity = known.terms.quantity if known else orders[0].terms.quantity
        for excess in excesses(evidence, orders, quantity, committed):
            _charge(found, excess, "filled and open in its slot", quantity)
        for order, step, state in moments(orders):
            if step.kind == "order_received":
                _check_attempt(found, order, state)
    return found


def _check_attempt(found: Finding, order: Order, state: State) -> None:
    for other in state:
        if other is order:
            continue
        if other.client_order_id > order.client_order_id:
            found.problems.append(
                f"{order.client_order_id}: received at {order.received_ns} after {other.client_order_id}; "
                "expected no earlier attempt after a later one"
            )
        elif not state[other].ended:
            found.problems.append(
                f"{order.client_order_id}: received at {order.received_ns} while {other.client_order_id} had "
                f"{state[other].open} open; expected it ended"
            )


def _legs(evidence: Evidence) -> Iterator[tuple[GroupOrders, Leg]]:
    return ((group, leg) for group in evidence.groups for leg in group.group.legs)


def _less(measure: Measure, group: GroupOrders, leg: Leg) -> Measure:
    """The same without what the leg lost otherwise than by an order: it may be obtained once more.

    Nor what a bust gave back to an order that was still working: a repair cannot wait for the end of that order.
    Nor what a bust gave back of an exit: until it is heard of, the leg seems to have sold more than it held.  Nor what
    an exit filled after its end: where that is more than was held, it has to be bought back.
    """
    leaving = group.leaving(leg)
    return lambda state, seen: (
        measure(state, seen)
        - group.lost(leg, state)
        - _reopened(state)
        - _returned(leaving, max((last.seq for last in state.values()), default=0))
    )


def _returned(leaving: Iterable[Order], by_seq: int) -> int:
    """Units of exits that a bust or a correction took back by then, or that filled after their order had ended."""
    return sum(abs(step.d_filled) for o in leaving for step in o.steps if step.seq <= by_seq and step.surprise)


def _reopened(state: State) -> int:
    """Units that are open because a bust or a correction took the fill that they had been."""
    units = 0
    for order, last in state.items():
        given_back = (step.d_open for step in order.steps if step.surprise and step.seq <= last.seq)
        units += min(last.open, sum(given for given in given_back if given > 0))
    return units


def legs_never_exceed_their_target(evidence: Evidence, _: Bounds) -> Finding:
    """I4.  A case is one event of an order that adds to a leg: an entry, or a hedge in the leg's direction.

    Their filled and open units never exceed the leg's target; what was busted or lost without an order does not count.
    """
    found = Finding(name="I4", title="a leg never works more than its target")
    for group, leg in _legs(evidence):
        orders = group.entering(leg)
        found.cases += sum(len(order.steps) for order in orders)
        for excess in excesses(
            evidence, orders, leg.target_qty, _less(committed, group, leg), group.leaving(leg), committed
        ):
            _charge(found, excess, f"filled and open in {group.group.group_id}/{leg.leg_id}", leg.target_qty)
    return found


def hedges_never_exceed_what_is_needed(evidence: Evidence, _: Bounds) -> Finding:
    """I5.  A case is one hedge order received or replaced, or one fill of a leg that was hedged in its direction.

    When a hedge order is received, filled and open units of its hedge, and of its whole chain, are at most what the
    hedge, and the chain's first hedge, needed as of the turn that decided the order (``hedge_tracking`` in the log),
    or the latest of those that stand there: a slice that is sent again comes behind some that were decided later.
    Entry fills and the fills of hedges in the leg's direction never exceed the leg's target.
    """
    found = Finding(name="I5", title="a hedge never works more than is needed")
    chains: dict[str, list[Order]] = {}
    for order in evidence.ours:
        if well_formed(order.client_order_id) and tag_kind(order.client_order_id) == HEDGE:
            chains.setdefault(_root(evidence, parent_of(order.client_order_id)), []).append(order)
    for root, orders in chains.items():
        for order, step, state in moments(orders):
            if step.kind in ACTIONS:
                found.cases += 1
                _check_need(found, evidence, order, step, state, root)
    for group, leg in _legs(evidence):
        if group.along(leg):
            orders = group.entering(leg)
            found.cases += sum(step.kind == "fill" for order in orders for step in order.steps)
            for excess in excesses(
                evidence, orders, leg.target_qty, _less(filled, group, leg), group.leaving(leg), filled
            ):
                _charge(found, excess, f"filled in {group.group.group_id}/{leg.leg_id}", leg.target_qty)
    return found


def _root(evidence: Evidence, hedge_id: str) -> str:
    passed: set[str] = set()
    while (above := evidence.journal.above(hedge_id)) and above not in passed:
        passed.add(hedge_id)
        hedge_id = above
    return hedge_id


def _check_need(found: Finding, evidence: Evidence, order: Order, step: Step, state: State, root: str) -> None:
    if evidence.intent(order) is None:
        return  # I1, I2
    own = parent_of(order.client_order_id)
    for hedge_id, what in {root: "its chain", own: "its hedge"}.items():
        part = {o: s for o, s in state.items() if hedge_id == root or parent_of(o.client_order_id) == own}
        latest = max(intent.position for one in part if (intent := evidence.intent(one)))
        needed = evidence.journal.needed(hedge_id, latest.turn)
        if needed is None:
            found.problems.append(f"{order.client_order_id}: no hedge {hedge_id} in the log by then; expected one")
            continue
        total = committed(part)
        if total > needed:
            excused = committed(part, Seen(evidence.journal, latest)) <= needed
            _charge(found, Excess(order, step, total, excused), f"filled and open in {what}", needed)


def exits_never_exceed_what_was_opened(evidence: Evidence, _: Bounds) -> Finding:
    """I9.  A case is one fill of a close, of a stop-loss, or of a hedge against its leg.

    Their fills in a leg never exceed what had filled of its entries and of the hedges in its direction by then, and
    what had come to it without an order, as when the broker liquidates what a bust had left closed too far.  An excess
    that the exchange made is bought back; when it busts that too, there is no more of it than there was.
    """
    found = Finding(name="I9", title="stops, closes and reversing hedges never exit more than was opened")
    for group, leg in _legs(evidence):
        exits = group.leaving(leg)
        leaving = set(exits)
        found.cases += sum(step.kind == "fill" for order in exits for step in order.steps)

        def overdrawn(
            state: State, seen: Seen | None, group: GroupOrders = group, leg: Leg = leg, leaving: set[Order] = leaving
        ) -> int:
            exited = sum(filled_of(order, state, seen) * (1 if order in leaving else -1) for order in state)
            return exited - group.came(leg, state, seen)

        if leaving:
            entering = group.entering(leg)
            for excess in excesses(evidence, entering + exits, 0, overdrawn, repairing=set(entering)):
                _charge(found, excess, f"exited beyond what opened in {group.group.group_id}/{leg.leg_id}:", 0)
    return found
