"""What the journal remembers: one struct per table, field names as column names, the last record per key wins.

An actor's state is made of these records and of nothing else, so that ``state = fold(records)``: rebuilding from the
tables, folding the log, and having lived through it are the same thing (I11, I20).  Prices are ints in
ten-thousandths here and plain decimals in SQL; ``*_ns`` are broker-time nanoseconds, 0 where not yet.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from domain.execution import OrdStatus, OrdType, Side, TimeInForce
from domain.groups import Group, GroupOutcome, GroupStatus, Mode, Role, TriggerOn
from domain.orders import OrderState
from messages.strategy_records import StrategyRecord, VerticalRecord


class IntentStatus(Enum):
    """Where an intent is (S10).  NOT_SENT exists only in memory, before the commit."""

    INTENT_PERSISTED = "INTENT_PERSISTED"
    SENT = "SENT"
    LIVE = "LIVE"
    UNRESOLVED = "UNRESOLVED"  # the fate at the broker is unknown: counts as live, only evidence ends it
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    REFUSED = "REFUSED"  # it was definitively not taken: by our gateway, or by the broker's own answer
    VOID = "VOID"  # absent at the broker, proven twice


class ReplaceStatus(Enum):
    """How the last change of an order in place stands.  One that failed in any way ends in a cancel."""

    NONE = ""
    REQUESTED = "REQUESTED"  # not answered: the order stands as it was, or as it was asked to be
    REPLACED = "REPLACED"  # the broker has reported it
    FAILED = "FAILED"  # refused, or of unknown fate


class HedgeStatus(Enum):
    """Where a hedge is (S11)."""

    WORKING = "WORKING"
    FILLED = "FILLED"
    SHORT = "SHORT"  # ended short; the rest went to its child hedge
    ESCALATED = "ESCALATED"  # ended short at the last depth: a person was called
    RELEASED = "RELEASED"  # no longer needed


class StopStatus(Enum):
    """Where a stop-loss is (S2)."""

    ARMED = "ARMED"  # the stop-limit order is on its way or working
    TRIGGERED = "TRIGGERED"
    FALLBACK = "FALLBACK"  # canceling the stop-limit; the market order follows when that is confirmed
    MARKET = "MARKET"  # the market order works the remainder
    DONE = "DONE"  # the position is flat
    RELEASED = "RELEASED"  # the position went away by other means


class PositionKind(Enum):
    """Why a position changed without an order of ours (R21).  Never guessed: without evidence it is unexplained."""

    ASSIGNMENT = "assignment"
    EXERCISE = "exercise"
    EXPIRY = "expiry"
    LIQUIDATION = "liquidation"  # by the broker
    MANUAL = "manual"  # somebody traded by other means than ours
    CORPORATE = "corporate"
    UNEXPLAINED = "unexplained"


class Severity(Enum):
    """How loud an alert is."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


LOUDNESS = {severity: rank for rank, severity in enumerate(Severity)}  # louder is more


class GroupRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``order_groups``: the whole of a group that its legs, hedges and stops do not hold."""

    group_id: str
    cell: int
    strategy: str
    status: GroupStatus
    mode: Mode
    outcome: GroupOutcome
    reason: str
    group: Group  # column ``definition``, MessagePack
    hedges_placed: int
    crashes: int  # how often an actor of this group was rolled back
    quarantined: bool
    created_ns: int
    updated_ns: int


class LegRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``legs``: how far one parent order of a leg is authorised.  ``kind`` E (entry) or C (close)."""

    group_id: str
    leg_id: str
    kind: str
    symbol: str
    side: Side
    target_qty: int
    authorized_qty: int  # a level: shrinks when protection is busted
    updated_ns: int


class IntentRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``order_intents``: one child order, durable before its first byte leaves (S10).

    Its terms are those that were asked for last: a change in place is a later record, durable before it leaves as well.
    """

    client_order_id: str
    group_id: str
    leg_id: str
    parent_id: str  # tag of the leg, hedge or stop that it belongs to
    role: Role
    symbol: str
    side: Side
    quantity: int
    price: int
    trigger_price: int
    order_type: OrdType
    time_in_force: TimeInForce
    slice: int
    attempt: int
    status: IntentStatus
    broker_order_id: str
    epoch: int
    reference_price: int  # the mid when it was decided, for slippage
    parent_qty: int
    cause: str  # id of the event that led to it
    reason: str  # why, in words
    checks: str  # controls that the gateway applied
    decided_ns: int
    sent_ns: int  # when its last copy left
    acknowledged_ns: int
    cancel_requested_ns: int
    cancel_requests: int
    terminal_ns: int
    replace_requests: int = 0
    replace_requested_ns: int = 0
    replace_status: ReplaceStatus = ReplaceStatus.NONE


class ExecutionStateRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``execution_states``: what is known of one order; ``knowledge`` is the join itself (MessagePack)."""

    client_order_id: str
    group_id: str
    ord_status: OrdStatus
    order_qty: int
    cum_qty: int
    leaves_qty: int
    avg_px: int
    knowledge: OrderState
    updated_ns: int


class ExecutionRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``executions``: every trade, correction and bust once, keyed by (client_order_id, exec_id).

    Of an order whose busts and corrections came without exec ids also the broker's last answer to a query: it says what
    is left better than they can (domain/fills.py).
    """

    client_order_id: str
    exec_id: str
    group_id: str
    exec_type: str  # trade, trade_correct, trade_cancel, order_status
    exec_ref_id: str
    symbol: str
    side: Side
    last_qty: int
    last_px: int
    ts_ns: int


class HedgeRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``hedge_tracking``: one level of one hedge (S11)."""

    hedge_id: str  # the tag of the parent order
    group_id: str
    leg_id: str
    parent_hedge_id: str  # "" at level 1
    level: int  # 1 to the depth limit
    ordinal: int
    symbol: str
    side: Side
    needed_qty: int
    filled_qty: int
    status: HedgeStatus
    trigger: str  # why, in words
    opened_ns: int
    deadline_ns: int
    closed_ns: int


class StopRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``stop_tracking``: one stop-loss; lives until its position is flat."""

    stop_id: str  # the tag of the parent order
    group_id: str
    leg_id: str
    ordinal: int
    symbol: str
    side: Side
    quantity: int
    filled_qty: int
    trigger_price: int
    limit_price: int
    status: StopStatus
    armed_ns: int
    triggered_ns: int
    closed_ns: int
    trigger_on: TriggerOn = TriggerOn.LAST
    unprotected_ns: int = 0  # since when less than its quantity is looked after; 0: it is
    blind_ns: int = 0  # watched here: since when there is no quote to judge by; 0: there is


class StopWindowRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``stop_windows``: one time in which a position stood without its stop-loss (R3)."""

    stop_id: str
    opened_ns: int
    group_id: str
    symbol: str
    quantity: int  # the stop's whole quantity
    closed_ns: int


class GroupStopRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``group_stops``: the stop-loss of a whole group; ARMED from its first fill to its end."""

    group_id: str
    max_loss: int  # an amount
    judged_on: TriggerOn
    status: StopStatus  # ARMED, TRIGGERED (being flattened), DONE, or RELEASED (ended by other means)
    loss: int  # an amount: what had been lost when it triggered
    armed_ns: int
    blind_ns: int  # since when a leg has no quote to judge by; 0: all have
    triggered_ns: int
    closed_ns: int


class ExposureRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``exposures``: one time in which shorts of a group stood uncovered; the hedge lag is its length."""

    group_id: str
    opened_ns: int  # when the first unit became uncovered
    symbol: str
    quantity: int  # the most units that were uncovered at once
    covered_ns: int  # when the last unit was covered, closed, or allowed; 0 while it is not


class PositionEventRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``position_events``: a change of a position that no order of ours caused (R21, S4)."""

    event_id: str  # whose it is, and its number among theirs
    group_id: str  # "": nobody's; the position is foreign
    leg_id: str  # "": not a leg; shares that an option turned into, or a foreign position
    symbol: str
    quantity: int  # signed: what the account gained
    kind: PositionKind
    evidence: str
    activity_id: str  # the broker's own name for it, "" where it gave none
    price: int
    ts_ns: int

    @property
    def number(self) -> int:
        """Its number among those of its group, from 0; 0 for an id without."""
        number = self.event_id.rpartition("/")[2]
        return int(number) if number.isdigit() else 0


class RejectedEventRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``rejected_events``: a report that was not allowed to move a status (S8), or a message that was parked."""

    event_id: str
    group_id: str
    client_order_id: str
    current: str
    incoming: str
    reason: str
    payload: bytes  # the message, MessagePack
    ts_ns: int


class EscalationRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``escalations``: an alert, kept until it is delivered and, when CRITICAL, acknowledged by a person."""

    escalation_id: str
    group_id: str  # "" when it is about the system
    severity: Severity
    kind: str  # IMMEDIATE_MANUAL_HEDGE, FOREIGN_ORDER, BROKER_SILENT, …
    symbol: str
    quantity: int
    text: str
    raised_ns: int
    repeats: int
    delivered_ns: int
    acknowledged_ns: int
    acknowledged_by: str


class ControlAction(Enum):
    """What was decided about the subject of a :class:`ControlRecord`."""

    REFUSED = "refused"  # an order did not leave
    SENT_BACK = "sent back"  # an order waits until it may leave
    CANCELED = "canceled"  # working orders are being canceled
    ACTIVE = "active"  # the trading state
    REDUCING = "reducing"
    HALTED = "halted"
    DISABLED = "disabled"
    ENABLED = "enabled"
    GRANTED = "granted"  # an override
    USED = "used"  # an override let an order pass
    MARKED = "marked"  # a value to compare with later


class ControlRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``control_decisions`` of the gateway's journal: the last decision about one subject (E15).

    ``subject`` begins with what it is: ``order/`` and its id, ``trading/`` and who asks for the state, ``repeat/``,
    ``override/``, ``use/``, ``mark/``, ``difference/``, ``applied/`` and a strategy, ``told/`` and what is stopped.
    """

    subject: str
    control: str  # E1 to E20, or "trading"
    action: ControlAction
    group_id: str = ""
    symbol: str = ""
    quantity: int = 0
    amount: int = 0
    text: str
    by: str = ""  # the person who asked for it
    at_ns: int
    until_ns: int = 0  # 0: until it is changed


class ProcessedEventRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``processed_events``: the inbox, written in the transaction of its effects (S9)."""

    event_id: str
    kind: str
    group_id: str
    ts_ns: int


Record = (
    GroupRecord
    | LegRecord
    | IntentRecord
    | ExecutionStateRecord
    | ExecutionRecord
    | HedgeRecord
    | StopRecord
    | StopWindowRecord
    | GroupStopRecord
    | ExposureRecord
    | PositionEventRecord
    | RejectedEventRecord
    | EscalationRecord
    | ControlRecord
    | ProcessedEventRecord
    | StrategyRecord
    | VerticalRecord
)
