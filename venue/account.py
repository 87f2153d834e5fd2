"""The client's account: cash and net positions, from a ledger whose entries can be amended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction

from domain.instruments import Instrument
from messages.orders import Position


class Account:
    """Every movement is one entry, keyed by its execution id: a signed quantity at a price.

    Cash falls by quantity x price x multiplier (an amount); a bust or a correction amends the entry where it stands.
    """

    def __init__(self, cash: int) -> None:
        self.cash = cash
        self._net: dict[str, int] = defaultdict(int)
        self._entries: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)

    @property
    def net(self) -> Mapping[str, int]:
        """Net quantity by symbol: long positive, short negative; flat symbols may be listed with 0."""
        return self._net

    def post(self, entry_id: str, instrument: Instrument, quantity: int, price: int) -> None:
        """Enter a signed quantity at a price; the same ``entry_id`` again amends the entry, quantity 0 undoes it."""
        entries = self._entries[instrument.symbol]
        old_quantity, old_price = entries.get(entry_id, (0, 0))
        entries[entry_id] = (quantity, price)
        self._net[instrument.symbol] += quantity - old_quantity
        self.cash -= (quantity * price - old_quantity * old_price) * instrument.multiplier

    def positions(self) -> list[Position]:
        """What is held, by symbol; adding moves the average price, reducing keeps it, crossing zero starts anew."""
        return [Position(s, q, _average(self._entries[s].values())) for s, q in sorted(self._net.items()) if q]


def _average(entries: Iterable[tuple[int, int]]) -> int:
    held, cost = 0, Fraction(0)
    for quantity, price in entries:
        after = held + quantity
        if held * quantity >= 0:
            cost += quantity * price
        elif held * after >= 0:
            cost = cost * after / held
        else:
            cost = Fraction(after * price)
        held = after
    return round(cost / held)
