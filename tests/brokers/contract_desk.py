"""What the broker contract needs: a broker that can be steered, and an adapter whose every word is remembered."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum
from typing import Protocol, TypeVar

import msgspec

from brokers.port import BrokerAdapter, BrokerEvent, Heartbeat, LinkUp
from domain.execution import ExecType, ExecutionReport, OrdType, Side, TimeInForce
from domain.groups import Role
from messages.orders import CancelOrder, ModifyOrder, Snapshot, SubmitOrder, SubmitResult

DEADLINE_S = 8.0
E = TypeVar("E", bound=msgspec.Struct)


class Fault(Enum):
    """What a harness can make go wrong with every request or report while it lasts."""

    LOSE_REQUESTS = "neither executed nor answered"
    LOSE_ACKS = "executed; no answer and no first reports"
    ANSWER_LATE = "executed; the answer takes LATE_S"
    DUPLICATE_REPORTS = "every report comes twice"
    DROP_REPORTS = "no report comes"


LATE_S = 0.25


class Harness(Protocol):
    """A broker that a test can steer.  Prices are in ten-thousandths."""

    symbol: str  # tradable, and nobody else moves its quote
    lot: int
    tick: int

    def adapter(self, *, answer_timeout_s: float = 5.0, silence_timeout_s: float = 5.0) -> BrokerAdapter:
        """A new adapter, not yet connected."""

    def move(self, bid: int, ask: int, size: int = 1_000_000) -> None:
        """Make this the quote of ``symbol``; it has happened when this returns."""

    def fault(self, fault: Fault) -> AbstractContextManager[None]:
        """Let this go wrong inside of the block."""

    def frozen(self) -> AbstractContextManager[None]:
        """The broker says and reads nothing inside of the block, and its connections stay open."""

    def break_links(self) -> None:
        """Reset every adapter's connection."""


class Desk:
    """An adapter and everything that it has said so far."""

    def __init__(self, adapter: BrokerAdapter) -> None:
        self.adapter = adapter
        self.events: list[BrokerEvent] = []

    def pump(self, wait_s: float = 0.02) -> None:
        """Wait until the adapter's descriptor is readable, as its gateway does, and take what it says."""
        descriptor = self.adapter.fileno()
        select.select([descriptor] if descriptor >= 0 else [], [], [], wait_s)
        self.events += self.adapter.pump()

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Pump until it has happened; fail after the deadline."""
        deadline = time.monotonic() + DEADLINE_S
        while not happened():
            assert time.monotonic() < deadline, f"never happened: {what}; the last events: {self.events[-5:]}"
            self.pump()

    def all(self, kind: type[E]) -> list[E]:
        """What it has said of this kind, oldest first."""
        return [event for event in self.events if isinstance(event, kind)]

    def next(self, kind: type[E], such: Callable[[E], bool] = lambda _: True) -> E:
        """The first event of this kind for which ``such`` holds, said or yet to be said."""
        found: list[E] = []

        def there() -> bool:
            found[:] = [event for event in self.all(kind) if such(event)]
            return bool(found)

        self.until(there, f"a {kind.__name__}")
        return found[0]

    def log_in(self) -> LinkUp:
        """Connect and wait for the session."""
        before = len(self.all(LinkUp))
        self.adapter.connect()
        self.until(lambda: len(self.all(LinkUp)) > before, "log in")
        return self.all(LinkUp)[-1]

    def result(self, order: SubmitOrder) -> SubmitResult:
        """The first result of this order."""
        return self.next(SubmitResult, lambda result: result.client_order_id == order.client_order_id)

    def report(self, order: SubmitOrder, exec_type: ExecType) -> ExecutionReport:
        """The first report of this kind about this order."""
        return self.next(
            ExecutionReport, lambda r: (r.client_order_id, r.exec_type) == (order.client_order_id, exec_type)
        )

    def snapshot(self) -> Snapshot:
        """A new snapshot."""
        before = len(self.all(Snapshot))
        self.adapter.request_snapshot()
        self.until(lambda: len(self.all(Snapshot)) > before, "a snapshot")
        return self.all(Snapshot)[-1]

    def heartbeats(self, more: int) -> None:
        """Wait for so many more heartbeats."""
        enough = len(self.all(Heartbeat)) + more
        self.until(lambda: len(self.all(Heartbeat)) >= enough, "heartbeats")


class Ids:
    """Client order ids that no other test uses."""

    def __init__(self) -> None:
        self._used = 0
        self._run = f"{time.time_ns():x}"

    def fresh(self) -> str:
        self._used += 1
        return f"{self._run}-{self._used}"


IDS = Ids()
BID, ASK = 10_000, 11_000


def listed(snapshot: Snapshot, order: SubmitOrder) -> list[ExecutionReport]:
    return [report for report in snapshot.orders if report.client_order_id == order.client_order_id]


def traded(snapshot: Snapshot, order: SubmitOrder) -> int:
    return sum(report.last_qty for report in snapshot.executions if report.client_order_id == order.client_order_id)


class Trading:
    """Orders of one lot and how to send them."""

    def order(self, harness: Harness, **changes: object) -> SubmitOrder:
        """A limit order to buy one lot far below the market, with these changes."""
        plain = SubmitOrder(
            client_order_id=IDS.fresh(),
            group_id="g",
            role=Role.PROTECTION,
            symbol=harness.symbol,
            side=Side.BUY,
            quantity=harness.lot,
            order_type=OrdType.LIMIT,
            time_in_force=TimeInForce.DAY,
            price=harness.tick,
            trigger_price=0,
            parent_id="p",
            parent_qty=harness.lot,
            epoch=1,
            decided_ns=0,
        )
        return msgspec.structs.replace(plain, **changes)

    def send(self, desk: Desk, order: SubmitOrder) -> SubmitResult:
        desk.adapter.submit(order)
        return desk.result(order)

    def cancel_of(self, order: SubmitOrder) -> CancelOrder:
        return CancelOrder(
            client_order_id=order.client_order_id, venue_order_id="", request_id=IDS.fresh(), epoch=order.epoch
        )

    def modify_of(self, order: SubmitOrder, price: int) -> ModifyOrder:
        return ModifyOrder(
            client_order_id=order.client_order_id,
            venue_order_id="",
            request_id=IDS.fresh(),
            order_type=OrdType.LIMIT,
            quantity=order.quantity,
            price=price,
            trigger_price=0,
            epoch=order.epoch,
        )

    def other_desk(self, harness: Harness, **patience: float) -> Desk:
        desk = Desk(harness.adapter(**patience))
        desk.log_in()
        return desk
