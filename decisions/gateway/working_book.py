"""Our orders that may still trade, by symbol: what a new order could meet, and what they could still open (E5, E12)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec

from domain.execution import OrdType, Side


class Working(msgspec.Struct, frozen=True):
    """One order.  ``order_type`` None: not known, because an earlier gateway sent it or because it is being changed.

    ``prices``: those that it may have, ascending; none where none is known.
    """

    client_order_id: str
    venue_order_id: str
    symbol: str
    side: Side
    is_entry: bool
    order_type: OrdType | None
    prices: tuple[int, ...]
    dormant: bool  # a stop that has not been triggered: it is in no book
    live_qty: int
    unseen: bool = False  # a cell says so; it need not have left

    def meets(self, side: Side, order_type: OrdType, price: int) -> bool:
        """Whether a new order with these terms could trade with this one.  What is not known may."""
        if side is self.side or self.dormant:
            return False
        if OrdType.MARKET in (order_type, self.order_type) or self.order_type is None:
            return True
        bid, ask = (price, self.prices[0]) if side is Side.BUY else (self.prices[-1], price)
        return bid >= ask


class WorkingBook:
    """All of them, with sums that are kept."""

    def __init__(self) -> None:
        self._orders: dict[str, Working] = {}
        self._of_symbol: dict[str, dict[str, Working]] = {}
        self._entries: Counter[tuple[str, Side]] = Counter()
        self._cost: Counter[tuple[str, Side]] = Counter()
        self._unpriced: Counter[tuple[str, Side]] = Counter()  # units of entries that have no price of their own

    def put(self, order: Working) -> None:
        """The order as it is now."""
        self.drop(order.client_order_id)
        self._orders[order.client_order_id] = order
        self._of_symbol.setdefault(order.symbol, {})[order.client_order_id] = order
        self._count(order, 1)

    def drop(self, client_order_id: str) -> None:
        """It cannot trade any more."""
        known = self._orders.pop(client_order_id, None)
        if known is None:
            return
        of_symbol = self._of_symbol[known.symbol]
        del of_symbol[client_order_id]
        if not of_symbol:
            del self._of_symbol[known.symbol]
        self._count(known, -1)

    @contextmanager
    def without(self, client_order_id: str) -> Iterator[None]:
        """As if this order were not there: whoever changes it puts another in its place."""
        known = self._orders.get(client_order_id)
        self.drop(client_order_id)
        try:
            yield
        finally:
            if known is not None:
                self.put(known)

    def has(self, client_order_id: str) -> bool:
        """Whether this order is one of them, and was sent or seen at the broker."""
        known = self._orders.get(client_order_id)
        return known is not None and not known.unseen

    def of(self, symbol: str) -> Iterable[Working]:
        """Those of one symbol."""
        return list(self._of_symbol.get(symbol, {}).values())

    def symbols(self) -> Iterable[str]:
        """The symbols with such orders."""
        return list(self._of_symbol)

    def entry_qty(self, symbol: str, side: Side) -> int:
        """Units that working entries may still open."""
        return self._entries[symbol, side]

    def entry_cost(self, symbol: str, side: Side, price: int) -> int:
        """Those units times their prices; at ``price`` what has none of its own, like a market order."""
        return self._cost[symbol, side] + self._unpriced[symbol, side] * price

    def _count(self, order: Working, sign: int) -> None:
        if order.is_entry:
            key = (order.symbol, order.side)
            self._entries[key] += sign * order.live_qty
            highest = max(order.prices, default=0)
            self._cost[key] += sign * order.live_qty * highest
            self._unpriced[key] += 0 if highest else sign * order.live_qty
            if not self._entries[key]:
                del self._entries[key]
                del self._cost[key]
                del self._unpriced[key]
