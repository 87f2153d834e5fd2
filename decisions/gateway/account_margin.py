"""A conservative figure of what the account's options need, for what has left since the broker last said (E20).

Per underlying: the worst loss at expiry over all strikes, as if all expired at once, and for calls that no long covers
a fifth of the strike on top (Reg-T's rate; without a price of the underlying the strike stands in).  Only differences
of this figure are used: the broker's own figure is the base.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from domain.instruments import Instrument, Right

NAKED_PCT = 20


def needed(held: Mapping[str, int], instruments: Mapping[str, Instrument]) -> int:
    """An amount.  ``held``: signed units by symbol; what the broker does not list counts nothing."""
    groups: dict[str, list[tuple[Instrument, int]]] = defaultdict(list)
    for symbol, quantity in held.items():
        instrument = instruments.get(symbol)
        if quantity and instrument is not None and instrument.right is not None:
            groups[instrument.underlying].append((instrument, quantity * instrument.multiplier))
    return sum(_group(units) for units in groups.values())


def _group(units: list[tuple[Instrument, int]]) -> int:
    worst = max(0, -min(_worths(units)))
    calls = [(instrument, n) for instrument, n in units if instrument.right is Right.CALL]
    naked = max(0, -sum(n for _, n in calls))
    top = max((instrument.strike for instrument, n in calls if n < 0), default=0)
    return worst + naked * top * NAKED_PCT // 100


def _worths(units: list[tuple[Instrument, int]]) -> Iterator[int]:
    """What they are worth at expiry with the underlying at nothing, and at each strike, from the lowest to the highest.

    Between two strikes the worth is a line: calls below the price, and puts above it, each add their units to its
    slope, so that one walk over the strikes is enough.
    """
    calls: Counter[int] = Counter()
    puts: Counter[int] = Counter()
    for instrument, n in units:
        (calls if instrument.right is Right.CALL else puts)[instrument.strike] += n
    slope, constant = -puts.total(), sum(strike * n for strike, n in puts.items())
    yield constant
    for strike in sorted(calls.keys() | puts.keys()):
        yield slope * strike + constant
        slope += calls[strike] + puts[strike]
        constant -= strike * (calls[strike] + puts[strike])
