"""Groups for the tests of margin."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from domain.execution import Side
from domain.groups import Group, Leg, Policy, Role
from domain.instruments import Instrument, Right
from domain.money import parse_price

SHARED = Path(os.environ.get("LEGKEEPER_SHARED", Path(__file__).resolve().parents[3].parent / "shared"))
VECTORS = SHARED / "vectors" / "margin_vectors.json"
NEAR, FAR = "2026-01-16", "2026-02-20"
TODAY = date(2025, 12, 16)
needs_vectors = pytest.mark.skipif(
    not VECTORS.is_file(), reason=f"no margin vectors at {VECTORS}; set LEGKEEPER_SHARED to their folder"
)


def document() -> dict[str, Any]:
    """The whole file; an empty one where it is absent."""
    return json.loads(VECTORS.read_text()) if VECTORS.is_file() else {"vectors": [], "span": {"vectors": []}}


def leg(
    index: int, side: Side, right: Right | None, strike: object, quantity: int = 1, expiry: str = NEAR,
    multiplier: int = 100, underlying: str = "ACME",
) -> Leg:  # fmt: skip
    return Leg(
        leg_id=f"leg{index}",
        index=index,
        instrument=Instrument(
            symbol=f"S{index}",
            underlying=underlying,
            right=right,
            strike=parse_price(strike),
            expiry=expiry,
            multiplier=multiplier,
            lot_size=1,
            tick_size=1,
            freeze_qty=10_000,
        ),
        side=side,
        role=Role.PROTECTION if side is Side.BUY else Role.RISK,
        score=0,
        target_qty=quantity,
        limit_price=0,
    )


def group(*legs: Leg, allow_naked: bool = True) -> Group:
    return Group(group_id="g", strategy="custom", policy=Policy.COMPLETE, allow_naked=allow_naked, legs=legs)


def condor(quantity: int = 1) -> Group:
    """Buy the 90 put, sell 95; sell the 105 call, buy 110."""
    return group(
        leg(0, Side.BUY, Right.PUT, 90, quantity),
        leg(1, Side.BUY, Right.CALL, 110, quantity),
        leg(2, Side.SELL, Right.PUT, 95, quantity),
        leg(3, Side.SELL, Right.CALL, 105, quantity),
        allow_naked=False,
    )
