"""An exchange that resumes from its record is the one that wrote it."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.execution import OrdType, Side, TimeInForce
from domain.quotes import Quote
from venue.chain import US, seeded_chain
from venue.child import Steering, VenueChild
from venue.exchange import Exchange
from venue.rules import Rules
from venue.truth import TruthEvent

DAY = seeded_chain(3)
OPTIONS = [instrument for instrument in DAY.instruments if instrument.right is not None][:4]
STEP_NS = 1_000_000


class Session:
    """An exchange, its record, and a random client."""

    def __init__(self, seed: int) -> None:
        self.record: list[TruthEvent] = []
        self.exchange = Exchange(DAY.instruments, Rules(), self.record.append)
        self.random = Random(seed)
        self.now_ns = US.open_ns
        self.ids: list[str] = []

    def act(self) -> None:
        """One thing that a client, the market or the house does."""
        self.now_ns += STEP_NS
        kinds = ["quote"] * 4 + ["submit"] * 4 + ["cancel", "modify", "again", "bust", "correct", "assign"]
        getattr(self, self.random.choice(kinds))()

    def quote(self) -> None:
        symbol, bid = self.random.choice(OPTIONS).symbol, self.random.randint(180, 220) * 500
        self.exchange.on_quote(Quote(symbol, self.now_ns, bid, 5, bid + 500, 5))

    def submit(self, client_order_id: str = "") -> None:
        kind = self.random.choice([OrdType.LIMIT, OrdType.LIMIT, OrdType.MARKET, OrdType.STOP_LIMIT])
        price = self.random.randint(180, 220) * 500
        order_id = client_order_id or f"c{len(self.ids)}"
        self.ids.append(order_id)
        self.exchange.submit(
            client_order_id=order_id,
            symbol=self.random.choice([*(option.symbol for option in OPTIONS), "nothing"]),
            side=self.random.choice(list(Side)),
            quantity=self.random.randint(1, 9),
            order_type=kind,
            time_in_force=TimeInForce.DAY,
            price=0 if kind is OrdType.MARKET else price,
            trigger_price=price if kind is OrdType.STOP_LIMIT else 0,
            now_ns=self.now_ns,
            session=7,
        )

    def again(self) -> None:
        if self.ids:
            self.submit(self.random.choice(self.ids))

    def cancel(self) -> None:
        order_id = self.random.choice([*self.ids, "nobody's"])
        self.exchange.cancel(client_order_id=order_id, request_id=f"r{self.now_ns}", now_ns=self.now_ns)

    def modify(self) -> None:
        if self.ids:
            self.exchange.modify(
                client_order_id=self.random.choice(self.ids),
                request_id=f"m{self.now_ns}",
                order_type=OrdType.LIMIT,
                quantity=self.random.randint(1, 9),
                price=self.random.randint(180, 220) * 500,
                trigger_price=0,
                now_ns=self.now_ns,
            )

    def bust(self) -> None:
        self._amend(lambda exec_id: self.exchange.bust(exec_id, self.now_ns))

    def correct(self) -> None:
        self._amend(lambda exec_id: self.exchange.correct(exec_id, 1, 100_000, self.now_ns))

    def assign(self) -> None:
        short = next((p for p in self.exchange.positions() if p.quantity < 0), None)
        if short is not None and short.symbol != DAY.underlying:
            self.exchange.assign(short.symbol, 1, self.now_ns)

    def _amend(self, how: Any) -> None:
        trades = self.exchange.executions()
        if trades:
            try:
                how(self.random.choice(trades).exec_id)
            except ValueError:
                return  # busted before


def seen(exchange: Exchange, now_ns: int) -> list[Any]:
    """Everything that a client can ask."""
    return [
        exchange.orders(now_ns),
        exchange.executions(),
        exchange.positions(),
        exchange.activities(),
        exchange.cash,
        exchange.margin_in_use,
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 120))
def test_what_a_client_can_ask_is_the_same_before_and_after(seed: int, steps: int) -> None:
    session = Session(seed)
    for _ in range(steps):
        session.act()
    resumed = Exchange(DAY.instruments, Rules(), lambda _: None)
    last_ns = resumed.resume(session.record)
    assert last_ns == max((event.ts_ns for event in session.record), default=0)
    for quote in session.exchange.last_quote.values():
        resumed.last_quote[quote.symbol] = quote
        resumed._books[quote.symbol].show(quote)  # the margin of what works is judged by the touch
    now_ns = session.now_ns + STEP_NS
    assert seen(resumed, now_ns) == seen(session.exchange, now_ns)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_it_trades_on_with_later_times_and_greater_ids_and_knows_its_orders(seed: int) -> None:
    session = Session(seed)
    for _ in range(60):
        session.act()
    before = list(session.record)
    session.exchange = Exchange(DAY.instruments, Rules(), session.record.append)
    session.exchange.resume(before)
    for _ in range(60):
        session.act()
    ids = [event.exec_id for event in session.record if event.exec_id]
    assert ids == sorted(set(ids))
    times = [event.ts_ns for event in session.record]
    assert times == sorted(times)
    again = Exchange(DAY.instruments, Rules(), lambda _: None)
    again.resume(session.record)
    assert again.executions() == session.exchange.executions()
    assert again.positions() == session.exchange.positions()


def test_connections_are_counted_on_from_the_record(tmp_path: Path) -> None:
    session = Session(0)
    session.submit()
    truth = tmp_path / "truth.jsonl"
    with truth.open("wb") as file:
        file.writelines(msgspec.json.encode(event) + b"\n" for event in session.record)
    with VenueChild("--truth", str(truth), "--resume") as venue, Steering(venue.port) as hand:
        assert hand.welcome.session == 8
