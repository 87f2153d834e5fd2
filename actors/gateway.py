"""BrokerGateway: the one door to the broker.  Controls, lanes, session, broker clock, kill switch, poll."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

from msgspec.structs import replace
from thespian.actors import ActorAddress, WatchMessage

from actors.fan_out import FanOut, home_of
from actors.process import CannotStart, ProcessActor
from brokers.port import Heartbeat, LinkDown, LinkUp
from brokers.registry import make_adapter
from config.paths import kill_switch_path
from decisions.controls import Controls
from decisions.effects import MS
from decisions.lanes import Lanes
from decisions.ledger import KEPT_ORDERS, Ledger
from decisions.thresholds import margin_use
from domain.execution import ExecutionReport
from domain.quotes import Quote
from messages import wire
from messages.market import BrokerSilent, BrokerUp, Funds
from messages.operator import CommandDone, KillSwitch
from messages.orders import (
    CancelOrder,
    CancelResult,
    ForgetOrder,
    InstrumentList,
    ModifyOrder,
    ModifyResult,
    OrderSent,
    Outcome,
    Snapshot,
    SubmitOrder,
    SubmitResult,
)
from messages.supervision import (
    EventBatchTaken,
    Hello,
    Operate,
    Operated,
    OrderBatch,
    OrderBatchTaken,
    Watch,
)

PUMP_MS = 20  # the adapter is pumped at least this often
ASK_AGAIN_MS = 500  # without an instrument list for so long, it is asked for again
RECONNECT_MS = (50, 100, 200, 500, 1_000)


class BrokerGateway(ProcessActor):
    """One per system; restarting it loses nothing but its tokens: the broker and the cells' journals know the rest."""

    role: ClassVar[str] = "gateway"

    def __init__(self) -> None:
        super().__init__()
        self.cells = FanOut(self.send, now_ms)
        self.handlers = {
            WatchMessage: lambda _message, _sender: self.pump(),
            Hello: self.on_hello,
            Watch: self.on_watch,
            OrderBatch: self.on_order_batch,
            EventBatchTaken: self.cells.taken,
            Operate: self.on_operate,
        }
        self.instruments = InstrumentList(())
        self.clock_ns = 0
        self.session = 0  # unique over incarnations: the pid in the high bits
        self.linked = 0  # the adapter's number of the session; it is complete once the instruments are known
        self.silent = False
        self.silence = BrokerSilent("")  # why, since it is
        self.heard_ms = 0
        self.asked_ms = 0
        self.unanswered_ms = 0  # since when a snapshot is owed to us; 0: none is
        self.polled_ns = 0
        self.attempts = 0
        self.reconnect_ms = 0
        self.killed = False
        self.unsent: OrderedDict[str, str] = OrderedDict()  # orders that were answered "it did not leave", and why
        self.entries_left = -1  # working entries at the last snapshot since the kill switch went on; -1: none seen yet

    def on_start(self) -> str:
        try:
            self.adapter = make_adapter(self.config.broker)
        except ValueError as error:
            raise CannotStart(str(error)) from None
        self.ledger = Ledger()
        self.lanes = Lanes(self.config.controls)
        self.controls = Controls(self.config.controls)
        self.measures.begin("broker_sessions_total")
        self.killed = self.kill_file.exists()
        self.heard_ms = now_ms()
        self.adapter.connect()
        self.wakeup(PUMP_MS, "pump")
        return f"{self.adapter.capabilities.name} at {self.config.broker.host}:{self.config.broker.port}"

    @property
    def kill_file(self) -> Path:
        """Its existence is the kill switch: it works while every journal and the broker are down (E9)."""
        return kill_switch_path(self.config.system.journal_dir)

    def watched(self) -> list[int]:
        descriptor = self.adapter.fileno() if hasattr(self, "adapter") else -1
        return [descriptor] if descriptor >= 0 else []

    def state(self) -> str:
        if self.killed:
            left = {-1: "not verified yet", 0: "verified: no entry works"}
            return f"killed, {left.get(self.entries_left, f'{self.entries_left} entries still work')}"
        return "silent" if self.silent or not self.session else "running"

    def measure(self) -> None:
        self.measures.set("broker_link_up", bool(self.session and not self.silent))
        self.measures.set("kill_switch", self.killed)
        self.measures.set("mailbox_depth", len(self.lanes), to="broker")
        for index, depth in self.cells.depths().items():
            self.measures.set("mailbox_depth", depth, to=f"cell-{index}")

    def on_exit(self) -> None:
        if hasattr(self, "adapter"):
            self.adapter.close()

    def on_wakeup(self, payload: Any) -> None:
        del payload
        self.wakeup(PUMP_MS, "pump")
        now = now_ms()
        if self.reconnect_ms and now >= self.reconnect_ms:
            self.reconnect_ms = 0
            self.adapter.connect()
        if not self.silent and now - self.heard_ms > self.config.supervision.broker_silence_ms:
            self.fall_silent(f"no broker clock for {now - self.heard_ms} ms", link_down=not self.session)
        if self.linked and not self.session and now - self.asked_ms > ASK_AGAIN_MS:
            self.ask_instruments()
        if self.session and self.unanswered_ms and now - self.unanswered_ms > self.config.broker.answer_timeout_ms:
            self.ask_state()  # an answer that was lost must not cost a whole poll
        if self.killed != self.kill_file.exists():
            self.set_kill_switch(on=not self.killed)
        self.pump()
        self.cells.resend()

    # From the broker

    def pump(self) -> None:
        """Take what the broker said, let out what may leave, and pass everything on."""
        for event in self.adapter.pump():
            self.on_broker_event(event)
        self.let_out()
        self.cells.flush()

    def on_broker_event(self, event: Any) -> None:
        match event:
            case Quote():
                self.cells.on_quote(event)
            case Heartbeat():
                self.on_heartbeat(event)
            case ExecutionReport():
                self.clock_ns = max(self.clock_ns, event.ts_ns)
                self.ledger.follow(event)
                self.cells.pass_on(event.client_order_id, event)
            case SubmitResult():
                self.ledger.answered(event)
                self.cells.pass_on(event.client_order_id, event)
            case CancelResult() | ModifyResult():
                self.cells.pass_on(event.client_order_id, event)
            case Snapshot():
                self.on_snapshot(event)
            case InstrumentList():
                self.on_instruments(event)
            case Funds():
                self.measures.set("margin_use_ratio", margin_use(event))
                self.cells.tell_all(event)
            case LinkUp():
                self.on_link_up(event)
            case LinkDown():
                self.on_link_down(event)

    def on_heartbeat(self, heartbeat: Heartbeat) -> None:
        """The broker's clock: a tick for every cell, and every 12 s of it a snapshot (never off)."""
        self.clock_ns = max(self.clock_ns, heartbeat.ts_ns)
        self.heard_ms = now_ms()
        if self.silent and self.session:
            self.silent = False
            self.ask_state()
            self.polled_ns = self.clock_ns
        if self.clock_ns - self.polled_ns >= self.config.reconciliation.poll_ms * MS:
            self.polled_ns = self.clock_ns
            self.ask_state()
        self.cells.tick(self.clock_ns)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.unanswered_ms = 0
        self.ledger.load(snapshot)
        if self.killed:
            self.entries_left = self.cancel_entries()
        self.cells.snapshot(snapshot, self.session)

    def on_link_up(self, link: LinkUp) -> None:
        """Logged in.  Nothing may leave before the instruments are known: without them every order would be refused."""
        self.attempts = 0
        self.linked = link.session
        self.clock_ns = max(self.clock_ns, link.ts_ns)
        self.heard_ms = now_ms()
        self.silent = False
        self.subscribe()
        self.ask_instruments()

    def ask_state(self) -> None:
        """The funds first: a snapshot opens the cells' gates, and a group is judged by what is known then."""
        self.adapter.request_account()
        self.adapter.request_snapshot()
        self.unanswered_ms = now_ms()

    def ask_instruments(self) -> None:
        self.asked_ms = now_ms()
        self.adapter.request_instruments()

    def on_instruments(self, found: InstrumentList) -> None:
        """What can be traded; with it the session is complete."""
        self.instruments = found
        self.controls.learn(found.instruments)
        self.cells.tell_all(found)
        if not self.session and self.linked:
            self.session = os.getpid() << 16 | self.linked
            self.log.info("broker session", session=self.session, instruments=len(found.instruments))
            self.polled_ns = self.clock_ns
            self.measures.add("broker_sessions_total")
            self.ask_state()
            self.cells.tell_all(BrokerUp(self.session))

    def on_link_down(self, link: LinkDown) -> None:
        self.session = self.linked = 0
        pause = RECONNECT_MS[min(self.attempts, len(RECONNECT_MS) - 1)]
        self.attempts += 1
        self.reconnect_ms = now_ms() + pause
        self.log.warning("broker link down", reason=link.reason, retry_in_ms=pause)
        for request in self.lanes.drop_all():
            self.answer_unsent(request, "the broker link went down before it was sent")
        if not self.silent:
            self.fall_silent(f"the broker link is down: {link.reason}", link_down=True)

    def fall_silent(self, reason: str, *, link_down: bool) -> None:
        """No new risk; the cells alert a person."""
        self.silent, self.silence = True, BrokerSilent(reason, link_down)
        self.cells.tell_all(self.silence)

    # From the cells

    def on_hello(self, hello: Hello, sender: ActorAddress) -> None:
        """A cell's new incarnation: tell it the session, and show it what the broker knows."""
        cell = self.cells.hello(hello, sender)
        if cell is None:
            return
        self.lanes.drop(lambda request: home_of(request.client_order_id) == hello.cell and request.epoch < hello.epoch)
        self.subscribe()
        cell.window.put(KillSwitch(self.killed), self.instruments)
        if self.session:
            cell.window.put(BrokerUp(self.session))
            self.cells.tick_one(cell, self.clock_ns)
            self.ask_state()
        elif self.silent:
            cell.window.put(self.silence)
        self.cells.flush()

    def on_watch(self, watch: Watch, sender: ActorAddress) -> None:
        del sender
        self.cells.watch(watch)
        self.subscribe()

    def subscribe(self) -> None:
        self.adapter.subscribe(self.cells.symbols)

    def on_order_batch(self, batch: OrderBatch, sender: ActorAddress) -> None:
        if not self.cells.is_current(batch.cell, batch.epoch):
            return  # nothing of an older epoch leaves (I18); a newer one says Hello first
        self.send(sender, OrderBatchTaken(batch.epoch, batch.number))
        for request in wire.requests(batch.requests):
            if isinstance(request, ForgetOrder):
                self.forget(request)
                continue
            if request.client_order_id in self.unsent and isinstance(request, SubmitOrder):
                self.answer_unsent(replace(request, resend=False), self.unsent[request.client_order_id])
                continue
            waiting = self.lanes.put(request)
            if waiting is not None:
                self.answer_unsent(waiting, "canceled before it was sent")
        self.pump()

    # To the broker

    def let_out(self) -> None:
        """Send what the lanes release, each order judged at the last moment."""
        if not self.session:
            for request in self.lanes.drop_all():
                self.answer_unsent(request, "the broker link is down; it was not sent")
            return
        for request in self.lanes.take(now_ms()):
            match request:
                case SubmitOrder():
                    self.submit(request)
                case CancelOrder():
                    self.adapter.cancel(request)
                case ModifyOrder():
                    self.adapter.modify(request)

    def submit(self, order: SubmitOrder) -> None:
        judged = self.controls.judge(order, self.cells.quotes, self.ledger, now_ns=self.clock_ns, killed=self.killed)
        if judged.duplicate:
            return
        if not judged.allowed:
            self.measures.add("orders_refused_total", control=judged.reason.partition(":")[0])
            self.log.warning("order refused", client_order_id=order.client_order_id, reason=judged.reason)
            self.answer_unsent(order, judged.reason)
            return
        self.measures.add("orders_sent_total", role=order.role.value)
        self.ledger.sent(order)
        self.adapter.submit(order)
        self.cells.pass_on(
            order.client_order_id,
            OrderSent(client_order_id=order.client_order_id, ts_ns=self.clock_ns, checks=judged.checks),
        )

    def forget(self, void: ForgetOrder) -> None:
        """A cell has proven that an order never reached the broker: its parent may place the quantity again."""
        self.ledger.answered(
            SubmitResult(client_order_id=void.client_order_id, outcome=Outcome.REFUSED, ts_ns=self.clock_ns)
        )

    def answer_unsent(self, request: wire.Request, reason: str) -> None:
        """It did not leave.  That is definitive, except where another copy may be at the broker.

        Definitive means that no copy leaves later either: a batch may come twice, and its order may have been placed
        again under its next attempt by then.
        """
        if not isinstance(request, SubmitOrder):
            return
        definitive = not request.resend and not self.ledger.knows(request.client_order_id)
        if definitive:
            self.unsent[request.client_order_id] = reason
            if len(self.unsent) > KEPT_ORDERS:
                self.unsent.popitem(last=False)
        result = SubmitResult(
            client_order_id=request.client_order_id,
            outcome=Outcome.REFUSED if definitive else Outcome.UNKNOWN,
            ts_ns=self.clock_ns,
            reason=reason,
            left=False,
        )
        self.cells.pass_on(request.client_order_id, result)

    # Kill switch

    def on_operate(self, message: Operate, sender: ActorAddress) -> None:
        command = wire.command(message.command)
        if isinstance(command, KillSwitch):
            count = self.set_kill_switch(on=command.on)
            text = f"kill switch on; {count} working entries are being canceled" if command.on else "kill switch off"
            self.send(sender, Operated(message.command_id, wire.pack(CommandDone(text))))

    def set_kill_switch(self, *, on: bool) -> int:
        """No new risk from this moment (I26), whatever else is down; returns how many entries are being canceled."""
        self.killed, self.entries_left = on, -1
        self.log.warning("kill switch", on=on)
        try:
            if on:
                self.kill_file.touch()
            else:
                self.kill_file.unlink(missing_ok=True)
        except OSError as error:
            self.log.error("the kill switch could not be written to disk", error=str(error))
        self.cells.tell_all(KillSwitch(on))
        if not on:
            self.cells.flush()
            return 0
        for request in self.lanes.drop_entries():
            self.measures.add("orders_refused_total", control="E9")
            self.answer_unsent(request, "E9: the kill switch is on")
        count = self.cancel_entries()
        self.adapter.request_snapshot()  # its answer verifies that no entry works any more (R24)
        self.pump()
        return count

    def cancel_entries(self) -> int:
        """Ask the broker to cancel every working entry of ours; repeated with every snapshot while killed."""
        entries = self.ledger.open_entries()
        for entry in entries:
            self.adapter.cancel(
                CancelOrder(
                    client_order_id=entry.client_order_id,
                    venue_order_id=entry.venue_order_id,
                    request_id=f"{entry.client_order_id}/k{self.clock_ns}",
                    epoch=0,
                )
            )
        return len(entries)


def now_ms() -> int:
    """The machine's monotonic clock, in milliseconds: for pacing and silence only, never for a deadline (S12)."""
    return time.monotonic_ns() // MS
