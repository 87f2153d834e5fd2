"""News about child orders, joined into the parent order that placed them."""

from __future__ import annotations

from collections.abc import Sequence

from decisions.effects import Effects, Moment, UnknownMessage
from decisions.orders.child_order import FILLS, on_absence, on_modify_result, on_report, on_sent, on_submit_result
from decisions.orders.read_back import read_back
from decisions.orders.working import Parent, with_order
from domain.execution import ExecutionReport
from messages.orders import CancelResult, ModifyResult, News, OrderAbsent, OrderSent, SubmitResult
from messages.records import ExecutionStateRecord, IntentRecord, Record


def hear(parent: Parent, news: News, moment: Moment, effects: Effects) -> Parent:
    """The parent after this piece of news about one of its child orders.

    The answers to cancel requests change nothing: neither "taken" nor "refused" is evidence of where the order is; its
    reports are (R2, R4).  A change in place that was not taken is given up, and its order canceled.  News of an order
    with our tag that this parent never placed is a bug or a forgery and raises :class:`UnknownMessage`.
    """
    order = parent.orders.get(news.client_order_id)
    if order is None:
        raise UnknownMessage(f"{news.client_order_id} is not an order of {parent.parent_id}")
    match news:
        case ExecutionReport():
            return with_order(parent, read_back(on_report(order, news, moment, effects), news, moment, effects))
        case OrderSent():
            return with_order(parent, on_sent(order, news, effects))
        case SubmitResult():
            return with_order(parent, on_submit_result(order, news, moment, effects))
        case OrderAbsent():
            wanted = not parent.yielded and parent.filled + parent.live <= parent.authorized
            return with_order(parent, on_absence(order, news.as_of_ns, parent.quantity, moment, effects, wanted=wanted))
        case ModifyResult():
            return with_order(parent, on_modify_result(order, news, effects))
        case CancelResult():
            return parent


def last_words(records: list[Record]) -> list[Record]:
    """Without what a later record of the same order says again: what a bulletin has changed, it has changed once."""
    told: set[tuple[type[Record], str]] = set()
    kept: list[Record] = []
    for record in reversed(records):
        if type(record) is IntentRecord or type(record) is ExecutionStateRecord:
            key = (type(record), record.client_order_id)
            if key in told:
                continue
            told.add(key)
        kept.append(record)
    kept.reverse()
    return kept


def decisive(news: Sequence[News]) -> News:
    """Which of them a decision is put down to: the last fill, because fills move levels, or the last of all."""
    fills = (one for one in reversed(news) if isinstance(one, ExecutionReport) and one.exec_type in FILLS)
    return next(fills, news[-1])
