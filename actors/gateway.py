"""BrokerGateway: the one door to the broker.  It joins its session, its door for orders, and the kill switch."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from thespian.actors import ActorAddress, WatchMessage

from actors.broker_session import BrokerSession
from actors.control_log import ControlLog
from actors.fan_out import QUOTES_ONLY, FanOut
from actors.machine import machine, now_ms
from actors.operating import Operator
from actors.order_door import OrderDoor
from actors.process import CannotStart, NotNow, ProcessActor
from actors.reconciler_line import ReconcilerLine
from actors.standing_alerts import StandingAlerts
from actors.trading import Trading
from actors.window import Arrival
from brokers.corrections import in_fix_words
from brokers.port import BrokerAdapter, BrokerEvent, Heartbeat, LinkDown, LinkUp
from brokers.wire_record import RecordedAdapter
from config.paths import gateway_journal_path, gateway_lock_path
from decisions.effects import MS
from decisions.gateway.lanes import WINDOW_MS
from decisions.thresholds import margin_use
from domain.execution import ExecutionReport
from domain.quotes import Quote
from domain.rollout import realm_of_cell
from domain.trading import TradingState
from messages import wire
from messages.market import BrokerUp, Funds, MarketStatus
from messages.operator import KillSwitch
from messages.orders import CancelResult, InstrumentList, ModifyResult, Snapshot, SubmitResult
from messages.positions import Attend, Compared, Findings, Probe
from messages.records import Severity
from messages.supervision import (
    PROTOCOL,
    CellState,
    EventBatchTaken,
    Hello,
    Operate,
    Operated,
    OrderBatch,
    OrderBatchTaken,
    Trouble,
    Version,
    Watch,
)

BUSY_MS = 20  # it looks again so soon while something waits that neither a readable byte nor a clock announces …
IDLE_MS = 100  # … and else at least this often: the kill switch is a file, an override ends by itself


class BrokerGateway(ProcessActor):
    """One per system; restarting it loses nothing: broker, cells' journals and wire record know all of it."""

    role: ClassVar[str] = "gateway"
    session: BrokerSession  # these from :meth:`open` on
    door: OrderDoor
    trading: Trading
    memory: ControlLog
    operator: Operator
    standing_alerts: StandingAlerts

    def __init__(self) -> None:
        super().__init__()
        self.cells = FanOut(self.send, now_ms)
        self.reconciler = ReconcilerLine(self.send, self.cells)
        self.is_open = False
        self.where = ""
        self.look_ms = 0  # when it looks again by itself; 0: that is not settled
        self.handlers = {
            WatchMessage: lambda _message, _sender: self.pump(),
            Hello: self.on_hello,
            Watch: self.on_watch,
            OrderBatch: self.on_order_batch,
            EventBatchTaken: self.cells.taken,
            CellState: self.on_cell_state,
            Operate: self.on_operate,
            Attend: self.on_attend,
            Probe: self.on_probe,
            Compared: self.on_compared,
            Findings: self.reconciler.pass_on,
        }

    def on_start(self) -> str:
        try:
            adapter = machine().make_adapter(self.config.broker)
        except ValueError as error:
            raise CannotStart(str(error)) from None
        self.cells.realm = self.realm
        self.open(adapter)
        self.measures.begin("broker_sessions_total", "control_actions_total")
        self.session.adapter.connect()
        self.look_again()
        self.where = f"{adapter.capabilities.name} at {self.config.broker.host}:{self.config.broker.port}"
        return self.where

    def open(self, adapter: BrokerAdapter) -> None:
        """Take an adapter into service.  Raises ``NotNow`` while another gateway lives: two never send (I17)."""
        lock = gateway_lock_path(self.config.system.journal_dir)
        if not machine().claim(lock):
            raise NotNow(f"the gateway before this one lives on as {machine().owner_of(lock)}: stop that process first")
        wire_record = machine().wire_record(self.config, self.log)
        left_ms = wire_record.left_ms(WINDOW_MS)
        recorded = RecordedAdapter(adapter, wire_record)
        self.session = BrokerSession(recorded, self.config, self.cells, self.measures, self.log)
        self.memory = ControlLog(
            gateway_journal_path(self.config.system.journal_dir), self.log, self.config.controls.authorized
        )
        self.door = OrderDoor(
            self.config.controls, self.memory, self.session, self.cells, self.measures, self.log, wire_record
        )
        self.door.lanes.remember(left_ms)
        kill_file = machine().kill_switch(self.config)
        self.trading = Trading(kill_file, self.memory, self.door, self.session, self.cells, self.log, wire_record)
        limits = msgspec.to_builtins(self.config.controls)
        wire_record.note(
            "start",
            killed=self.trading.killed,
            blind=bool(self.memory.problem),
            unwritten=self.trading.is_unwritten,
            controls=limits,
            stop_fallback_ms=self.config.stop_loss.fallback_ms,
            calendar=self.config.broker.calendar,
            freeze_after_ms=self.config.alerts.freeze_after_ms,
            strategies=[rules.name for rules in self.config.strategy],
            server_stops=adapter.capabilities.server_side_stops,
        )
        self.operator = Operator(self.config.controls, self.memory, self.trading)
        self.standing_alerts = StandingAlerts(self.memory, self.cells, self.door.controls.hours.calendar)
        self.is_open = True

    def watched(self) -> list[int]:
        descriptor = self.session.adapter.fileno() if self.is_open else -1
        return [descriptor] if descriptor >= 0 else []

    def detail(self) -> str:
        return (self.is_open and self.trading.told.reason) or self.where

    def state(self) -> str:
        if not self.session.is_running and not self.trading.stops_entries:
            return "silent"
        return self.trading.state() or "running"

    def measure(self) -> None:
        self.measures.set("broker_link_up", self.session.is_running)
        self.measures.set("kill_switch", self.trading.killed)
        for state in TradingState:
            self.measures.set("trading_state", self.trading.told.state is state, state=state.value)
        self.measures.set("mailbox_depth", len(self.door.lanes), to="broker")
        for index, depth in self.cells.depths().items():
            self.measures.set("mailbox_depth", depth, to="quotes" if index == QUOTES_ONLY else f"cell-{index}")

    def on_exit(self) -> None:
        if self.is_open:
            self.session.adapter.close()
            self.memory.close()

    def on_wakeup(self, payload: Any) -> None:
        if payload != self.look_ms:
            return  # an earlier look was asked for after this one, and has taken place
        self.look_ms = 0
        self.session.look()
        self.memory.look()
        self.trading.look()
        self.pump()
        self.cells.resend()

    def look_again(self) -> None:
        """Have this gateway look by itself when the next thing is due that no readable byte announces."""
        now = now_ms()
        hurries = self.session.adapter.has_unsent or self.door.crossings.waiting()
        rest_ms = now + (BUSY_MS if hurries else IDLE_MS)
        announced = [at for at in (self.door.lanes.next_ms(now), self.session.reconnect_ms) if at]
        due = max(now + 1, min([rest_ms, *announced]))
        if not self.look_ms or due < self.look_ms:
            self.look_ms = due
            self.wakeup(due - now, due)

    # From the broker

    def pump(self) -> None:
        """Take what the broker said, let out what may leave, and pass everything on."""
        for event in self.session.adapter.pump():
            self.on_broker_event(in_fix_words(event, self.session.adapter.capabilities.corrections))
        self.session.settle(bool(self.door.ledger.doubted))
        self.door.stop_repeated()
        self.trading.review()
        self.door.let_out()
        self.trading.verify()
        self.memory.advance(self.session.clock_ns)
        self.memory.flush()
        self.standing_alerts.look(self.trading.now_ns())
        for text in self.door.misdirected:
            self.trouble(text)
        self.door.misdirected.clear()
        if self.session.is_up:
            self.cells.tell_first_quotes(self.session.clock_ns)
        self.cells.flush()
        self.look_again()

    def on_broker_event(self, event: BrokerEvent) -> None:
        match event:
            case Quote():
                self.cells.on_quote(event)
            case Heartbeat():
                self.session.on_heartbeat(event)
                self.door.account.watch.look(self.session.clock_ns)
            case ExecutionReport():
                self.session.advance(event.ts_ns)
                self.door.ledger.follow(event)
                self.door.account.watch.follow(event)
                self.cells.pass_on(event.client_order_id, event)
            case SubmitResult():
                self.door.ledger.answered(event)
                self.cells.pass_on(event.client_order_id, event)
            case CancelResult():
                self.cells.pass_on(event.client_order_id, event)
            case ModifyResult():
                self.door.ledger.changed(event)
                self.cells.pass_on(event.client_order_id, event)
            case Snapshot():
                doubted = frozenset(self.door.ledger.doubted)
                self.door.ledger.load(event)
                lag_ms = self.session.adapter.capabilities.snapshot_lag_ms
                self.door.account.watch.load(event, self.session.clock_ns, lag_ms * MS)
                self.session.hold(self.door.account.watch.held)
                self.trading.on_snapshot(event.as_of_ns)
                self.door.stop_repeated(again=True)
                self.session.on_snapshot(event, doubted)
                self.reconciler.show(event, self.session.number, lag_ms, self.trading.start)
            case InstrumentList():
                self.session.on_instruments(event)
                self.door.controls.learn(self.session.instruments.instruments)
                self.door.account.watch.learn(self.session.instruments.instruments)
            case MarketStatus():
                self.door.controls.hours.status = event
                self.cells.tell_all(event)
            case Funds():
                self.measures.set("margin_use_ratio", margin_use(event))
                self.door.account.watch.take_funds(event)
                self.cells.tell_all(event)
            case LinkUp():
                self.session.on_link_up(event)
            case LinkDown():
                self.door.drop_all("the broker link went down before it was sent")
                self.session.on_link_down(event)

    # From the cells

    def on_hello(self, hello: Hello, sender: ActorAddress) -> None:
        """A cell's new incarnation: tell it the session, and show it what the broker knows."""
        if realm_of_cell(hello.cell) is not self.realm:
            self.trouble(
                f"cell {hello.cell} of the other realm called at the {self.realm.value} gateway; it is not heard"
            )
            return
        if self.speaks_otherwise(f"cell {hello.cell}", hello.version):
            return
        if self.cells.knows(hello, sender):
            self.session.subscribe()
            return  # it has heard nothing for a while; what it is owed has been sent again, and nothing is lost
        cell = self.cells.hello(hello, sender)
        if cell is None:
            return
        self.door.drop_older(hello.cell, hello.epoch)
        self.door.presented(wire.working(hello.working))
        self.session.subscribe()
        cell.window.put(KillSwitch(self.trading.killed), self.trading.told, self.door.controls.hours.status)
        if self.session.is_up:  # before that the instruments are not known, and an empty list would say that none are
            cell.window.put(self.session.instruments)
            cell.window.put(BrokerUp(self.session.number))
            self.cells.tick_one(cell, self.session.clock_ns)
            self.session.ask_state()
        elif self.session.silent:
            cell.window.put(self.session.silence)
        self.pump()

    def speaks_otherwise(self, who: str, version: Version) -> bool:
        """Whether a process runs other code than this one (E16): it is not heard, and a person is told."""
        if version == PROTOCOL:
            return False
        text = f"{who} speaks {version}, the gateway {PROTOCOL}: it is not heard; stop all of it and start it again"
        self.log.error("wrong version", text=text)
        self.send(self.parent, Trouble("WRONG_VERSION", text, Severity.CRITICAL.value))
        return True

    def trouble(self, text: str) -> None:
        """The realms got mixed up, which nothing but a fault of this program can do: nothing left, a person is told."""
        self.log.error("wrong realm", text=text)
        self.send(self.parent, Trouble("WRONG_REALM", text, Severity.CRITICAL.value))

    def on_watch(self, watch: Watch, sender: ActorAddress) -> None:
        del sender
        self.cells.watch(watch)
        self.session.subscribe()
        self.pump()

    def on_cell_state(self, state: CellState, sender: ActorAddress) -> None:
        """A cell has shorts that nothing protects (E20), or an alert that waits for a person (E18), or has it no more.

        An older incarnation's word may come late, and counts no more; a newer one says Hello first.
        """
        del sender
        if self.cells.is_current(state.cell, state.epoch):
            self.cells.take_freeze(state.cell, state.freezes_ns)
            self.trading.review()
            self.door.account.watch.exposed(state.cell, state.uncovered_qty, self.session.clock_ns)

    def on_order_batch(self, batch: OrderBatch, sender: ActorAddress) -> None:
        if not self.cells.is_current(batch.cell, batch.epoch):
            return  # nothing of an older epoch leaves (I18); a newer one says Hello first
        arrival = self.cells.arrives(batch)
        if arrival is Arrival.EARLY:
            return
        if arrival is Arrival.NEXT:  # first what is urgent: the cell is in no hurry to hear that it was taken
            self.door.take(wire.requests(batch.requests))
            self.pump()
        self.send(sender, OrderBatchTaken(batch.epoch, batch.number))

    def on_attend(self, attend: Attend, sender: ActorAddress) -> None:
        if self.speaks_otherwise("the reconciler", attend.version):
            return
        self.reconciler.attend(attend, sender)
        if attend.opened:
            self.trading.start.carry_on()
        self.session.subscribe()
        self.session.probe()
        self.pump()

    def on_probe(self, probe: Probe, sender: ActorAddress) -> None:
        """The reconciler has a question."""
        del probe, sender
        self.session.probe()
        self.pump()

    def on_compared(self, message: Compared, sender: ActorAddress) -> None:
        """After a start, new risk waits for this; it comes before the findings of the same comparison."""
        self.trading.start.take(message, sender)
        self.pump()

    # From the operator

    def on_operate(self, message: Operate, sender: ActorAddress) -> None:
        """Carry it out, let the cancels out at once, and answer when it is durable, or why it is not."""
        answer = self.operator.carry_out(wire.command(message.command))
        self.pump()
        self.send(sender, Operated(message.number, message.command_id, wire.pack(answer)))
