"""Prices as whole ten-thousandths: exact both ways, and refused where they cannot be exact."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.money import (
    PRICE_SCALE,
    common_tick,
    from_float,
    parse_price,
    round_down,
    round_up,
    to_decimal,
    to_float,
)

laws = settings(derandomize=True, deadline=None)
prices = st.integers(-(10**18) + 1, 10**18 - 1)
ticks = st.integers(1, 100_000)


@laws
@given(prices)
def test_a_price_survives_being_written_as_a_decimal(price: int) -> None:
    assert parse_price(to_decimal(price)) == price
    assert parse_price(str(to_decimal(price))) == price
    assert parse_price(f"{to_decimal(price):f}") == price


@laws
@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_a_price_survives_being_written_as_a_json_number(price: int) -> None:
    assert from_float(to_float(price)) == price
    assert parse_price(to_float(price)) == price
    assert Decimal(repr(to_float(price))) == to_decimal(price)


@pytest.mark.parametrize(
    ("written", "price"),
    [
        ("1.25", 12_500),
        (" 1.25 ", 12_500),
        ("-0.0001", -1),
        ("1e2", 1_000_000),
        ("0E+50", 0),
        ("-0", 0),
        ("1." + "0" * 90, 10_000),
        (3, 30_000),
        (0.05, 500),
        (Decimal("99999999999999.9999"), 10**18 - 1),
    ],
)
def test_a_price_is_read_as_written(written: object, price: int) -> None:
    assert parse_price(written) == price


@pytest.mark.parametrize(
    "nonsense", ["", "abc", "1,5", "1_000", "٣", "nan", "inf", float("nan"), float("-inf"), None, True]
)
def test_what_is_no_number_is_refused(nonsense: object) -> None:
    with pytest.raises(ValueError, match="is not a price"):
        parse_price(nonsense)


@pytest.mark.parametrize(
    "fine",
    ["0.00001", 0.1 + 0.2, 1e-300, "1e-999999999", "1.00000000000000000000000000000000001", "1." + "0" * 99 + "1"],
)
def test_what_is_finer_than_a_ten_thousandth_is_refused(fine: object) -> None:
    with pytest.raises(ValueError, match="finer than a ten-thousandth"):
        parse_price(fine)


@pytest.mark.parametrize("huge", [10**14, "1e400", "-1e999999", "123456789012345678901234567890.12345"])
def test_what_does_not_fit_into_64_bits_is_refused(huge: object) -> None:
    with pytest.raises(ValueError, match="too large"):
        parse_price(huge)


@laws
@given(st.text(max_size=12))
def test_any_text_is_a_price_or_one_clear_error(text: str) -> None:
    try:
        price = parse_price(text)
    except ValueError as error:
        assert repr(text) in str(error)
    else:
        assert Decimal(price) == Decimal(text) * PRICE_SCALE


def test_decimals_for_people_have_no_exponent_and_no_idle_zeros() -> None:
    assert [str(to_decimal(price)) for price in (0, -1, 12_500, 10_000_000 * PRICE_SCALE)] == [
        "0",
        "-0.0001",
        "1.25",
        "10000000",
    ]


@laws
@given(prices, ticks)
def test_rounding_moves_to_the_neighbouring_tick_and_never_past_it(price: int, tick: int) -> None:
    down, up = round_down(price, tick), round_up(price, tick)
    assert down % tick == up % tick == 0
    assert down <= price <= up
    assert up - down == (0 if price % tick == 0 else tick)


@laws
@given(st.lists(st.integers(0, 10**9), min_size=1), st.sets(st.sampled_from([1, 5, 50, 100, 500, 10_000]), min_size=1))
def test_the_common_tick_is_the_largest_that_divides_all(quoted: list[int], candidates: set[int]) -> None:
    fitting = [c for c in candidates if all(price % c == 0 for price in quoted)]
    assert common_tick(quoted, tuple(candidates)) == (max(fitting) if fitting else min(candidates))


def test_without_prices_nothing_speaks_against_the_largest_tick() -> None:
    assert common_tick([], (100, 500)) == 500
