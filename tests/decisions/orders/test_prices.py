"""Prices: outward, on tick, monotone, and never worse for the fill than asked."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from order_cases import QUOTES, option

from decisions.orders.prices import Price, Pricing, concede, price
from domain.execution import OrdType, Side

prices = st.integers(1, 10**8)
percents = st.floats(0, 50).map(lambda pct: round(pct, 3))
ticks = st.sampled_from([1, 5, 100, 500, 1_000])
sides = st.sampled_from(Side)
PUT = option()
QUOTE = QUOTES[PUT.symbol]  # 2.00 at 2.05


@settings(deadline=None)
@given(prices, sides, percents, ticks)
def test_concede_is_on_tick_and_at_least_as_far_out_as_asked_and_less_than_a_tick_further(
    touch: int, side: Side, pct: float, tick: int
) -> None:
    moved = concede(touch, side, pct, tick)
    exact = touch * (1 + side.sign * Fraction(str(pct)) / 100)
    assert moved % tick == 0
    assert moved >= tick
    beyond = (moved - exact) * side.sign
    if moved > tick:
        assert beyond >= -Fraction(1, 1_000)  # float dust
        assert beyond < tick + 1


@settings(deadline=None)
@given(prices, sides, percents, percents, ticks)
def test_conceding_more_never_gives_a_price_that_fills_less(
    touch: int, side: Side, one: float, other: float, tick: int
) -> None:
    less, more = sorted([one, other])
    assert (concede(touch, side, more, tick) - concede(touch, side, less, tick)) * side.sign >= 0


@settings(deadline=None)
@given(prices, prices, sides, percents, ticks)
def test_a_higher_touch_never_gives_a_lower_price(one: int, other: int, side: Side, pct: float, tick: int) -> None:
    low, high = sorted([one, other])
    assert concede(low, side, pct, tick) <= concede(high, side, pct, tick)


@settings(deadline=None)
@given(st.integers(1, 10**5), sides, ticks)
def test_conceding_nothing_from_a_price_on_tick_is_that_price(steps: int, side: Side, tick: int) -> None:
    assert concede(steps * tick, side, 0.0, tick) == steps * tick


@pytest.mark.parametrize(
    ("touch", "side", "pct", "expected"),
    [
        (100_000, Side.BUY, 0.5, 100_500),
        (100_000, Side.SELL, 0.5, 99_500),
        (100_000, Side.BUY, 0.1, 100_500),
        (100_000, Side.SELL, 0.1, 99_500),
        (500, Side.SELL, 50.0, 500),
        (70_000, Side.BUY, 10.0, 77_000),  # 1.1 is more than 1.1 as a float: dust must not cost a tick
    ],
)
def test_plain_cases(touch: int, side: Side, pct: float, expected: int) -> None:
    assert concede(touch, side, pct, 500) == expected


def test_each_attempt_concedes_a_step_more_and_the_last_is_a_market_order() -> None:
    pricing = Pricing(base_pct=2.0, step_pct=2.0, attempts=3, last_is_market=True)
    found = [price(pricing, attempt, Side.BUY, PUT, QUOTE) for attempt in (1, 2, 3)]
    assert found == [
        Price(OrdType.LIMIT, 21_000, QUOTE.mid),
        Price(OrdType.LIMIT, 21_500, QUOTE.mid),
        Price(OrdType.MARKET, 0, QUOTE.mid),
    ]


def test_a_sell_starts_at_the_bid_and_a_buy_at_the_ask() -> None:
    pricing = Pricing(attempts=2)
    assert price(pricing, 1, Side.SELL, PUT, QUOTE) == Price(OrdType.LIMIT, 20_000, QUOTE.mid)
    assert price(pricing, 1, Side.BUY, PUT, QUOTE) == Price(OrdType.LIMIT, 20_500, QUOTE.mid)


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_an_operators_limit_is_kept_at_every_attempt(attempt: int) -> None:
    pricing = Pricing(limit_price=18_000, step_pct=5.0, attempts=3)
    assert price(pricing, attempt, Side.BUY, PUT, QUOTE) == Price(OrdType.LIMIT, 18_000, QUOTE.mid)
    assert price(pricing, attempt, Side.BUY, PUT, None) == Price(OrdType.LIMIT, 18_000, 0)


def test_only_a_price_at_the_touch_needs_a_quote() -> None:
    assert price(Pricing(attempts=2), 1, Side.BUY, PUT, None) is None
    assert price(Pricing(attempts=1, last_is_market=True), 1, Side.BUY, PUT, None) == Price(OrdType.MARKET, 0, 0)
