"""The gateway's wire record: what left for the broker, by whose epoch, and when the kill switch was turned.

It is the system's own testimony, so it is believed only as far as the exchange's record agrees: an order that arrived
without having left is a violation (I1).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from domain.calendar import Phase, calendar

NAME = "wire.jsonl"
LEAVING = frozenset({"submit", "cancel", "modify"})
PACED = LEAVING | {"query"}  # what the broker counts (E7)
ENTRY_ROLES = frozenset({"PROTECTION", "RISK"})


class WireError(Exception):
    """The record cannot be read; the message says what is wrong."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line; fields that do not apply are absent.  Prices are whole ten-thousandths."""

    kind: str  # start, login, submit, cancel, modify, query, kill; held: a repair begins to wait for a crossing (E12)
    ts_ns: int
    host_ns: int
    pid: int
    killed: bool = False
    blind: bool = False  # a gateway that could not read its journal yet: no new risk leaves before it has
    on: bool = False
    unwritten: bool = False  # the kill switch is on, and only the journal knows: its file could not be written
    unsaved: bool = False  # it is on, and neither its file nor the journal could be written: only that process knows
    controls: dict[str, Any] = {}
    stop_fallback_ms: int = 0
    calendar: str = "always"  # whose sessions the gateway keeps: in between deadlines stand still
    freeze_after_ms: int = (
        0  # so long a CRITICAL alert may wait for a person before it freezes new risk (E18); 0: not told
    )
    strategies: list[str] = []  # the names of those that are configured (E8)
    server_stops: bool = True  # whether the broker watches stop orders; else they are watched here
    client_order_id: str = ""
    request_id: str = ""
    role: str = ""
    symbol: str = ""
    side: str = ""
    quantity: int = 0
    order_type: str = ""
    price: int = 0
    trigger_price: int = 0
    parent_id: str = ""
    parent_qty: int = 0
    epoch: int = 0
    resend: bool = False

    @property
    def new_risk(self) -> bool:
        """Whether it sends an entry."""
        return self.kind == "submit" and self.role in ENTRY_ROLES


class Killed(NamedTuple):
    """The kill switch was on from ``first`` on, until ``last`` (``None``: until the record ends)."""

    first: Line
    last: Line | None
    within: list[Line]


class Wire:
    """The whole record.  ``present``: there is one."""

    def __init__(self, lines: list[Line], *, present: bool) -> None:
        self.lines = lines
        self.present = present
        self.leaving = [line for line in lines if line.kind in LEAVING]
        self.submits: dict[str, list[Line]] = {}
        self.limits: dict[str, dict[str, Any]] = {}  # client order id -> the limits in force when it first left
        limits: dict[str, Any] = {}
        for line in lines:
            if line.kind == "start":
                limits = line.controls
            if line.kind == "submit":
                self.submits.setdefault(line.client_order_id, []).append(line)
                self.limits.setdefault(line.client_order_id, limits)

    @property
    def starts(self) -> list[Line]:
        """Every start of a gateway."""
        return [line for line in self.lines if line.kind == "start"]

    def open_ns(self, start_ns: int, end_ns: int) -> int:
        """How much of this time lay inside of sessions, by the calendar that gateways were started with.

        What no calendar knows counts like a session.
        """
        days = calendar(self.starts[0].calendar if self.starts else "always")
        total, at_ns = 0, start_ns
        while at_ns < end_ns:
            standing = days.standing(at_ns)
            until_ns = min(standing.until_ns, end_ns)
            total += until_ns - at_ns if standing.phase in (Phase.OPEN, Phase.UNKNOWN) else 0
            at_ns = until_ns
        return total

    def kills(self) -> list[Killed]:
        """Each time in which the kill switch was on.

        One of which no disk took a word ends with its gateway: whoever turned it on was told, and no process that
        starts can know of it.
        """
        spans: list[Killed] = []
        current: Killed | None = None
        clock_ns, unsaved = 0, False
        for each in self.lines:
            clock_ns = max(clock_ns, each.ts_ns)  # a gateway that has just started knows no broker time yet
            line = replace(each, ts_ns=clock_ns)
            turned = line.kind == "kill" or (line.kind == "start" and line.killed)
            if current is None and turned and (line.on or line.killed):
                current = Killed(line, None, [])
            elif current is not None and (
                (line.kind == "kill" and not line.on) or (line.kind == "start" and unsaved and not line.killed)
            ):
                spans.append(current._replace(last=line))
                current = None
            elif current is not None:
                current.within.append(line)
            unsaved = line.unsaved if turned else unsaved
        return spans + ([current] if current else [])


def read_wire(directory: Path) -> Wire:
    """The record in a journal directory; empty and not ``present`` when there is none.

    A last line without its newline was torn by a crash and is left out.  Raises :class:`WireError`.
    """
    path = directory / NAME
    if not path.exists():
        return Wire([], present=False)
    decoder = msgspec.json.Decoder(Line)
    lines: list[Line] = []
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WireError(f"{path}: cannot be read: {error.strerror}") from error
    for number, text in enumerate(content.splitlines(keepends=True), start=1):
        try:
            lines.append(decoder.decode(text))
        except msgspec.DecodeError as error:
            if text.endswith(b"\n"):
                raise WireError(f"{path}, line {number}: not a line of a wire record: {error}") from None
    return Wire(lines, present=True)
