"""Plans become groups, or are refused with everything that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from decisions.groups.validation import COVERED_SHORT, HEDGE, LONG, NAKED_SHORT, WORKING_ORDER, PlanRefused, validate
from domain.coverage import uncovered
from domain.execution import Side
from domain.groups import Group, Plan, PlanLeg, PlanStop, Policy, Role
from domain.instruments import Instrument, Right, osi_symbol, parse_osi

TODAY = date(2026, 1, 5)
EXPIRIES = [date(2026, 1, 16), date(2026, 2, 20)]


def option(strike: int, right: Right = Right.PUT, expiry: date = EXPIRIES[0], **changes: Any) -> Instrument:
    instrument = Instrument(
        symbol=osi_symbol("ACME", expiry, right, strike * 10_000),
        underlying="ACME",
        right=right,
        strike=strike * 10_000,
        expiry=expiry.isoformat(),
        multiplier=100,
        lot_size=1,
        tick_size=500,
        freeze_qty=100,
    )
    return replace(instrument, **changes)


CHAIN = {
    instrument.symbol: instrument
    for right in Right
    for expiry in EXPIRIES
    for strike in range(80, 125, 5)
    for instrument in [option(strike, right, expiry)]
}


def buy(strike: int, right: Right = Right.PUT, expiry: date = EXPIRIES[0], **changes: Any) -> PlanLeg:
    symbol = option(strike, right, expiry).symbol
    return replace(PlanLeg(leg_id=f"b{strike}{right.value}", symbol=symbol, side=Side.BUY), **changes)


def sell(strike: int, right: Right = Right.PUT, expiry: date = EXPIRIES[0], **changes: Any) -> PlanLeg:
    return replace(buy(strike, right, expiry), **{"leg_id": f"s{strike}{right.value}", "side": Side.SELL, **changes})


def plan(*legs: PlanLeg, **changes: Any) -> Plan:
    return replace(Plan(group_id="g-1", quantity=10, legs=legs), **changes)


def refusal(some: Plan, instruments: Mapping[str, Instrument] = CHAIN) -> tuple[str, ...]:
    with pytest.raises(PlanRefused) as refused:
        validate(some, instruments, TODAY)
    return refused.value.problems


def order_of_work(group: Group) -> list[tuple[str, int]]:
    return [(leg.leg_id, leg.score) for leg in group.legs]


def test_a_bull_put_buys_its_protection_first() -> None:
    group = validate(plan(sell(100, limit_price=35_000), buy(95, ratio=2), policy=Policy.FLATTEN), CHAIN, TODAY)
    assert order_of_work(group) == [("b95P", HEDGE), ("s100P", COVERED_SHORT)]
    long, short = group.legs
    assert (long.role, short.role) == (Role.PROTECTION, Role.RISK)
    assert (long.target_qty, short.target_qty, short.limit_price) == (20, 10, 35_000)
    assert [leg.index for leg in group.legs] == [0, 1]
    assert (group.group_id, group.strategy, group.policy, group.allow_naked) == ("g-1", "custom", Policy.FLATTEN, False)


def test_the_order_is_hedges_then_longs_then_covered_then_naked() -> None:
    legs = (sell(120, Right.CALL), sell(100), buy(110, Right.CALL, EXPIRIES[0], ratio=1), buy(95), buy(90))
    group = validate(plan(legs[0], legs[1], sell(105, Right.CALL), legs[2], legs[3], allow_naked=True), CHAIN, TODAY)
    assert order_of_work(group) == [
        ("b110C", HEDGE), ("b95P", HEDGE), ("s120C", COVERED_SHORT), ("s100P", COVERED_SHORT), ("s105C", NAKED_SHORT)
    ]  # fmt: skip
    plain = validate(plan(buy(110, Right.CALL), sell(100), buy(95)), CHAIN, TODAY)
    assert order_of_work(plain) == [("b95P", HEDGE), ("b110C", LONG), ("s100P", COVERED_SHORT)]


def test_the_four_scores_are_those_of_the_requirement() -> None:
    assert sorted([HEDGE, LONG, COVERED_SHORT, NAKED_SHORT]) == [-100, -50, 50, 100]


def test_a_single_leg_is_a_group_of_one() -> None:
    assert order_of_work(validate(plan(buy(100)), CHAIN, TODAY)) == [("b100P", LONG)]


def test_a_compact_symbol_finds_its_contract() -> None:
    compact = replace(buy(100), symbol=option(100).symbol.replace(" ", ""))
    assert validate(plan(compact), CHAIN, TODAY).legs[0].instrument.symbol == option(100).symbol


def test_a_contract_may_trade_on_its_last_day() -> None:
    assert validate(plan(buy(100)), CHAIN, EXPIRIES[0]).legs


def test_a_stop_reaches_its_leg() -> None:
    group = validate(plan(sell(100), buy(95), stops=(PlanStop(leg_id="s100P", trigger_price=60_000),)), CHAIN, TODAY)
    assert {leg.leg_id: leg.stop_trigger for leg in group.legs} == {"s100P": 60_000, "b95P": 0}


def test_a_stop_on_a_long_that_protects_nothing_is_allowed() -> None:
    stop = PlanStop(leg_id="b95P", trigger_price=10_000)
    assert validate(plan(buy(95, limit_price=20_000), stops=(stop,)), CHAIN, TODAY).legs[0].stop_trigger == 10_000


LOTS = {
    symbol: replace(instrument, lot_size=75, multiplier=1, freeze_qty=1_800) for symbol, instrument in CHAIN.items()
}
SMALLER_LOT = {
    symbol: replace(instrument, lot_size=50) if instrument.strike == 950_000 else instrument
    for symbol, instrument in LOTS.items()
}


@pytest.mark.parametrize(
    ("some", "instruments", "says"),
    [
        (
            plan(replace(buy(100), symbol="ACME  260116P00101000")),
            CHAIN,
            ["b100P: the broker does not know 'ACME  260116P00101000'; nearest known: ACME  260116P00"],
        ),
        (plan(replace(buy(100), symbol="?")), {}, ["b100P: the broker does not know '?'; the broker lists 0 symbols"]),
        (
            plan(buy(100), quantity=100),
            LOTS,
            ["quantity 100 x ratio 1 = 100 units", "whole lots of 75; nearest workable quantity: 75 or 150"],
        ),
        (plan(buy(100), quantity=10), LOTS, ["nearest workable quantity: 75"]),
        (plan(buy(100), buy(95), quantity=100), SMALLER_LOT, ["lots of 75; nearest workable quantity: 150"]),
        (plan(buy(100, ratio=3), quantity=30), LOTS, ["30 x ratio 3 = 90", "nearest workable quantity: 25 or 50"]),
        (
            plan(buy(100, limit_price=12_345)),
            CHAIN,
            ["b100P: limit_price 1.2345 is no multiple of ACME  260116P00100000's tick 0.05; nearest: 1.2 or 1.25"],
        ),
        (plan(buy(100, limit_price=1)), CHAIN, ["limit_price 0.0001 is no multiple", "nearest: 0.05"]),
        (
            plan(buy(100)),
            {option(100).symbol: replace(option(100), expiry="2026-01-04")},
            ["ACME  260116P00100000 expired on 2026-01-04, and today is 2026-01-05"],
        ),
        (plan(buy(100)), {option(100).symbol: option(100, freeze_qty=None)}, ["freeze quantity is not known"]),
        (
            plan(buy(100)),
            {option(100).symbol: option(100, freeze_qty=9, lot_size=10)},
            ["freeze quantity 9 is smaller than one lot of 10"],
        ),
        (plan(buy(100), quantity=129_601), CHAIN, ["need more than 1,296 orders of at most 100"]),
        (
            plan(sell(100)),
            CHAIN,
            ["s100P: 10 of its 10 units sold are naked", "add protection, or set allow_naked = true"],
        ),
        (plan(sell(100, ratio=3), buy(95, ratio=2)), CHAIN, ["s100P: 10 of its 30 units sold are naked"]),
        (plan(sell(100, expiry=EXPIRIES[1]), buy(95)), CHAIN, ["s100P: 10 of its 10 units sold are naked"]),
        (plan(buy(100), buy(100, leg_id="again")), CHAIN, ["'ACME  260116P00100000' stands in more than one leg"]),
        (
            plan(buy(100), replace(buy(100), leg_id="compact", symbol="ACME260116P00100000")),
            CHAIN,
            ["'ACME  260116P00100000' stands in more than one leg"],
        ),
        (
            plan(sell(100), buy(95), stops=(PlanStop(leg_id="s100P", trigger_price=60_001),)),
            CHAIN,
            ["the stop on s100P: trigger_price 6.0001 is no multiple", "nearest: 6 or 6.05"],
        ),
        (
            plan(sell(100), buy(95), stops=(PlanStop(leg_id="b95P", trigger_price=10_000),)),
            CHAIN,
            ["the stop on b95P would sell the protection of s100P; put it on the short leg"],
        ),
        (
            plan(sell(100, limit_price=30_000), buy(95), stops=(PlanStop(leg_id="s100P", trigger_price=30_000),)),
            CHAIN,
            ["the stop on s100P would trigger at once: its trigger_price 3 must lie above the leg's limit_price 3"],
        ),
        (
            plan(buy(95, limit_price=30_000), stops=(PlanStop(leg_id="b95P", trigger_price=35_000),)),
            CHAIN,
            ["its trigger_price 3.5 must lie below the leg's limit_price 3"],
        ),
        (
            plan(buy(95), stops=(PlanStop(leg_id="x", trigger_price=0),)),
            CHAIN,
            ["a stop names leg 'x', but the legs are b95P", "the stop on x needs a trigger_price above 0"],
        ),
        (plan(buy(95), stops=(PlanStop(leg_id="b95P", trigger_price=500),) * 2), CHAIN, ["has more than one stop"]),
        (plan(), CHAIN, ["the plan has no legs"]),
        (plan(*[buy(100, leg_id=f"l{n}") for n in range(37)]), CHAIN, ["has 37 legs; at most 36"]),
        (plan(buy(100), group_id="a b"), CHAIN, ["group_id 'a b' must be 1 to 64 letters"]),
        (plan(buy(100), group_id="a" * 65), CHAIN, ["must be 1 to 64 letters"]),
        (plan(buy(100), quantity=0), CHAIN, ["quantity 0 must be at least 1"]),
        (plan(buy(100, ratio=-1)), CHAIN, ["b100P: ratio -1 must be at least 1; a short leg is side = 'sell'"]),
        (plan(buy(100, limit_price=-500)), CHAIN, ["b100P: limit_price must be above 0"]),
        (plan(buy(100), buy(95, leg_id="b100P")), CHAIN, ["leg_id 'b100P' is used by more than one leg"]),
        (plan(buy(100, leg_id="")), CHAIN, ["leg_id '' must be 1 to 32 letters"]),
    ],
)  # fmt: skip
def test_a_plan_is_refused_with_the_reason(some: Plan, instruments: Mapping[str, Instrument], says: list[str]) -> None:
    problems = "\n".join(refusal(some, instruments))
    for part in says:
        assert part in problems


def test_every_problem_is_told_at_once() -> None:
    problems = refusal(
        plan(
            sell(100, limit_price=12_345),
            buy(95, Right.CALL, ratio=0),
            replace(buy(90), symbol="NOPE"),
            stops=(PlanStop(leg_id="s100P", trigger_price=1),),
        )
    )
    assert len(problems) == 5  # ratio, symbol, tick of the price, tick of the trigger, trigger beyond the price
    assert refusal(plan(sell(100, limit_price=12_345)))[1].startswith("s100P: 10 of its 10 units sold are naked")


def test_an_unknown_protection_is_not_blamed_on_the_short() -> None:
    assert len(refusal(plan(sell(100), replace(buy(95), symbol="NOPE")))) == 1


def test_naked_is_allowed_when_asked_for() -> None:
    assert order_of_work(validate(plan(sell(100), allow_naked=True), CHAIN, TODAY)) == [("s100P", NAKED_SHORT)]


def test_the_largest_group_has_36_legs() -> None:
    chain = {option(strike).symbol: option(strike) for strike in range(50, 86)}
    group = validate(plan(*[buy(strike) for strike in range(50, 86)]), chain, TODAY)
    assert [leg.index for leg in group.legs] == list(range(36))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    symbols = draw(st.lists(st.sampled_from(sorted(CHAIN)), min_size=1, max_size=8, unique=True))
    legs = tuple(
        PlanLeg(leg_id=f"l{n}", symbol=symbol, side=draw(st.sampled_from(Side)), ratio=draw(st.integers(1, 3)))
        for n, symbol in enumerate(symbols)
    )
    return plan(*legs, allow_naked=True)


@given(plans())
def test_scores_say_what_is_covered_in_the_order_of_work(some: Plan) -> None:
    """What validation calls covered stays covered when the legs are served in the order that it chose."""
    group = validate(some, CHAIN, TODAY)
    target = {leg.leg_id: leg.target_qty for leg in group.legs}
    bare = uncovered(group.legs, target, target)
    ranks = [WORKING_ORDER.index(leg.score) for leg in group.legs]
    assert ranks == sorted(ranks)
    assert {leg.leg_id: leg.target_qty for leg in group.legs} == {leg.leg_id: 10 * leg.ratio for leg in some.legs}
    for index, leg in enumerate(group.legs):
        assert leg.index == index
        assert (leg.role is Role.PROTECTION) == (leg.side is Side.BUY) == (leg.score > 0)
        if leg.side is Side.SELL:
            assert (leg.score == NAKED_SHORT) == (bare[leg.leg_id] > 0)


@given(plans())
def test_a_plan_without_leave_is_refused_exactly_when_a_part_is_naked(some: Plan) -> None:
    naked = any(leg.score == NAKED_SHORT for leg in validate(some, CHAIN, TODAY).legs)
    try:
        validate(replace(some, allow_naked=False), CHAIN, TODAY)
    except PlanRefused:
        assert naked
    else:
        assert not naked


def test_the_chain_of_these_tests_is_spelled_as_the_exchange_spells_it() -> None:
    assert all(parse_osi(symbol)[3] == instrument.strike for symbol, instrument in CHAIN.items())


def test_a_symbol_in_another_spelling_finds_the_brokers_contract() -> None:
    kite = replace(option(100), symbol="ACME2611600100PE", lot_size=1)
    listed = {**CHAIN, kite.symbol: kite}
    del listed[option(100).symbol]
    group = validate(plan(buy(95), sell(100)), listed, TODAY)
    assert {leg.instrument.symbol for leg in group.legs} == {option(95).symbol, kite.symbol}


def test_a_symbol_that_can_mean_two_contracts_is_refused_and_both_are_named() -> None:
    early = replace(option(100), symbol="abc", underlying="ABC", expiry="2023-09-20", strike=38_000 * 10_000)
    two = replace(early, symbol="abc2", underlying="ABC2", expiry="2039-02-03", strike=8_000 * 10_000)
    leg = PlanLeg(leg_id="odd", symbol="ABC2392038000PE", side=Side.BUY)
    assert validate(plan(leg), {two.symbol: two}, TODAY).legs[0].instrument is two
    with pytest.raises(PlanRefused, match="odd: 'ABC2392038000PE' can mean abc, abc2; write the one that is meant"):
        validate(plan(leg), {early.symbol: early, two.symbol: two}, TODAY)
