"""Greeks: published and computed figures, and finite differences of the price."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.greeks import Greeks, greeks
from domain.instruments import Right
from domain.pricing import bsm_price

SHARED = Path(os.environ.get("LEGKEEPER_SHARED", Path(__file__).parents[3] / "shared"))
FILE = SHARED / "vectors" / "pricing_vectors.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text())["vectors"] if FILE.exists() else []
needs_vectors = pytest.mark.skipif(
    not VECTORS, reason=f"{FILE} is absent: set LEGKEEPER_SHARED to the shared directory"
)
NAMES = {
    "price": "price",
    "delta": "delta",
    "gamma": "gamma",
    "vega": "vega",
    "vega_per_1_00_vol": "vega",
    "theta_per_year": "theta",
    "theta per day": "theta",
    "theta_per_day_365": "theta",
    "rho_per_1_00_rate": "rho",
    "dividend_rho": "dividend_rho",
    "dividendRho": "dividend_rho",
    "elasticity": "elasticity",
    "prob_itm": "above_strike",  # the source gives the call's probability for puts, too
}
PER_DAY = ("theta per day", "theta_per_day_365")
SINGLE = [vector for vector in VECTORS if vector["kind"] == "european_greek"]
FULL = [vector for vector in VECTORS if vector["kind"] == "computed_full"]
PRICES = [vector for vector in VECTORS if vector["kind"] == "european_price"]


def of(vector: dict[str, Any]) -> Greeks:
    right = Right.CALL if vector["type"] == "call" else Right.PUT
    return greeks(right, *(vector[key] for key in ("S", "K", "r", "q", "T", "sigma")))


def check(vector: dict[str, Any], expected: dict[str, float], tolerance: float) -> None:
    found = of(vector)
    for key, figure in expected.items():
        ours = getattr(found, NAMES[key]) / (365 if key in PER_DAY else 1)
        assert ours == pytest.approx(figure, rel=1e-12, abs=tolerance), key


@needs_vectors
def test_all_vectors_are_there() -> None:
    assert (len(SINGLE), len(FULL), len(PRICES)) == (6, 18, 27)


@needs_vectors
@pytest.mark.parametrize("vector", SINGLE + FULL, ids=lambda vector: vector["id"])
def test_every_greek_is_the_published_one(vector: dict[str, Any]) -> None:
    check(vector, vector["expected"], vector["tol"])


@needs_vectors
@pytest.mark.parametrize("vector", PRICES, ids=lambda vector: vector["id"])
def test_the_greeks_of_published_prices_are_those_of_another_library(vector: dict[str, Any]) -> None:
    check(vector, vector["quantlib_1_44"], 1e-8)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    st.sampled_from(Right), st.floats(50, 150), st.floats(-0.02, 0.1), st.floats(-0.02, 0.1), st.floats(0.1, 3),
    st.floats(0.1, 1),
)  # fmt: skip
def test_each_greek_is_the_slope_of_the_price(
    right: Right, spot: float, rate: float, dividend: float, years: float, volatility: float
) -> None:
    point = (spot, 100.0, rate, dividend, years, volatility)
    found, step = greeks(right, *point), 1e-4

    def slope(place: int) -> float:
        up, down = list(point), list(point)
        up[place] += step
        down[place] -= step
        return (bsm_price(right, *up) - bsm_price(right, *down)) / (2 * step)

    for place, ours in ((0, found.delta), (2, found.rho), (3, found.dividend_rho), (4, -found.theta), (5, found.vega)):
        assert ours == pytest.approx(slope(place), rel=1e-3, abs=1e-4)
    up, down = greeks(right, spot + step, *point[1:]).delta, greeks(right, spot - step, *point[1:]).delta
    assert found.gamma == pytest.approx((up - down) / (2 * step), rel=1e-3, abs=1e-6)


def test_at_expiry_the_greeks_are_those_of_exercise() -> None:
    inside = greeks(Right.PUT, 90, 100, 0.05, 0.0, 0, 0.2)
    assert (inside.price, inside.delta, inside.gamma, inside.vega, inside.above_strike) == (10, -1, 0, 0, 0)
    assert inside.elasticity == -9
    outside = greeks(Right.CALL, 90, 100, 0.05, 0.0, 0, 0.2)
    assert (outside.price, outside.delta, outside.elasticity) == (0, 0, 0)
    assert greeks(Right.CALL, 100, 100, 0.0, 0.0, 0, 0.2).delta == 0.5


def test_an_impossible_volatility_is_refused() -> None:
    with pytest.raises(ValueError, match="volatility"):
        greeks(Right.CALL, 100, 100, 0.0, 0.0, 1, -0.1)
