"""The wire record: everything that leaves is noted first, and a disk that fails never stops an order."""

from __future__ import annotations

import json
import resource
from itertools import count
from pathlib import Path
from typing import Any

import structlog
from structlog.testing import capture_logs

from brokers.registry import make_adapter
from brokers.wire_record import RecordedAdapter, WireRecord
from config.schema import BrokerConfig
from domain.execution import OrdType, Side, TimeInForce
from domain.groups import Role
from messages.orders import CancelOrder, ModifyOrder, Outcome, SubmitOrder, SubmitResult

ORDER = SubmitOrder(
    client_order_id="LK0AAAAAAAAE000001", group_id="g1", role=Role.RISK, symbol="X", side=Side.SELL, quantity=5,
    order_type=OrdType.LIMIT, time_in_force=TimeInForce.DAY, price=12_500, trigger_price=0, parent_id="p", parent_qty=5,
    epoch=3, decided_ns=7,
)  # fmt: skip


def opened(path: Path) -> tuple[RecordedAdapter, WireRecord]:
    """An adapter that has no connection: what it is asked becomes UNKNOWN."""
    ticks = count(1)
    record = WireRecord(path, structlog.get_logger(), lambda: next(ticks), 42)
    return RecordedAdapter(make_adapter(BrokerConfig()), record), record


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_e7_a_restarted_gateway_reads_what_left_within_the_last_second_and_skips_half_a_line(tmp_path: Path) -> None:
    path, clock = tmp_path / "wire.jsonl", [0]
    record = WireRecord(path, structlog.get_logger(), lambda: clock[0] * 1_000_000, 42)
    for kind, at_ms in (("submit", 100), ("login", 300), ("cancel", 900), ("query", 1_000)):
        clock[0] = at_ms
        record.note(kind)
    with path.open("ab") as file:
        file.write(b'{"kind": "subm')
    clock[0] = 1_500
    assert record.left_ms(1_000) == [900, 1_000]
    clock[0] = 50
    assert record.left_ms(1_000) == [], "the machine was started anew"
    path.unlink()
    assert record.left_ms(1_000) == []


def test_orders_cancels_and_changes_are_noted_with_epoch_and_process_and_still_sent(tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl"
    adapter, record = opened(path)
    record.note("start", killed=False)
    adapter.submit(ORDER)
    adapter.cancel(CancelOrder(client_order_id="a", venue_order_id="", request_id="a/c1", epoch=3))
    change = ModifyOrder(
        client_order_id="a", venue_order_id="", request_id="a/m1", order_type=OrdType.MARKET, quantity=5, price=0,
        trigger_price=0, epoch=4,
    )  # fmt: skip
    adapter.modify(change)
    adapter.request_snapshot()
    assert [(line["kind"], line["host_ns"], line["pid"], line.get("epoch")) for line in lines(path)] == [
        ("start", 1, 42, None),
        ("submit", 2, 42, 3),
        ("cancel", 3, 42, 3),
        ("modify", 4, 42, 4),
        ("query", 5, 42, None),
    ]
    sent = lines(path)[1]
    assert (sent["role"], sent["side"], sent["quantity"], sent["price"]) == ("RISK", "sell", 5, 12_500)
    results = [event for event in adapter.pump() if isinstance(event, SubmitResult)]
    assert [(result.client_order_id, result.outcome) for result in results] == [
        (ORDER.client_order_id, Outcome.UNKNOWN)
    ]


def test_a_new_process_appends(tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl"
    for _ in range(2):
        adapter, _record = opened(path)
        adapter.submit(ORDER)
        adapter.close()
    assert [line["kind"] for line in lines(path)] == ["submit", "submit"]


def test_a_record_that_cannot_be_written_is_told_once_and_stops_no_order(tmp_path: Path) -> None:
    with capture_logs() as told:
        adapter, _record = opened(tmp_path / "missing" / "wire.jsonl")
        adapter.submit(ORDER)
        adapter.submit(ORDER)
    assert [entry["log_level"] for entry in told] == ["error"]
    assert any(isinstance(event, SubmitResult) for event in adapter.pump())


def test_a_line_that_the_disk_takes_in_part_is_taken_back_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl"
    adapter, record = opened(path)
    adapter.submit(ORDER)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 7, hard))  # a disk with room for seven bytes
    try:
        adapter.submit(ORDER)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    adapter.cancel(CancelOrder(client_order_id="o", venue_order_id="", request_id="r", epoch=1))
    record.close()
    assert [line["kind"] for line in lines(path)] == ["submit", "cancel"]


def test_half_a_line_of_a_killed_process_is_cut_off_by_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl"
    adapter, record = opened(path)
    adapter.submit(ORDER)
    record.close()
    with path.open("ab") as file:
        file.write(b'{"kind"')
    adapter, record = opened(path)
    adapter.submit(ORDER)
    record.close()
    assert [line["kind"] for line in lines(path)] == ["submit", "submit"]
