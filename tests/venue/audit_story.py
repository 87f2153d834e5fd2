"""Writes a truth file and a journal that tell the same story, event by event, and can be made to disagree."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from domain.execution import ExecType, OrdStatus, OrdType, Side, TimeInForce
from domain.fills import Execution
from domain.groups import Group, GroupOutcome, GroupStatus, Leg, Mode, Policy, Role, client_order_id, parent_tag
from domain.instruments import Instrument, Right, osi_symbol
from domain.money import PRICE_SCALE, to_float
from domain.orders import OrderState
from messages.records import (
    ControlAction,
    ControlRecord,
    EscalationRecord,
    ExecutionRecord,
    ExecutionStateRecord,
    GroupRecord,
    HedgeRecord,
    HedgeStatus,
    IntentRecord,
    IntentStatus,
    PositionEventRecord,
    PositionKind,
    ProcessedEventRecord,
    Record,
    Severity,
    StopRecord,
    StopStatus,
)
from storage.port import Turn
from storage.sqlite import open_journal
from venue.audit import CHECKS, Bounds, Finding, audit
from venue.truth import TruthEvent, TruthFile

SECOND = 1_000_000_000
T0 = 1_767_000_000 * SECOND
EXPIRY = date(2026, 1, 9)
ROLES = {"C": Role.CLOSE, "H": Role.HEDGE, "S": Role.STOP_MARKET}

# Checks of which a plain, whole story has no case.
UNEVENTFUL = {"I5", "I8", "I9", "I10", "I13", "I14", "I15", "I26", "I27"}
UNSHOWN = {"I16", "I21", "I28"}  # those that no run's records can show


def put(strike: int) -> Instrument:
    return Instrument(
        symbol=osi_symbol("ACME", EXPIRY, Right.PUT, strike * PRICE_SCALE),
        underlying="ACME",
        right=Right.PUT,
        strike=strike * PRICE_SCALE,
        expiry=EXPIRY.isoformat(),
        multiplier=100,
        lot_size=1,
        tick_size=100,
        freeze_qty=50,
    )


def leg(leg_id: str, index: int, strike: int, side: Side, target: int, stop_trigger: int = 0) -> Leg:
    return Leg(
        leg_id=leg_id,
        index=index,
        instrument=put(strike),
        side=side,
        role=Role.PROTECTION if side is Side.BUY else Role.RISK,
        score=100 if side is Side.BUY else -50,
        target_qty=target,
        limit_price=0,
        stop_trigger=stop_trigger,
    )


class Story:
    """One cell, one exchange, one clock.  Every step is told to both sides unless ``heard=False``."""

    def __init__(self, root: Path) -> None:
        self.truth = root / "truth.jsonl"
        self.directory = root / "journal"
        self.directory.mkdir()
        self.journal = open_journal(self.directory / "cell-0.db", synchronous="NORMAL", ballast_bytes=0)
        self.now = T0
        self.events: list[TruthEvent] = []
        self.intents: dict[str, IntentRecord] = {}
        self.venue_ids: dict[str, str] = {}
        self.filled: dict[str, int] = {}
        self.known: dict[str, list[Execution]] = {}
        self.groups: dict[str, GroupRecord] = {}
        self._numbers = 0
        limits = {
            "max_order_qty": 100, "max_order_notional": 50_000, "price_collar_pct": 20.0, "price_collar_floor": 1.0,
            "orders_per_second": 20, "reserved_tokens": 5, "reference_max_age_ms": 2_000, "cross_wait_ms": 1_000,
            "max_open_orders": 100, "max_short_units_underlying": 200, "max_short_units": 300,
            "max_working_notional": 1_000_000, "max_order_premium": 1_000_000, "max_day_premium": 1_000_000,
            "repeat_window_ms": 60_000, "strategy_limit": 3,
        }  # fmt: skip
        self.wire: list[dict[str, Any]] = []
        self.under_way: set[str] = set()  # what has left and not arrived
        self.line("start", killed=False, controls=limits, stop_fallback_ms=2_000, freeze_after_ms=300_000)

    def line(self, kind: str, **facts: Any) -> None:
        """One line of the wire record."""
        self.wire.append({"kind": kind, "ts_ns": self.now, "host_ns": self.now, "pid": 1, **facts})

    def limit(self, **limits: Any) -> None:
        """The gateway has started with these limits."""
        self.wire[0]["controls"] |= limits

    def control(self, subject: str, action: ControlAction, **facts: Any) -> None:
        """The gateway journals a decision."""
        self.wait(0.001)
        record = ControlRecord(subject=subject, control="", action=action, text="", **{"at_ns": self.now, **facts})
        journal = open_journal(self.directory / "gateway.db", synchronous="NORMAL", ballast_bytes=0)
        journal.commit(Turn(epoch=journal.epoch, at_ns=self.now, records=(record,)))
        journal.close()

    def leave(self, order: str, **changes: Any) -> None:
        """The gateway sends the order."""
        intent = self.intents[order]
        facts = {
            "client_order_id": order, "role": intent.role.value, "symbol": intent.symbol, "side": intent.side.value,
            "quantity": intent.quantity, "order_type": intent.order_type.value, "price": intent.price,
            "trigger_price": intent.trigger_price, "parent_id": intent.parent_id, "parent_qty": 1_000, "epoch": 1,
            "resend": any(line.get("client_order_id") == order for line in self.wire),
        }  # fmt: skip
        self.line("submit", **{**facts, **changes})
        self.under_way.add(order)

    # --- the plan ---

    def plan(
        self,
        group_id: str = "g1",
        target: int = 10,
        *,
        allow_naked: bool = False,
        long: bool = True,
        stop_trigger: int = 0,
    ) -> None:
        """A bull put: buy the 95, sell the 100, perhaps with a stop-loss; without ``long`` the short alone."""
        if not self.groups:
            self.reconciled()
        both = (leg("long", 0, 95, Side.BUY, target), leg("short", 1, 100, Side.SELL, target, stop_trigger))
        legs = both if long else both[1:]
        group = Group(group_id=group_id, strategy="custom", policy=Policy.COMPLETE, allow_naked=allow_naked, legs=legs)
        self._group(
            GroupRecord(
                group_id=group_id, cell=0, strategy="custom", status=GroupStatus.VALIDATED, mode=Mode.ENTERING,
                outcome=GroupOutcome.OPEN, reason="", group=group, hedges_placed=0, crashes=0, quarantined=False,
                created_ns=self.now, updated_ns=self.now,
            )
        )  # fmt: skip

    def reconciled(self) -> None:
        """The cell has compared itself with the broker: its gate opens."""
        self.taken(f"reconciled/{self.journal.epoch}/1", "Snapshot")

    def taken(self, event_id: str, kind: str = "ExecutionReport") -> None:
        """A message takes effect."""
        self.commit(ProcessedEventRecord(event_id=event_id, kind=kind, group_id="", ts_ns=self.now))

    def stop_loss(self, status: StopStatus, quantity: int = 10, triggered_ns: int = 0, group_id: str = "g1") -> None:
        """Record where the stop-loss on the short leg is."""
        own = self.groups[group_id].group.leg("short")
        self.commit(
            StopRecord(
                stop_id=parent_tag(0, group_id, "S", own.index, 0), group_id=group_id, leg_id=own.leg_id, ordinal=0,
                symbol=own.instrument.symbol, side=own.side.opposite, quantity=quantity, filled_qty=0,
                trigger_price=own.stop_trigger, limit_price=own.stop_trigger, status=status, armed_ns=self.now,
                triggered_ns=triggered_ns, closed_ns=0,
            )
        )  # fmt: skip

    def kill(self, *, on: bool = True) -> None:
        """The operator turns the kill switch."""
        self.wait(0.001)
        self.line("kill", on=on)

    def outcome(self, outcome: GroupOutcome, group_id: str = "g1") -> None:
        self._group(replace(self.groups[group_id], outcome=outcome))

    def mode(self, mode: Mode, group_id: str = "g1") -> None:
        self._group(replace(self.groups[group_id], mode=mode))

    def _group(self, record: GroupRecord) -> None:
        self.groups[record.group_id] = record
        self.commit(record)

    def hedge(self, leg_id: str, needed: int, *, ordinal: int = 1, above: str = "", group_id: str = "g1") -> str:
        """Open a hedge in the leg's direction, or change what it needs; its id."""
        own = self.groups[group_id].group.leg(leg_id)
        hedge_id = parent_tag(0, group_id, "H", own.index, ordinal)
        self.commit(
            HedgeRecord(
                hedge_id=hedge_id, group_id=group_id, leg_id=leg_id, parent_hedge_id=above, level=2 if above else 1,
                ordinal=ordinal, symbol=own.instrument.symbol, side=own.side, needed_qty=needed, filled_qty=0,
                status=HedgeStatus.WORKING, trigger="it fell short", opened_ns=self.now, deadline_ns=0, closed_ns=0,
            )
        )  # fmt: skip
        return hedge_id

    def alert(
        self,
        group_id: str = "g1",
        severity: Severity = Severity.CRITICAL,
        acknowledged_ns: int = 0,
        kind: str = "UNHEDGED",
    ) -> None:
        self.commit(
            EscalationRecord(
                escalation_id=f"{kind}:{group_id}", group_id=group_id, severity=severity, kind=kind, symbol="",
                quantity=1, text="", raised_ns=self.now, repeats=0, delivered_ns=0, acknowledged_ns=acknowledged_ns,
                acknowledged_by="",
            )
        )  # fmt: skip

    # --- orders ---

    def decide(
        self, kind: str, leg_id: str, quantity: int, *, group_id: str = "g1", slice_no: int = 0, attempt: int = 1,
        ordinal: int = 0, **changes: Any,
    ) -> str:  # fmt: skip
        """Commit an intent; its order's id."""
        own = self.groups[group_id].group.leg(leg_id)
        parent = parent_tag(0, group_id, kind, own.index, ordinal)
        against = kind in "CS"
        intent = IntentRecord(
            client_order_id=client_order_id(parent, slice_no, attempt), group_id=group_id, leg_id=leg_id,
            parent_id=parent, role=ROLES.get(kind, own.role), symbol=own.instrument.symbol,
            side=own.side.opposite if against else own.side, quantity=quantity, price=12_500, trigger_price=0,
            order_type=OrdType.LIMIT, time_in_force=TimeInForce.DAY, slice=slice_no, attempt=attempt,
            status=IntentStatus.INTENT_PERSISTED, broker_order_id="", epoch=1, reference_price=12_500,
            parent_qty=quantity, cause="e1", reason="the plan", checks="", decided_ns=self.now, sent_ns=0,
            acknowledged_ns=0, cancel_requested_ns=0, cancel_requests=0, terminal_ns=0,
        )  # fmt: skip
        self.intent(replace(intent, **changes))
        return intent.client_order_id

    def intent(self, record: IntentRecord) -> None:
        self.intents[record.client_order_id] = record
        self.commit(record)

    def send(self, order: str, *, heard: bool = True, **changes: Any) -> str:
        """The exchange receives and accepts the order."""
        self._numbers += 1
        self.venue_ids[order] = f"V{self._numbers}"
        self.event("order_received", order, venue_order_id="", **changes)
        self.event("accepted", order, **changes)
        if heard:
            stamps = {"sent_ns": self.now, "acknowledged_ns": self.now, "checks": "price, lot"}
            self.intent(replace(self.intents[order], status=IntentStatus.LIVE, **stamps))
        return order

    def resend(self, order: str) -> None:
        """The exchange receives the order once more, and refuses it as a duplicate."""
        self.event("order_received", order, venue_order_id="")
        self.event("rejected", order, venue_order_id="", reason="duplicate client order id")

    def reject(self, order: str) -> None:
        """The exchange receives the order and does not take it."""
        self._numbers += 1
        self.venue_ids[order] = f"V{self._numbers}"
        self.event("order_received", order, venue_order_id="")
        self.event("rejected", order, reason="margin")
        rejected = {"sent_ns": self.now, "terminal_ns": self.now, "checks": "price, lot"}
        self.intent(replace(self.intents[order], status=IntentStatus.REJECTED, **rejected))

    def fill(self, order: str, quantity: int, *, heard: bool = True) -> str:
        """A trade; its exec id."""
        return self.execution("fill", "trade", order, quantity, quantity, heard=heard)

    def bust(self, order: str, exec_id: str, quantity: int, *, heard: bool = True) -> str:
        return self.execution("busted", "trade_cancel", order, quantity, -quantity, ref=exec_id, heard=heard)

    def correct(self, order: str, exec_id: str, quantity: int, delta: int, *, heard: bool = True) -> str:
        return self.execution("corrected", "trade_correct", order, quantity, delta, ref=exec_id, heard=heard)

    def execution(
        self, kind: str, exec_type: str, order: str, quantity: int, delta: int, *, ref: str = "", heard: bool
    ) -> str:
        self._numbers += 1
        exec_id = f"E{self._numbers}"
        self.event(kind, order, exec_id=exec_id, exec_ref_id=ref, last_qty=quantity, last_px=1.25)
        if heard:
            self.hear(order, exec_id, exec_type, quantity, delta, ref=ref)
        return exec_id

    def hear(self, order: str, exec_id: str, exec_type: str, quantity: int, delta: int, *, ref: str = "") -> None:
        """The journal learns of an execution."""
        intent = self.intents[order]
        self.filled[order] = self.filled.get(order, 0) + delta
        execution = ExecutionRecord(
            client_order_id=order, exec_id=exec_id, group_id=intent.group_id, exec_type=exec_type, exec_ref_id=ref,
            symbol=intent.symbol, side=intent.side, last_qty=0 if exec_type == "trade_cancel" else quantity,
            last_px=0 if exec_type == "trade_cancel" else 12_500, ts_ns=self.now,
        )  # fmt: skip
        known = Execution(exec_id, ExecType(exec_type), execution.last_qty, execution.last_px, ref, self.now)
        self.known.setdefault(order, []).append(known)
        self.taken(f"{order}/{exec_id}")
        self.commit(execution, self.state(order, self.filled[order]))

    def state(self, order: str, cum_qty: int) -> ExecutionStateRecord:
        intent = self.intents[order]
        return ExecutionStateRecord(
            client_order_id=order, group_id=intent.group_id,
            ord_status=OrdStatus.FILLED if cum_qty >= intent.quantity else OrdStatus.NEW, order_qty=intent.quantity,
            cum_qty=cum_qty, leaves_qty=0, avg_px=12_500, updated_ns=self.now,
            knowledge=replace(OrderState.new(order, intent.quantity), executions=tuple(self.known.get(order, ()))),
        )  # fmt: skip

    def cancel(self, order: str) -> None:
        self.event("cancel_received", order)
        self.event("canceled", order)

    def trade(self, kind: str, leg_id: str, quantity: int, **changes: Any) -> str:
        """An order that fills at once."""
        order = self.send(self.decide(kind, leg_id, quantity, **changes))
        self.fill(order, quantity)
        return order

    # --- both sides ---

    def event(self, kind: Any, order: str, **changes: Any) -> None:
        self.wait(0.001)
        if kind == "order_received":
            if order not in self.under_way:
                self.leave(order)
            self.under_way.remove(order)
            changes = {"bid": 1.2, "ask": 1.3, **changes}
        intent = self.intents[order]
        facts: dict[str, Any] = {
            "client_order_id": order,
            "venue_order_id": self.venue_ids.get(order, ""),
            "symbol": intent.symbol,
            "side": intent.side.value,
            "qty": intent.quantity,
            "price": to_float(intent.price) if intent.price else None,
            "trigger_price": to_float(intent.trigger_price) if intent.trigger_price else None,
            "order_type": intent.order_type.value,
        }
        self.events.append(TruthEvent(kind=kind, ts_ns=self.now, **{**facts, **changes}))

    def move(
        self, leg_id: str, quantity: int, *, heard: int | None = None, group_id: str = "g1", noted: bool = True
    ) -> None:
        """Another hand changes a position (signed, as the account gains); the journal hears ``heard`` of it.

        Not ``noted``: the exchange's record has nothing of it.
        """
        self.wait(0.001)
        symbol = self.groups[group_id].group.leg(leg_id).instrument.symbol
        side: Any = "buy" if quantity > 0 else "sell"
        event = TruthEvent(
            kind="manual", ts_ns=self.now, symbol=symbol, side=side, last_qty=abs(quantity), last_px=1.25
        )
        self.events += [event] if noted else []
        self._numbers += 1
        self.commit(
            PositionEventRecord(
                event_id=f"{group_id}/{self._numbers}", group_id=group_id, leg_id=leg_id, symbol=symbol,
                quantity=quantity if heard is None else heard, kind=PositionKind.MANUAL, evidence="", activity_id="",
                price=12_500, ts_ns=self.now,
            )
        )  # fmt: skip

    def commit(self, *records: Record) -> None:
        self.wait(0.001)
        self.journal.commit(Turn(epoch=self.journal.epoch, at_ns=self.now - SECOND // 1000, records=records))

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)

    def write_truth(self) -> None:
        self.truth.unlink(missing_ok=True)
        with TruthFile(self.truth) as file:
            for event in self.events:
                file.write(event)
        lines = [msgspec.json.encode(line) + b"\n" for line in self.wire]
        (self.directory / "wire.jsonl").write_bytes(b"".join(lines))

    def findings(self, *, at_rest: bool = True, empty: bool = True, bounds: Bounds | None = None) -> dict[str, Finding]:
        """What the audit finds, by name; ``empty``: whether checks may find no case."""
        self.write_truth()
        allowed = CHECKS if empty else ()
        found = audit(self.truth, self.directory, at_rest=at_rest, allow_empty=allowed, bounds=bounds)
        return {finding.name: finding for finding in found}

    def failed(self, **options: Any) -> set[str]:
        """The names of the checks that fail."""
        return {name for name, finding in self.findings(**options).items() if not finding.passed}


def amended(story: Story, order: str, **changes: Any) -> None:
    """Record the intent of ``order`` once more with other facts."""
    story.intent(msgspec.structs.replace(story.intents[order], **changes))


def enter(story: Story, group_id: str = "g1", quantity: int = 10) -> None:
    """Both legs of a plan fill, the long one first, and the group is certified hedged."""
    story.trade("E", "long", quantity, group_id=group_id)
    story.trade("E", "short", quantity, group_id=group_id)
    story.outcome(GroupOutcome.HEDGED, group_id)


def guard(story: Story, group_id: str = "g1", quantity: int = 10) -> str:
    """The short leg gets its stop-loss; the order."""
    return story.send(
        story.decide(
            "S", "short", quantity, group_id=group_id, role=Role.STOP_LIMIT, order_type=OrdType.STOP_LIMIT,
            price=20_100, trigger_price=20_000,
        )
    )  # fmt: skip


def eventful(story: Story) -> None:
    """Everything that can go right: attempts, a rejection, a repetition, hedges, a bust, closes, and a halt."""
    story.plan()
    story.reject(story.decide("E", "long", 5, attempt=1))
    first = story.send(story.decide("E", "long", 5, attempt=2))
    story.resend(first)
    story.fill(first, 3)
    story.cancel(first)
    busted = story.send(story.decide("E", "long", 2, attempt=3))
    exec_id = story.fill(busted, 2)
    story.bust(busted, exec_id, 2)
    story.hedge("long", 7)
    hedge = story.send(story.decide("H", "long", 7, ordinal=1))
    story.fill(hedge, 4)
    story.cancel(hedge)
    story.hedge("long", 3, ordinal=2, above=hedge[:15])
    story.trade("H", "long", 3, ordinal=2)
    story.trade("E", "short", 6)
    story.trade("E", "short", 4, slice_no=1)
    story.mode(Mode.FLATTENING)
    doubted = story.send(story.decide("C", "short", 10))
    amended(story, doubted, status=IntentStatus.UNRESOLVED)
    story.fill(doubted, 10)
    amended(story, doubted, status=IntentStatus.FILLED)
    story.trade("C", "long", 10)
    story.outcome(GroupOutcome.FLAT)
    story.plan("g2")
    enter(story, "g2")
    story.plan("g3")
    story.trade("E", "long", 10, group_id="g3")
    story.alert("g3")
    story.outcome(GroupOutcome.HALTED, "g3")
    story.plan("g4", stop_trigger=20_000)
    enter(story, "g4")
    guard(story, "g4")
    story.kill()
