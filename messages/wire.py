"""MessagePack between processes: typed, validated at the door."""

from __future__ import annotations

from typing import Any

import msgspec

from domain.execution import ExecutionReport
from messages.controls import ControlAlert, TradingStateChanged
from messages.market import BrokerSilent, BrokerUp, Funds, MarketStatus, Tick
from messages.operator import KillSwitch, OperatorAnswer, OperatorCommand
from messages.orders import (
    CancelOrder,
    CancelResult,
    ForgetOrder,
    InstrumentList,
    ModifyOrder,
    ModifyResult,
    OrderSent,
    Snapshot,
    SubmitOrder,
    SubmitResult,
    WorkingOrder,
)
from messages.positions import BrokerView, Finding, PositionIssue, PositionsMoved, Verdict
from messages.records import EscalationRecord
from messages.supervision import AlertDelivered
from messages.telemetry import Report

Event = (
    ExecutionReport
    | OrderSent
    | SubmitResult
    | CancelResult
    | ModifyResult
    | Snapshot
    | InstrumentList
    | Tick
    | BrokerUp
    | BrokerSilent
    | Funds
    | MarketStatus
    | KillSwitch
    | TradingStateChanged
    | ControlAlert
    | PositionsMoved
    | PositionIssue
)
Request = SubmitOrder | CancelOrder | ModifyOrder | ForgetOrder

_ENCODER = msgspec.msgpack.Encoder()
_EVENTS: msgspec.msgpack.Decoder[tuple[Event, ...]] = msgspec.msgpack.Decoder(tuple[Event, ...])
_REQUESTS: msgspec.msgpack.Decoder[tuple[Request, ...]] = msgspec.msgpack.Decoder(tuple[Request, ...])
_WORKING: msgspec.msgpack.Decoder[tuple[WorkingOrder, ...]] = msgspec.msgpack.Decoder(tuple[WorkingOrder, ...])
_COMMAND: msgspec.msgpack.Decoder[OperatorCommand] = msgspec.msgpack.Decoder(OperatorCommand)
_ANSWER: msgspec.msgpack.Decoder[OperatorAnswer] = msgspec.msgpack.Decoder(OperatorAnswer)
_ALERTS: msgspec.msgpack.Decoder[tuple[EscalationRecord, ...]] = msgspec.msgpack.Decoder(tuple[EscalationRecord, ...])
_DELIVERED: msgspec.msgpack.Decoder[tuple[AlertDelivered, ...]] = msgspec.msgpack.Decoder(tuple[AlertDelivered, ...])
_VIEW: msgspec.msgpack.Decoder[BrokerView] = msgspec.msgpack.Decoder(BrokerView)
_VERDICT: msgspec.msgpack.Decoder[Verdict] = msgspec.msgpack.Decoder(Verdict)
_FINDINGS: msgspec.msgpack.Decoder[tuple[Finding, ...]] = msgspec.msgpack.Decoder(tuple[Finding, ...])

_REPORT: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


def pack(value: Any) -> bytes:
    """The MessagePack bytes of a message or of a sequence of messages."""
    return _ENCODER.encode(value)


def events(data: bytes) -> tuple[Event, ...]:
    """The events of a batch.  Raises ``msgspec.ValidationError`` when they are not what this version knows."""
    return _EVENTS.decode(data)


def requests(data: bytes) -> tuple[Request, ...]:
    """The requests of a batch."""
    return _REQUESTS.decode(data)


def working(data: bytes) -> tuple[WorkingOrder, ...]:
    """The orders that may work, of a cell that says Hello."""
    return _WORKING.decode(data)


def command(data: bytes) -> OperatorCommand:
    """An operator's command."""
    return _COMMAND.decode(data)


def answer(data: bytes) -> OperatorAnswer:
    """The answer to a command."""
    return _ANSWER.decode(data)


def alerts(data: bytes) -> tuple[EscalationRecord, ...]:
    """The alerts of a batch."""
    return _ALERTS.decode(data)


def delivered(data: bytes) -> tuple[AlertDelivered, ...]:
    """The alerts that were passed on."""
    return _DELIVERED.decode(data)


def view(data: bytes) -> BrokerView:
    """What the broker says, whole."""
    return _VIEW.decode(data)


def findings(data: bytes) -> tuple[Finding, ...]:
    """What the reconciler found."""
    return _FINDINGS.decode(data)


def verdict(data: bytes) -> Verdict:
    """What a comparison holds back."""
    return _VERDICT.decode(data)


def report(data: bytes) -> Report:
    """What a process has counted."""
    return _REPORT.decode(data)
