"""Busts and corrections: the trades that the exchange can take back or change, by any of their execution ids."""

from __future__ import annotations

from domain.money import to_decimal
from venue.book import Fill, Order


class Trades:
    """Every trade, by its own id and by those of its corrections."""

    def __init__(self) -> None:
        self._by_id: dict[str, tuple[Order, str]] = {}

    def add(self, exec_id: str, order: Order, root: str = "") -> None:
        """``exec_id`` names a trade of ``order``, or a correction of the trade ``root``."""
        self._by_id[exec_id] = (order, root or exec_id)

    def find(self, exec_id: str) -> tuple[Order, str, Fill]:
        """The order, the trade's own id, and the trade as it stands.  Raises ``ValueError`` when there is none."""
        if exec_id not in self._by_id:
            raise ValueError(f"no trade has the exec id {exec_id!r}")
        order, root = self._by_id[exec_id]
        if root not in order.fills:
            raise ValueError(f"the trade {exec_id!r} is busted already")
        return order, root, order.fills[root]


def check_correction(order: Order, fill: Fill, last_qty: int, last_px: int) -> None:
    """Raises ``ValueError`` when a trade cannot become one of this quantity and price."""
    if last_qty <= 0 or last_px <= 0:
        raise ValueError(f"a trade of {last_qty} at {to_decimal(last_px)}: both must be positive; else bust it")
    if order.cum_qty - fill.quantity + last_qty > order.quantity:
        raise ValueError(f"{last_qty} is more than the order for {order.quantity} leaves room for")
