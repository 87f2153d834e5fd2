"""What a group ties up: the strategy-based estimate of Regulation T and the Cboe margin rules.

* A long option is paid in full; three quarters of it when it protects nothing and has more than nine months to live.
  Long shares are paid by half (Regulation T).
* Covered shorts, expiry by expiry and together with the longs that protect them, need the lesser of the worst loss at
  expiry and what they would need naked.  The worst loss lies at a corner of the payoff: at zero or at a strike.
* A naked short needs its premium and the larger of ``percent`` of the underlying less what it is out of the money, and
  ``minimum`` of the underlying (a call) or of the strike (a put).  A naked call and a naked put of one underlying need
  the larger side and the other side's premium.  Shares that are bought with it cover a naked call.

It counts every long at its intrinsic value when a short expires.  It is an estimate for a decision before the trade;
the broker's own figure is what binds.  Source: Cboe margin manual and its public sample calculations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby

import msgspec

from domain.coverage import pairings
from domain.execution import Side
from domain.groups import Group, Leg
from domain.instruments import Instrument, Right

BPS = 10_000
SHARES_BPS = 5_000  # of long shares (Regulation T)
LONG_DATED_BPS = 7_500  # of a long option that lives longer than LONG_DATED_MONTHS
LONG_DATED_MONTHS = 9


class MarginUnknown(Exception):
    """The estimate needs a price that nobody has given."""


class NakedRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a naked short of one underlying needs, in hundredths of a per cent of the underlying or the strike.

    20 % and 10 % for stocks and narrow indices; a leveraged fund multiplies both by its leverage.
    """

    percent_bps: int = 2_000
    minimum_bps: int = 1_000


EQUITY = NakedRule()
BROAD_INDEX = NakedRule(percent_bps=1_500)


class MarginItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was counted; the amounts of all items add up to the requirement."""

    what: str  # a sentence for people
    leg_ids: tuple[str, ...]
    amount: int


class MarginReport(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a group; every amount is in ten-thousandths of the currency."""

    requirement: int  # gross: premium paid + covered + naked, before any premium received is set against it
    premium_paid: int
    premium_received: int
    covered: int  # what the covered shorts need
    naked: int  # what the naked shorts need, their premium included
    items: tuple[MarginItem, ...]

    @property
    def net(self) -> int:
        """What must be available once the premium received is set against the requirement; may be negative."""
        return self.requirement - self.premium_received


class _Short(msgspec.Struct, frozen=True):
    """Some units of one short leg."""

    leg: Leg
    quantity: int


def estimate(
    group: Group,
    prices: Mapping[str, int],
    spots: Mapping[str, int],
    rules: Mapping[str, NakedRule] | None = None,
    on: date | None = None,
) -> MarginReport:
    """The requirement of the whole group as planned.

    ``prices`` gives each leg's premium by symbol, ``spots`` the underlyings' prices by name, ``rules`` the rule per
    underlying where it is not ``EQUITY``.  A spot is needed only for an underlying with a naked short; without it
    covered shorts count their worst loss.  ``on`` is the day of the trade: without it no long is taken as long-dated.

    Raises ``MarginUnknown`` naming the premiums or the spot that are missing, or the short shares of a group.
    """
    book = _Book(group, prices, spots, rules or {})
    pairs, naked_shorts = _split(group)
    needed = {long_id for by in pairs.values() for long_id in by}
    paid = [book.paid(leg, on=None if leg.leg_id in needed else on) for leg in group.legs if leg.side is Side.BUY]
    covered = [book.spread(shorts, longs) for shorts, longs in _spreads(group, pairs)]
    naked = book.naked_items(_without_shares(group, naked_shorts))
    return MarginReport(
        requirement=_total([*paid, *covered, *naked]),
        premium_paid=_total(paid),
        premium_received=sum(book.value(leg, leg.target_qty) for leg in group.legs if leg.side is Side.SELL),
        covered=_total(covered),
        naked=_total(naked),
        items=(*paid, *covered, *naked),
    )


class _Book:
    """The prices that an estimate is made with."""

    def __init__(
        self, group: Group, prices: Mapping[str, int], spots: Mapping[str, int], rules: Mapping[str, NakedRule]
    ) -> None:
        missing = sorted({leg.instrument.symbol for leg in group.legs if prices.get(leg.instrument.symbol, 0) <= 0})
        if missing:
            raise MarginUnknown(f"no price for {', '.join(missing)}; wait for a quote or give a limit_price")
        self._prices = prices
        self._spots = spots
        self._rules = rules

    def value(self, leg: Leg, quantity: int) -> int:
        """Premium of ``quantity`` units."""
        return self._prices[leg.instrument.symbol] * quantity * leg.instrument.multiplier

    def paid(self, leg: Leg, on: date | None) -> MarginItem:
        """What one long leg costs; ``on`` is None when it is paid in full whatever its life."""
        share, how = BPS, "paid in full"
        if leg.instrument.right is None:
            share, how = SHARES_BPS, "half of it paid"
        elif on is not None and _long_dated(leg.instrument, on):
            share, how = LONG_DATED_BPS, "three quarters of it paid: long-dated"
        amount = _share(self.value(leg, leg.target_qty), share)
        return MarginItem(what=f"{_units(leg, leg.target_qty)} bought, {how}", leg_ids=(leg.leg_id,), amount=amount)

    def base(self, instrument: Instrument) -> int:
        """What one naked short unit needs beyond its premium."""
        if instrument.right is None:
            raise MarginUnknown(f"{instrument.symbol} is no option, and short shares are not estimated; leave them out")
        spot = self._spots.get(instrument.underlying, 0)
        if spot <= 0:
            raise MarginUnknown(
                f"no price for {instrument.underlying}, and its naked shorts need one; wait for a quote"
            )
        rule = self._rules.get(instrument.underlying, EQUITY)
        floor_of = instrument.strike if instrument.right is Right.PUT else spot
        main = _share(spot, rule.percent_bps) - max(0, -_moneyness(instrument, spot))
        return max(main, _share(floor_of, rule.minimum_bps)) * instrument.multiplier

    def naked_total(self, shorts: Sequence[_Short]) -> int:
        """Premiums and naked requirements, a call and a put of one underlying counted as one straddle."""
        premiums = sum(self.value(short.leg, short.quantity) for short in shorts)
        bases = sum(self.base(short.leg.instrument) * short.quantity for short in shorts)
        return premiums + bases - self._straddle_relief(shorts)

    def naked_items(self, shorts: Sequence[_Short]) -> list[MarginItem]:
        """One item per underlying that has naked shorts."""
        by_underlying: dict[str, list[_Short]] = defaultdict(list)
        for short in shorts:
            by_underlying[short.leg.instrument.underlying].append(short)
        return [
            MarginItem(
                what="naked: " + ", ".join(_units(short.leg, short.quantity) for short in some),
                leg_ids=tuple(short.leg.leg_id for short in some),
                amount=self.naked_total(some),
            )
            for some in by_underlying.values()
        ]

    def spread(self, shorts: Sequence[_Short], longs: Mapping[str, tuple[Leg, int]]) -> MarginItem:
        """Shorts of one underlying and expiry, with the longs that are there for them."""
        amount = worst_loss(
            [(short.leg.instrument, -short.quantity) for short in shorts]
            + [(leg.instrument, quantity) for leg, quantity in longs.values()]
        )
        what = "worst loss at expiry of "
        if self._spots.get(shorts[0].leg.instrument.underlying, 0) > 0:
            naked = self.naked_total(shorts)
            if naked < amount:
                amount, what = naked, "no more than naked: "
        return MarginItem(
            what=what + ", ".join(_units(short.leg, short.quantity) for short in shorts) + ", covered",
            leg_ids=tuple(short.leg.leg_id for short in shorts) + tuple(longs),
            amount=amount,
        )

    def _straddle_relief(self, shorts: Sequence[_Short]) -> int:
        """What a call and a put of one underlying and multiplier need less than each alone: the smaller side."""
        relief = 0
        for multiplier in {short.leg.instrument.multiplier for short in shorts}:
            calls = self._units_by_need(shorts, Right.CALL, multiplier)
            puts = self._units_by_need(shorts, Right.PUT, multiplier)
            while calls and puts:
                (call_need, call_qty), (put_need, put_qty) = calls.pop(), puts.pop()
                both = min(call_qty, put_qty)
                relief += min(call_need, put_need) * both
                if call_qty > both:
                    calls.append((call_need, call_qty - both))
                if put_qty > both:
                    puts.append((put_need, put_qty - both))
        return relief

    def _units_by_need(self, shorts: Sequence[_Short], right: Right, multiplier: int) -> list[tuple[int, int]]:
        """(need per unit, units) of one right, the dearest last."""
        return sorted(
            (self.base(short.leg.instrument), short.quantity)
            for short in shorts
            if short.leg.instrument.right is right and short.leg.instrument.multiplier == multiplier
        )


def worst_loss(position: Iterable[tuple[Instrument, int]]) -> int:
    """The largest loss at expiry of option units (negative: short) over all prices of the underlying, premium aside.

    Right for positions whose calls are not short on balance, as covered ones are: their payoff never falls beyond the
    highest strike, so zero and the strikes hold its minimum.  Zero when there is no loss.
    """
    units = list(position)
    corners = {0, *(instrument.strike for instrument, _ in units)}
    lowest = min(
        sum(max(0, _moneyness(instrument, spot)) * instrument.multiplier * quantity for instrument, quantity in units)
        for spot in corners
    )
    return max(0, -lowest)


def _split(group: Group) -> tuple[dict[str, dict[str, int]], list[_Short]]:
    """Who protects whom (short id -> long id -> units), and the shorts that nobody protects."""
    target = {leg.leg_id: leg.target_qty for leg in group.legs}
    pairs: dict[str, dict[str, int]] = {leg.leg_id: {} for leg in group.legs if leg.side is Side.SELL}
    for pair in pairings(group.legs, target, target):
        pairs[pair.short_id][pair.long_id] = pair.quantity
    naked = [_Short(group.leg(short_id), target[short_id] - sum(by.values())) for short_id, by in pairs.items()]
    return pairs, [short for short in naked if short.quantity]


def _spreads(
    group: Group, pairs: Mapping[str, Mapping[str, int]]
) -> list[tuple[list[_Short], dict[str, tuple[Leg, int]]]]:
    """The covered shorts by underlying and expiry, each with the longs that are counted for it.

    A long that protects nothing helps the last expiry that it outlives; no unit is counted twice.
    """
    shorts = [_Short(group.leg(short_id), sum(by.values())) for short_id, by in pairs.items() if by]
    shorts.sort(key=lambda short: _occasion(short.leg))
    spare = {leg.leg_id: leg.target_qty for leg in group.legs if leg.side is Side.BUY}
    for by in pairs.values():
        for long_id, quantity in by.items():
            spare[long_id] -= quantity
    result = []
    for occasion, some in groupby(reversed(shorts), key=lambda short: _occasion(short.leg)):
        members = list(some)
        used: dict[str, int] = defaultdict(int)
        for short in members:
            for long_id, quantity in pairs[short.leg.leg_id].items():
                used[long_id] += quantity
        for long_id, quantity in spare.items():
            if quantity and _outlives(group.leg(long_id).instrument, occasion):
                used[long_id] += quantity
                spare[long_id] = 0
        result.append((members, {long_id: (group.leg(long_id), quantity) for long_id, quantity in used.items()}))
    return result


def _without_shares(group: Group, shorts: Sequence[_Short]) -> list[_Short]:
    """The naked shorts that are left when the group's long shares cover calls, in the order of the legs."""
    shares: dict[str, int] = defaultdict(int)
    for leg in group.legs:
        if leg.side is Side.BUY and leg.instrument.right is None:
            shares[leg.instrument.symbol] += leg.target_qty * leg.instrument.multiplier
    left = []
    for short in shorts:
        instrument = short.leg.instrument
        covered = 0
        if instrument.right is Right.CALL:
            covered = min(short.quantity, shares[instrument.underlying] // instrument.multiplier)
            shares[instrument.underlying] -= covered * instrument.multiplier
        if short.quantity > covered:
            left.append(_Short(short.leg, short.quantity - covered))
    return left


def _long_dated(instrument: Instrument, on: date) -> bool:
    expiry = date.fromisoformat(instrument.expiry)
    months = (expiry.year - on.year) * 12 + expiry.month - on.month
    return (months, expiry.day) > (LONG_DATED_MONTHS, on.day)


def _occasion(leg: Leg) -> tuple[str, str]:
    return leg.instrument.underlying, leg.instrument.expiry


def _outlives(long: Instrument, occasion: tuple[str, str]) -> bool:
    underlying, expiry = occasion
    return long.right is not None and long.underlying == underlying and long.expiry >= expiry


def _moneyness(instrument: Instrument, spot: int) -> int:
    """How far an option is in the money; negative when out of it."""
    return spot - instrument.strike if instrument.right is Right.CALL else instrument.strike - spot


def _share(amount: int, bps: int) -> int:
    """``bps`` hundredths of a per cent of ``amount``, rounded up."""
    return -(-amount * bps // BPS)


def _units(leg: Leg, quantity: int) -> str:
    return f"{quantity} x {leg.instrument.symbol}"


def _total(items: Iterable[MarginItem]) -> int:
    return sum(item.amount for item in items)
