"""What one thing costs a cell: one report, one group's memory, one recovery, one judgement of margin."""

from __future__ import annotations

import gc
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec

from benchmarks.cell import CONFIG, Cell, Clock
from benchmarks.workload import LEGS, START_NS, Broker, Order, condor, quotes
from config.schema import MarginConfig, OrdersConfig
from decisions.groups.margining import entry_prices, required
from decisions.groups.validation import validate
from domain.calendar import calendar
from domain.execution import ExecutionReport
from messages.orders import Snapshot

HORIZON_NS = 10 * 10**9  # between the last report and the snapshot of a recovery
POLL_NS = 12 * 10**9
PATIENT = msgspec.structs.replace(CONFIG, orders=OrdersConfig(working_timeout_ms=36_000_000))  # what rests, rests
TODAY = date(2021, 1, 4)


def one_at_a_time(path: Path, reports: int) -> float:
    """B1b: the median time of a turn that holds one report, in microseconds, all turns that wrote something."""
    cell = Cell(path)
    try:
        cell.link_up()
        orders = cell.open(0, reports // 18 + 1)
        broker, times = Broker(), []
        while orders:
            following: list[Order] = []
            for batch in broker.wave(orders, 1):
                seconds, released = cell.feed([batch])
                times.append(seconds * 1e6)
                following += released
            orders = following
        return median(times)
    finally:
        cell.close()


def plans_per_second(path: Path, plans: int, beside: int, clock: Clock = perf_counter) -> float:
    """Plans that a cell lets in, one at a time, beside so many groups; ``clock`` says what a second is."""
    cell = Cell(path)
    try:
        cell.link_up()
        cell.open(plans, beside)
        began = clock()
        for number in range(plans):
            cell.open(number, 1)
        return plans / (clock() - began)
    finally:
        cell.close()


def resident_bytes() -> int:
    """What this process holds in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096


def memory_per_group(path: Path, groups: int) -> float:
    """B5: resident memory that a live group with working orders adds, in KiB."""
    cell = Cell(path)
    try:
        cell.link_up()
        cell.open(groups, 100)  # what is only allocated once
        gc.collect()
        before = resident_bytes()
        cell.open(0, groups)
        gc.collect()
        return (resident_bytes() - before) / groups / 1_024
    finally:
        cell.close()


def recovery_seconds(path: Path, groups: int, clock: Clock = perf_counter) -> float:
    """B6: from opening the journal of a cell that died to its gate being open, the broker's orders compared."""
    return recovered(path, groups, clock)[0]


def recovered(path: Path, groups: int, clock: Clock) -> tuple[float, float]:
    """The seconds that a recovery takes, and those of the next snapshot.

    It says nothing new, and is looked at all the same: the recovery's own might have lagged (``domain/listings.py``).
    """
    cell = Cell(path, PATIENT)
    cell.link_up()
    reports = [broker.accepted(order) for broker in (Broker(),) for order in cell.open(0, groups)]
    cell.feed(reports[at : at + 1_000] for at in range(0, len(reports), 1_000))
    now_ns = reports[-1].ts_ns + HORIZON_NS
    cell.close()
    began = clock()
    again = Cell(path, PATIENT)
    again.now_ns = now_ns
    again.link_up(_all_of(reports, now_ns))
    seconds = clock() - began
    may_open = again.tree.gate.may_open
    began = clock()
    again.tree.run([_all_of(reports, now_ns + POLL_NS)])
    of_a_snapshot = clock() - began
    again.close()
    if not may_open:
        raise RuntimeError(f"the gate of a recovered cell stayed shut: {again.tree.gate.shut_by}")
    return seconds, of_a_snapshot


def _all_of(reports: list[ExecutionReport], now_ns: int) -> Snapshot:
    return Snapshot(as_of_ns=now_ns, session=1, orders=tuple(reports), executions=(), positions=())


def margin_ms(times: int) -> float:
    """B9: the whole judgement of a condor's margin, in milliseconds, at the configuration's defaults."""
    group = validate(condor(1, 8_000), {leg.symbol: leg for leg, _ in LEGS}, TODAY)
    market = {quote.symbol: quote for quote in quotes(START_NS)}
    config, hours, took = MarginConfig(), calendar("always"), []
    for _ in range(times):
        began = perf_counter()
        required(group, entry_prices(group, market), market, START_NS, config, hours)
        took.append((perf_counter() - began) * 1e3)
    return median(took)
