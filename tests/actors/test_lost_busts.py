"""A bust whose report is lost, and a fill behind it: the broker's count denies a trade that we hold."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from world import LONG, SHORT, World, bull_put

from decisions.effects import MS
from domain.execution import ExecType
from domain.groups import GroupOutcome, Role
from messages.market import BrokerUp
from messages.orders import InstrumentList, Snapshot
from messages.records import ExecutionStateRecord, IntentRecord

BUST = ExecType.TRADE_CANCEL


def offer(world: World, size: int) -> None:
    """So many of the long are offered now, and nothing afterwards."""
    world.sizes[LONG] = size
    world.show([LONG])
    world.sizes[LONG] = 0


def bought(world: World, first: int, then: int) -> World:
    """Of ten longs so many are bought and taken back, which nobody hears, and so many bought again."""
    (trade,) = [one for one in world.exchange.executions() if one.symbol == LONG]
    assert trade.last_qty == first
    world.now_ns += 10 * MS
    world.exchange.bust(trade.exec_id, world.now_ns)
    world.now_ns += 10 * MS
    offer(world, then)
    assert world.position(LONG) == then
    return world


def doubted(first: int = 6, then: int = 2) -> World:
    world = World(size=first)
    world.submit(bull_put(quantity=10))
    assert (world.position(LONG), world.position(SHORT)) == (first, -first)
    return bought(world, first, then)


def entry(world: World) -> tuple[IntentRecord, ExecutionStateRecord]:
    """The first order for the long, and what is known of it."""
    intent = next(one for one in world.group().intents if one.role is Role.PROTECTION)
    return intent, next(s for s in world.group().execution_states if s.client_order_id == intent.client_order_id)


def test_the_order_fills_all_the_same_and_nothing_of_it_is_sold() -> None:
    world = doubted(first=3, then=10)
    world.advance(1_000, fresh=True)
    world.snapshot()
    world.advance(1_000, fresh=True)
    assert world.orders(Role.CLOSE) == []
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert "ORDER_ANOMALY" in world.kinds()


def test_no_short_is_sold_on_what_the_broker_denies() -> None:
    world = World(size=3)
    world.submit(bull_put(quantity=10))
    bought(world, 3, 4)
    world.sizes[SHORT] = 100
    world.show([SHORT])
    assert entry(world)[1].cum_qty == 4
    assert world.position(SHORT) == -4


class TestOfAnOrderThatHasEnded:
    """Six shorts, two longs that count, six in doubt: the entry is canceled, because shorts are bare."""

    def test_what_is_in_doubt_is_not_bought_again_before_it_is_settled(self) -> None:
        world = doubted()
        world.advance(2_000)
        intent, state = entry(world)
        assert (state.cum_qty, state.knowledge.ended is not None) == (2, True)
        assert state.knowledge.doubtful_qty == 6
        assert intent.client_order_id in {order.client_order_id for order in world.live()}
        assert sum(order.quantity for order in world.orders(Role.HEDGE)) == 2  # two are missing beyond all doubt

    def test_a_person_is_told_when_nothing_settles_it_in_time(self) -> None:
        world = doubted()
        world.advance(world.config.hedge.timeout_ms - 100)
        assert world.escalations("FILLS_IN_DOUBT") == []
        world.advance(200)
        (alert,) = world.escalations("FILLS_IN_DOUBT")
        assert (alert.symbol, alert.quantity) == (LONG, 6)
        assert "look at the order's fills at the broker" in alert.text
        world.advance(5_000)
        assert len(world.escalations("FILLS_IN_DOUBT")) == 1

    def test_the_bust_that_a_snapshot_tells_settles_it_and_the_rest_is_bought(self) -> None:
        world = doubted()
        world.advance(2_000)
        world.snapshot()
        world.sizes[LONG] = 100
        world.advance(12_000, fresh=True)
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
        assert world.orders(Role.CLOSE) == []
        assert world.escalations("FILLS_IN_DOUBT") == []

    def test_a_broker_that_lists_no_busts_settles_it_by_its_count(self) -> None:
        world = doubted()
        world.advance(2_000)
        answer = world.snapshot_message()
        trades = tuple(one for one in answer.executions if one.exec_type is not BUST)
        world.take([replace(answer, executions=trades)])
        assert entry(world)[1].cum_qty == 2
        world.sizes[LONG] = 100
        for _ in range(12):  # polls never tell the bust
            world.advance(1_000, fresh=True)
            told = world.snapshot_message()
            world.take([replace(told, executions=tuple(o for o in told.executions if o.exec_type is not BUST))])
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
        assert world.orders(Role.CLOSE) == []

    @pytest.mark.parametrize("older", [0, 6])
    def test_a_snapshot_of_an_older_state_settles_nothing(self, older: int) -> None:
        world = doubted()
        world.advance(2_000)
        placed = len(world.orders())
        intent, _ = entry(world)
        stale = world.snapshot_message()
        orders = tuple(
            replace(one, cum_qty=older) if one.client_order_id == intent.client_order_id else one
            for one in stale.orders
        )
        executions = tuple(one for one in stale.executions if one.exec_type is not BUST)
        world.take([replace(stale, orders=orders, executions=executions)])
        assert entry(world)[1].knowledge.doubtful_qty == 6
        assert len(world.orders()) == placed

    def test_an_answer_that_counts_all_trades_gives_them_back(self) -> None:
        world = doubted()
        world.advance(2_000)
        intent, _ = entry(world)
        answer = world.snapshot_message()
        orders = tuple(
            replace(one, cum_qty=8) if one.client_order_id == intent.client_order_id else one for one in answer.orders
        )
        executions = tuple(one for one in answer.executions if one.exec_type is not BUST)
        world.take([replace(answer, orders=orders, executions=executions)])
        state = entry(world)[1]
        assert (state.cum_qty, state.knowledge.doubtful_qty) == (8, 0)

    def test_a_cell_that_dies_in_doubt_comes_back_in_doubt(self) -> None:
        world = doubted()
        world.advance(1_000)
        placed = world.orders()
        world.die()
        world.session += 1
        instruments = InstrumentList(tuple(world.exchange.instruments.values()))
        world.take([BrokerUp(world.session), instruments, world.funds(), world.tick()])
        blind: Snapshot = world.snapshot_message()
        intent, _ = entry(world)
        others = tuple(one for one in blind.orders if one.client_order_id != intent.client_order_id)
        told = tuple(one for one in blind.executions if one.client_order_id != intent.client_order_id)
        world.take([replace(blind, orders=others, executions=told)])
        world.advance(500)
        assert entry(world)[1].knowledge.doubtful_qty == 6
        assert world.orders() == placed
        world.snapshot()
        world.sizes[LONG] = 100
        world.advance(12_000, fresh=True)
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
