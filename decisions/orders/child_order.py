"""One child order: its intent and what is known of it, and how each piece of news changes that."""

from __future__ import annotations

from enum import Enum

import msgspec
from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment
from decisions.orders.recovery import Action, resolve
from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.fills import LEVEL, Execution, answer_in, from_report
from domain.groups import ENTRY_ROLES
from domain.order_table import Verdict
from domain.orders import OrderState, merge
from domain.report_ids import event_id, execution_id
from messages.orders import (
    CancelResult,
    ForgetOrder,
    ModifyResult,
    OrderSent,
    Outcome,
    Proof,
    SubmitOrder,
    SubmitResult,
)
from messages.records import (
    ExecutionRecord,
    ExecutionStateRecord,
    IntentRecord,
    IntentStatus,
    RejectedEventRecord,
    ReplaceStatus,
    Severity,
)

TERMINAL: dict[OrdStatus, IntentStatus] = {
    OrdStatus.FILLED: IntentStatus.FILLED,
    OrdStatus.CANCELED: IntentStatus.CANCELED,
    OrdStatus.REJECTED: IntentStatus.REJECTED,
    OrdStatus.EXPIRED: IntentStatus.EXPIRED,
}
ENDS = frozenset(TERMINAL.values())

# The gateway lets nothing out that has not passed its controls; this one died before it could say which.
UNTOLD_CHECKS = "passed, by a gateway that died before it could report them"

# Ended without a report: definitively refused, or absent twice.  A fill revives even these.
SAYS = "; refused: "  # in an intent's reason, before what was said against it
_REFUSED, _VOID, _LIVE_AT_BROKER = IntentStatus.REFUSED, IntentStatus.VOID, IntentStatus.LIVE
# As long as nothing that is told revives them.  What is in another state has ended with its session.
PROOFS = {_VOID: Proof.VOID, _REFUSED: Proof.REFUSED}

FILLS = frozenset({ExecType.TRADE, ExecType.TRADE_CORRECT, ExecType.TRADE_CANCEL})


class Fate(Enum):
    """Whether a child order can still trade."""

    LIVE = "live"  # may still fill, as far as anyone knows
    ENDED = "ended"


_LIVE, _ENDED = Fate.LIVE, Fate.ENDED


class ChildOrder(msgspec.Struct, frozen=True):
    """An intent, the join of all reports about it, and how often a snapshot did not list it since it was last seen."""

    intent: IntentRecord
    state: OrderState
    absences: int = 0
    absent_ns: int = 0  # as of when the last of them was taken: snapshots close together are one piece of evidence
    resent_ns: int = 0  # when it was last sent again: its time to work begins anew
    barred: bool = False  # gateway or broker would not take it again: only its absence can settle it
    outlived: bool = False  # it was not listed after the session that it was sent in

    @property
    def filled(self) -> int:
        """Units that traded, busts and corrections applied."""
        return self.state.cum_qty

    @property
    def live(self) -> int:
        """Units that may still trade.  Unknown counts as live."""
        return 0 if self.fate is _ENDED else self.state.live_qty

    @property
    def is_sound(self) -> bool:
        """Working at the broker as we want it: acknowledged, and no cancel or change of it is under way or failed."""
        return (
            self.fate is Fate.LIVE
            and self.state.is_acknowledged
            and not self.intent.cancel_requests
            and self.intent.replace_status not in (ReplaceStatus.REQUESTED, ReplaceStatus.FAILED)
            and self.intent.status is not IntentStatus.UNRESOLVED
        )

    @property
    def has_vanished(self) -> bool:
        """It should have ended, and two snapshots in a row do not list it: a stop-loss would count as live for ever.

        Either an answer took it, and nothing has shown it since: its refusal may have been lost, and no list shows what
        never worked.  Or its day is over, and the broker lists only what is of today.
        """
        return self.absences > 1 and _action(self, may_resend=False) is Action.CANCEL

    @property
    def fate(self) -> Fate:
        """Ended only by the broker's word, or because it never left."""
        state = self.state
        if state.is_settled:
            return _ENDED
        status = self.intent.status
        ended_by_us = status is _REFUSED or status is _VOID
        if ended_by_us and not state.acknowledged and not state.count.qty:
            return _ENDED
        return _LIVE


def new_child(intent: IntentRecord) -> ChildOrder:
    """The child order of an intent."""
    return ChildOrder(intent, OrderState.new(intent.client_order_id, intent.quantity))


def restored_child(intent: IntentRecord, known: ExecutionStateRecord | None) -> ChildOrder:
    """The child order that the journal tells of; ``known``: what the broker had said of it, if it has."""
    order = new_child(intent)
    return replace(order, state=known.knowledge) if known else order


def submit_request(intent: IntentRecord, moment: Moment, *, resend: bool) -> SubmitOrder:
    """The order as the gateway is to send it: nothing that is not in the intent (I30)."""
    return SubmitOrder(
        client_order_id=intent.client_order_id,
        group_id=intent.group_id,
        role=intent.role,
        symbol=intent.symbol,
        side=intent.side,
        quantity=intent.quantity,
        order_type=intent.order_type,
        time_in_force=intent.time_in_force,
        price=intent.price,
        trigger_price=intent.trigger_price,
        parent_id=intent.parent_id,
        parent_qty=intent.parent_qty,
        epoch=moment.epoch,
        decided_ns=intent.decided_ns,
        resend=resend,
    )


def join(order: ChildOrder, report: ExecutionReport, moment: Moment, effects: Effects) -> ChildOrder:
    """Join a report into an order.  What may not move the status is recorded, and its fills still count.

    Fills are written here, once each; the order itself when all that is new of it has been joined (`write_down`).
    """
    merged = merge(order.state, report)
    if merged.verdict is Verdict.REGRESSION:
        effects.records.append(_rejected(order, report, merged.reason, moment))
    if merged.state is order.state or merged.state == order.state:
        return order if not order.absences else replace(order, absences=0)
    if merged.verdict in (Verdict.REVIVAL, Verdict.ANOMALY):
        effects.alert(
            moment,
            Severity.WARNING,
            "ORDER_" + merged.verdict.name,
            f"{report.client_order_id}: {merged.reason}",
            group_id=order.intent.group_id,
            symbol=order.intent.symbol,
            quantity=report.last_qty,
            subject=f"{report.client_order_id}/{event_id(report)}",
        )
    if report.exec_type in FILLS and merged.state.executions is not order.state.executions:  # else it is held already
        effects.records.append(_execution(order, from_report(report, execution_id(report)), report))
    if merged.state.count.amended and merged.state.executions is not order.state.executions:
        answer = answer_in(merged.state.executions)
        if answer is not None and answer != answer_in(order.state.executions):
            effects.records.append(_execution(order, answer, report))
    intent = _follow(order.intent, merged.state, report, moment)
    return ChildOrder(intent, merged.state, resent_ns=order.resent_ns)


def write_down(before: ChildOrder, after: ChildOrder, moment: Moment, effects: Effects) -> None:
    """Record what has become of an order's intent and of what is known of it."""
    if after.intent is not before.intent and after.intent != before.intent:
        effects.records.append(after.intent)
    if after.state is not before.state:
        effects.records.append(_knowledge(after.intent, after.state, moment))


def _follow(intent: IntentRecord, state: OrderState, report: ExecutionReport, moment: Moment) -> IntentRecord:
    """The intent's row after its order's state changed.

    An end stays an end while a fill is missing that the broker counts (I14); the order lives by what is missing.
    """
    status = intent.status
    ended = state.is_settled or (state.is_terminal and status in ENDS)
    if state.is_settled:
        status = TERMINAL.get(state.ord_status, IntentStatus.FILLED)
    elif not ended and (state.is_acknowledged or state.cum_qty > 0):
        status = _LIVE_AT_BROKER
    told = intent.checks and intent.broker_order_id and intent.sent_ns and intent.acknowledged_ns
    if told and status is intent.status is _LIVE_AT_BROKER and not intent.replace_requests:
        return intent if not intent.terminal_ns else replace(intent, terminal_ns=0)  # most fills change nothing else
    return replace(
        intent,
        status=status,
        checks=intent.checks or UNTOLD_CHECKS,
        broker_order_id=intent.broker_order_id or report.venue_order_id,
        sent_ns=intent.sent_ns or report.ts_ns,
        acknowledged_ns=intent.acknowledged_ns or report.ts_ns,
        terminal_ns=(intent.terminal_ns or moment.at_ns) if ended or status in PROOFS else 0,
        replace_status=_replace_status(intent, report),
    )


# What a report says about the replace request that it names.
REPLACE_ANSWERS: dict[ExecType, ReplaceStatus] = {
    ExecType.REPLACED: ReplaceStatus.REPLACED,
    ExecType.CANCEL_REJECT: ReplaceStatus.FAILED,
}


def replace_request_id(intent: IntentRecord) -> str:
    """The id of the last request to change the order in place."""
    return f"{intent.client_order_id}/m{intent.replace_requests}"


def _replace_status(intent: IntentRecord, report: ExecutionReport) -> ReplaceStatus:
    """The last request's standing; an earlier request's late answer says nothing about it."""
    if not intent.replace_requests or report.request_id != replace_request_id(intent):
        return intent.replace_status
    return REPLACE_ANSWERS.get(report.exec_type, intent.replace_status)


def on_modify_result(order: ChildOrder, result: ModifyResult) -> ChildOrder:
    """What came of a change in place.  "Taken" is no evidence, its report is; anything else makes it a failure."""
    waits = order.intent.replace_status is ReplaceStatus.REQUESTED
    if not waits or result.outcome is Outcome.ACCEPTED or result.request_id != replace_request_id(order.intent):
        return order
    return replace(order, intent=replace(order.intent, replace_status=ReplaceStatus.FAILED))


def _knowledge(intent: IntentRecord, state: OrderState, moment: Moment) -> ExecutionStateRecord:
    return ExecutionStateRecord(
        client_order_id=intent.client_order_id,
        group_id=intent.group_id,
        ord_status=state.ord_status,
        order_qty=state.order_qty,
        cum_qty=state.cum_qty,
        leaves_qty=state.leaves_qty,
        avg_px=state.avg_px,
        knowledge=state,
        updated_ns=moment.at_ns,
    )


def _execution(order: ChildOrder, held: Execution, report: ExecutionReport) -> ExecutionRecord:
    """The row of an execution; ``held`` as the order's state has it, ``report`` as it was told."""
    level = held.ref == LEVEL
    return ExecutionRecord(
        client_order_id=report.client_order_id,
        exec_id=held.exec_id,
        group_id=order.intent.group_id,
        exec_type=held.kind.value,
        exec_ref_id=LEVEL if level else report.exec_ref_id,
        symbol=order.intent.symbol,
        side=order.intent.side,
        last_qty=held.qty if level else report.last_qty,
        last_px=held.px if level else report.last_px,
        ts_ns=held.ts_ns,
    )


def _rejected(order: ChildOrder, report: ExecutionReport, reason: str, moment: Moment) -> RejectedEventRecord:
    return RejectedEventRecord(
        event_id=event_id(report),
        group_id=order.intent.group_id,
        client_order_id=report.client_order_id,
        current=order.state.ord_status.value,
        incoming=f"{report.exec_type.value}/{report.ord_status.value}",
        reason=reason,
        payload=msgspec.msgpack.encode(report),
        ts_ns=moment.at_ns,
    )


def on_sent(order: ChildOrder, news: OrderSent) -> ChildOrder:
    """The gateway wrote the order to the broker's connection: it may be there from now on (S10).

    Of an order that is sent again each copy counts until the broker has acknowledged one: a copy may have waited in its
    lane for seconds, and the patience of the negative evidence begins when the last one left.
    """
    intent = order.intent
    checks = news.checks if intent.checks in ("", UNTOLD_CHECKS) else intent.checks
    sent_ns = intent.sent_ns if intent.sent_ns and intent.acknowledged_ns else max(intent.sent_ns, news.ts_ns)
    if (checks, sent_ns) != (intent.checks, intent.sent_ns):
        intent = replace(intent, checks=checks, sent_ns=sent_ns)
    if intent.status is IntentStatus.INTENT_PERSISTED:
        intent = replace(intent, status=IntentStatus.SENT)
    return replace(order, intent=intent)


def on_submit_result(order: ChildOrder, result: SubmitResult, moment: Moment, effects: Effects) -> ChildOrder:
    """What the gateway says of a submission.  Only a definitive refusal ends an order, and never a resent one.

    A resent one that is refused is not sent once more: who refuses an id goes on refusing it, and the order would count
    as live for ever.  What becomes of an earlier copy is for two snapshots to say; the first had it sent again.

    It may have been the last word of a gateway that died: the one that lives has heard from this cell that the order
    may work, and is told that it does not.
    """
    if order.fate is Fate.ENDED:
        return order
    intent = order.intent
    if result.outcome is Outcome.ACCEPTED:
        intent = replace(
            intent,
            status=IntentStatus.LIVE,
            broker_order_id=intent.broker_order_id or result.venue_order_id,
            sent_ns=intent.sent_ns or result.ts_ns,
            acknowledged_ns=intent.acknowledged_ns or result.ts_ns,
        )
        order = replace(order, absences=0)
    elif order.state.is_acknowledged:
        return order  # the broker has it: a refusal of a second copy says nothing about the first
    elif _is_definitive(order, result):
        reason = f"{intent.reason}{SAYS}{result.reason}"
        intent = replace(intent, status=IntentStatus.REFUSED, reason=reason, terminal_ns=moment.at_ns)
        effects.requests.append(forget_request(intent, moment))
    else:
        barred = not result.left or result.outcome is Outcome.REFUSED
        absences = max(order.absences, 1) if barred and order.resent_ns else order.absences
        order = replace(order, barred=barred, absences=absences)
        intent = replace(intent, status=IntentStatus.UNRESOLVED, sent_ns=intent.sent_ns or result.ts_ns)
        effects.alert(
            moment,
            Severity.WARNING,
            "ORDER_UNRESOLVED",
            f"{intent.client_order_id}: {result.reason}; it counts as live until the broker says otherwise",
            group_id=intent.group_id,
            symbol=intent.symbol,
            quantity=intent.quantity,
            subject=intent.client_order_id,
        )
    return replace(order, intent=intent)


def _is_definitive(order: ChildOrder, result: SubmitResult) -> bool:
    """Whether this refusal is of the only copy: else the other one may have been taken, or has been, by an answer."""
    taken = order.intent.status is IntentStatus.LIVE
    return result.outcome is Outcome.REFUSED and not order.resent_ns and not taken


def on_cancel_result(order: ChildOrder, result: CancelResult, moment: Moment, effects: Effects) -> ChildOrder:
    """What came of a cancel.  That it was taken or refused is no evidence of where the order is: reports are (R2, R4).

    Only of one that has vanished "unknown order" is the proof that no copy of it works: it cannot be under way any
    more, for the broker had taken it, and two snapshots had looked for it.
    """
    if not result.unknown_order or not order.has_vanished:
        return order
    if order.outlived:
        return _outlive(order, moment, effects)
    return _void(order, "taken by an answer alone, absent twice, and unknown to its cancel", moment, effects)


def _outlive(order: ChildOrder, moment: Moment, effects: Effects) -> ChildOrder:
    """It has expired with its day, as far as it is known to have filled: what the broker would have said of it then."""
    state, text = order.state, "its session is over, two snapshots do not list it, and its cancel finds no such order"
    expired = ExecutionReport(
        client_order_id=state.client_order_id, exec_type=ExecType.EXPIRED, ord_status=OrdStatus.EXPIRED, exec_id="",
        ts_ns=order.absent_ns, order_qty=state.order_qty, cum_qty=state.cum_qty, leaves_qty=0, avg_px=state.avg_px,
        text=text,
    )  # fmt: skip
    order = join(order, expired, moment, effects)
    effects.requests.append(forget_request(order.intent, moment))
    return replace(order, intent=replace(order.intent, reason=f"{order.intent.reason}; {text}"))


def _last_count(order: ChildOrder) -> ExecutionReport:
    """What the broker last counted, as its answer: none will come of an order that its lists have dropped.

    It settles only what was told without exec ids (:mod:`domain.fills`): the fill of another is still to be told.
    """
    state = order.state
    return ExecutionReport(
        client_order_id=state.client_order_id, exec_type=ExecType.ORDER_STATUS, ord_status=state.ord_status, exec_id="",
        ts_ns=order.absent_ns, order_qty=state.order_qty, cum_qty=state.reported_cum_qty, leaves_qty=state.leaves_qty,
        avg_px=0, text="the last count before the lists dropped it",
    )  # fmt: skip


def _void(order: ChildOrder, proof: str, moment: Moment, effects: Effects) -> ChildOrder:
    reason = f"{order.intent.reason}; {proof}"
    intent = replace(order.intent, status=_VOID, reason=reason, terminal_ns=moment.at_ns)
    effects.requests.append(forget_request(intent, moment))
    return replace(order, intent=intent)


def forget_request(intent: IntentRecord, moment: Moment) -> ForgetOrder:
    """Tell the gateway that this order, whose end no report need ever tell it, does not work."""
    return ForgetOrder(
        client_order_id=intent.client_order_id,
        epoch=moment.epoch,
        proof=PROOFS.get(intent.status, Proof.OUTLIVED),
        as_of_ns=intent.terminal_ns or moment.at_ns,
    )


def on_absence(
    order: ChildOrder, as_of_ns: int, parent_qty: int, moment: Moment, effects: Effects, *, wanted: bool
) -> ChildOrder:
    """A snapshot taken at ``as_of_ns`` does not list this order: walk the recovery table (R4, R7, I15).

    ``parent_qty`` is the parent's quantity as it stands now; a resent order is measured against that (E6).  What is not
    ``wanted`` any more is never sent again: an entry would be new risk of a group that is closing (I10), a repair more
    than is needed by now (I4, I5), and under the same id it can be no other order.  Horizon and count begin anew with
    each copy: a snapshot proves nothing about one that left later.  Of one that may not have left yet nobody is told
    that it is absent (:mod:`decisions.orders.awaited`).

    Nor does the next snapshot prove anything before the horizon has passed once more: a list that lags leaves the order
    out of all that are taken meanwhile, and two of them are one look.
    """
    intent = order.intent
    horizon_ns = moment.config.orders.absence_horizon_ms * MS
    may_resend = (
        moment.deduplicates and not order.barred and wanted and (intent.role not in ENTRY_ROLES or moment.may_open)
    )
    if as_of_ns < max(intent.decided_ns, intent.sent_ns, order.resent_ns) + horizon_ns:
        return order
    if as_of_ns >= order.absent_ns + horizon_ns:
        outlived = max(intent.decided_ns, intent.sent_ns) < moment.calendar.standing(as_of_ns).opened_ns
        order = replace(order, absences=order.absences + 1, absent_ns=as_of_ns, outlived=outlived)
        if order.absences > 1 and outlived and order.state.missing_qty:
            order = join(order, _last_count(order), moment, effects)
    action = _action(order, may_resend=may_resend)
    if action is Action.RESEND:
        order = replace(order, resent_ns=moment.at_ns, absences=0)
        current = replace(intent, parent_qty=max(intent.parent_qty, parent_qty))
        effects.requests.append(submit_request(current, moment, resend=True))
    elif action is Action.VOID:
        return _void(order, "absent at the broker, proven twice", moment, effects)
    elif action in (Action.ALERT, Action.CANCEL):
        effects.alert(
            moment,
            Severity.WARNING,
            "ORDER_MISSING",
            f"{intent.client_order_id} was acknowledged, but the broker does not list it; it counts as live",
            group_id=intent.group_id,
            symbol=intent.symbol,
            quantity=order.live,
            subject=intent.client_order_id,
        )
    return replace(order, intent=intent)


def _action(order: ChildOrder, *, may_resend: bool) -> Action:
    """What the recovery table says of an order that the last ``absences`` snapshots did not list."""
    return resolve(
        order.intent.status,
        acknowledged=order.state.is_acknowledged or order.filled > 0,
        outlived=order.outlived,
        ended=order.fate is Fate.ENDED,
        absences=order.absences,
        may_resend=may_resend,
    )
