"""What a gateway writes down of itself, so that the audit can judge it by the order of events (I25)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway_door import LONG, NOW_NS, Clock, Door, door, lets_out, order, report

from actors.machine import running_on
from config.schema import AlertsConfig
from decisions.gateway.repeats import subject_of
from domain.execution import ExecType, OrdType, Side
from domain.groups import Role
from domain.strategies import StrategyRules
from domain.verticals import VerticalKind
from messages.records import ControlRecord
from storage.reader import JournalReader


def lines(journal_dir: Path) -> list[dict[str, Any]]:
    """The wire record."""
    return [json.loads(line) for line in (journal_dir / "wire.jsonl").read_text().splitlines()]


def test_e8_e18_a_start_names_the_strategies_and_how_long_an_alert_may_wait(tmp_path: Path) -> None:
    weekly = StrategyRules(name="weekly", kind=VerticalKind.BULL_PUT, underlying="XYZ", quantity=1)
    with door(tmp_path, strategies=(weekly,)):
        start = lines(tmp_path)[0]
    assert (start["kind"], start["strategies"], start["freeze_after_ms"]) == (
        "start", ["weekly"], AlertsConfig().freeze_after_ms,
    )  # fmt: skip


def test_e12_a_repair_that_waits_is_noted_when_it_begins_to(tmp_path: Path) -> None:
    exit_ = order(LONG, Side.SELL, role=Role.CLOSE, order_type=OrdType.MARKET, price=0)
    clock = Clock()
    with running_on(clock), door(tmp_path, cross_wait_ms=100) as gateway:
        lets_out(gateway, entry := order(LONG, Side.BUY))
        gateway.hear(exit_)
        while exit_ not in gateway.sent:
            clock.ns += 20 * 10**6
            gateway.passes(20)
    noted = [(line["kind"], line.get("client_order_id")) for line in lines(tmp_path) if line["kind"] != "query"]
    assert noted[-4:] == [
        ("submit", entry.client_order_id),
        ("held", exit_.client_order_id),
        ("cancel", entry.client_order_id),
        ("submit", exit_.client_order_id),
    ]
    held, _, left = lines(tmp_path)[-3:]
    assert left["host_ns"] - held["host_ns"] >= 100 * 10**6


def disabled_at(gateway: Door) -> list[int]:
    """The times of the turns in which something was disabled, as a reader finds them."""
    subject = subject_of(LONG.symbol, Side.BUY)
    with JournalReader(gateway.memory.path) as reader:
        return [
            turn.at_ns
            for turn in reader.turns()
            for record in turn.records()
            if isinstance(record, ControlRecord) and record.subject == subject
        ]


def test_e8_a_stop_is_written_under_the_time_at_which_it_came_to_hold(tmp_path: Path) -> None:
    with door(tmp_path, repeat_limit=1) as gateway:
        entries = [order(LONG, Side.BUY, group_id=f"g{number}") for number in range(2)]
        for entry in entries:
            lets_out(gateway, entry)
        gateway.passes(5_000)
        fills = [report(one, ExecType.TRADE, 1, NOW_NS, last_qty=1, last_px=one.price) for one in entries]
        gateway.snapshot(executions=tuple(fills))
        assert disabled_at(gateway) == [gateway.now_ns], "the fills are older: nobody had heard of them"
