"""The strategy-based margin estimate, held to published figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from margin_cases import FAR, NEAR, TODAY, document, group, leg, needs_vectors
from msgspec.structs import replace

from domain.execution import Side
from domain.groups import Group, Leg
from domain.instruments import Right
from domain.margin.strategy import BROAD_INDEX, EQUITY, MarginReport, MarginUnknown, NakedRule, estimate, worst_loss
from domain.money import parse_price

EXPIRY = {"near": NEAR, "far": FAR, None: NEAR}
RIGHTS = {"call": Right.CALL, "put": Right.PUT, "stock": None}

BROAD_BY_NAME = ("broad", "spx")


def vectors() -> list[Any]:
    return list(document()["vectors"])


def rule_of(vector: Mapping[str, Any]) -> NakedRule:
    if "rule" in vector:
        percent, leverage = vector["rule"]["pct"], vector["rule"]["leverage"]
        return NakedRule(percent_bps=round(percent * leverage * 10_000), minimum_bps=round(1_000 * leverage))
    broad = any(word in vector["id"] for word in BROAD_BY_NAME)
    return BROAD_INDEX if broad else EQUITY


def report_of(vector: Mapping[str, Any]) -> MarginReport:
    expiry = "2027-08-20" if vector.get("months_to_expiry") == 20 else ""
    legs, prices = [], {}
    for index, row in enumerate(vector["legs"]):
        made = leg(
            index,
            Side.BUY if row["side"] == "long" else Side.SELL,
            RIGHTS[row["type"]],
            row.get("strike", 0),
            row.get("qty") or row["shares"],
            expiry or EXPIRY[row.get("expiry")],
            1 if row["type"] == "stock" else vector["multiplier"],
        )
        if row["type"] == "stock":
            made = replace(made, instrument=replace(made.instrument, symbol="ACME", expiry=""))
        legs.append(made)
        prices[made.instrument.symbol] = parse_price(row["price"])
    return estimate(group(*legs), prices, {"ACME": parse_price(vector["underlying"])}, {"ACME": rule_of(vector)}, TODAY)


@needs_vectors
@pytest.mark.parametrize("vector", vectors(), ids=lambda v: v["id"])
def test_the_estimate_agrees_with_the_published_figure(vector: dict[str, Any]) -> None:
    """Some sources give the gross figure, some the one net of the premium received; ``basis`` says which."""
    report = report_of(vector)
    figure = report.net if "net of option proceeds" in vector["basis"] else report.requirement
    rounding = vector.get("rounding", 0) / 2
    assert figure / 10_000 == pytest.approx(vector["expected"], abs=max(rounding, 0.005) + 0.01)
    assert figure == parse_price(vector["recomputed"])


@needs_vectors
def test_every_vector_is_tested() -> None:
    assert len({vector["id"] for vector in vectors()}) == document()["count"] == 37


def test_only_a_long_that_protects_nothing_and_lives_over_nine_months_is_paid_in_part() -> None:
    prices = {"S0": 10_000, "S1": 20_000}

    def paid(expiry: str, *others: Leg) -> int:
        return estimate(
            group(leg(0, Side.BUY, Right.CALL, 100, expiry=expiry), *others), prices, {}, on=TODAY
        ).premium_paid

    assert paid("2026-09-16") == paid("2026-08-21") == 10_000 * 100
    assert paid("2026-09-17") == paid("2026-10-01") == 7_500 * 100
    assert paid("2027-08-20", leg(1, Side.SELL, Right.CALL, 100)) == 10_000 * 100


def test_shares_cover_calls_and_nothing_else() -> None:
    shares = replace(leg(0, Side.BUY, None, 0, 250), target_qty=250)
    stock = replace(shares.instrument, symbol="ACME", expiry="", multiplier=1)
    shares = replace(shares, instrument=stock)
    prices, spots = {"ACME": parse_price(100), "S1": 10_000}, {"ACME": parse_price(100)}
    calls = estimate(group(shares, leg(1, Side.SELL, Right.CALL, 100, 3)), prices, spots)
    assert calls.premium_paid == parse_price(50) * 250
    assert calls.naked == (10_000 + parse_price(20)) * 100  # 250 shares cover two of three
    puts = estimate(group(shares, leg(1, Side.SELL, Right.PUT, 100, 3)), prices, spots)
    assert puts.naked == 3 * calls.naked


def test_the_items_add_up_to_the_requirement_and_name_their_legs() -> None:
    condor = group(
        leg(0, Side.BUY, Right.PUT, 90, 2),
        leg(1, Side.SELL, Right.PUT, 95, 2),
        leg(2, Side.SELL, Right.CALL, 105, 3),
        leg(3, Side.BUY, Right.CALL, 110, 2),
    )
    prices = {"S0": 5_000, "S1": 12_000, "S2": 11_000, "S3": 4_000}
    report = estimate(condor, prices, {"ACME": parse_price(100)})
    assert sum(item.amount for item in report.items) == report.requirement
    assert report.requirement == report.premium_paid + report.covered + report.naked
    assert {leg_id for item in report.items for leg_id in item.leg_ids} == {"leg0", "leg1", "leg2", "leg3"}
    assert report.covered == parse_price(5) * 2 * 100  # the two wings are never in the money together
    assert report.naked == (11_000 + parse_price(20) - parse_price(5)) * 100  # the third call
    assert any(item.what == "naked: 1 x S2" for item in report.items)


def test_spreads_that_end_on_different_days_are_counted_apart() -> None:
    """A put and a call spread of one day share one price at expiry; of two days, both may lose."""
    legs = (leg(0, Side.BUY, Right.PUT, 90), leg(1, Side.SELL, Right.PUT, 95))
    calls = (leg(2, Side.SELL, Right.CALL, 105), leg(3, Side.BUY, Right.CALL, 110))
    later = (
        leg(2, Side.SELL, Right.CALL, 105, expiry=EXPIRY["far"]),
        leg(3, Side.BUY, Right.CALL, 110, expiry=EXPIRY["far"]),
    )
    prices = dict.fromkeys(["S0", "S1", "S2", "S3"], 10_000)
    assert estimate(group(*legs, *calls), prices, {}).covered == parse_price(500)
    assert estimate(group(*legs, *later), prices, {}).covered == parse_price(1000)


def test_a_covered_short_never_needs_more_than_a_naked_one() -> None:
    """Cboe: the lesser of the naked requirement and the width of the strikes."""
    wide = group(leg(0, Side.BUY, Right.PUT, 40), leg(1, Side.SELL, Right.PUT, 90))
    report = estimate(wide, {"S0": 100, "S1": 5_000}, {"ACME": parse_price(100)})
    assert report.covered == (parse_price(10) + 5_000) * 100  # 20 of 100, less 10 out of the money, and the premium
    assert estimate(wide, {"S0": 100, "S1": 5_000}, {}).covered == parse_price(50) * 100


def test_a_spare_long_that_ends_sooner_lowers_nothing() -> None:
    near = leg(0, Side.BUY, Right.CALL, 90, expiry=EXPIRY["near"])
    spread = (
        leg(1, Side.BUY, Right.CALL, 110, expiry=EXPIRY["far"]),
        leg(2, Side.SELL, Right.CALL, 100, expiry=EXPIRY["far"]),
    )
    prices = dict.fromkeys(["S0", "S1", "S2"], 10_000)
    assert estimate(group(near, *spread), prices, {}).covered == parse_price(10) * 100


def test_a_spare_long_is_counted_for_one_expiry_only() -> None:
    legs = (
        leg(0, Side.BUY, Right.CALL, 110, expiry=EXPIRY["near"]),
        leg(1, Side.BUY, Right.CALL, 110, expiry=EXPIRY["far"]),
        leg(2, Side.BUY, Right.CALL, 90, expiry=EXPIRY["far"]),
        leg(3, Side.SELL, Right.CALL, 100, expiry=EXPIRY["near"]),
        leg(4, Side.SELL, Right.CALL, 100, expiry=EXPIRY["far"]),
    )
    prices = dict.fromkeys(["S0", "S1", "S2", "S3", "S4"], 10_000)
    assert estimate(group(*legs), prices, {}).covered == parse_price(10) * 100  # of the near spread alone


def test_a_fraction_of_the_smallest_unit_is_rounded_up() -> None:
    naked = group(leg(0, Side.SELL, Right.CALL, 100))
    assert estimate(naked, {"S0": 1}, {"ACME": 1_000_001}).naked == (1 + 200_001) * 100


def test_a_long_that_ends_before_the_short_protects_nothing() -> None:
    calendar = group(
        leg(0, Side.BUY, Right.CALL, 100, expiry=EXPIRY["near"]),
        leg(1, Side.SELL, Right.CALL, 100, expiry=EXPIRY["far"]),
    )
    report = estimate(calendar, {"S0": 10_000, "S1": 20_000}, {"ACME": parse_price(100)})
    assert (report.covered, report.naked) == (0, (20_000 + parse_price(20)) * 100)


@pytest.mark.parametrize(
    ("legs", "prices", "spots", "says"),
    [
        ((leg(0, Side.BUY, Right.CALL, 100),), {}, {}, "no price for S0"),
        ((leg(0, Side.SELL, Right.CALL, 100),), {"S0": 1}, {}, "no price for ACME, and its naked shorts need one"),
        ((leg(0, Side.SELL, None, 0),), {"S0": 1}, {"ACME": 1}, "S0 is no option, and short shares"),
    ],
    ids=["premium", "spot", "shares"],
)
def test_a_missing_price_is_an_error_and_never_a_zero(
    legs: tuple[Leg, ...], prices: dict[str, int], spots: dict[str, int], says: str
) -> None:
    with pytest.raises(MarginUnknown, match=says):
        estimate(group(*legs), prices, spots)


@st.composite
def groups(draw: st.DrawFn) -> Group:
    return group(
        *(
            leg(
                index,
                draw(st.sampled_from(Side)),
                draw(st.sampled_from(Right)),
                draw(st.integers(80, 120)),
                draw(st.integers(1, 3)),
                draw(st.sampled_from([EXPIRY["near"], EXPIRY["far"]])),
            )
            for index in range(draw(st.integers(1, 6)))
        )
    )


PRICES = {f"S{index}": 10_000 + index for index in range(6)}
SPOT = {"ACME": parse_price(100)}


@given(groups(), st.integers(0, 400))
def test_without_naked_shorts_no_price_at_expiry_loses_more_than_is_required(some: Group, spot: int) -> None:
    """One expiry only: the loss of the whole group, premium included, never exceeds the net requirement."""
    one_day = group(
        *(leg(x.index, x.side, x.instrument.right, x.instrument.strike / 10_000, x.target_qty) for x in some.legs)
    )
    assume(not _naked(one_day))
    report = estimate(one_day, PRICES, {})
    value = sum(
        max(0, (spot * 10_000 - x.instrument.strike) * (1 if x.instrument.right is Right.CALL else -1))
        * x.side.sign * x.target_qty * 100
        for x in one_day.legs
    )  # fmt: skip
    assert value + report.premium_received - report.premium_paid >= -report.net


def _naked(some: Group) -> bool:
    try:
        estimate(some, PRICES, {})
    except MarginUnknown:
        return True
    return False


@given(groups())
def test_shorts_never_need_more_than_each_of_them_alone_and_naked(some: Group) -> None:
    """Not "than all of them naked": covering one side of a straddle gives up what the pair need not pay twice."""
    alone = sum(estimate(group(x), PRICES, SPOT).naked for x in some.legs if x.side is Side.SELL)
    report = estimate(some, PRICES, SPOT)
    assert report.covered + report.naked <= alone


@given(groups(), st.integers(2, 5))
def test_a_group_of_n_times_the_size_needs_n_times_as_much(some: Group, times: int) -> None:
    larger = group(
        *(leg(x.index, x.side, x.instrument.right, x.instrument.strike / 10_000, x.target_qty * times,
              x.instrument.expiry) for x in some.legs)
    )  # fmt: skip
    assert estimate(larger, PRICES, SPOT).requirement == times * estimate(some, PRICES, SPOT).requirement


def test_a_position_that_cannot_lose_has_no_worst_loss() -> None:
    assert worst_loss([(leg(0, Side.BUY, Right.CALL, 100).instrument, 5)]) == 0
