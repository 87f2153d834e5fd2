"""A small story, written into a real journal: one group of two legs, half done, with a hedge, a stop and an alert."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec

from config.paths import journal_path
from config.plan import load_plan
from decisions.groups.validation import validate
from domain.execution import OrdStatus, OrdType, TimeInForce
from domain.groups import Group, GroupOutcome, GroupStatus, Mode, client_order_id, parent_tag
from domain.money import PRICE_SCALE
from domain.orders import OrderState
from messages.records import (
    EscalationRecord,
    ExecutionRecord,
    ExecutionStateRecord,
    GroupRecord,
    HedgeRecord,
    HedgeStatus,
    IntentRecord,
    IntentStatus,
    Record,
    Severity,
    StopRecord,
    StopStatus,
)
from storage.port import Turn
from storage.sqlite import open_journal
from venue.chain import seeded_chain

PLANS = Path(__file__).resolve().parents[2] / "docs" / "plans"
OVER = "over-1"
T0 = 1_767_623_400 * 10**9  # 2026-01-05 14:30:00 UTC
INSTRUMENTS = {instrument.symbol: instrument for instrument in seeded_chain(0).instruments}


def group(group_id: str) -> Group:
    plan = msgspec.structs.replace(load_plan(PLANS / "bull_put.toml"), group_id=group_id)
    return validate(plan, INSTRUMENTS, date(2026, 1, 5))


def group_record(group_id: str, cell: int, outcome: GroupOutcome = GroupOutcome.OPEN) -> GroupRecord:
    return GroupRecord(
        group_id=group_id,
        cell=cell,
        strategy="bull_put",
        status=GroupStatus.RISK_SUBMITTED if outcome is GroupOutcome.OPEN else GroupStatus.COMPLETED,
        mode=Mode.ENTERING,
        outcome=outcome,
        reason="",
        group=group(group_id),
        hedges_placed=0,
        crashes=0,
        quarantined=False,
        created_ns=T0 + cell,
        updated_ns=T0 + 10**9,
    )


def order(group_id: str, cell: int, index: int, status: IntentStatus) -> list[Record]:
    """An order of one leg, with 4 of its 10 units filled."""
    leg = group(group_id).legs[index]
    parent = parent_tag(cell, group_id, "E", index, 0)
    tag = client_order_id(parent, 0, 1)
    intent = IntentRecord(
        client_order_id=tag,
        group_id=group_id,
        leg_id=leg.leg_id,
        parent_id=parent,
        role=leg.role,
        symbol=leg.instrument.symbol,
        side=leg.side,
        quantity=10,
        price=5 * PRICE_SCALE,
        trigger_price=0,
        order_type=OrdType.LIMIT,
        time_in_force=TimeInForce.DAY,
        slice=0,
        attempt=1,
        status=status,
        broker_order_id="V1",
        epoch=1,
        reference_price=5 * PRICE_SCALE,
        parent_qty=10,
        cause="accept",
        reason="the plan was accepted",
        checks="E1 E2",
        decided_ns=T0,
        sent_ns=T0 + 1,
        acknowledged_ns=T0 + 2,
        cancel_requested_ns=0,
        cancel_requests=0,
        terminal_ns=0,
    )
    state = ExecutionStateRecord(
        client_order_id=tag,
        group_id=group_id,
        ord_status=OrdStatus.PARTIALLY_FILLED,
        order_qty=10,
        cum_qty=4,
        leaves_qty=6,
        avg_px=5 * PRICE_SCALE,
        knowledge=OrderState.new(tag, 10),
        updated_ns=T0 + 3,
    )
    trade = ExecutionRecord(
        client_order_id=tag,
        exec_id=f"x{index}",
        group_id=group_id,
        exec_type="trade",
        exec_ref_id="",
        symbol=leg.instrument.symbol,
        side=leg.side,
        last_qty=4,
        last_px=5 * PRICE_SCALE,
        ts_ns=T0 + 3,
    )
    return [intent, state, trade]


def hedge_and_stop(group_id: str, cell: int) -> list[Record]:
    wing, short = group(group_id).legs
    hedge = HedgeRecord(
        hedge_id=parent_tag(cell, group_id, "H", wing.index, 0),
        group_id=group_id,
        leg_id=wing.leg_id,
        parent_hedge_id="",
        level=1,
        ordinal=0,
        symbol=wing.instrument.symbol,
        side=wing.side,
        needed_qty=6,
        filled_qty=0,
        status=HedgeStatus.WORKING,
        trigger="protection fell short",
        opened_ns=T0 + 4,
        deadline_ns=T0 + 5 * 10**9,
        closed_ns=0,
    )
    stop = StopRecord(
        stop_id=parent_tag(cell, group_id, "S", short.index, 0),
        group_id=group_id,
        leg_id=short.leg_id,
        ordinal=0,
        symbol=short.instrument.symbol,
        side=short.side.opposite,
        quantity=4,
        filled_qty=0,
        trigger_price=25 * PRICE_SCALE,
        limit_price=251_500,
        status=StopStatus.ARMED,
        armed_ns=T0 + 5,
        triggered_ns=0,
        closed_ns=0,
    )
    return [hedge, stop]


def alert(group_id: str, severity: Severity, acknowledged_by: str = "") -> EscalationRecord:
    return EscalationRecord(
        escalation_id=f"HEDGE:{group_id}:{severity.value}",
        group_id=group_id,
        severity=severity,
        kind="IMMEDIATE_MANUAL_HEDGE",
        symbol="LEGK",
        quantity=6,
        text="buy 6 by hand",
        raised_ns=T0 + 6,
        repeats=0,
        delivered_ns=T0 + 7,
        acknowledged_ns=T0 + 8 if acknowledged_by else 0,
        acknowledged_by=acknowledged_by,
    )


def pass_time(journal_dir: Path, days: int) -> None:
    """``over-1`` ended flat in cell 0 at once; the last turn is so many days later."""
    journal = open_journal(journal_path(journal_dir, 0))
    try:
        over = group_record(OVER, 0, GroupOutcome.FLAT)
        journal.commit(Turn(epoch=journal.epoch, at_ns=T0 + days * 86_400 * 10**9, records=(over,)))
    finally:
        journal.close()


def write(journal_dir: Path) -> None:
    """Two cells: ``bull-put-1`` is half done in cell 0, ``done-1`` has ended in cell 1."""
    stories: dict[int, list[Record]] = {
        0: [
            group_record("bull-put-1", 0),
            *order("bull-put-1", 0, 0, IntentStatus.LIVE),
            *order("bull-put-1", 0, 1, IntentStatus.UNRESOLVED),
            *hedge_and_stop("bull-put-1", 0),
            alert("bull-put-1", Severity.CRITICAL),
        ],
        1: [
            group_record("done-1", 1, GroupOutcome.HEDGED),
            *order("done-1", 1, 0, IntentStatus.FILLED),
            alert("done-1", Severity.CRITICAL, acknowledged_by="maria"),
        ],
    }
    for cell, records in stories.items():
        journal = open_journal(journal_path(journal_dir, cell))
        try:
            journal.commit(Turn(epoch=journal.epoch, at_ns=T0 + 9, records=tuple(records)))
        finally:
            journal.close()
