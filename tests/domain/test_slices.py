"""Freeze-quantity slices (R17)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.instruments import Instrument, Right
from domain.slices import MAX_SLICES, slices, slicing_problem


def contract(lot: int, freeze: int | None, *, inclusive: bool = True) -> Instrument:
    return Instrument(
        symbol="NIFTY26JAN26000CE",
        underlying="NIFTY",
        right=Right.CALL,
        strike=260_000_000,
        expiry="2026-01-27",
        multiplier=1,
        lot_size=lot,
        tick_size=500,
        freeze_qty=freeze,
        freeze_inclusive=inclusive,
        style="european",
    )


@st.composite
def orders(draw: st.DrawFn) -> tuple[int, Instrument]:
    lot = draw(st.integers(1, 200))
    inclusive = draw(st.booleans())
    freeze = draw(st.integers(lot + (0 if inclusive else 1), 40 * lot))
    instrument = contract(lot, freeze, inclusive=inclusive)
    lots = draw(st.integers(1, 200 * instrument.max_order_qty // lot))
    return lots * lot, instrument


@given(orders())
def test_slices_are_whole_lots_within_the_limit_and_add_up(order: tuple[int, Instrument]) -> None:
    quantity, instrument = order
    assert instrument.freeze_qty is not None
    children = slices(quantity, instrument)
    assert sum(children) == quantity
    for child in children:
        assert child > 0
        assert child % instrument.lot_size == 0
        assert child <= instrument.freeze_qty if instrument.freeze_inclusive else child < instrument.freeze_qty


@given(orders())
def test_no_fewer_orders_could_do(order: tuple[int, Instrument]) -> None:
    quantity, instrument = order
    assert (len(slices(quantity, instrument)) - 1) * instrument.max_order_qty < quantity


@pytest.mark.parametrize(
    ("index", "lot", "freeze", "lots"),
    [
        ("NIFTY", 65, 1800, 27),
        ("BANKNIFTY", 30, 600, 20),
        ("FINNIFTY", 60, 1800, 30),
        ("MIDCPNIFTY", 120, 2800, 23),
        ("NIFTYNXT50", 25, 600, 24),
    ],
)
def test_the_largest_order_of_each_nse_index(index: str, lot: int, freeze: int, lots: int) -> None:
    """Lots from the January 2026 series (NSE/FAOP/70616), freeze quantities of 2026-02-01."""
    instrument = contract(lot, freeze)
    assert slices((lots + 1) * lot, instrument) == [lots * lot, lot], index


def test_an_exclusive_limit_that_is_a_multiple_of_the_lot_allows_one_lot_less() -> None:
    assert slices(600, contract(30, 600)) == [600]
    assert slices(600, contract(30, 600, inclusive=False)) == [570, 30]


@pytest.mark.parametrize(
    ("quantity", "lot", "freeze", "says"),
    [
        (0, 65, 1800, "nothing to order"),
        (-65, 65, 1800, "nothing to order"),
        (100, 65, 1800, "100 units are not whole lots of 65"),
        (65, 65, None, "freeze quantity is not known"),
        (65, 65, 64, "freeze quantity 64 is smaller than one lot of 65"),
        (65 * 27 * MAX_SLICES + 65, 65, 1800, "need more than 1,296 orders"),
    ],
)
def test_what_cannot_be_sliced_says_why(quantity: int, lot: int, freeze: int | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        slices(quantity, contract(lot, freeze))


def test_the_largest_number_of_slices_is_allowed() -> None:
    assert slicing_problem(65 * 27 * MAX_SLICES, contract(65, 1800)) == ""
