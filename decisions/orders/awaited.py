"""Which orders a gateway was asked to send and has not answered for: no snapshot proves that one of them is absent.

A cell that hung decides by an old clock, and the snapshots that waited for it were all taken before; a broker that lets
few requests a second through has an order wait in its lane for longer than the patience of the negative evidence.  This
is what the cell asked for, not what a group knows: a group that crashes is rebuilt while its orders still wait.
"""

from __future__ import annotations

from domain.execution import ExecutionReport
from messages.orders import News, OrderSent, SubmitResult

_ANSWERS = (OrderSent, SubmitResult, ExecutionReport)


class Awaited:
    """Of one incarnation of the gateway: with it dies what waits in its lanes."""

    def __init__(self) -> None:
        self._gateway = 0
        self._orders: set[str] = set()

    def asked(self, client_order_id: str, gateway: int) -> None:
        """This incarnation is to send the order, or to send it again; 0: there is none."""
        if gateway != self._gateway:
            self._gateway, self._orders = gateway, set()
        self._orders.add(client_order_id)

    def heard(self, news: News) -> None:
        """Something was said of an order: that it left, that it will not leave, or that the broker has it."""
        if isinstance(news, _ANSWERS):
            self._orders.discard(news.client_order_id)

    def waits(self, client_order_id: str, gateway: int) -> bool:
        """Whether the order may still be in a lane of this incarnation."""
        return bool(gateway) and gateway == self._gateway and client_order_id in self._orders
