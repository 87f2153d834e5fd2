"""The embedded exchange as a process: one exchange, one account, any number of connections.

The server owns exchange time; ``monotonic`` and ``timer`` are the machine's, or a simulation's.  Before every request,
and at least every :data:`TURN_S` seconds of real time, it feeds the quotes that are due and lets the exchange do what
is due.  When more quotes are due than one turn may feed, exchange time waits for them, so that it never passes a quote
that the exchange has not seen, and never runs backwards.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
import structlog

from domain.execution import ExecutionReport
from domain.quotes import Quote
from messages.market import MarketStatus
from venue import protocol as wire
from venue.connection import Connection, Timer
from venue.dead_man import DeadMan
from venue.exchange import Exchange
from venue.feed import Clock, Market
from venue.front_end import FrontEnd, late_refusal
from venue.nasty import Fate, HangUp, Kind, Mischief
from venue.reporting import Reply
from venue.retelling import Told, as_told, told_again

MILLISECOND_NS = 1_000_000
TURN_S = 0.005
QUOTES_PER_TURN = 100  # about a millisecond's work

log = structlog.get_logger("venue")


class Server:
    """Obeys clients, the feed and the mischief.  Everything runs in one thread and in the order in which it comes."""

    def __init__(
        self,
        exchange: Exchange,
        promises: wire.Promises,
        feed: Market,
        clock: Clock,
        mischief: Mischief,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        timer: Timer | None = None,
        turn_s: float = TURN_S,
        note_time: Callable[[int], None] | None = None,
    ) -> None:
        self._monotonic, self._timer, self.turn_s = monotonic, timer, turn_s
        self._note_time = note_time  # told the time before any client is
        self._exchange = exchange
        self._promises = promises
        self._feed = feed
        self._clock = clock
        self._mischief = mischief
        self._front_end = FrontEnd(exchange.has)
        self._connections: dict[Connection, None] = {}  # in order of login, so that the mischief is repeatable
        self._pins: dict[str, Quote] = {}
        self._sessions = exchange.last_session
        self._dead_man = DeadMan()
        self._told = Told()
        self._now = clock.start_ns
        self._next_heartbeat_s = 0.0
        self._handlers: dict[type, Callable[[Connection, Any], None]] = {
            wire.Submit: self._submit,
            wire.Cancel: self._cancel,
            wire.Modify: self._modify,
            wire.QuerySnapshot: self._snapshot,
            wire.QueryInstruments: self._instruments,
            wire.QueryAccount: self._account,
            wire.QueryTime: lambda to, asked: to.send(wire.ServerTime(request=asked.request, ts_ns=self._now)),
            wire.Ping: lambda to, asked: to.send(wire.Pong(request=asked.request, ts_ns=self._now)),
            wire.Subscribe: lambda to, wanted: to.subscribe(wanted.symbols, exchange.last_quote.get),
            wire.Bust: lambda to, x: self._reported(to, x, lambda: exchange.bust(x.exec_id, self._now)),
            wire.Correct: lambda to, x: self._reported(
                to, x, lambda: exchange.correct(x.exec_id, x.last_qty, x.last_px, self._now)
            ),
            wire.Assign: lambda to, x: self._reported(
                to, x, lambda: exchange.assign(x.symbol, x.quantity, self._now, late=x.late)
            ),
            wire.Halt: self._halt,
            wire.Relist: self._relist,
            wire.Intervene: lambda to, x: self._reported(
                to, x, lambda: exchange.intervene(x.kind, x.symbol, x.quantity, x.price, self._now)
            ),
            wire.PinQuote: self._pin,
            wire.Misbehave: self._misbehave,
            wire.CutLinks: self._cut,
        }
        for quote in feed.warm:
            exchange.on_quote(quote)

    # --- connections ---

    def logged_in(self, connection: Connection) -> None:
        self.catch_up()
        self._sessions += 1
        connection.session = self._sessions
        self._dead_man.logged_in(connection.client, connection.cancel_on_disconnect_ms)
        self._connections[connection] = None
        log.info("logged in", client=connection.client, session=self._sessions)
        connection.send(
            wire.Welcome(
                version=wire.PROTOCOL_VERSION, ts_ns=self._now, session=self._sessions, promises=self._promised()
            )
        )
        connection.send(self._status())
        for report in self._told.newest(self._mischief.replayed(len(self._told))):
            connection.send(report)

    def _promised(self) -> wire.Promises:
        longest = self._mischief.longest(self._promises.max_tag_length)
        return msgspec.structs.replace(self._promises, max_tag_length=longest)

    def said(self, connection: Connection, message: wire.ClientMessage) -> None:
        handler = self._handlers.get(type(message))
        if handler is None:
            raise wire.ProtocolError(f"a second {type(message).__name__} in one connection")
        self.catch_up()
        handler(connection, message)

    def left(self, connection: Connection) -> None:
        if connection in self._connections:  # this may be said twice
            del self._connections[connection]
            self._dead_man.left(connection.client, self._now)

    def say_goodbye(self, reason: str) -> None:
        """End every connection."""
        for connection in list(self._connections):
            connection.hang_up(reason)

    # --- time ---

    def catch_up(self) -> bool:
        """Bring the exchange up to now.  True when more quotes are due than one turn may feed."""
        target = max(self._now, self._clock.at(self._monotonic()))
        for quote in self._feed.take(target, QUOTES_PER_TURN):
            self._pass_to(quote.ts_ns)
            pinned = self._pins.get(quote.symbol)
            self._quote(quote if pinned is None else msgspec.structs.replace(pinned, ts_ns=quote.ts_ns))
        behind = self._feed.due(target)
        if not behind:
            self._pass_to(target)
        return behind

    def turn(self) -> None:
        """One round of the timer: time, quotes, heartbeats; then set the timer again."""
        behind = self.catch_up()
        real = self._monotonic()
        beat = real >= self._next_heartbeat_s
        if beat:
            self._next_heartbeat_s = real + wire.HEARTBEAT_S
            if self._note_time is not None:
                self._note_time(self._now)
        for connection in self._connections:
            connection.flush()
            if beat:
                connection.send(wire.VenueHeartbeat(ts_ns=self._now))
        self._later(0 if behind else self.turn_s, self.turn)

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        (self._timer or asyncio.get_running_loop()).call_later(delay_s, act)

    def _pass_to(self, now_ns: int) -> None:
        if now_ns > self._now:
            self._now = now_ns
            self.publish(self._exchange.advance(now_ns))
            for order_id in self._dead_man.due(now_ns):
                reply = self._exchange.cancel(client_order_id=order_id, request_id=f"{order_id}/gone", now_ns=now_ns)
                if reply.accepted:
                    log.info("canceled: its client is gone", order=order_id)
                    self.publish(reply.reports)

    def _quote(self, quote: Quote) -> None:
        self.publish(self._exchange.on_quote(quote))
        for connection in self._connections:
            connection.quoted(quote)

    # --- requests ---

    def _submit(self, connection: Connection, order: wire.Submit) -> None:
        order = msgspec.structs.replace(order, client_order_id=self._mischief.kept(order.client_order_id))
        if order.entry:
            self._dead_man.entry(connection.client, order.client_order_id)
        self._order(
            connection,
            order,
            Kind.SUBMIT,
            lambda: self._exchange.submit(
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=order.side,
                quantity=order.quantity,
                order_type=order.order_type,
                time_in_force=order.time_in_force,
                price=order.price,
                trigger_price=order.trigger_price,
                now_ns=self._now,
                session=connection.session,
                nameless=self._mischief.nameless(),
            ),
        )

    def _cancel(self, connection: Connection, cancel: wire.Cancel) -> None:
        self._order(
            connection,
            cancel,
            Kind.CANCEL,
            lambda: self._exchange.cancel(
                client_order_id=self._mischief.kept(cancel.client_order_id),
                request_id=cancel.request_id,
                now_ns=self._now,
            ),
        )

    def _modify(self, connection: Connection, change: wire.Modify) -> None:
        self._order(
            connection,
            change,
            Kind.MODIFY,
            lambda: self._exchange.modify(
                client_order_id=self._mischief.kept(change.client_order_id),
                request_id=change.request_id,
                order_type=change.order_type,
                quantity=change.quantity,
                price=change.price,
                trigger_price=change.trigger_price,
                now_ns=self._now,
            ),
        )

    def _order(self, connection: Connection, asked: wire.Order, kind: Kind, act: Callable[[], Reply]) -> None:
        fate, request = self._mischief.fate(kind), asked.request
        if isinstance(asked, wire.Submit):
            fate = self._front_end.fate(asked, fate)
            if fate.late_refusal:
                self._refuse_late(connection, asked, fate.refusal)
                return
        if fate.refusal:
            connection.send(wire.Answer(request=request, ts_ns=self._now, accepted=False, reason=fate.refusal))
        if fate.error:
            failed = wire.Answer(request=request, ts_ns=self._now, accepted=False, reason=fate.error, failed=True)
            connection.send(failed)
        if not fate.execute:
            return
        reply = act()
        answer = wire.Answer(
            request=request,
            ts_ns=self._now,
            accepted=reply.accepted,
            venue_order_id=reply.venue_order_id,
            reason=reply.reason,
        )
        if not fate.error:
            _answer(connection, answer, fate)
        if fate.reported:
            self.publish(reply.reports)

    def _refuse_late(self, connection: Connection, order: wire.Submit, reason: str) -> None:
        """Say that the order was taken, and then by a report that it was not: the exchange has never seen it."""
        connection.send(wire.Answer(request=order.request, ts_ns=self._now, accepted=True))
        refused_ns = self._exchange.turned_away(order.client_order_id, self._now, reason)
        self.publish([late_refusal(order, reason, refused_ns)])

    def _snapshot(self, connection: Connection, query: wire.QuerySnapshot) -> None:
        fate = self._mischief.fate(Kind.QUERY)
        if not fate.execute:
            return
        orders = self._exchange.orders(self._now)
        odd = self._mischief.snapshot([order.client_order_id for order in orders], self._now // MILLISECOND_NS)
        visible = tuple(order for order in orders if order.client_order_id not in odd.hidden)
        told = self._exchange.executions()
        executions = tuple(told if query.named else (as_told(each, self._exchange.nameless) for each in told))
        positions = tuple(self._exchange.positions())
        activities = tuple(self._exchange.activities())

        then_ns = self._now + odd.age_ms * MILLISECOND_NS

        def say() -> None:
            """What was seen above, said to be of now: the exchange's clock may be behind what was planned."""
            answer = wire.SnapshotAnswer(
                request=query.request,
                as_of_ns=min(then_ns, self._now),
                orders=visible,
                executions=executions,
                positions=positions,
                activities=activities,
            )
            _answer(connection, answer, fate)

        if odd.age_ms:
            self._later(odd.age_ms / 1000 / self._clock.speed, say)
        else:
            say()

    def _instruments(self, connection: Connection, query: wire.QueryInstruments) -> None:
        fate = self._mischief.fate(Kind.QUERY)
        if fate.execute:
            instruments = self._exchange.tell_list(connection.session, self._now)
            _answer(connection, wire.InstrumentsAnswer(request=query.request, instruments=instruments), fate)

    def _account(self, connection: Connection, query: wire.QueryAccount) -> None:
        fate = self._mischief.fate(Kind.QUERY)
        if fate.execute:
            cash, margin = self._exchange.cash, self._exchange.margin_in_use
            answer = wire.AccountAnswer(request=query.request, ts_ns=self._now, cash=cash, margin=margin)
            _answer(connection, answer, fate)

    # --- tests and demonstrations ---

    def _reported(
        self,
        connection: Connection,
        asked: wire.Bust | wire.Correct | wire.Assign | wire.Intervene,
        act: Callable[[], list[ExecutionReport]],
    ) -> None:
        try:
            reports = act()
        except (KeyError, ValueError) as error:
            self._say(connection, asked.request, str(error.args[0] if error.args else error))
            return
        self._say(connection, asked.request)
        self.publish(reports)

    def _pin(self, connection: Connection, pin: wire.PinQuote) -> None:
        if pin.quote.symbol not in self._exchange.instruments:
            self._say(connection, pin.request, f"no instrument is called {pin.quote.symbol!r}")
            return
        self._pins[pin.quote.symbol] = pin.quote
        self._quote(msgspec.structs.replace(pin.quote, ts_ns=self._now))
        self._say(connection, pin.request)  # who pins a quote is no trader, and can wait until those have their fills

    def _halt(self, connection: Connection, halt: wire.Halt) -> None:
        self._say(connection, halt.request)
        self.halt(halt.reason)

    def halt(self, reason: str) -> None:
        """Stop trading because of ``reason``, and tell everybody; "" resumes."""
        reports = self._exchange.halt(reason, self._now)
        for connection in self._connections:
            connection.send(self._status())
        self.publish(reports)

    def _status(self) -> MarketStatus:
        return MarketStatus(halted=bool(self._exchange.halted), reason=self._exchange.halted)

    def _relist(self, connection: Connection, change: wire.Relist) -> None:
        try:
            self._exchange.relist(change.instruments, self._now)
        except ValueError as error:
            self._say(connection, change.request, str(error))
            return
        self._say(connection, change.request)

    def _misbehave(self, connection: Connection, wanted: wire.Misbehave) -> None:
        self.behave(self._mischief.instead(wanted.nasty, wanted.seed))
        self._say(connection, wanted.request)

    def behave(self, mischief: Mischief) -> None:
        """Do this mischief from now on."""
        self._mischief = mischief

    def cut_tags(self, length: int) -> None:
        """From now on client order ids are cut to so many characters; 0: they are kept whole again.

        As with a house that has installed another version, every connection ends, and the next login is told.
        """
        nasty = self._mischief.nasty
        if length == nasty.cut_tags_to:
            return
        self._mischief.nasty = msgspec.structs.replace(nasty, cut_tags_to=length)
        for connection in list(self._connections):
            connection.abort()

    @property
    def now_ns(self) -> int:
        """The exchange's clock."""
        return self._now

    def _cut(self, connection: Connection, cut: wire.CutLinks) -> None:
        for other in self._connections:
            if other is not connection:
                other.abort()
        self._say(connection, cut.request)

    def _say(self, connection: Connection, request: int, fault: str = "") -> None:
        connection.send(wire.Answer(request=request, ts_ns=self._now, accepted=not fault, reason=fault))

    # --- reports ---

    def publish(self, reports: Sequence[ExecutionReport]) -> None:
        """Push reports to every client, as the mischief lets them through."""
        if not reports:
            return
        told = [as_told(report, self._exchange.nameless) for report in reports]
        self._told.add(told)
        encoded = [wire.encode(report) for report in told]
        for connection in self._connections:
            at_once = []
            for delivery in self._mischief.deliveries(len(encoded)):
                if delivery.delay_s:
                    connection.write(encoded[delivery.index], delivery.delay_s)
                else:
                    at_once.append(encoded[delivery.index])
            if at_once:
                connection.write(b"".join(at_once))
            for report in told:
                if again_s := self._mischief.again_s():
                    self._later(again_s, partial(self._say_again, connection, report))

    def _say_again(self, connection: Connection, report: ExecutionReport) -> None:
        connection.send(told_again(report, self._now))


def _answer(connection: Connection, answer: wire.ServerMessage, fate: Fate) -> None:
    if fate.hang_up is HangUp.BEFORE_ANSWER:
        connection.abort()
    elif fate.answered:
        connection.send(answer, fate.delay_s)
    if fate.hang_up is HangUp.AFTER_ANSWER:
        connection.finish()
