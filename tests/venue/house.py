"""A small exchange with two contracts and their shares, spoken to in few words.  Prices are in ten-thousandths."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from domain.execution import ExecType, ExecutionReport, OrdType, Side, TimeInForce
from domain.instruments import Instrument, Right, osi_symbol
from domain.money import PRICE_SCALE
from domain.quotes import Quote
from venue.exchange import Exchange
from venue.reporting import Reply
from venue.rules import Rules
from venue.truth import TruthEvent

EXPIRY = date(2026, 1, 9)
SECOND = 1_000_000_000
START = int(datetime(2026, 1, 5, 14, 30, tzinfo=UTC).timestamp()) * SECOND
SHARES = "ACME"


def option(strike: int, right: Right = Right.CALL, **changes: Any) -> Instrument:
    facts: dict[str, Any] = {
        "symbol": osi_symbol(
            SHARES, date.fromisoformat(changes.get("expiry", EXPIRY.isoformat())), right, strike * PRICE_SCALE
        ),
        "underlying": SHARES,
        "right": right,
        "strike": strike * PRICE_SCALE,
        "expiry": EXPIRY.isoformat(),
        "multiplier": 100,
        "lot_size": 1,
        "tick_size": 500,
        "freeze_qty": 50,
    }
    return Instrument(**{**facts, **changes})


STOCK = Instrument(
    symbol=SHARES,
    underlying=SHARES,
    right=None,
    strike=0,
    expiry="",
    multiplier=1,
    lot_size=1,
    tick_size=100,
    freeze_qty=100_000,
)
CALL_100 = option(100)
CALL_105 = option(105)
PUT_100 = option(100, Right.PUT)
CALL = CALL_100.symbol
PUT = PUT_100.symbol


class House:
    """An exchange, its clock, and everything that it recorded and reported."""

    def __init__(self, *instruments: Instrument, **rules: Any) -> None:
        self.rules = Rules(**rules)
        self.truth: list[TruthEvent] = []  # without how contracts are listed, which is beside
        self.listings: list[TruthEvent] = []
        self.exchange = Exchange(instruments or (STOCK, CALL_100, CALL_105, PUT_100), self.rules, self._record)
        self.now = START
        self.reports: list[ExecutionReport] = []

    def quote(
        self, bid: int, ask: int, bid_size: int = 10, ask_size: int = 10, *, symbol: str = CALL
    ) -> list[ExecutionReport]:
        return self._heard(self.exchange.on_quote(Quote(symbol, self.now, bid, bid_size, ask, ask_size)))

    def submit(self, client_order_id: str, side: Side = Side.BUY, quantity: int = 5, **changes: Any) -> Reply:
        facts: dict[str, Any] = {
            "symbol": CALL,
            "order_type": OrdType.LIMIT,
            "time_in_force": TimeInForce.DAY,
            "price": 11_000,
            "trigger_price": 0,
        }
        reply = self.exchange.submit(
            client_order_id=client_order_id, side=side, quantity=quantity, now_ns=self.now, **{**facts, **changes}
        )
        self._heard(reply.reports)
        return reply

    def cancel(self, client_order_id: str, request_id: str = "c1") -> Reply:
        reply = self.exchange.cancel(client_order_id=client_order_id, request_id=request_id, now_ns=self.now)
        self._heard(reply.reports)
        return reply

    def modify(self, client_order_id: str, request_id: str = "m1", **changes: Any) -> Reply:
        facts: dict[str, Any] = {"order_type": OrdType.LIMIT, "quantity": 5, "price": 11_000, "trigger_price": 0}
        reply = self.exchange.modify(
            client_order_id=client_order_id, request_id=request_id, now_ns=self.now, **{**facts, **changes}
        )
        self._heard(reply.reports)
        return reply

    def bust(self, exec_id: str) -> list[ExecutionReport]:
        return self._heard(self.exchange.bust(exec_id, self.now))

    def correct(self, exec_id: str, quantity: int, price: int) -> list[ExecutionReport]:
        return self._heard(self.exchange.correct(exec_id, quantity, price, self.now))

    def wait(self, seconds: float) -> list[ExecutionReport]:
        self.now += round(seconds * SECOND)
        return self._heard(self.exchange.advance(self.now))

    def status(self, client_order_id: str) -> ExecutionReport:
        """The latest order under this id, as the exchange tells when asked."""
        return [o for o in self.exchange.orders(self.now) if o.client_order_id == client_order_id][-1]

    def held(self) -> dict[str, int]:
        return {position.symbol: position.quantity for position in self.exchange.positions()}

    def kinds(self) -> list[str]:
        return [event.kind for event in self.truth]

    def _record(self, event: TruthEvent) -> None:
        (self.listings if event.kind == "listing" else self.truth).append(event)

    def _heard(self, reports: list[ExecutionReport]) -> list[ExecutionReport]:
        self.reports += reports
        return reports


def types(reports: list[ExecutionReport]) -> list[ExecType]:
    return [report.exec_type for report in reports]
