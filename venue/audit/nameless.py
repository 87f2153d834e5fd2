"""How a journal knows the trades of an order that was told without exec ids, worked out from the exchange's record.

A fill is known by the quantity that it brought the order to, its own quantity and its price; a bust or a correction by
its kind, the quantity that it left, and the average of that, and it stands for all that was left.  This is arithmetic
of the audit's own on the exchange's numbers: what the audited system makes of the same reports must come to the same.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.money import from_float
from venue.truth import TruthEvent

ANSWER = "#order_status"  # under which a journal keeps the last answer to a query, of an order that was amended


class Told(NamedTuple):
    """An execution under the id that a journal keeps it by; prices in ten-thousandths."""

    exec_id: str
    quantity: int
    price: int


class Untold:
    """The trades of one nameless order, as they stand."""

    def __init__(self) -> None:
        self._fills: dict[str, tuple[int, int]] = {}  # by the exchange's exec id: quantity, price

    def told(self, event: TruthEvent) -> Told:
        """Follow a fill, a bust or a correction; how it is known."""
        last = event.last_qty or 0, from_float(event.last_px or 0)
        if event.kind == "fill":
            self._fills[event.exec_id] = last
            return Told(f"#{self._filled}/{last[0]}@{last[1]}", *last)
        if event.kind == "busted":
            self._fills.pop(event.exec_ref_id, None)
        else:
            self._fills[event.exec_ref_id] = last
        word = "trade_cancel" if event.kind == "busted" else "trade_correct"
        return Told(f"#{word}/{self._filled}@{self._average}", self._filled, self._average)

    @property
    def _filled(self) -> int:
        return sum(quantity for quantity, _ in self._fills.values())

    @property
    def _average(self) -> int:
        """Rounded to the nearest ten-thousandth, half up, as the exchange does; 0 without fills."""
        amount, quantity = sum(quantity * price for quantity, price in self._fills.values()), self._filled
        return (2 * amount + quantity) // (2 * quantity) if quantity else 0
