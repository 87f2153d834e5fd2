"""A market order that the house turns into a resting limit is priced again, so often, within a band; then a person."""

from __future__ import annotations

from typing import Any

import pytest
from edge import Edge
from world import DEEP_POCKETS, LONG, SHORT, World, bull_put

from config.schema import Config, OrdersConfig
from domain.execution import OrdType
from domain.groups import GroupOutcome, Policy, Role
from messages.operator import CancelGroup
from messages.orders import ModifyOrder
from messages.records import Severity
from venue.rules import Rules

TRIGGER = 25_000
NSE_LIKE = Rules(cash=DEEP_POCKETS, market_protection_pct=1.0)


def guarded(*, replaces: bool, **more: Any) -> World:
    world = World(rules=NSE_LIKE, replaces=replaces, rests=True, **more)
    world.watch = Edge(world)
    world.submit(bull_put(quantity=10, stop=TRIGGER))
    assert world.group().group.outcome is GroupOutcome.HEDGED
    return world


def prices(world: World) -> list[int]:
    """The limit prices under which the exit of the short was in the market after the fallback."""
    asked = [(r.price, r.order_type) for r in world.orders(Role.STOP_MARKET)]
    asked += [(r.price, r.order_type) for r in world.changes()]
    return [price for price, order_type in asked if order_type is OrdType.LIMIT]


def run_away(world: World) -> None:
    """The market is always a step ahead: nothing can be had at any price that was asked."""
    world.quote(SHORT, 28_000, 28_500, 0)
    world.sizes[SHORT] = 0


@pytest.mark.parametrize("replaces", [True, False])
def test_it_is_priced_again_every_second_further_beyond_the_touch_and_fills_when_there_is_size(replaces: bool) -> None:
    world = guarded(replaces=replaces)
    run_away(world)
    world.advance(4_500)
    assert len(prices(world)) >= 2
    assert prices(world) == sorted(prices(world))
    world.sizes[SHORT] = 100
    world.advance(1_500, fresh=True)
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert "EXIT_RESTED" not in world.kinds()


@pytest.mark.parametrize("replaces", [True, False])
def test_prices_stay_within_the_band_run_out_and_then_a_person_is_called(replaces: bool) -> None:
    config = Config(orders=OrdersConfig(market_band_pct=4.0, market_reprices=4))
    world = guarded(replaces=replaces, config=config)
    run_away(world)
    world.advance(12_000)
    mid = 28_250
    assert max(prices(world)) <= mid * 1.04
    first = [change for change in world.received if isinstance(change, ModifyOrder)]
    if replaces:
        per_order = {
            c.client_order_id: [x.price for x in first if x.client_order_id == c.client_order_id] for c in first
        }
        assert all(len(asked) <= 5 for asked in per_order.values())
    alert = world.escalations("EXIT_RESTED")[0]
    assert (alert.severity, alert.symbol) == (Severity.CRITICAL, SHORT)
    assert world.position(SHORT) == -10


def test_a_close_at_the_market_that_rests_is_priced_again_too() -> None:
    world = World(rules=NSE_LIKE, replaces=True, rests=True)
    world.watch = Edge(world)
    world.submit(bull_put(quantity=10, policy=Policy.FLATTEN))
    run_away(world)
    world.take([CancelGroup("bp")])
    world.advance(12_000)
    assert world.changes(), "the close that rested was changed in place"
    world.sizes[SHORT] = 100
    world.advance(20_000, fresh=True)
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)


def test_a_restart_between_two_prices_does_not_begin_again() -> None:
    world = guarded(replaces=True)
    run_away(world)
    world.advance(4_500)
    before = len(world.changes())
    world.restart()
    world.advance(500)
    assert len(world.changes()) <= before + 1
    assert prices(world) == sorted(prices(world))


def test_where_market_orders_do_not_rest_nothing_is_priced_again() -> None:
    world = World(replaces=True)
    world.submit(bull_put(quantity=10, stop=TRIGGER))
    run_away(world)
    world.advance(4_500)
    assert [change.order_type for change in world.changes()] == [OrdType.MARKET]
