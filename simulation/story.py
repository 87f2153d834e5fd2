"""A run as a story: who said what to whom, what left for the broker, what became durable, what the exchange did, who
died.

A line has the virtual time, who it is about, and what happened; fields that are empty or 0 are left out.  Prices are
whole ten-thousandths, as everywhere in the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

import msgspec
from rich.console import Console
from thespian.actors import ActorAddress, ChildActorExited, WakeupMessage, WatchMessage

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
    Operated,
    OrderBatch,
    OrderBatchTaken,
    Ping,
    Pong,
    StartRoot,
)
from simulation.base import Process
from simulation.schedule import SECOND_NS
from simulation.world import World
from storage.port import Turn
from supervisors.cells import CellDirectory
from venue.audit.wire import Line
from venue.truth import TruthEvent

DULL = (
    Ping, Pong, WakeupMessage, WatchMessage, EventBatchTaken, OrderBatchTaken, AlertBatchTaken, CellDirectory,
    BrokerSeen, Probe,
)  # fmt: skip
DULL_EVENTS = frozenset({"Tick"})
# who it is that speaks from outside of the actors
OUTSIDE: Final = {StartRoot: "main program", Operate: "operator", ChildActorExited: "actor system"}
UNTOLD: Final = frozenset({"version", "config", "sender"})  # the same in every letter, or said by its line already
SPELT_OUT: Final = frozenset({"legs", "stops", "changes", "problems"})  # of other collections: how many there are
DULL_LINES: Final = frozenset({"query"})  # of the wire record
ON_THE_WIRE: Final = ("client_order_id", "request_id", "quantity", "price", "trigger_price", "resend", "killed",
                      "blind", "on", "unwritten", "unsaved")  # fmt: skip
OCC: Final = re.compile(r"\b([A-Z]{1,6}) +(\d{6}[CP]\d{8})\b")  # a symbol, whose root is padded to six places
LAST: Final = 200  # lines that are told unless somebody wants others
INDENT: Final = " " * 13  # of a line's continuation: as long as its time


class Story:
    """Listens to a world and keeps one line for each thing worth telling."""

    def __init__(self, world: World) -> None:
        self.world, self.lines = world, list[str]()
        self._names: dict[str, str] = {}  # by address; the dead keep theirs
        base, oracles, watch = world.base, world.oracles, world.watch
        base.on_step, base.on_answer = self._step, self._answer
        world.faults.told = lambda name: self._line("FAULT", name)
        death, truth, commit, left = base.on_death, oracles.on_truth, oracles.on_commit, watch.on_wire

        def dies(process: Process) -> None:
            self._line("DIES", self._who(process.address))
            death(process)

        def happens(event: TruthEvent) -> None:
            self._line("exchange", _truth(event))
            truth(event)

        def commits(path: Path, turn: Turn) -> None:
            for record in turn.records:
                told = _record(record)
                if told:
                    self._line(f"journal {path.stem}", told)
            commit(path, turn)

        def leaves(line: Line, *, is_marked: bool) -> None:
            if line.kind not in DULL_LINES:
                told = _fields((name, getattr(line, name)) for name in ON_THE_WIRE)
                self._line(f"gateway ({line.pid}) → broker", " ".join([line.kind, *told]))
            left(line, is_marked=is_marked)

        base.on_death = dies
        oracles.on_truth = happens  # type: ignore[method-assign]
        oracles.on_commit = commits  # type: ignore[method-assign]
        watch.on_wire = leaves  # type: ignore[method-assign]

    def _line(self, who: str, what: str) -> None:
        at_s = (self.world.schedule.now_ns - SECOND_NS) / SECOND_NS
        self.lines.append(f"{at_s:9.3f} s  {who:<34} {_unpadded(what)}".rstrip())

    def _step(self, process: Process, message: Any, sender: ActorAddress) -> None:
        if not isinstance(message, DULL):
            self._letter(self._who(sender, message), self._who(process.address), message)

    def _answer(self, sender: ActorAddress, message: Any) -> None:
        if not isinstance(message, DULL):
            self._letter(self._who(sender), "operator", message)

    def _letter(self, sender: str, receiver: str, message: Any) -> None:
        for text in self._said(message):
            self._line(f"{sender} → {receiver}", text)

    def _said(self, message: Any) -> list[str]:
        match message:
            case EventBatch():
                events = wire.events(message.events)
                return [_told(event) for event in events if type(event).__name__ not in DULL_EVENTS]
            case OrderBatch():
                return [_told(request) for request in wire.requests(message.requests)]
            case Operate():
                return [_told(wire.command(message.command))]
            case Operated():
                return [f"{_told(wire.answer(message.answer))} command_id={message.command_id}"]
            case ChildActorExited():
                return [f"ChildActorExited {self._who(message.childAddress)}"]
        return [_told(message)]

    def _who(self, address: ActorAddress, said: Any = None) -> str:
        """Whose address it is, also when nobody is there any more; of the outside: who says such a thing."""
        base = self.world.base
        key: str = address.actorAddressString
        if key == base.outside_name:
            return OUTSIDE.get(type(said), "outside")
        process = base.processes.get(key)
        if process is not None:
            name = getattr(base.instance(process), "name", "") or process.kind
            self._names[key] = f"{name} ({process.pid})"
        return self._names.get(key, key)


def tell(out: Console, story: Story, last: int) -> None:
    """Print the last lines of it, 0: all.  A line stays one where it is not for a person's screen."""
    for line in excerpt(story.lines, last):
        lines = wrap(line, out.width, subsequent_indent=INDENT, break_on_hyphens=False) if out.is_terminal else [line]
        for part in lines:
            out.print(part, markup=False, highlight=False, soft_wrap=True)


def excerpt(lines: Sequence[str], last: int) -> list[str]:
    """The last of these lines, 0: all; what is left out is said first."""
    left = len(lines) - last if last else 0
    if left <= 0:
        return list(lines)
    return [f"… {left:,} earlier lines are left out; --last 0 tells them all", *lines[-last:]]


def _told(message: Any) -> str:
    return " ".join([type(message).__name__, *_fields(_items(message))])


def _items(message: Any) -> Iterator[tuple[str, Any]]:
    names: Sequence[str] = ()
    if isinstance(message, msgspec.Struct):
        names = message.__struct_fields__
    elif is_dataclass(message):
        names = [field.name for field in fields(message)]
    return ((name, getattr(message, name)) for name in names if name not in UNTOLD)


def _fields(items: Iterator[tuple[str, Any]]) -> Iterator[str]:
    """``name=value`` of each that says something.  Times are the line's; bytes are nothing that anybody reads."""
    for name, value in items:
        if value and not name.endswith("_ns") and not isinstance(value, bytes):
            yield f"{name}={_value(name, value)}"


def _value(name: str, value: Any) -> str:
    match value:
        case Enum():
            return str(value.value)
        case str():
            text = _unpadded(value)
            return repr(text) if " " in text else text
        case Mapping():
            return ",".join(map(str, value))
        case tuple() | list() | AbstractSet() if name not in SPELT_OUT:
            return str(len(value))
        case tuple() | list():
            return f"[{', '.join(_value('', one) for one in value)}]"
        case msgspec.Struct():
            return f"({' '.join(_fields(_items(value)))})"
    return str(value)


def _unpadded(text: str) -> str:
    """Symbols without the spaces inside of them, so that they are one word."""
    return OCC.sub(r"\1\2", text)


def _truth(event: TruthEvent) -> str:
    about = f"{event.side} {event.last_qty or event.qty or ''} {event.symbol} {event.client_order_id} {event.reason}"
    return f"{event.kind} {about}"


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
