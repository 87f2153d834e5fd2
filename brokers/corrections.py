"""How a broker says that an execution was corrected, brought into FIX's words at the one door to the system.

FIX gives a correction an id of its own and names what it changes (ExecType G, ExecRefID 19).  Interactive Brokers sends
the same execution again under an id that differs only after its last full stop, ".01" becoming ".02"; taken for another
trade, 100 units become 200 (class ``Execution`` of the TWS API).
"""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from brokers.port import Corrections
from domain.execution import ExecType, ExecutionReport
from messages.orders import Snapshot

E = TypeVar("E")


def in_fix_words(event: E, style: Corrections) -> E:
    """The event with every corrected execution as a ``TRADE_CORRECT`` that names the first one."""
    if style is Corrections.REFERENCE:
        return event
    if isinstance(event, ExecutionReport):
        return _revised(event)  # type: ignore[return-value]
    if isinstance(event, Snapshot):
        executions = tuple(_revised(report) for report in event.executions)
        return replace(event, executions=executions)
    return event


def _revised(report: ExecutionReport) -> ExecutionReport:
    base, dot, revision = report.exec_id.rpartition(".")
    if report.exec_type is not ExecType.TRADE or not dot or not revision.isdecimal() or int(revision) < 2:
        return report
    first = f"{base}.{1:0{len(revision)}d}"
    return replace(report, exec_type=ExecType.TRADE_CORRECT, exec_ref_id=first)
