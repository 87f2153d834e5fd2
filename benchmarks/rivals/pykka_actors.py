"""Pykka: a desk, a journal and one actor per group, each a thread; ``most`` reports share a commit."""

from __future__ import annotations

from pathlib import Path

import pykka

from benchmarks.book import Book, Ledger, Rows, drive, group_of, merge
from domain.execution import ExecutionReport
from messages.orders import SubmitOrder


class Group(pykka.ThreadingActor):  # type: ignore[misc]
    """One group: its book."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._book = Book()
        self.first = self._book.open([number])

    def on_receive(self, report: ExecutionReport) -> tuple[Rows, list[SubmitOrder]]:
        rows: Rows = {}
        return rows, self._book.decide(report, rows)


class Journal(pykka.ThreadingActor):  # type: ignore[misc]
    """The one writer."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def on_start(self) -> None:
        self._ledger = Ledger(self._path)  # in the thread that uses it

    def on_stop(self) -> None:
        self._ledger.close()

    def on_receive(self, rows: Rows) -> None:
        self._ledger.write(rows)


class Desk(pykka.ThreadingActor):  # type: ignore[misc]
    """Hands reports to their groups and releases orders when their rows are durable."""

    def __init__(self, groups: dict[int, pykka.ActorRef], journal: pykka.ActorRef, most: int) -> None:
        super().__init__()
        self._groups, self._journal, self._most = groups, journal, most

    def on_receive(self, batch: list[ExecutionReport]) -> list[SubmitOrder]:
        released: list[SubmitOrder] = []
        for start in range(0, len(batch), self._most):
            asked = [
                self._groups[group_of(report.client_order_id)].ask(report, block=False)
                for report in batch[start : start + self._most]
            ]
            rows: Rows = {}
            ready: list[SubmitOrder] = []
            for found, orders in pykka.get_all(asked):
                merge(rows, found)
                ready += orders
            self._journal.ask(rows)
            released += ready
        return released


def reports_per_second(path: Path, groups: int, size: int, most: int) -> float:
    """B2's rival: reports a second."""
    journal = Journal.start(path)
    try:
        actors = {number: Group.start(number) for number in range(groups)}
        orders = [order for actor in actors.values() for order in actor.proxy().first.get()]
        desk = Desk.start(actors, journal, most)
        return drive(orders, desk.ask, size)
    finally:
        pykka.ActorRegistry.stop_all()
