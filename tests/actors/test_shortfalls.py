"""S7, S11, R9 to R11: what did not fill, filled too much, or was taken back, becomes hedged, flat, or a person's."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace
from world import DEEP_POCKETS, LONG, SHORT, World, bull_put

from config.schema import Config, HedgeConfig
from decisions.effects import MS, Request
from decisions.gateway.ledger import Ledger
from domain.execution import ExecType, ExecutionReport, OrdStatus, OrdType, Side
from domain.groups import GroupOutcome, Mode, Policy, Role
from messages.operator import CancelGroup
from messages.orders import SubmitOrder
from messages.records import HedgeStatus, Severity
from venue.rules import Rules

HEDGED, FLAT, HALTED = GroupOutcome.HEDGED, GroupOutcome.FLAT, GroupOutcome.HALTED


def dry(world: World, symbol: str) -> None:
    """Nobody trades this contract any more."""
    world.sizes[symbol] = 0
    world.show([symbol])


def wet(world: World, symbol: str, size: int = 100) -> None:
    world.sizes[symbol] = size
    world.show([symbol])


class LossyWire(World):
    """The wire loses the first order of a hedge, behind a gateway that remembers everything that it has sent."""

    def __init__(self) -> None:
        self.gateway = Ledger()
        self.contradictions: list[str] = []
        super().__init__(size=5)

    def send(self, request: Request) -> list[msgspec.Struct]:
        if isinstance(request, SubmitOrder):
            self.contradictions.append(self.gateway.contradiction(request))
            self.gateway.sent(request)
            if request.role is Role.HEDGE and not self.lost:
                self.lost.append(request)
                return []
        return super().send(request)


def bust_all(world: World, symbol: str) -> None:
    for report in world.exchange.executions():
        if report.exec_type is ExecType.TRADE and report.symbol == symbol:
            world.take(world.exchange.bust(report.exec_id, world.now_ns))


def trades(world: World, symbol: str) -> list[ExecutionReport]:
    return [r for r in world.exchange.executions() if r.exec_type is ExecType.TRADE and r.symbol == symbol]


def half_bought(policy: Policy = Policy.COMPLETE) -> World:
    """Three of ten longs are filled, three shorts sold against them, and nobody offers more longs."""
    world = World(size=3)
    world.submit(bull_put(quantity=10, policy=policy))
    dry(world, LONG)
    assert (world.position(LONG), world.position(SHORT)) == (3, -3)
    return world


class TestRecursiveHedge:
    def test_it_goes_through_three_levels_of_hedges_and_then_to_a_person(self) -> None:
        world = half_bought()
        world.advance(40_000)
        hedges = world.group().hedges
        assert [(h.level, h.needed_qty, h.filled_qty, h.status) for h in hedges] == [
            (1, 7, 0, HedgeStatus.SHORT),
            (2, 7, 0, HedgeStatus.SHORT),
            (3, 7, 0, HedgeStatus.ESCALATED),
        ]
        assert [h.parent_hedge_id for h in hedges] == ["", hedges[0].hedge_id, hedges[1].hedge_id]
        assert [h.deadline_ns - h.opened_ns for h in hedges] == [5_000 * MS] * 3
        (call,) = world.escalations("IMMEDIATE_MANUAL_HEDGE")
        assert (call.severity, call.symbol, call.quantity) == (Severity.CRITICAL, LONG, 7)
        assert f"buy 7 {LONG}" in call.text

    def test_each_level_concedes_more_and_the_last_is_a_market_order(self) -> None:
        world = half_bought()
        world.advance(40_000)
        orders = world.orders(Role.HEDGE)
        assert [(order.order_type, order.price) for order in orders] == [
            (OrdType.LIMIT, 21_000),
            (OrdType.LIMIT, 21_500),
            (OrdType.MARKET, 0),
        ]

    def test_after_the_escalation_the_group_is_halted_and_adds_nothing(self) -> None:
        world = half_bought()
        world.advance(40_000)
        group = world.group().group
        assert (group.outcome, group.mode) == (HALTED, Mode.REDUCING)
        sent = len(world.received)
        wet(world, LONG)
        world.advance(20_000, fresh=True)
        assert len(world.received) == sent
        assert (world.position(LONG), world.position(SHORT)) == (3, -3)
        assert "GROUP_HALTED" in world.kinds()

    def test_what_one_level_obtains_is_not_asked_of_the_next(self) -> None:
        world = half_bought()
        while not world.orders(Role.HEDGE):
            world.advance(500)
        wet(world, LONG, 4)
        dry(world, LONG)
        world.advance(5_500)
        wet(world, LONG)
        world.advance(2_000, fresh=True)
        hedges = world.group().hedges
        assert [(h.level, h.needed_qty, h.filled_qty) for h in hedges] == [(1, 7, 4), (2, 3, 3)]
        assert world.group().group.outcome is HEDGED
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)

    def test_the_policy_flatten_closes_the_shorts_and_then_the_longs_instead(self) -> None:
        world = half_bought(Policy.FLATTEN)
        while world.group().group.mode is Mode.ENTERING:
            world.advance(500)
        wet(world, LONG)
        world.advance(5_000, fresh=True)
        assert world.group().group.outcome is FLAT
        assert not world.group().hedges
        closes = [event.symbol for event in world.truth if event.kind == "fill"][-2:]
        assert closes == [SHORT, LONG]

    @pytest.mark.parametrize("depth", [1, 2, 3, 4])
    def test_the_depth_is_configuration(self, depth: int) -> None:
        world = World(size=3, config=Config(hedge=HedgeConfig(depth=depth, timeout_ms=1_000)))
        world.submit(bull_put(quantity=10))
        dry(world, LONG)
        world.advance(30_000)
        assert [h.level for h in world.group().hedges] == list(range(1, depth + 1))
        assert world.group().hedges[-1].status is HedgeStatus.ESCALATED


class TestABust:
    def test_a_bust_of_protection_after_hedged_is_hedged_again(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10))
        assert world.group().group.outcome is HEDGED
        bust_all(world, LONG)
        world.advance(1_000, fresh=True)
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
        assert world.group().group.outcome is HEDGED
        assert [order.quantity for order in world.orders(Role.HEDGE)] == [10]

    def test_the_group_is_not_called_hedged_while_it_is_naked(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10))
        dry(world, LONG)
        bust_all(world, LONG)
        assert world.position(SHORT) == -10
        assert world.group().group.outcome is GroupOutcome.OPEN

    def test_a_naked_short_that_nobody_hedges_is_bought_back(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10))
        dry(world, LONG)
        bust_all(world, LONG)
        world.advance(40_000)
        assert (world.position(LONG), world.position(SHORT)) == (0, 0)
        assert world.escalations("IMMEDIATE_MANUAL_HEDGE")[0].quantity == 10

    def test_a_bust_of_the_short_is_sold_again_under_its_protection(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10))
        bust_all(world, SHORT)
        assert world.position(SHORT) == 0
        world.advance(4_000, fresh=True)  # the busted order counts as live until a cancel shows that it is over
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
        assert world.group().group.outcome is HEDGED


def half_busted() -> tuple[World, ExecutionReport]:
    """Half the protection of a hedged spread is busted and cannot be bought again; with the trade that is left."""
    world = World(size=5)
    world.submit(bull_put(quantity=10))
    world.advance(2_000, fresh=True)
    assert world.group().group.outcome is HEDGED
    first, second = trades(world, LONG)
    dry(world, LONG)
    world.take(world.exchange.bust(first.exec_id, world.now_ns))
    return world, second


def busted_again_at(level: int) -> World:
    """The rest of the protection is busted too, while the hedge of the first half is at this level."""
    world, second = half_busted()
    while world.group().hedges[-1].level < level:
        world.advance(100)
    world.take(world.exchange.bust(second.exec_id, world.now_ns))
    return world


class TestTheLimiter:
    def test_r9_two_triggers_in_one_window_make_one_decision_at_its_end(self) -> None:
        world, second = half_busted()
        assert [order.quantity for order in world.orders(Role.HEDGE)] == [5]
        world.advance(100)
        world.take(world.exchange.bust(second.exec_id, world.now_ns))
        world.advance(300)
        assert [order.quantity for order in world.orders(Role.HEDGE)] == [5], "a second decision within the window"
        world.advance(200)
        early, late = world.orders(Role.HEDGE)
        assert (early.quantity, late.quantity) == (5, 5)
        assert 500 * MS <= late.decided_ns - early.decided_ns <= 600 * MS
        (hedge,) = world.group().hedges
        assert hedge.needed_qty == 10
        wet(world, LONG)
        world.advance(1_000, fresh=True)
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)

    def test_s7_a_decision_that_comes_too_early_is_counted_and_fires_at_the_end_of_its_window(self) -> None:
        world, second = half_busted()
        assert world.acted("S7") == 0
        world.take(world.exchange.bust(second.exec_id, world.now_ns))
        assert world.acted("S7") > 0
        world.advance(1_000, step_ms=10)
        early, late = world.orders(Role.HEDGE)
        assert 500 * MS <= late.decided_ns - early.decided_ns <= 510 * MS, "not dropped, and at the first tick after it"
        assert (early.quantity, late.quantity) == (5, 5)

    def test_what_is_busted_while_the_second_level_works_is_hedged_at_the_end_of_the_window_too(self) -> None:
        world = busted_again_at(2)
        world.advance(600)
        assert [h.needed_qty for h in world.group().hedges] == [10, 10]
        assert sum(order.quantity for order in world.live() if order.role is Role.HEDGE) == 10, (
            "what is bare has no order"
        )
        wet(world, LONG)
        world.advance(1_000, fresh=True)
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
        assert world.group().group.outcome is HEDGED

    def test_what_is_busted_while_the_last_level_works_has_levels_of_its_own(self) -> None:
        world = busted_again_at(3)
        world.advance(1_000)
        assert [h.needed_qty for h in world.group().hedges] == [5, 5, 5]
        wet(world, LONG, 5)
        world.advance(1_000, fresh=True)
        assert [(h.level, h.needed_qty) for h in world.group().hedges] == [(1, 5), (2, 5), (3, 5), (1, 5)]
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
        assert world.escalations("IMMEDIATE_MANUAL_HEDGE") == []

    def test_a_lost_order_of_a_hedge_that_was_raised_meanwhile_is_sent_again_as_the_same_order(self) -> None:
        world = LossyWire()
        world.submit(bull_put(quantity=10))
        world.advance(2_000, fresh=True)
        first, second = trades(world, LONG)
        dry(world, LONG)
        for trade in (first, second):
            world.take(world.exchange.bust(trade.exec_id, world.now_ns))
        world.advance(3_000)
        (lost,) = world.lost
        assert isinstance(lost, SubmitOrder)
        world.snapshot()
        again = next(order for order in world.orders(Role.HEDGE) if order.resend)
        assert (again.client_order_id, lost.parent_qty, again.parent_qty) == (lost.client_order_id, 5, 10)
        assert not any(world.contradictions), "E3: another order already"
        wet(world, LONG)
        world.advance(1_000, fresh=True)
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)

    def test_r9_one_hedge_is_in_flight_per_leg(self) -> None:
        world = World(size=2)
        world.submit(bull_put(quantity=10))
        world.advance(3_000, fresh=True)
        dry(world, LONG)
        for report in trades(world, LONG):
            world.take(world.exchange.bust(report.exec_id, world.now_ns))
            world.advance(200)
            working = [h for h in world.group().hedges if h.status is HedgeStatus.WORKING]
            assert len(working) <= 1
            assert sum(order.quantity for order in world.orders(Role.HEDGE)) <= 10


class TestALateFill:
    def late_fill(self, world: World, quantity: int, role: Role = Role.PROTECTION) -> None:
        """The exchange tells of a fill of the first order of this kind, after it told that it was canceled."""
        first = world.orders(role)[0]
        world.take(
            [
                ExecutionReport(
                    client_order_id=first.client_order_id,
                    exec_type=ExecType.TRADE,
                    ord_status=OrdStatus.PARTIALLY_FILLED,
                    exec_id="late",
                    ts_ns=world.now_ns,
                    order_qty=first.quantity,
                    cum_qty=quantity,
                    leaves_qty=0,
                    last_qty=quantity,
                    last_px=20_500,
                    symbol=first.symbol,
                    side=first.side,
                )
            ]
        )

    def test_r10_a_fill_after_the_cancel_was_confirmed_counts_and_the_excess_is_reversed(self) -> None:
        world = World()
        dry(world, LONG)
        world.submit(bull_put(quantity=10))
        world.advance(3_100)
        assert len(world.orders(Role.PROTECTION)) == 2
        wet(world, LONG)
        assert world.group().group.outcome is HEDGED
        self.late_fill(world, 4)
        assert "ORDER_REVIVAL" in world.kinds()
        (close,) = world.orders(Role.CLOSE)
        assert (close.symbol, close.side, close.quantity) == (LONG, Side.SELL, 4)
        assert world.group().group.outcome is HEDGED

    def test_r11_an_ended_order_of_a_flat_group_stays_watched_and_its_late_fill_is_told_and_closed(self) -> None:
        world = World()
        dry(world, SHORT)
        world.submit(bull_put(quantity=10))
        world.take([CancelGroup("bp")])
        world.advance(3_600_000, step_ms=60_000, fresh=True)
        assert world.group().group.outcome is FLAT
        assert world.position(LONG) == 0
        wet(world, SHORT)
        self.late_fill(world, 4, Role.RISK)
        assert "ORDER_REVIVAL" in world.kinds()
        late = world.orders(Role.RISK)[0].client_order_id
        (known,) = [state for state in world.group().execution_states if state.client_order_id == late]
        assert known.cum_qty == 4
        bought_back = world.orders(Role.CLOSE, Side.BUY)
        assert [(order.symbol, order.quantity) for order in bought_back] == [(SHORT, 4)]

    def test_a_late_fill_before_the_next_attempt_shrinks_that_attempt(self) -> None:
        world = World()
        dry(world, LONG)
        world.submit(bull_put(quantity=10))
        world.mute = True  # the second attempt is decided, and lost on its way
        world.advance(3_100)
        world.mute = False
        first = world.orders(Role.PROTECTION)[0]
        assert world.cancels() == []
        self.late_fill(world, 10)
        wet(world, LONG)
        world.advance(3_000, fresh=True)
        assert sum(o.quantity for o in world.orders(Role.PROTECTION)) == first.quantity

    def test_r10_a_fill_while_the_cancel_is_pending_is_hedged(self) -> None:
        world = World(rules=Rules(cash=DEEP_POCKETS, cancel_latency_ns=400 * MS))
        dry(world, LONG)
        world.submit(bull_put(quantity=10))
        world.advance(3_100)
        assert len(world.cancels()) == 1
        wet(world, LONG, 6)
        assert (world.position(LONG), world.position(SHORT)) == (6, -6)
        dry(world, LONG)
        world.advance(500)
        wet(world, LONG)
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
        assert [order.quantity for order in world.orders(Role.PROTECTION)] == [10, 4]
        assert world.group().group.outcome is HEDGED

    def test_an_overfill_by_the_broker_is_flagged_and_reversed(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10))
        (fill,) = trades(world, LONG)
        world.take([replace(fill, exec_id="twice", ts_ns=fill.ts_ns + 1, cum_qty=13, last_qty=3)])
        assert "ORDER_ANOMALY" in world.kinds()
        (close,) = world.orders(Role.CLOSE)
        assert (close.symbol, close.side, close.quantity) == (LONG, Side.SELL, 3)


@pytest.mark.parametrize("restarted", [False, True])
def test_r13_a_group_that_an_escalated_hedge_has_halted_is_closed_when_a_person_cancels_it(restarted: bool) -> None:
    """What its hedge owed is the group's again: it used to turn back to halted in the look that had obeyed."""
    world = half_bought()
    world.advance(40_000)
    assert world.group().group.outcome is HALTED
    if restarted:
        world.restart()
    wet(world, LONG)
    world.take([CancelGroup("bp")])
    world.advance(20_000, fresh=True)
    group = world.group().group
    assert (group.mode, group.outcome) == (Mode.FLATTENING, FLAT)
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)


@pytest.mark.parametrize("restarted", [False, True])
def test_r13_what_nobody_bought_back_for_a_group_that_closed_is_bought_when_a_person_cancels_it_again(
    restarted: bool,
) -> None:
    world = World()
    world.submit(bull_put())
    dry(world, SHORT)
    world.take([CancelGroup("bp")])
    world.advance(60_000, fresh=True)
    assert world.group().group.outcome is HALTED
    assert world.escalations("IMMEDIATE_MANUAL_HEDGE")
    if restarted:
        world.restart()
    wet(world, SHORT)
    world.advance(20_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (10, -10), "a person was called, and has said nothing"
    world.take([CancelGroup("bp")])
    world.advance(20_000, fresh=True)
    assert world.group().group.outcome is FLAT
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)
