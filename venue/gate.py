"""The door: whether an order may enter, by rate, by the house's checks, and by margin, in this order."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from domain.money import to_decimal
from venue.account import Account
from venue.book import Book, Order
from venue.margin import Claim, funds_needed
from venue.refusals import Ticket, first_refusal
from venue.rules import NS, Rules


class Gate:
    """Reads the books and the account; remembers only when the last second's orders came."""

    def __init__(self, rules: Rules, books: Mapping[str, Book], account: Account) -> None:
        self.rules = rules  # by which orders enter from now on
        self._books = books
        self._account = account
        self._recent: deque[int] = deque()

    def objection(self, order: Order, now_ns: int, instead_of: Order | None = None, *, halted: str = "") -> str:
        """Why ``order`` may not enter, new or in place of another; ``""`` when it may."""
        if halted:
            return f"trading is halted: {halted}"
        if not self._within_rate(now_ns):
            return f"rate limit: {self.rules.orders_per_second} orders per second"
        return first_refusal(self._ticket(order, now_ns)) or self._margin(order, instead_of)

    def _within_rate(self, now_ns: int) -> bool:
        limit, recent = self.rules.orders_per_second, self._recent
        while recent and recent[0] <= now_ns - NS:
            recent.popleft()
        if limit and len(recent) >= limit:
            return False
        if limit:
            recent.append(now_ns)
        return True

    def _ticket(self, order: Order, now_ns: int) -> Ticket:
        book = self._books.get(order.symbol)
        return Ticket(
            rules=self.rules,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            instrument=book.instrument if book else None,
            order_type=order.order_type,
            quantity=order.quantity,
            price=order.price,
            trigger_price=order.trigger_price,
            touch=book.touch(order.side) if book else 0,
            mid=book.quote.mid if book else 0,
            now_ns=now_ns,
        )

    def _margin(self, order: Order, instead_of: Order | None) -> str:
        """Refuse what would need more than there is, unless it needs no more than before."""
        if not self.rules.margin_check:
            return ""
        available = self._account.cash - self.rules.withheld
        others = [o for book in self._books.values() for o in book.orders if o is not instead_of]
        before, after = self.in_use(), self._needed([*others, order])
        if after <= max(before, available):
            return ""
        return f"insufficient margin: needs {to_decimal(after)}, has {to_decimal(available)}"

    def in_use(self) -> int:
        """What positions and working orders tie up of the cash; an amount."""
        return self._needed([order for book in self._books.values() for order in book.orders])

    def _needed(self, working: list[Order]) -> int:
        claims = [self._claim(order) for order in working]
        listed = {symbol: book.instrument for symbol, book in self._books.items()}
        return funds_needed(self._account.net, claims, listed, self._price)

    def _claim(self, order: Order) -> Claim:
        book, quantity = self._books[order.symbol], max(0, order.open_qty)
        worst = order.limit or book.touch(order.side)
        return Claim(book.instrument, order.side.sign * quantity, worst * quantity * book.instrument.multiplier)

    def _price(self, symbol: str) -> int:
        book = self._books.get(symbol)
        return book.price if book else 0
