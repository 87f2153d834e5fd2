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

import msgspec

from domain.execution import ExecutionReport, OrdStatus, OrdType, Side, TimeInForce
from domain.instruments import Instrument
from domain.quotes import Quote
from messages.orders import Activity, ActivityKind, Position
from venue.account import Account
from venue.amendments import Amendments, Trades
from venue.book import Book, Fill, Order
from venue.custody import Custody
from venue.gate import Gate
from venue.listed import ListRecord
from venue.register import Register
from venue.reporting import Reply, Reporter
from venue.resume import Resumed
from venue.rules import Rules
from venue.schedule import Schedule
from venue.truth import TruthEvent


class Exchange:
    """One session with one client.  ``record`` is called with every event before the caller learns of it."""

    def __init__(self, instruments: Iterable[Instrument], rules: Rules, record: Callable[[TruthEvent], None]) -> None:
        self._listed = {i.symbol: i for i in instruments}
        self.halted = ""  # why nothing trades at the moment
        self.last_quote: dict[str, Quote] = {}
        self._rules = rules
        self._account = Account(rules.cash)
        self._reporter = Reporter(record)
        self._books = {symbol: Book(instrument) for symbol, instrument in self.instruments.items()}
        self._gate = Gate(rules, self._books, self._account)
        self._register = Register()
        self.nameless = self._register.nameless  # client order ids of which nothing is told with an exec id
        self._trades = Trades()
        self._amendments = Amendments(self._trades, self._listed, self._account, self._reporter)
        self._custody = Custody(rules, self._listed, self._account, self._reporter, self._last_price)
        self._waiting: deque[tuple[int, Order]] = deque()  # cancels and when they take effect
        self._schedule = Schedule(rules, self._listed.values())
        self._list_record = ListRecord(self._listed, self._reporter)
        self.last_session = 0  # of the record that it goes on from; a server counts on from there

    def resume(self, events: Iterable[TruthEvent]) -> int:
        """Begin as an earlier process of this exchange ended, by its record; the record's last time, 0 when empty."""
        parts = (self._listed, self._books, self._register, self._trades, self._account, self._reporter)
        resumed = Resumed(*parts, self._list_record)
        last_ns = resumed.fold(events)
        self.last_session = resumed.last_session
        return last_ns

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """What is listed, by symbol."""
        return self._listed

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
        nameless: bool = False,
    ) -> Reply:
        """Take a new order, or refuse it with a REJECTED report.  A duplicate's report tells how the first order is.

        ``session``: the connection that it came over, for the record.  ``nameless``: it is told without exec ids, as
        everything is under its id from then on.
        """
        self._let_happen(now_ns)
        first = self._register.find(client_order_id)
        order = Order(
            client_order_id=client_order_id, symbol=symbol, side=side, quantity=quantity,
            order_type=order_type, time_in_force=time_in_force,
            price=0 if order_type is OrdType.MARKET else price,
            trigger_price=trigger_price if order_type is OrdType.STOP_LIMIT else 0,
            nameless=first.nameless if first else nameless,
        )  # fmt: skip
        self._list_record.note(symbol, now_ns)
        book = self._books.get(symbol)
        lows = book.lows if book and order_type is OrdType.MARKET else ()
        self._reporter.arrived(order, now_ns, session, self.last_quote.get(symbol), lows)
        if first and self._rules.deduplicate:
            reason = f"duplicate client order id: the first order is {first.status.value}"
            self._reporter.duplicate(order, first, now_ns, reason)
            return self._reply(first, reason)
        if book:
            order.limit = book.limit(order, self._rules.market_protection_pct)
        reason = self._gate.objection(order, now_ns, halted=self.halted)
        self._register.add(order)
        if reason or book is None:
            order.ended = OrdStatus.REJECTED
            self._reporter.tell("rejected", order, now_ns, reason=reason)
            return self._reply(order, reason)
        book.orders.append(order)
        self._reporter.tell("accepted", order, now_ns)
        self._enter(order, book, now_ns)
        return self._reply(order)

    def turned_away(self, client_order_id: str, now_ns: int, reason: str) -> int:
        """An order was refused before it came here, and its sender is told so by a report: as of this instant."""
        return self._reporter.stranger("turned_away", client_order_id, now_ns, "", reason)

    def cancel(self, *, client_order_id: str, request_id: str, now_ns: int) -> Reply:
        """Receive a cancel: it takes effect at once, or after the house's latency if fills leave anything to cancel.

        The ``request_id`` of a cancel that waits is taken again and changes nothing; another one is refused.
        """
        self._let_happen(now_ns)
        order = self._register.find(client_order_id)
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
        order = self._register.find(client_order_id)
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
        refusal = self._gate.objection(wanted, now_ns, instead_of=order, halted=self.halted)
        if refusal:
            return self._refuse_change(order, request_id, refusal, now_ns)
        if quantity > order.quantity or (wanted.price, order_type) != (order.price, order.order_type):
            order.priority = self._register.next_priority()
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
        self._match(book, now_ns)
        return self._reporter.flush()

    def halt(self, reason: str, now_ns: int) -> list[ExecutionReport]:
        """Stop trading because of ``reason``: orders rest and new ones are refused, cancels go through; "" resumes."""
        self._let_happen(now_ns)
        self.halted = reason
        for book in self._books.values():
            self._match(book, now_ns)
        return self._reporter.flush()

    def be_strict(self, rules: Rules) -> None:
        """From now on orders enter, and are changed, by the checks of these rules; all else goes on as it was."""
        self._gate.rules = rules

    def relist(self, changed: Iterable[Instrument], now_ns: int) -> None:
        """Replace contracts of the list by these, of the same symbols, as an exchange does overnight.

        Working orders stay as they are.  Raises ``ValueError`` for a symbol that is not listed.
        """
        for instrument in changed:
            if instrument.symbol not in self._listed:
                raise ValueError(f"{instrument.symbol!r} is not listed")
            if self._listed[instrument.symbol] == instrument:
                continue
            self._list_record.note(instrument.symbol, now_ns)
            self._listed[instrument.symbol] = self._books[instrument.symbol].instrument = instrument
            self._list_record.note(instrument.symbol, now_ns)

    def tell_list(self, session: int, now_ns: int) -> tuple[Instrument, ...]:
        """What is listed, told over the connection of this number."""
        return self._list_record.tell(session, now_ns)

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
        self._amendments.bust(exec_id, now_ns)
        self._custody.settle_again(now_ns)
        return self._reporter.flush()

    def correct(self, exec_id: str, last_qty: int, last_px: int, now_ns: int) -> list[ExecutionReport]:
        """Give a trade another quantity and price.

        Raises ``ValueError`` when there is no such trade, when either is not positive, or when the order would have
        traded more than its quantity.
        """
        self._let_happen(now_ns)
        self._amendments.correct(
            exec_id, (last_qty, last_px), now_ns, lambda order: self._leave(order, OrdStatus.FILLED)
        )
        self._custody.settle_again(now_ns)
        return self._reporter.flush()

    def assign(self, symbol: str, quantity: int, now_ns: int, *, late: bool = False) -> list[ExecutionReport]:
        """Assign a short American option early (:meth:`venue.custody.Custody.assign`)."""
        self._let_happen(now_ns)
        self._custody.assign(symbol, quantity, now_ns, late=late)
        return self._reporter.flush()

    def intervene(self, kind: ActivityKind, symbol: str, qty: int, price: int, now_ns: int) -> list[ExecutionReport]:
        """Change a position from outside (:meth:`venue.custody.Custody.intervene`)."""
        self._let_happen(now_ns)
        self._custody.intervene(kind, symbol, qty, price, now_ns)
        return self._reporter.flush()

    def trade_late(self, client_order_id: str, quantity: int, now_ns: int) -> list[ExecutionReport]:
        """Tell now of a trade that took place before the order was canceled, at its limit or the touch.

        Raises ``KeyError`` for an order that there is not, ``ValueError`` for one that was not canceled, that has no
        room for so much, or that has no price.
        """
        self._let_happen(now_ns)
        order = self._register.find(client_order_id)
        if order is None:
            raise KeyError(client_order_id)
        price = order.limit or self._books[order.symbol].touch(order.side)
        if order.ended is not OrdStatus.CANCELED or order.quantity - order.cum_qty < quantity or price <= 0:
            raise ValueError(f"{client_order_id} cannot have traded {quantity} more before its cancel")
        self._post(order, quantity, price, now_ns)
        self._custody.settle_again(now_ns)
        return self._reporter.flush()

    def meet(self, client_order_id: str, lots: int, now_ns: int) -> list[ExecutionReport]:
        """Have a working order trade so many lots, or all that is open (0), with somebody who displays nothing.

        It trades at its limit or the touch; a stop is triggered by that trade's price.  Raises ``KeyError`` for an
        order that there is not, ``ValueError`` for one that cannot trade now or has no price.
        """
        self._let_happen(now_ns)
        order = self._register.find(client_order_id)
        if order is None:
            raise KeyError(client_order_id)
        price = order.limit or self._books[order.symbol].touch(order.side)
        if self.halted or not order.open_qty or price <= 0:
            raise ValueError(f"{client_order_id} cannot trade now")
        if not order.active:
            order.triggered = True
            self._reporter.tell("triggered", order, now_ns)
        wanted = lots * self._books[order.symbol].instrument.lot_size or order.open_qty
        self._post(order, min(wanted, order.open_qty), price, now_ns)
        return self._reporter.flush()

    # --- queries ---

    def has(self, client_order_id: str) -> bool:
        """Whether there is an order under this id, in whatever state."""
        return self._register.find(client_order_id) is not None

    def orders(self, now_ns: int) -> list[ExecutionReport]:
        """Every order of the session as an ORDER_STATUS report, in the order of arrival, as of the last event."""
        return self._reporter.statuses(self._register.orders, now_ns)

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

    def _match(self, book: Book, now_ns: int) -> None:
        """Let the working orders meet the quote; none are there outside of the session."""
        if not book.orders or self.halted:
            return
        for order in book.reached():
            if quantity := book.available(order):
                self._trade(order, book, quantity, order.limit or book.touch(order.side), now_ns)
        for order in [order for order in book.orders if book.touched_off(order)]:
            self._enter(order, book, now_ns)

    def _enter(self, order: Order, book: Book, now_ns: int) -> None:
        """A new, changed or perhaps triggered order meets the touch."""
        if book.touched_off(order):
            order.triggered = True
            self._reporter.tell("triggered", order, now_ns)
        if not order.active or self.halted:
            return
        if quantity := book.available(order):
            self._trade(order, book, quantity, book.touch(order.side), now_ns)
        if order.time_in_force is TimeInForce.IOC and not order.ended:
            self._leave(order, OrdStatus.CANCELED)
            self._reporter.tell("canceled", order, now_ns, reason="immediate or cancel")

    def _trade(self, order: Order, book: Book, quantity: int, price: int, now_ns: int) -> None:
        book.take(order, quantity)
        self._post(order, quantity, price, now_ns)

    def _post(self, order: Order, quantity: int, price: int, now_ns: int) -> None:
        exec_id, instrument = self._reporter.next_exec_id(), self._books[order.symbol].instrument
        order.fills[exec_id] = Fill(exec_id, quantity, price)
        self._trades.add(exec_id, order)
        self._account.post(exec_id, instrument, order.side.sign * quantity, price)
        if not order.ended and not order.open_qty:
            self._leave(order, OrdStatus.FILLED)
        self._reporter.executed("fill", order, now_ns, exec_id, (quantity, price))
        self._custody.sold(instrument, order.side, quantity, now_ns)

    def _leave(self, order: Order, how: OrdStatus) -> None:
        order.ended = how
        self._books[order.symbol].orders.remove(order)

    # --- what is due ---

    def _let_happen(self, now_ns: int) -> None:
        for close_ns in self._schedule.closes(now_ns):
            self._take_effect(close_ns)
            for book in self._books.values():
                self._expire_orders(book, "session closed", now_ns)
        if self._waiting:
            self._take_effect(now_ns)
        for expiry in self._schedule.expiries(now_ns):
            self._expire_contracts(expiry, now_ns)
        self._custody.tell(now_ns)

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
            self._custody.expire(option, now_ns)

    def _last_price(self, symbol: str) -> int:
        return self._books[symbol].price if symbol in self._books else 0

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


def _too_late(order: Order) -> str:
    if order.ended:
        return f"too late: the order is {order.status.value}"
    return "a cancel of this order is pending" if order.cancel_pending else ""
