"""Every metric: its name without the prefix, its kind, its labels, and what it says.

Names follow https://prometheus.io/docs/practices/naming: base units, ``_total`` for counters.  Every series has the
label ``process`` besides: who reported it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

PREFIX: Final = "legkeeper_"


class Kind(Enum):
    """What may be done with a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """One row.  ``buckets`` are upper bounds in the metric's unit, +Inf apart; ``always``: label values that are shown
    from the start, at 0, where the metric has one label."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    always: tuple[str, ...] = ()


LAG: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
WORK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
# What each of them counts as having acted stands beside its count; S5 and S6: a plan was refused or held back.
SAFEGUARDS: Final = ("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12")
DIFFERENCES: Final = ("position", "order", "fill", "group")
EXITS: Final = (
    "profit target", "stop loss", "adjustment", "before expiry", "operator", "elsewhere", "not entered", "halted",
    "expired",
)  # fmt: skip
ACTING: Final = ("E8", "E10", "E11", "E12", "E13")  # controls that do something else than refuse
SEVERITIES: Final = ("INFO", "WARNING", "CRITICAL")

METRICS: Final = (
    # Exposure and hedging
    Metric("uncovered_units", Kind.GAUGE, "Short units that nothing protects, naked ones that a plan allows apart"),
    Metric("hedge_lag_seconds", Kind.HISTOGRAM, "Broker time from uncovered to covered; target 0.1", buckets=LAG),
    Metric("stop_unprotected_seconds", Kind.HISTOGRAM, "Broker time without a stop that works; target 0", buckets=LAG),
    Metric("margin_use_ratio", Kind.GAUGE, "Share of the account's funds that margin ties up, 0 to 1"),
    # The broker and what it says
    Metric("broker_link_up", Kind.GAUGE, "1 while the broker session is complete and its clock is heard"),
    Metric("broker_sessions_total", Kind.COUNTER, "Broker sessions that were established"),
    Metric("reconciliations_total", Kind.COUNTER, "Broker snapshots that were compared with the journal"),
    Metric("reconciliation_divergences_total", Kind.COUNTER, "Orders that a snapshot showed otherwise; target 0"),
    Metric("positions_compared_total", Kind.COUNTER, "Broker snapshots that the reconciler compared with all journals"),
    Metric("position_differences", Kind.GAUGE, "Differences at the last comparison", ("kind",), always=DIFFERENCES),
    Metric("position_changes_total", Kind.COUNTER, "Changes of positions without an order of ours"),
    # Processes
    Metric("process_up", Kind.GAUGE, "1 while the child runs and answers", ("child",)),
    Metric("process_restarts_total", Kind.COUNTER, "Restarts of a child by its supervisor", ("child",)),
    Metric("halted", Kind.GAUGE, "1 when a supervisor has given up and new risk is not allowed any more"),
    Metric("report_age_seconds", Kind.GAUGE, "Time since the process last reported"),
    Metric("turn_seconds", Kind.HISTOGRAM, "Time of a turn of a cell, its commit included", buckets=WORK),
    Metric("commit_seconds", Kind.HISTOGRAM, "Time of the commit of a turn", buckets=WORK),
    Metric("mailbox_depth", Kind.GAUGE, "Messages owed to another process and not yet taken", ("to",)),
    Metric("may_open", Kind.GAUGE, "1 while the cell may take new risk"),
    # Orders and groups
    Metric("intents", Kind.GAUGE, "Orders in the journals", ("realm", "status")),
    Metric("groups", Kind.GAUGE, "Order groups in the journals", ("realm", "outcome")),
    Metric("orders_sent_total", Kind.COUNTER, "Orders written to the broker", ("role",)),
    Metric("orders_refused_total", Kind.COUNTER, "Orders that the gateway did not let out", ("control",)),
    Metric(
        "control_actions_total",
        Kind.COUNTER,
        "Controls that acted otherwise than by refusing",
        ("control",),
        always=ACTING,
    ),
    Metric("day_result", Kind.GAUGE, "What the account gained or, negative, lost today, in currency units"),
    Metric("orders_differing_total", Kind.COUNTER, "Orders that the broker stored otherwise than intended; target 0"),
    Metric("kill_switch", Kind.GAUGE, "1 while the kill switch is on"),
    Metric("trading_state", Kind.GAUGE, "1 for the state that the system is in", ("state",)),
    Metric("safeguard_actions_total", Kind.COUNTER, "How often a safeguard acted", ("safeguard",), always=SAFEGUARDS),
    Metric("strategy_exits_total", Kind.COUNTER, "Verticals of strategies that ended", ("exit",), always=EXITS),
    # Alerts
    Metric("alerts_total", Kind.COUNTER, "Alerts that reached the notifier", ("severity",), always=SEVERITIES),
    Metric("alerts_unacknowledged", Kind.GAUGE, "Alerts that nobody has acknowledged", ("realm", "severity")),
    Metric("alerts_waiting", Kind.GAUGE, "Alerts that a sink has yet to take"),
    Metric("alerts_dropped_total", Kind.COUNTER, "Alerts dropped from a full queue", ("severity",), always=SEVERITIES),
    Metric("alert_sink_up", Kind.GAUGE, "1 unless the last attempt at the sink failed", ("sink",)),
    Metric("alert_deliveries_total", Kind.COUNTER, "Attempts at a sink", ("sink", "result")),
)
CATALOGUE: Final = {metric.name: metric for metric in METRICS}
