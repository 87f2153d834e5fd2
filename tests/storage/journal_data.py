"""Realistic records for the tests of the journal."""

from __future__ import annotations

from typing import Any

import msgspec

from domain.execution import OrdStatus, OrdType, Side, TimeInForce
from domain.groups import (
    Group,
    GroupOutcome,
    GroupStatus,
    Leg,
    Mode,
    Policy,
    Role,
    TriggerOn,
    client_order_id,
    parent_tag,
)
from domain.instruments import Instrument, Right
from domain.orders import OrderState
from domain.strategies import Exit, Standing, StrategyRules, StrategyStatus
from domain.verticals import VerticalKind
from messages.records import (
    ControlAction,
    ControlRecord,
    EscalationRecord,
    ExecutionRecord,
    ExecutionStateRecord,
    ExposureRecord,
    GroupRecord,
    GroupStopRecord,
    HedgeRecord,
    HedgeStatus,
    IntentRecord,
    IntentStatus,
    LegRecord,
    PositionEventRecord,
    PositionKind,
    ProcessedEventRecord,
    Record,
    RejectedEventRecord,
    Severity,
    StopRecord,
    StopStatus,
    StopWindowRecord,
)
from messages.strategy_records import StrategyRecord, VerticalRecord
from storage.port import Journal, Turn

T0 = 1_700_000_000 * 10**9
SYMBOL = "GOOG  160115C00750000"


def replaced(record: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(record, **changes)


def definition(group_id: str) -> Group:
    instrument = Instrument(
        symbol=SYMBOL,
        underlying="GOOG",
        right=Right.CALL,
        strike=7_500_000,
        expiry="2016-01-15",
        multiplier=100,
        lot_size=1,
        tick_size=500,
        freeze_qty=None,
    )
    leg = Leg(
        leg_id="long",
        index=0,
        instrument=instrument,
        side=Side.BUY,
        role=Role.PROTECTION,
        score=100,
        target_qty=10,
        limit_price=12_550,
    )
    return Group(group_id=group_id, strategy="custom", policy=Policy.COMPLETE, allow_naked=False, legs=(leg,))


def group_record(group_id: str = "g1", created_ns: int = T0) -> GroupRecord:
    return GroupRecord(
        group_id=group_id,
        cell=0,
        strategy="custom",
        status=GroupStatus.CREATED,
        mode=Mode.ENTERING,
        outcome=GroupOutcome.OPEN,
        reason="",
        group=definition(group_id),
        hedges_placed=0,
        crashes=0,
        quarantined=False,
        created_ns=created_ns,
        updated_ns=created_ns,
    )


def leg_record(group_id: str = "g1", leg_id: str = "long") -> LegRecord:
    return LegRecord(
        group_id=group_id,
        leg_id=leg_id,
        kind="E",
        symbol=SYMBOL,
        side=Side.BUY,
        target_qty=10,
        authorized_qty=10,
        updated_ns=T0,
    )


def intent_record(group_id: str = "g1", slice_no: int = 0, attempt: int = 0) -> IntentRecord:
    parent = parent_tag(0, group_id, "E", 0, 0)
    return IntentRecord(
        client_order_id=client_order_id(parent, slice_no, attempt),
        group_id=group_id,
        leg_id="long",
        parent_id=parent,
        role=Role.PROTECTION,
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=10,
        price=12_550,
        trigger_price=0,
        order_type=OrdType.LIMIT,
        time_in_force=TimeInForce.DAY,
        slice=slice_no,
        attempt=attempt,
        status=IntentStatus.INTENT_PERSISTED,
        broker_order_id="",
        epoch=1,
        reference_price=12_501,
        parent_qty=10,
        cause="accept-g1",
        reason="the plan was accepted",
        checks="",
        decided_ns=T0,
        sent_ns=0,
        acknowledged_ns=0,
        cancel_requested_ns=0,
        cancel_requests=0,
        terminal_ns=0,
    )


def state_record(group_id: str = "g1", slice_no: int = 0) -> ExecutionStateRecord:
    order_id = intent_record(group_id, slice_no).client_order_id
    return ExecutionStateRecord(
        client_order_id=order_id,
        group_id=group_id,
        ord_status=OrdStatus.PENDING_NEW,
        order_qty=10,
        cum_qty=0,
        leaves_qty=10,
        avg_px=12_533,
        knowledge=OrderState.new(order_id, 10),
        updated_ns=T0,
    )


def execution_record(group_id: str = "g1", exec_id: str = "x1", last_qty: int = 4) -> ExecutionRecord:
    return ExecutionRecord(
        client_order_id=intent_record(group_id).client_order_id,
        exec_id=exec_id,
        group_id=group_id,
        exec_type="trade",
        exec_ref_id="",
        symbol=SYMBOL,
        side=Side.BUY,
        last_qty=last_qty,
        last_px=12_500,
        ts_ns=T0 + 3_000,
    )


def hedge_record(group_id: str = "g1", level: int = 1) -> HedgeRecord:
    return HedgeRecord(
        hedge_id=parent_tag(0, group_id, "H", 0, level),
        group_id=group_id,
        leg_id="long",
        parent_hedge_id="",
        level=level,
        ordinal=level,
        symbol=SYMBOL,
        side=Side.BUY,
        needed_qty=6,
        filled_qty=0,
        status=HedgeStatus.WORKING,
        trigger="protection fell short",
        opened_ns=T0 + 5_000,
        deadline_ns=T0 + 5 * 10**9,
        closed_ns=0,
    )


def stop_record(group_id: str = "g1") -> StopRecord:
    return StopRecord(
        stop_id=parent_tag(0, group_id, "S", 0, 0),
        group_id=group_id,
        leg_id="long",
        ordinal=0,
        symbol=SYMBOL,
        side=Side.SELL,
        quantity=10,
        filled_qty=0,
        trigger_price=11_000,
        limit_price=10_900,
        status=StopStatus.ARMED,
        armed_ns=T0 + 4_000,
        triggered_ns=0,
        closed_ns=0,
    )


def stop_window_record(group_id: str = "g1") -> StopWindowRecord:
    return StopWindowRecord(
        stop_id=parent_tag(0, group_id, "S", 0, 0),
        opened_ns=T0 + 5_200,
        group_id=group_id,
        symbol=SYMBOL,
        quantity=10,
        closed_ns=T0 + 5_300,
    )


def group_stop_record(group_id: str = "g1") -> GroupStopRecord:
    return GroupStopRecord(
        group_id=group_id,
        max_loss=5_000_000,
        judged_on=TriggerOn.MARK,
        status=StopStatus.ARMED,
        loss=0,
        armed_ns=T0 + 4_100,
        blind_ns=0,
        triggered_ns=0,
        closed_ns=0,
    )


def exposure_record(group_id: str = "g1") -> ExposureRecord:
    return ExposureRecord(group_id=group_id, opened_ns=T0 + 5_500, symbol=SYMBOL, quantity=10, covered_ns=T0 + 6_500)


def position_record(group_id: str = "g1") -> PositionEventRecord:
    return PositionEventRecord(
        event_id=f"{group_id}/0",
        group_id=group_id,
        leg_id="long",
        symbol=SYMBOL,
        quantity=-4,
        kind=PositionKind.EXERCISE,
        evidence="the broker's activity E7",
        activity_id="E7",
        price=12_500,
        ts_ns=T0 + 5_800,
    )


def rejected_record(group_id: str = "g1", event_id: str = "e9") -> RejectedEventRecord:
    return RejectedEventRecord(
        event_id=event_id,
        group_id=group_id,
        client_order_id=intent_record(group_id).client_order_id,
        current="filled",
        incoming="partially_filled",
        reason="a late partial",
        payload=b"\x93\x01\x02\xff",
        ts_ns=T0 + 6_000,
    )


def escalation_record(group_id: str = "g1", escalation_id: str = "a1") -> EscalationRecord:
    return EscalationRecord(
        escalation_id=escalation_id,
        group_id=group_id,
        severity=Severity.CRITICAL,
        kind="IMMEDIATE_MANUAL_HEDGE",
        symbol=SYMBOL,
        quantity=6,
        text="buy 6 by hand",
        raised_ns=T0 + 7_000,
        repeats=0,
        delivered_ns=0,
        acknowledged_ns=0,
        acknowledged_by="",
    )


def event_record(event_id: str = "e1", group_id: str = "g1") -> ProcessedEventRecord:
    return ProcessedEventRecord(event_id=event_id, kind="trade", group_id=group_id, ts_ns=T0)


def control_record(group_id: str = "g1", subject: str = "") -> ControlRecord:
    return ControlRecord(
        subject=subject or f"order/{group_id}",
        control="E2",
        action=ControlAction.REFUSED,
        group_id=group_id,
        symbol=SYMBOL,
        quantity=10,
        amount=12_550,
        text="E2: buy price 1.255 is more than 0.2 beyond the mid 1",
        by="",
        at_ns=T0,
        until_ns=0,
    )


def strategy_record(group_id: str = "g1", name: str = "weekly") -> StrategyRecord:
    rules = StrategyRules(
        name=name, kind=VerticalKind.BEAR_CALL, underlying="GOOG", quantity=10, short_delta=0.2, width=50_000
    )
    return StrategyRecord(
        name=name,
        cell=0,
        kind=rules.kind,
        underlying=rules.underlying,
        status=StrategyStatus.OPEN,
        standing=Standing.ACTIVE,
        reason="",
        group_id=group_id,
        number=3,
        adjustments=1,
        rolled_from="g0",
        beyond_strike=7_450_000,
        tries=0,
        next_try_ns=T0 + 9_000,
        verticals=2,
        realised=-1_234_500,
        crashes=1,
        rules=rules,
        created_ns=T0,
        updated_ns=T0 + 1,
        term=2,
    )


def vertical_record(group_id: str = "g1") -> VerticalRecord:
    return VerticalRecord(
        group_id=group_id,
        strategy="weekly",
        kind=VerticalKind.BEAR_CALL,
        underlying="GOOG",
        expiry="2016-01-15",
        short_symbol=SYMBOL,
        long_symbol="GOOG  160115C00755000",
        short_strike=7_500_000,
        long_strike=7_550_000,
        quantity=10,
        multiplier=100,
        entry_spot=7_312_345,
        credit=12_533,
        net=12_533_400,
        max_profit=12_533_400,
        max_loss=37_466_600,
        breakeven=7_512_533,
        rolled_from="g0",
        exit=Exit.NONE,
        exit_reason="",
        closings=0,
        realised=0,
        decided_ns=T0,
        entered_ns=T0 + 1,
        exit_ns=0,
        closed_ns=0,
    )


def one_of_each(group_id: str = "g1") -> tuple[Record, ...]:
    return (
        event_record(f"e-{group_id}", group_id),
        group_record(group_id),
        leg_record(group_id),
        intent_record(group_id),
        state_record(group_id),
        execution_record(group_id),
        hedge_record(group_id),
        stop_record(group_id),
        stop_window_record(group_id),
        group_stop_record(group_id),
        exposure_record(group_id),
        position_record(group_id),
        rejected_record(group_id),
        escalation_record(group_id, f"a-{group_id}"),
        control_record(group_id),
        strategy_record(group_id, f"s-{group_id}"),
        vertical_record(group_id),
    )


def commit(journal: Journal, *records: Record, at_ns: int = T0) -> int:
    return journal.commit(Turn(epoch=journal.epoch, at_ns=at_ns, records=records))
