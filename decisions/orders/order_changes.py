"""Cancel and change of a working order: asked for, asked for again, and what becomes of a failure (R2, R3, R25).

A change in place is made on the broker's evidence alone.  It never raises a quantity, so that a late answer can never
leave more at the broker than is wanted; and when it is refused, of unknown fate or not answered in time, the order is
canceled and the cancel confirmed, which is what a broker that cannot change orders gets from the start.
"""

from __future__ import annotations

from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment
from decisions.orders.child_order import ChildOrder, replace_request_id
from domain.execution import OrdType
from messages.orders import CancelOrder, ModifyOrder
from messages.records import IntentStatus, ReplaceStatus, Severity


def request_cancel(order: ChildOrder, moment: Moment, effects: Effects) -> ChildOrder:
    """Ask the broker to cancel; ask again when it stays silent; after too often, call a person (R25).

    What is over at the broker, and lives here for a fill that has yet to be told, cannot be canceled.
    """
    if order.state.is_terminal:
        return order
    intent, config = order.intent, moment.config.orders
    again = intent.cancel_requested_ns + config.cancel_timeout_ms * MS * min(max(intent.cancel_requests, 1), 10)
    if intent.cancel_requests and moment.at_ns < again:
        effects.wake(again)
        return order
    requests = intent.cancel_requests + 1
    if requests == config.max_cancels + 1:
        effects.alert(
            moment,
            Severity.CRITICAL,
            "CANCEL_STUCK",
            f"{intent.client_order_id}: {config.max_cancels} cancels without an end; it counts as live",
            group_id=intent.group_id,
            symbol=intent.symbol,
            quantity=order.live,
            subject=intent.client_order_id,
        )
    stuck = requests > config.max_cancels
    intent = replace(
        intent,
        cancel_requests=requests,
        cancel_requested_ns=moment.at_ns,
        status=IntentStatus.UNRESOLVED if stuck else intent.status,
    )
    effects.records.append(intent)
    effects.requests.append(
        CancelOrder(
            client_order_id=intent.client_order_id,
            venue_order_id=intent.broker_order_id,
            request_id=f"{intent.client_order_id}/c{requests}",
            epoch=moment.epoch,
        )
    )
    effects.wake(moment.at_ns + config.cancel_timeout_ms * MS)
    return replace(order, intent=intent)


def may_replace(order: ChildOrder, moment: Moment) -> bool:
    """Whether a change in place can be asked for: the broker can, and nothing about this order is in doubt."""
    return moment.replaces and order.is_sound and not order.state.missing_qty and not order.state.count.doubtful


def request_replace(
    order: ChildOrder, moment: Moment, effects: Effects, *, order_type: OrdType, quantity: int, price: int, trigger: int
) -> ChildOrder:
    """Ask the broker to give the order other terms.  ``quantity`` is the whole order's, what has filled included."""
    intent = replace(
        order.intent,
        order_type=order_type,
        quantity=min(quantity, order.state.order_qty),
        price=price,
        trigger_price=trigger,
        replace_requests=order.intent.replace_requests + 1,
        replace_requested_ns=moment.at_ns,
        replace_status=ReplaceStatus.REQUESTED,
    )
    effects.records.append(intent)
    effects.requests.append(
        ModifyOrder(
            client_order_id=intent.client_order_id,
            venue_order_id=intent.broker_order_id,
            request_id=replace_request_id(intent),
            order_type=order_type,
            quantity=intent.quantity,
            price=price,
            trigger_price=trigger,
            epoch=moment.epoch,
        )
    )
    effects.wake(moment.at_ns + moment.config.orders.cancel_timeout_ms * MS)
    return replace(order, intent=intent)


def must_cancel(order: ChildOrder, moment: Moment, effects: Effects) -> bool:
    """Whether the order is to be canceled whatever is wanted: one is under way, a change in place has failed, or nobody
    has seen it since an answer took it.
    """
    intent = order.intent
    if intent.cancel_requests or intent.replace_status is ReplaceStatus.FAILED or order.has_vanished:
        return True
    if intent.replace_status is not ReplaceStatus.REQUESTED:
        return False
    deadline = intent.replace_requested_ns + moment.config.orders.cancel_timeout_ms * MS
    if moment.at_ns >= deadline:
        effects.acted("S12")
        return True
    effects.wake(deadline)
    return False
