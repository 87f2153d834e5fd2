"""The gateway's session with the broker: link, broker clock, silence, instruments, and the poll that is never off."""

from __future__ import annotations

import structlog

from actors.fan_out import FanOut
from actors.machine import machine, now_ms
from brokers.port import BrokerAdapter, Heartbeat, LinkDown, LinkUp
from config.schema import Config
from decisions.effects import MS
from decisions.gateway.lanes import Lanes, Query
from decisions.gateway.session import MarketHours
from decisions.groups.contracts import complete
from messages.market import BrokerSilent, BrokerUp, session_number
from messages.orders import InstrumentList, Snapshot
from monitoring.measures import Measures

DAY_NS = 86_400 * 10**9
SETTLE_MS = (1_000, 2_000, 4_000, 8_000)  # from one question about fills in doubt to the next
ASK_AGAIN_MS = 500  # without an instrument list for so long, it is asked for again
RECONNECT_MS = (50, 100, 200, 500, 1_000)


class BrokerSession:
    """Whether the broker is there, what time it is there, and what it was asked for."""

    def __init__(
        self,
        adapter: BrokerAdapter,
        config: Config,
        cells: FanOut,
        measures: Measures,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self.adapter, self.config, self.cells, self.measures, self.log = adapter, config, cells, measures, log
        self.lanes = Lanes(config.controls)  # by them leaves what is asked, and all that the door lets out
        self.instruments = InstrumentList(())
        self.hours = MarketHours(config.broker.calendar)
        self.list_ends_ns = 0  # broker time when the list is asked for anew
        self.held: frozenset[str] = frozenset()  # symbols of the account's positions
        self.clock_ns = 0
        self.number = 0  # unique over incarnations: the pid in the high bits; 0: no complete session
        self.linked = 0  # the adapter's number of the session; it is complete once the instruments are known
        self.silent = False
        self.silence = BrokerSilent("")  # why, since it is
        self.heard_ms = now_ms()
        self.asked_ms = 0
        self.unanswered_ms = 0  # since when a snapshot is owed to us; 0: none is
        self.polled_ns = 0
        self.probed = False  # a snapshot was asked for besides, by the reconciler or about fills in doubt
        self.questions, self.settle_ms = 0, 0  # about fills in doubt: how many were asked, and when the next is due
        self.subscribed: frozenset[str] = frozenset()
        self.attempts = 0
        self.refusal = ""  # why the last link ended, as long as there is none
        self.reconnect_ms = 0

    @property
    def is_up(self) -> bool:
        """Whether orders may leave: logged in, and the instruments are known."""
        return self.number != 0

    @property
    def is_running(self) -> bool:
        """Up, and heard of lately."""
        return self.is_up and not self.silent

    def look(self) -> None:
        """What is due by the machine's clock: connect again, ask again, or notice the silence."""
        now = now_ms()
        if self.reconnect_ms and now >= self.reconnect_ms:
            self.reconnect_ms = 0
            self.adapter.connect()
        if not self.silent and now - self.heard_ms > self.config.supervision.broker_silence_ms:
            why = f": {self.refusal}" if self.refusal else ""
            self.fall_silent(f"no broker clock for {now - self.heard_ms} ms{why}", link_down=not self.is_up)
        # a new phase or day may bring other lots and freeze quantities
        outdated = not self.is_up or self.clock_ns >= self.list_ends_ns
        if self.linked and outdated and now - self.asked_ms > ASK_AGAIN_MS:
            self.ask_instruments()
        late = self.unanswered_ms and now - self.unanswered_ms > self.config.broker.answer_timeout_ms
        if self.is_up and late and not self.lanes.waits(Query.SNAPSHOT):
            self.ask_state()  # an answer that was lost must not cost a whole poll

    def advance(self, ts_ns: int) -> None:
        """The broker's clock is the latest time that it ever said; it never runs backwards."""
        self.clock_ns = max(self.clock_ns, ts_ns)

    def on_heartbeat(self, heartbeat: Heartbeat) -> None:
        """The broker's clock: a tick for every cell, and every 12 s of it a snapshot (never off)."""
        self.advance(heartbeat.ts_ns)
        self.heard_ms = now_ms()
        if self.silent and self.is_up:
            self.silent = False
            self.ask_state()
            self.polled_ns = self.clock_ns
        config = self.config.reconciliation
        if self.clock_ns - self.polled_ns >= min(config.poll_ms, config.positions_ms) * MS:
            self.polled_ns = self.clock_ns
            self.ask_state()
        self.cells.tick(self.clock_ns)

    def on_snapshot(self, snapshot: Snapshot, doubted: frozenset[str]) -> None:
        """What was asked for has come.  The answer to a probe is not for the cells: see :meth:`probe`.

        What it says of orders with fills in doubt (``doubted``) they are told all the same: reports prove no absence.
        """
        probed, self.probed = self.probed and not self.unanswered_ms, False
        self.unanswered_ms = 0
        self.lanes.opening = False
        if not probed:
            self.cells.snapshot(snapshot, self.number)
            return
        for report in (*snapshot.executions, *snapshot.orders):
            if report.client_order_id in doubted:
                self.cells.pass_on(report.client_order_id, report)

    def on_link_up(self, link: LinkUp) -> None:
        """Logged in.  Nothing may leave before the instruments are known: without them every order would be refused."""
        self.attempts, self.refusal = 0, ""
        self.linked, self.lanes.opening = link.session, True
        self.advance(link.ts_ns)
        self.heard_ms = now_ms()
        self.silent = False
        self.subscribe()
        self.ask_instruments()

    def hold(self, symbols: frozenset[str]) -> None:
        """These are held: their quotes are needed, whoever wants them or not (E11)."""
        if symbols != self.held:
            self.held = symbols
            self.subscribe()

    def subscribe(self) -> None:
        """Have the quotes streamed that any cell wants, and those of what is held."""
        symbols = self.cells.symbols | self.held
        if symbols != self.subscribed:
            self.subscribed = symbols
            self.adapter.subscribe(symbols)

    def ask(self, query: Query) -> None:
        """Have this asked as soon as the lanes let it (E7); what waits to be asked is not asked twice."""
        self.lanes.ask(query, now_ms())

    def put(self, query: Query) -> None:
        """Ask the broker now; the time to answer begins."""
        match query:
            case Query.INSTRUMENTS:
                self.asked_ms = now_ms()
                self.adapter.request_instruments()
            case Query.ACCOUNT:
                self.adapter.request_account()
            case Query.SNAPSHOT:
                self.unanswered_ms = self.unanswered_ms and now_ms()
                self.adapter.request_snapshot()

    def ask_state(self) -> None:
        """The funds first: a snapshot opens the cells' gates, and a group is judged by what is known then."""
        self.ask(Query.ACCOUNT)
        self.ask(Query.SNAPSHOT)
        self.unanswered_ms = now_ms()

    def probe(self) -> None:
        """Somebody has a question that only a fresh snapshot answers; one that is owed already will do.

        The cells do not see the answer: to them two snapshots are two proofs of an order's absence, and the more often
        the broker is asked, the sooner an order that is still on its way would be given up.
        """
        if self.is_up and not self.unanswered_ms:
            self.probed = True
            self.ask(Query.SNAPSHOT)

    def settle(self, doubted: bool) -> None:
        """While fills are in doubt ask at once, and again, less and less often, until an answer has settled it."""
        if not doubted:
            if self.questions:
                self.questions, self.settle_ms = 0, 0
        elif now_ms() >= self.settle_ms:
            self.settle_ms = now_ms() + SETTLE_MS[min(self.questions, len(SETTLE_MS) - 1)]
            self.questions += 1
            self.probe()

    def ask_instruments(self) -> None:
        self.asked_ms = now_ms()
        self.ask(Query.INSTRUMENTS)

    def on_instruments(self, found: InstrumentList) -> None:
        """What can be traded; with it the session is complete."""
        today = self.hours.calendar.day(self.clock_ns)
        found = InstrumentList(complete(found.instruments, self.hours.calendar.name, today))
        self.instruments = found
        self.list_ends_ns = min(self.hours.at(self.clock_ns).until_ns, self.clock_ns + DAY_NS)
        self.cells.tell_all(found)
        if not self.is_up and self.linked:
            self.number = session_number(machine().pid(), self.linked)
            self.log.info("broker session", session=self.number, instruments=len(found.instruments))
            self.polled_ns = self.clock_ns
            self.measures.add("broker_sessions_total")
            self.ask_state()
            self.cells.tell_all(BrokerUp(self.number))

    def on_link_down(self, link: LinkDown) -> None:
        """Connect again soon; nothing leaves until then."""
        self.number = self.linked = 0
        self.lanes.forget_queries()
        pause = RECONNECT_MS[min(self.attempts, len(RECONNECT_MS) - 1)]
        self.attempts += 1
        self.reconnect_ms = now_ms() + pause
        self.log.warning("broker link down", reason=link.reason, retry_in_ms=pause)
        self.refusal = link.reason
        if not self.silent and self.clock_ns:  # a broker that never was there yet has its time to come up
            self.fall_silent(f"the broker link is down: {link.reason}", link_down=True)

    def fall_silent(self, reason: str, *, link_down: bool) -> None:
        """No new risk; the cells alert a person."""
        self.silent, self.silence = True, BrokerSilent(reason, link_down)
        self.cells.tell_all(self.silence)
