"""What a plan leaves naked is known leg by leg: it hides nothing that another leg has lost (I6, R21, S1)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from order_cases import NOW, a_group, a_leg, option
from test_group_levels import a_hedge, progress, record

from decisions.groups.group_levels import Tally, levels, tally
from domain.coverage import uncovered
from domain.execution import Side
from domain.groups import Group, Leg, Mode, Policy
from domain.instruments import Right
from messages.group import HedgeProgressed
from messages.records import HedgeStatus, PositionEventRecord, PositionKind
from venue.audit.exposure import exposed

BUY, SELL = Side.BUY, Side.SELL


def call(index: int, side: Side, strike: int, quantity: int = 10) -> Leg:
    return a_leg(index, side, quantity, instrument=option(strike, Right.CALL))


PUT = a_leg(2, SELL)
JADE = a_group(call(0, BUY, 110), call(1, SELL, 105), PUT, allow_naked=True)
RATIO = a_group(call(0, BUY, 100), call(1, SELL, 105, 20), allow_naked=True)
LADDER = a_group(call(0, BUY, 100), call(1, SELL, 105), call(2, SELL, 110), allow_naked=True)
STRANGLE = a_group(call(0, SELL, 110), a_leg(1, SELL), allow_naked=True)
TWICE = a_group(*JADE.legs[:2], a_leg(2, BUY, 4), a_leg(3, SELL), allow_naked=True)  # naked puts beside covered ones
CONDOR = a_group(a_leg(0, BUY), call(1, BUY, 110), a_leg(2, SELL), call(3, SELL, 105))
PLANS = (JADE, RATIO, LADDER, STRANGLE, TWICE, CONDOR)


def went(group: Group, units: dict[str, int]) -> list[PositionEventRecord]:
    """So many units of these legs went without an order of ours."""
    return [
        PositionEventRecord(
            event_id=f"manual/{leg_id}", group_id=group.group_id, leg_id=leg_id,
            symbol=group.leg(leg_id).instrument.symbol, quantity=-group.leg(leg_id).side.sign * quantity,
            kind=PositionKind.MANUAL, evidence="", activity_id="1", price=0, ts_ns=NOW,
        )
        for leg_id, quantity in units.items()
    ]  # fmt: skip


def filled(
    group: Group, *units: int, gone: dict[str, int] | None = None, hedge: HedgeProgressed | None = None
) -> Tally:
    told = {leg.leg_id: progress(leg, entry_filled=quantity) for leg, quantity in zip(group.legs, units, strict=True)}
    return tally(group, told, {hedge.hedge_id: hedge} if hedge else {}, {}, went(group, gone or {}))


@pytest.mark.parametrize(
    ("group", "units", "gone", "bare", "again"),
    [
        (JADE, (10, 10, 10), {}, 0, {}),
        (JADE, (10, 10, 10), {"buy0": 10}, 10, {"buy0": 10}),
        (JADE, (10, 10, 0), {"buy0": 10}, 10, {"buy0": 10}),  # the put waits at its limit
        (JADE, (10, 10, 10), {"buy0": 10, "sell2": 10}, 10, {"buy0": 10}),  # or was assigned
        (JADE, (10, 10, 10), {"buy0": 4, "sell2": 3}, 4, {"buy0": 4}),
        (JADE, (10, 10, 10), {"buy0": 4, "sell1": 4}, 0, {}),  # nobody needs these any more
        (RATIO, (10, 20), {"buy0": 4}, 4, {"buy0": 4}),
        (RATIO, (10, 10), {"buy0": 4}, 4, {"buy0": 4}),  # the naked rest is not sold yet
        (RATIO, (10, 20), {"buy0": 10, "sell1": 15}, 5, {"buy0": 5}),
        (LADDER, (10, 10, 0), {"buy0": 10}, 10, {"buy0": 10}),
        (LADDER, (10, 10, 10), {"buy0": 10, "sell1": 10}, 10, {"buy0": 10}),  # the long would cover the others
        (TWICE, (10, 10, 4, 10), {"buy0": 3, "buy2": 4}, 7, {"buy0": 3, "buy2": 4}),
        (CONDOR, (10, 10, 10, 10), {"buy0": 5, "sell2": 5, "buy1": 5}, 5, {"buy1": 5}),  # nobody needs the puts
    ],
)  # fmt: skip
def test_what_went_is_hedged_where_a_short_relied_on_it_and_nowhere_else(
    group: Group, units: tuple[int, ...], gone: dict[str, int], bare: int, again: dict[str, int]
) -> None:
    held = filled(group, *units, gone=gone)
    assert (held.uncovered, held.lost) == (bare, again)
    wanted = levels(group, record(group), held)
    assert {key: quantity for (key, _), quantity in wanted.hedge.items() if quantity} == again


def test_protection_that_a_hedge_is_about_to_replace_is_bare_and_no_more_lost() -> None:
    hedge = a_hedge(JADE.legs[0], 10, 4)
    held = filled(JADE, 10, 10, 0, gone={"buy0": 10}, hedge=hedge)
    assert (held.uncovered, held.lost) == (6, {})


def test_a_short_that_lost_its_long_is_closed_when_the_group_only_reduces() -> None:
    held = filled(JADE, 10, 10, 0, gone={"buy0": 10})
    wanted = levels(JADE, record(JADE, Mode.REDUCING), held)
    assert (wanted.close["sell1"], wanted.entry["sell2"]) == (10, 0)


def test_a_plan_that_flattens_turns_round_for_protection_lost_beside_a_naked_leg() -> None:
    group = a_group(*JADE.legs, policy=Policy.FLATTEN, allow_naked=True)
    assert filled(group, 10, 10, 0, gone={"buy0": 1}).first_short_leg(group) == "buy0"
    assert filled(group, 10, 10, 0, gone={"sell2": 0}).first_short_leg(group) == ""


@pytest.mark.parametrize(
    ("group", "units", "released"),
    [
        (JADE, (10, 9, 0), {"sell1": 10, "sell2": 0}),  # S1: the naked put is last of all
        (JADE, (9, 9, 0), {"sell1": 9, "sell2": 0}),
        (JADE, (10, 10, 0), {"sell1": 10, "sell2": 10}),
        (RATIO, (10, 9), {"sell1": 10}),
        (RATIO, (10, 10), {"sell1": 20}),
        (LADDER, (10, 9, 0), {"sell1": 10, "sell2": 0}),
        (LADDER, (10, 10, 0), {"sell1": 10, "sell2": 10}),
        (STRANGLE, (0, 0), {"sell0": 10, "sell1": 10}),
        (TWICE, (10, 10, 4, 3), {"sell1": 10, "sell3": 4}),
        (TWICE, (10, 9, 4, 4), {"sell1": 10, "sell3": 4}),
        (TWICE, (10, 10, 4, 4), {"sell1": 10, "sell3": 10}),
    ],
)
def test_s1_a_naked_rest_is_released_when_all_families_are_covered(
    group: Group, units: tuple[int, ...], released: dict[str, int]
) -> None:
    wanted = levels(group, record(group), filled(group, *units))
    assert {key: wanted.entry[key] for key in released} == released


@st.composite
def entering(draw: st.DrawFn) -> tuple[Group, Tally, dict[str, int]]:
    """A plan while it is entered as its levels release it, and what of its longs went then."""
    group = draw(st.sampled_from(PLANS))
    units = dict.fromkeys((leg.leg_id for leg in group.legs), 0)
    for _ in range(draw(st.integers(0, 12))):
        wanted = levels(group, record(group), filled(group, *units.values())).entry
        leg = draw(st.sampled_from(group.legs))
        units[leg.leg_id] = draw(st.integers(units[leg.leg_id], max(units[leg.leg_id], wanted[leg.leg_id])))
    gone = {leg.leg_id: draw(st.integers(0, units[leg.leg_id])) for leg in group.legs if leg.side is BUY}
    return group, filled(group, *units.values()), gone


@settings(max_examples=150, deadline=None)
@given(entering())
def test_no_fill_that_was_released_is_an_exposure_and_every_loss_behind_it_is(
    drawn: tuple[Group, Tally, dict[str, int]],
) -> None:
    group, held, gone = drawn
    assert (held.uncovered, held.lost) == (0, {})
    units = [held.held(leg.leg_id) for leg in group.legs]
    after = filled(group, *units, gone=gone)
    bare = [sum(uncovered(group.legs, each.longs, each.shorts).values()) for each in (held, after)]
    assert after.uncovered >= bare[1] - bare[0]
    assert sum(after.lost.values()) == after.uncovered, "all of it can be bought again"


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PLANS), st.data())
def test_the_group_and_the_audit_count_alike_by_different_ways(group: Group, data: st.DataObject) -> None:
    units = [data.draw(st.integers(0, leg.target_qty + 3)) for leg in group.legs]
    held = filled(group, *units)
    assert held.uncovered == exposed(group, held.longs, held.shorts)


def test_a_plan_without_leave_has_no_naked_rest_whatever_its_legs() -> None:
    strict = a_group(*JADE.legs)
    held = filled(strict, 10, 10, 10)
    assert (held.uncovered, exposed(strict, held.longs, held.shorts)) == (10, 10)


def test_what_a_hedge_has_bought_again_covers_once_more() -> None:
    done = a_hedge(JADE.legs[0], 10, 10, status=HedgeStatus.FILLED)
    held = filled(JADE, 10, 10, 0, gone={"buy0": 10}, hedge=done)
    assert (held.uncovered, held.lost) == (0, {})
    assert levels(JADE, record(JADE), held).entry["sell2"] == 10, "the put may be sold again"
