"""Moments, legs, intents and reports for the tests of the groups' decisions."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from config.schema import Config
from decisions.effects import MS, Effects, Moment
from decisions.orders.child_order import ChildOrder, Fate
from decisions.orders.prices import Pricing
from decisions.orders.slots import slot_of, slots
from decisions.orders.working import Parent
from domain.execution import ExecType, ExecutionReport, OrdStatus, Side
from domain.groups import Group, Leg, Policy, Role, parent_tag
from domain.instruments import Instrument, Right
from domain.quotes import Quote
from messages.orders import CancelOrder, SubmitOrder
from messages.records import EscalationRecord, IntentRecord

NOW = 1_767_600_000_000_000_000  # 2026-01-05 08:00 UTC
GROUP = "g"
CONFIG = Config()


def option(strike: int = 90, right: Right = Right.PUT, *, lot_size: int = 1, freeze_qty: int = 50) -> Instrument:
    return Instrument(
        symbol=f"ACME  260116{right.value}{strike * 1000:08d}",
        underlying="ACME",
        right=right,
        strike=strike * 10_000,
        expiry="2026-01-16",
        multiplier=100,
        lot_size=lot_size,
        tick_size=500,
        freeze_qty=freeze_qty,
    )


def a_leg(index: int = 0, side: Side = Side.BUY, quantity: int = 10, **changes: Any) -> Leg:
    """Longs are 90 puts, shorts 95 puts, unless an instrument is given."""
    leg = Leg(
        leg_id=f"{side.value}{index}",
        index=index,
        instrument=option(90 if side is Side.BUY else 95),
        side=side,
        role=Role.PROTECTION if side is Side.BUY else Role.RISK,
        score=50 if side is Side.BUY else -50,
        target_qty=quantity,
        limit_price=0,
    )
    return replace(leg, **changes)


def a_group(*legs: Leg, policy: Policy = Policy.COMPLETE, allow_naked: bool = False) -> Group:
    legs = legs or (a_leg(0, Side.BUY), a_leg(1, Side.SELL))
    return Group(group_id=GROUP, strategy="bull_put", policy=policy, allow_naked=allow_naked, legs=legs)


QUOTES = {
    instrument.symbol: Quote(instrument.symbol, NOW, 20_000, 100, 20_500, 100)
    for instrument in (option(strike, right) for strike in (90, 95, 100, 105, 110) for right in Right)
}


def at(ms: float = 0, **changes: Any) -> Moment:
    """A moment ``ms`` after NOW; the gate is open and every quote fresh."""
    fields: dict[str, Any] = {
        "at_ns": NOW + round(ms * MS),
        "cause": "test",
        "epoch": 1,
        "cell": 0,
        "may_send": True,
        "may_open": True,
        "deduplicates": True,
        "quotes": QUOTES,
        "config": CONFIG,
    }
    return Moment(**(fields | changes))


def a_parent(authorized: int = 10, **changes: Any) -> Parent:
    fields: dict[str, Any] = {
        "parent_id": parent_tag(0, GROUP, "E", 0, 0),
        "group_id": GROUP,
        "leg_id": "buy0",
        "role": Role.PROTECTION,
        "instrument": option(),
        "side": Side.BUY,
        "pricing": Pricing(step_pct=0.5, attempts=3, last_is_market=True),
        "timeout_ms": 3_000,
        "authorized": authorized,
        "reason": "test",
    }
    return Parent(**(fields | changes))


def report(order: ChildOrder | IntentRecord, kind: ExecType, status: OrdStatus, **told: Any) -> ExecutionReport:
    intent = order.intent if isinstance(order, ChildOrder) else order
    fields: dict[str, Any] = {
        "client_order_id": intent.client_order_id,
        "exec_type": kind,
        "ord_status": status,
        "exec_id": f"{kind.value}-{told.get('ts_ns', NOW)}",
        "ts_ns": NOW,
        "order_qty": intent.quantity,
        "cum_qty": 0,
        "leaves_qty": 0,
        "symbol": intent.symbol,
        "side": intent.side,
    }
    return ExecutionReport(**(fields | told))


def new(order: ChildOrder | IntentRecord) -> ExecutionReport:
    return report(order, ExecType.NEW, OrdStatus.NEW)


def trade(
    order: ChildOrder | IntentRecord, quantity: int, cum: int, exec_id: str = "", ts_ns: int = NOW + 1
) -> ExecutionReport:
    intent = order.intent if isinstance(order, ChildOrder) else order
    status = OrdStatus.FILLED if cum >= intent.quantity else OrdStatus.PARTIALLY_FILLED
    return report(
        intent, ExecType.TRADE, status, last_qty=quantity, last_px=20_000, cum_qty=cum, ts_ns=ts_ns,
        exec_id=exec_id or f"t-{intent.client_order_id}-{cum}",
    )  # fmt: skip


def canceled(order: ChildOrder | IntentRecord, cum: int = 0, ts_ns: int = NOW + 2) -> ExecutionReport:
    return report(order, ExecType.CANCELED, OrdStatus.CANCELED, cum_qty=cum, ts_ns=ts_ns)


def bust(order: ChildOrder | IntentRecord, ref: str, cum: int, ts_ns: int = NOW + 3) -> ExecutionReport:
    return report(
        order, ExecType.TRADE_CANCEL, OrdStatus.CANCELED, cum_qty=cum, ts_ns=ts_ns, exec_id=f"b-{ref}", exec_ref_id=ref
    )


def submits(effects: Effects) -> list[SubmitOrder]:
    return [request for request in effects.requests if isinstance(request, SubmitOrder)]


def cancels(effects: Effects) -> list[CancelOrder]:
    return [request for request in effects.requests if isinstance(request, CancelOrder)]


def intents(effects: Effects) -> list[IntentRecord]:
    return [record for record in effects.records if isinstance(record, IntentRecord)]


def alerts(effects: Effects) -> list[EscalationRecord]:
    return [record for record in effects.records if isinstance(record, EscalationRecord)]


def check_slots(parent: Parent) -> None:
    """What a parent keeps of its slices is what all of its orders say."""
    found = slots(parent.orders.values())
    live = {order.intent.slice for order in parent.orders.values() if order.fate is Fate.LIVE}
    wanted = {slot.number: slot for slot in found if slot.remainder or slot.number in live}
    assert {number: slot_of(attempts) for number, attempts in parent.open_slices.items()} == wanted
    assert parent.next_slice == max((slot.number + 1 for slot in found), default=0)
    ages = [(order.intent.decided_ns, order.intent.client_order_id) for order in parent.orders.values()]
    assert parent.newest == max(ages, default=(0, ""))[1]
