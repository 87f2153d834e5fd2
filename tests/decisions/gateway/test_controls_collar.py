"""E2, the price collar: which prices may leave, judged by what."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from controls_cases import (
    ENTRY_CHECKS,
    MARKET,
    REPAIR_CHECKS,
    STOP,
    judge,
    quote,
    refused_by,
)
from gateway_cases import (
    NOW,
    QUOTE,
    SECOND,
    an_entry,
    an_order,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from config.schema import ControlsConfig
from decisions.gateway.controls import Judgement
from domain.execution import Side
from domain.quotes import Quote
from messages.orders import SubmitOrder

# The mid is 10.00, so the collar is 20 % of it: 2.00.
LIMIT_COLLAR = [
    (Side.BUY, 120_000, True),
    (Side.BUY, 120_500, False),
    (Side.BUY, 500, True),  # passive
    (Side.SELL, 80_000, True),
    (Side.SELL, 79_500, False),
    (Side.SELL, 900_000, True),  # passive
]


@pytest.mark.parametrize("make", [an_entry, an_order])
@pytest.mark.parametrize(("side", "price", "allowed"), LIMIT_COLLAR)
def test_e2_a_limit_lies_at_most_the_collar_beyond_the_mid(make: Any, side: Side, price: int, allowed: bool) -> None:
    judgement = judge(make(side=side, price=price))
    assert judgement.allowed or refused_by("E2", judgement)
    assert judgement.allowed is allowed


@pytest.mark.parametrize(("price", "allowed"), [(20_000, True), (20_500, False)])
def test_e2_the_collar_is_never_narrower_than_its_floor(price: int, allowed: bool) -> None:
    cheap = quote(bid=9_500, ask=10_500)  # mid 1.00: 20 % is 0.20, and the floor 1.00
    assert judge(an_entry(price=price), quote=cheap).allowed is allowed


@pytest.mark.parametrize("price", [0, -500])
@pytest.mark.parametrize("order", [an_entry(), an_order(), an_order(**STOP)], ids=["entry", "hedge", "stop"])
def test_e2_a_limit_without_a_positive_price_is_refused(order: SubmitOrder, price: int) -> None:
    for seen in (QUOTE, None):
        assert refused_by("E2", judge(replace(order, price=price), quote=seen))


def test_e2_the_age_of_a_reference_is_judged_by_the_brokers_clock_exactly() -> None:
    assert judge(an_entry(), now_ns=NOW + SECOND).allowed
    assert refused_by("E2", judge(an_entry(), now_ns=NOW + SECOND + 1))


UNUSABLE = [
    pytest.param(None, id="missing"),
    pytest.param(quote(ts_ns=NOW - SECOND - 1), id="stale"),
    pytest.param(quote(bid=0), id="one-sided"),
    pytest.param(quote(bid=102_000), id="crossed"),
    pytest.param(quote(bid=-500, ask=500), id="negative"),
]


@pytest.mark.parametrize("seen", UNUSABLE)
@pytest.mark.parametrize("prices", [{}, MARKET], ids=["limit", "market"])
def test_e2_without_a_usable_reference_new_risk_is_refused_and_a_repair_passes_with_a_note(
    seen: Quote | None, prices: dict[str, Any]
) -> None:
    assert refused_by("E2", judge(an_entry(**prices), quote=seen))
    noted = "E7 E3 E4 E17 E2 no reference E1 no reference E6" if prices else "E7 E3 E4 E17 E2 no reference E1 E6"
    assert judge(an_order(**prices), quote=seen) == Judgement(True, "", noted)


def test_e2_a_market_order_with_a_reference_passes() -> None:
    assert judge(an_entry(**MARKET)).checks == ENTRY_CHECKS
    assert judge(an_order(**MARKET)).checks == REPAIR_CHECKS


# The trigger is 10.00, so the collar is 2.00 beyond it.
STOP_COLLAR = [
    (Side.BUY, 100_000, True),
    (Side.BUY, 120_000, True),
    (Side.BUY, 120_500, False),
    (Side.BUY, 99_500, False),  # the wrong side of the trigger
    (Side.SELL, 100_000, True),
    (Side.SELL, 80_000, True),
    (Side.SELL, 79_500, False),
    (Side.SELL, 100_500, False),  # the wrong side of the trigger
]


@pytest.mark.parametrize("seen", [QUOTE, None], ids=["quoted", "unquoted"])
@pytest.mark.parametrize(("side", "price", "allowed"), STOP_COLLAR)
def test_e2_a_stops_execution_price_lies_beyond_its_trigger_within_the_collar(
    side: Side, price: int, allowed: bool, seen: Quote | None
) -> None:
    judgement = judge(an_order(**{**STOP, "side": side, "price": price}), quote=seen)
    assert judgement.allowed or refused_by("E2", judgement)
    assert judgement.allowed is allowed


MISSHAPEN = [
    pytest.param({**STOP, "trigger_price": 0}, id="stop without trigger"),
    pytest.param({**STOP, "trigger_price": -500}, id="stop with negative trigger"),
    pytest.param({"trigger_price": 100_000}, id="limit with trigger"),
    pytest.param({**MARKET, "price": 100_000}, id="market with price"),
    pytest.param({**MARKET, "trigger_price": 100_000}, id="market with trigger"),
]


@pytest.mark.parametrize("changes", MISSHAPEN)
def test_e2_prices_that_do_not_belong_to_the_order_type_are_refused(changes: dict[str, Any]) -> None:
    assert refused_by("E2", judge(an_order(**changes)))


@given(
    st.sampled_from(Side),
    st.integers(1, 400).map(lambda ticks: ticks * 500),
    st.integers(1, 400).map(lambda ticks: ticks * 500),
    st.sampled_from([0.0, 0.1, 0.3, 7.7, 20.0, 33.3, 100.0]),
    st.sampled_from([0.0, 0.05, 0.07, 1.0]),
)
def test_e2_agrees_with_exact_fractions(side: Side, price: int, mid: int, pct: float, floor: float) -> None:
    config = ControlsConfig(price_collar_pct=pct, price_collar_floor=floor)
    collar = max(mid * Fraction(str(pct)) / 100, Fraction(str(floor)) * 10_000)
    beyond = (price - mid) * (1 if side is Side.BUY else -1)
    judgement = judge(an_entry(side=side, price=price), config=config, quote=quote(bid=mid, ask=mid))
    assert judgement.allowed is (beyond <= collar)
    assert judgement.allowed or refused_by("E2", judgement)
