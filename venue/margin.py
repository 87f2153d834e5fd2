"""What the broker's own risk desk asks for: simple, conservative, and independent of the client's model.

*Requirement* of a set of positions, summed over underlyings, an amount that cash must cover:

- A short option is covered by a long of the same right and underlying that does not expire before it (a short call also
  by shares held).  Covered shorts and all longs together need their worst loss at expiry, taken as if all expired at
  once.  It lies at 0 or at a strike, as what is covered cannot lose more above the highest.  Premium is not part of
  it: it is in cash already.
- An uncovered short needs premium + max(P x spot - out-of-the-money, 10 % of spot for a call or of strike for a put),
  with P 20 %, or 15 % for a European contract, which stands for a broad index (Reg-T; CBOE Margin Manual, second-hand).
- Short shares need 150 % of their value (Reg-T); their proceeds are in cash.

*Funds needed* adds the working orders: every working sell counts as filled, without its premium; every working buy
counts with its cost as far as the cost exceeds the requirement that it relieves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import msgspec

from domain.instruments import Instrument, Right
from domain.settlement import intrinsic

Units = list[tuple[Instrument, int]]  # signed quantity x multiplier


class Claim(msgspec.Struct, frozen=True):
    """What a working order may still do: a signed quantity, and the most that a buy may cost (an amount)."""

    instrument: Instrument
    quantity: int
    cost: int


def funds_needed(
    holdings: Mapping[str, int],
    claims: Iterable[Claim],
    instruments: Mapping[str, Instrument],
    price: Callable[[str], int],
) -> int:
    """The amount that cash must cover for ``holdings`` (net quantity by symbol) and working ``claims``.

    ``price`` gives the current price of a symbol, 0 when it has none.
    """
    held = defaultdict(int, holdings)
    buys: dict[str, tuple[int, int]] = {}
    for claim in claims:
        symbol = claim.instrument.symbol
        if claim.quantity < 0:
            held[symbol] += claim.quantity
        else:
            quantity, cost = buys.get(symbol, (0, 0))
            buys[symbol] = (quantity + claim.quantity, cost + claim.cost)
    needed = before = requirement(held, instruments, price)
    for symbol, (quantity, cost) in buys.items():
        held[symbol] += quantity
        after = requirement(held, instruments, price)
        needed += max(0, cost + after - before)
        before = after
    return needed


def requirement(holdings: Mapping[str, int], instruments: Mapping[str, Instrument], price: Callable[[str], int]) -> int:
    """The amount that ``holdings`` alone require."""
    groups: dict[str, Units] = defaultdict(list)
    for symbol, quantity in holdings.items():
        instrument = instruments[symbol]
        if quantity:
            groups[instrument.underlying or symbol].append((instrument, quantity * instrument.multiplier))
    return sum(_group(units, price(underlying), price) for underlying, units in groups.items())


def _group(units: Units, spot: int, price: Callable[[str], int]) -> int:
    shares = sum(n for instrument, n in units if instrument.right is None)
    options = [(instrument, n) for instrument, n in units if instrument.right is not None]
    uncovered = [
        *_uncovered([(i, n) for i, n in options if i.right is Right.CALL], max(0, shares)),
        *_uncovered([(i, n) for i, n in options if i.right is Right.PUT], 0),
    ]
    naked = sum(n * _reg_t(instrument, spot, price(instrument.symbol)) for instrument, n in uncovered)
    covered = [*options, *uncovered]
    short_shares = max(0, -shares) * spot * 3 // 2
    return naked + _worst_loss(covered, max(0, shares)) + short_shares


def _uncovered(options: Units, shares: int) -> Units:
    """Shorts (as positive units) that no long covers.  Late expiries and risky strikes are covered first."""
    longs = [(instrument.expiry, n) for instrument, n in options if n > 0]
    longs.append(("9999-12-31", shares))
    uncovered = []
    shorts = sorted((o for o in options if o[1] < 0), key=lambda o: -_risk(o[0]))
    for instrument, n in sorted(shorts, key=lambda o: o[0].expiry, reverse=True):
        wanted = -n
        for position, (expiry, free) in enumerate(longs):
            if expiry >= instrument.expiry:
                used = min(wanted, free)
                longs[position] = (expiry, free - used)
                wanted -= used
        if wanted:
            uncovered.append((instrument, wanted))
    return uncovered


def _risk(instrument: Instrument) -> int:
    return instrument.strike if instrument.right is Right.PUT else -instrument.strike


def _reg_t(instrument: Instrument, spot: int, premium: int) -> int:
    """Per unit.  Without a price for the underlying the strike stands in for it."""
    spot = spot or instrument.strike
    call = instrument.right is Right.CALL
    out = max(0, instrument.strike - spot if call else spot - instrument.strike)
    rate = 15 if instrument.style == "european" else 20
    return premium + max(rate * spot // 100 - out, (spot if call else instrument.strike) // 10)


def _worst_loss(units: Units, shares: int) -> int:
    strikes = {instrument.strike for instrument, _ in units}
    prices = {0, *strikes}
    return max(0, *(-shares * s - sum(n * intrinsic(instrument, s) for instrument, n in units) for s in prices))
