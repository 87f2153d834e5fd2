"""What one process has counted so far, and the report of it that it sends."""

from __future__ import annotations

from bisect import bisect_left

from messages.telemetry import Report, Sample, Spread
from monitoring.catalogue import CATALOGUE, Kind

Series = tuple[str, tuple[str, ...]]  # name and label values


class Measures:
    """Counters, gauges and histograms of the catalogue.  Raises ``KeyError`` for what the catalogue does not have."""

    def __init__(self) -> None:
        self._values: dict[Series, float] = {}
        self._spreads: dict[Series, tuple[list[int], list[float]]] = {}

    def begin(self, *names: str) -> None:
        """Show these from the start, at 0."""
        for name in names:
            metric = CATALOGUE[name]
            if metric.kind is Kind.HISTOGRAM:
                self._spread((name, ()))
            elif metric.labels:
                self._values.update({(name, (value,)): 0.0 for value in metric.always})
            else:
                self._values[name, ()] = 0.0

    def add(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Count."""
        series = _series(name, labels)
        self._values[series] = self._values.get(series, 0.0) + amount

    def set(self, name: str, value: float, **labels: str) -> None:
        """How things stand; also for a counter that somebody else keeps."""
        self._values[_series(name, labels)] = float(value)

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """One more observation of a histogram."""
        counts, total = self._spread(_series(name, labels))
        counts[bisect_left(CATALOGUE[name].buckets, seconds)] += 1
        total[0] += seconds

    def forget(self, name: str) -> None:
        """Drop every series of a gauge whose labels come and go."""
        for series in [series for series in self._values if series[0] == name]:
            del self._values[series]

    def report(self) -> Report:
        """Everything as it is now."""
        return Report(
            samples=tuple(Sample(name, labels, value) for (name, labels), value in self._values.items()),
            spreads=tuple(
                Spread(name, labels, tuple(counts), total[0])
                for (name, labels), (counts, total) in self._spreads.items()
            ),
        )

    def _spread(self, series: Series) -> tuple[list[int], list[float]]:
        found = self._spreads.get(series)
        if found is None:
            found = self._spreads[series] = ([0] * (len(CATALOGUE[series[0]].buckets) + 1), [0.0])
        return found


def _series(name: str, labels: dict[str, str]) -> Series:
    return name, tuple(labels[label] for label in CATALOGUE[name].labels)
