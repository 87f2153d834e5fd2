"""E11: what the account has lost today, realised and unrealised, from the broker's fills and quotes alone.

What was held before the day began is compared with its *mark*, the first price seen of it that day.  A long without a
fresh quote is taken at its last bid, or as worthless; a short at its last ask, or what it was sold for, whichever is
worse: the loss may be overstated, and whoever reads it is told of what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from decisions.gateway.account import Account
from domain.calendar import Day
from domain.quotes import Quote


class DayResult(msgspec.Struct, frozen=True):
    """``amount``: negative when money was lost.  ``blind``: symbols that are held and have no fresh quote."""

    amount: int
    blind: tuple[str, ...]


def result(
    account: Account, quotes: Mapping[str, Quote], marks: Mapping[str, int], day: Day, now_ns: int, max_age_ns: int
) -> DayResult:
    """How the day stands.  ``marks``: price at the day's beginning of what was held then, by symbol."""
    traded = account.traded(day)
    amount = -sum(one.paid * account.multiplier(symbol) for symbol, one in traded.items())
    blind = []
    for symbol in account.positions.keys() | traded.keys():
        held = account.positions[symbol]
        carried = held - traded[symbol].units if symbol in traded else held
        quote = quotes.get(symbol)
        fresh = quote is not None and quote.usable and now_ns - quote.ts_ns <= max_age_ns
        if held and not fresh:
            blind.append(symbol)
        price = quote.mid if quote is not None and fresh else worst_price(held, quote, account.average.get(symbol, 0))
        mark = marks.get(symbol, account.average.get(symbol, 0))
        amount += (held * price - carried * mark) * account.multiplier(symbol)
    return DayResult(amount, tuple(sorted(blind)))


def worst_price(held: int, quote: Quote | None, average: int) -> int:
    """What to take for a position that nobody quotes now."""
    if held >= 0:
        return quote.bid if quote is not None else 0
    return max(quote.ask if quote is not None else 0, average)


def carried(account: Account, day: Day) -> dict[str, int]:
    """What was held when the day began, by symbol."""
    start = Counter(account.positions)
    for symbol, one in account.traded(day).items():
        start[symbol] -= one.units
    return {symbol: quantity for symbol, quantity in start.items() if quantity}
