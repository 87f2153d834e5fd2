"""The arithmetic of a group, for arbitrary tallies: risk under filled protection, one hedge for one shortfall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from order_cases import GROUP, NOW, a_group, a_leg, option

from decisions.groups.group_levels import Tally, levels, tally
from domain.coverage import covered, uncovered
from domain.execution import Side
from domain.groups import Group, GroupOutcome, GroupStatus, Leg, Mode, Policy
from domain.instruments import Right
from messages.group import HedgeProgressed, LegProgressed, StopProgressed
from messages.records import GroupRecord, HedgeStatus, PositionEventRecord, PositionKind, StopStatus

LONG, SHORT = a_leg(0, Side.BUY), a_leg(1, Side.SELL)
PAIR = a_group(LONG, SHORT)
MODES = [mode for mode in Mode if mode is not Mode.LEFT]  # what is left to a person has no actors


def record(group: Group, mode: Mode = Mode.ENTERING, **changes: object) -> GroupRecord:
    row = GroupRecord(
        group_id=GROUP, cell=0, strategy=group.strategy, status=GroupStatus.VALIDATED, mode=mode,
        outcome=GroupOutcome.OPEN, reason="why", group=group, hedges_placed=0, crashes=0, quarantined=False,
        created_ns=NOW, updated_ns=NOW,
    )  # fmt: skip
    return replace(row, **changes)


def progress(leg: Leg, **told: int) -> LegProgressed:
    fields: dict[str, Any] = {
        "entry_authorized": leg.target_qty, "close_authorized": 0, "entry_filled": 0, "entry_live": 0,
        "entry_abandoned": 0, "close_filled": 0, "close_live": 0, "close_abandoned": 0, "unresolved": 0,
    }  # fmt: skip
    return LegProgressed(leg_id=leg.leg_id, **(fields | told))


def a_hedge(leg: Leg, needed: int, filled: int = 0, **changes: object) -> HedgeProgressed:
    told = HedgeProgressed(
        hedge_id=f"h-{leg.leg_id}-{needed}-{filled}", leg_id=leg.leg_id, side=leg.side, needed_qty=needed,
        filled=filled, live=0, unresolved=0, status=HedgeStatus.WORKING, level=1,
    )  # fmt: skip
    return replace(told, **changes)


def held_by(group: Group, legs: Mapping[str, Mapping[str, int]], *hedges: HedgeProgressed) -> Tally:
    told = {leg.leg_id: progress(leg, **legs.get(leg.leg_id, {})) for leg in group.legs}
    return tally(group, told, {hedge.hedge_id: hedge for hedge in hedges}, {})


class TestEntering:
    @pytest.mark.parametrize("filled", [0, 1, 9, 10])
    def test_protection_is_authorized_in_full_and_risk_for_what_has_filled(self, filled: int) -> None:
        held = held_by(PAIR, {"buy0": {"entry_filled": filled, "entry_live": 10 - filled}})
        wanted = levels(PAIR, record(PAIR), held)
        assert (wanted.entry["buy0"], wanted.entry["sell1"]) == (10, filled)

    def test_working_protection_covers_nothing(self) -> None:
        wanted = levels(PAIR, record(PAIR), held_by(PAIR, {"buy0": {"entry_live": 10}}))
        assert wanted.entry["sell1"] == 0

    def test_a_hedge_takes_over_what_the_leg_gave_up_and_the_two_never_exceed_the_target(self) -> None:
        given_up = {"entry_filled": 3, "entry_abandoned": 7}
        held = held_by(PAIR, {"buy0": given_up})
        assert levels(PAIR, record(PAIR), held).hedge["buy0", False] == 7
        held = held_by(PAIR, {"buy0": given_up}, a_hedge(LONG, 7))
        wanted = levels(PAIR, record(PAIR), held)
        assert wanted.hedge["buy0", False] == 0, "hedged twice"
        assert wanted.entry["buy0"] == 3

    def test_exposure_turns_the_protection_over_to_hedges(self) -> None:
        held = held_by(PAIR, {"buy0": {"entry_filled": 4, "entry_live": 6}, "sell1": {"entry_filled": 10}})
        wanted = levels(PAIR, record(PAIR), held)
        assert not wanted.entering["buy0"]
        assert wanted.entering["sell1"]

    def test_too_much_is_closed(self) -> None:
        held = held_by(PAIR, {"buy0": {"entry_filled": 14}})
        assert levels(PAIR, record(PAIR), held).close["buy0"] == 4

    def test_a_quarantined_group_enters_nothing(self) -> None:
        wanted = levels(PAIR, record(PAIR, quarantined=True), held_by(PAIR, {}))
        assert not any(wanted.entering.values())

    def test_a_permitted_naked_rest_waits_for_everything_else(self) -> None:
        naked = a_leg(2, Side.SELL, instrument=option(110, Right.CALL))
        group = a_group(LONG, SHORT, naked, allow_naked=True)
        almost = {"buy0": {"entry_filled": 10}, "sell1": {"entry_filled": 9}}
        assert levels(group, record(group), held_by(group, almost)).entry["sell2"] == 0
        done = {"buy0": {"entry_filled": 10}, "sell1": {"entry_filled": 10}}
        assert levels(group, record(group), held_by(group, done)).entry["sell2"] == 10

    @pytest.mark.parametrize(("complete", "level"), [(False, 0), (True, 10)])
    def test_a_stop_is_armed_when_the_group_is_complete(self, complete: bool, level: int) -> None:
        guarded = a_group(LONG, replace(SHORT, stop_trigger=25_000))
        filled = {"buy0": {"entry_filled": 10 if complete else 9}, "sell1": {"entry_filled": 10 if complete else 9}}
        assert levels(guarded, record(guarded), held_by(guarded, filled)).stop["sell1"] == level


BOTH = {"buy0": {"entry_filled": 10}, "sell1": {"entry_filled": 10}}


class TestEnding:
    def test_flattening_closes_the_shorts_first_and_a_long_only_when_it_is_free(self) -> None:
        wanted = levels(PAIR, record(PAIR, Mode.FLATTENING), held_by(PAIR, BOTH))
        assert (wanted.close["sell1"], wanted.close["buy0"]) == (10, 0)
        some = {**BOTH, "sell1": {"entry_filled": 10, "close_filled": 4}}
        wanted = levels(PAIR, record(PAIR, Mode.FLATTENING), held_by(PAIR, some))
        assert (wanted.close["sell1"], wanted.close["buy0"]) == (10, 4)

    def test_a_long_that_waits_for_its_short_may_have_more_to_close_soon(self) -> None:
        flattening, reducing = record(PAIR, Mode.FLATTENING), record(PAIR, Mode.REDUCING)
        some = held_by(PAIR, {**BOTH, "sell1": {"entry_filled": 10, "close_filled": 4}})
        assert levels(PAIR, flattening, some).rising == {"buy0"}
        assert levels(PAIR, reducing, some).rising == frozenset(), "what it keeps it keeps"
        free = held_by(PAIR, {**BOTH, "sell1": {"entry_filled": 10, "close_filled": 10}})
        assert levels(PAIR, flattening, free).rising == frozenset()

    @pytest.mark.parametrize("mode", [Mode.FLATTENING, Mode.REDUCING])
    def test_what_may_yet_fill_may_have_to_be_closed_too(self, mode: Mode) -> None:
        held = held_by(PAIR, {"sell1": {"entry_filled": 3, "entry_live": 7}})
        assert levels(PAIR, record(PAIR, mode), held).rising == {"sell1"}
        held = held_by(PAIR, {"sell1": {"entry_filled": 3, "close_live": 3}})
        assert levels(PAIR, record(PAIR, mode), held).rising == frozenset()

    def test_a_short_that_may_still_fill_keeps_its_protection(self) -> None:
        held = held_by(PAIR, {"buy0": {"entry_filled": 10}, "sell1": {"entry_live": 7}})
        assert levels(PAIR, record(PAIR, Mode.FLATTENING), held).close["buy0"] == 3

    def test_reducing_keeps_what_is_covered_and_closes_what_is_not(self) -> None:
        held = held_by(PAIR, {"buy0": {"entry_filled": 6}, "sell1": {"entry_filled": 10}})
        wanted = levels(PAIR, record(PAIR, Mode.REDUCING), held)
        assert (wanted.close["sell1"], wanted.close["buy0"]) == (4, 0)

    def test_what_cannot_be_closed_becomes_a_hedge_against_the_leg(self) -> None:
        stuck = {"entry_filled": 10, "close_abandoned": 10, "close_authorized": 10}
        held = held_by(PAIR, {"buy0": {"entry_filled": 10}, "sell1": stuck})
        wanted = levels(PAIR, record(PAIR, Mode.FLATTENING), held)
        assert wanted.hedge["sell1", True] == 10
        against = a_hedge(SHORT, 10, side=Side.BUY)
        held = held_by(PAIR, {"buy0": {"entry_filled": 10}, "sell1": stuck}, against)
        assert levels(PAIR, record(PAIR, Mode.FLATTENING), held).hedge["sell1", True] == 0, "closed twice"

    def test_a_position_closed_beyond_flat_by_a_bust_is_bought_back(self) -> None:
        held = held_by(PAIR, {"buy0": {"entry_filled": 6, "close_filled": 10}})
        wanted = levels(PAIR, record(PAIR, Mode.FLATTENING), held)
        assert wanted.hedge["buy0", False] == 4

    def test_what_a_stop_exits_nobody_else_closes(self) -> None:
        told = {leg.leg_id: progress(leg, **BOTH[leg.leg_id]) for leg in PAIR.legs}
        stop = StopProgressed(leg_id="sell1", filled=3, live=5, committed=7, unresolved=0, status=StopStatus.TRIGGERED)
        wanted = levels(PAIR, record(PAIR, Mode.FLATTENING), tally(PAIR, told, {}, {"sell1": stop}))
        assert wanted.close["sell1"] == 0


@pytest.mark.parametrize(
    ("policy", "side", "abandoned", "expected"),
    [
        (Policy.COMPLETE, Side.BUY, 3, ""),
        (Policy.FLATTEN, Side.BUY, 3, "buy0"),
        (Policy.COMPLETE, Side.SELL, 3, "sell1"),
        (Policy.FLATTEN, Side.SELL, 3, "sell1"),
        (Policy.FLATTEN, Side.BUY, 0, ""),
    ],
)
def test_a_shortfall_of_risk_always_flattens_and_one_of_protection_by_policy(
    policy: Policy, side: Side, abandoned: int, expected: str
) -> None:
    group = a_group(LONG, SHORT, policy=policy)
    leg_id = "buy0" if side is Side.BUY else "sell1"
    held = held_by(group, {leg_id: {"entry_abandoned": abandoned}})
    assert held.first_short_leg(group) == expected
    assert held.must_flatten(group) == bool(expected)


# --- for arbitrary tallies ---

CALLS = a_leg(2, Side.BUY, instrument=option(110, Right.CALL)), a_leg(3, Side.SELL, instrument=option(105, Right.CALL))
GROUPS = (PAIR, a_group(LONG, SHORT, *CALLS), a_group(LONG, replace(SHORT, target_qty=4), CALLS[0], CALLS[1]))


@st.composite
def tallies(draw: st.DrawFn) -> tuple[Group, Tally]:
    """Anything that legs, hedges and stops could report, honest or not."""
    group = draw(st.sampled_from(GROUPS))
    legs, hedges, stops = {}, {}, {}
    units = st.integers(0, 14)
    for leg in group.legs:
        names = ("entry_authorized", "close_authorized", "entry_filled", "entry_live", "entry_abandoned",
                 "close_filled", "close_live", "close_abandoned")  # fmt: skip
        legs[leg.leg_id] = progress(leg, **{name: draw(units) for name in names})
        for number in range(draw(st.integers(0, 2))):
            told = a_hedge(
                leg, draw(units), draw(units), hedge_id=f"{leg.leg_id}{number}", live=draw(units),
                side=draw(st.sampled_from(Side)), status=draw(st.sampled_from(HedgeStatus)),
            )  # fmt: skip
            hedges[told.hedge_id] = told
        if draw(st.booleans()):
            stops[leg.leg_id] = StopProgressed(
                leg_id=leg.leg_id, filled=draw(units), live=draw(units), committed=draw(units), unresolved=0,
                status=draw(st.sampled_from(StopStatus)),
            )  # fmt: skip
    return group, tally(group, legs, hedges, stops)


arbitrary = settings(max_examples=150, deadline=None)


@arbitrary
@given(tallies())
def test_risk_is_never_authorized_beyond_what_filled_protection_covers(drawn: tuple[Group, Tally]) -> None:
    group, held = drawn
    wanted = levels(group, record(group), held)
    shorts = {
        leg.leg_id: wanted.entry[leg.leg_id] - held.legs[leg.leg_id].resold
        for leg in group.legs
        if leg.side is Side.SELL
    }
    assert not any(uncovered(group.legs, held.longs, shorts).values())
    assert all(quantity <= group.leg(leg_id).target_qty for leg_id, quantity in shorts.items())


@arbitrary
@given(tallies())
def test_a_leg_and_its_hedges_never_answer_for_more_than_the_target(drawn: tuple[Group, Tally]) -> None:
    group, held = drawn
    wanted = levels(group, record(group), held)
    for leg in group.legs:
        own = held.legs[leg.leg_id]
        if leg.side is Side.BUY:
            assert wanted.entry[leg.leg_id] + own.hedged == leg.target_qty + own.resold
            missing = wanted.hedge.get((leg.leg_id, False), 0)
            given_up = max(0, own.progress.entry_abandoned)
            assert 0 <= missing <= given_up
            since = max(0, own.progress.entry_authorized - wanted.entry[leg.leg_id])
            assert missing == max(0, given_up - since), "what the level was lowered by has been taken over already"


@arbitrary
@given(tallies(), st.sampled_from([Mode.FLATTENING, Mode.REDUCING]))
def test_an_ending_group_enters_nothing_and_closes_no_more_than_it_holds(
    drawn: tuple[Group, Tally], mode: Mode
) -> None:
    group, held = drawn
    wanted = levels(group, record(group, mode), held)
    assert set(wanted.entry.values()) == {0}
    assert set(wanted.stop.values()) == {0}
    assert not any(wanted.entering.values())
    for leg in group.legs:
        own = held.legs[leg.leg_id]
        closing = wanted.close[leg.leg_id]
        spoken_for = own.reversed + own.stop_filled + own.stop_committed
        assert closing <= max(own.progress.close_filled, own.acquired - spoken_for)
        assert closing >= own.progress.close_filled


@arbitrary
@given(tallies())
def test_what_reducing_keeps_is_covered_and_what_flattening_keeps_is_needed(drawn: tuple[Group, Tally]) -> None:
    group, held = drawn
    longs, shorts = held.longs, held.shorts
    bare = covered(group.legs, longs, shorts)
    wanted = levels(group, record(group, Mode.REDUCING), held)
    for leg in group.legs:
        own = held.legs[leg.leg_id]
        plain = not (own.reversed or own.stop_filled or own.stop_committed or own.hedged)
        if plain and leg.side is Side.SELL and own.held >= 0:
            assert own.acquired - wanted.close[leg.leg_id] <= bare[leg.leg_id]
        if plain and leg.side is Side.BUY and own.held >= 0:
            assert wanted.close[leg.leg_id] == own.progress.close_filled


@arbitrary
@given(tallies(), st.sampled_from(MODES))
def test_every_leg_is_told_something_and_nothing_is_negative_but_the_level_of_an_overfilled_hedge(
    drawn: tuple[Group, Tally], mode: Mode
) -> None:
    group, held = drawn
    wanted = levels(group, record(group, mode), held)
    names = {leg.leg_id for leg in group.legs}
    for part in (wanted.entry, wanted.close, wanted.entering, wanted.stop, wanted.reason):
        assert set(part) == names
    assert all(quantity >= 0 for part in (wanted.close, wanted.stop, wanted.hedge) for quantity in part.values())
    for leg in group.legs:
        own = held.legs[leg.leg_id]
        assert wanted.entry[leg.leg_id] >= min(0, leg.target_qty - own.hedged)
        assert wanted.stop[leg.leg_id] <= leg.target_qty


@pytest.mark.parametrize("leg", [0, 1])
def test_what_a_bust_takes_after_an_excess_was_closed_is_to_be_obtained_again(leg: int) -> None:
    """13 filled by a late fill, 3 of them were closed, then 5 were busted: 5 are held, and 10 shall be."""
    group = GROUPS[0]
    legs = {one.leg_id: progress(one, entry_filled=10) for one in group.legs}
    one = group.legs[leg]
    legs[one.leg_id] = progress(one, entry_filled=8, close_filled=3)
    held = tally(group, legs, {}, {})
    assert (held.held(one.leg_id), held.complete) == (5, False)
    assert levels(group, record(group), held).entry[one.leg_id] == 13


def test_a_late_fill_in_place_of_what_went_without_an_order_makes_the_group_whole() -> None:
    """11 filled, the last one late, and one went by hand: 10 are held, as planned, and nothing is left to be done."""
    group = GROUPS[0]
    legs = {one.leg_id: progress(one, entry_filled=10) for one in group.legs}
    legs[LONG.leg_id] = progress(LONG, entry_filled=11)
    by_hand = PositionEventRecord(
        event_id="manual/1", group_id=group.group_id, leg_id=LONG.leg_id, symbol=LONG.instrument.symbol, quantity=-1,
        kind=PositionKind.MANUAL, evidence="", activity_id="1", price=0, ts_ns=NOW,
    )  # fmt: skip
    held = tally(group, legs, {}, {}, [by_hand])
    assert (held.held(LONG.leg_id), held.complete) == (10, True)
    assert levels(group, record(group), held).close[LONG.leg_id] == 0


@pytest.mark.parametrize("leg", [LONG, SHORT])
def test_what_came_without_an_order_to_a_leg_that_was_closed_too_far_need_not_be_obtained_again(leg: Leg) -> None:
    """60 were closed, of which 10 had been busted; of those ten that are held the wrong way one was assigned: 9 do."""
    group = PAIR
    legs = {one.leg_id: progress(one) for one in group.legs}
    legs[leg.leg_id] = progress(leg, entry_filled=50, close_filled=60, close_authorized=60)
    assigned = PositionEventRecord(
        event_id="assigned/1", group_id=group.group_id, leg_id=leg.leg_id, symbol=leg.instrument.symbol,
        quantity=leg.side.sign, kind=PositionKind.ASSIGNMENT, evidence="", activity_id="1", price=0, ts_ns=NOW,
    )  # fmt: skip
    row = record(group, Mode.FLATTENING)
    held = tally(group, legs, {}, {}, [assigned])
    assert held.held(leg.leg_id) == -9
    assert levels(group, row, held).hedge[leg.leg_id, False] == 9
    hedge = a_hedge(leg, 9, 9, status=HedgeStatus.FILLED)
    held = tally(group, legs, {hedge.hedge_id: hedge}, {}, [assigned])
    assert held.held(leg.leg_id) == 0
    wanted = levels(group, row, held)
    assert (wanted.hedge[leg.leg_id, False], wanted.close[leg.leg_id]) == (0, 60)
    assert held.overdrawn() == ""
