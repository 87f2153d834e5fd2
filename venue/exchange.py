"""The exchange: takes orders, matches them against the quotes it is shown, and keeps one client's account.

Pure: ``now_ns`` comes with every call, and every event goes to ``record`` before the call that caused it returns.  Each
call first lets happen what was due by then (cancels that waited, the close, expiries), so its reports may concern other
orders too.  Report times and exec ids grow strictly; two events of one instant are a nanosecond apart.

Choices where the outside world differs from house to house:

- A resting order trades at its own limit when the opposite touch reaches it; an incoming or freshly triggered order at
  the touch.  The client's orders never trade with each other.
- A market order without protection waits for size at any price; with protection it becomes a limit at the touch plus
  or minus the protection, and its rest stays in the book (as in India).
- A modify keeps time priority only when it neither raises the quantity nor changes price or type.  To a quantity at or
  below what has filled, it means: stop executing (FIX 4.4 volume 4, scenario C.2).
- What a bust or a correction takes from an order that is still working may trade again.  An order that was filled or
  ended stays out of the book; a filled one is CANCELED from then on, as it is no longer full.
- An option whose underlying was never quoted cannot be settled at its expiry and stays on the books.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import msgspec

from domain.execution import ExecutionReport, OrdStatus, OrdType, Side, TimeInForce
from domain.instruments import Instrument
from domain.money import to_decimal
from domain.quotes import Quote
from messages.orders import Activity, ActivityKind, Position
from venue import settlement
from venue.account import Account
from venue.book import Book, Fill, Order
from venue.gate import Gate
from venue.reporting import Reporter
from venue.rules import Rules
from venue.truth import Kind, TruthEvent

INTERVENTIONS: Mapping[ActivityKind, Kind] = MappingProxyType(
    {
        ActivityKind.LIQUIDATION: "liquidated",
        ActivityKind.MANUAL: "manual",
        ActivityKind.CORPORATE: "corporate",
    }
)


class Reply(msgspec.Struct):
    """The answer to one request.  A request that was not ``accepted`` says why in ``reason``."""

    accepted: bool
    venue_order_id: str
    reason: str
    reports: list[ExecutionReport]


class Exchange:
    """One session with one client.  ``record`` is called with every event before the caller learns of it."""

    def __init__(self, instruments: Iterable[Instrument], rules: Rules, record: Callable[[TruthEvent], None]) -> None:
        self.instruments: Mapping[str, Instrument] = {i.symbol: i for i in instruments}
        self.last_quote: dict[str, Quote] = {}
        self._rules = rules
        self._account = Account(rules.cash)
        self._reporter = Reporter(record)
        self._books = {symbol: Book(instrument) for symbol, instrument in self.instruments.items()}
        self._gate = Gate(rules, self._books, self._account)
        self._orders: list[Order] = []
        self._by_client: dict[str, list[Order]] = {}
        self._trades: dict[str, tuple[Order, str]] = {}  # any exec id of a trade or its corrections -> the trade's own
        self._waiting: deque[tuple[int, Order]] = deque()  # cancels and when they take effect
        expiries = {i.expiry: rules.expiry_ns(i.expiry) for i in self.instruments.values() if i.expiry}
        self._expiries = deque(sorted((due, expiry) for expiry, due in expiries.items()))
        self._closed = False
        self._priority = 0

    @property
    def cash(self) -> int:
        """The account's cash, an amount."""
        return self._account.cash

    @property
    def margin_in_use(self) -> int:
        """What positions and working orders tie up of it."""
        return self._gate.in_use()

    # --- requests ---

    def submit(
        self,
        *,
        client_order_id: str,
        symbol: str,
        side: Side,
        quantity: int,
        order_type: OrdType,
        time_in_force: TimeInForce,
        price: int,
        trigger_price: int,
        now_ns: int,
        session: int = 0,
    ) -> Reply:
        """Take a new order, or refuse it with a REJECTED report.  A duplicate's report tells how the first order is.

        ``session``: the connection that it came over, for the record.
        """
        self._let_happen(now_ns)
        order = Order(
            client_order_id=client_order_id,
            symbol=symbol,
            side=side,
            quantity=quantity,
            order_type=order_type,
            time_in_force=time_in_force,
            price=0 if order_type is OrdType.MARKET else price,
            trigger_price=trigger_price if order_type is OrdType.STOP_LIMIT else 0,
        )
        self._reporter.arrived(order, now_ns, session, self.last_quote.get(symbol))
        first = self._find(client_order_id)
        if first and self._rules.deduplicate:
            reason = f"duplicate client order id: the first order is {first.status.value}"
            self._reporter.duplicate(order, first, now_ns, reason)
            return self._reply(first, reason)
        book = self._books.get(symbol)
        if book:
            order.limit = book.limit(order, self._rules.market_protection_pct)
        reason = self._gate.objection(order, now_ns)
        self._keep(order)
        if reason or book is None:
            order.ended = OrdStatus.REJECTED
            self._reporter.tell("rejected", order, now_ns, reason=reason)
            return self._reply(order, reason)
        book.orders.append(order)
        self._reporter.tell("accepted", order, now_ns)
        self._enter(order, book, now_ns)
        return self._reply(order)

    def cancel(self, *, client_order_id: str, request_id: str, now_ns: int) -> Reply:
        """Receive a cancel: it takes effect at once, or after the house's latency if fills leave anything to cancel.

        The ``request_id`` of a cancel that waits is taken again and changes nothing; another one is refused.
        """
        self._let_happen(now_ns)
        order = self._find(client_order_id)
        if order is None:
            self._reporter.stranger("cancel_received", client_order_id, now_ns, request_id)
            return self._unknown(client_order_id, request_id, now_ns)
        repeated = order.cancel_pending and order.cancel_request == request_id
        delayed = self._rules.cancel_latency_ns > 0
        refusal = "" if repeated else _too_late(order)
        if repeated or refusal or not delayed:
            self._reporter.received("cancel_received", order, now_ns, request_id=request_id)
        if refusal:
            return self._refuse_change(order, request_id, refusal, now_ns)
        if not repeated:
            order.cancel_request = request_id
            order.cancel_pending = True
            self._waiting.append((now_ns + self._rules.cancel_latency_ns, order))
            if delayed:
                self._reporter.tell("cancel_received", order, now_ns, request_id=request_id)
            self._take_effect(now_ns)
        return self._reply(order)

    def modify(
        self,
        *,
        client_order_id: str,
        request_id: str,
        order_type: OrdType,
        quantity: int,
        price: int,
        trigger_price: int,
        now_ns: int,
    ) -> Reply:
        """Change a working order in place (``quantity`` counts what has filled already), or refuse and leave it alone.

        A stop that has triggered stays triggered; any other order that becomes a stop waits for its trigger.
        """
        self._let_happen(now_ns)
        order = self._find(client_order_id)
        if order is None:
            return self._unknown(client_order_id, request_id, now_ns)
        book = self._books.get(order.symbol)
        refusal = _too_late(order)
        if book is None or refusal:
            return self._refuse_change(order, request_id, refusal, now_ns)
        wanted = msgspec.structs.replace(
            order,
            order_type=order_type,
            quantity=quantity,
            price=0 if order_type is OrdType.MARKET else price,
            trigger_price=trigger_price if order_type is OrdType.STOP_LIMIT else 0,
        )
        wanted.limit = book.limit(wanted, self._rules.market_protection_pct)
        refusal = self._gate.objection(wanted, now_ns, instead_of=order)
        if refusal:
            return self._refuse_change(order, request_id, refusal, now_ns)
        if quantity > order.quantity or (wanted.price, order_type) != (order.price, order.order_type):
            order.priority = self._next_priority()
        order.order_type, order.price, order.limit = order_type, wanted.price, wanted.limit
        order.trigger_price, order.quantity = wanted.trigger_price, max(quantity, order.cum_qty)
        if not order.open_qty:
            self._leave(order, OrdStatus.FILLED)
        self._reporter.tell("replaced", order, now_ns, request_id=request_id)
        if not order.ended:
            self._enter(order, book, now_ns)
        return self._reply(order)

    # --- the market and the clock ---

    def on_quote(self, quote: Quote) -> list[ExecutionReport]:
        """Show a new top of book and match; now is ``quote.ts_ns``.  Outside the session it is shown, not matched.

        Raises ``ValueError`` for a symbol that is not listed.
        """
        book = self._books.get(quote.symbol)
        if book is None:
            raise ValueError(f"a quote of {quote.symbol!r}, which is not listed")
        now_ns = quote.ts_ns
        self._let_happen(now_ns)
        self.last_quote[quote.symbol] = quote
        book.show(quote)
        if book.orders:  # none are there outside the session
            for order in book.reached():
                if quantity := book.available(order):
                    self._trade(order, book, quantity, order.limit or book.touch(order.side), now_ns)
            for order in [order for order in book.orders if book.touched_off(order)]:
                self._enter(order, book, now_ns)
        return self._reporter.flush()

    def advance(self, now_ns: int) -> list[ExecutionReport]:
        """Let the clock reach ``now_ns``: cancels take effect, the session closes, options expire."""
        self._let_happen(now_ns)
        return self._reporter.flush()

    # --- the exchange's own interventions ---

    def bust(self, exec_id: str, now_ns: int) -> list[ExecutionReport]:
        """Undo a trade, named by its own exec id or by one of its corrections'.

        Raises ``ValueError`` when there is no such trade, or no more.
        """
        self._let_happen(now_ns)
        order, root, fill = self._trade_of(exec_id)
        del order.fills[root]
        self._account.post(root, self.instruments[order.symbol], 0, 0)
        own_id = self._reporter.next_exec_id()
        last = (fill.quantity, fill.price)
        self._reporter.executed("busted", order, now_ns, own_id, last, root=root, ref=fill.exec_id)
        return self._reporter.flush()

    def correct(self, exec_id: str, last_qty: int, last_px: int, now_ns: int) -> list[ExecutionReport]:
        """Give a trade another quantity and price.

        Raises ``ValueError`` when there is no such trade, when either is not positive, or when the order would have
        traded more than its quantity.
        """
        self._let_happen(now_ns)
        order, root, fill = self._trade_of(exec_id)
        if last_qty <= 0 or last_px <= 0:
            raise ValueError(f"a trade of {last_qty} at {to_decimal(last_px)}: both must be positive; else bust it")
        if order.cum_qty - fill.quantity + last_qty > order.quantity:
            raise ValueError(f"{last_qty} is more than the order for {order.quantity} leaves room for")
        own_id = self._reporter.next_exec_id()
        order.fills[root] = Fill(own_id, last_qty, last_px)
        self._trades[own_id] = (order, root)
        self._account.post(root, self.instruments[order.symbol], order.side.sign * last_qty, last_px)
        if not order.ended and not order.open_qty:
            self._leave(order, OrdStatus.FILLED)
        last = (last_qty, last_px)
        self._reporter.executed("corrected", order, now_ns, own_id, last, root=root, ref=fill.exec_id)
        return self._reporter.flush()

    def assign(self, symbol: str, quantity: int, now_ns: int) -> list[ExecutionReport]:
        """Exercise ``quantity`` of a short American option against the account; shares at the strike take its place.

        There is no report of it: the client finds it in its positions.  Raises ``ValueError`` when ``symbol`` is not
        an American option with a listed underlying, or is not held short in that quantity.
        """
        self._let_happen(now_ns)
        option = self.instruments.get(symbol)
        if option is None or option.right is None or option.style != "american":
            raise ValueError(f"{symbol!r} is not a listed American option: it cannot be assigned early")
        if option.underlying not in self.instruments:
            raise ValueError(f"{option.underlying!r} is not listed: {symbol!r} cannot turn into it")
        short = max(0, -self._account.net.get(symbol, 0))
        if not 0 < quantity <= short:
            raise ValueError(f"cannot assign {quantity} of {symbol!r}: the account is short {short}")
        self._move(settlement.in_shares(option, -quantity), now_ns, "early assignment")
        return self._reporter.flush()

    def intervene(
        self, kind: ActivityKind, symbol: str, quantity: int, price: int, now_ns: int
    ) -> list[ExecutionReport]:
        """Change a position as the broker (a liquidation), a person (manual) or a company (corporate) does.

        ``quantity`` is signed; ``price`` 0 is the last one.  There is no report of it, but an activity.  Raises
        ``ValueError`` for a kind that only the exchange itself brings about, a symbol that is not listed, a quantity
        of nothing, and a liquidation of more than is held.
        """
        self._let_happen(now_ns)
        if kind not in INTERVENTIONS:
            raise ValueError(
                f"{kind.value}: only {', '.join(sorted(k.value for k in INTERVENTIONS))} come from outside"
            )
        if symbol not in self.instruments:
            raise ValueError(f"{symbol!r} is not listed")
        held = self._account.net.get(symbol, 0)
        if not quantity or (kind is ActivityKind.LIQUIDATION and not (-held <= quantity < 0 or 0 < quantity <= -held)):
            raise ValueError(f"cannot do a {kind.value} of {quantity} of {symbol!r}: the account holds {held}")
        movement = settlement.Movement(INTERVENTIONS[kind], symbol, quantity, price or self._last_price(symbol))
        self._move([movement], now_ns, kind.value)
        return self._reporter.flush()

    # --- queries ---

    def orders(self, now_ns: int) -> list[ExecutionReport]:
        """Every order of the session as an ORDER_STATUS report, in the order of arrival, as of the last event."""
        return self._reporter.statuses(self._orders, now_ns)

    def executions(self) -> list[ExecutionReport]:
        """Every trade, correction and bust so far, as it was reported."""
        return list(self._reporter.executions)

    def positions(self) -> list[Position]:
        """What the account holds, by symbol; flat symbols are not listed."""
        return self._account.positions()

    def activities(self) -> list[Activity]:
        """Every change of a position that no order caused, oldest first."""
        return list(self._reporter.activities)

    # --- the life of an order ---

    def _keep(self, order: Order) -> None:
        order.venue_order_id = f"V{len(self._orders) + 1:08d}"
        order.priority = self._next_priority()
        self._orders.append(order)
        self._by_client.setdefault(order.client_order_id, []).append(order)

    def _find(self, client_order_id: str) -> Order | None:
        """The order under this id; of several, the latest that works, else the latest."""
        known = self._by_client.get(client_order_id, [])
        return next((order for order in reversed(known) if not order.ended), known[-1] if known else None)

    def _enter(self, order: Order, book: Book, now_ns: int) -> None:
        """A new, changed or perhaps triggered order meets the touch."""
        if book.touched_off(order):
            order.triggered = True
            self._reporter.tell("triggered", order, now_ns)
        if not order.active:
            return
        if quantity := book.available(order):
            self._trade(order, book, quantity, book.touch(order.side), now_ns)
        if order.time_in_force is TimeInForce.IOC and not order.ended:
            self._leave(order, OrdStatus.CANCELED)
            self._reporter.tell("canceled", order, now_ns, reason="immediate or cancel")

    def _trade(self, order: Order, book: Book, quantity: int, price: int, now_ns: int) -> None:
        exec_id = self._reporter.next_exec_id()
        book.take(order, quantity)
        order.fills[exec_id] = Fill(exec_id, quantity, price)
        self._trades[exec_id] = (order, exec_id)
        self._account.post(exec_id, book.instrument, order.side.sign * quantity, price)
        if not order.open_qty:
            self._leave(order, OrdStatus.FILLED)
        self._reporter.executed("fill", order, now_ns, exec_id, (quantity, price))

    def _leave(self, order: Order, how: OrdStatus) -> None:
        order.ended = how
        self._books[order.symbol].orders.remove(order)

    def _trade_of(self, exec_id: str) -> tuple[Order, str, Fill]:
        if exec_id not in self._trades:
            raise ValueError(f"no trade has the exec id {exec_id!r}")
        order, root = self._trades[exec_id]
        if root not in order.fills:
            raise ValueError(f"the trade {exec_id!r} is busted already")
        return order, root, order.fills[root]

    # --- what is due ---

    def _let_happen(self, now_ns: int) -> None:
        close = self._rules.session_close_ns
        if close and now_ns >= close and not self._closed:
            self._closed = True
            self._take_effect(close)
            for book in self._books.values():
                self._expire_orders(book, "session closed", now_ns)
        if self._waiting:
            self._take_effect(now_ns)
        while self._expiries and self._expiries[0][0] <= now_ns:
            self._expire_contracts(self._expiries.popleft()[1], now_ns)

    def _take_effect(self, now_ns: int) -> None:
        while self._waiting and self._waiting[0][0] <= now_ns:
            order = self._waiting.popleft()[1]
            order.cancel_pending = False
            request_id, reason = order.cancel_request, _too_late(order)
            if reason:
                self._reporter.tell("cancel_rejected", order, now_ns, request_id=request_id, reason=reason)
            else:
                self._leave(order, OrdStatus.CANCELED)
                self._reporter.tell("canceled", order, now_ns, request_id=request_id)

    def _expire_orders(self, book: Book, reason: str, now_ns: int) -> None:
        for order in list(book.orders):
            self._leave(order, OrdStatus.EXPIRED)
            self._reporter.tell("expired", order, now_ns, reason=reason)

    def _expire_contracts(self, expiry: str, now_ns: int) -> None:
        for option in [i for i in self.instruments.values() if i.expiry == expiry]:
            self._expire_orders(self._books[option.symbol], "contract expired", now_ns)
            held, spot = self._account.net.get(option.symbol, 0), self._last_price(option.underlying)
            if held and spot:
                self._move(settlement.ended(option, held, spot), now_ns, f"expiry at {to_decimal(spot)}")

    def _last_price(self, symbol: str) -> int:
        return self._books[symbol].price if symbol in self._books else 0

    def _move(self, movements: list[settlement.Movement], now_ns: int, reason: str) -> None:
        for movement in movements:
            exec_id = self._reporter.next_exec_id()
            self._account.post(exec_id, self.instruments[movement.symbol], movement.quantity, movement.price)
            self._reporter.moved(movement, exec_id, now_ns, reason)

    # --- answers ---

    def _refuse_change(self, order: Order, request_id: str, reason: str, now_ns: int) -> Reply:
        self._reporter.tell("cancel_rejected", order, now_ns, request_id=request_id, reason=reason)
        return self._reply(order, reason)

    def _unknown(self, client_order_id: str, request_id: str, now_ns: int) -> Reply:
        reason = "unknown order"
        self._reporter.stranger("cancel_rejected", client_order_id, now_ns, request_id, reason)
        return Reply(accepted=False, venue_order_id="", reason=reason, reports=self._reporter.flush())

    def _reply(self, order: Order, reason: str = "") -> Reply:
        return Reply(
            accepted=not reason, venue_order_id=order.venue_order_id, reason=reason, reports=self._reporter.flush()
        )

    def _next_priority(self) -> int:
        self._priority += 1
        return self._priority


def _too_late(order: Order) -> str:
    if order.ended:
        return f"too late: the order is {order.status.value}"
    return "a cancel of this order is pending" if order.cancel_pending else ""
