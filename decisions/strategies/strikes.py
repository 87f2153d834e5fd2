"""Which two contracts a strategy would trade now: by the broker's list, its quotes, and the strategy's rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from decisions.effects import Moment
from domain.calendar import years_left
from domain.greeks import greeks
from domain.instruments import Instrument, Right
from domain.money import to_decimal
from domain.pricing import implied_volatility
from domain.strategies import StrategyRules


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The two contracts, and what is received for a unit of them at the touch (negative: paid)."""

    short: Instrument
    long: Instrument
    spot: int
    credit: int


class Wanting(msgspec.Struct, frozen=True):
    """Why there is nothing to trade now; ``symbols`` are those whose quotes would help."""

    reason: str
    symbols: tuple[str, ...] = ()


class _NotYet(Exception):
    """Carries a :class:`Wanting` out of the search."""

    def __init__(self, reason: str, symbols: Iterable[str] = ()) -> None:
        super().__init__(reason)
        self.wanting = Wanting(reason, tuple(symbols))


def choose(
    rules: StrategyRules, listed: Mapping[str, Instrument], moment: Moment, beyond_strike: int = 0
) -> Chosen | Wanting:
    """The vertical to enter now, or why there is none.

    The nearest expiry within the rules' days that has the strikes is taken.  With ``beyond_strike`` (of the short leg
    that is rolled) only strikes further out count.
    """
    try:
        return _choose(rules, listed, moment, beyond_strike)
    except _NotYet as not_yet:
        return not_yet.wanting


def _choose(rules: StrategyRules, listed: Mapping[str, Instrument], moment: Moment, beyond_strike: int) -> Chosen:
    spot = moment.quote(rules.underlying)
    if spot is None:
        raise _NotYet(f"no usable quote of {rules.underlying}", (rules.underlying,))
    chains = _chains(rules, listed, moment)
    found: list[_NotYet] = []
    for chain in chains:
        try:
            return _of_expiry(rules, chain, spot.mid, moment, beyond_strike)
        except _NotYet as not_yet:
            found.append(not_yet)
    raise next((not_yet for not_yet in found if not_yet.wanting.symbols), found[0])


def _chains(rules: StrategyRules, listed: Mapping[str, Instrument], moment: Moment) -> list[list[Instrument]]:
    """The contracts of each expiry that the rules allow, nearest first, each by strike."""
    family = [i for i in listed.values() if i.underlying == rules.underlying and i.right is rules.kind.right]
    day = moment.today
    chains: dict[str, list[Instrument]] = {}
    for instrument in sorted(family, key=lambda i: (i.expiry, i.strike)):
        if rules.min_days <= (date.fromisoformat(instrument.expiry) - day).days <= rules.max_days:
            chains.setdefault(instrument.expiry, []).append(instrument)
    if chains:
        return list(chains.values())
    later = sorted({i.expiry for i in family if not i.expired(day)})
    has = f"it lists {', '.join(later[:4])}{' …' if len(later) > 4 else ''}" if later else "it lists none that is alive"
    raise _NotYet(
        f"the broker lists no {_word(rules)} of {rules.underlying} that expires {rules.min_days} to {rules.max_days} "
        f"days after {day}; {has}"
    )


def _of_expiry(
    rules: StrategyRules, chain: Sequence[Instrument], spot: int, moment: Moment, beyond_strike: int
) -> Chosen:
    outward = rules.kind.outward
    out = sorted((i for i in chain if (i.strike - spot) * outward > 0), key=lambda i: i.strike * outward)
    by_delta = rules.short_delta > 0
    short = (
        _by_delta(rules, out, spot, moment, beyond_strike)
        if by_delta
        else _by_distance(rules, out, chain[0].expiry, spot, beyond_strike)
    )
    long = _partner(rules, short, chain)
    return Chosen(short=short, long=long, spot=spot, credit=_credit(rules, short, long, moment))


def _by_distance(
    rules: StrategyRules, out: Sequence[Instrument], expiry: str, spot: int, beyond_strike: int
) -> Instrument:
    outward = rules.kind.outward
    limit = spot * (1 + outward * rules.short_distance_pct / 100)
    for instrument in out:
        if (instrument.strike - limit) * outward >= 0 and _beyond(instrument, beyond_strike, outward):
            return instrument
    nearest = f"its last one is {to_decimal(out[-1].strike):f}" if out else "it has none out of the money"
    rolled = f", further out than {to_decimal(beyond_strike):f}" if beyond_strike else ""
    raise _NotYet(
        f"the {expiry} chain of {rules.underlying} has no {_word(rules)} strike at least "
        f"{rules.short_distance_pct:g} % out of the money ({_side(outward)} {limit / 10_000:.2f}{rolled}); {nearest}"
    )


def _by_delta(
    rules: StrategyRules, out: Sequence[Instrument], spot: int, moment: Moment, beyond_strike: int
) -> Instrument:
    """The first strike, from the money outward, whose delta is small enough; none may be passed over unseen."""
    outward = rules.kind.outward
    for instrument in out:
        delta = _delta(instrument, spot, moment)
        if delta is None:
            raise _NotYet(f"no usable quote of {instrument.symbol} to tell its delta", (i.symbol for i in out))
        if delta <= rules.short_delta and _beyond(instrument, beyond_strike, outward):
            return instrument
    last = f"; the last one is {to_decimal(out[-1].strike):f}" if out else ""
    raise _NotYet(f"no listed {_word(rules)} of {rules.underlying} has a delta of {rules.short_delta:g} or less{last}")


def _beyond(instrument: Instrument, strike: int, outward: int) -> bool:
    return strike == 0 or (instrument.strike - strike) * outward > 0


def _delta(instrument: Instrument, spot: int, moment: Moment) -> float | None:
    """The size of the delta by the volatility that the mid implies; ``None`` without a usable quote or volatility."""
    quote = moment.quote(instrument.symbol)
    if quote is None or instrument.right is None:
        return None
    margin = moment.config.margin
    rate, dividend = margin.rate_pct / 100, margin.dividend_pct / 100
    years = years_left(moment.calendar, instrument.expiry, moment.at_ns)
    price, strike = quote.mid / 10_000, instrument.strike / 10_000
    volatility = implied_volatility(instrument.right, price, spot / 10_000, strike, rate, dividend, years)
    if volatility is None:
        return None
    return abs(greeks(instrument.right, spot / 10_000, strike, rate, dividend, years, volatility).delta)


def _partner(rules: StrategyRules, short: Instrument, chain: Sequence[Instrument]) -> Instrument:
    """The contract to buy beside the short one."""
    if rules.width:
        strike = rules.kind.long_strike(short.strike, rules.width)
        partner = next((i for i in chain if i.strike == strike), None)
    else:
        step = rules.kind.long_strike(0, rules.width_strikes)
        index = chain.index(short) + step
        partner = chain[index] if 0 <= index < len(chain) else None
        strike = 0
    if partner is not None and (partner.multiplier, partner.lot_size) == (short.multiplier, short.lot_size):
        return partner
    wanted = f"strike {to_decimal(strike):f}" if strike else f"strike {rules.width_strikes} beside it"
    raise _NotYet(
        f"the {short.expiry} chain of {rules.underlying} has no {_word(rules)} {wanted} to protect "
        f"{to_decimal(short.strike):f}; it goes from {to_decimal(chain[0].strike):f} to "
        f"{to_decimal(chain[-1].strike):f}"
    )


def _credit(rules: StrategyRules, short: Instrument, long: Instrument, moment: Moment) -> int:
    """What the touch gives for a unit; refuses premiums that the rules do not want, or that no honest quotes give."""
    sold, bought = moment.quote(short.symbol), moment.quote(long.symbol)
    if sold is None or bought is None:
        missing = [leg.symbol for leg, quote in ((short, sold), (long, bought)) if quote is None]
        raise _NotYet(f"no usable quote of {' and '.join(missing)}", (short.symbol, long.symbol))
    credit = sold.bid - bought.ask
    premium, width = (credit if rules.kind.for_credit else -credit), abs(short.strike - long.strike)
    symbols = (short.symbol, long.symbol)
    what = f"selling {to_decimal(short.strike):f} and buying {to_decimal(long.strike):f} of {short.expiry}"
    if (not rules.kind.for_credit and premium <= 0) or premium >= width:
        raise _NotYet(
            f"{what}: the quotes contradict each other ({_money(premium)} for a width of {_money(width)})", symbols
        )
    if rules.kind.for_credit and premium < max(1, rules.min_credit):
        raise _NotYet(f"{what} would bring {_money(premium)}, below min_credit {_money(rules.min_credit)}", symbols)
    if rules.max_debit and premium > rules.max_debit:
        raise _NotYet(f"{what} would cost {_money(premium)}, above max_debit {_money(rules.max_debit)}", symbols)
    return credit


def _word(rules: StrategyRules) -> str:
    return "call" if rules.kind.right is Right.CALL else "put"


def _side(outward: int) -> str:
    return "at or above" if outward > 0 else "at or below"


def _money(price: int) -> str:
    return f"{to_decimal(price):f}"
