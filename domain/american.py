"""American option prices by the two closed approximations that the published tables were made with.

Barone-Adesi and Whaley (1987) and Bjerksund and Stensland (1993), both as Haug (1998) gives them.  Conventions are
those of :mod:`domain.pricing`; rates and dividend yields must not be negative here.  An option that is never worth
exercising early, a call without dividends or a put without interest, is priced as a European one.
"""

from __future__ import annotations

from math import exp, expm1, inf, log, sqrt
from typing import Final

from domain.instruments import Right
from domain.pricing import bsm_price, normal, worths

_DOUBLINGS: Final = 60
_HALVINGS: Final = 80
_NO_RATE: Final = 1e-9  # a year: too little to wait for, and its reciprocal is only rounding
_MAX_EXPONENT: Final = 700.0  # exp() of more overflows


def barone_adesi_whaley(
    right: Right, spot: float, strike: float, rate: float, dividend: float, years: float, volatility: float
) -> float:
    """The European price plus the quadratic approximation of the premium for early exercise.

    Raises ``ValueError`` as :func:`domain.pricing.bsm_price` does, and for a negative rate or dividend.
    """
    european = bsm_price(right, spot, strike, rate, dividend, years, volatility)
    if _never_early(right, rate, dividend, years, volatility):
        return max(european, _exercise(right, spot, strike))
    sign = 1 if right is Right.CALL else -1
    variance = volatility * volatility
    drift = 2 * (rate - dividend) / variance - 1
    discount = -expm1(-rate * years) / rate if rate > _NO_RATE else years
    power = (-drift + sign * sqrt(drift * drift + 8 / (variance * discount))) / 2
    critical = _critical(right, strike, rate, dividend, years, volatility, power)
    if sign * (spot - critical) >= 0:
        return _exercise(right, spot, strike)
    premium = _early(right, critical, strike, rate, dividend, years, volatility) * critical / (sign * power)
    return european + premium * exp(power * log(spot / critical))


def bjerksund_stensland(
    right: Right, spot: float, strike: float, rate: float, dividend: float, years: float, volatility: float
) -> float:
    """The value of exercising at a flat boundary: a lower bound, and close.  A put is a call with its sides exchanged.

    Raises ``ValueError`` as :func:`domain.pricing.bsm_price` does, and for a negative rate or dividend.
    """
    european = bsm_price(right, spot, strike, rate, dividend, years, volatility)
    exercise = _exercise(right, spot, strike)
    if _never_early(right, rate, dividend, years, volatility):
        return max(european, exercise)
    if right is Right.PUT:
        spot, strike, rate, dividend = strike, spot, dividend, rate
    return max(exercise, european, _flat_boundary(spot, strike, rate, dividend, years, volatility))


def _never_early(right: Right, rate: float, dividend: float, years: float, volatility: float) -> bool:
    if rate < 0 or dividend < 0:
        raise ValueError(f"rate {rate} and dividend {dividend} of an American option must not be negative")
    gained_by_waiting = dividend if right is Right.CALL else rate
    return gained_by_waiting < _NO_RATE or years == 0 or volatility == 0


def _exercise(right: Right, spot: float, strike: float) -> float:
    return max(0.0, spot - strike if right is Right.CALL else strike - spot)


def _early(
    right: Right, spot: float, strike: float, rate: float, dividend: float, years: float, volatility: float
) -> float:
    """The share of the underlying that exercise at ``spot`` gains over the European option's delta."""
    asset, cash = worths(spot, strike, rate, dividend, years)
    deviation = volatility * sqrt(years)
    d1 = log(asset / cash) / deviation + deviation / 2
    return 1 - exp(-dividend * years) * normal(d1 if right is Right.CALL else -d1)


def _critical(
    right: Right, strike: float, rate: float, dividend: float, years: float, volatility: float, power: float
) -> float:
    """The spot from which exercise is best: where its gain equals the value that is given up (bisection).

    Infinite (a call) or zero (a put) when that lies beyond all prices.
    """
    sign = 1 if right is Right.CALL else -1

    def too_early(spot: float) -> bool:
        held = bsm_price(right, spot, strike, rate, dividend, years, volatility)
        held += _early(right, spot, strike, rate, dividend, years, volatility) * spot / (sign * power)
        return sign * (spot - strike) < held

    near, far = strike, strike
    for _ in range(_DOUBLINGS):
        far *= 2.0**sign
        if not too_early(far):
            break
        near = far
    else:
        return inf if right is Right.CALL else 0.0
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        near, far = (middle, far) if too_early(middle) else (near, middle)
    return (near + far) / 2


def _flat_boundary(spot: float, strike: float, rate: float, dividend: float, years: float, volatility: float) -> float:
    """A call that is exercised at a boundary that never moves (Bjerksund and Stensland's equation for calls)."""
    carry, variance = rate - dividend, volatility * volatility
    half = 0.5 - carry / variance
    beta = half + sqrt(half * half + 2 * rate / variance)
    if beta <= 1:  # without interest nothing is lost by exercising at the first gain
        return max(0.0, spot - strike)
    highest = strike * beta / (beta - 1)
    lowest = max(strike, strike * rate / dividend)
    if highest <= lowest:
        boundary = lowest
    else:
        pull = -(carry * years + 2 * volatility * sqrt(years)) * lowest / (highest - lowest)
        boundary = lowest - (highest - lowest) * expm1(min(pull, _MAX_EXPONENT))
    if spot >= boundary:
        return spot - strike
    gain, at = boundary - strike, log(spot / boundary)

    def phi(power: float, barrier: float) -> float:
        """phi x spot^power of the source, over boundary^power, so that nothing overflows."""
        deviation = volatility * sqrt(years)
        growth = (-rate + power * carry + power * (power - 1) * variance / 2) * years + power * at
        d = -(log(spot / barrier) + (carry + (power - 0.5) * variance) * years) / deviation
        mirror = -at * (2 * carry / variance + 2 * power - 1)
        return _scaled(growth, normal(d)) - _scaled(growth + mirror, normal(d + 2 * at / deviation))

    return (
        gain * (_scaled(beta * at, 1.0) - phi(beta, boundary))
        + boundary * (phi(1.0, boundary) - phi(1.0, strike))
        - strike * (phi(0.0, boundary) - phi(0.0, strike))
    )


def _scaled(exponent: float, share: float) -> float:
    return exp(min(exponent, _MAX_EXPONENT)) * share if share else 0.0
