"""The plain way: asyncio and aiosqlite, one writer queue, no actors, no supervision, no recovery.

It does the same work as a cell: each report once, its order's state and fill, the intents that follow, and nothing
leaves before it is durable (``synchronous=FULL``).  ``most`` is how many events share a commit: 1, or what waits.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import median
from time import perf_counter

import aiosqlite

from benchmarks.book import SCHEMA, Book, Rows, told
from benchmarks.cell import Clock
from benchmarks.workload import Broker, Order
from domain.execution import ExecutionReport
from messages import wire
from messages.orders import SubmitOrder


class PlainWay:
    """One program that keeps its groups in dictionaries."""

    def __init__(self, db: aiosqlite.Connection, most: int) -> None:
        self._db, self._most = db, most
        self._book = Book()
        self.released: list[SubmitOrder] = []

    def open(self, groups: int) -> list[Order]:
        """The first orders of every group, not counted."""
        return self._book.open(range(groups))

    async def take(self, batch: list[ExecutionReport]) -> None:
        """Handle reports in order, each batch of at most ``most`` in one commit."""
        for start in range(0, len(batch), self._most):
            rows: Rows = {}
            ready = [order for report in batch[start : start + self._most] for order in self._book.decide(report, rows)]
            if not rows:
                continue
            for statement, values in rows.items():
                await self._db.executemany(statement, values)
            await self._db.commit()
            wire.pack(ready)
            self.released += ready


async def _run(path: Path, groups: int, most: int, size: int, clock: Clock) -> tuple[int, list[float]]:
    """How many reports there were, and the seconds that each batch of ``size`` took."""
    async with aiosqlite.connect(path, isolation_level="IMMEDIATE") as db:
        await db.executescript(SCHEMA)
        program, broker, times = PlainWay(db, most), Broker(), []
        orders = program.open(groups)
        while orders:
            for batch in broker.wave(orders, size):
                data = wire.pack(batch)
                began = clock()
                await program.take([event for event in wire.events(data) if isinstance(event, ExecutionReport)])
                times.append(clock() - began)
            orders = told(program.released)
            program.released.clear()
        return broker.sent, times


def reports_per_second(path: Path, groups: int, most: int, size: int = 1_000, clock: Clock = perf_counter) -> float:
    """B2's rival: reports a second, with up to ``most`` of them in one commit."""
    sent, times = asyncio.run(_run(path, groups, most, size, clock))
    return sent / sum(times)


def one_at_a_time(path: Path, reports: int) -> float:
    """B1b's rival: the median time that one report takes, in microseconds."""
    _, times = asyncio.run(_run(path, reports // 18 + 1, 1, 1, perf_counter))
    return median(times) * 1e6
