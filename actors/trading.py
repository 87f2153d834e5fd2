"""Whether new risk may leave at all: the kill switch, the trading state, and the proof that no entry works any more."""

from __future__ import annotations

import structlog

from actors.broker_session import BrokerSession
from actors.control_log import ControlLog
from actors.fan_out import FanOut
from actors.machine import Mark
from actors.order_door import OrderDoor
from actors.start_check import StartCheck
from brokers.wire_record import WireRecord
from decisions.alerts import freeze_text, unheard_text
from decisions.effects import MS
from decisions.gateway.lanes import Query
from decisions.gateway.standing import ACTION_OF, OPERATOR
from domain.trading import TradingState
from messages.controls import SetTradingState, TradingStateChanged
from messages.operator import KillSwitch
from messages.records import ControlAction

FOREIGN_SHOWN = 5
# A start that is not explained yet, a disk that fails, an alert that nobody has seen: what works goes on working.
ONLY_NEW = ("E14", "E15", "E18")
UNWRITTEN = "kill-switch/unwritten"  # what the journal knows it by while its file could not be written


class Trading:
    """What the system may do now.  ``kill_file``: its existence is the kill switch, which needs no journal (E9).

    The state is a level, made anew from all who ask for one; the cells are told whenever it has changed.
    """

    def __init__(
        self,
        kill_file: Mark,
        memory: ControlLog,
        door: OrderDoor,
        session: BrokerSession,
        cells: FanOut,
        log: structlog.typing.FilteringBoundLogger,
        wire_record: WireRecord,
    ) -> None:
        self.kill_file, self.memory, self.door, self.session = kill_file, memory, door, session
        self.cells, self.log, self.wire_record = cells, log, wire_record
        self.entries_left = -1  # working entries at the last snapshot since new risk was stopped; -1: nobody can say
        self._looked_ns = 0  # as of when the first snapshot was taken that this gateway saw
        self.unverified = False  # entries are being canceled, and the broker has not been asked yet what became of it
        self._unsaved = False  # what the wire record was told last
        self.start = StartCheck(memory, session, cells, log)
        self.told = TradingStateChanged(TradingState.ACTIVE, "")
        door.killed = kill_file.exists() or self.is_unwritten
        if door.killed:  # whoever made the file, a person or a process that was killed, may not have synced it
            self._write_kill_file(on=True)
        self.review()

    @property
    def killed(self) -> bool:
        """Whether the kill switch is on."""
        return self.door.killed

    def asked(self) -> TradingStateChanged:
        """The strictest state that anybody asks for now."""
        state, reason = self.memory.standing.trading(self.now_ns())
        if state is TradingState.ACTIVE and self.killed:
            state, reason = TradingState.REDUCING, "E9: the kill switch is on"
        if state is TradingState.ACTIVE and self.memory.problem:
            state, reason = TradingState.REDUCING, f"E15: the gateway's journal: {self.memory.problem}"
        if state is TradingState.ACTIVE and self.start.reason():
            state, reason = TradingState.REDUCING, self.start.reason()
        if state is TradingState.ACTIVE and (unheard := self.unheard()):
            state, reason = TradingState.REDUCING, unheard_text(unheard)
        if state is TradingState.ACTIVE and (frozen := self.cells.frozen_by(self.now_ns())):
            state, reason = TradingState.REDUCING, freeze_text(frozen)
        return TradingStateChanged(state, reason)

    def unheard(self) -> list[int]:
        """The cells whose orders may be missing from what this gateway knows.

        One list of the broker's may leave out an order that works; a second one, beyond its lag, has it.
        """
        return [] if self.door.ledger.is_complete else self.cells.unheard(self.session.config.system.cells)

    def now_ns(self) -> int:
        """The broker's clock, or the latest time that was journaled while there is none."""
        return max(self.session.clock_ns, self.memory.clock_ns)

    @property
    def stops_entries(self) -> bool:
        """Whether working entries are to go too.  Some reasons only keep new ones from leaving."""
        return self.told.state is not TradingState.ACTIVE and not self.told.reason.startswith(ONLY_NEW)

    def state(self) -> str:
        """For the status page; "" while there is nothing to say."""
        if self.told.state is TradingState.ACTIVE:
            return ""
        word = "killed" if self.killed else self.told.state.value
        if not self.stops_entries:
            return word
        left = {-1: "not verified yet", 0: "verified: no entry works"}
        return f"{word}, {left.get(self.entries_left, f'{self.entries_left} entries still work')}"

    def look(self) -> None:
        """Somebody may have made or removed the file; an override may have ended; the disk may work again."""
        if self.is_unwritten and self.killed:
            unsaved, self._unsaved = self._unsaved, self.is_unsaved
            if self._write_kill_file(on=True) or unsaved != self._unsaved:
                self.wire_record.note("kill", on=True, unwritten=self.is_unwritten, unsaved=self.is_unsaved)
        elif self.is_unwritten:  # the journal could not be read before, and nothing has left so long (E15)
            self.set_kill_switch(on=True)
        elif self.killed != self.kill_file.exists():
            self.set_kill_switch(on=not self.killed)
        self.review()

    def on_snapshot(self, as_of_ns: int) -> None:
        """What works at the broker, now that it is known: repeated with every snapshot while stopped (R24, E13).

        That nothing works is not proven by the first look of a gateway: what an earlier one sent, a list that lags
        leaves out, and only this one has not heard of it yet.
        """
        self._looked_ns = self._looked_ns or as_of_ns
        horizon_ns = self.session.config.orders.absence_horizon_ms * MS
        if not self.door.ledger.is_complete and as_of_ns >= self._looked_ns + horizon_ns:
            self.door.ledger.complete()
        if not self.stops_entries:
            return
        left = self.door.cancel_entries()
        if left and self.entries_left < 0:  # they worked on while no gateway was there, or leave only now
            self.door.measures.add("control_actions_total", left, control="E13")
        self.entries_left = left if left or self.door.ledger.is_complete else -1

    def review(self) -> int:
        """Put the state in force that is asked for; returns how many entries are being canceled."""
        asked = self.asked()
        if asked == self.told:
            return 0
        before, stopped, self.told = self.told.state, self.stops_entries, asked
        self.door.account.trading = asked
        self.cells.tell_all(asked)
        self.log.warning("trading state", state=asked.state.value, reason=asked.reason)
        if not self.stops_entries or (stopped and asked.state is before):
            return 0
        return self.stop_entries()

    def stop_entries(self) -> int:
        """No waiting entry leaves, and no working one stays; returns how many are being canceled."""
        self.entries_left = -1
        self.door.drop_entries(self.told.reason)
        count = self.door.cancel_entries()
        if count:
            self.record("canceled/entries", self.told.reason, ControlAction.CANCELED, quantity=count)
        self.unverified = self.session.is_up  # otherwise the next session begins with a snapshot
        return count

    def verify(self) -> None:
        """When the last cancel has left, only the broker can say that no entry works any more (R24)."""
        if self.unverified and self.session.is_up and not self.door.lanes.own_cancels:
            self.unverified = False
            self.session.ask(Query.SNAPSHOT)
            self.door.let_out()

    def set_kill_switch(self, *, on: bool) -> int:
        """No new risk from this moment (I26), whatever else is down; returns how many entries are being canceled."""
        self.door.killed = on
        self.log.warning("kill switch", on=on)
        count = 0
        if on:  # whoever reads that it is on finds it on after a crash, and off never before it says so
            count = self._stop_anew()
            self._write_kill_file(on=True)
        self._unsaved = on and self.is_unsaved
        self.wire_record.note("kill", on=on, unwritten=self.is_unwritten, unsaved=self._unsaved)
        if not on:
            self._write_kill_file(on=False)
        self.cells.tell_all(KillSwitch(on))
        count += self.review()
        text = f"the kill switch was turned {'on' if on else 'off'}"
        self.record("kill-switch", text, ControlAction.REDUCING if on else ControlAction.ACTIVE, control="E9")
        return count

    def _stop_anew(self) -> int:
        """Cancel every working entry before a disk is waited for, which may stall; returns how many there are."""
        stopped = self.stops_entries
        count = self.review()
        if stopped:  # before, for another reason: still, nothing may be left
            count = self.stop_entries()
        self.door.let_out()
        return count

    def _write_kill_file(self, *, on: bool) -> bool:
        """Whether the file says so now.

        Where a full disk has no room for it, the journal's ballast has some for a record in its place.
        """
        written = True
        try:
            if on:
                self.kill_file.touch()
            else:
                self.kill_file.unlink(missing_ok=True)
        except OSError as error:
            written = False
            if not self.is_unwritten:
                self.log.error("the kill switch could not be written to disk", error=str(error))
        unwritten = on and not written
        if unwritten != self.is_unwritten:
            action = ControlAction.REDUCING if unwritten else ControlAction.ACTIVE
            text = (
                "the kill switch is on; its file could not be written" if unwritten else "the kill switch's file tells"
            )
            self.record(UNWRITTEN, text, action, control="E9")
            self.memory.flush()
        return written

    @property
    def is_unwritten(self) -> bool:
        """Whether the kill switch is on without its file (I26: a crash changes nothing)."""
        last = self.memory.standing.last(UNWRITTEN)
        return last is not None and last.action is ControlAction.REDUCING

    @property
    def is_unsaved(self) -> bool:
        """Whether neither its file nor the journal could take that it is on: it lasts as long as this process."""
        return self.is_unwritten and not self.memory.is_durable(UNWRITTEN)

    def set_state(self, command: SetTradingState) -> int:
        """An operator asks for a state; returns how many entries are being canceled."""
        text = f"trading-state: {command.reason} ({command.by})"
        self.record(OPERATOR, text, ACTION_OF[command.state], by=command.by)
        return self.review()

    def foreign(self) -> str:
        """The orders at the broker that are not ours and were not touched, in words; "" when there are none (R24)."""
        found = self.door.ledger.foreign_orders()
        if not found:
            return ""
        names = ", ".join(order.client_order_id or order.venue_order_id for order in found[:FOREIGN_SHOWN])
        more = ", …" if len(found) > FOREIGN_SHOWN else ""
        return f"; not ours and not touched: {len(found)} orders ({names}{more})"

    def record(
        self,
        subject: str,
        text: str,
        action: ControlAction,
        *,
        control: str = "trading",
        by: str = "",
        quantity: int = 0,
    ) -> None:
        """Remember what was done."""
        self.memory.note(subject, control, action, text, self.now_ns(), by=by, quantity=quantity)
