"""American options: the published tables of both approximations, and what no American price may break."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.american import barone_adesi_whaley, bjerksund_stensland
from domain.instruments import Right
from domain.pricing import bsm_price

SHARED = Path(os.environ.get("LEGKEEPER_SHARED", Path(__file__).parents[3] / "shared"))
FILE = SHARED / "vectors" / "pricing_vectors.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text())["vectors"] if FILE.exists() else []
AMERICAN = [vector for vector in VECTORS if vector["kind"] == "american_price"]
needs_vectors = pytest.mark.skipif(
    not VECTORS, reason=f"{FILE} is absent: set LEGKEEPER_SHARED to the shared directory"
)
Model = Callable[[Right, float, float, float, float, float, float], float]
MODELS: dict[str, Model] = {"Barone-Adesi-Whaley": barone_adesi_whaley, "Bjerksund-Stensland": bjerksund_stensland}
models = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


@needs_vectors
def test_all_vectors_are_there_and_with_the_european_ones_they_are_the_whole_file() -> None:
    assert [sum(vector["model"] == name for vector in AMERICAN) for name in MODELS] == [25, 6]
    assert len(AMERICAN) + 27 + 6 + 18 == len(VECTORS) == json.loads(FILE.read_text())["count"] == 82


@needs_vectors
@pytest.mark.parametrize("vector", AMERICAN, ids=lambda vector: vector["id"])
def test_a_price_is_the_published_one(vector: dict[str, Any]) -> None:
    right = Right.CALL if vector["type"] == "call" else Right.PUT
    price = MODELS[vector["model"]](right, *(vector[key] for key in ("S", "K", "r", "q", "T", "sigma")))
    assert price == pytest.approx(vector["expected"]["price"], rel=0, abs=vector["tol"])


@models
@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    right=st.sampled_from(Right), spot=st.floats(50, 200), rate=st.floats(0, 0.15), dividend=st.floats(0, 0.15),
    years=st.floats(0.01, 3), volatility=st.floats(0.02, 1.5),
)  # fmt: skip
def test_it_is_worth_its_exercise_and_its_european_twin_at_least_and_never_more_than_what_is_exchanged(
    model: Model, right: Right, spot: float, rate: float, dividend: float, years: float, volatility: float
) -> None:
    price = model(right, spot, 100, rate, dividend, years, volatility)
    exercise = max(0.0, spot - 100 if right is Right.CALL else 100 - spot)
    european = bsm_price(right, spot, 100, rate, dividend, years, volatility)
    assert price >= max(exercise, european) - 1e-9
    assert price <= (spot if right is Right.CALL else 100) + 1e-9


@models
def test_without_a_reason_to_exercise_early_it_is_european(model: Model) -> None:
    assert model(Right.CALL, 100, 95, 0.08, 0.0, 1, 0.3) == bsm_price(Right.CALL, 100, 95, 0.08, 0.0, 1, 0.3)
    assert model(Right.PUT, 100, 105, 0.0, 0.04, 1, 0.3) == bsm_price(Right.PUT, 100, 105, 0.0, 0.04, 1, 0.3)


@models
def test_a_put_deep_in_the_money_is_exercised(model: Model) -> None:
    assert model(Right.PUT, 20, 100, 0.1, 0.0, 1, 0.2) == 80
    assert model(Right.PUT, 90, 100, 0.1, 0.0, 0, 0.2) == 10
    assert model(Right.CALL, 110, 100, 0.0, 0.1, 1, 0.0001) == pytest.approx(10, abs=1e-9)


@models
@pytest.mark.parametrize(("rate", "dividend"), [(-0.01, 0.02), (0.02, -0.01)])
def test_negative_rates_are_refused(model: Model, rate: float, dividend: float) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        model(Right.PUT, 100, 100, rate, dividend, 1, 0.2)
