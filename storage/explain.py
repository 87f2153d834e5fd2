"""The whole story of one group, from the log alone: who decided what, why, and what became of it (I29, E15)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from domain.money import to_decimal, to_float
from messages.records import (
    ControlRecord,
    EscalationRecord,
    ExecutionRecord,
    ExposureRecord,
    GroupRecord,
    GroupStopRecord,
    HedgeRecord,
    IntentRecord,
    IntentStatus,
    LegRecord,
    PositionEventRecord,
    ProcessedEventRecord,
    Record,
    RejectedEventRecord,
    ReplaceStatus,
    StopRecord,
    StopWindowRecord,
)
from storage.reader import JournalReader

# Stages that can bear the same time, in the order in which they must have happened.
STAGES = (
    "decision",
    "intent",
    "checks",
    "sent",
    "acknowledged",
    "unresolved",
    "fill",
    "correction",
    "bust",
    "answer",
    "cancel requested",
    "terminal",
)
_EXECUTIONS = {"trade": "fill", "trade_correct": "correction", "trade_cancel": "bust", "order_status": "answer"}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened, at broker time ``at_ns``, durable since ``turn``."""

    at_ns: int
    stage: str
    text: str
    turn: int
    facts: dict[str, str | int | float] = {}


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """All steps of one group, leg, order, hedge, stop, exposure, rejected event or escalation, in time order.

    ``missing`` names the links of decision, check, intent, send, acknowledgement and fill that the journal lacks.
    """

    subject: str
    id: str
    title: str
    steps: tuple[Step, ...]
    missing: tuple[str, ...] = ()


def explain(path: Path, group_id: str) -> list[Chapter]:
    """The chapters of a group, ordered by when each begins; empty when the journal has never heard of it.

    ``msgspec.json.encode`` gives the same as JSON.  Raises ``JournalError``.
    """
    drafts: dict[tuple[str, str], _Draft] = {}
    events: dict[str, ProcessedEventRecord] = {}
    with JournalReader(path, snapshot=True) as reader:
        for turn in reader.turns_about(group_id):
            for record in turn.records():
                if isinstance(record, ProcessedEventRecord):
                    events[record.event_id] = record
                if record.group_id == group_id and type(record) in _SUBJECTS:
                    subject, name = _SUBJECTS[type(record)]
                    draft = drafts.setdefault((subject, name(record)), _Draft(subject, name(record)))
                    draft.add(record, turn.turn, turn.at_ns)
    return in_order(draft.chapter(events) for draft in drafts.values())


def in_order(chapters: Iterable[Chapter]) -> list[Chapter]:
    """The chapters by when each begins."""
    return sorted(chapters, key=lambda chapter: (chapter.steps[0].at_ns, chapter.steps[0].turn))


def render(chapters: Iterable[Chapter]) -> list[str]:
    """The chapters as plain lines of text, times in UTC."""
    lines: list[str] = []
    for chapter in chapters:
        lines.append(
            f"{chapter.subject} {chapter.id}: {chapter.title}" if chapter.title else f"{chapter.subject} {chapter.id}"
        )
        lines.extend(
            f"  {utc(step.at_ns)}  {step.stage:<16}  {step.text}  [turn {step.turn}]" for step in chapter.steps
        )
        lines.extend(f"  MISSING: {what}" for what in chapter.missing)
    return lines


def utc(at_ns: int) -> str:
    """A broker time for people, to the microsecond."""
    return f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{at_ns % 10**9 // 1000:06}Z"


class _Draft:
    """A chapter while it is being read."""

    def __init__(self, subject: str, name: str) -> None:
        self.subject = subject
        self.name = name
        self.title = ""
        self.steps: list[Step] = []
        self.last: dict[type[Any], Record] = {}
        self.executions: dict[str, ExecutionRecord] = {}
        self.first_status: IntentStatus | None = None

    def add(self, record: Record, turn: int, at_ns: int) -> None:
        before = self.last.get(type(record))
        self.last[type(record)] = record
        match record:
            case IntentRecord():
                self.first_status = self.first_status or record.status
            case ExecutionRecord():
                if self.executions.get(record.exec_id) == record:
                    return
                self.executions[record.exec_id] = record
        title, tell = _TELLERS[type(record)]
        self.title = title(record) or self.title
        for when, stage, text, facts in tell(before, record):
            self.steps.append(Step(at_ns=when or at_ns, stage=stage, text=text, turn=turn, facts=facts))

    def chapter(self, events: dict[str, ProcessedEventRecord]) -> Chapter:
        rank = {stage: place for place, stage in enumerate(STAGES)}
        steps = sorted(
            (_with_cause(step, events) for step in self.steps),
            key=lambda step: (step.at_ns, rank.get(step.stage, 0), step.turn),
        )
        missing = tuple(self._missing()) if self.subject == "order" else ()
        return Chapter(subject=self.subject, id=self.name, title=self.title, steps=tuple(steps), missing=missing)

    def _missing(self) -> Iterator[str]:
        intent = self.last.get(IntentRecord)
        if not isinstance(intent, IntentRecord):
            yield "intent: executions of an order that this journal never intended"
            return
        if not intent.cause:
            yield "decision: no cause is recorded"
        if self.first_status is not IntentStatus.INTENT_PERSISTED:
            yield "intent: it was not durable on its own before it was sent"
        if intent.sent_ns and not intent.checks:
            yield "checks: it was sent, but no controls are recorded"
        if self.executions and not intent.sent_ns:
            yield "sent: it traded, but no sending is recorded"
        if self.executions and not intent.acknowledged_ns:
            yield "acknowledged: it traded, but no acknowledgement is recorded"


def _with_cause(step: Step, events: dict[str, ProcessedEventRecord]) -> Step:
    """A decision with the kind and the time of the event that led to it, where the log has that event."""
    cause = events.get(str(step.facts.get("cause", "")))
    if cause is None:
        return step
    facts = step.facts | {"cause_kind": cause.kind, "cause_ns": cause.ts_ns}
    return msgspec.structs.replace(step, text=f"{step.text}, a {cause.kind} of {utc(cause.ts_ns)}", facts=facts)


# A teller compares a record with the one of the same key before it, and gives what is new: the time (0: the turn's),
# the stage, the text and the facts.
_Told = Iterator[tuple[int, str, str, dict[str, str | int | float]]]


def _changed(before: Any, record: Any, field: str) -> bool:
    """Whether the field has a value now, and had another one or none before."""
    value = getattr(record, field)
    return bool(value) and (before is None or getattr(before, field) != value)


def _tell_intent(before: Any, record: Any) -> _Told:
    if before is None:
        facts = {"cause": record.cause, "reference_price": to_float(record.reference_price)}
        yield (
            record.decided_ns,
            "decision",
            f"{record.reason or 'no reason given'} (cause: {record.cause or 'none'})",
            facts,
        )
        attempt = f"slice {record.slice} attempt {record.attempt} of {record.parent_id}, epoch {record.epoch}"
        yield 0, "intent", f"durable: {attempt}", {"parent_id": record.parent_id, "epoch": record.epoch}
    if _changed(before, record, "checks"):
        yield record.sent_ns, "checks", record.checks, {}
    if _changed(before, record, "sent_ns"):
        yield record.sent_ns, "sent", "sent to the broker", {}
    if _changed(before, record, "acknowledged_ns"):
        text = f"the broker calls it {record.broker_order_id or 'nothing'}"
        yield record.acknowledged_ns, "acknowledged", text, {"broker_order_id": record.broker_order_id}
    if record.status is IntentStatus.UNRESOLVED and (before is None or before.status is not record.status):
        yield 0, "unresolved", "its fate at the broker is unknown", {}
    if _changed(before, record, "cancel_requested_ns"):
        yield record.cancel_requested_ns, "cancel requested", f"request {record.cancel_requests}", {}
    if before is not None and record.replace_requests > before.replace_requests:
        yield record.replace_requested_ns, "change requested", f"to {_order_title(record)}", {}
    if record.replace_status is ReplaceStatus.REPLACED and (
        before is None or before.replace_status is not record.replace_status
    ):
        yield 0, "changed", "the broker has changed it in place", {}
    if record.replace_status is ReplaceStatus.FAILED and (
        before is None or before.replace_status is not record.replace_status
    ):
        yield 0, "change failed", "refused or unanswered: it is canceled instead", {}
    if _changed(before, record, "terminal_ns"):
        yield record.terminal_ns, "terminal", record.status.value, {"status": record.status.value}


def _tell_execution(_: Any, record: Any) -> _Told:
    text = f"{record.last_qty} at {to_decimal(record.last_px)} (exec {record.exec_id}"
    text += f", changes {record.exec_ref_id})" if record.exec_ref_id else ")"
    if record.exec_type == "order_status":
        text = f"asked, the broker says that {record.last_qty} at {to_decimal(record.last_px)} have filled"
    facts = {"exec_id": record.exec_id, "last_qty": record.last_qty, "last_px": to_float(record.last_px)}
    yield record.ts_ns, _EXECUTIONS.get(record.exec_type, record.exec_type), text, facts


def _tell_group(before: Any, record: Any) -> _Told:
    state = (record.status, record.mode, record.outcome, record.quarantined)
    if before is None or state != (before.status, before.mode, before.outcome, before.quarantined):
        words = [record.status.value, record.mode.value, record.outcome.value, *["quarantined"] * record.quarantined]
        text = " ".join(words) + (f": {record.reason}" if record.reason else "")
        yield record.updated_ns, "group", text, {"status": record.status.value, "outcome": record.outcome.value}


def _tell_leg(before: Any, record: Any) -> _Told:
    if before is None or before.authorized_qty != record.authorized_qty:
        text = f"{record.authorized_qty} of {record.target_qty} may be worked"
        yield record.updated_ns, "authorized", text, {"authorized_qty": record.authorized_qty}


def _tell_hedge(before: Any, record: Any) -> _Told:
    if before is None:
        deadline = f"until {utc(record.deadline_ns)}" if record.deadline_ns else "without a deadline"
        yield record.opened_ns, "opened", f"{record.trigger}; {deadline}", {"parent_hedge_id": record.parent_hedge_id}
    if before is None or (before.status, before.filled_qty) != (record.status, record.filled_qty):
        text = f"{record.status.value}, {record.filled_qty} of {record.needed_qty} filled"
        yield record.closed_ns, "hedge", text, {"status": record.status.value, "filled_qty": record.filled_qty}


def _tell_stop(before: Any, record: Any) -> _Told:
    if _changed(before, record, "armed_ns"):
        text = f"trigger {to_decimal(record.trigger_price)}, limit {to_decimal(record.limit_price)}"
        yield record.armed_ns, "armed", text, {"trigger_price": to_float(record.trigger_price)}
    if _changed(before, record, "triggered_ns"):
        yield record.triggered_ns, "triggered", f"{record.quantity - record.filled_qty} to be closed", {}
    if before is None or (before.status, before.filled_qty) != (record.status, record.filled_qty):
        text = f"{record.status.value}, {record.filled_qty} of {record.quantity} filled"
        yield record.closed_ns, "stop", text, {"status": record.status.value, "filled_qty": record.filled_qty}


def _tell_stop_window(_: Any, record: Any) -> _Told:
    window_ms = (record.closed_ns - record.opened_ns) / 1e6
    yield record.closed_ns, "protected again", f"after {window_ms:.1f} ms without a stop", {"window_ms": window_ms}


def _tell_group_stop(before: Any, record: Any) -> _Told:
    if before is None:
        text = (
            f"the group is flattened when it has lost {to_decimal(record.max_loss)}, judged on {record.judged_on.value}"
        )
        yield record.armed_ns, "armed", text, {"max_loss": to_float(record.max_loss)}
    if _changed(before, record, "triggered_ns"):
        yield record.triggered_ns, "triggered", f"{to_decimal(record.loss)} lost", {"loss": to_float(record.loss)}
    if _changed(before, record, "closed_ns"):
        yield record.closed_ns, "group stop", record.status.value, {"status": record.status.value}


def _tell_exposure(before: Any, record: Any) -> _Told:
    if _changed(before, record, "quantity"):
        yield record.opened_ns if before is None else 0, "uncovered", f"{record.quantity} units stand uncovered", {}
    if _changed(before, record, "covered_ns"):
        lag_ms = (record.covered_ns - record.opened_ns) / 1e6
        yield record.covered_ns, "covered", f"after {lag_ms:.1f} ms", {"hedge_lag_ms": lag_ms}


def _tell_position(_: Any, record: Any) -> _Told:
    text = f"{record.quantity:+d} without an order of ours: {record.kind.value} ({record.evidence})"
    yield record.ts_ns, "position", text, {"kind": record.kind.value, "quantity": record.quantity}


def _tell_rejected(_: Any, record: Any) -> _Told:
    text = f"{record.current or '?'} stays, {record.incoming or '?'} refused: {record.reason}"
    yield record.ts_ns, "rejected", text, {"current": record.current, "incoming": record.incoming}


def _tell_escalation(before: Any, record: Any) -> _Told:
    if before is None:
        yield record.raised_ns, "raised", record.text, {"symbol": record.symbol, "quantity": record.quantity}
    if _changed(before, record, "delivered_ns"):
        yield record.delivered_ns, "delivered", "delivered to the alert sinks", {}
    if _changed(before, record, "repeats"):
        yield 0, "repeated", f"repeat {record.repeats}", {}
    if _changed(before, record, "acknowledged_ns"):
        yield record.acknowledged_ns, "acknowledged", f"by {record.acknowledged_by}", {"by": record.acknowledged_by}


def _tell_control(_: Any, record: Any) -> _Told:
    facts = {"control": record.control, "action": record.action.value, "by": record.by}
    yield record.at_ns, record.action.value, record.text, facts


def _order_title(record: Any) -> str:
    price = "" if not record.price else f" at {to_decimal(record.price)}"
    stop = "" if not record.trigger_price else f" stop {to_decimal(record.trigger_price)}"
    words = f"{record.side.value} {record.quantity} {record.symbol.strip()} {record.order_type.value}{price}{stop}"
    return f"{record.role.value} {words} {record.time_in_force.value}"


def _position_title(record: Any) -> str:
    return f"{record.side.value} {record.symbol.strip()}"


def _no_title(_: Any) -> str:
    return ""


# What each record is about (subject and id), then its title and its teller.
_SUBJECTS: dict[type[Any], tuple[str, Callable[[Any], str]]] = {
    GroupRecord: ("group", lambda record: record.group_id),
    LegRecord: ("leg", lambda record: f"{record.leg_id}/{record.kind}"),
    IntentRecord: ("order", lambda record: record.client_order_id),
    ExecutionRecord: ("order", lambda record: record.client_order_id),
    HedgeRecord: ("hedge", lambda record: record.hedge_id),
    StopRecord: ("stop", lambda record: record.stop_id),
    StopWindowRecord: ("stop", lambda record: record.stop_id),
    GroupStopRecord: ("group stop", lambda record: record.group_id),
    ExposureRecord: ("exposure", lambda record: f"{record.group_id}@{record.opened_ns}"),
    PositionEventRecord: ("position event", lambda record: record.event_id),
    RejectedEventRecord: ("rejected event", lambda record: f"{record.event_id}/{record.client_order_id}"),
    ControlRecord: ("control", lambda record: record.subject),
    EscalationRecord: ("escalation", lambda record: record.escalation_id),
}
_TELLERS: dict[type[Any], tuple[Callable[[Any], str], Callable[[Any, Any], _Told]]] = {
    GroupRecord: (lambda record: record.strategy, _tell_group),
    LegRecord: (_position_title, _tell_leg),
    IntentRecord: (_order_title, _tell_intent),
    ExecutionRecord: (_no_title, _tell_execution),
    HedgeRecord: (lambda record: f"level {record.level} {_position_title(record)}", _tell_hedge),
    StopRecord: (_position_title, _tell_stop),
    StopWindowRecord: (_no_title, _tell_stop_window),
    GroupStopRecord: (_no_title, _tell_group_stop),
    ExposureRecord: (lambda record: record.symbol.strip(), _tell_exposure),
    PositionEventRecord: (lambda record: record.symbol.strip(), _tell_position),
    RejectedEventRecord: (_no_title, _tell_rejected),
    ControlRecord: (lambda record: f"{record.control} {record.symbol.strip()}", _tell_control),
    EscalationRecord: (lambda record: f"{record.severity.value} {record.kind}", _tell_escalation),
}
