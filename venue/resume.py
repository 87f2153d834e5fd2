"""An exchange as its own record left it: orders, trades, account and counters, folded from the events.

What the record does not tell is taken as a house would after a restart: an order works on as a day order, a cancel that
had not taken effect yet has to be asked for again, and what is not listed any more is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from domain.execution import ExecType, OrdStatus, OrdType, Side, TimeInForce
from domain.instruments import Instrument
from domain.money import PRICE_SCALE
from messages.orders import Activity
from venue.account import Account
from venue.amendments import Trades
from venue.book import Book, Fill, Order
from venue.listed import ListRecord
from venue.register import Register
from venue.reporting import ACTIVITIES, Reporter, report
from venue.truth import TruthEvent


class Resumed:
    """Folds events into the parts of an exchange that has not begun yet."""

    def __init__(
        self,
        listed: Mapping[str, Instrument],
        books: Mapping[str, Book],
        register: Register,
        trades: Trades,
        account: Account,
        reporter: Reporter,
        list_record: ListRecord,
    ) -> None:
        self._list_record = list_record
        self._listed, self._books, self._register = listed, books, register
        self._trades, self._account, self._reporter = trades, account, reporter
        self._orders: dict[str, Order] = {}  # by venue order id
        self.last_session = 0  # the newest connection over which anything came
        self._exercised = ""  # the option of the movement just before
        self._folds: dict[str, Callable[[TruthEvent, Order], None]] = {
            "triggered": _triggered,
            "fill": self._filled,
            "busted": self._busted,
            "corrected": self._corrected,
            "replaced": self._replaced,
            "canceled": lambda _, order: self._end(order, OrdStatus.CANCELED),
            "expired": lambda _, order: self._end(order, OrdStatus.EXPIRED),
        }

    def fold(self, events: Iterable[TruthEvent]) -> int:
        """Take every event, oldest first; the time of the last one, 0 when there is none."""
        last_ns, last_id = 0, 0
        for event in events:
            last_ns = max(last_ns, event.ts_ns)
            self.last_session = max(self.last_session, event.session)
            if event.exec_id:
                last_id = max(last_id, int(event.exec_id[1:]))
            self._take(event)
        self._reporter.go_on(last_ns, last_id)
        return last_ns

    def _take(self, event: TruthEvent) -> None:
        if event.kind in ACTIVITIES and event.last_qty and not event.client_order_id:
            self._moved(event)
            return
        self._exercised = ""
        if event.kind == "listing":
            self._list_record.go_on(event)
            return
        if event.kind in ("accepted", "rejected") and event.venue_order_id:
            self._entered(event)
            return
        order = self._orders.get(event.venue_order_id)
        fold = self._folds.get(event.kind)
        if order is not None and fold is not None:
            fold(event, order)

    def _entered(self, event: TruthEvent) -> None:
        order = Order(
            client_order_id=event.client_order_id,
            symbol=event.symbol,
            side=Side(event.side),
            quantity=event.qty or 0,
            order_type=OrdType(event.order_type),
            time_in_force=TimeInForce.DAY,
            price=_price(event.price),
            limit=_price(event.price),
            trigger_price=_price(event.trigger_price),
            nameless=event.nameless,
        )
        self._register.add(order)
        self._orders[event.venue_order_id] = order
        if event.kind == "rejected":
            order.ended = OrdStatus.REJECTED
        elif order.symbol in self._books:
            self._books[order.symbol].orders.append(order)
        else:
            order.ended = OrdStatus.EXPIRED

    def _filled(self, event: TruthEvent, order: Order) -> None:
        fill = Fill(event.exec_id, event.last_qty or 0, _price(event.last_px))
        order.fills = {**order.fills, event.exec_id: fill}
        self._trades.add(event.exec_id, order)
        self._post(event.exec_id, order, fill.quantity, fill.price)
        self._full(event, order)
        self._executed(ExecType.TRADE, event, order, fill)

    def _busted(self, event: TruthEvent, order: Order) -> None:
        fill = order.fills[event.exec_ref_id]
        order.fills = {root: kept for root, kept in order.fills.items() if root != event.exec_ref_id}
        self._post(event.exec_ref_id, order, 0, 0)
        self._executed(ExecType.TRADE_CANCEL, event, order, Fill("", 0, 0), ref=fill.exec_id)

    def _corrected(self, event: TruthEvent, order: Order) -> None:
        before = order.fills[event.exec_ref_id]
        fill = Fill(event.exec_id, event.last_qty or 0, _price(event.last_px))
        order.fills = {**order.fills, event.exec_ref_id: fill}
        self._trades.add(event.exec_id, order, event.exec_ref_id)
        self._post(event.exec_ref_id, order, fill.quantity, fill.price)
        self._full(event, order)
        self._executed(ExecType.TRADE_CORRECT, event, order, fill, ref=before.exec_id)

    def _replaced(self, event: TruthEvent, order: Order) -> None:
        order.order_type, order.quantity = OrdType(event.order_type), event.qty or 0
        order.price = order.limit = _price(event.price)
        order.trigger_price = _price(event.trigger_price)
        order.priority = self._register.next_priority()
        self._full(event, order)

    def _moved(self, event: TruthEvent) -> None:
        """A change of position without an order; shares that follow an option are what it turned into."""
        instrument, quantity = self._listed.get(event.symbol), event.last_qty or 0
        signed = quantity if event.side == "buy" else -quantity
        is_option = instrument is not None and instrument.right is not None
        if instrument is not None:
            self._account.post(event.exec_id, instrument, signed, _price(event.last_px))
        option = "" if is_option else self._exercised
        kind = ACTIVITIES[event.kind]
        price = _price(event.last_px)
        self._reporter.activities.append(
            Activity(event.exec_id, kind, event.symbol, signed, price, event.ts_ns, option)
        )
        self._exercised = event.symbol if is_option else ""

    def _full(self, event: TruthEvent, order: Order) -> None:
        if not order.ended and event.leaves_qty == 0:
            self._end(order, OrdStatus.FILLED)

    def _end(self, order: Order, how: OrdStatus) -> None:
        if order.ended is None:
            order.ended = how
            self._books[order.symbol].orders.remove(order)

    def _post(self, entry_id: str, order: Order, quantity: int, price: int) -> None:
        instrument = self._listed.get(order.symbol)
        if instrument is not None:
            self._account.post(entry_id, instrument, order.side.sign * quantity, price)

    def _executed(self, kind: ExecType, event: TruthEvent, order: Order, fill: Fill, ref: str = "") -> None:
        told = report(
            kind, event.ts_ns, order, exec_id=event.exec_id, exec_ref_id=ref, last_qty=fill.quantity, last_px=fill.price
        )
        self._reporter.executions.append(told)


def _triggered(_: TruthEvent, order: Order) -> None:
    order.triggered = True


def _price(value: float | None) -> int:
    """A price of the record, in ten-thousandths; 0 where there is none."""
    return round((value or 0.0) * PRICE_SCALE)
