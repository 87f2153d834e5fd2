"""What the journals say, folded from their logs by somebody who owns none of them (E14).

One :class:`Books` per cell; records come in the order of the log.  Nothing here is ever written back.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from domain.execution import Side
from domain.groups import Leg, Role
from domain.orders import OrderState
from messages.records import (
    EscalationRecord,
    ExecutionStateRecord,
    GroupRecord,
    IntentRecord,
    IntentStatus,
    PositionEventRecord,
    Record,
)

ISSUE_KINDS = frozenset({"POSITION_MISMATCH", "EXPIRY_NEAR", "END_OF_DAY"})
GONE = frozenset({IntentStatus.REFUSED, IntentStatus.VOID})  # never was at the broker, as far as we know


class KnownOrder(msgspec.Struct, frozen=True):
    """One order of ours: what it is, and what is known of it."""

    client_order_id: str
    group_id: str
    leg_id: str
    role: Role
    symbol: str
    side: Side
    quantity: int
    status: IntentStatus
    knowledge: OrderState

    @property
    def live(self) -> int:
        """Units that may still trade or have traded unseen; 0 once the journal calls it over."""
        if self.knowledge.is_settled or (self.status in GONE and not self.knowledge.acknowledged):
            return 0
        return self.knowledge.live_qty


class Books:
    """One journal, folded."""

    def __init__(self) -> None:
        self.groups: dict[str, GroupRecord] = {}
        self.orders: dict[str, KnownOrder] = {}
        self.events: dict[str, PositionEventRecord] = {}
        self.told: dict[str, str] = {}  # alert -> its text, of the kinds that the reconciler raises

    def follow(self, record: Record) -> None:
        """Take the next record of the log."""
        match record:
            case GroupRecord():
                self.groups[record.group_id] = record
            case IntentRecord():
                self.orders[record.client_order_id] = self._order(record)
            case ExecutionStateRecord():
                known = self.orders.get(record.client_order_id)
                if known is not None:  # an intent is always written first
                    self.orders[record.client_order_id] = msgspec.structs.replace(known, knowledge=record.knowledge)
            case PositionEventRecord():
                self.events[record.event_id] = record
            case EscalationRecord() if record.kind in ISSUE_KINDS:
                self.told[record.escalation_id] = record.text
            case _:
                pass

    def _order(self, intent: IntentRecord) -> KnownOrder:
        known = self.orders.get(intent.client_order_id)
        return KnownOrder(
            client_order_id=intent.client_order_id,
            group_id=intent.group_id,
            leg_id=intent.leg_id,
            role=intent.role,
            symbol=intent.symbol,
            side=intent.side,
            quantity=intent.quantity,
            status=intent.status,
            knowledge=known.knowledge if known else OrderState.new(intent.client_order_id, intent.quantity),
        )


class Library:
    """The books of all cells, read as one."""

    def __init__(self, books: Iterable[Books] = ()) -> None:
        self.books = list(books)

    def orders(self) -> dict[str, KnownOrder]:
        """Every order of ours by its id."""
        return {key: order for book in self.books for key, order in book.orders.items()}

    def events(self) -> list[PositionEventRecord]:
        """Every change that no order caused, oldest first."""
        found = [event for book in self.books for event in book.events.values()]
        return sorted(found, key=lambda event: (event.ts_ns, event.event_id))

    def groups(self) -> list[GroupRecord]:
        """Every group, oldest first: the order in which they answer for a change of a shared symbol."""
        found = [group for book in self.books for group in book.groups.values()]
        return sorted(found, key=lambda group: (group.created_ns, group.group_id))

    def legs(self) -> dict[str, Leg]:
        """A leg for every symbol that any group ever had one in; for what its instrument is."""
        return {leg.instrument.symbol: leg for group in self.groups() for leg in group.group.legs}

    def held(self) -> dict[tuple[str, str], int]:
        """Signed units by group and leg: fills, busts and corrections applied, and changes without orders."""
        found: dict[tuple[str, str], int] = {}
        for book in self.books:
            for order in book.orders.values():
                if order.knowledge.cum_qty:
                    key = (order.group_id, order.leg_id)
                    found[key] = found.get(key, 0) + order.side.sign * order.knowledge.cum_qty
            for event in book.events.values():
                if event.leg_id:
                    key = (event.group_id, event.leg_id)
                    found[key] = found.get(key, 0) + event.quantity
        return found

    def told(self) -> dict[str, str]:
        """What was told of positions before: the texts of the journaled alerts by their ids."""
        return {key: text for book in self.books for key, text in book.told.items()}

    def count_events(self, group_id: str) -> int:
        """How many changes are journaled for this group ("": nobody's)."""
        return sum(event.group_id == group_id for book in self.books for event in book.events.values())
