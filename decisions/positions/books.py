"""What the journals say, folded from their logs by somebody who owns none of them (E14).

One :class:`Books` per cell; records come in the order of the log.  Nothing here is ever written back.  Sums are kept
as records come, so that a question costs what is open or held, and not what was ever done.
"""

from __future__ import annotations

from collections import defaultdict

import msgspec

from domain.calendar import FOREVER_NS
from domain.execution import Side
from domain.groups import GroupOutcome, Leg, Role
from domain.orders import OrderState
from messages.records import (
    EscalationRecord,
    ExecutionStateRecord,
    GroupRecord,
    IntentRecord,
    IntentStatus,
    PositionEventRecord,
    PositionKind,
    Record,
)

ISSUE_KINDS = frozenset({"POSITION_MISMATCH", "EXPIRY_NEAR", "END_OF_DAY"})
GONE = frozenset({IntentStatus.REFUSED, IntentStatus.VOID})  # never was at the broker, as far as we know
BY_HAND = frozenset({PositionKind.MANUAL, PositionKind.UNEXPLAINED})  # what a person did, as far as anybody knows


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

    @property
    def held(self) -> int:
        """Signed units: fills, busts and corrections applied."""
        return self.side.sign * self.knowledge.cum_qty


class News(msgspec.Struct, frozen=True):
    """Ids of what records came about since the last look at them."""

    orders: set[str]
    events: set[str]


class Books:
    """One journal, folded."""

    def __init__(self) -> None:
        self.orders: dict[str, KnownOrder] = {}
        self.events: dict[str, PositionEventRecord] = {}
        self.groups: dict[str, GroupRecord] = {}
        self.legs: dict[str, Leg] = {}  # by symbol: the first leg that any group had in it
        self.active: dict[str, GroupRecord] = {}  # groups that are open, or hold a unit
        self.units: dict[str, dict[str, int]] = {}  # group -> leg -> signed units; what is nothing is not here
        self.totals: dict[str, int] = {}  # symbol -> signed units by all orders and events; the same
        self.foreign: dict[str, int] = {}  # symbol -> signed units that belong to no leg; the same
        self.moved: defaultdict[str, list[str]] = defaultdict(list)  # symbol -> its events
        self.doubted: set[str] = set()  # symbols with events that a person must answer for
        self.booked: dict[str, int] = {}  # activity -> units that events have taken of it
        self.linked: set[str] = set()  # activities that explained what had been journaled by evidence before
        self.beyond: defaultdict[str, int] = defaultdict(int)  # group -> a number that none of its events has
        self.told: set[str] = set()  # alerts of the kinds that the reconciler raises
        self.texts: defaultdict[tuple[str, str], set[str]] = defaultdict(set)  # their texts by kind and group
        self.began_ns = FOREVER_NS  # when the first group, or the first change without an order, came about
        self._news = News(set(), set())

    def follow(self, record: Record) -> None:
        """Take the next record of the log."""
        match record:
            case GroupRecord():
                self._take_group(record)
            case IntentRecord():
                self._take_order(self._order(record))
            case ExecutionStateRecord():
                known = self.orders.get(record.client_order_id)
                if known is not None:  # an intent is always written first
                    self._take_order(msgspec.structs.replace(known, knowledge=record.knowledge))
            case PositionEventRecord():
                self._take_event(record)
            case EscalationRecord() if record.kind in ISSUE_KINDS:
                self.told.add(record.escalation_id)
                self.texts[record.kind, record.group_id].add(record.text)
            case _:
                pass

    def news(self) -> News:
        """Orders and events of which there were records since this was last asked."""
        found, self._news = self._news, News(set(), set())
        return found

    def _take_group(self, record: GroupRecord) -> None:
        self.began_ns = min(self.began_ns, record.created_ns)
        self.groups[record.group_id] = record
        for leg in record.group.legs:
            self.legs.setdefault(leg.instrument.symbol, leg)
        self._sort_in(record.group_id)

    def _take_order(self, order: KnownOrder) -> None:
        before = self.orders.get(order.client_order_id)
        self.orders[order.client_order_id] = order
        self._news.orders.add(order.client_order_id)
        self._hold(order.group_id, order.leg_id, order.symbol, order.held - (before.held if before else 0))

    def _take_event(self, event: PositionEventRecord) -> None:
        if event.event_id in self.events:  # written once and for all
            return
        self.events[event.event_id] = event
        self.began_ns = min(self.began_ns, event.ts_ns)
        self._news.events.add(event.event_id)
        self.beyond[event.group_id] = max(self.beyond[event.group_id], event.number + 1)
        self.moved[event.symbol].append(event.event_id)
        self.booked[event.activity_id] = self.booked.get(event.activity_id, 0) + event.quantity
        if not event.quantity:
            self.linked.add(event.activity_id)
        elif event.kind in BY_HAND:
            self.doubted.add(event.symbol)
        if not event.leg_id:
            add(self.foreign, event.symbol, event.quantity)
        self._hold(event.group_id if event.leg_id else "", event.leg_id, event.symbol, event.quantity)

    def _hold(self, group_id: str, leg_id: str, symbol: str, units: int) -> None:
        if not units:
            return
        add(self.totals, symbol, units)
        if leg_id:
            legs = self.units.setdefault(group_id, {})
            add(legs, leg_id, units)
            if not legs:
                del self.units[group_id]
            self._sort_in(group_id)

    def _sort_in(self, group_id: str) -> None:
        record = self.groups.get(group_id)
        if record is None:
            return
        if record.outcome is GroupOutcome.OPEN or group_id in self.units:
            self.active[group_id] = record
        else:
            self.active.pop(group_id, None)

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


def add(sums: dict[str, int], key: str, units: int) -> None:
    """Add, and keep nothing where the sum is nothing."""
    if total := sums.get(key, 0) + units:
        sums[key] = total
    else:
        sums.pop(key, None)
