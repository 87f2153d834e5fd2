"""R18: what the broker has stored must be what was intended, else it is canceled, counted, and a person is told."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from world import DEEP_POCKETS, LONG, SHORT, World, bull_put

from domain.execution import ExecType, ExecutionReport, OrdType, Side
from domain.groups import GroupOutcome, Role
from messages.orders import Snapshot
from messages.records import StopStatus
from venue.rules import Rules

TRIGGER = 25_000
OTHERWISE: list[dict[str, Any]] = [
    {"trigger_price": 26_000},
    {"price": 26_000},
    {"order_type": OrdType.LIMIT},
    {"order_qty": 20},
    {"side": Side.SELL},
    {"symbol": LONG},
]


def guarded(**more: Any) -> World:
    world = World(**more)
    world.submit(bull_put(quantity=10, stop=TRIGGER))
    assert world.group().group.outcome is GroupOutcome.HEDGED
    return world


def stored(world: World) -> ExecutionReport:
    """The broker's word on the working stop."""
    ids = {order.client_order_id for order in world.orders(Role.STOP_LIMIT)}
    return next(r for r in world.exchange.orders(world.now_ns) if r.client_order_id in ids and r.leaves_qty)


def snapshot_with(world: World, report: ExecutionReport) -> Snapshot:
    told = world.snapshot_message()
    orders = tuple(report if r.client_order_id == report.client_order_id else r for r in told.orders)
    return replace(told, orders=orders)


def differing(world: World) -> float:
    return sum(s.value for s in world.cell.measures.report().samples if s.name == "orders_differing_total")


def test_r18_what_the_broker_stored_as_intended_is_left_alone() -> None:
    world = guarded()
    world.advance(12_000, step_ms=1_000)
    world.snapshot()
    assert not world.cancels(stored(world).client_order_id)
    assert differing(world) == 0


@pytest.mark.parametrize("otherwise", OTHERWISE, ids=lambda changes: next(iter(changes)))
def test_r18_a_stop_that_the_broker_stored_otherwise_is_canceled_and_a_person_is_told(
    otherwise: dict[str, Any],
) -> None:
    world = guarded()
    wrong = replace(stored(world), **otherwise)
    world.take([snapshot_with(world, wrong)])
    (alert,) = world.escalations("ORDER_DIFFERS")
    assert next(iter(otherwise)).replace("_", " ").split()[0].replace("order", "") in alert.text
    assert len(world.cancels(wrong.client_order_id)) == 1
    assert differing(world) == 1
    world.advance(1_000)
    assert stored(world).client_order_id != wrong.client_order_id, "a right one takes its place"
    assert world.position(SHORT) == -10


def test_r18_a_broker_that_always_stores_it_otherwise_is_not_stormed_and_the_price_is_watched_here() -> None:
    world = guarded()
    for _ in range(600):
        working = [r for r in world.exchange.orders(world.now_ns) if r.leaves_qty]
        wrong = [replace(r, trigger_price=26_000, exec_type=ExecType.RESTATED, exec_id=f"w{r.ts_ns}") for r in working]
        world.take(wrong)
        world.advance(100)
    assert len(world.orders(Role.STOP_LIMIT)) <= 10
    assert "STOP_UNPROTECTED" in world.kinds()
    world.quote(SHORT, 24_800, 25_300)
    world.advance(100)
    assert world.group().stops[0].status is not StopStatus.ARMED


def test_r18_an_entry_that_was_stored_with_another_price_is_canceled_too() -> None:
    world = World(size=0)
    world.submit(bull_put(quantity=10))
    (entry,) = world.orders()
    (report,) = (r for r in world.exchange.orders(world.now_ns) if r.client_order_id == entry.client_order_id)
    world.take([snapshot_with(world, replace(report, price=report.price + 5_000))])
    assert world.cancels(entry.client_order_id)
    assert world.escalations("ORDER_DIFFERS")


def test_r18_terms_that_a_change_in_place_has_just_replaced_are_not_held_against_the_broker() -> None:
    world = World(size=5, replaces=True)
    world.submit(bull_put(quantity=10, stop=TRIGGER))
    world.advance(500, fresh=True)
    before = stored(world)
    short = next(r for r in world.exchange.executions() if r.symbol == SHORT)
    world.sizes[SHORT] = 0
    world.show()
    world.take(world.exchange.bust(short.exec_id, world.now_ns))
    assert stored(world).order_qty == 5
    world.take([snapshot_with(world, replace(before, ts_ns=world.now_ns))])  # a snapshot that lags
    assert not world.escalations("ORDER_DIFFERS")
    world.advance(3_000)
    world.take([snapshot_with(world, replace(before, ts_ns=world.now_ns))])  # one that cannot be so old
    assert world.escalations("ORDER_DIFFERS")


def test_r18_a_market_order_that_the_house_made_a_limit_of_is_no_difference_where_that_is_declared() -> None:
    for rests, told in ((True, 0), (False, 1)):
        world = guarded(rests=rests, rules=Rules(cash=DEEP_POCKETS, market_protection_pct=1.0))
        world.quote(SHORT, 28_000, 28_500, 4)
        world.advance(2_100)
        (market,) = world.orders(Role.STOP_MARKET)
        found = [r for r in world.exchange.orders(world.now_ns) if r.client_order_id == market.client_order_id]
        if found and found[0].leaves_qty:
            world.take([snapshot_with(world, replace(found[0], order_type=OrdType.LIMIT, price=28_750))])
        assert len(world.escalations("ORDER_DIFFERS")) == (told if found[0].leaves_qty else 0)
