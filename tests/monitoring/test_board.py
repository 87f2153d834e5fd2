"""What a process counts, how it is put together, and how it is shown."""

from __future__ import annotations

import urllib.request

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from messages import wire
from monitoring.board import Board
from monitoring.catalogue import SAFEGUARDS
from monitoring.exposition import BoardCollector, serve
from monitoring.measures import Measures


def shown(board: Board) -> dict[str, float]:
    """Every sample as ``name{value,…}``, in the order of the labels' names."""
    registry = CollectorRegistry()
    registry.register(BoardCollector(board))
    return {
        f"{sample.name}{{{','.join(dict(sorted(sample.labels.items())).values())}}}": sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_what_is_counted_is_shown_with_its_process_and_its_labels() -> None:
    measures, board = Measures(), Board()
    measures.add("orders_sent_total", role="HEDGE")
    measures.add("orders_sent_total", 2, role="HEDGE")
    measures.set("kill_switch", True)
    for seconds in (0.0004, 0.0005, 0.02, 7):
        measures.observe("turn_seconds", seconds)
    board.take("gateway", 1, wire.report(wire.pack(measures.report())), 0)
    found = shown(board)
    assert found["legkeeper_orders_sent_total{gateway,HEDGE}"] == 3
    assert found["legkeeper_kill_switch{gateway}"] == 1
    assert found["legkeeper_turn_seconds_bucket{0.0005,gateway}"] == 2  # a bound belongs to its bucket
    assert found["legkeeper_turn_seconds_bucket{0.025,gateway}"] == 3
    assert found["legkeeper_turn_seconds_bucket{+Inf,gateway}"] == found["legkeeper_turn_seconds_count{gateway}"] == 4
    assert found["legkeeper_turn_seconds_sum{gateway}"] == pytest.approx(7.0209)


def test_a_metric_that_the_catalogue_does_not_have_is_an_error() -> None:
    with pytest.raises(KeyError):
        Measures().add("orders_total")
    with pytest.raises(KeyError):
        Measures().add("orders_sent_total")  # its label is missing


def test_what_is_begun_is_shown_at_zero() -> None:
    measures, board = Measures(), Board()
    measures.begin("safeguard_actions_total", "broker_sessions_total", "hedge_lag_seconds")
    board.take("cell-0", 1, measures.report(), 0)
    found = shown(board)
    assert all(found[f"legkeeper_safeguard_actions_total{{cell-0,{name}}}"] == 0 for name in SAFEGUARDS)
    assert found["legkeeper_broker_sessions_total{cell-0}"] == found["legkeeper_hedge_lag_seconds_count{cell-0}"] == 0


def test_counters_go_on_where_a_dead_process_left_off_and_gauges_do_not() -> None:
    board = Board()
    for pid, sent in ((1, 5), (1, 7), (2, 1), (3, 2)):
        measures = Measures()
        measures.add("orders_sent_total", sent, role="RISK")
        measures.set("uncovered_units", sent)
        measures.observe("commit_seconds", 0.001)
        if pid == 1:
            measures.add("orders_sent_total", role="HEDGE")
        board.take("gateway", pid, measures.report(), pid)
    found = shown(board)
    assert found["legkeeper_orders_sent_total{gateway,RISK}"] == 7 + 1 + 2
    assert found["legkeeper_orders_sent_total{gateway,HEDGE}"] == 1
    assert found["legkeeper_uncovered_units{gateway}"] == 2
    assert found["legkeeper_commit_seconds_count{gateway}"] == 3


def test_the_age_of_a_report_is_shown() -> None:
    board = Board()
    board.take("cell-0", 1, Measures().report(), 1_000)
    assert board.ages(3_500) == {"cell-0": 2.5}


def test_it_is_served_on_loopback_and_a_port_in_use_is_an_error() -> None:
    board = Board()
    board.take("cell-0", 1, Measures().report(), 0)
    server = serve(board, 0)
    try:
        port = server.server_port
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert b"legkeeper_report_age_seconds" in answer.read()
        assert server.server_address[0] == "127.0.0.1"
        with pytest.raises(OSError, match="in use"):
            serve(board, port)
    finally:
        server.shutdown()
        server.server_close()
