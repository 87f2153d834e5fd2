"""BrokerGateway: the one door to the broker.  Controls, lanes, session, broker clock, kill switch, poll."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, ClassVar

from msgspec.structs import replace
from thespian.actors import ActorAddress, WatchMessage

from actors.process import CannotStart, ProcessActor
from actors.window import OutWindow
from brokers.port import Heartbeat, LinkDown, LinkUp
from brokers.registry import make_adapter
from config.paths import kill_switch_path
from decisions.controls import Controls
from decisions.effects import MS
from decisions.lanes import Lanes
from decisions.ledger import Ledger
from domain.execution import ExecutionReport
from domain.groups import cell_of
from domain.quotes import Quote
from messages import wire
from messages.market import BrokerSilent, BrokerUp, Tick
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
    EventBatch,
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


class CellLink:
    """What the gateway knows of one cell."""

    def __init__(self, address: ActorAddress, epoch: int, window: OutWindow[wire.Event]) -> None:
        self.address, self.epoch, self.window = address, epoch, window
        self.symbols: frozenset[str] = frozenset()
        self.fresh: dict[str, Quote] = {}  # newest quote per symbol since the last tick


class BrokerGateway(ProcessActor):
    """One per system; restarting it loses nothing but its tokens: the broker and the cells' journals know the rest."""

    role: ClassVar[str] = "gateway"

    def __init__(self) -> None:
        super().__init__()
        self.handlers = {
            WatchMessage: lambda _message, _sender: self.pump(),
            Hello: self.on_hello,
            Watch: self.on_watch,
            OrderBatch: self.on_order_batch,
            EventBatchTaken: self.on_taken,
            Operate: self.on_operate,
        }
        self.cells: dict[int, CellLink] = {}
        self.quotes: dict[str, Quote] = {}
        self.instruments = InstrumentList(())
        self.clock_ns = 0
        self.session = 0  # unique over incarnations: the pid in the high bits
        self.linked = 0  # the adapter's number of the session; it is complete once the instruments are known
        self.silent = False
        self.silence = BrokerSilent("")  # why, since it is
        self.heard_ms = 0
        self.asked_ms = 0
        self.polled_ns = 0
        self.attempts = 0
        self.reconnect_ms = 0
        self.killed = False

    def on_start(self) -> str:
        try:
            self.adapter = make_adapter(self.config.broker)
        except ValueError as error:
            raise CannotStart(str(error)) from None
        self.ledger = Ledger()
        self.lanes = Lanes(self.config.controls)
        self.controls = Controls(self.config.controls)
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
        return "killed" if self.killed else "silent" if self.silent or not self.session else "running"

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
        if self.killed != self.kill_file.exists():
            self.set_kill_switch(on=not self.killed)
        self.pump()
        for cell in self.cells.values():
            cell.window.resend(now)

    # From the broker

    def pump(self) -> None:
        """Take what the broker said, let out what may leave, and pass everything on."""
        for event in self.adapter.pump():
            self.on_broker_event(event)
        self.let_out()
        self.flush()

    def on_broker_event(self, event: Any) -> None:
        match event:
            case Quote():
                self.on_quote(event)
            case Heartbeat():
                self.on_heartbeat(event)
            case ExecutionReport():
                self.clock_ns = max(self.clock_ns, event.ts_ns)
                self.ledger.follow(event)
                self.pass_on(event.client_order_id, event)
            case SubmitResult():
                self.ledger.answered(event)
                self.pass_on(event.client_order_id, event)
            case CancelResult() | ModifyResult():
                self.pass_on(event.client_order_id, event)
            case Snapshot():
                self.on_snapshot(event)
            case InstrumentList():
                self.on_instruments(event)
            case LinkUp():
                self.on_link_up(event)
            case LinkDown():
                self.on_link_down(event)

    def on_quote(self, quote: Quote) -> None:
        self.quotes[quote.symbol] = quote
        for cell in self.cells.values():
            if quote.symbol in cell.symbols:
                cell.fresh[quote.symbol] = quote

    def on_heartbeat(self, heartbeat: Heartbeat) -> None:
        """The broker's clock: a tick for every cell, and every 12 s of it a snapshot (never off)."""
        self.clock_ns = max(self.clock_ns, heartbeat.ts_ns)
        self.heard_ms = now_ms()
        if self.silent and self.session:
            self.silent = False
            self.adapter.request_snapshot()
            self.polled_ns = self.clock_ns
        if self.clock_ns - self.polled_ns >= self.config.reconciliation.poll_ms * MS:
            self.polled_ns = self.clock_ns
            self.adapter.request_snapshot()
        for cell in self.cells.values():
            if len(cell.window) < 1_000:  # a cell that is behind needs no more ticks; the next one says it all
                cell.window.put(Tick(self.clock_ns, tuple(cell.fresh.values())))
                cell.fresh.clear()

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Tell each cell its own orders; what carries no tag of ours goes to the first cell as foreign."""
        self.ledger.load(snapshot)
        if self.killed:
            self.cancel_entries()
        for index, cell in self.cells.items():
            cell.window.put(
                replace(
                    snapshot,
                    session=self.session,
                    orders=tuple(r for r in snapshot.orders if home_of(r.client_order_id) == index),
                    executions=tuple(r for r in snapshot.executions if home_of(r.client_order_id) == index),
                )
            )

    def on_link_up(self, link: LinkUp) -> None:
        """Logged in.  Nothing may leave before the instruments are known: without them every order would be refused."""
        self.attempts = 0
        self.linked = link.session
        self.clock_ns = max(self.clock_ns, link.ts_ns)
        self.heard_ms = now_ms()
        self.silent = False
        self.subscribe()
        self.ask_instruments()

    def ask_instruments(self) -> None:
        self.asked_ms = now_ms()
        self.adapter.request_instruments()

    def on_instruments(self, found: InstrumentList) -> None:
        """What can be traded; with it the session is complete."""
        self.instruments = found
        self.controls.learn(found.instruments)
        for cell in self.cells.values():
            cell.window.put(found)
        if not self.session and self.linked:
            self.session = os.getpid() << 16 | self.linked
            self.log.info("broker session", session=self.session, instruments=len(found.instruments))
            self.polled_ns = self.clock_ns
            self.adapter.request_snapshot()
            for cell in self.cells.values():
                cell.window.put(BrokerUp(self.session))

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
        for cell in self.cells.values():
            cell.window.put(self.silence)

    def pass_on(self, client_order_id: str, event: wire.Event) -> None:
        cell = self.cells.get(home_of(client_order_id))
        if cell is not None:
            cell.window.put(event)  # a cell that is not there finds it in the snapshot that follows its Hello

    # From the cells

    def on_hello(self, hello: Hello, sender: ActorAddress) -> None:
        """A cell's new incarnation: tell it the session, and show it what the broker knows."""
        known = self.cells.get(hello.cell)
        if known is not None and hello.epoch < known.epoch:
            return  # a zombie of an older epoch (I17)

        def transmit(number: int, events: tuple[wire.Event, ...]) -> None:
            self.send(sender, EventBatch(os.getpid(), number, wire.pack(events)))

        cell = CellLink(sender, hello.epoch, OutWindow(transmit))
        if known is not None:
            known.window.drop(
                lambda event: not isinstance(event, Tick | Snapshot | BrokerUp | BrokerSilent | InstrumentList)
            )
            cell.window = known.window
            cell.window.retarget(transmit)
        self.lanes.drop(lambda request: home_of(request.client_order_id) == hello.cell and request.epoch < hello.epoch)
        cell.symbols = hello.symbols
        cell.fresh = {symbol: self.quotes[symbol] for symbol in hello.symbols if symbol in self.quotes}
        self.cells[hello.cell] = cell
        self.subscribe()
        cell.window.put(KillSwitch(self.killed), self.instruments)
        if self.session:
            cell.window.put(BrokerUp(self.session), Tick(self.clock_ns, tuple(cell.fresh.values())))
            self.adapter.request_snapshot()
        elif self.silent:
            cell.window.put(self.silence)
        self.flush()

    def on_watch(self, watch: Watch, sender: ActorAddress) -> None:
        del sender
        cell = self.cells.get(watch.cell)
        if cell is not None:
            cell.symbols = watch.symbols
            self.subscribe()

    def subscribe(self) -> None:
        self.adapter.subscribe(frozenset().union(*(cell.symbols for cell in self.cells.values())))

    def on_taken(self, taken: EventBatchTaken, sender: ActorAddress) -> None:
        for cell in self.cells.values():
            if cell.address == sender and taken.gateway == os.getpid():
                cell.window.taken(taken.number, now_ms())

    def on_order_batch(self, batch: OrderBatch, sender: ActorAddress) -> None:
        cell = self.cells.get(batch.cell)
        if cell is None or batch.epoch != cell.epoch:
            return  # nothing of an older epoch leaves (I18); a newer one says Hello first
        self.send(sender, OrderBatchTaken(batch.epoch, batch.number))
        for request in wire.requests(batch.requests):
            if isinstance(request, ForgetOrder):
                self.forget(request)
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
        judged = self.controls.judge(order, self.quotes, self.ledger, now_ns=self.clock_ns, killed=self.killed)
        if judged.duplicate:
            return
        if not judged.allowed:
            self.log.warning("order refused", client_order_id=order.client_order_id, reason=judged.reason)
            self.answer_unsent(order, judged.reason)
            return
        self.ledger.sent(order)
        self.adapter.submit(order)
        self.pass_on(
            order.client_order_id,
            OrderSent(client_order_id=order.client_order_id, ts_ns=self.clock_ns, checks=judged.checks),
        )

    def forget(self, void: ForgetOrder) -> None:
        """A cell has proven that an order never reached the broker: its parent may place the quantity again."""
        self.ledger.answered(
            SubmitResult(client_order_id=void.client_order_id, outcome=Outcome.REFUSED, ts_ns=self.clock_ns)
        )

    def answer_unsent(self, request: wire.Request, reason: str) -> None:
        """It did not leave.  That is definitive, except for a resend: the first copy may be at the broker."""
        if not isinstance(request, SubmitOrder):
            return
        result = SubmitResult(
            client_order_id=request.client_order_id,
            outcome=Outcome.UNKNOWN if request.resend else Outcome.REFUSED,
            ts_ns=self.clock_ns,
            reason=reason,
            left=False,
        )
        self.pass_on(request.client_order_id, result)

    # Kill switch

    def on_operate(self, message: Operate, sender: ActorAddress) -> None:
        command = wire.command(message.command)
        if isinstance(command, KillSwitch):
            count = self.set_kill_switch(on=command.on)
            text = f"kill switch on; {count} working entries are being canceled" if command.on else "kill switch off"
            self.send(sender, Operated(message.command_id, wire.pack(CommandDone(text))))

    def set_kill_switch(self, *, on: bool) -> int:
        """No new risk from this moment (I26), whatever else is down; returns how many entries are being canceled."""
        self.killed = on
        self.log.warning("kill switch", on=on)
        try:
            if on:
                self.kill_file.touch()
            else:
                self.kill_file.unlink(missing_ok=True)
        except OSError as error:
            self.log.error("the kill switch could not be written to disk", error=str(error))
        for cell in self.cells.values():
            cell.window.put(KillSwitch(on))
        if not on:
            self.flush()
            return 0
        for request in self.lanes.drop_entries():
            self.answer_unsent(request, "E9: the kill switch is on")
        count = self.cancel_entries()
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

    def flush(self) -> None:
        now = now_ms()
        for cell in self.cells.values():
            cell.window.flush(now)


def home_of(client_order_id: str) -> int:
    """The cell that an order belongs to; the first one looks after what is foreign."""
    cell = cell_of(client_order_id)
    return 0 if cell is None else cell


def now_ms() -> int:
    """The machine's monotonic clock, in milliseconds: for pacing and silence only, never for a deadline (S12)."""
    return time.monotonic_ns() // MS
