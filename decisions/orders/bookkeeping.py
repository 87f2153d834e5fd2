"""The orders of a group that nobody works any more: what becomes of them is written down, and its entries are canceled.

Nothing is placed, hedged or closed here: that is a person's by then.  But an entry may yet add risk, and the person was
told that it is being canceled.  So the cancel is a level and no step: it is asked for as long as nothing has ended the
entry, at the pace of every other cancel (R25), whatever becomes of a single request or of this process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from decisions.effects import Effects, Moment
from decisions.orders.child_order import (
    ChildOrder,
    Fate,
    join,
    on_absence,
    on_cancel_result,
    on_sent,
    on_submit_result,
    restored_child,
    write_down,
)
from decisions.orders.order_changes import request_cancel
from domain.execution import ExecutionReport
from domain.groups import ENTRY_ROLES
from messages.orders import CancelResult, News, OrderAbsent, OrderSent, SubmitResult
from messages.records import ExecutionStateRecord, IntentRecord

Orders = tuple[ChildOrder, ...]


def orders_of(intents: Iterable[IntentRecord], states: Iterable[ExecutionStateRecord]) -> Orders:
    """The orders that a group's rows tell of."""
    known = {state.client_order_id: state for state in states}
    return tuple(restored_child(intent, known.get(intent.client_order_id)) for intent in intents)


def keep_up(orders: Orders, news: Sequence[News], moment: Moment) -> tuple[Orders, Effects]:
    """The orders once ``news`` has been joined into those that it is about, and their entries canceled."""
    effects = Effects()
    told: dict[str, list[News]] = {}
    for one in news:
        told.setdefault(one.client_order_id, []).append(one)
    after = []
    for order in orders:
        heard = order
        for one in told.get(order.intent.client_order_id, ()):
            heard = _heard(heard, one, moment, effects)
        write_down(order, heard, moment, effects)
        after.append(_cancel(heard, moment, effects))
    return tuple(after), effects


def _cancel(order: ChildOrder, moment: Moment, effects: Effects) -> ChildOrder:
    """Ask for the end of an entry.  The first request waits for no gate: it cannot add risk, and a later one makes up
    for it.  What repeats it must be able to leave: else the count of R25 would tell of the link, not of the order.
    """
    if order.intent.role not in ENTRY_ROLES or order.fate is Fate.ENDED:
        return order
    if order.intent.cancel_requests and not moment.may_send:
        return order
    return request_cancel(order, moment, effects)


def _heard(order: ChildOrder, news: News, moment: Moment, effects: Effects) -> ChildOrder:
    match news:
        case ExecutionReport():
            return join(order, news, moment, effects)
        case OrderSent():
            return on_sent(order, news)
        case SubmitResult():
            return on_submit_result(order, news, moment, effects)
        case OrderAbsent():
            return on_absence(order, news.as_of_ns, order.intent.parent_qty, moment, effects, wanted=False)
        case CancelResult():
            return on_cancel_result(order, news, moment, effects)
        case _:
            return order
