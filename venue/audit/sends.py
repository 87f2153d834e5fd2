"""Checks of what was sent: an earlier intent (I1), an intent at all (I2), and nothing but the intent (I30)."""

from __future__ import annotations

from domain.groups import cell_of, group_part, tag_kind
from venue.audit.evidence import ENTRY, HEDGE, Bounds, Evidence, Finding, well_formed
from venue.audit.journal import Intent
from venue.audit.orders import Order, Terms, terms_of


def every_send_has_an_earlier_intent(evidence: Evidence, _: Bounds) -> Finding:
    """I1.  A case is one ``order_received`` line of ours, repetitions included.

    The log must hold an intent under its id, and both the turn that first recorded it and the decision must not be
    later than the receipt, all on the exchange's clock.  That the payload is the same is I30.
    """
    found = Finding(name="I1", title="every send has an earlier committed intent")
    for send in evidence.sends():
        found.cases += 1
        intent = evidence.journal.intents.get(send.client_order_id)
        if intent is None:
            found.problems.append(f"{send.client_order_id}: received at {send.ts_ns}; expected an intent in the log")
        elif max(intent.committed_ns, intent.decided_ns) > send.ts_ns:
            found.problems.append(
                f"{send.client_order_id}: received at {send.ts_ns}, decided at {intent.decided_ns}, committed by turn "
                f"{intent.position.turn} at {intent.committed_ns}; expected the intent first"
            )
        if evidence.wire.present and send.client_order_id not in evidence.wire.submits:
            found.problems.append(f"{send.client_order_id}: received at {send.ts_ns}; expected it in the wire record")
    return found


def every_order_has_an_intent(evidence: Evidence, _: Bounds) -> Finding:
    """I2.  A case is one order at the exchange with our prefix, taken or rejected.

    Table ``order_intents`` must have its id, in the journal of the cell that the id names and in no other.
    """
    found = Finding(name="I2", title="every broker order of ours has an intent in its cell's journal")
    found.problems += evidence.journal.double_problems
    for order in evidence.ours:
        found.cases += 1
        order_id = order.client_order_id
        intent = evidence.intent(order)
        if order_id not in evidence.journal.intent_rows:
            found.problems.append(f"{order_id}: at the exchange since {order.received_ns}; expected an intent")
        elif intent is not None and intent.cell != cell_of(order_id):
            found.problems.append(f"{order_id}: its intent is in cell {intent.cell}; expected {cell_of(order_id)}")
    if evidence.foreign:
        found.notes.append(f"{evidence.foreign} orders without our prefix were not looked at")
    return found


def every_order_is_its_intent(evidence: Evidence, _: Bounds) -> Finding:
    """I30.  A case is one send or one replacement of an order that has an intent.

    Instrument, side, quantity, price, trigger and type of a send are those of the intent's first record; those of a
    replaced order are those of some record of it.  The intent itself must fit its group's plan: the instrument of the
    leg that the id names, the leg's side for an entry, the other side for a close or a stop-loss.
    """
    found = Finding(name="I30", title="every order is what its intent says")
    for send in evidence.sends():
        intent = evidence.journal.intents.get(send.client_order_id)
        if intent is not None:
            found.cases += 1
            _compare(found, send.client_order_id, "received", terms_of(send), {intent.terms})
    for order in evidence.ours:
        intent = evidence.intent(order)
        if intent is None:
            continue
        for replaced in order.replaced:
            found.cases += 1
            _compare(found, order.client_order_id, "replaced", replaced.terms, intent.all_terms)
        _compare_with_plan(found, evidence, order, intent)
    return found


def _compare(found: Finding, order_id: str, what: str, terms: Terms, intended: set[Terms]) -> None:
    if terms not in intended:
        expected = " or ".join(_words(one) for one in sorted(intended))
        found.problems.append(f"{order_id}: {what} as {_words(terms)}; expected {expected}")


def _words(terms: Terms) -> str:
    trigger = f" trigger {terms.trigger_price}" if terms.trigger_price else ""
    return f"{terms.side} {terms.quantity} {terms.symbol} {terms.order_type} {terms.price}{trigger}"


def _compare_with_plan(found: Finding, evidence: Evidence, order: Order, intent: Intent) -> None:
    order_id = order.client_order_id
    row = evidence.journal.groups.get(group_part(order_id)) if well_formed(order_id) else None
    if row is None:
        found.problems.append(f"{order_id}: its id names no group of the journal; expected one")
        return
    leg = next((leg for leg in row.group.legs if leg.leg_id == intent.leg_id), None)
    if leg is None or intent.group_id != row.group.group_id:
        found.problems.append(f"{order_id}: intended for {intent.group_id}/{intent.leg_id}; expected a leg of its plan")
        return
    kind = tag_kind(order_id)
    side = leg.side if kind == ENTRY else leg.side.opposite
    if intent.terms.symbol != leg.instrument.symbol or (kind != HEDGE and intent.terms.side != side.value):
        found.problems.append(
            f"{order_id}: intended as {_words(intent.terms)}; expected {leg.instrument.symbol}"
            + ("" if kind == HEDGE else f" to {side.value}")
        )
