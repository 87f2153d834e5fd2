"""What a cell tells a gateway that does not know it yet: the orders that may work at the broker, by its journal."""

from __future__ import annotations

from domain.orders import OrderState
from messages.orders import WorkingOrder
from messages.records import ExecutionStateRecord, IntentRecord, ReplaceStatus

_SETTLED = frozenset({ReplaceStatus.NONE, ReplaceStatus.REPLACED})  # the terms are those that were asked for last


def working_order(intent: IntentRecord, known: ExecutionStateRecord | None) -> WorkingOrder:
    """One order; ``known``: what the broker has said of it."""
    return WorkingOrder(
        parent_id=intent.parent_id,
        symbol=intent.symbol,
        side=intent.side,
        order_type=intent.order_type if intent.replace_status in _SETTLED else None,
        price=intent.price,
        trigger_price=intent.trigger_price,
        state=known.knowledge if known else OrderState.new(intent.client_order_id, intent.quantity),
    )
