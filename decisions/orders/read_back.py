"""What the broker has stored is compared with what was intended (R18): another order than ours must not stay working.

Compared are the fields that a report carries; many brokers tell only some.  Nothing is compared while a change in place
is under way, or of a report that may be older than the last one (a snapshot may lag): then two sets of terms are right.
"""

from __future__ import annotations

from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment
from decisions.orders.child_order import ChildOrder, Fate
from decisions.orders.order_changes import request_cancel
from domain.execution import ExecType, ExecutionReport, OrdType
from domain.money import to_decimal
from messages.records import ReplaceStatus, Severity

STORED_OTHERWISE = "the broker stored it otherwise"  # in the reason of an intent that was canceled for it

# Reports that describe the order as it stands; a reject's terms may be those of a duplicate, a pending one's to come.
_DESCRIBES = frozenset(
    {ExecType.NEW, ExecType.TRIGGERED, ExecType.TRADE, ExecType.REPLACED, ExecType.RESTATED, ExecType.ORDER_STATUS}
)


def read_back(order: ChildOrder, report: ExecutionReport, moment: Moment, effects: Effects) -> ChildOrder:
    """Cancel an order that the broker holds with other terms than ours, and tell a person."""
    if order.fate is Fate.ENDED or STORED_OTHERWISE in order.intent.reason:
        return order
    found = difference(order, report, moment)
    if not found:
        return order
    intent = replace(order.intent, reason=f"{order.intent.reason}; {STORED_OTHERWISE}: {found}")
    effects.alert(
        moment,
        Severity.CRITICAL,
        "ORDER_DIFFERS",
        f"{intent.client_order_id}: the broker holds {found}; it is being canceled; look at what changed it",
        group_id=intent.group_id,
        symbol=intent.symbol,
        quantity=order.live,
        subject=intent.client_order_id,
    )
    return request_cancel(replace(order, intent=intent), moment, effects)


def difference(order: ChildOrder, report: ExecutionReport, moment: Moment) -> str:
    """How the broker's order differs from the intended one, in words; "" when it does not, as far as can be told."""
    intent = order.intent
    horizon_ns = moment.config.orders.absence_horizon_ms * MS
    unsettled = intent.replace_status in (ReplaceStatus.REQUESTED, ReplaceStatus.FAILED)
    old = intent.replace_requests and report.ts_ns < intent.replace_requested_ns + horizon_ns
    if report.order_type is None or report.exec_type not in _DESCRIBES or unsettled or old:
        return ""
    pairs: list[tuple[str, object, object]] = [
        ("symbol", report.symbol or intent.symbol, intent.symbol),
        ("side", (report.side or intent.side).value, intent.side.value),
        ("quantity", report.order_qty or intent.quantity, intent.quantity),
    ]
    converted = _converted(order, report.order_type, moment)
    if not converted:
        pairs.append(("type", report.order_type.value, intent.order_type.value))
    if intent.order_type is not OrdType.MARKET:
        pairs.append(("price", to_decimal(report.price), to_decimal(intent.price)))
    if intent.order_type is OrdType.STOP_LIMIT and not converted:
        pairs.append(("trigger price", to_decimal(report.trigger_price), to_decimal(intent.trigger_price)))
    return ", ".join(f"{name} {stored}, not {wanted}" for name, stored, wanted in pairs if stored != wanted)


def _converted(order: ChildOrder, stored: OrdType, moment: Moment) -> bool:
    """Whether the broker has made a limit of it, as houses do of a triggered stop and of a protected market order."""
    if stored is not OrdType.LIMIT:
        return False
    intended = order.intent.order_type
    return (intended is OrdType.STOP_LIMIT and order.state.triggered) or (intended is OrdType.MARKET and moment.rests)
