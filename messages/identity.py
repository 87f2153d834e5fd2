"""The identity of an input, for the inbox (S9): never random, and the same for a repeated delivery."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from domain.execution import ExecutionReport
from domain.report_ids import event_id, is_nameless
from messages.controls import ControlAlert, TradingStateChanged
from messages.market import BrokerSilent, BrokerUp, Funds, MarketStatus, Tick
from messages.operator import Acknowledge, AskStrategies, CancelGroup, KillSwitch, OperateStrategy, SubmitGroup
from messages.orders import InstrumentList, Snapshot
from messages.positions import PositionIssue, PositionsMoved


def input_id(message: msgspec.Struct) -> str:
    """The id under which ``processed_events`` knows this input; "" for one that may be handled any number of times.

    Ticks, snapshots, instrument lists, funds, the state of the link and the kill switch are levels: they say how
    things are, not that something happened, and the same may come back after it was different in between.  Commands are
    made unique by what they name.  Everything else is known by its content.
    """
    match message:
        case ExecutionReport():
            # Of one without exec id the order's own fold tells a repetition, and learns from it when an older one comes
            # late: what it says holds since its earliest time.
            return f"{event_id(message)}@{message.ts_ns}" if is_nameless(message) else event_id(message)
        case Tick() | Snapshot() | InstrumentList() | Funds() | BrokerUp() | BrokerSilent() | KillSwitch():
            return ""
        case TradingStateChanged() | ControlAlert():
            return ""  # a level; and an alert that has an id of its own
        case PositionsMoved():
            return message.letter_id
        case PositionIssue():
            return message.issue_id
        case CancelGroup() | Acknowledge() | MarketStatus() | OperateStrategy() | AskStrategies():
            return ""
        case SubmitGroup():
            return ""  # a group id is accepted once; the Desk says so with a clear refusal
        case _:
            digest = blake2b(msgspec.msgpack.encode(message), digest_size=16).hexdigest()
            return f"{type(message).__name__}/{getattr(message, 'client_order_id', '')}/{digest}"
