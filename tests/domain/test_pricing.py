"""Black-Scholes-Merton against published values, and the laws that its prices must keep."""

from __future__ import annotations

import json
import os
from math import exp, inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.instruments import Right
from domain.pricing import bsm_price, implied_volatility

SHARED = Path(os.environ.get("LEGKEEPER_SHARED", Path(__file__).parents[3] / "shared"))
FILE = SHARED / "vectors" / "pricing_vectors.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text())["vectors"] if FILE.exists() else []
needs_vectors = pytest.mark.skipif(
    not VECTORS, reason=f"{FILE} is absent: set LEGKEEPER_SHARED to the shared directory"
)
PUBLISHED = [vector for vector in VECTORS if vector["kind"] == "european_price"]
COMPUTED = [vector for vector in VECTORS if vector["kind"] == "computed_full"]
laws = settings(derandomize=True, deadline=None, max_examples=200)


def right(vector: dict[str, Any]) -> Right:
    return Right.CALL if vector["type"] == "call" else Right.PUT


def market(vector: dict[str, Any]) -> tuple[float, float, float, float, float]:
    return vector["S"], vector["K"], vector["r"], vector["q"], vector["T"]


@needs_vectors
def test_all_vectors_are_there() -> None:
    assert (len(PUBLISHED), len(COMPUTED)) == (27, 18)
    assert sum(not vector["iv_identifiable"] for vector in COMPUTED) == 2


@needs_vectors
@pytest.mark.parametrize("vector", PUBLISHED + COMPUTED, ids=lambda vector: vector["id"])
def test_a_price_is_the_published_one(vector: dict[str, Any]) -> None:
    price = bsm_price(right(vector), *market(vector), vector["sigma"])
    assert price == pytest.approx(vector["expected"]["price"], rel=0, abs=vector["tol"])


@needs_vectors
@pytest.mark.parametrize("vector", COMPUTED, ids=lambda vector: vector["id"])
def test_an_implied_volatility_is_found_where_there_is_one(vector: dict[str, Any]) -> None:
    found = implied_volatility(right(vector), vector["expected"]["price"], *market(vector))
    if vector["iv_identifiable"]:
        assert found == pytest.approx(vector["sigma"], rel=0, abs=1e-8)
    else:
        assert found is None


spots = st.floats(0.5, 60_000)
rates = st.floats(-0.05, 0.15)
years = st.floats(1 / 365, 5)
volatilities = st.floats(0.01, 3)


@laws
@given(spots, st.floats(0.5, 2), rates, rates, years, volatilities)
def test_call_and_put_keep_parity_and_the_bounds_of_no_arbitrage(
    spot: float, moneyness: float, rate: float, dividend: float, time: float, volatility: float
) -> None:
    strike = spot * moneyness
    call = bsm_price(Right.CALL, spot, strike, rate, dividend, time, volatility)
    put = bsm_price(Right.PUT, spot, strike, rate, dividend, time, volatility)
    asset, cash = spot * exp(-dividend * time), strike * exp(-rate * time)
    dust = 1e-12 * (asset + cash)
    assert call - put == pytest.approx(asset - cash, rel=0, abs=dust)
    assert max(asset - cash, 0) - dust <= call <= asset + dust
    assert max(cash - asset, 0) - dust <= put <= cash + dust


@laws
@given(st.sampled_from(Right), spots, st.floats(0.7, 1.4), rates, rates, st.floats(0.05, 3), st.floats(0.15, 2))
def test_the_implied_volatility_of_a_price_is_the_one_it_was_made_with(
    which: Right, spot: float, moneyness: float, rate: float, dividend: float, time: float, volatility: float
) -> None:
    strike = spot * moneyness
    price = bsm_price(which, spot, strike, rate, dividend, time, volatility)
    found = implied_volatility(which, price, spot, strike, rate, dividend, time)
    if found is None:  # only where the time value is lost in rounding
        calm = bsm_price(which, spot, strike, rate, dividend, time, 0)
        assert price - calm <= 1e-10 * (spot + strike)
    else:
        again = bsm_price(which, spot, strike, rate, dividend, time, found)
        assert again == pytest.approx(price, rel=1e-12, abs=1e-12 * (spot + strike))


@pytest.mark.parametrize(("which", "worth"), [(Right.CALL, 5.0), (Right.PUT, 0.0)])
def test_at_expiry_an_option_is_worth_its_exercise_and_has_no_volatility(which: Right, worth: float) -> None:
    assert bsm_price(which, 105, 100, 0.05, 0.0, 0, 0.2) == worth
    assert implied_volatility(which, worth + 1, 105, 100, 0.05, 0.0, 0) is None


@pytest.mark.parametrize("price", [-1.0, 0.0, 4.99, 5.0, 105.0, 200.0, nan, inf])
def test_a_price_that_no_volatility_gives_has_none(price: float) -> None:
    assert implied_volatility(Right.CALL, price, 105, 100, 0.0, 0.0, 1) is None


def test_at_the_money_the_implied_volatility_is_exact() -> None:
    assert implied_volatility(Right.CALL, 7.965567455405804, 100, 100, 0, 0, 1) == pytest.approx(0.2, abs=1e-12)


@pytest.mark.parametrize(
    ("spot", "strike", "time"),
    [(0.0, 100.0, 1.0), (100.0, -1.0, 1.0), (100.0, 100.0, -0.1), (nan, 100.0, 1.0), (inf, 1.0, 1.0)],
)
def test_an_impossible_market_is_refused(spot: float, strike: float, time: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        bsm_price(Right.CALL, spot, strike, 0.0, 0.0, time, 0.2)
    with pytest.raises(ValueError, match="must be positive"):
        implied_volatility(Right.CALL, 1.0, spot, strike, 0.0, 0.0, time)


@pytest.mark.parametrize("volatility", [-0.1, nan, inf])
def test_an_impossible_volatility_is_refused(volatility: float) -> None:
    with pytest.raises(ValueError, match="volatility"):
        bsm_price(Right.CALL, 100.0, 100.0, 0.0, 0.0, 1.0, volatility)
