"""Orders, reports and instruments for the tests of the gateway's decisions."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from domain.execution import ExecType, ExecutionReport, OrdStatus, OrdType, Side, TimeInForce
from domain.groups import Role, client_order_id, parent_tag
from domain.instruments import Instrument
from domain.quotes import Quote
from messages.orders import CancelOrder, ModifyOrder, Outcome, SubmitOrder, SubmitResult

SECOND = 1_000_000_000  # ns
NOW = 1_767_600_000 * SECOND  # 2026-01-05 08:00 UTC
PARENT = parent_tag(0, "g-1", "H", 0, 1)
ENTRY_PARENT = parent_tag(0, "g-1", "E", 0, 0)
SYMBOL = "ACME  260116P00100000"
INSTRUMENT = Instrument(
    symbol=SYMBOL,
    underlying="ACME",
    right=None,
    strike=1_000_000,
    expiry="2026-01-16",
    multiplier=100,
    lot_size=5,
    tick_size=500,
    freeze_qty=1_000,
)
QUOTE = Quote(SYMBOL, NOW, 99_000, 10, 101_000, 10)  # mid 10.00


def an_order(slice_no: int = 0, attempt: int = 1, **changes: Any) -> SubmitOrder:
    """A hedge limit order: buy 10 at 10.00 for a parent of 100 units."""
    parent_id = changes.get("parent_id", PARENT)
    order = SubmitOrder(
        client_order_id=client_order_id(parent_id, slice_no, attempt),
        group_id="g-1",
        role=Role.HEDGE,
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=10,
        order_type=OrdType.LIMIT,
        time_in_force=TimeInForce.DAY,
        price=100_000,
        trigger_price=0,
        parent_id=PARENT,
        parent_qty=100,
        epoch=1,
        decided_ns=NOW,
    )
    return replace(order, **changes)


def an_entry(slice_no: int = 0, attempt: int = 1, **changes: Any) -> SubmitOrder:
    """A limit order that is new risk."""
    return an_order(slice_no, attempt, **{"role": Role.RISK, "parent_id": ENTRY_PARENT, **changes})


def a_report(order_id: str, exec_type: ExecType, ord_status: OrdStatus, **changes: Any) -> ExecutionReport:
    """A report about an order of 10; ``leaves_qty`` follows from what is given."""
    quantity, filled = changes.get("order_qty", 10), changes.get("cum_qty", 0)
    ended = ord_status in (OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED)
    report = ExecutionReport(
        client_order_id=order_id,
        exec_type=exec_type,
        ord_status=ord_status,
        exec_id=f"x-{exec_type.value}-{filled}",
        ts_ns=NOW,
        order_qty=quantity,
        cum_qty=filled,
        leaves_qty=0 if ended else max(0, quantity - filled),
        venue_order_id=f"v-{order_id}",
        symbol=SYMBOL,
        side=Side.BUY,
    )
    return replace(report, **changes)


def acknowledged(order_id: str, **changes: Any) -> ExecutionReport:
    return a_report(order_id, ExecType.NEW, OrdStatus.NEW, **changes)


def traded(order_id: str, last_qty: int, cum_qty: int, **changes: Any) -> ExecutionReport:
    status = OrdStatus.FILLED if cum_qty >= changes.get("order_qty", 10) else OrdStatus.PARTIALLY_FILLED
    changes = {"ts_ns": NOW + cum_qty, "last_px": 100_000, **changes}
    return a_report(order_id, ExecType.TRADE, status, last_qty=last_qty, cum_qty=cum_qty, **changes)


def canceled(order_id: str, cum_qty: int = 0, **changes: Any) -> ExecutionReport:
    changes = {"ts_ns": NOW + SECOND, **changes}
    return a_report(order_id, ExecType.CANCELED, OrdStatus.CANCELED, cum_qty=cum_qty, **changes)


def listed(order_id: str, ord_status: OrdStatus = OrdStatus.NEW, **changes: Any) -> ExecutionReport:
    changes = {"ts_ns": NOW + 2 * SECOND, "exec_id": "0", **changes}
    return a_report(order_id, ExecType.ORDER_STATUS, ord_status, **changes)


def an_answer(order_id: str, outcome: Outcome, venue_order_id: str = "") -> SubmitResult:
    return SubmitResult(client_order_id=order_id, outcome=outcome, ts_ns=NOW, venue_order_id=venue_order_id)


def a_cancel(order: SubmitOrder, number: int = 1) -> CancelOrder:
    request_id = f"{order.client_order_id}/c{number}"
    return CancelOrder(client_order_id=order.client_order_id, venue_order_id="", request_id=request_id, epoch=1)


def a_modification(order: SubmitOrder) -> ModifyOrder:
    return ModifyOrder(
        client_order_id=order.client_order_id,
        venue_order_id="",
        request_id=f"{order.client_order_id}/m1",
        order_type=OrdType.STOP_LIMIT,
        quantity=10,
        price=100_500,
        trigger_price=100_000,
        epoch=1,
    )
