"""S2: which price triggers a stop-loss, and at which it exits; watched by the broker or, where that is asked, by us."""

from __future__ import annotations

from typing import Any

import pytest
from edge import Edge
from msgspec.structs import replace
from world import DEEP_POCKETS, LONG, SHORT, World, bull_put, leg

from config.schema import Config, OrdersConfig
from domain.execution import OrdType, Side
from domain.groups import GroupOutcome, Plan, PlanStop, Role, TriggerOn
from messages.records import StopStatus
from venue.rules import Rules

TRIGGER, LIMIT = 25_000, 25_500


def watched(on: TriggerOn = TriggerOn.MID, *, replaces: bool = True, **more: Any) -> World:
    """A hedged bull put whose short has a stop-loss that is watched here, not at the exchange."""
    world = World(replaces=replaces, **more)
    world.watch = Edge(world)
    plan = bull_put(quantity=10, stop=TRIGGER)
    world.submit(replace(plan, stops=tuple(replace(stop, trigger_on=on) for stop in plan.stops)))
    world.advance(600, fresh=True)
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert not world.orders(Role.STOP_LIMIT)
    return world


def move(world: World, bid: int, ask: int, size: int = 100) -> None:
    world.quote(SHORT, bid, ask, size)
    world.advance(100)


def status(world: World) -> StopStatus:
    return world.group().stops[0].status


class TestStopLossPrice:
    """The execution price lies half a per cent beyond the trigger in the direction that fills, on tick, outward."""

    def test_of_a_buy_it_is_above_the_trigger(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10, stop=TRIGGER))
        (stop,) = world.orders(Role.STOP_LIMIT)
        assert (stop.side, stop.trigger_price, stop.price) == (Side.BUY, TRIGGER, LIMIT)

    def test_of_a_sell_it_is_below_the_trigger(self) -> None:
        world = World()
        only = leg(LONG, "buy")
        world.submit(
            Plan(group_id="bp", quantity=10, legs=(only,), stops=(PlanStop(leg_id=only.leg_id, trigger_price=15_000),))
        )
        (stop,) = world.orders(Role.STOP_LIMIT)
        assert (stop.side, stop.trigger_price, stop.price) == (Side.SELL, 15_000, 14_500)


def test_the_mid_triggers_a_limit_order_at_the_execution_price_which_closes_the_group() -> None:
    world = watched()
    move(world, 24_500, 25_400)
    assert status(world) is StopStatus.ARMED
    move(world, 24_600, 25_400)
    (exit_order,) = world.orders(Role.STOP_LIMIT)
    assert (exit_order.order_type, exit_order.side, exit_order.price) == (OrdType.LIMIT, Side.BUY, LIMIT)
    world.advance(1_000, fresh=True)
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)
    assert world.group().group.outcome is GroupOutcome.FLAT


def test_the_mark_of_a_short_is_what_buying_it_back_would_cost() -> None:
    world = watched(TriggerOn.MARK)
    move(world, 22_000, 24_950)
    assert status(world) is StopStatus.ARMED
    move(world, 22_000, 25_000)
    assert status(world) is not StopStatus.ARMED


@pytest.mark.parametrize("replaces", [True, False])
def test_r1_a_gap_through_the_limit_ends_flat_within_the_brokers_two_seconds_and_a_little(replaces: bool) -> None:
    world = watched(replaces=replaces)
    move(world, 30_000, 30_500)
    triggered = world.group().stops[0].triggered_ns
    world.advance(1_900)
    assert world.position(SHORT) == -10
    world.advance(300)
    assert world.position(SHORT) == 0
    last = [event.ts_ns for event in world.truth if event.kind == "fill" and event.symbol == SHORT][-1]
    assert last - triggered <= 2_200_000_000
    assert [order.order_type for order in world.orders(Role.STOP_MARKET)] == ([] if replaces else [OrdType.MARKET])


@pytest.mark.parametrize(
    ("bid", "ask"),
    [(0, 60_000), (60_000, 0), (60_000, 50_000), (1_000, 60_000), (0, 0)],
    ids=["no bid", "no ask", "crossed", "absurdly wide", "nothing"],
)
def test_garbage_triggers_nothing_and_a_person_is_told_when_it_stays(bid: int, ask: int) -> None:
    world = watched()
    move(world, bid, ask, 0)
    world.advance(9_000, step_ms=1_000)
    assert (status(world), world.kinds().count("STOP_BLIND")) == (StopStatus.ARMED, 0)
    world.advance(3_000, step_ms=1_000)
    assert (status(world), world.kinds().count("STOP_BLIND")) == (StopStatus.ARMED, 1)
    move(world, 25_000, 25_500)
    assert status(world) is not StopStatus.ARMED


def test_a_stale_quote_triggers_nothing() -> None:
    world = watched(config=Config(orders=OrdersConfig(quote_max_age_ms=1_000)))
    world.advance(100, fresh=True)
    stale = [q for q in world.tick().quotes if q.symbol == SHORT]
    world.now_ns += 100_000_000
    old = replace(stale[0], bid=30_000, ask=30_500, ts_ns=world.now_ns - 1_001_000_000)
    world.take([replace(world.tick(), quotes=(old,))])
    assert status(world) is StopStatus.ARMED
    assert world.group().stops[0].blind_ns


def test_it_is_watched_again_after_a_restart() -> None:
    world = watched()
    world.restart()
    move(world, 25_000, 25_500)
    assert status(world) is not StopStatus.ARMED


def test_a_broker_without_stops_has_them_watched_here() -> None:
    world = World(server_stops=False, replaces=True)
    world.submit(bull_put(quantity=10, stop=TRIGGER))
    assert not world.orders(Role.STOP_LIMIT)
    move(world, 28_000, 28_500)
    world.advance(3_000, fresh=True)
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)


def test_a_broker_that_refuses_the_stop_is_not_stormed_and_the_price_is_watched_here_meanwhile() -> None:
    world = World(rules=Rules(cash=DEEP_POCKETS, price_band_pct=20.0), replaces=True)
    world.submit(bull_put(quantity=10, stop=40_000))
    world.advance(60_000, fresh=True)
    assert 3 <= len(world.orders(Role.STOP_LIMIT)) <= 10
    assert "STOP_UNPROTECTED" in world.kinds()
    move(world, 40_000, 40_500)
    world.advance(5_000, fresh=True)
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)


def test_r12_exits_of_a_watched_stop_are_capped_by_what_is_held_and_not_yet_being_closed() -> None:
    world = watched(size=4)
    move(world, 25_000, 25_400, 4)
    for _ in range(4):
        world.advance(200, fresh=True)
        ours = [r for r in world.exchange.orders(world.now_ns) if r.symbol == SHORT and r.side is Side.BUY]
        assert sum(r.leaves_qty for r in ours) <= -world.position(SHORT)
    world.advance(5_000, fresh=True)
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)
