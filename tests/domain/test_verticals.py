"""The four verticals: what they can earn and lose, and where they break even."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.verticals import Vertical, VerticalKind

PRICE = 10_000


def vertical(kind: VerticalKind, short: int, width: int, net_per_unit: int, quantity: int = 10) -> Vertical:
    return Vertical(
        kind=kind,
        short_strike=short,
        long_strike=kind.long_strike(short, width),
        quantity=quantity,
        multiplier=100,
        net=net_per_unit * quantity * 100,
    )


# Worked by hand: strikes 95 and 90 or 100 and 105, credit or debit 1.50, 10 contracts of 100.
@pytest.mark.parametrize(
    ("kind", "short", "long", "net", "profit", "loss", "breakeven"),
    [
        (VerticalKind.BULL_PUT, 95, 90, 1.5, 1_500, 3_500, 93.5),
        (VerticalKind.BEAR_CALL, 105, 110, 1.5, 1_500, 3_500, 106.5),
        (VerticalKind.BULL_CALL, 105, 100, -1.5, 3_500, 1_500, 101.5),
        (VerticalKind.BEAR_PUT, 95, 100, -1.5, 3_500, 1_500, 98.5),
    ],
)
def test_the_figures_of_each_kind_are_those_of_the_textbook(
    kind: VerticalKind, short: int, long: int, net: float, profit: int, loss: int, breakeven: float
) -> None:
    made = vertical(kind, short * PRICE, 5 * PRICE, round(net * PRICE))
    assert made.long_strike == long * PRICE
    assert (made.max_profit, made.max_loss) == (profit * PRICE, loss * PRICE)
    assert made.breakeven == round(breakeven * PRICE)
    assert made.credit == round(net * PRICE)


@st.composite
def verticals(draw: st.DrawFn) -> Vertical:
    kind = draw(st.sampled_from(VerticalKind))
    width = draw(st.integers(1, 50 * PRICE))
    short = draw(st.integers(60 * PRICE, 5_000 * PRICE))
    quantity, multiplier = draw(st.integers(1, 500)), draw(st.sampled_from((1, 25, 75, 100)))
    premium = draw(st.integers(1, width * quantity * multiplier))
    return Vertical(
        kind=kind,
        short_strike=short,
        long_strike=kind.long_strike(short, width),
        quantity=quantity,
        multiplier=multiplier,
        net=premium if kind.for_credit else -premium,
    )


@given(verticals())
def test_maximum_profit_and_loss_make_up_the_width(made: Vertical) -> None:
    assert made.max_profit + made.max_loss == made.width * made.units
    assert made.max_profit >= 0 and made.max_loss >= 0


@given(verticals(), st.integers(1, 10_000 * PRICE))
def test_no_end_is_outside_the_maxima_and_the_strikes_reach_both(made: Vertical, spot: int) -> None:
    assert -made.max_loss <= made.payoff(spot) <= made.max_profit
    assert {made.payoff(made.short_strike), made.payoff(made.long_strike)} == {made.max_profit, -made.max_loss}


@given(verticals())
def test_the_breakeven_is_the_nearest_price_without_a_loss(made: Vertical) -> None:
    better = 1 if made.kind.bullish else -1
    assert made.payoff(made.breakeven) >= 0
    assert made.payoff(made.breakeven - better) <= 0
    assert min(made.short_strike, made.long_strike) <= made.breakeven <= max(made.short_strike, made.long_strike)


@given(verticals())
def test_the_short_strike_is_where_the_most_is_earned_and_lies_on_the_side_that_the_name_says(made: Vertical) -> None:
    assert made.payoff(made.short_strike) == made.max_profit
    assert (made.short_strike > made.long_strike) == made.kind.bullish
