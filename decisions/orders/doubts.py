"""Fills in doubt: trades that we hold, and that the broker's own later count denies (domain/fills.py).

They count as live, like everything of unknown fate: nothing takes their place, and nothing that they would have to
cover is released.  The gateway asks the broker as soon as it sees the same (actors/broker_session.py: settle); the bust
that was lost, or an answer that says one or the other, ends the doubt.  When none does in time, a person is told.
"""

from __future__ import annotations

from collections.abc import Iterable

from decisions.effects import MS, Effects, Moment
from decisions.orders.child_order import ChildOrder
from messages.records import Severity


def tell_doubts(orders: Iterable[ChildOrder], moment: Moment, effects: Effects) -> None:
    """Raise ``FILLS_IN_DOUBT`` for each order whose doubt has lasted for as long as a hedge may take (S11).

    Time counts from the last execution: what a doubt is about is what the broker has said since.
    """
    for order in orders:
        units = order.state.doubtful_qty
        if not units:
            continue
        since_ns = max(execution.ts_ns for execution in order.state.executions)
        due = since_ns + moment.config.hedge.timeout_ms * MS
        if moment.at_ns < due:
            effects.wake(due)
            continue
        intent = order.intent
        effects.alert(
            moment,
            Severity.WARNING,
            "FILLS_IN_DOUBT",
            f"{intent.client_order_id}: {order.filled} {intent.symbol} count as filled; of {units} more the broker has "
            "told fills, and then counted without them, and no answer has settled it; they count as live: look at the "
            "order's fills at the broker",
            group_id=intent.group_id,
            symbol=intent.symbol,
            quantity=units,
            subject=f"{intent.client_order_id}/{since_ns}",
        )
