"""Small option chains that the project makes itself: the same seed gives the same day, quote for quote.

The underlying walks at random, once a second.  Its options are priced by Black-Scholes (1973, no rates or dividends)
with a smile, and each contract is quoted every few seconds, on tick and with a spread that widens with the premium.
Some sizes are thin, so that orders fill in parts.  A cheap contract may have no bid.  They claim to be no real market:
``us`` has the contracts of a US share, ``nse`` those of an Indian index by the rules of its day.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import partial
from itertools import product
from math import exp, log, sqrt
from random import Random
from statistics import NormalDist

import msgspec

from domain.instruments import Instrument, Right, osi_symbol
from domain.market_rules import freeze_qty, lot_size
from domain.money import PRICE_SCALE, round_down, round_up
from domain.quotes import Quote
from domain.symbols import nse_symbol
from venue.quotes import QuoteDay

DAY = date(2026, 1, 5)
SECOND_NS = 1_000_000_000
TRADING_DAY_S = 23_400
YEAR_S = 252 * TRADING_DAY_S  # trading seconds
QUOTE_EVERY_S = (2.0, 6.0)  # each contract, uniformly
THIN, THICK = (1, 4), (10, 80)  # lots
THIN_SHARE = 0.3

_normal = NormalDist()


def _utc_ns(hour: int, minute: int) -> int:
    return int(datetime(DAY.year, DAY.month, DAY.day, hour, minute, tzinfo=UTC).timestamp()) * SECOND_NS


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What a chain is made of.  Prices of the walk are plain numbers, ticks ten-thousandths."""

    root: str
    expiries: tuple[date, ...]
    strikes: tuple[int, ...]
    spot: float
    volatility: float  # of a year
    spot_tick: int
    tick: int
    multiplier: int
    open_ns: int
    close_ns: int
    indian: bool  # an index by NSE's rules; else a share at a US exchange


US = Recipe(
    root="LEGK",
    expiries=(date(2026, 1, 9), date(2026, 2, 20)),
    strikes=tuple(range(465, 536, 5)),  # 15 of them: 60 contracts
    spot=500.0,
    volatility=0.22,
    spot_tick=100,
    tick=500,
    multiplier=100,
    open_ns=_utc_ns(14, 30),  # 09:30 in New York
    close_ns=_utc_ns(21, 0),
    indian=False,
)
NSE = Recipe(
    root="NIFTY",
    expiries=(date(2026, 1, 6), date(2026, 1, 27)),  # a weekly and a monthly Tuesday
    strikes=tuple(range(25_300, 26_701, 100)),
    spot=26_000.0,
    volatility=0.13,
    spot_tick=500,
    tick=500,
    multiplier=1,
    open_ns=_utc_ns(3, 45),  # 09:15 in Mumbai
    close_ns=_utc_ns(10, 0),
    indian=True,
)
RECIPES = {"us": US, "nse": NSE}
US_FREEZE_QTY = 100


def seeded_chain(seed: int, recipe: Recipe = US) -> QuoteDay:
    """A session on 2026-01-05: one underlying, 60 options of two expiries."""
    underlying = Instrument(
        symbol=recipe.root,
        underlying=recipe.root,
        right=None,
        strike=0,
        expiry="",
        multiplier=1,
        lot_size=1,
        tick_size=recipe.spot_tick,
        freeze_qty=None if recipe.indian else US_FREEZE_QTY * recipe.multiplier,  # nobody trades an index
    )
    kinds = product(recipe.expiries, recipe.strikes, Right)
    options = [_option(recipe, expiry, strike, right) for expiry, strike, right in kinds]
    return QuoteDay(
        underlying=recipe.root,
        instruments=[underlying, *options],
        open_ns=recipe.open_ns,
        close_ns=recipe.close_ns,
        quotes=partial(_quotes, seed, recipe, options),
    )


def black_scholes(right: Right, spot: float, strike: float, deviation: float) -> float:
    """The price of a European option; ``deviation`` is volatility x square root of the time left."""
    if deviation <= 0:
        return max(0.0, spot - strike if right is Right.CALL else strike - spot)
    d1 = log(spot / strike) / deviation + deviation / 2
    sign = 1 if right is Right.CALL else -1
    return sign * (spot * _normal.cdf(sign * d1) - strike * _normal.cdf(sign * (d1 - deviation)))


def _option(recipe: Recipe, expiry: date, strike: int, right: Right) -> Instrument:
    spell = nse_symbol if recipe.indian else osi_symbol
    return Instrument(
        symbol=spell(recipe.root, expiry, right, strike * PRICE_SCALE),
        underlying=recipe.root,
        right=right,
        strike=strike * PRICE_SCALE,
        expiry=expiry.isoformat(),
        multiplier=recipe.multiplier,
        lot_size=lot_size(recipe.root, expiry, DAY) if recipe.indian else 1,
        tick_size=recipe.tick,
        freeze_qty=freeze_qty(recipe.root, DAY) if recipe.indian else US_FREEZE_QTY,
        style="european" if recipe.indian else "american",
    )


def _quotes(seed: int, recipe: Recipe, options: list[Instrument]) -> Iterator[Quote]:
    """All quotes of the day; every contract is quoted once within the first second."""
    random = Random(seed)  # noqa: S311  a market, not a secret
    due = [(recipe.open_ns + 1 + random.randrange(SECOND_NS), number) for number in range(len(options))]
    heapq.heapify(due)
    spot = recipe.spot
    for second in range((recipe.close_ns - recipe.open_ns) // SECOND_NS):
        now_ns = recipe.open_ns + second * SECOND_NS
        yield _spot_quote(recipe, spot, now_ns, random)
        while due[0][0] < now_ns + SECOND_NS:
            ts_ns, number = due[0]
            heapq.heapreplace(due, (ts_ns + round(random.uniform(*QUOTE_EVERY_S) * SECOND_NS), number))
            if ts_ns < recipe.close_ns:
                yield _option_quote(recipe, options[number], spot, ts_ns, random)
        spot *= exp(random.gauss(0, recipe.volatility / sqrt(YEAR_S)))


def _spot_quote(recipe: Recipe, spot: float, ts_ns: int, random: Random) -> Quote:
    mid, tick = round(spot * PRICE_SCALE), recipe.spot_tick
    bid, ask = round_down(mid - tick, tick), round_up(mid + tick, tick)
    return Quote(recipe.root, ts_ns, bid, 100 * _size(random), ask, 100 * _size(random))


def _option_quote(recipe: Recipe, option: Instrument, spot: float, ts_ns: int, random: Random) -> Quote:
    strike, tick, lot = option.strike / PRICE_SCALE, option.tick_size, option.lot_size
    days = (date.fromisoformat(option.expiry) - DAY).days * 252 / 365
    left_s = days * TRADING_DAY_S + (recipe.close_ns - ts_ns) / SECOND_NS
    smile = recipe.volatility * (1 + 2 * log(strike / spot) ** 2 - 0.5 * log(strike / spot))
    price = black_scholes(option.right or Right.CALL, spot, strike, smile * sqrt(left_s / YEAR_S)) * PRICE_SCALE
    half = max(tick / 2, price * random.uniform(0.005, 0.02))
    bid, ask = max(0, round_down(round(price - half), tick)), max(tick, round_up(round(price + half), tick))
    return Quote(option.symbol, ts_ns, bid, lot * _size(random) if bid else 0, ask, lot * _size(random))


def _size(random: Random) -> int:
    return random.randint(*(THIN if random.random() < THIN_SHARE else THICK))
