"""What a turn adds to the metrics of its cell, read off what the turn wrote and asked for."""

from __future__ import annotations

from collections.abc import Iterable

from decisions.effects import Outgoing
from domain.groups import Role
from messages.orders import SubmitOrder
from messages.records import (
    EscalationRecord,
    ExposureRecord,
    IntentRecord,
    IntentStatus,
    Record,
    RejectedEventRecord,
    StopWindowRecord,
)
from messages.strategy_records import VerticalRecord
from monitoring.measures import Measures

# Every record of a turn is looked at; those that count nothing are let by quickly.
COUNTED = frozenset(
    {IntentRecord, EscalationRecord, RejectedEventRecord, StopWindowRecord, ExposureRecord, VerticalRecord}
)


def count_turn(measures: Measures, records: Iterable[Record], requests: Iterable[Outgoing]) -> None:
    """Count the safeguards that leave records or requests (S2, S8, S10), and how long exposures lasted."""
    for record in records:
        if type(record) not in COUNTED:
            continue
        match record:
            case IntentRecord(role=Role.STOP_LIMIT, status=IntentStatus.INTENT_PERSISTED, cancel_requests=0):
                measures.add("safeguard_actions_total", safeguard="S2")
            case EscalationRecord(kind="ORDER_DIFFERS", repeats=0, delivered_ns=0, acknowledged_ns=0):
                measures.add("orders_differing_total")
            case RejectedEventRecord(reason=reason) if not reason.startswith("parked:"):
                measures.add("safeguard_actions_total", safeguard="S8")
            case StopWindowRecord(opened_ns=opened_ns, closed_ns=closed_ns):
                measures.observe("stop_unprotected_seconds", (closed_ns - opened_ns) / 1e9)
            case ExposureRecord(opened_ns=opened_ns, covered_ns=covered_ns) if covered_ns:
                measures.observe("hedge_lag_seconds", (covered_ns - opened_ns) / 1e9)
            case VerticalRecord(exit=why, closed_ns=closed_ns) if closed_ns:
                measures.add("strategy_exits_total", exit=why.value)
    resent = sum(1 for request in requests if isinstance(request, SubmitOrder) and request.resend)
    measures.add("safeguard_actions_total", resent, safeguard="S10")
