"""Metrics and alerts of a running system: every metric that is named moves, and nothing that fails is in the way."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

from evidence import finish
from prometheus_client.parser import text_string_to_metric_families
from system import Bench, bench, free_port, id_in_cell, plan, wait_for
from webhook import Webhook

from domain.execution import ExecType
from domain.groups import PlanStop, group_part, group_tag
from monitoring.catalogue import METRICS, PREFIX
from venue.nasty import Nasty

SHORT, WING = "LEGK  260220P00485000", "LEGK  260220P00470000"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(port: int) -> Samples:
    """Every sample by name and labels; empty while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of a metric's samples with these labels."""
    return sum(
        value for (found, about), value in samples.items() if found == PREFIX + name and labels.items() <= set(about)
    )


def bust_protection(where: Bench, group_id: str) -> None:
    """The exchange takes the group's first trade in the wing back."""
    with where.steering() as hand:
        trade = next(
            trade
            for trade in hand.snapshot().executions
            if trade.exec_type is ExecType.TRADE
            and trade.symbol == WING
            and group_part(trade.client_order_id) == group_tag(group_id)
        )
        hand.bust(trade.exec_id)


def test_every_metric_that_the_requirements_name_moves_in_a_running_system(tmp_path: Path) -> None:
    port = free_port()
    first, bare, late = id_in_cell(0, "first"), id_in_cell(0, "bare"), id_in_cell(1, "late")
    with bench(tmp_path) as where, where.steering() as hand, Webhook() as good, Webhook(hangs=True) as stuck:
        system = where.start(
            LEGKEEPER_METRICS_PORT=str(port),
            LEGKEEPER_ALERTS_URLS=f"{good.url} CRITICAL:{stuck.url}",
            LEGKEEPER_ALERTS_SINK_TIMEOUT_MS="300",
        )
        system.wait_until_open()

        def reaches(name: str, least: float = 1, **labels: str) -> None:
            wait_for(lambda: total(scrape(port), name, **labels) >= least, f"{name} {labels} to reach {least}")

        before = wait_for(lambda: scrape(port), "metrics")
        assert (
            total(before, "uncovered_units")
            == total(before, "hedge_lag_seconds_count")
            == total(before, "margin_use_ratio")
            == 0
        )
        reaches("broker_link_up")
        reaches("may_open", 2)
        reaches("process_up", 6)
        system.submit(plan(first, stops=(PlanStop(leg_id="short", trigger_price=30_0000),)))
        where.wait_until_certified(first)
        reaches("groups", outcome="hedged")
        reaches("intents", 2, status="FILLED")
        reaches("intents", status="LIVE")  # the stop
        reaches("orders_sent_total", role="PROTECTION")
        reaches("margin_use_ratio", 1e-9)
        for name in ("turn_seconds_count", "commit_seconds_count", "turn_seconds_sum", "commit_seconds_sum"):
            assert total(scrape(port), name) > 0
        assert wait_for(lambda: total(scrape(port), "safeguard_actions_total", safeguard="S2"), "a stop to be counted")

        # Exposure, its lag, and the alerts about it: protection is taken back while nobody sells any
        system.submit(plan(bare))
        where.wait_until_certified(bare)
        hand.pin(WING, 1_0000, 0)
        bust_protection(where, bare)
        reaches("uncovered_units")
        reaches("alerts_unacknowledged", severity="CRITICAL")
        reaches("safeguard_actions_total", 3, safeguard="S11")
        reaches("safeguard_actions_total", safeguard="S12")
        reaches("hedge_lag_seconds_count")
        wait_for(lambda: total(scrape(port), "uncovered_units") == 0, "the exposure to end")
        reaches("alert_deliveries_total", sink="json-1", result="taken")
        reaches("alert_deliveries_total", sink="json-2", result="failed")
        wait_for(lambda: not total(scrape(port), "alert_sink_up", sink="json-2"), "the stuck sink to be down")
        assert wait_for(lambda: where.delivered("IMMEDIATE_MANUAL_HEDGE"), "the alert to be confirmed")
        assert any("IMMEDIATE_MANUAL_HEDGE" in note["message"] for note in good.notes)

        # Divergences: nothing is pushed any more, so that only the poll tells what filled
        hand.misbehave(Nasty(drop_report=1.0))
        system.submit(plan(late))
        where.wait_until_certified(late)
        reaches("reconciliation_divergences_total")
        wait_for(lambda: "RECONCILIATION_MISMATCH" in where.alert_kinds(), "the warning")
        hand.misbehave(Nasty())

        # Restarts: what a dead cell had counted is not lost
        counted = total(scrape(port), "turn_seconds_count", process="cell-0")
        system.wait_until_replaced("cell-0", system.kill("cell-0"))
        reaches("process_restarts_total", child="cell-0")
        reaches("turn_seconds_count", counted, process="cell-0")
        sessions = total(scrape(port), "broker_sessions_total")
        with_gateway = system.pid_of("gateway")
        hand.cut_links()
        reaches("broker_sessions_total", sessions + 1)
        assert system.pid_of("gateway") == with_gateway

        # The link's state, and what waits while it is down
        assert where.venue is not None
        with where.venue.frozen():
            wait_for(lambda: not total(scrape(port), "broker_link_up"), "the link to be down")
        reaches("broker_link_up")
        system.wait_until_open()
        missing = {metric.name for metric in METRICS} - exported(scrape(port)) - NEEDS_MISFORTUNE
        assert not missing, f"the catalogue has metrics that nobody exports: {missing}"
        finish(where, first, bare, late, outcome=None)


NEEDS_MISFORTUNE = {"orders_refused_total"}  # a gateway that refuses nothing shows none


def exported(samples: Samples) -> set[str]:
    """The catalogue's names of what was scraped."""
    names = {name.removeprefix(PREFIX) for name, _ in samples}
    return names | {name.removesuffix("_count") for name in names}


def test_a_metrics_port_in_use_costs_the_metrics_and_nothing_else(tmp_path: Path) -> None:
    group = id_in_cell(0, "unseen")
    with bench(tmp_path) as where:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            system = where.start(LEGKEEPER_METRICS_PORT=str(port))
            system.wait_until_open()
            wait_for(lambda: "METRICS_UNAVAILABLE" in where.alert_kinds(), "the alert")
            told = next(alert for alert in where.alerts() if alert["kind"] == "METRICS_UNAVAILABLE")
            assert told["severity"] == "WARNING"
            assert str(port) in told["text"]
            system.submit(plan(group))
            where.wait_until_certified(group)
        wait_for(lambda: scrape(port), "metrics, once the port is free")
        finish(where, group)


def test_metrics_that_keep_dying_halt_nothing_and_come_back(tmp_path: Path) -> None:
    port, group = free_port(), id_in_cell(0, "calm")
    with bench(tmp_path, {"intensity": 1, "period_ms": 1_000, "backoff_ms": 10}) as where:
        system = where.start(LEGKEEPER_METRICS_PORT=str(port))
        system.wait_until_open()
        cells = [system.pid_of("cell-0"), system.pid_of("gateway")]
        epoch = where.epoch(0)
        for _ in range(2):
            system.wait_until_replaced("metrics", system.kill("metrics"))
        wait_for(lambda: scrape(port), "metrics")
        assert system.status()["halted"] == ""
        assert [system.pid_of("cell-0"), system.pid_of("gateway")] == cells
        assert where.epoch(0) == epoch
        system.submit(plan(group))
        finish(where, group)


def test_a_sink_that_is_none_is_refused_at_the_start_and_its_password_is_not_shown(tmp_path: Path) -> None:
    where = Bench(tmp_path, None)
    try:
        system = where.launch(LEGKEEPER_ALERTS_URLS="json://127.0.0.1/a carrier-pigeon://me:s3cret@roof")
        assert system.wait_until_ended() == 1
        said = system.process.communicate()[1]
        assert "alerts.urls" in said
        assert "item 2" in said
        assert "carrier-pigeon" in said
        assert "s3cret" not in said
        assert not where.left()
    finally:
        where.close()
