"""The board as Prometheus reads it: HTTP on the loopback interface, in the text exposition format."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from messages.telemetry import Spread
from monitoring.board import Board
from monitoring.catalogue import METRICS, PREFIX, Kind, Metric

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from prometheus_client.metrics_core import Metric as Family

HOST = "127.0.0.1"


class BoardCollector(Collector):
    """Asked by the registry at every scrape."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Family]:
        """One family per metric of the catalogue that anybody has reported."""
        values: dict[str, list[tuple[list[str], float]]] = {}
        for process, sample in self._board.samples():
            values.setdefault(sample.name, []).append(([process, *sample.labels], sample.value))
        for process, age in self._board.ages(time.monotonic_ns() // 1_000_000).items():
            values.setdefault("report_age_seconds", []).append(([process], age))
        spreads: dict[str, list[tuple[list[str], Spread]]] = {}
        for process, spread in self._board.spreads():
            spreads.setdefault(spread.name, []).append(([process, *spread.labels], spread))
        for metric in METRICS:
            if metric.name in values:
                yield _plain(metric, values[metric.name])
            if metric.name in spreads:
                yield _histogram(metric, spreads[metric.name])


def _plain(metric: Metric, values: Iterable[tuple[list[str], float]]) -> Family:
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(PREFIX + metric.name, metric.about, labels=["process", *metric.labels])
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, spreads: Iterable[tuple[list[str], Spread]]) -> Family:
    family = HistogramMetricFamily(PREFIX + metric.name, metric.about, labels=["process", *metric.labels])
    bounds = [*map(str, map(float, metric.buckets)), "+Inf"]
    for labels, spread in spreads:
        family.add_metric(labels, list(zip(bounds, accumulate(spread.counts), strict=True)), spread.total)
    return family


def serve(board: Board, port: int) -> WSGIServer:
    """Answer ``http://127.0.0.1:port/metrics`` on threads of its own from now on.

    Raises ``OSError`` when the port cannot be used.
    """
    registry = CollectorRegistry()
    registry.register(BoardCollector(board))
    server, _ = start_http_server(port, HOST, registry)
    return server
