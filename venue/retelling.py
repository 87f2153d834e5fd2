"""What clients are told of orders without exec ids, and how reports are told again.

Some houses give no exec ids (FIX 17): of an order that is *nameless* no report and no snapshot shows one, nor the one
that a correction or a bust refers to (19).  An order is told one way for good, or a fill could be taken for two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set as AbstractSet
from itertools import islice

from msgspec.structs import replace

from domain.execution import ExecutionReport

KEPT = 10_000  # reports that a house can tell again


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


class Told:
    """What was pushed last, whoever was there to hear it: a client that logs in may be told it again, as it was.

    FIX does so when a client asks for what it missed (35=2), and houses that count badly begin earlier: in order, with
    the old exec ids and times (43=Y), what is known already among what was a gap.
    """

    def __init__(self) -> None:
        self._reports: deque[ExecutionReport] = deque(maxlen=KEPT)

    def __len__(self) -> int:
        return len(self._reports)

    def add(self, reports: list[ExecutionReport]) -> None:
        """These have been pushed, as clients get them."""
        self._reports.extend(reports)

    def newest(self, count: int) -> list[ExecutionReport]:
        """The last ``count`` of them, oldest first."""
        return list(islice(self._reports, max(0, len(self._reports) - count), None))
