"""Every order of the session, by its arrival and by its client order id."""

from __future__ import annotations

from venue.book import Order


class Register:
    """Gives every order its venue order id and its priority."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self._by_client: dict[str, list[Order]] = {}
        self._priority = 0
        self.nameless: set[str] = set()  # client order ids

    def add(self, order: Order) -> None:
        """Take a new order in, whether or not it will be accepted."""
        order.venue_order_id = f"V{len(self.orders) + 1:08d}"
        order.priority = self.next_priority()
        self.orders.append(order)
        if order.nameless:
            self.nameless.add(order.client_order_id)
        self._by_client.setdefault(order.client_order_id, []).append(order)

    def find(self, client_order_id: str) -> Order | None:
        """The order under this id; of several, the latest that works, else the latest."""
        known = self._by_client.get(client_order_id, [])
        return next((order for order in reversed(known) if not order.ended), known[-1] if known else None)

    def next_priority(self) -> int:
        """Behind every order that there is."""
        self._priority += 1
        return self._priority
