"""News about child orders, joined into the parent order that placed them."""

from __future__ import annotations

from collections.abc import Sequence

from decisions.effects import Effects, Moment, UnknownMessage
from decisions.orders.child_order import (
    FILLS,
    ChildOrder,
    join,
    on_absence,
    on_cancel_result,
    on_modify_result,
    on_sent,
    on_submit_result,
    write_down,
)
from decisions.orders.read_back import read_back
from decisions.orders.working import Parent, with_order
from domain.execution import ExecutionReport
from domain.groups import ENTRY_ROLES, parent_of
from domain.retold import is_repetition
from messages.orders import CancelResult, ModifyResult, News, OrderAbsent, OrderSent, SubmitResult


def by_parent(bulletin: Sequence[News]) -> dict[str, list[News]]:
    """The pieces of a bulletin by the id of the parent order that they are about, in order."""
    told: dict[str, list[News]] = {}
    for news in bulletin:
        told.setdefault(parent_of(news.client_order_id), []).append(news)
    return told


def hear(parent: Parent, bulletin: Sequence[News], moment: Moment, effects: Effects) -> Parent:
    """The parent after this news about its child orders: all of an order's is joined, then written down once.

    A change in place that was not taken is given up, and its order canceled.  News of an order with our tag that this
    parent never placed is a bug or a forgery and raises :class:`UnknownMessage`.
    """
    told: dict[str, list[News]] = {}
    for news in bulletin:
        told.setdefault(news.client_order_id, []).append(news)
    for order_id, about in told.items():
        before = after = parent.orders.get(order_id)
        if before is None or after is None:
            raise UnknownMessage(f"{order_id} is not an order of {parent.parent_id}")
        for news in about:
            after = _heard(after, parent, news, moment, effects)
        write_down(before, after, moment, effects)
        parent = with_order(parent, after)
    return parent


def _heard(order: ChildOrder, parent: Parent, news: News, moment: Moment, effects: Effects) -> ChildOrder:
    match news:
        case ExecutionReport():
            order = join(order, news, moment, effects)
            return order if is_repetition(order.state.told, news) else read_back(order, news, moment, effects)
        case OrderSent():
            return on_sent(order, news)
        case SubmitResult():
            return on_submit_result(order, news, moment, effects)
        case OrderAbsent():
            return on_absence(order, news.as_of_ns, parent.quantity, moment, effects, wanted=_wanted(parent))
        case ModifyResult():
            return on_modify_result(order, news)
        case CancelResult():
            return on_cancel_result(order, news, moment, effects)


def _wanted(parent: Parent) -> bool:
    """Whether what a snapshot does not list may be sent again: not when that would be more than is needed by now.

    An entry that its leg has given up is not wanted either.  A repair is: sending it again and canceling it is how a
    broker that deduplicates tells what has become of it, so that the next level need not wait for a second absence.
    """
    if parent.yielded and parent.role in ENTRY_ROLES:
        return False
    needed = parent.authorized if parent.eased is None else parent.eased
    return parent.filled + parent.live <= needed


def decisive(news: Sequence[News]) -> News:
    """Which of them a decision is put down to: the last fill, because fills move levels, or the last of all."""
    fills = (one for one in reversed(news) if isinstance(one, ExecutionReport) and one.exec_type in FILLS)
    return next(fills, news[-1])
