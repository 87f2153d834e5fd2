"""Snapshots of the broker: what they say of orders is walked through the recovery table, and told where it differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.desk_letters import SnapshotTaken
from actors.foreign import Foreign
from actors.nursery import Nursery
from actors.turn import Standing, Turn
from decisions.orders.snapshots import sort_out
from domain.listings import Listings
from messages.orders import News, OrderAbsent, Snapshot
from messages.records import Severity


class Snapshots:
    """Owned by the Desk."""

    def __init__(self, turn: Turn, nursery: Nursery, listings: Listings, foreign: Foreign) -> None:
        self.turn, self.nursery, self.listings, self.foreign = turn, nursery, listings, foreign
        self.shown: dict[str, Standing | None] = {}  # orders of the last snapshot, as the journal had them before it
        self.absent: list[OrderAbsent] = []  # what the last snapshot did not list, until the gate has opened after it
        self.handlers: dict[type[Any], Callable[[Any], None]] = {
            Snapshot: self.on_snapshot,
            SnapshotTaken: self.on_snapshot_taken,
        }

    def not_listed(self) -> list[OrderAbsent]:
        """What the last snapshot did not list; told once."""
        absent, self.absent = self.absent, []
        return absent

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Walk every order of which it says something new through the recovery table."""
        index = self.nursery.index
        groups = (*self.nursery, *self.nursery.given_up)
        ours = (order_id for group_id in groups for order_id in index.open_orders(group_id))
        open_orders = [order_id for order_id in ours if not self.turn.may_wait(order_id)]
        found = sort_out(
            snapshot, self.listings, open_orders, lambda order_id: self.nursery.owner(order_id) is not None
        )
        self.shown = {r.client_order_id: index.standings.get(r.client_order_id) for r in found.reports}
        self.absent = found.absent
        for report in found.foreign:
            self.foreign.hear(report)
        told: dict[str, list[News]] = {}
        told_of: list[News] = [*found.reports, *found.absent]
        for news in told_of:
            self.turn.awaited.heard(news)
            group_id = self.nursery.owner(news.client_order_id)
            if group_id is not None:
                told.setdefault(group_id, []).append(news)
        for group_id, about in told.items():
            self.nursery.tell(group_id, about)

    def on_snapshot_taken(self, news: SnapshotTaken) -> None:
        """The broker's state has won; a person should know when there was something to win."""
        changed = [key for key, before in self.shown.items() if self.nursery.index.standings.get(key) != before]
        found = [*changed, *news.contradicted]
        self.turn.divergences += len(found)
        self.shown = {}
        if not found:
            return
        shown = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
        self.turn.alert(
            Severity.WARNING,
            "RECONCILIATION_MISMATCH",
            f"a broker snapshot showed {len(found)} orders otherwise than the journal: {shown}",
            quantity=len(found),
            subject=f"{self.turn.moment.cell}/{self.turn.moment.at_ns}",
        )
