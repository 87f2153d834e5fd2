"""How the journal lays its records out, written down a second time on purpose: the audit shares no code with it.

A record in the log is ``[struct name, field, field, ...]``.  A newer system may append fields; it never moves one.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Layout(NamedTuple):
    """The table that a record is folded into, what identifies its row, and the record's fields in order."""

    table: str
    key: tuple[str, ...]
    fields: tuple[str, ...]
    shared: bool = False  # two journals may have a row under one key: each of its own


def _layout(table: str, key: str, *fields: str, shared: bool = False) -> Layout:
    return Layout(table, tuple(key.split()), tuple(" ".join(fields).split()), shared)


LAYOUTS: Final = {
    "GroupRecord": _layout(
        "order_groups",
        "group_id",
        "group_id cell strategy status mode outcome reason group hedges_placed crashes quarantined created_ns",
        "updated_ns",
    ),
    "LegRecord": _layout(
        "legs", "group_id leg_id kind", "group_id leg_id kind symbol side target_qty authorized_qty updated_ns"
    ),
    "IntentRecord": _layout(
        "order_intents",
        "client_order_id",
        "client_order_id group_id leg_id parent_id role symbol side quantity price trigger_price order_type",
        "time_in_force slice attempt status broker_order_id epoch reference_price parent_qty cause reason checks",
        "decided_ns sent_ns acknowledged_ns cancel_requested_ns cancel_requests terminal_ns",
    ),
    "ExecutionStateRecord": _layout(
        "execution_states",
        "client_order_id",
        "client_order_id group_id ord_status order_qty cum_qty leaves_qty avg_px knowledge updated_ns",
    ),
    "ExecutionRecord": _layout(
        "executions",
        "client_order_id exec_id",
        "client_order_id exec_id group_id exec_type exec_ref_id symbol side last_qty last_px ts_ns",
    ),
    "HedgeRecord": _layout(
        "hedge_tracking",
        "hedge_id",
        "hedge_id group_id leg_id parent_hedge_id level ordinal symbol side needed_qty filled_qty status trigger",
        "opened_ns deadline_ns closed_ns",
    ),
    "StopRecord": _layout(
        "stop_tracking",
        "stop_id",
        "stop_id group_id leg_id ordinal symbol side quantity filled_qty trigger_price limit_price status armed_ns",
        "triggered_ns closed_ns",
    ),
    "ExposureRecord": _layout("exposures", "group_id opened_ns", "group_id opened_ns symbol quantity covered_ns"),
    "PositionEventRecord": _layout(
        "position_events",
        "event_id",
        "event_id group_id leg_id symbol quantity kind evidence activity_id price ts_ns",
        shared=True,
    ),
    "RejectedEventRecord": _layout(
        "rejected_events",
        "event_id group_id client_order_id",
        "event_id group_id client_order_id current incoming reason payload ts_ns",
        shared=True,
    ),
    "EscalationRecord": _layout(
        "escalations",
        "escalation_id",
        "escalation_id group_id severity kind symbol quantity text raised_ns repeats delivered_ns acknowledged_ns",
        "acknowledged_by",
        shared=True,
    ),
    "ControlRecord": _layout(
        "control_decisions", "subject", "subject control action group_id symbol quantity amount text by at_ns until_ns"
    ),
    "ProcessedEventRecord": _layout("processed_events", "event_id", "event_id kind group_id ts_ns", shared=True),
}

PRICES: Final = frozenset({"price", "trigger_price", "reference_price", "avg_px", "last_px", "limit_price"})
"""Whole ten-thousandths in the log, plain decimals in the tables."""

PACKED: Final = {"group": "definition", "knowledge": "knowledge"}
"""Fields that a table holds as MessagePack ``[version, value]``, and their columns."""

KNOWN_EXECUTIONS: Final = 5
"""Where ``knowledge``, what is known of one order, holds its executions: ``[exec id, kind, …]``."""

EXECUTED_NS, EXECUTED_TO = 5, 6
"""Where such an execution holds its time, and what the broker counted as filled with it (-1: not told)."""

REGISTERS: Final = {"quantity": 1, "number": 2, "count": 3, "phase": 4}
"""Where it holds what the broker stamps: ``(ts_ns, rank, value)``."""

TOLD: Final = 12
"""Where it holds what was told without exec ids: ``(event id, ts_ns, rank, …)``; of an older release not at all."""

TOLD_QUANTITY, TOLD_COUNT = 3, 5
"""Where such a word holds quantity, number, count and phase (-1 or "": it did not say), and where their count."""
