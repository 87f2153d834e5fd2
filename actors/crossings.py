"""No two orders of ours that could trade with each other (E12): the one that reduces wins, and the entry goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from actors.machine import now_ms
from decisions.gateway.working_book import Working, WorkingBook
from domain.execution import OrdType
from messages.orders import SubmitOrder

ASK_AGAIN_MS = 250  # a cancel of an entry that is in the way


class Crossings:
    """Repairs that wait until our own order on the other side is gone; but not for ever, because a missing hedge is
    worse than two orders of ours that meet.  ``cancel`` has one canceled, ``hasten`` lets its cancel leave before other
    cancels, ``precede`` at once, if the repair still finds a token then; ``begins`` notes that a repair waits."""

    def __init__(
        self,
        wait_ms: int,
        book: WorkingBook,
        cancel: Callable[[Working], None],
        hasten: Callable[[str], None],
        precede: Callable[[str], None],
        begins: Callable[[SubmitOrder], None],
    ) -> None:
        self._wait_ms, self._book, self._begins = wait_ms, book, begins
        self._cancel, self._hasten, self._precede = cancel, hasten, precede
        self._held: OrderedDict[str, tuple[int, SubmitOrder]] = OrderedDict()  # since when
        self._asked: dict[str, int] = {}
        self._canceled: set[str] = set()  # of those, whose cancel has left

    def in_the_way(self, order: SubmitOrder) -> list[Working]:
        """Our working orders that this one could trade with, for an entry the repairs too that wait here: they would
        have to wait for it as well.  A stop is in no book before it is triggered.

        One that works already was judged when it left; what is only sent again need never have left before.
        """
        if order.order_type is OrdType.STOP_LIMIT or self._book.has(order.client_order_id):
            return []
        waiting = [] if order.reduce_only else [_as_working(held) for held in self.waiting()]
        ours = [*self._book.of(order.symbol), *(held for held in waiting if held.symbol == order.symbol)]
        return [one for one in ours if one.meets(order.side, order.order_type, order.price)]

    def hold(self, order: SubmitOrder, found: list[Working]) -> bool:
        """Whether a repair has to wait; the entries in its way are being canceled, and their cancels leave first,
        unless other repairs take all tokens until it has waited twice as long.
        """
        if not self.holds(order.client_order_id):
            self._begins(order)  # before the clock is read: by the record, nobody waits shorter than he did
        now = now_ms()
        since, _ = self._held.setdefault(order.client_order_id, (now, order))
        entries, over = [working for working in found if working.is_entry], now - since >= self._wait_ms
        for working in entries:
            if over and working.client_order_id in self._canceled:
                continue  # it could do no more
            if now - self._asked.get(working.client_order_id, -ASK_AGAIN_MS) >= ASK_AGAIN_MS:
                self._asked[working.client_order_id] = now
                self._cancel(working)
        if not over:
            return True
        behind = [one for one in entries if one.client_order_id not in self._canceled]
        for working in behind:
            self._hasten(working.client_order_id)
        if behind and now - since < 2 * self._wait_ms:
            return True
        for working in behind:  # as after a pause of the machine, which no other repair has used
            self._precede(working.client_order_id)
        del self._held[order.client_order_id]
        return False

    def canceled(self, client_order_id: str) -> None:
        """A cancel of this order leaves."""
        if client_order_id in self._asked:
            self._canceled.add(client_order_id)

    def waiting(self) -> list[SubmitOrder]:
        """Those that may try again; the longest waiting first."""
        return [order for _, order in self._held.values()]

    def holds(self, client_order_id: str) -> bool:
        """Whether this order waits already."""
        return client_order_id in self._held

    def drop(self, chosen: Callable[[SubmitOrder], bool]) -> list[SubmitOrder]:
        """Take out and return what will not leave any more, or has left."""
        dropped = [order for _, order in self._held.values() if chosen(order)]
        for order in dropped:
            del self._held[order.client_order_id]
        if not self._held:
            self._asked.clear()
            self._canceled.clear()
        return dropped


def _as_working(held: SubmitOrder) -> Working:
    return Working(
        client_order_id=held.client_order_id,
        venue_order_id="",
        symbol=held.symbol,
        side=held.side,
        is_entry=False,
        order_type=held.order_type,
        prices=(held.price,),
        dormant=False,
        live_qty=held.quantity,
    )
