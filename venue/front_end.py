"""The house's front end: what it turns away never reaches the exchange.  Of one client order id it says one thing.

An id that it has refused stays refused, and an id that the exchange has taken is the exchange's: a second copy is
refused there as a duplicate, and told how the first order is (FIX 4.4 volume 4, F.1.b).  Otherwise a request that comes
twice would be told two stories of one order, as that it was rejected while it works.
"""

from __future__ import annotations

from collections.abc import Callable

from domain.execution import ExecType, ExecutionReport, OrdStatus
from venue.nasty import Fate
from venue.protocol import Submit


class FrontEnd:
    """Remembers what it refused.  ``is_taken`` says whether the exchange has an order under an id."""

    def __init__(self, is_taken: Callable[[str], bool]) -> None:
        self._is_taken = is_taken
        self._refused: dict[str, Fate] = {}  # by client order id

    def fate(self, order: Submit, drawn: Fate) -> Fate:
        """What becomes of an order of which the mischief would make ``drawn``; a request that is lost is not seen."""
        refused = self._refused.get(order.client_order_id)
        if refused is not None:
            return refused if drawn.execute or drawn.refusal else drawn
        if not drawn.refusal:
            return drawn
        if self._is_taken(order.client_order_id):
            return Fate()
        return self._refused.setdefault(order.client_order_id, drawn)


def late_refusal(order: Submit, reason: str, ts_ns: int) -> ExecutionReport:
    """The report that an order was rejected, behind an answer that took it; a second copy hears the same words."""
    return ExecutionReport(
        client_order_id=order.client_order_id, exec_type=ExecType.REJECTED, ord_status=OrdStatus.REJECTED,
        exec_id=f"front-end/{order.client_order_id}", ts_ns=ts_ns, order_qty=order.quantity, cum_qty=0, leaves_qty=0,
        text=reason, symbol=order.symbol, side=order.side, order_type=order.order_type, price=order.price,
        trigger_price=order.trigger_price,
    )  # fmt: skip
