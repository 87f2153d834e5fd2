"""What is measured: each figure with its rivals, run alternately, several rounds, in one process."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec

from benchmarks import plain
from benchmarks.cell import Cell, reports_per_second
from benchmarks.workload import LEGS, QUANTITY, START_NS, Broker, Order, condor, quotes
from config.schema import MarginConfig
from decisions.groups.margining import entry_prices, required
from decisions.groups.validation import validate
from domain.calendar import calendar
from messages import wire
from messages.orders import Snapshot

HORIZON_NS = 10 * 10**9  # between the last report and the snapshot of a recovery
TODAY = date(2021, 1, 4)

Run = Callable[[Path], float]


class Contender(msgspec.Struct, frozen=True):
    """A program and what it gives.  The first one of a figure is ours."""

    name: str
    run: Run


class Figure(msgspec.Struct, frozen=True):
    """One row of the table.  ``more_is_better``: rates; else times and sizes."""

    key: str
    title: str
    unit: str
    more_is_better: bool
    contenders: tuple[Contender, ...]


class Measured(msgspec.Struct, frozen=True):
    """The rounds of one contender; ``ratio`` is ours over this one's, better is larger."""

    key: str
    title: str
    unit: str
    name: str
    rounds: tuple[float, ...]
    ratio: float

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.rounds)


def measure(figure: Figure, rounds: int, told: Callable[[str], None]) -> list[Measured]:
    """Run the contenders of a figure in turn, ``rounds`` times over.  The journals lie on a real disk."""
    results: dict[str, list[float]] = {contender.name: [] for contender in figure.contenders}
    for number in range(rounds):
        for contender in figure.contenders:
            told(f"{figure.key} {contender.name}, round {number + 1} of {rounds}")
            gc.collect()
            with tempfile.TemporaryDirectory(prefix="legkeeper-bench-", dir="/var/tmp") as place:
                results[contender.name].append(contender.run(Path(place) / "cell-0.db"))
    ours = results[figure.contenders[0].name]
    return [
        Measured(
            key=figure.key, title=figure.title, unit=figure.unit, name=name, rounds=tuple(values),
            ratio=median(a / b if figure.more_is_better else b / a for a, b in zip(ours, values, strict=True)),
        )
        for name, values in results.items()
    ]  # fmt: skip


def figures(quick: bool) -> list[Figure]:
    """All that can be measured; ``quick`` does less of each."""
    groups, many = (150, 2_000) if quick else (500, 10_000)
    singles = 200 if quick else 1_000
    return [
        Figure("B2", f"broker reports, one cell, durable, {groups} groups", "reports/s", True, (
            Contender("legkeeper", lambda path: reports_per_second(path, groups)),
            Contender("plain way, commits of up to 64", lambda path: plain.reports_per_second(path, groups, 64)),
            Contender("plain way, commits of up to 1,000", lambda path: plain.reports_per_second(path, groups, 1_000)),
            Contender("plain way, a commit per event", lambda path: plain.reports_per_second(path, groups, 1)),
            Contender("limit: raw executemany, 1,000 a commit", lambda path: raw_rows(path, groups)),
        )),
        Figure("B4", f"reports about 100 groups beside {many} that work, and beside none", "reports/s", True, (
            Contender(f"beside {many}", lambda path: reports_per_second(path, 100, many)),
            Contender("beside none", lambda path: reports_per_second(path, 100)),
        )),
        Figure("B1b", "a report in the mailbox to its intent durable, one at a time, p50", "µs", False, (
            Contender("legkeeper", lambda path: one_at_a_time(path, singles)),
            Contender("plain way, a commit per event", lambda path: plain.one_at_a_time(path, singles)),
        )),
        Figure("B5", f"memory per live group of four legs, {many} groups", "KiB", False, (
            Contender("legkeeper", lambda path: in_a_process_of_its_own(memory_per_group, path, many)),
        )),
        Figure("B6", f"recovery of a cell with {many} open groups, to gate open", "s", False, (
            Contender("legkeeper", lambda path: recovery_seconds(path, many)),
        )),
        Figure("B9", "worst-case margin of an iron condor, 8 slices a leg", "ms", False, (
            Contender("legkeeper", lambda _: margin_ms(20 if quick else 100)),
        )),
    ]  # fmt: skip


def raw_rows(path: Path, groups: int) -> float:
    """The limit of B2: as many rows as reports, of their size."""
    orders = [Order(f"LK{n:07}E0001", LEGS[n % 4][0].symbol, LEGS[n % 4][1], QUANTITY) for n in range(6 * groups)]
    payloads = [wire.pack(report) for batch in Broker().wave(orders, 1_000) for report in batch]
    return plain.raw_rows_per_second(path, payloads, 1_000)


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


def in_a_process_of_its_own(what: Callable[[Path, int], float], path: Path, count: int) -> float:
    """The same in a new process, whose memory nothing else has grown."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(what, (path, count))


def recovery_seconds(path: Path, groups: int) -> float:
    """B6: from opening the journal of a cell that died to its gate being open, the broker's orders compared."""
    cell = Cell(path)
    cell.link_up()
    reports = [broker.accepted(order) for broker in (Broker(),) for order in cell.open(0, groups)]
    cell.feed(reports[at : at + 1_000] for at in range(0, len(reports), 1_000))
    now_ns = reports[-1].ts_ns + HORIZON_NS
    cell.close()
    began = perf_counter()
    again = Cell(path)
    again.now_ns = now_ns
    again.link_up(Snapshot(as_of_ns=now_ns, session=1, orders=tuple(reports), executions=(), positions=()))
    seconds = perf_counter() - began
    may_open = again.tree.gate.may_open
    again.close()
    if not may_open:
        raise RuntimeError(f"the gate of a recovered cell stayed shut: {again.tree.gate.shut_by}")
    return seconds


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
