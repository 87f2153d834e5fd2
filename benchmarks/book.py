"""What the plain programs decide and write down, whoever hosts it: dictionaries, four narrow tables, four statements.

Each report counts once; it moves its order, a fill is a row, and each half of a long lets out half of its short.  There
is no supervision and no recovery here: this is the least that a program can do that keeps the promise "event and intent
durable before the intent leaves".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

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
Take = Callable[[list[ExecutionReport]], list[SubmitOrder]]


class Book:
    """The groups of one program, or of one actor of it."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._orders: dict[str, tuple[int, int, int]] = {}  # order id -> group, leg, filled
        self._children: dict[tuple[int, int], int] = {}

    def open(self, groups: Iterable[int]) -> list[Order]:
        """The first orders of these groups: their longs.  They are not counted, so they are not written down."""
        rows: Rows = {}
        return told(self._send(group, leg, QUANTITY, START_NS, rows) for group in groups for leg in GUARDS)

    def decide(self, report: ExecutionReport, rows: Rows) -> list[SubmitOrder]:
        """Take one report: add to ``rows`` what must be durable first, and return what may leave then."""
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


def group_of(order_id: str) -> int:
    """The group that an order of :class:`Book` belongs to."""
    return int(order_id[2:9])


def merge(into: Rows, rows: Rows) -> None:
    """Add rows to those of the same statements."""
    for statement, values in rows.items():
        into.setdefault(statement, []).extend(values)


def told(orders: Iterable[SubmitOrder]) -> list[Order]:
    """Orders as the broker sees them."""
    return [Order(order.client_order_id, order.symbol, order.side, order.quantity) for order in orders]


class Ledger:
    """The four tables in one file, written by one connection, each call one commit with ``synchronous=FULL``."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level="IMMEDIATE")
        self._db.executescript(SCHEMA)

    def write(self, rows: Rows) -> None:
        """Returns when the rows are durable."""
        for statement, values in rows.items():
            self._db.executemany(statement, values)
        if rows:
            self._db.commit()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def drive(orders: list[Order], take: Take, size: int) -> float:
    """Report on these orders and on all that follow, in batches of ``size``; the reports a second that ``take`` took.

    Reports come as bytes and orders leave as bytes, and both are on the clock, as they are for a cell.  Raises
    ``RuntimeError`` when the program did not do the whole work: two halves of a long let out two shorts.
    """
    broker, seconds, due, sent = Broker(), 0.0, 3 * len(orders), len(orders)
    while orders:
        released: list[SubmitOrder] = []
        for batch in broker.wave(orders, size):
            data = wire.pack(batch)
            began = perf_counter()
            ready = take([event for event in wire.events(data) if isinstance(event, ExecutionReport)])
            wire.pack(ready)
            seconds += perf_counter() - began
            released += ready
        orders = told(released)
        sent += len(orders)
    if sent != due:
        raise RuntimeError(f"{sent} orders left, and {due} should have")
    return broker.sent_per(seconds)
