"""What a position is worth when the market has moved: one revaluation for every rule that asks "what if".

Three rules are made of it:

* **SPAN**: 14 scenarios (the price unchanged, and one, two and three thirds of the scan range up and down; volatility
  up and down) and two extreme moves of which a share is counted.  The scan risk of an underlying is its largest loss.
  CME: 3 times the range, 33 % (advisory 08-303); NSE and McMillan's book: 2 times, 35 %.
* **Portfolio margin** (OCC's TIMS): ten equidistant moves of the price, and at least a minimum per contract.
* **Shocks** (S6): every combination of price, volatility and spread.

A contract keeps the volatility that its mark implies.  One whose mark implies none, without time value or below its
bounds, moves with its exercise value.  American options are revalued as European ones, and never below exercise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product
from math import ceil, nan, sqrt
from typing import Final

import msgspec

from domain.instruments import Instrument, Right
from domain.pricing import implied_volatility, value, worths

AMERICAN: Final = "american"
THIRDS: Final = (0, 1, -1, 2, -2, 3, -3)
PORTFOLIO_POINTS: Final = 10


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One state of the market.  ``price`` and ``volatility`` are changes relative to now (0.03: three per cent up)."""

    name: str
    price: float = 0.0
    volatility: float = 0.0
    spread: float = 1.0  # what the distance of bid and ask is multiplied with
    cover: float = 1.0  # the share of the gain or loss that counts
    days: float = 0.0  # how much later it is


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """One contract and its market.  Prices are floats of ten-thousandths, ``years`` the time to expiry."""

    instrument: Instrument
    mark: float
    spot: float
    half_spread: float = 0.0
    years: float = 0.0
    rate: float = 0.0
    dividend: float = 0.0
    volatility: float | None = None


def marked(
    instrument: Instrument,
    mark: float,
    spot: float,
    *,
    half_spread: float = 0.0,
    years: float = 0.0,
    rate: float = 0.0,
    dividend: float = 0.0,
) -> Marked:
    """A contract at its market, with the volatility that ``mark`` implies.

    Raises ``ValueError`` for an option whose spot is not positive.
    """
    volatility = None
    if instrument.right is not None:
        volatility = implied_volatility(instrument.right, mark, spot, instrument.strike, rate, dividend, years)
    return Marked(
        instrument=instrument,
        mark=mark,
        spot=spot,
        half_spread=half_spread,
        years=years,
        rate=rate,
        dividend=dividend,
        volatility=volatility,
    )


def revalue(contract: Marked, scenarios: Iterable[Scenario]) -> list[float]:
    """The contract's mid price in each scenario.

    This is :func:`domain.pricing.bsm_price`, with what all scenarios of one day share worked out once: the judgement of
    a plan asks for a hundred prices.
    """
    option, implied = contract.instrument, contract.volatility
    if option.right is None or implied is None:
        return [_moved(contract, scenario) for scenario in scenarios]
    is_call, is_american = option.right is Right.CALL, option.style == AMERICAN
    found, days = [], nan
    for scenario in scenarios:
        spot = contract.spot * (1 + scenario.price)
        if spot <= 0:
            found.append(_moved(contract, scenario))
            continue
        if scenario.days != days:
            days = scenario.days
            years = max(0.0, contract.years - days / 365)
            one, cash = worths(1.0, option.strike, contract.rate, contract.dividend, years)
            root = sqrt(years)
        deviation = implied * max(0.0, 1 + scenario.volatility) * root
        asset = spot * one
        price = value(asset, cash, deviation) if is_call else value(cash, asset, deviation)
        found.append(max(price, _exercise(option, spot)) if is_american else price)
    return found


def _moved(contract: Marked, scenario: Scenario) -> float:
    """What has no volatility moves with the underlying, or with what its exercise is worth."""
    option, spot = contract.instrument, contract.spot * max(0.0, 1 + scenario.price)
    if option.right is None:
        return contract.mark + spot - contract.spot
    return max(0.0, contract.mark + _exercise(option, spot) - _exercise(option, contract.spot))


def profits(position: Sequence[tuple[Marked, int]], scenarios: Sequence[Scenario]) -> tuple[float, ...]:
    """What the position (units, negative: short) of one underlying gains in each scenario; an amount."""
    gains = [0.0] * len(scenarios)
    for contract, units in position:
        sized = contract.instrument.multiplier * units
        prices = revalue(contract, scenarios)
        gains = [gain + (price - contract.mark) * sized for gain, price in zip(gains, prices, strict=True)]
    return tuple(scenario.cover * gain for scenario, gain in zip(scenarios, gains, strict=True))


def scan_risk(position: Sequence[tuple[Marked, int]], scenarios: Sequence[Scenario]) -> int:
    """The largest loss over the scenarios; an amount, rounded up, never negative."""
    return max(0, ceil(round(-min(profits(position, scenarios)), 3)))


def portfolio_margin(position: Sequence[tuple[Marked, int]], low: float, high: float, minimum: int) -> int:
    """The largest loss over ten prices from ``low`` to ``high`` (changes relative to now) of one underlying.

    At least ``minimum`` (a price, such as 0.375) per unit of every option; what expires worthless or is exercised
    within the range is part of the loss.
    """
    least = sum(
        minimum * contract.instrument.multiplier * abs(units)
        for contract, units in position
        if contract.instrument.right is not None
    )
    return max(least, scan_risk(position, portfolio_scenarios(low, high)))


@lru_cache(maxsize=64)
def span_scenarios(
    price: float, volatility: float, extreme_multiple: float, extreme_cover: float, days: float = 0.0
) -> tuple[Scenario, ...]:
    """SPAN's sixteen.  ``price`` and ``volatility`` are the scan ranges relative to now, ``days`` the look-ahead."""
    found = []
    for third, way in product(THIRDS, (1, -1)):
        where = f"{third:+d}/3 of the price range" if third else "price unchanged"
        name = f"{where}, volatility {'up' if way > 0 else 'down'}"
        found.append(Scenario(name=name, price=price * third / 3, volatility=volatility * way, days=days))
    for way in (1, -1):
        name = f"extreme move {'up' if way > 0 else 'down'}"
        move = price * extreme_multiple * way
        found.append(Scenario(name=name, price=move, cover=extreme_cover, days=days))
    return tuple(found)


def portfolio_scenarios(low: float, high: float) -> tuple[Scenario, ...]:
    """Ten equidistant moves of the price, both ends among them."""
    step = (high - low) / (PORTFOLIO_POINTS - 1)
    moves = [low + step * point for point in range(PORTFOLIO_POINTS)]
    return tuple(Scenario(name=f"price {move:+.2%}", price=move) for move in moves)


@lru_cache(maxsize=64)
def shocks(
    prices: tuple[float, ...], volatilities: tuple[float, ...], spreads: tuple[float, ...]
) -> tuple[Scenario, ...]:
    """Every combination of the shocks, and of each with "as it is"."""
    found = product(_with(0.0, prices), _with(0.0, volatilities), _with(1.0, spreads))
    return tuple(
        Scenario(
            name=f"price {price:+.4g} %, IV {volatility:+.4g} %, spread x{spread:.4g}",
            price=price / 100,
            volatility=volatility / 100,
            spread=spread,
        )
        for price, volatility, spread in found
    )


def _with(unchanged: float, values: Sequence[float]) -> tuple[float, ...]:
    return tuple(dict.fromkeys((unchanged, *values)))


def _exercise(instrument: Instrument, spot: float) -> float:
    call = instrument.right is Right.CALL
    return max(0.0, spot - instrument.strike if call else instrument.strike - spot)
