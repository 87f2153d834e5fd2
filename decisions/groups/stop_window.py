"""How long a position stands without its stop-loss: measured, bounded and alerted (R3)."""

from __future__ import annotations

from msgspec.structs import replace

from decisions.effects import Effects, Moment
from decisions.groups.stop_trigger import at_broker, bound_ns
from decisions.orders.child_order import ChildOrder, Fate
from decisions.orders.working import Parent
from messages.records import IntentStatus, Severity, StopRecord, StopStatus, StopWindowRecord

GUARDING = frozenset({StopStatus.ARMED, StopStatus.TRIGGERED, StopStatus.FALLBACK, StopStatus.MARKET})


def measure(record: StopRecord, limit: Parent, market: Parent, moment: Moment, effects: Effects) -> StopRecord:
    """Open or close the window in which less than the stop's quantity is looked after.

    An order looks after its quantity from the broker's acknowledgement until its cancel is asked for: from then on it
    may be gone at any moment.  A change in place keeps it there.
    """
    held = sum(order.live for order in (*limit.orders.values(), *market.orders.values()) if _guards(order))
    wanted = record.quantity - limit.filled - market.filled if record.status in GUARDING else 0
    seen = record.status is StopStatus.ARMED and not at_broker(record, moment)  # blindness has an alert of its own
    if wanted > held and not seen:
        record = record if record.unprotected_ns else replace(record, unprotected_ns=moment.at_ns)
        _bound(record, wanted - held, moment, effects)
    elif record.unprotected_ns:
        if moment.at_ns > record.unprotected_ns:
            effects.records.append(
                StopWindowRecord(
                    stop_id=record.stop_id,
                    opened_ns=record.unprotected_ns,
                    group_id=record.group_id,
                    symbol=record.symbol,
                    quantity=record.quantity,
                    closed_ns=moment.at_ns,
                )
            )
        record = replace(record, unprotected_ns=0)
    return record


def _guards(order: ChildOrder) -> bool:
    known = order.state.is_acknowledged and order.intent.status is not IntentStatus.UNRESOLVED
    return known and order.fate is Fate.LIVE and not order.intent.cancel_requests


def _bound(record: StopRecord, missing: int, moment: Moment, effects: Effects) -> None:
    """Past the bound a person is told; a stop that has not triggered is watched here from then on."""
    if moment.at_ns < bound_ns(record, moment):
        effects.wake(bound_ns(record, moment))
        return
    watched = record.status is StopStatus.ARMED
    effects.alert(
        moment,
        Severity.CRITICAL,
        "STOP_UNPROTECTED",
        f"{missing} {record.symbol} stand without a working stop-loss for "
        f"{moment.config.stop_loss.max_unprotected_ms / 1000:g} s; "
        + ("the price is watched here meanwhile" if watched else "the exit is not confirmed; look at the broker"),
        group_id=record.group_id,
        symbol=record.symbol,
        quantity=missing,
        subject=f"{record.stop_id}/{record.unprotected_ns}",
    )
