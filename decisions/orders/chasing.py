"""A market order that the broker turned into a resting limit is watched and priced again, so often, and within a band.

Some houses put a market order into the book as a limit (NSE's market protection); "market" must not be taken for
"done".  It applies to repairs only: hedges, closes and stop-loss exits.  Where the prices run out, a person is called,
and the order is canceled, so that what follows (the next hedge, the group's close) finds the quantity free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from decisions.effects import MS, Effects, Moment
from decisions.orders.child_order import ChildOrder
from decisions.orders.order_changes import may_replace, request_cancel, request_replace
from decisions.orders.prices import Pricing, price
from decisions.orders.sizing import repair_price
from domain.execution import OrdType
from domain.groups import ENTRY_ROLES
from messages.records import ReplaceStatus, Severity

if TYPE_CHECKING:
    from decisions.orders.working import Parent


def chase_terms(moment: Moment) -> dict[str, Any]:
    """The fields of a repair's :class:`Pricing` that say how its resting market orders are priced again."""
    if not moment.rests:
        return {}
    orders = moment.config.orders
    return {
        "reprices": orders.market_reprices,
        "reprice_pct": orders.market_reprice_pct,
        "band_pct": orders.market_band_pct,
    }


def is_chased(order: ChildOrder, pricing: Pricing) -> bool:
    """Whether this is a market order that may rest, or a limit that has taken its place."""
    intent = order.intent
    if not pricing.reprices or intent.role in ENTRY_ROLES or intent.order_type is OrdType.STOP_LIMIT:
        return False
    return intent.order_type is OrdType.MARKET or intent.replace_requests > 0 or intent.attempt > pricing.attempts


def chase(parent: Parent, order: ChildOrder, tried: int, moment: Moment, effects: Effects) -> ChildOrder:
    """Price a resting order again when its time is up; ``tried`` prices of its slice have been in the market."""
    intent, patience_ns = order.intent, moment.config.orders.market_patience_ms * MS
    due = max(intent.decided_ns, order.resent_ns, intent.replace_requested_ns) + patience_ns
    if moment.at_ns < due or intent.replace_status is ReplaceStatus.REQUESTED:
        effects.wake(max(due, moment.at_ns + MS))
        return order
    effects.acted("S12")
    pricing, instrument = parent.pricing, parent.instrument
    if tried >= pricing.attempts + pricing.reprices:
        _call_a_person(order, tried, moment, effects)
        return request_cancel(order, moment, effects)
    priced = price(pricing, tried + 1, parent.side, instrument, moment.quote(instrument.symbol))
    if priced is None or priced.order_type is not OrdType.LIMIT or not may_replace(order, moment):
        return request_cancel(order, moment, effects)  # its slice's next attempt has the next price
    priced = repair_price(priced, parent.side, instrument, moment.config.controls)
    return request_replace(
        order, moment, effects,
        order_type=OrdType.LIMIT, quantity=order.state.order_qty, price=priced.price, trigger=0,
    )  # fmt: skip


def _call_a_person(order: ChildOrder, tried: int, moment: Moment, effects: Effects) -> None:
    intent = order.intent
    effects.alert(
        moment,
        Severity.CRITICAL,
        "EXIT_RESTED",
        f"{intent.side.value} {order.live} {intent.symbol} by hand if it stays open: the broker let the market order "
        f"rest, and {tried} prices within {moment.config.orders.market_band_pct:g} % of the mid did not fill it",
        group_id=intent.group_id,
        symbol=intent.symbol,
        quantity=order.live,
        subject=intent.client_order_id,
    )
