"""European option prices and implied volatilities after Black, Scholes and Merton, in plain floats.

Rates are continuous per year, ``years`` is the time to expiry, a volatility of 0.2 is 20 % a year, and prices are per
unit of the underlying, in its currency (not in ten-thousandths: these are estimates, never prices of orders).
Source: Merton (1973); the vectors of the tests are Haug's (1998) and QuantLib's.
"""

from __future__ import annotations

from math import erfc, exp, inf, isfinite, log, pi, sqrt
from typing import Final

from domain.instruments import Right

_MAX_DEVIATION: Final = 40.0  # of the log price at expiry: beyond it a price is its upper bound to the last digit
_NO_TIME_VALUE: Final = 1e-11  # of the strike's worth today: less than this is rounding, and holds no volatility
_STEPS: Final = 100
_ROOT_2: Final = sqrt(2)


def bsm_price(
    right: Right, spot: float, strike: float, rate: float, dividend: float, years: float, volatility: float
) -> float:
    """The price of a European option on an underlying that pays ``dividend`` as a continuous yield.

    At expiry, or without volatility, it is what exercise is worth today.  Raises ``ValueError`` unless spot and strike
    are positive, years and volatility are not negative, and all are finite.
    """
    asset, cash = worths(spot, strike, rate, dividend, years, volatility)
    deviation = volatility * sqrt(years)
    return value(asset, cash, deviation) if right is Right.CALL else value(cash, asset, deviation)


def implied_volatility(
    right: Right, price: float, spot: float, strike: float, rate: float, dividend: float, years: float
) -> float | None:
    """The volatility at which :func:`bsm_price` gives ``price``.

    None where there is none: at expiry, for a price outside what the absence of arbitrage allows, and for one without
    time value, which every low volatility explains equally well.  Raises ``ValueError`` as :func:`bsm_price` does.
    """
    asset, cash = worths(spot, strike, rate, dividend, years)
    gain, cost = (asset, cash) if right is Right.CALL else (cash, asset)
    time_value = price - max(gain - cost, 0.0)
    # By put-call parity the time value is the price of the option that is out of the money: its digits are not lost.
    gain, cost = min(gain, cost), max(gain, cost)
    if years == 0 or not isfinite(price) or not _NO_TIME_VALUE * cash < time_value < gain:
        return None
    deviation = _deviation(gain, cost, time_value)
    return None if deviation is None else deviation / sqrt(years)


def worths(
    spot: float, strike: float, rate: float, dividend: float, years: float, volatility: float = 0.0
) -> tuple[float, float]:
    """What the asset and the cash that change hands at expiry are worth today.

    Raises ``ValueError`` for what :func:`bsm_price` cannot price.
    """
    if not (0 < spot < inf and 0 < strike < inf and 0 <= years < inf and isfinite(rate) and isfinite(dividend)):
        raise ValueError(
            f"spot {spot} and strike {strike} must be positive, years {years} not negative, and these, rate {rate} and "
            f"dividend {dividend} finite"
        )
    if not (isfinite(volatility) and volatility >= 0):
        raise ValueError(f"volatility {volatility} must be finite and not negative")
    return spot * exp(-dividend * years), strike * exp(-rate * years)


def value(gain: float, cost: float, deviation: float) -> float:
    """The right to exchange ``cost`` for ``gain``, whose ratio has the log ``deviation`` (Margrabe's form of BSM)."""
    if deviation == 0:
        return max(gain - cost, 0.0)
    d1 = log(gain / cost) / deviation + deviation / 2
    return (gain * erfc(-d1 / _ROOT_2) - cost * erfc((deviation - d1) / _ROOT_2)) / 2  # twice normal(), without a call


def normal(x: float) -> float:
    """The standard normal distribution; its tails keep their digits."""
    return erfc(-x / _ROOT_2) / 2


def _deviation(gain: float, cost: float, target: float) -> float | None:
    """The deviation at which :func:`value` is ``target``: Newton's steps, halved into a bracket where they leave it.

    The start is the point of inflection (Manaster and Koehler 1982), from which Newton's method does not overshoot.
    """
    low, high = 0.0, _MAX_DEVIATION
    if value(gain, cost, high) <= target:
        return None
    moneyness = log(gain / cost)
    guess = min(sqrt(2 * abs(moneyness)), high) or target / gain
    for _ in range(_STEPS):
        error = value(gain, cost, guess) - target
        low, high = (low, guess) if error > 0 else (guess, high)
        d1 = moneyness / guess + guess / 2
        slope = gain * exp(-d1 * d1 / 2) / sqrt(2 * pi)
        step = guess - error / slope if slope > 0 else inf
        better = step if low <= step <= high else (low + high) / 2
        if abs(better - guess) <= 1e-13 * guess:
            return better
        guess = better
    return guess
