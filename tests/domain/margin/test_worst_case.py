"""The worst reachable prefix, against a search that visits every one of them under the rule that releases risk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from margin_cases import FAR, NEAR, condor, group, leg
from msgspec.structs import replace

from decisions.groups.group_levels import levels, tally
from domain.execution import Side
from domain.groups import Group, GroupOutcome, GroupStatus, Mode
from domain.instruments import Right
from domain.margin.strategy import estimate
from domain.margin.worst_case import MAX_CORNERS, prefixes, worst_case
from messages.group import LegProgressed
from messages.records import GroupRecord

Held = Mapping[str, int]


def levels_at(some: Group, mode: Mode, filled: Held, closed: Held) -> tuple[Held, Held]:
    """How much of each leg may be entered, and shall be closed, by the real rule."""
    told = {
        leg.leg_id: LegProgressed(
            leg_id=leg.leg_id, entry_authorized=0, close_authorized=0, entry_filled=filled[leg.leg_id], entry_live=0,
            entry_abandoned=0, close_filled=closed[leg.leg_id], close_live=0, close_abandoned=0, unresolved=0,
        )
        for leg in some.legs
    }  # fmt: skip
    record = GroupRecord(
        group_id="g", cell=0, strategy="custom", status=GroupStatus.VALIDATED, mode=mode, outcome=GroupOutcome.OPEN,
        reason="", group=some, hedges_placed=0, crashes=0, quarantined=False, created_ns=0, updated_ns=0,
    )  # fmt: skip
    wanted = levels(some, record, tally(some, told, {}, {}))
    return wanted.entry, wanted.close


def every_prefix(some: Group) -> Iterator[dict[str, int]]:
    """Fill one unit after another, whatever the release rule allows, in every order."""
    names = [leg.leg_id for leg in some.legs]
    none = dict.fromkeys(names, 0)
    waiting, seen = [none], {tuple(none.values())}
    while waiting:
        held = waiting.pop()
        yield held
        allowed, _ = levels_at(some, Mode.ENTERING, held, none)
        for name in names:
            more = {**held, name: held[name] + 1}
            if held[name] < allowed[name] and tuple(more.values()) not in seen:
                seen.add(tuple(more.values()))
                waiting.append(more)


def by_search(some: Group, losses: Mapping[str, list[float]], count: int) -> float:
    underlyings = {leg.instrument.underlying for leg in some.legs}

    def loss(held: Held) -> float:
        return sum(
            max(
                sum(
                    losses[leg.leg_id][index] * held[leg.leg_id]
                    for leg in some.legs
                    if leg.instrument.underlying == underlying
                )
                for index in range(count)
            )
            for underlying in underlyings
        )

    return max(loss(held) for held in every_prefix(some))


SCENARIOS = ("calm", "storm", "fog")


@st.composite
def small_plans(draw: st.DrawFn) -> tuple[Group, dict[str, list[float]]]:
    times = draw(st.integers(1, 2))
    legs = [
        leg(
            index,
            draw(st.sampled_from(Side)),
            draw(st.sampled_from(Right)),
            100,
            times * draw(st.integers(1, 3)),
            draw(st.sampled_from([NEAR, FAR])),
            underlying=draw(st.sampled_from(["ACME", "ACME", "XYZ"])),
        )
        for index in range(draw(st.integers(1, 4)))
    ]
    some = group(*legs, allow_naked=draw(st.booleans()))
    losses = {x.leg_id: [float(draw(st.integers(-5, 5))) for _ in SCENARIOS] for x in legs}
    return some, losses


@settings(derandomize=True, deadline=None, max_examples=250)
@given(small_plans())
def test_s6_the_worst_case_is_the_worst_of_all_prefixes_that_a_search_finds(
    plan: tuple[Group, dict[str, list[float]]],
) -> None:
    some, losses = plan
    found = worst_case(some, losses, SCENARIOS)
    assert found.loss == max(0, by_search(some, losses, len(SCENARIOS)))


@settings(derandomize=True, deadline=None, max_examples=150)
@given(small_plans())
def test_the_prefix_that_it_names_is_reachable_and_loses_what_it_says(
    plan: tuple[Group, dict[str, list[float]]],
) -> None:
    some, losses = plan
    found = worst_case(some, losses, SCENARIOS)
    named, where = dict(found.prefix), dict(found.scenarios)
    assert named in list(every_prefix(some))
    loss = sum(
        losses[leg.leg_id][SCENARIOS.index(where[leg.instrument.underlying])] * named[leg.leg_id] for leg in some.legs
    )
    assert found.loss == max(0, loss)


def test_s6_the_worst_may_lie_on_the_way_and_not_at_the_end() -> None:
    """The whole loses nothing; the wing alone does when its premium melts."""
    spread = group(leg(0, Side.BUY, Right.PUT, 90, 8), leg(1, Side.SELL, Right.PUT, 95, 8), allow_naked=False)
    found = worst_case(spread, {"leg0": [3.0, 0.0], "leg1": [-5.0, 1.0]}, ("up", "down"))
    assert (found.loss, found.scenario, dict(found.prefix)) == (24, "up", {"leg0": 8, "leg1": 0})


def test_losses_of_different_underlyings_are_added_each_in_its_own_worst_scenario() -> None:
    two = group(leg(0, Side.BUY, Right.PUT, 90), leg(1, Side.BUY, Right.PUT, 90, underlying="XYZ"))
    found = worst_case(two, {"leg0": [3.0, -1.0], "leg1": [-2.0, 4.0]}, ("up", "down"))
    assert (found.loss, found.scenario) == (7, "ACME: up; XYZ: down")


def test_a_naked_rest_counts_only_after_everything_else() -> None:
    legs = (leg(0, Side.BUY, Right.PUT, 90, 2), leg(1, Side.SELL, Right.PUT, 95, 3))
    losses = {"leg0": [-10.0], "leg1": [4.0]}
    assert worst_case(group(*legs, allow_naked=False), losses, ("x",)).loss == 0
    assert worst_case(group(*legs), {"leg0": [-1.0], "leg1": [4.0]}, ("x",)).loss == 3 * 4 - 2
    assert worst_case(group(*legs), losses, ("x",)).loss == 0, "two longs gain more than three shorts lose"


def test_a_family_of_too_many_corners_is_judged_too_hard_and_never_too_lightly() -> None:
    primes = (997, 1009, 1013)
    legs = [leg(index, Side.BUY, Right.PUT, 90, quantity) for index, quantity in enumerate(primes)]
    odd = group(*legs, leg(3, Side.SELL, Right.PUT, 95, 1019), allow_naked=False)
    assert all(len(corners) <= MAX_CORNERS for _, corners in prefixes(odd).entering)
    found = worst_case(odd, {"leg0": [-1.0], "leg1": [-1.0], "leg2": [-1.0], "leg3": [2.0]}, ("x",))
    assert found.loss == 2 * 1019


@pytest.mark.parametrize("slices", [1, 8, 1_000])
def test_an_iron_condor_has_as_few_corners_however_many_slices(slices: int) -> None:
    assert [len(corners) for _, corners in prefixes(condor(8 * slices)).entering] == [2, 2]


def test_an_iron_condor_is_searched_in_milliseconds() -> None:
    losses = {f"leg{index}": [float(index - scenario % 4) for scenario in range(27)] for index in range(4)}
    names = [str(scenario) for scenario in range(27)]
    best = min(_timed(lambda: worst_case(condor(8 * 50), losses, names)) for _ in range(20))
    assert best < 0.005


def _timed(what: object) -> float:
    began = time.perf_counter()
    what()  # type: ignore[operator]
    return time.perf_counter() - began


def closing_prefixes(some: Group) -> Iterator[dict[str, int]]:
    """Close one unit after another, as the rule of a group that is being flattened allows, in every order."""
    full = {leg.leg_id: leg.target_qty for leg in some.legs}
    none = dict.fromkeys(full, 0)
    waiting, seen = [none], {tuple(none.values())}
    while waiting:
        closed = waiting.pop()
        yield {name: full[name] - closed[name] for name in full}
        _, allowed = levels_at(some, Mode.FLATTENING, full, closed)
        for name in full:
            more = {**closed, name: closed[name] + 1}
            if closed[name] < allowed[name] and tuple(more.values()) not in seen:
                seen.add(tuple(more.values()))
                waiting.append(more)


def test_every_group_can_be_closed_to_the_last_unit() -> None:
    assert dict.fromkeys(["leg0", "leg1", "leg2", "leg3"], 0) in list(closing_prefixes(condor(2)))


def holding(some: Group, held: Held) -> Group:
    return replace(some, legs=tuple(replace(x, target_qty=held[x.leg_id]) for x in some.legs if held[x.leg_id]))


@st.composite
def plans_to_close(draw: st.DrawFn) -> Group:
    legs = [
        leg(
            index,
            draw(st.sampled_from(Side)),
            draw(st.sampled_from(Right)),
            draw(st.sampled_from([90, 95, 100, 105, 110])),
            draw(st.integers(1, 2)),
            draw(st.sampled_from([NEAR, NEAR, FAR])),
        )
        for index in range(draw(st.integers(2, 4)))
    ]
    return group(*legs)


@settings(derandomize=True, deadline=None, max_examples=400)
@given(plans_to_close())
def test_r22_closing_never_needs_more_margin_on_any_prefix_than_was_held_at_the_start(some: Group) -> None:
    """Margin here is what shorts tie up; longs are paid for and give their money back."""
    prices = {f"S{index}": 10_000 for index in range(4)}

    def margin(held: Held) -> int:
        report = estimate(holding(some, held), prices, {"ACME": 1_000_000})
        return report.covered + report.naked

    held_at_the_start = margin({x.leg_id: x.target_qty for x in some.legs})
    assert all(margin(held) <= held_at_the_start for held in closing_prefixes(some))
