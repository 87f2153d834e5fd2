"""Thespian as it is documented: every actor is a process (multiprocTCPBase); a desk that writes, one actor per group.

``most`` reports share a commit.  Each report is a letter of its own to its group and back.
"""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress, ActorSystem, ActorTypeDispatcher

from benchmarks.book import Book, Ledger, Rows, drive, group_of, merge
from benchmarks.workload import Order
from domain.execution import ExecutionReport
from messages.orders import SubmitOrder
from supervisors.lifeline import tie_descendants
from supervisors.loopback import bind_to_loopback

PATIENCE_S = 120.0
QUIET = {"version": 1, "root": {"level": "CRITICAL", "handlers": []}}


class OpenGroup:
    """To a group: be this one."""

    def __init__(self, number: int) -> None:
        self.number = number


class Opened:
    """From a group: its first orders."""

    def __init__(self, orders: list[Order]) -> None:
        self.orders = orders


class Judge:
    """To a group: a report about one of its orders."""

    def __init__(self, report: ExecutionReport) -> None:
        self.report = report


class Judged:
    """From a group: what is to be written, and what may leave then."""

    def __init__(self, rows: Rows, orders: list[SubmitOrder]) -> None:
        self.rows, self.orders = rows, orders


class OpenDesk:
    """To the desk: make these groups."""

    def __init__(self, path: Path, groups: int, most: int) -> None:
        self.path, self.groups, self.most = path, groups, most


class Batch:
    """To the desk: reports, to be answered with the orders that they lead to."""

    def __init__(self, reports: list[ExecutionReport]) -> None:
        self.reports = reports


class Group(ActorTypeDispatcher):  # type: ignore[misc]
    """One group: its book, in a process of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._book = Book()

    def receiveMsg_OpenGroup(self, message: OpenGroup, sender: ActorAddress) -> None:  # noqa: N802
        """Begin."""
        self.send(sender, Opened(self._book.open([message.number])))

    def receiveMsg_Judge(self, message: Judge, sender: ActorAddress) -> None:  # noqa: N802
        """Decide about one report."""
        rows: Rows = {}
        self.send(sender, Judged(rows, self._book.decide(message.report, rows)))


class Desk(ActorTypeDispatcher):  # type: ignore[misc]
    """Hands reports to their groups and releases orders when their rows are durable."""

    def __init__(self) -> None:
        super().__init__()
        self._asker: ActorAddress | None = None
        self._groups: list[ActorAddress] = []
        self._owed = 0  # answers of groups
        self._first: list[Order] = []
        self._waiting: list[ExecutionReport] = []
        self._rows: Rows = {}
        self._ready: list[SubmitOrder] = []

    def receiveMsg_OpenDesk(self, message: OpenDesk, sender: ActorAddress) -> None:  # noqa: N802
        """Open the ledger and make the groups."""
        self._asker, self._most, self._owed = sender, message.most, message.groups
        self._ledger = Ledger(message.path)
        for number in range(message.groups):
            self._groups.append(self.createActor(Group))
            self.send(self._groups[-1], OpenGroup(number))

    def receiveMsg_Opened(self, message: Opened, sender: ActorAddress) -> None:  # noqa: N802
        """A group stands; when all do, their first orders go out."""
        del sender
        self._first += message.orders
        self._owed -= 1
        if not self._owed:
            self.send(self._asker, self._first)

    def receiveMsg_Batch(self, message: Batch, sender: ActorAddress) -> None:  # noqa: N802
        """Begin with the first part of it."""
        self._asker, self._waiting = sender, message.reports
        self._hand_out()

    def receiveMsg_Judged(self, message: Judged, sender: ActorAddress) -> None:  # noqa: N802
        """When the last answer of a part is there, write; when the last part is written, release."""
        del sender
        merge(self._rows, message.rows)
        self._ready += message.orders
        self._owed -= 1
        if self._owed:
            return
        self._ledger.write(self._rows)
        self._rows = {}
        if self._waiting:
            self._hand_out()
            return
        released, self._ready = self._ready, []
        self.send(self._asker, released)

    def _hand_out(self) -> None:
        part, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        self._owed = len(part)
        for report in part:
            self.send(self._groups[group_of(report.client_order_id)], Judge(report))


def reports_per_second(path: Path, groups: int, size: int, most: int) -> float:
    """B2's rival: reports a second."""
    os.environ["THESPIAN_BASE_IPADDR"] = "127.0.0.1"
    tie_descendants()
    bind_to_loopback()
    actors = ActorSystem("multiprocTCPBase", {"Admin Port": _free_port()}, logDefs=QUIET)
    try:
        desk = actors.createActor(Desk)
        orders: list[Order] = _asked(actors, desk, OpenDesk(path, groups, most))
        return drive(orders, lambda batch: _asked(actors, desk, Batch(batch)), size)
    finally:
        actors.shutdown()


def _asked(actors: ActorSystem, desk: ActorAddress, message: object) -> Any:
    answer = actors.ask(desk, message, PATIENCE_S)
    if not isinstance(answer, list):
        raise RuntimeError(f"Thespian answered {answer!r} to {type(message).__name__}")
    return answer


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port
