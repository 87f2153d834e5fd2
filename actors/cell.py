"""Cell: a process that owns one journal and the groups in it.  A bulkhead: it can die alone."""

from __future__ import annotations

from typing import Any, ClassVar

from thespian.actors import ActorAddress

from actors.cell_tree import CellTree, Released
from actors.machine import machine, now_ms
from actors.process import CannotStart, NotNow, ProcessActor
from actors.window import Arrival, InWindow, OutWindow
from config.paths import journal_path
from decisions.alerts import told_again
from decisions.orders.presented import working_order
from domain.rollout import realm_of_cell
from messages import wire
from messages.market import Tick
from messages.records import EscalationRecord
from messages.supervision import (
    AlertBatch,
    AlertBatchTaken,
    CellState,
    EventBatch,
    EventBatchTaken,
    Hello,
    Operate,
    Operated,
    OrderBatch,
    OrderBatchTaken,
    Watch,
)
from storage.port import CommitUnknown, JournalError, JournalLocked, JournalUnavailable

RESEND_EVERY_MS = 500
GREET_AGAIN_MS = 3_000  # a gateway that says nothing for so long, not even the time, may never have heard of this cell
WATCH_EVERY = 10  # of those: what quotes are wanted, and how this cell stands, is said again
ALERT_AGAIN_MS = 3_000


class Cell(ProcessActor):
    """Owns ``cell-<index>.db``.  Everything that it does goes through one turn at a time."""

    role: ClassVar[str] = "cell"

    def __init__(self) -> None:
        super().__init__()
        self.handlers = {
            EventBatch: self.on_events,
            OrderBatchTaken: self.on_orders_taken,
            AlertBatchTaken: self.on_alerts_taken,
            Operate: self.on_operate,
        }
        self.orders: OutWindow[wire.Request] = OutWindow(self.transmit_orders)
        self.waiting: dict[str, tuple[ActorAddress, int]] = {}  # command id -> who asked last, and the ask's number
        self.symbols: frozenset[str] = frozenset()
        self.told: CellState | None = None  # how it stands, as the gateway was last told
        self.greeted: ActorAddress | None = None
        self.heard_ms = 0  # when the gateway was last heard of, by the machine's clock
        self.beats = 0
        self.alerts: dict[str, tuple[EscalationRecord, int]] = {}  # passed on at that time, and not confirmed yet
        self.ticked_ms = now_ms()  # when the broker's clock was last heard, by the machine's
        self.repeated_ms = 0  # when alerts were last repeated without it …
        self.repeated: dict[str, int] = {}  # … and as which repetition, by their id
        self.gateway = 0  # the incarnation whose batches arrive
        self.arrivals = InWindow()

    def on_start(self) -> str:
        if realm_of_cell(self.index) is not self.realm:
            raise CannotStart(
                f"cell {self.index} is {realm_of_cell(self.index).value}, and was to be {self.realm.value}"
            )
        path = journal_path(self.config.system.journal_dir, self.index)
        try:
            self.journal = machine().open_journal(path)
        except JournalUnavailable as error:
            raise NotNow(f"{error}; make room, or look at the disk") from error
        except JournalLocked as error:  # the one before may still be dying
            raise NotNow(str(error)) from error
        except JournalError as error:
            raise CannotStart(str(error)) from error
        declared = machine().make_adapter(self.config.broker).capabilities
        self.tree = CellTree(
            self.index,
            self.config,
            self.journal,
            deduplicates=declared.deduplicates_client_order_ids,
            replaces=declared.replace_in_place,
            rests=declared.market_orders_rest,
            server_stops=declared.server_side_stops,
            beside=machine().other_realm(self.config, self.realm),
        )
        self.measures = self.tree.measures
        self.turn(())
        self.on_peers()
        self.wakeup(RESEND_EVERY_MS, "resend")
        return f"epoch {self.journal.epoch}, {len(self.journal.open_groups())} open groups"

    def on_peers(self) -> None:
        """Present this cell to a gateway that is new; what the old one owed is in the snapshot that follows.

        Alerts that an earlier incarnation of this cell or of the notifier did not pass on are sent again.
        """
        if self.peers.get("gateway") != self.greeted:
            self.greeted = self.peers.get("gateway")
            self.orders.drop(lambda _: False)
            self.tree.addressed()
            self.greet()
        undelivered = tuple(alert for alert in self.journal.open_escalations() if not alert.delivered_ns)
        if undelivered:
            self.pass_alerts(undelivered)

    def greet(self) -> None:
        """Tell the gateway that this cell is there, what it wants quotes of, and which orders of its may work."""
        self.symbols, self.heard_ms = self.tree.symbols, now_ms()
        if "gateway" in self.peers:
            working = wire.pack([working_order(intent, known) for intent, known in self.journal.live_orders()])
            hello = Hello(self.index, self.journal.epoch, self.symbols, working=working)
            self.send(self.peers["gateway"], hello)
            self.tell_state(again=True)

    def on_wakeup(self, payload: Any) -> None:
        """Make good what may have been lost on its way: orders, a greeting, a wish for quotes, its state, alerts."""
        del payload
        self.wakeup(RESEND_EVERY_MS, "resend")
        now = now_ms()
        self.orders.resend(now)
        if now - self.heard_ms > GREET_AGAIN_MS:
            self.greet()
        if self.beats % WATCH_EVERY == 0 and "gateway" in self.peers:
            self.send(self.peers["gateway"], Watch(self.index, self.symbols))
            self.tell_state(again=True)
        self.beats += 1
        late = tuple(alert for alert, since_ms in self.alerts.values() if now - since_ms > ALERT_AGAIN_MS)
        if late:
            self.pass_alerts(late)
        self.repeat_in_silence(now)

    def repeat_in_silence(self, now: int) -> None:
        """While the broker's clock is not heard, repeat alerts by the machine's: no order depends on it (S11, S12).

        The journal repeats by the broker's clock, and counts nothing of this.
        """
        if now - max(self.ticked_ms, self.repeated_ms) < self.config.alerts.repeat_ms:
            return
        self.repeated_ms = now
        found = told_again(self.journal.open_escalations(), self.repeated)
        self.repeated = {alert.escalation_id: alert.repeats for alert in found}
        if found:
            self.pass_alerts(found)

    def on_exit(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()

    def state(self) -> str:
        gate = self.tree.gate
        return "open" if gate.may_open else "reduce-only" if gate.may_send else "waiting for the broker"

    def detail(self) -> str:
        return f"epoch {self.journal.epoch}" + (f"; {self.tree.gate.shut_by}" if self.tree.gate.shut_by else "")

    def measure(self) -> None:
        self.measures.set("uncovered_units", self.tree.uncovered_qty)
        self.measures.set("may_open", self.tree.gate.may_open)
        self.measures.set("mailbox_depth", len(self.orders), to="gateway")

    def on_events(self, batch: EventBatch, sender: ActorAddress) -> None:
        """A turn.  The batch is acknowledged when its effects are durable."""
        self.heard_ms = now_ms()
        if batch.gateway != self.gateway:
            self.gateway, self.arrivals = batch.gateway, InWindow()
        match self.arrivals.arrives(batch.number, batch.oldest):
            case Arrival.EARLY:
                return
            case Arrival.NEXT:
                events = wire.events(batch.events)
                if any(type(event) is Tick for event in events):
                    self.ticked_ms = self.heard_ms
                self.turn(events)
        self.send(sender, EventBatchTaken(batch.gateway, batch.number))

    def on_operate(self, message: Operate, sender: ActorAddress) -> None:
        self.waiting[message.command_id] = sender, message.number
        self.turn((wire.command(message.command),))

    def on_orders_taken(self, taken: OrderBatchTaken, sender: ActorAddress) -> None:
        del sender
        if taken.epoch == self.journal.epoch:
            self.orders.taken(taken.number, now_ms())

    def on_alerts_taken(self, taken: AlertBatchTaken, sender: ActorAddress) -> None:
        del sender
        delivered = wire.delivered(taken.delivered)
        for one in delivered:
            passed = self.alerts.get(one.escalation_id)
            if passed is not None and passed[0].repeats <= one.repeats:
                del self.alerts[one.escalation_id]
        self.turn(delivered)

    def turn(self, inputs: tuple[Any, ...]) -> None:
        """Run one turn and let its results out.  A commit that failed is *unknown*: die and read again (I16)."""
        began = machine().monotonic_ns()
        try:
            released = self.tree.run(inputs)
        except CommitUnknown as error:
            self.log.error("commit failed, its fate is unknown: the cell dies and reads again", error=str(error))
            machine().die()
            return
        self.measures.observe("turn_seconds", (machine().monotonic_ns() - began) / 1e9)
        self.release(released)

    def release(self, released: Released) -> None:
        """Only what is durable gets here."""
        self.orders.put(*released.requests)
        self.orders.flush(now_ms())
        if released.alerts:
            self.pass_alerts(released.alerts)
        for command_id, answer in released.replies:
            if command_id in self.waiting:
                asker, number = self.waiting.pop(command_id)
                self.send(asker, Operated(number, command_id, wire.pack(answer)))
        if self.tree.symbols != self.symbols and "gateway" in self.peers:
            self.symbols = self.tree.symbols
            self.send(self.peers["gateway"], Watch(self.index, self.symbols))
        self.tell_state()

    def tell_state(self, *, again: bool = False) -> None:
        """Have the gateway know what stands uncovered here (E20), and which alert waits (E18): both are everybody's."""
        state = CellState(self.index, self.journal.epoch, self.tree.uncovered_qty, self.tree.freezes_ns)
        if (again or state != self.told) and "gateway" in self.peers:
            self.told = state
            self.send(self.peers["gateway"], state)

    def pass_alerts(self, alerts: tuple[EscalationRecord, ...]) -> None:
        for alert in alerts:
            self.log.warning("alert", kind=alert.kind, severity=alert.severity.value, text=alert.text)
        self.alerts |= {alert.escalation_id: (alert, now_ms()) for alert in alerts}
        if "notifier" in self.peers:
            self.send(self.peers["notifier"], AlertBatch(self.name, wire.pack(alerts)))

    def transmit_orders(self, number: int, oldest: int, requests: tuple[wire.Request, ...]) -> None:
        if "gateway" in self.peers:
            batch = OrderBatch(self.index, self.journal.epoch, number, oldest, wire.pack(requests))
            self.send(self.peers["gateway"], batch)
