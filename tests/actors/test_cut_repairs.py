"""E1 is hard for repairs too: a group whose limit was lowered is covered, closed and guarded by orders that are cut."""

from __future__ import annotations

import pytest
from world import LONG, SHORT, World, bull_put

from config.schema import Config, ControlsConfig
from domain.execution import ExecType, OrdType
from domain.groups import ENTRY_ROLES, GroupOutcome, Role
from messages.operator import CancelGroup
from messages.orders import SubmitOrder
from messages.records import StopStatus

MOST = 3
LOWERED = Config(controls=ControlsConfig(max_order_qty=MOST))
TRIGGER = 25_000


def hedged(stop: int = 0) -> World:
    """A bull put of ten that came in under the old limit, and the cells have heard of the new one."""
    world = World()
    world.submit(bull_put(quantity=10, stop=stop))
    assert world.group().group.outcome is GroupOutcome.HEDGED
    return world


def lowered(world: World) -> World:
    world.config = LOWERED
    world.restart()
    world.received.clear()
    return world


def repairs(world: World) -> list[SubmitOrder]:
    found = [order for order in world.orders() if order.role not in ENTRY_ROLES]
    assert found and all(order.quantity <= MOST for order in found), [order.quantity for order in found]
    return found


def test_e1_a_repair_is_cut_and_a_hedge_covers_all_that_is_missing() -> None:
    world = lowered(hedged())
    for trade in [r for r in world.exchange.executions() if r.exec_type is ExecType.TRADE and r.symbol == LONG]:
        world.take(world.exchange.bust(trade.exec_id, world.now_ns))
    world.advance(8_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
    assert sum(order.quantity for order in repairs(world)) == 10
    assert {order.role for order in repairs(world)} == {Role.HEDGE}
    assert world.group().group.outcome is GroupOutcome.HEDGED


def test_e1_a_repair_is_cut_and_an_exit_closes_all_that_is_held() -> None:
    world = lowered(hedged())
    world.take([CancelGroup("bp")])
    world.advance(8_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)
    assert sum(order.quantity for order in repairs(world)) == 20
    assert world.group().group.outcome is GroupOutcome.FLAT


def test_e1_a_repair_is_cut_and_what_a_dry_market_left_of_it_is_tried_again() -> None:
    world = lowered(hedged())
    world.sizes[SHORT] = 0
    world.show([SHORT])
    world.take([CancelGroup("bp")])
    world.advance(7_000)
    assert world.position(SHORT) == -10
    world.sizes[SHORT] = 100
    world.advance(30_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)
    assert all(order.quantity <= MOST for order in repairs(world))
    assert world.group().group.outcome is GroupOutcome.FLAT


@pytest.mark.parametrize("gap", [False, True], ids=["fills at its limit", "falls back to the market"])
def test_e1_a_repair_is_cut_and_stops_guard_all_of_the_position(gap: bool) -> None:
    world = hedged(stop=TRIGGER)
    (before,) = world.orders(Role.STOP_LIMIT)
    assert before.quantity == 10
    world = lowered(world)
    world.take(
        world.exchange.cancel(client_order_id=before.client_order_id, request_id="x", now_ns=world.now_ns).reports
    )
    world.advance(2_000)
    stops = [order.quantity for order in repairs(world)]
    assert stops == [3, 3, 3, 1]
    bid = 28_000 if gap else 25_000
    world.quote(SHORT, bid, bid + 500, 100)
    world.advance(6_000, fresh=True)
    assert world.position(SHORT) == 0
    assert world.group().stops[0].status is StopStatus.DONE
    markets = [order for order in repairs(world) if order.order_type is OrdType.MARKET]
    assert sum(order.quantity for order in markets) == (10 if gap else 0)


def test_e1_new_risk_is_not_cut() -> None:
    world = World(config=LOWERED)
    world.submit(bull_put(quantity=10))
    assert [order.quantity for order in world.orders(Role.PROTECTION)] == [10], "the gateway refuses it"
