"""Which orders a gateway was asked to send and has not answered for: no snapshot proves that one of them is absent.

A cell that hung decides by an old clock, and the snapshots that waited for it were all taken before; a broker that lets
few requests a second through has an order wait in its lane for longer than the patience of the negative evidence.  This
is what the cell asked for, not what a group knows: a group that crashes is rebuilt while its orders still wait.
"""

from __future__ import annotations

from domain.execution import ExecutionReport
from messages.orders import News, OrderSent, Outcome, SubmitResult

_ANSWERS = (OrderSent, SubmitResult, ExecutionReport)


def has_left(news: News) -> bool:
    """Whether the gateway says by this that an order is on its way to the broker; a refusal ends that."""
    if isinstance(news, SubmitResult):
        return news.left and news.outcome is not Outcome.REFUSED
    return isinstance(news, OrderSent)


class Awaited:
    """Of one incarnation of the gateway: with it dies what waits in its lanes.

    A new one is addressed before it has said who it is, and may be asked in between; or its session is heard of first,
    and what is asked in between goes to the old one's address.
    """

    def __init__(self) -> None:
        self._gateway = 0
        self._unnamed = False
        self._orders: set[str] = set()

    def addressed(self, before: int) -> None:
        """Another gateway is spoken to from now on; which, its session will tell.  ``before``: whose session it was."""
        self._orders, self._unnamed, self._gateway = set(), True, before or self._gateway

    def asked(self, client_order_id: str, gateway: int) -> None:
        """The gateway is to send the order, or to send it again.  ``gateway``: whose session it is; 0: nobody's.

        Between address and session that is still the one before.
        """
        if not self._unnamed:
            self._name(gateway)
        self._orders.add(client_order_id)

    def heard(self, news: News) -> None:
        """Something was said of an order: that it left, that it will not leave, or that the broker has it."""
        if isinstance(news, _ANSWERS):
            self._orders.discard(news.client_order_id)

    def waits(self, client_order_id: str, gateway: int) -> bool:
        """Whether the order may still be in a lane of this incarnation."""
        self._name(gateway)
        return bool(gateway) and client_order_id in self._orders

    def _name(self, gateway: int) -> None:
        if not gateway or gateway == self._gateway:
            return
        if not self._unnamed:
            self._orders = set()
        self._gateway, self._unnamed = gateway, False
