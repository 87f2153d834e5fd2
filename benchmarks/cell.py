"""Ours: one cell with real actors on the real journal, fed with batches as the gateway sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter

import msgspec

from actors.cell_tree import CellTree, Released
from actors.machine import machine
from benchmarks.workload import CHAIN, START_NS, Broker, Order, condor, in_batches, quotes
from config.schema import Config, MarginConfig
from domain.execution import ExecutionReport
from domain.groups import Plan
from messages import wire
from messages.market import BrokerUp, Funds, Tick
from messages.operator import GroupAccepted, SubmitGroup
from messages.orders import InstrumentList, Snapshot, SubmitOrder
from storage.sqlite import open_journal

BATCH = 1_000  # what a window puts into one batch under load (actors/window.py)
OPENING = 100  # plans submitted in one turn
Clock = Callable[[], float]  # seconds: time.perf_counter, or time.process_time for what others do not disturb
CONFIG = Config(margin=MarginConfig(price_shocks_pct=(), iv_shocks_pct=(), spread_shocks=()))


class Cell:
    """A cell of four-leg groups.  ``path`` is its journal; what is there already is recovered."""

    def __init__(self, path: Path, config: Config = CONFIG, clock: Clock = perf_counter) -> None:
        self._clock = clock
        machine().collect_seldom()
        self.journal = open_journal(path)
        self.tree = CellTree(0, config, self.journal, deduplicates=True)
        self.now_ns = max(START_NS, self.tree.clock_ns)

    def link_up(self, snapshot: Snapshot | None = None) -> Released:
        """A session with the broker; what the first snapshot releases."""
        funds = Funds(available=10**15, used=0, ts_ns=self.now_ns)
        listed = InstrumentList(tuple(instrument for instrument, _ in CHAIN))
        self.tree.run([BrokerUp(1), listed, funds, Tick(self.now_ns, quotes(self.now_ns))])
        empty = Snapshot(as_of_ns=self.now_ns, session=1, orders=(), executions=(), positions=())
        return self.tree.run([snapshot or empty])

    def open(self, first: int, count: int, plan: Callable[[int], Plan] = condor) -> list[Order]:
        """Submit groups; the orders that they release at once."""
        orders: list[Order] = []
        for plans in in_batches((SubmitGroup(plan(number)) for number in range(first, first + count)), OPENING):
            released = self.tree.run(plans)  # type: ignore[arg-type]
            refused = [answer for _, answer in released.replies if type(answer) is not GroupAccepted]
            if refused:
                raise RuntimeError(f"a benchmark's group was not let in: {refused[0]}")
            orders += submitted(released.requests)
        return orders

    def feed(self, batches: Iterable[list[ExecutionReport]]) -> tuple[float, list[Order]]:
        """Take batches as :class:`actors.cell.Cell` does; the seconds that took, and the orders that were released."""
        seconds, orders = 0.0, list[Order]()
        for batch in batches:
            data = wire.pack(batch)
            began = self._clock()
            released = self._turn(data)
            seconds += self._clock() - began
            orders += submitted(released.requests)
        return seconds, orders

    def take(self, data: bytes) -> list[Order]:
        """One batch as it comes from the gateway; the orders that were released."""
        return submitted(self._turn(data).requests)

    def _turn(self, data: bytes) -> Released:
        released = self.tree.run(wire.events(data))
        wire.pack(released.requests)
        return released

    def close(self) -> None:
        """Give the journal up."""
        self.journal.close()


def submitted(requests: Sequence[msgspec.Struct]) -> list[Order]:
    """The new orders among the requests."""
    return [
        Order(request.client_order_id, request.symbol, request.side, request.quantity)
        for request in requests
        if type(request) is SubmitOrder
    ]


def work(cell: Cell, orders: list[Order], broker: Broker, size: int = BATCH) -> float:
    """Report on these orders and on those that follow from them, to the end; the seconds that the cell took."""
    seconds = 0.0
    while orders:
        took, orders = cell.feed(broker.wave(orders, size))
        seconds += took
    return seconds


def reports_per_second(path: Path, groups: int, idle: int = 0, size: int = BATCH, clock: Clock = perf_counter) -> float:
    """B2: from the first report about ``groups`` new groups to their last, beside ``idle`` groups that work on."""
    cell = Cell(path, clock=clock)
    try:
        cell.link_up()
        cell.open(groups, idle)
        orders = cell.open(0, groups)
        broker = Broker()
        return broker.sent_per(work(cell, orders, broker, size))
    finally:
        cell.close()
