"""S1, R15 to R17: protection is filled before risk is released, slice by slice, at the exchange's own edge."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from stories import SHAPES, plan
from world import DEEP_POCKETS, LONG, SHORT, World, bull_put, call, leg, put

from config.schema import Config, OrdersConfig
from decisions.effects import MS
from domain.execution import Side
from domain.groups import GroupOutcome, GroupStatus, Plan, PlanLeg, Policy, Role
from messages.market import BrokerSilent
from messages.operator import CommandRefused, GroupAccepted
from messages.records import IntentStatus
from venue.rules import Rules


def moments(world: World, kind: str, symbol: str) -> list[tuple[int, int]]:
    """When (place in the exchange's own record) and how much, for one kind of event of one contract."""
    return [
        (place, (event.last_qty if kind == "fill" else event.qty) or 0)
        for place, event in enumerate(world.truth)
        if event.kind == kind and event.symbol == symbol
    ]


@pytest.mark.parametrize("size", [1, 4, 200])
@pytest.mark.parametrize("quantity", [1, 10, 60])
@pytest.mark.parametrize("shape", ["bull_put", "bear_call", "iron_condor", "butterfly"])
def test_r16_the_exchange_sees_every_short_after_the_fill_of_its_protection(
    shape: str, quantity: int, size: int
) -> None:
    world = World(size=size)
    world.submit(plan("g", shape, quantity, Policy.COMPLETE, SHAPES[shape]))
    world.advance(20_000, step_ms=100 if size == 1 else 500, fresh=True)
    assert world.group("g").group.outcome is GroupOutcome.HEDGED
    by_right = {long.symbol[-9]: long for long in SHAPES[shape] if long.side is Side.BUY}
    for short in (each for each in SHAPES[shape] if each.side is Side.SELL):
        fills = moments(world, "fill", by_right[short.symbol[-9]].symbol)
        shorts = moments(world, "order_received", short.symbol)
        assert shorts[0][0] > fills[0][0]
        sold = 0
        for place, asked in shorts:
            sold += asked
            assert sold <= sum(quantity for at, quantity in fills if at < place)


def test_a_short_slice_goes_out_for_exactly_what_has_been_covered() -> None:
    world = World(size=3)
    world.submit(bull_put(quantity=10))
    assert [order.quantity for order in world.orders(Role.RISK)] == [3]
    world.show([LONG])
    assert [order.quantity for order in world.orders(Role.RISK)] == [3, 3]
    world.show([LONG])
    world.show([LONG])
    assert [order.quantity for order in world.orders(Role.RISK)] == [3, 3, 3, 1]
    assert world.position(LONG) == 10


def test_r17_legs_above_the_freeze_quantity_are_sliced_into_orders_that_add_up() -> None:
    world = World(size=500)
    world.submit(bull_put(quantity=120))
    for role in (Role.PROTECTION, Role.RISK):
        assert [order.quantity for order in world.orders(role)] == [50, 50, 20]
        assert len({order.client_order_id for order in world.orders(role)}) == 3
    assert world.group().group.outcome is GroupOutcome.HEDGED


def test_the_states_of_a_group_are_passed_in_order_and_only_forwards() -> None:
    world, passed = World(size=4), []
    world.submit(bull_put(quantity=10))
    for _ in range(30):
        passed.append(world.group().group.status)
        world.advance(100, fresh=True)
    ranks = [list(GroupStatus).index(status) for status in passed]
    assert ranks == sorted(ranks)
    assert passed[-1] is GroupStatus.COMPLETED
    assert GroupStatus.RISK_PARTIAL in passed


def test_a_short_without_protection_is_released_last_and_only_if_the_plan_allows_it() -> None:
    legs = (leg(put(95), "sell"), leg(put(90), "buy"), leg(call(110), "sell"))
    bare = Plan(group_id="g", quantity=5, legs=legs)
    world = World(size=2)
    world.submit(bare)
    assert isinstance(world.replies[-1][1], CommandRefused)
    assert not world.received
    world.submit(Plan(group_id="g", quantity=5, legs=legs, allow_naked=True))
    world.advance(5_000, fresh=True)
    first_naked = moments(world, "order_received", call(110))[0][0]
    covered = [place for symbol in (put(90), put(95)) for place, _ in moments(world, "fill", symbol)]
    assert max(covered) < first_naked
    assert world.group("g").group.outcome is GroupOutcome.HEDGED


def test_a_single_leg_takes_the_same_path() -> None:
    world = World()
    world.submit(plan("g", "long_call", 7, Policy.COMPLETE, SHAPES["long_call"]))
    assert world.position(call(120)) == 7
    assert world.group("g").group.outcome is GroupOutcome.HEDGED


@pytest.mark.parametrize("stale", [LONG, SHORT])
def test_r15_a_stale_quote_on_a_leg_blocks_its_release_until_it_is_fresh(stale: str) -> None:
    world = World(config=Config(orders=OrdersConfig(quote_max_age_ms=1_000)))
    world.advance(1_100)
    world.show([SHORT if stale == LONG else LONG])
    world.advance(100)
    world.submit(bull_put())
    assert stale not in {order.symbol for order in world.orders()}
    world.advance(500)
    assert stale not in {order.symbol for order in world.orders()}
    world.show([LONG, SHORT])
    world.advance(300)
    assert world.group().group.outcome is GroupOutcome.HEDGED


@pytest.mark.parametrize("quote", [(0, 20_500), (20_000, 0), (21_000, 20_500)])
def test_r15_a_one_sided_or_crossed_quote_blocks_the_release(quote: tuple[int, int]) -> None:
    world = World()
    world.quote(LONG, *quote)
    world.advance(100)
    world.submit(bull_put())
    world.advance(300)
    assert not world.orders()


def test_r16_a_group_whose_short_leg_cannot_be_filled_never_reports_success() -> None:
    world = World()
    world.sizes[SHORT] = 0
    world.show()
    world.submit(bull_put(quantity=10))
    outcomes = set()
    for _ in range(60):
        world.advance(500, step_ms=500, fresh=True)
        outcomes.add(world.group().group.outcome)
    assert outcomes == {GroupOutcome.OPEN, GroupOutcome.FLAT}
    assert world.group().group.status is GroupStatus.FAILED
    assert world.position(LONG) == 0


def test_an_operators_limit_is_never_exceeded() -> None:
    world = World()
    legs: Sequence[PlanLeg] = (leg(LONG, "buy", limit=20_000), leg(SHORT, "sell", limit=21_000))
    world.submit(Plan(group_id="bp", quantity=3, legs=tuple(legs)))
    world.advance(2_000, fresh=True)
    assert world.position(LONG) == 0
    world.quote(LONG, 19_500, 20_000)
    world.quote(SHORT, 21_500, 22_000)
    world.advance(1_000, fresh=True)
    assert {(order.symbol, order.price) for order in world.orders()} == {(LONG, 20_000), (SHORT, 21_000)}
    assert world.group().group.outcome is GroupOutcome.HEDGED


def test_nothing_is_opened_while_the_broker_is_silent_and_a_person_is_told() -> None:
    world = World()
    world.take([BrokerSilent("no clock for 3 s")])
    world.submit(bull_put())
    assert isinstance(world.replies[-1][1], CommandRefused)
    assert world.kinds() == ["BROKER_SILENT"]
    world.snapshot()
    world.submit(bull_put())
    assert isinstance(world.replies[-1][1], GroupAccepted)
    assert world.group().group.outcome is GroupOutcome.HEDGED


def test_a_group_is_accepted_once() -> None:
    world = World()
    world.submit(bull_put())
    sent = list(world.received)
    world.submit(bull_put())
    answer = world.replies[-1][1]
    assert isinstance(answer, CommandRefused)
    assert "has been submitted before" in answer.problems[0]
    assert world.received == sent


def test_a_refused_slice_is_tried_again_ever_later_and_then_its_shortfall_is_hedged() -> None:
    world = World(rules=Rules(cash=DEEP_POCKETS, price_band_pct=10.0))
    world.submit(Plan(group_id="bp", quantity=3, legs=(leg(LONG, "buy", limit=40_000), leg(SHORT, "sell"))))
    world.advance(2_000)
    tries = [intent for intent in world.group().intents if intent.role is Role.PROTECTION]
    assert [intent.status for intent in tries] == [IntentStatus.REJECTED] * 3
    waits = [later.decided_ns - earlier.terminal_ns for earlier, later in pairwise(tries)]
    assert waits[0] >= 250 * MS
    assert waits[1] >= 500 * MS
    assert [order.quantity for order in world.orders(Role.HEDGE)] == [3]
    assert world.group().group.outcome is GroupOutcome.HEDGED
