"""Busts and corrections: the trades that the exchange can take back or change, by any of their execution ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from domain.instruments import Instrument
from domain.money import to_decimal
from venue.account import Account
from venue.book import Fill, Order
from venue.reporting import Reporter


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


class Amendments:
    """What the exchange does to trades that have happened: the fill, the account and the report, all of it at once."""

    def __init__(self, trades: Trades, listed: Mapping[str, Instrument], account: Account, reporter: Reporter) -> None:
        self._trades, self._listed, self._account, self._reporter = trades, listed, account, reporter

    def bust(self, exec_id: str, now_ns: int) -> None:
        """Undo a trade.  Raises ``ValueError`` when there is no such trade, or no more."""
        order, root, fill = self._trades.find(exec_id)
        del order.fills[root]
        self._account.post(root, self._listed[order.symbol], 0, 0)
        own_id = self._reporter.next_exec_id()
        last = (fill.quantity, fill.price)
        self._reporter.executed("busted", order, now_ns, own_id, last, root=root, ref=fill.exec_id)

    def correct(self, exec_id: str, last: tuple[int, int], now_ns: int, filled: Callable[[Order], None]) -> None:
        """Give a trade another quantity and price; ``filled`` is told, before the report, of an order that it fills.

        Raises ``ValueError`` as :meth:`bust` does, and for what :func:`check_correction` refuses.
        """
        order, root, fill = self._trades.find(exec_id)
        check_correction(order, fill, *last)
        own_id = self._reporter.next_exec_id()
        order.fills[root] = Fill(own_id, *last)
        self._trades.add(own_id, order, root)
        self._account.post(root, self._listed[order.symbol], order.side.sign * last[0], last[1])
        if not order.ended and not order.open_qty:
            filled(order)
        self._reporter.executed("corrected", order, now_ns, own_id, last, root=root, ref=fill.exec_id)


def check_correction(order: Order, fill: Fill, last_qty: int, last_px: int) -> None:
    """Raises ``ValueError`` when a trade cannot become one of this quantity and price."""
    if last_qty <= 0 or last_px <= 0:
        raise ValueError(f"a trade of {last_qty} at {to_decimal(last_px)}: both must be positive; else bust it")
    if order.cum_qty - fill.quantity + last_qty > order.quantity:
        raise ValueError(f"{last_qty} is more than the order for {order.quantity} leaves room for")
