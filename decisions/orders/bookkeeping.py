"""What becomes of orders whose group nobody works any more: written down, and nothing is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from decisions.effects import Effects, Moment
from decisions.orders.child_order import ChildOrder, join, new_child, on_sent, on_submit_result, write_down
from domain.execution import ExecutionReport
from messages.orders import News, OrderSent, SubmitResult
from messages.records import ExecutionStateRecord, IntentRecord


def keep_up(
    intents: Iterable[IntentRecord], states: Iterable[ExecutionStateRecord], news: Sequence[News], moment: Moment
) -> Effects:
    """Join ``news`` into the orders that it is about; of the rest, and of what a snapshot does not list, nothing."""
    effects = Effects()
    known = {state.client_order_id: state.knowledge for state in states}
    about = {one.client_order_id for one in news}
    for intent in intents:
        key = intent.client_order_id
        if key not in about:
            continue
        before = after = ChildOrder(intent, known[key]) if key in known else new_child(intent)
        for one in news:
            if one.client_order_id == key:
                after = _heard(after, one, moment, effects)
        write_down(before, after, moment, effects)
    return effects


def _heard(order: ChildOrder, news: News, moment: Moment, effects: Effects) -> ChildOrder:
    match news:
        case ExecutionReport():
            return join(order, news, moment, effects)
        case OrderSent():
            return on_sent(order, news)
        case SubmitResult():
            return on_submit_result(order, news, moment, effects)
        case _:
            return order
