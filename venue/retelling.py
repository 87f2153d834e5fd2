"""What clients are told of orders without exec ids, and how a report is told again.

Some houses give no exec ids (FIX 17): of an order that is *nameless* no report and no snapshot shows one, nor the one
that a correction or a bust refers to (19).  An order is told one way for good, or a fill could be taken for two.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from domain.execution import ExecutionReport


def as_told(report: ExecutionReport, nameless: AbstractSet[str]) -> ExecutionReport:
    """A report as clients get it; ``nameless`` are the client order ids of which nothing is told with an exec id."""
    if not report.exec_id or report.client_order_id not in nameless:
        return report
    return replace(report, exec_id="", exec_ref_id="")


def told_again(report: ExecutionReport, now_ns: int) -> ExecutionReport:
    """A repetition: without an exec id under a later time, so that nothing but what it says tells it from news.

    With one the body is as it was, time and all: FIX repeats (43=Y, 97=Y) TransactTime (60) unchanged.
    """
    return report if report.exec_id else replace(report, ts_ns=max(report.ts_ns, now_ns))
