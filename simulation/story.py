"""A run as a story: who said what to whom, what became durable, what the exchange did, who died."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thespian.actors import WakeupMessage, WatchMessage

from messages import wire
from messages.positions import BrokerSeen, Probe
from messages.records import (
    EscalationRecord,
    ExecutionStateRecord,
    GroupRecord,
    HedgeRecord,
    IntentRecord,
    StopRecord,
)
from messages.supervision import (
    AlertBatchTaken,
    EventBatch,
    EventBatchTaken,
    Operate,
    OrderBatch,
    OrderBatchTaken,
    Ping,
    Pong,
)
from simulation.base import Process
from simulation.schedule import SECOND_NS
from simulation.world import World
from storage.port import Turn
from supervisors.cells import CellDirectory
from venue.truth import TruthEvent

DULL = (
    Ping, Pong, WakeupMessage, WatchMessage, EventBatchTaken, OrderBatchTaken, AlertBatchTaken, CellDirectory,
    BrokerSeen, Probe,
)  # fmt: skip
DULL_EVENTS = frozenset({"Tick"})


class Story:
    """Listens to a world and keeps one line for each thing worth telling."""

    def __init__(self, world: World) -> None:
        self.world, self.lines = world, list[str]()
        base, oracles = world.base, world.oracles
        base.on_step = self._step
        world.faults.told = lambda name: self._line("FAULT", name)
        death, truth, commit = base.on_death, oracles.on_truth, oracles.on_commit

        def dies(process: Process) -> None:
            self._line("DIES", _who(world, process))
            death(process)

        def happens(event: TruthEvent) -> None:
            self._line("exchange", _truth(event))
            truth(event)

        def commits(path: Path, turn: Turn) -> None:
            for record in turn.records:
                told = _record(record)
                if told:
                    self._line(path.stem, told)
            commit(path, turn)

        base.on_death = dies
        oracles.on_truth = happens  # type: ignore[method-assign]
        oracles.on_commit = commits  # type: ignore[method-assign]

    def _line(self, who: str, what: str) -> None:
        at_s = (self.world.schedule.now_ns - SECOND_NS) / SECOND_NS
        self.lines.append(f"{at_s:8.3f} s  {who:<18} {what}")

    def _step(self, process: Process, message: Any) -> None:
        if not isinstance(message, DULL):
            for text in _letter(message):
                self._line(f"→ {_who(self.world, process)}", text)


def _who(world: World, process: Process) -> str:
    instance = world.base.actorRegistry[process.address.actorAddressString].instance
    name = getattr(instance, "name", "") or process.kind
    return f"{name} ({process.pid})"


def _letter(message: Any) -> list[str]:
    match message:
        case EventBatch():
            return [_short(event) for event in wire.events(message.events) if type(event).__name__ not in DULL_EVENTS]
        case OrderBatch():
            return [_short(request) for request in wire.requests(message.requests)]
        case Operate():
            return [_short(wire.command(message.command))]
    return [type(message).__name__]


def _short(message: Any) -> str:
    fields = ("client_order_id", "exec_type", "ord_status", "outcome", "side", "quantity", "symbol", "price", "cum_qty",
              "leaves_qty", "last_qty", "reason", "plan", "on", "group_id", "session", "orders")  # fmt: skip
    told = []
    for name in fields:
        value = getattr(message, name, None)
        if value not in (None, "", 0):
            value = getattr(value, "value", value)
            told.append(f"{name}={len(value)}" if name == "orders" else f"{name}={value}")
    return f"{type(message).__name__} {' '.join(told)}"[:240]


def _truth(event: TruthEvent) -> str:
    about = f"{event.side} {event.last_qty or event.qty or ''} {event.symbol} {event.client_order_id} {event.reason}"
    return f"{event.kind} {about}".rstrip()


def _record(record: Any) -> str:
    match record:
        case IntentRecord():
            return f"intent {record.client_order_id} {record.role.value} {record.status.value} {record.reason}"
        case ExecutionStateRecord():
            filled = f"cum={record.cum_qty} leaves={record.leaves_qty}"
            return f"order {record.client_order_id} {record.ord_status.value} {filled}"
        case GroupRecord():
            where = f"{record.status.value} {record.mode.value} {record.outcome.value}"
            return f"group {record.group_id} {where} {record.reason}"
        case HedgeRecord():
            filled = f"{record.filled_qty}/{record.needed_qty}"
            return f"hedge {record.hedge_id} level {record.level} {record.status.value} {filled}"
        case StopRecord():
            return f"stop {record.stop_id} {record.status.value} {record.filled_qty}/{record.quantity}"
        case EscalationRecord():
            return f"alert {record.severity.value} {record.kind} {record.text}"
    return ""
