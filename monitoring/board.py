"""The reports of all processes, put together.

A process that comes back begins at 0 again; what its predecessors had counted is added, so that counters of the whole
system never fall as long as the Metrics actor lives.  What a process counted after its last report dies with it: at
most half a second.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import NamedTuple

from messages.telemetry import Report, Sample, Spread
from monitoring.catalogue import CATALOGUE, Kind
from monitoring.measures import Series


class Entry(NamedTuple):
    """The last report of a process."""

    pid: int
    report: Report
    at_ms: int


class Board:
    """Written by the actor, read by the threads of the HTTP server.  Times are the machine's monotonic milliseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._counted: dict[str, dict[Series, float]] = {}  # by process: counters of its dead incarnations
        self._observed: dict[str, dict[Series, Spread]] = {}

    def take(self, process: str, pid: int, report: Report, now_ms: int) -> None:
        """A new report takes the place of the last one."""
        with self._lock:
            last = self._entries.get(process)
            if last is not None and last.pid != pid:
                self._bury(process, last.report)
            self._entries[process] = Entry(pid, report, now_ms)

    def _bury(self, process: str, report: Report) -> None:
        counted = self._counted.setdefault(process, {})
        for sample in report.samples:
            if CATALOGUE[sample.name].kind is Kind.COUNTER:
                series = (sample.name, sample.labels)
                counted[series] = counted.get(series, 0.0) + sample.value
        observed = self._observed.setdefault(process, {})
        for spread in report.spreads:
            series = (spread.name, spread.labels)
            observed[series] = _sum(observed.get(series), spread)

    def samples(self) -> Iterator[tuple[str, Sample]]:
        """Process and sample, counters of dead incarnations included."""
        with self._lock:
            entries, counted = dict(self._entries), {name: dict(found) for name, found in self._counted.items()}
        for process, entry in entries.items():
            earlier = counted.get(process, {})
            for sample in entry.report.samples:
                before = earlier.pop((sample.name, sample.labels), 0.0)
                yield process, Sample(sample.name, sample.labels, sample.value + before)
            for (name, labels), value in earlier.items():
                yield process, Sample(name, labels, value)

    def spreads(self) -> Iterator[tuple[str, Spread]]:
        """Process and histogram, those of dead incarnations included."""
        with self._lock:
            entries, observed = dict(self._entries), {name: dict(found) for name, found in self._observed.items()}
        for process, entry in entries.items():
            earlier = observed.get(process, {})
            for spread in entry.report.spreads:
                yield process, _sum(earlier.pop((spread.name, spread.labels), None), spread)
            for spread in earlier.values():
                yield process, spread

    def ages(self, now_ms: int) -> dict[str, float]:
        """Seconds since each process last reported."""
        with self._lock:
            return {process: (now_ms - entry.at_ms) / 1_000 for process, entry in self._entries.items()}


def _sum(earlier: Spread | None, spread: Spread) -> Spread:
    if earlier is None:
        return spread
    counts = tuple(map(sum, zip(earlier.counts, spread.counts, strict=True)))
    return Spread(spread.name, spread.labels, counts, earlier.total + spread.total)
