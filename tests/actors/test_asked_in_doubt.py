"""Fills in doubt at the gateway: the broker is asked at once, and the cell hears the answer, though not of absences."""

from __future__ import annotations

from pathlib import Path

from gateway_door import LONG, SHORT, Clock, Door, door, order, report

from actors.broker_session import SETTLE_MS
from actors.machine import running_on
from domain.execution import ExecType, ExecutionReport, Side
from messages import wire
from messages.orders import Snapshot, SubmitOrder
from messages.supervision import EventBatch

ENTRY = order(LONG, Side.BUY, 10)
OTHER = order(SHORT, Side.SELL, 10)


def trade(sent: SubmitOrder, qty: int, cum: int, ts_ns: int) -> ExecutionReport:
    return report(sent, ExecType.TRADE, cum, ts_ns, last_qty=qty, last_px=1_0000, exec_id=f"t{ts_ns}")


def in_doubt(gateway: Door) -> None:
    """Three are bought, taken back unheard, and four bought again."""
    gateway.hear(ENTRY, OTHER)
    gateway.works(OTHER)
    gateway.hears(trade(ENTRY, 3, 3, gateway.now_ns + 1))
    gateway.hears(trade(ENTRY, 4, 4, gateway.now_ns + 3))


def answer(gateway: Door, *, bust: bool = True) -> Snapshot:
    """What the broker says when asked, of both orders."""
    at = gateway.now_ns
    busted = report(ENTRY, ExecType.TRADE_CANCEL, 0, at + 2, exec_id="b", exec_ref_id=f"t{at + 1}")
    orders = tuple(report(sent, ExecType.ORDER_STATUS, cum, at + 9) for sent, cum in ((ENTRY, 4), (OTHER, 0)))
    return Snapshot(as_of_ns=at + 9, session=1, orders=orders, executions=(busted,) if bust else (), positions=())


def told_to_the_cell(gateway: Door, *events: Snapshot) -> list[wire.Event]:
    gateway.broker.says += events
    gateway.pump()
    batches = [message for message in gateway.posted if isinstance(message, EventBatch)]
    told = [event for batch in batches for event in wire.events(batch.events)]
    gateway.heard()
    return told


def test_the_broker_is_asked_at_once_and_the_cell_is_told_what_it_says_of_the_order(tmp_path: Path) -> None:
    with running_on(Clock()), door(tmp_path) as gateway:
        gateway.hear(ENTRY, OTHER)
        before = gateway.broker.polls
        gateway.hears(trade(ENTRY, 3, 3, gateway.now_ns + 1))
        assert gateway.broker.polls == before
        gateway.hears(trade(ENTRY, 4, 4, gateway.now_ns + 3))
        assert gateway.broker.polls == before + 1
        told = told_to_the_cell(gateway, answer(gateway))
        assert [(type(one), one.exec_type) for one in told if isinstance(one, ExecutionReport)] == [
            (ExecutionReport, ExecType.TRADE_CANCEL),
            (ExecutionReport, ExecType.ORDER_STATUS),
        ]
        assert {one.client_order_id for one in told if isinstance(one, ExecutionReport)} == {ENTRY.client_order_id}
        assert not any(isinstance(one, Snapshot) for one in told)
        assert gateway.door.ledger.doubted == set()


def test_it_is_asked_again_less_and_less_often_until_it_is_settled(tmp_path: Path) -> None:
    clock = Clock()
    with running_on(clock), door(tmp_path) as gateway:
        in_doubt(gateway)
        asked = gateway.broker.polls
        for pause_ms in SETTLE_MS:
            clock.ns += (pause_ms - 1) * 10**6
            gateway.pump()
            assert gateway.broker.polls == asked
            clock.ns += 10**6
            gateway.pump()
            asked += 1
            assert gateway.broker.polls == asked
        told_to_the_cell(gateway, answer(gateway, bust=False))
        clock.ns += 60_000 * 10**6
        gateway.pump()
        assert gateway.broker.polls == asked


def test_an_order_counts_against_its_parent_with_what_is_in_doubt(tmp_path: Path) -> None:
    with running_on(Clock()), door(tmp_path) as gateway:
        in_doubt(gateway)
        gateway.hears(report(ENTRY, ExecType.CANCELED, 4, gateway.now_ns + 5))
        assert gateway.door.ledger.committed(ENTRY.parent_id) == 7
        gateway.hears(answer(gateway))
        assert gateway.door.ledger.committed(ENTRY.parent_id) == 4
