"""A small option chain that the project makes itself: the same seed gives the same day, quote for quote.

The underlying walks at random, once a second.  Its options are priced by Black-Scholes (1973, no rates or dividends)
with a smile, and each contract is quoted every few seconds, on tick and with a spread that widens with the premium.
Some sizes are thin, so that orders fill in parts.  A cheap contract may have no bid.  It claims to be no real market.
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

from domain.instruments import Instrument, Right, osi_symbol
from domain.money import PRICE_SCALE, round_down, round_up
from domain.quotes import Quote
from venue.quotes import QuoteDay

ROOT = "LEGK"
DAY = date(2026, 1, 5)
EXPIRIES = (date(2026, 1, 9), date(2026, 2, 20))
STRIKES = tuple(range(465, 536, 5))  # 15 of them: 60 contracts
SPOT = 500.0
VOLATILITY = 0.22  # of a year
TICK = 500
SPOT_TICK = 100
FREEZE_QTY = 100
MULTIPLIER = 100
OPEN_NS = int(datetime(2026, 1, 5, 14, 30, tzinfo=UTC).timestamp()) * 1_000_000_000  # 09:30 in New York
CLOSE_NS = OPEN_NS + 23_400 * 1_000_000_000
SECOND_NS = 1_000_000_000
YEAR_S = 252 * 23_400  # trading seconds
QUOTE_EVERY_S = (2.0, 6.0)  # each contract, uniformly
THIN, THICK = (1, 4), (10, 80)
THIN_SHARE = 0.3

_normal = NormalDist()


def seeded_chain(seed: int) -> QuoteDay:
    """A session of 6.5 hours on 2026-01-05: one underlying, 60 American options of two expiries, all tradable."""
    underlying = Instrument(
        symbol=ROOT,
        underlying=ROOT,
        right=None,
        strike=0,
        expiry="",
        multiplier=1,
        lot_size=1,
        tick_size=SPOT_TICK,
        freeze_qty=FREEZE_QTY * MULTIPLIER,
    )
    options = [_option(expiry, strike, right) for expiry, strike, right in product(EXPIRIES, STRIKES, Right)]
    return QuoteDay(
        underlying=ROOT,
        instruments=[underlying, *options],
        open_ns=OPEN_NS,
        close_ns=CLOSE_NS,
        quotes=partial(_quotes, seed, options),
    )


def black_scholes(right: Right, spot: float, strike: float, deviation: float) -> float:
    """The price of a European option; ``deviation`` is volatility x square root of the time left."""
    if deviation <= 0:
        return max(0.0, spot - strike if right is Right.CALL else strike - spot)
    d1 = log(spot / strike) / deviation + deviation / 2
    sign = 1 if right is Right.CALL else -1
    return sign * (spot * _normal.cdf(sign * d1) - strike * _normal.cdf(sign * (d1 - deviation)))


def _option(expiry: date, strike: int, right: Right) -> Instrument:
    return Instrument(
        symbol=osi_symbol(ROOT, expiry, right, strike * PRICE_SCALE),
        underlying=ROOT,
        right=right,
        strike=strike * PRICE_SCALE,
        expiry=expiry.isoformat(),
        multiplier=MULTIPLIER,
        lot_size=1,
        tick_size=TICK,
        freeze_qty=FREEZE_QTY,
    )


def _quotes(seed: int, options: list[Instrument]) -> Iterator[Quote]:
    """All quotes of the day; every contract is quoted once within the first second."""
    random = Random(seed)  # noqa: S311  a market, not a secret
    due = [(OPEN_NS + 1 + random.randrange(SECOND_NS), number) for number in range(len(options))]
    heapq.heapify(due)
    spot = SPOT
    for second in range((CLOSE_NS - OPEN_NS) // SECOND_NS):
        now_ns = OPEN_NS + second * SECOND_NS
        yield _spot_quote(spot, now_ns, random)
        while due[0][0] < now_ns + SECOND_NS:
            ts_ns, number = due[0]
            heapq.heapreplace(due, (ts_ns + round(random.uniform(*QUOTE_EVERY_S) * SECOND_NS), number))
            if ts_ns < CLOSE_NS:
                yield _option_quote(options[number], spot, ts_ns, random)
        spot *= exp(random.gauss(0, VOLATILITY / sqrt(YEAR_S)))


def _spot_quote(spot: float, ts_ns: int, random: Random) -> Quote:
    mid = round(spot * PRICE_SCALE)
    bid, ask = round_down(mid - SPOT_TICK, SPOT_TICK), round_up(mid + SPOT_TICK, SPOT_TICK)
    return Quote(ROOT, ts_ns, bid, 100 * _size(random), ask, 100 * _size(random))


def _option_quote(option: Instrument, spot: float, ts_ns: int, random: Random) -> Quote:
    strike = option.strike / PRICE_SCALE
    days = (date.fromisoformat(option.expiry) - DAY).days * 252 / 365
    left_s = days * 23_400 + (CLOSE_NS - ts_ns) / SECOND_NS
    smile = VOLATILITY * (1 + 2 * log(strike / spot) ** 2 - 0.5 * log(strike / spot))
    price = black_scholes(option.right or Right.CALL, spot, strike, smile * sqrt(left_s / YEAR_S)) * PRICE_SCALE
    half = max(TICK / 2, price * random.uniform(0.005, 0.02))
    bid, ask = max(0, round_down(round(price - half), TICK)), max(TICK, round_up(round(price + half), TICK))
    return Quote(option.symbol, ts_ns, bid, _size(random) if bid else 0, ask, _size(random))


def _size(random: Random) -> int:
    return random.randint(*(THIN if random.random() < THIN_SHARE else THICK))
