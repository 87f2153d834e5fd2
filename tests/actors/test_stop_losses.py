"""S2, S12, R1, R2: a stop-loss through the real actors and the exchange; every deadline is the broker's."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from world import DEEP_POCKETS, LONG, SHORT, World, bull_put, call, leg

from decisions.effects import MS
from domain.execution import ExecType, OrdType, Side
from domain.groups import GroupOutcome, GroupStatus, Plan, PlanStop, Role, TriggerOn
from messages.records import StopStatus
from venue.rules import Rules
from venue.truth import TruthEvent

TRIGGER, LIMIT = 25_000, 25_500  # 0.5 % above 2.50 is 2.5125, and the next tick of 0.05 above that 2.55


def guarded(quantity: int = 10, **rules: Any) -> World:
    """A hedged bull put whose short has a working stop-loss at the exchange."""
    world = World(rules=Rules(cash=DEEP_POCKETS, **rules))
    world.submit(bull_put(quantity=quantity, stop=TRIGGER))
    assert world.group().group.outcome is GroupOutcome.HEDGED
    return world


def gap(world: World, size: int = 100) -> None:
    """The market jumps over trigger and limit."""
    world.quote(SHORT, 28_000, 28_500, size)


def first(world: World, kind: str, order_id: str) -> TruthEvent:
    return next(event for event in world.truth if event.kind == kind and event.client_order_id == order_id)


def never_over_exited(world: World) -> bool:
    """The short was never bought back beyond flat, at any fill."""
    held = 0
    for event in world.truth:
        if event.kind == "fill" and event.symbol == SHORT:
            held += (event.last_qty or 0) * (1 if event.side == "buy" else -1)
            if held > 0:
                return False
    return True


def test_s2_it_is_armed_once_the_group_is_hedged_with_its_price_beyond_the_trigger() -> None:
    world = World(size=4)
    world.submit(bull_put(quantity=10, stop=TRIGGER))
    assert not world.orders(Role.STOP_LIMIT)
    world.advance(1_000, fresh=True)
    (stop,) = world.orders(Role.STOP_LIMIT)
    assert (stop.order_type, stop.side, stop.quantity) == (OrdType.STOP_LIMIT, Side.BUY, 10)
    assert (stop.trigger_price, stop.price) == (TRIGGER, LIMIT)
    assert world.group().group.status is GroupStatus.HEDGED


def test_a_stop_that_fills_at_its_limit_closes_the_group_flat() -> None:
    world = guarded()
    world.quote(SHORT, 24_500, 25_500)
    assert world.position(SHORT) == 0
    world.advance(1_000, fresh=True)
    assert world.position(LONG) == 0
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert world.group().group.status is GroupStatus.COMPLETED
    assert world.group().stops[0].status is StopStatus.DONE
    assert not world.orders(Role.STOP_MARKET)


def test_a_gap_through_the_limit_ends_flat_two_seconds_of_broker_time_after_the_trigger() -> None:
    world = guarded()
    gap(world)
    (stop,) = world.orders(Role.STOP_LIMIT)
    world.advance(5_000, fresh=True)
    triggered = first(world, "triggered", stop.client_order_id).ts_ns
    canceled = first(world, "canceled", stop.client_order_id).ts_ns
    (market,) = world.orders(Role.STOP_MARKET)
    received = first(world, "order_received", market.client_order_id).ts_ns
    assert 2_000 * MS <= canceled - triggered <= 2_100 * MS
    assert canceled <= received <= canceled + 100 * MS
    assert market.order_type is OrdType.MARKET
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert "STOP_FELL_BACK" in world.kinds()
    assert never_over_exited(world)


def test_the_two_seconds_do_not_run_before_the_trigger() -> None:
    world = guarded()
    world.advance(60_000, step_ms=1_000)
    assert not world.cancels()
    assert not world.orders(Role.STOP_MARKET)
    assert world.group().stops[0].status is StopStatus.ARMED


def test_the_deadline_is_met_to_the_nanosecond_of_the_brokers_clock() -> None:
    world = guarded()
    gap(world)
    triggered = world.group().stops[0].triggered_ns
    for moment, cancels in ((triggered + 2_000 * MS - 1, 0), (triggered + 2_000 * MS, 1)):
        world.now_ns = moment
        world.take([world.tick()])
        assert len(world.cancels()) == cancels


@pytest.mark.parametrize("partial", [0, 1, 4, 9])
def test_what_fills_while_the_cancel_is_under_way_is_not_bought_again(partial: int) -> None:
    world = guarded(cancel_latency_ns=300 * MS)
    gap(world)
    world.advance(2_100)
    assert len(world.cancels()) == 1
    assert not world.orders(Role.STOP_MARKET), "the market order must wait for the confirmed cancel"
    world.quote(SHORT, 25_000, 25_500, partial)
    world.quote(SHORT, 28_000, 28_500, 100)
    world.advance(2_000, fresh=True)
    assert [order.quantity for order in world.orders(Role.STOP_MARKET)] == [10 - partial]
    assert world.position(SHORT) == 0
    assert never_over_exited(world)
    assert world.group().group.outcome is GroupOutcome.FLAT


def test_a_stop_that_fills_whole_while_the_cancel_is_under_way_needs_no_market_order() -> None:
    world = guarded(cancel_latency_ns=300 * MS)
    gap(world)
    world.advance(2_100)
    world.quote(SHORT, 25_000, 25_500)
    world.advance(2_000, fresh=True)
    assert not world.orders(Role.STOP_MARKET)
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)


def test_a_partial_fill_without_a_trigger_report_starts_the_two_seconds() -> None:
    world = guarded()
    reports = []
    world.deaf = True
    world.quote(SHORT, 24_500, 25_500, 3)
    world.deaf = False
    reports += [r for r in world.exchange.executions() if r.exec_type is ExecType.TRADE and r.side is Side.BUY]
    world.sizes[SHORT] = 0
    world.show([SHORT])
    world.take(reports[-1:])
    assert world.group().stops[0].status is StopStatus.TRIGGERED
    world.advance(2_100)
    assert len(world.cancels()) == 1


def test_a_stop_above_the_freeze_quantity_is_sliced_and_exits_whole() -> None:
    world = World(size=500)
    world.submit(bull_put(quantity=120, stop=TRIGGER))
    assert [order.quantity for order in world.orders(Role.STOP_LIMIT)] == [50, 50, 20]
    gap(world, 500)
    world.advance(5_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)
    assert never_over_exited(world)


def test_the_working_stop_follows_the_position_when_a_fill_is_busted() -> None:
    world = World(size=5)
    world.submit(bull_put(quantity=10, stop=TRIGGER))
    world.advance(1_000, fresh=True)
    short = next(r for r in world.exchange.executions() if r.symbol == SHORT)
    world.sizes[SHORT] = 0
    world.show()
    world.take(world.exchange.bust(short.exec_id, world.now_ns))
    world.advance(2_000)
    working = sum(
        state.leaves_qty
        for state in world.group().execution_states
        if state.client_order_id in {order.client_order_id for order in world.orders(Role.STOP_LIMIT)}
    )
    assert world.position(SHORT) == -5
    assert working == 5


def test_a_restart_between_trigger_and_deadline_changes_nothing() -> None:
    plain, cut = guarded(), guarded()
    for world in (plain, cut):
        gap(world)
        world.advance(1_000)
    cut.restart()
    for world in (plain, cut):
        world.advance(4_000, fresh=True)
        assert (world.position(LONG), world.position(SHORT)) == (0, 0)
    assert cut.group().stops[0].triggered_ns == plain.group().stops[0].triggered_ns
    assert [o.client_order_id for o in cut.orders()] == [o.client_order_id for o in plain.orders()]


def test_a_market_exit_that_the_broker_ends_short_goes_to_a_person() -> None:
    world = guarded(market_protection_pct=1.0)
    gap(world, 4)
    world.quote(SHORT, 28_000, 28_500, 4)
    world.advance(2_100)
    world.quote(SHORT, 40_000, 40_500, 0)
    world.advance(10_000)
    (alert,) = world.escalations("STOP_EXIT_SHORT")
    assert (alert.symbol, alert.quantity) == (SHORT, -world.position(SHORT))
    world.sizes[SHORT] = 100
    world.advance(10_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)
    assert never_over_exited(world)


def test_the_local_clock_is_irrelevant(monkeypatch: pytest.MonkeyPatch) -> None:
    def story() -> list[object]:
        world = guarded()
        gap(world)
        world.advance(4_000, fresh=True)
        return [*world.truth, *world.group().intents, *world.group().stops]

    plain = story()
    leaps = itertools.cycle([0, 10**9, -(10**6), 3, 10**6])
    for name in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, name, lambda: float(next(leaps)))
    for name in ("time_ns", "monotonic_ns", "perf_counter_ns"):
        monkeypatch.setattr(time, name, lambda: next(leaps) * 10**9)
    assert story() == plain


def test_r14_a_broker_that_refuses_every_slice_of_a_stop_is_not_stormed() -> None:
    world = World(size=200, rules=Rules(cash=DEEP_POCKETS, price_band_pct=40.0))
    world.submit(bull_put(quantity=120, stop=30_000))  # three slices, each outside the band of this market
    world.advance(10_000)
    asked = world.orders(Role.STOP_LIMIT)
    assert 6 <= len(asked) <= 15
    assert "STOP_UNPROTECTED" in world.kinds()


def test_r2_an_exit_under_way_shrinks_with_a_position_that_is_taken_back() -> None:
    world = World(size=5)
    world.submit(bull_put(quantity=10, stop=30_000))
    world.advance(3_000, fresh=True)
    assert world.position(SHORT) == -10
    world.sizes[SHORT] = 0
    world.quote(SHORT, 31_000, 31_500)
    while not world.orders(Role.STOP_MARKET):  # triggered, and nobody sells
        world.advance(100)
    trade = next(r for r in world.exchange.executions() if r.exec_type is ExecType.TRADE and r.symbol == SHORT)
    world.take(world.exchange.bust(trade.exec_id, world.now_ns))
    world.advance(100)
    assert world.position(SHORT) == -5
    world.sizes[SHORT] = 100
    world.show()
    world.advance(5_000, fresh=True)
    bought = sum(e.last_qty or 0 for e in world.truth if e.kind == "fill" and e.symbol == SHORT and e.side == "buy")
    assert bought == 5
    assert world.position(SHORT) == 0


@pytest.mark.parametrize("trigger_on", list(TriggerOn))
def test_r2_of_two_stops_one_that_fires_at_once_lets_the_other_answer_before_its_leg_is_closed(
    trigger_on: TriggerOn,
) -> None:
    """The first of them is past its trigger when the group becomes whole, and the second has just been placed."""
    legs = (leg(LONG, "buy"), leg(SHORT, "sell"), leg(call(110), "buy"), leg(call(105), "sell"))
    stops = (
        PlanStop(leg_id="sellP95", trigger_price=TRIGGER, trigger_on=trigger_on),
        PlanStop(leg_id="sellC105", trigger_price=30_000),
    )
    world = World(rules=Rules(cash=DEEP_POCKETS, cancel_latency_ns=900 * MS))
    world.sizes[call(105)] = 0
    world.show([call(105)])
    world.submit(Plan(group_id="bp", quantity=10, legs=legs, strategy="iron_condor", stops=stops))
    world.quote(SHORT, 28_000, 28_500)
    world.advance(100)
    world.sizes[call(105)] = 100
    world.show([call(105)])
    assert world.position(call(105)) == -10
    buys = [order for order in world.live() if order.symbol == call(105) and order.side is Side.BUY]
    assert sum(order.quantity for order in buys) <= 10
    world.now_ns += 100 * MS
    world.quote(call(105), 30_000, 30_100)  # while the cancel is on its way
    assert world.position(call(105)) <= 0
    world.advance(20_000, fresh=True)
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert [world.position(one.symbol) for one in legs] == [0, 0, 0, 0]
