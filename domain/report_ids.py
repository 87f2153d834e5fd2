"""By what reports are known: never by chance, never by a place in a stream, and the same for a repeated delivery."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.execution import ExecType, ExecutionReport
from domain.order_table import FACTS

NO_EXEC_ID: Final = ("", "0")  # FIX: "0" in answers to status queries
_STATUS: Final = ExecType.ORDER_STATUS


def is_nameless(report: ExecutionReport) -> bool:
    """Whether it could have an exec id and has none.  An answer to a query never has one of its own."""
    return report.exec_id in NO_EXEC_ID and report.exec_type is not _STATUS


def event_id(report: ExecutionReport) -> str:
    """The identity of a report, for ``processed_events``: never random, and the same for a repeated delivery.

    Taken from the ``exec_id`` where the broker gives one, else from the content.  The order and the kind of report are
    part of it, because some brokers number executions per order, or use a trade's number again in what follows it.
    An answer to a query is always known by its content: what stands in its ``exec_id`` is not its own.  Of others the
    time is no part: a repetition (PossDupFlag 43, PossResend 97) may come under a new one.
    """
    prefix = f"{report.client_order_id}/{report.exec_type._value_}/"  # ``value`` goes by a slow descriptor
    if report.exec_id in NO_EXEC_ID and report.cum_qty > 0 and FACTS[report.exec_type].executes:
        return prefix + execution_id(report)
    if report.exec_id in NO_EXEC_ID or report.exec_type is _STATUS:
        said = report if report.exec_type is _STATUS else replace(report, ts_ns=0)
        return f"{prefix}#{blake2b(msgspec.msgpack.encode(said), digest_size=16).hexdigest()}"
    return prefix + report.exec_id


def execution_id(report: ExecutionReport) -> str:
    """The id under which a trade, a correction or a bust is kept: the broker's, else one made of the CumQty (14) it
    led to, and never of a time: a repetition may carry a new one.
    """
    if report.exec_id not in NO_EXEC_ID:
        return report.exec_id
    if report.exec_type is not ExecType.TRADE and not report.exec_ref_id:
        return f"#{report.exec_type._value_}/{report.cum_qty}@{report.avg_px}"
    if report.cum_qty <= 0:
        return event_id(report)
    return f"#{report.cum_qty}/{report.last_qty}@{report.last_px}{report.exec_ref_id and '>' + report.exec_ref_id}"
