"""Orders at the broker that nobody here explains: recorded, told to a person, never guessed at (R21)."""

from __future__ import annotations

from actors.nursery import Nursery
from actors.turn import Turn
from decisions.orders.awaited import has_left
from domain.execution import ExecutionReport
from domain.groups import group_part, parent_prefix
from messages.orders import News
from messages.records import Severity


class Foreign:
    """Owned by the Desk.  ``groups``: tags of groups whose orders the broker has, and no journal of ours."""

    def __init__(self, turn: Turn, nursery: Nursery) -> None:
        self.turn, self.nursery = turn, nursery
        self.groups: set[str] = set()

    def hear(self, report: ExecutionReport) -> None:
        """An order that no intent explains: recorded, alerted, never guessed at.

        One that bears the tag of a group of this cell was placed by a part of the journal that is lost: an older copy
        has been put back.
        """
        side = report.side.value if report.side else "?"
        self._leave(report.client_order_id, "is at the broker")
        self.groups.add(group_part(report.client_order_id))
        self.turn.alert(
            Severity.CRITICAL,
            "FOREIGN_ORDER",
            f"order {report.client_order_id or report.venue_order_id!r} ({side} {report.order_qty} {report.symbol}) "
            "is at the broker, but not in the journal; it was not touched",
            symbol=report.symbol,
            quantity=report.leaves_qty,
            subject=report.client_order_id or report.venue_order_id,
        )

    def hear_of(self, news: News) -> None:
        """What the gateway says of an order that no intent explains: if it has left, the broker will show it in time.

        Until then what the journal knows misleads: it may have protection sold of a short that is being opened.
        """
        if has_left(news):
            self._leave(news.client_order_id, "has left for the broker")

    def made_here(self, order_id: str) -> bool:
        """Whether only this cell makes such order ids."""
        return order_id.startswith(parent_prefix(self.turn.moment.cell))

    def _leave(self, order_id: str, where: str) -> None:
        group_id = self.nursery.find(group_part(order_id)) if self.made_here(order_id) else None
        if group_id is not None:
            self.nursery.leave(group_id, f"its order {order_id} {where}, and not in its journal")
