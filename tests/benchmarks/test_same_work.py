"""The contenders of a benchmark do the same work: the same reports lead to orders for the same quantities."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from pathlib import Path

import aiosqlite

from benchmarks.book import SCHEMA, told
from benchmarks.cell import Cell
from benchmarks.plain import PlainWay
from benchmarks.workload import QUANTITY, Broker, Order
from domain.execution import ExecutionReport, Side
from messages import wire

GROUPS = 8


def sold_and_bought(orders: list[Order]) -> Counter[tuple[str, Side, int]]:
    return Counter((order.symbol, order.side, order.quantity) for order in orders)


def of_the_cell(path: Path) -> list[Order]:
    cell, broker = Cell(path), Broker()
    cell.link_up()
    found = orders = cell.open(0, GROUPS)
    while orders:
        _, orders = cell.feed(broker.wave(orders, 50))
        found = found + orders
    cell.close()
    return found


async def of_the_plain_way(path: Path) -> list[Order]:
    async with aiosqlite.connect(path, isolation_level="IMMEDIATE") as db:
        await db.executescript(SCHEMA)
        program, broker = PlainWay(db, 64), Broker()
        found = orders = program.open(GROUPS)
        while orders:
            for batch in broker.wave(orders, 50):
                await program.take([one for one in wire.events(wire.pack(batch)) if isinstance(one, ExecutionReport)])
            orders = told(program.released)
            found = found + orders
            program.released.clear()
        return found


def test_the_plain_way_sends_what_the_cell_sends(tmp_path: Path) -> None:
    ours = of_the_cell(tmp_path / "cell-0.db")
    plain = asyncio.run(of_the_plain_way(tmp_path / "plain.db"))
    assert sold_and_bought(ours) == sold_and_bought(plain)
    assert len(ours) == 6 * GROUPS, "two longs, and each half of a long lets out half of its short"
    with sqlite3.connect(tmp_path / "plain.db") as db:
        assert db.execute("SELECT count(*) FROM intents").fetchone() == (4 * GROUPS,), "durable before they left"


def test_every_order_is_reported_in_full_whatever_is_repeated_or_swapped() -> None:
    orders = [Order(f"order-{number}", "XYZ", Side.BUY, QUANTITY) for number in range(50)]
    told = [report for batch in Broker().wave(orders, 7) for report in batch]
    assert len(told) > len({report.exec_id for report in told}) == 3 * len(orders)
    filled = Counter[str]()
    for report in {report.exec_id: report for report in told}.values():
        filled[report.client_order_id] += report.last_qty
    assert set(filled.values()) == {QUANTITY}
    assert told == [report for batch in Broker().wave(orders, 7) for report in batch], "the same seed, the same reports"
