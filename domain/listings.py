"""What a broker's snapshots list, order by order: the same again is no news.

A broker lists every order of the session in every snapshot, under the time of the snapshot, also those that ended hours
ago.  Taken as news, each would cost its group a look, and the journal a row that says the same of a later time.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from domain.execution import ExecType, ExecutionReport


class _Listed(msgspec.Struct, frozen=True):
    """What a snapshot said of one order, and as of when it was first said after other news of the order."""

    reports: list[ExecutionReport]
    since_ns: int
    is_settled: bool = False  # it was said again by a snapshot that cannot lag behind that other news any more


class Listings:
    """The last snapshot, by client order id.  What it says is passed on until a snapshot has said it that is at least
    ``lag_ns`` newer than the first one after the last other news of the order: from then on it is no news.
    """

    def __init__(self, lag_ns: int) -> None:
        self._lag_ns = lag_ns
        self._listed: dict[str, _Listed] = {}
        self._heard: set[str] = set()  # orders of which there was other news since

    def __contains__(self, client_order_id: str) -> bool:
        return client_order_id in self._listed

    def reports(self, client_order_id: str) -> list[ExecutionReport]:
        """What the last snapshot said of this order; nothing when it did not list it."""
        listed = self._listed.get(client_order_id)
        return listed.reports if listed is not None else []

    def news(self, reports: Iterable[ExecutionReport], as_of_ns: int) -> dict[str, list[ExecutionReport]]:
        """Take the next snapshot; its reports of each order of which they are news."""
        told: dict[str, list[ExecutionReport]] = {}
        for report in reports:
            told.setdefault(report.client_order_id, []).append(report)
        before, self._listed = self._listed, {}
        found = {}
        for key, about in told.items():
            last = before.get(key)
            if last is None or key in self._heard or not _is_same(last.reports, about):
                self._listed[key], found[key] = _Listed(about, as_of_ns), about
            elif last.is_settled:
                self._listed[key] = last
            else:
                is_settled = as_of_ns - last.since_ns >= self._lag_ns
                self._listed[key], found[key] = _Listed(about, last.since_ns, is_settled), about
        self._heard.clear()
        return found

    def heard(self, client_order_id: str) -> None:
        """There is other news of this order: what the next snapshots say of it is to be looked at."""
        self._heard.add(client_order_id)

    def forget(self) -> None:
        """All that the next snapshots say is to be looked at."""
        self._listed.clear()


def _is_same(before: list[ExecutionReport], now: list[ExecutionReport]) -> bool:
    return len(before) == len(now) and all(map(_repeats, before, now))


def _repeats(old: ExecutionReport, new: ExecutionReport) -> bool:
    """Whether it is the same report, or the same status at a later time."""
    return old == new or (new.exec_type is ExecType.ORDER_STATUS and replace(old, ts_ns=new.ts_ns) == new)
