"""One contract's book: the client's working orders against the displayed top of book.

The client's orders meet the displayed quotes only, never each other.  Each quote update displays fresh size; orders
take from it in price-time priority until it is used up, and wait for the next quote for the rest.
"""

from __future__ import annotations

import msgspec

from domain.execution import OrdStatus, OrdType, Side, TimeInForce
from domain.instruments import Instrument
from domain.money import round_down, round_up
from domain.quotes import Quote
from venue.lows import Low, Lows


class Fill(msgspec.Struct, frozen=True):
    """What a trade amounts to now, after corrections."""

    exec_id: str  # of the trade or of its latest correction
    quantity: int
    price: int


class Order(msgspec.Struct, kw_only=True, eq=False):
    """An order as the exchange holds it; its quantities, average price and status follow from its fills."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: int
    order_type: OrdType
    time_in_force: TimeInForce
    price: int  # 0 for a market order
    trigger_price: int  # 0 unless a stop
    limit: int = 0  # the worst price it may trade at; 0: any
    venue_order_id: str = ""  # "" until the exchange keeps it
    priority: int = 0  # time priority: lower came first
    triggered: bool = False
    ended: OrdStatus | None = None  # how it left the book
    cancel_pending: bool = False
    nameless: bool = False  # its reports give no exec ids
    cancel_request: str = ""  # the request that waits, or waited, to take effect
    fills: dict[str, Fill] = {}  # keyed by the exec_id of the trade

    @property
    def cum_qty(self) -> int:
        return sum(fill.quantity for fill in self.fills.values())

    @property
    def open_qty(self) -> int:
        """What may still trade."""
        return 0 if self.ended else self.quantity - self.cum_qty

    @property
    def avg_px(self) -> int:
        """Average price of the fills, rounded to the nearest ten-thousandth; 0 without fills."""
        quantity = self.cum_qty
        amount = sum(fill.quantity * fill.price for fill in self.fills.values())
        return (2 * amount + quantity) // (2 * quantity) if quantity else 0

    @property
    def active(self) -> bool:
        """Not a stop that still waits for its trigger."""
        return self.order_type is not OrdType.STOP_LIMIT or self.triggered

    @property
    def status(self) -> OrdStatus:
        """FIX 39 by FIX's precedence; of an order that has ended, its fills say whether it is FILLED.

        One that a bust made less than full is CANCELED, as it does not work again.
        """
        if self.ended and 0 < self.quantity == self.cum_qty:
            return OrdStatus.FILLED
        if self.ended:
            return OrdStatus.CANCELED if self.ended is OrdStatus.FILLED else self.ended
        if self.cancel_pending:
            return OrdStatus.PENDING_CANCEL
        return OrdStatus.PARTIALLY_FILLED if self.cum_qty else OrdStatus.NEW


class Book:
    """The touch of one contract, how much of it is left, and the client's working orders in it."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.quote = Quote(instrument.symbol, 0, 0, 0, 0, 0)
        self.orders: list[Order] = []
        self._lows = Lows()
        self._left = {Side.BUY: 0, Side.SELL: 0}  # what buys and sells can still take

    def show(self, quote: Quote) -> None:
        """Replace the top of book; its size is fresh."""
        self._lows.end(self.quote.mid, quote.ts_ns)
        self.quote = quote
        self._left = {Side.BUY: quote.ask_size, Side.SELL: quote.bid_size}

    @property
    def lows(self) -> tuple[Low, ...]:
        """The middles that were quoted before, as far as they were lower than all since and than what is quoted now."""
        return self._lows.below(self.quote.mid)

    @property
    def price(self) -> int:
        """The mid, or the one side that is quoted; 0 without a quote."""
        return self.quote.mid or max(self.quote.bid, self.quote.ask)

    def touch(self, side: Side) -> int:
        """The price an order of ``side`` meets; 0 when nobody quotes there."""
        return self.quote.ask if side is Side.BUY else self.quote.bid

    def available(self, order: Order) -> int:
        """How much ``order`` can trade right now, in whole lots; its limit decides, then the size left."""
        if not self._reached(order):
            return 0
        lot = self.instrument.lot_size
        return min(order.open_qty, self._left[order.side]) // lot * lot

    def take(self, order: Order, quantity: int) -> None:
        """Use up displayed size."""
        self._left[order.side] -= quantity

    def reached(self) -> list[Order]:
        """Active orders that the touch reaches: any price first, then the best limit, then who came first."""
        active = [order for order in self.orders if order.active and self._reached(order)]
        return sorted(active, key=lambda o: (o.limit != 0, -o.limit * o.side.sign, o.priority))

    def touched_off(self, order: Order) -> bool:
        """Whether the mid has reached the trigger of a waiting stop; without a two-sided quote nothing triggers."""
        if order.active:
            return False
        mid = self.quote.mid
        return mid > 0 and (mid - order.trigger_price) * order.side.sign >= 0

    def _reached(self, order: Order) -> bool:
        touch = self.touch(order.side)
        return touch > 0 and (not order.limit or (touch - order.limit) * order.side.sign <= 0)

    def limit(self, order: Order, protection_pct: float) -> int:
        """The worst price at which ``order`` may trade; 0: any.

        A market order with protection stops at the touch plus or minus it, on tick and never beyond.
        """
        if order.order_type is not OrdType.MARKET:
            return order.price
        if not protection_pct:
            return 0
        tick = self.instrument.tick_size
        raw = round(self.touch(order.side) * (1 + order.side.sign * protection_pct / 100))
        return round_down(raw, tick) if order.side is Side.BUY else round_up(raw, tick)
