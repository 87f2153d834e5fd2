"""How a European option's price answers to its inputs: the derivatives of :func:`domain.pricing.bsm_price`.

Conventions: ``vega`` per 1.00 of volatility, ``theta`` per calendar year (a day is a 365th), ``rho`` and
``dividend_rho`` per 1.00 of rate and of dividend yield.  Source: Haug (1998); checked against QuantLib's figures.
"""

from __future__ import annotations

from math import exp, log, pi, sqrt

import msgspec

from domain.instruments import Right
from domain.pricing import normal, value, worths


class Greeks(msgspec.Struct, frozen=True, kw_only=True):
    """One option's price and its derivatives, per unit of the underlying."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float
    dividend_rho: float
    elasticity: float  # per cent of price per per cent of spot; 0 for a worthless option
    above_strike: float  # risk-neutral probability that the underlying ends above the strike


def greeks(
    right: Right, spot: float, strike: float, rate: float, dividend: float, years: float, volatility: float
) -> Greeks:
    """All greeks at once.  Without time or volatility they are those of exercise, one half of each at the strike.

    Raises ``ValueError`` as :func:`domain.pricing.bsm_price` does.
    """
    asset, cash = worths(spot, strike, rate, dividend, years, volatility)
    deviation = volatility * sqrt(years)
    sign = 1 if right is Right.CALL else -1
    if deviation > 0:
        d1 = log(asset / cash) / deviation + deviation / 2
        of_asset, of_cash = normal(sign * d1), normal(sign * (d1 - deviation))
        density = exp(-d1 * d1 / 2) / sqrt(2 * pi)
        gamma, vega = asset * density / (spot * spot * deviation), asset * density * sqrt(years)
        decay = asset * density * volatility / (2 * sqrt(years))
    else:
        of_asset = of_cash = (1 + sign * ((asset > cash) - (asset < cash))) / 2
        gamma = vega = decay = 0.0
    gain, cost = (asset, cash) if right is Right.CALL else (cash, asset)
    price = value(gain, cost, deviation)
    delta = sign * of_asset * asset / spot
    return Greeks(
        price=price,
        delta=delta,
        gamma=gamma,
        vega=vega,
        theta=sign * (dividend * asset * of_asset - rate * cash * of_cash) - decay,
        rho=sign * years * cash * of_cash,
        dividend_rho=-sign * years * asset * of_asset,
        elasticity=delta * spot / price if price > 0 else 0.0,
        above_strike=of_cash if right is Right.CALL else 1 - of_cash,
    )
