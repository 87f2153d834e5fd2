"""The plain way: asyncio and aiosqlite, one writer queue, no actors, no supervision, no recovery.

It does the same work as a cell: each report once, its order's state and fill, the intents that follow, and nothing
leaves before it is durable (``synchronous=FULL``).  ``most`` is how many events share a commit: 1, or what waits.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import aiosqlite

from benchmarks.workload import LEGS, LONG_CALL, LONG_PUT, QUANTITY, SHORT_CALL, SHORT_PUT, START_NS, Broker, Order
from domain.execution import ExecType, ExecutionReport, OrdStatus, OrdType, Side, TimeInForce
from domain.groups import Role
from messages import wire
from messages.orders import SubmitOrder

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE events (event_id TEXT PRIMARY KEY, order_id TEXT NOT NULL, ts_ns INTEGER NOT NULL, report BLOB NOT NULL);
CREATE TABLE orders (
    order_id TEXT PRIMARY KEY, status TEXT NOT NULL, cum_qty INTEGER NOT NULL, leaves_qty INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL
);
CREATE TABLE fills (
    order_id TEXT, exec_id TEXT, qty INTEGER, px INTEGER, ts_ns INTEGER, PRIMARY KEY (order_id, exec_id)
);
CREATE TABLE intents (
    order_id TEXT PRIMARY KEY, group_id TEXT NOT NULL, leg TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL,
    quantity INTEGER NOT NULL, price INTEGER NOT NULL, decided_ns INTEGER NOT NULL
);
"""
INSERT_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?)"
PUT_ORDER = """
INSERT INTO orders VALUES (?, ?, ?, ?, ?) ON CONFLICT (order_id) DO UPDATE SET
    status = excluded.status, cum_qty = excluded.cum_qty, leaves_qty = excluded.leaves_qty,
    updated_ns = excluded.updated_ns
"""
INSERT_FILL = "INSERT INTO fills VALUES (?, ?, ?, ?, ?)"
INSERT_INTENT = "INSERT INTO intents VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
GUARDS = {LONG_PUT: SHORT_PUT, LONG_CALL: SHORT_CALL}  # which short a long lets out

Rows = dict[str, list[tuple[Any, ...]]]


class PlainWay:
    """One program that keeps its groups in dictionaries."""

    def __init__(self, db: aiosqlite.Connection, most: int) -> None:
        self._db, self._most = db, most
        self._seen: set[str] = set()
        self._orders: dict[str, tuple[int, int, int]] = {}  # order id -> group, leg, filled
        self._children: dict[tuple[int, int], int] = {}
        self.released: list[SubmitOrder] = []

    def open(self, groups: int) -> list[Order]:
        """The first orders of every group, not counted."""
        rows: Rows = {}
        sent = [self._send(group, leg, QUANTITY, START_NS, rows) for group in range(groups) for leg in GUARDS]
        return [Order(order.client_order_id, order.symbol, order.side, order.quantity) for order in sent]

    async def take(self, batch: list[ExecutionReport]) -> None:
        """Handle reports in order, each batch of at most ``most`` in one commit."""
        for start in range(0, len(batch), self._most):
            rows: Rows = {}
            ready = [order for report in batch[start : start + self._most] for order in self._decide(report, rows)]
            if not rows:
                continue
            for statement, values in rows.items():
                await self._db.executemany(statement, values)
            await self._db.commit()
            wire.pack(ready)
            self.released += ready

    def _decide(self, report: ExecutionReport, rows: Rows) -> list[SubmitOrder]:
        event_id = f"{report.client_order_id}/{report.exec_id}"
        if event_id in self._seen:
            return []
        self._seen.add(event_id)
        order_id, now = report.client_order_id, report.ts_ns
        rows.setdefault(INSERT_EVENT, []).append((event_id, order_id, now, wire.pack(report)))
        group, leg, filled = self._orders[order_id]
        filled += report.last_qty
        self._orders[order_id] = (group, leg, filled)
        status = OrdStatus.FILLED if filled == report.order_qty else report.ord_status
        row = (order_id, status.value, filled, report.order_qty - filled, now)
        rows.setdefault(PUT_ORDER, []).append(row)
        if report.exec_type is not ExecType.TRADE:
            return []
        rows.setdefault(INSERT_FILL, []).append((order_id, report.exec_id, report.last_qty, report.last_px, now))
        return [self._send(group, GUARDS[leg], report.last_qty, now, rows)] if leg in GUARDS else []

    def _send(self, group: int, leg: int, quantity: int, now: int, rows: Rows) -> SubmitOrder:
        number = self._children[group, leg] = self._children.get((group, leg), -1) + 1
        order_id, group_id = f"LK{group:07}E{leg}{number:02}1", f"condor-{group:06}"
        instrument, side = LEGS[leg]
        self._orders[order_id] = (group, leg, 0)
        row = (order_id, group_id, f"leg{leg}", instrument.symbol, side.value, quantity, 20_500, now)
        rows.setdefault(INSERT_INTENT, []).append(row)
        return SubmitOrder(
            client_order_id=order_id, group_id=group_id, role=Role.PROTECTION if side is Side.BUY else Role.RISK,
            symbol=instrument.symbol, side=side, quantity=quantity, order_type=OrdType.LIMIT,
            time_in_force=TimeInForce.DAY, price=20_500, trigger_price=0, parent_id=group_id, parent_qty=QUANTITY,
            epoch=1, decided_ns=now,
        )  # fmt: skip


async def _run(path: Path, groups: int, most: int, size: int) -> tuple[int, list[float]]:
    """How many reports there were, and the seconds that each batch of ``size`` took."""
    async with aiosqlite.connect(path, isolation_level="IMMEDIATE") as db:
        await db.executescript(SCHEMA)
        program, broker, times = PlainWay(db, most), Broker(), []
        orders = program.open(groups)
        while orders:
            for batch in broker.wave(orders, size):
                data = wire.pack(batch)
                began = perf_counter()
                await program.take([event for event in wire.events(data) if isinstance(event, ExecutionReport)])
                times.append(perf_counter() - began)
            orders = [Order(o.client_order_id, o.symbol, o.side, o.quantity) for o in program.released]
            program.released.clear()
        return broker.sent, times


def reports_per_second(path: Path, groups: int, most: int, size: int = 1_000) -> float:
    """B2's rival: reports a second, with up to ``most`` of them in one commit."""
    sent, times = asyncio.run(_run(path, groups, most, size))
    return sent / sum(times)


def one_at_a_time(path: Path, reports: int) -> float:
    """B1b's rival: the median time that one report takes, in microseconds."""
    _, times = asyncio.run(_run(path, reports // 18 + 1, 1, 1))
    return median(times) * 1e6


def raw_rows_per_second(path: Path, payloads: Iterable[bytes], most: int) -> float:
    """The limit: one row per report, of the size of its report, ``most`` in one ``executemany`` and commit."""
    rows = [(f"E{number:012}", "order", number, payload) for number, payload in enumerate(payloads)]
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.executescript(SCHEMA)
        began = perf_counter()
        for start in range(0, len(rows), most):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT_EVENT, rows[start : start + most])
            connection.execute("COMMIT")
        return len(rows) / (perf_counter() - began)
    finally:
        connection.close()
