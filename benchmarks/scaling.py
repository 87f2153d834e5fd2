"""How cost grows: over live groups, legs, slices, batches and cells (``python -m benchmarks scaling``).

Costs are processor time, which other work on the machine changes little; only cells are measured by the clock on the
wall, because the question there is what they get done together.  The tables go into docs/scaling.md with ``--write``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

import msgspec

from benchmarks import cells
from benchmarks.cell import Cell, reports_per_second, work
from benchmarks.measuring import in_a_process_of_its_own
from benchmarks.turns import memory_per_group, recovered
from benchmarks.whole import plan_after, shares
from benchmarks.workload import QUANTITY, Broker, spread

ABOUT = 100  # groups that are reported on
SLICE = 999  # units: what fits strictly inside the contracts' freeze quantity of 1,000

Columns = dict[str, float]


class Curve(msgspec.Struct, frozen=True):
    """A cost at several sizes; ``run`` gives the columns of one of them."""

    title: str
    over: str
    sizes: tuple[int, ...]
    run: Callable[[Path, int], Columns]


class Measured(msgspec.Struct, frozen=True):
    """A curve with what was measured at its sizes, the medians of the rounds."""

    title: str
    over: str
    rows: dict[int, Columns]

    def markdown(self) -> str:
        """As a table."""
        names = list(next(iter(self.rows.values())))
        lines = [f"**{self.title}**", "", f"| {self.over} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        lines += [
            f"| {size:,} | {' | '.join(number(columns[name]) for name in names)} |"
            for size, columns in self.rows.items()
        ]
        return "\n".join(lines)


def number(value: float) -> str:
    """Three significant digits or whole numbers."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def curves(quick: bool) -> list[Curve]:
    """All of them; ``quick`` stops at smaller sizes."""
    beside = (0, 100, 300, 1_000) if quick else (0, 100, 1_000, 3_000, 10_000)
    many = (100, 300, 1_000) if quick else (300, 1_000, 3_000, 10_000)
    return [
        Curve(f"A report about one of {ABOUT} groups, beside others that work", "others", beside, _beside),
        Curve("Memory, recovery and snapshots of a cell", "open groups", many, _held),
        Curve("A report about a group of so many legs", "legs", (2, 4, 8, 16), _legs),
        Curve("A report about a group whose legs are cut into so many slices", "slices a leg", (1, 4, 16, 64), _slices),
        Curve("A report in batches of so many: the knee", "reports a batch", (1, 3, 10, 30, 100, 300, 1_000), _batch),
        Curve(
            "A report in real processes, many groups at once", "groups", (100,) if quick else (100, 300, 1_000), shares
        ),
        Curve(
            "A plan in real processes, once so many groups have traded that day",
            "groups",
            (0, 400) if quick else (0, 1_000, 3_000),
            plan_after,
        ),
        Curve("Cells on this machine", "cells", (1, 2, 4), _cells),
    ]


def measure(quick: bool, rounds: int, told: Callable[[str], None]) -> list[Measured]:
    """Every curve, size after size, ``rounds`` times over; each point in a process of its own."""
    results = []
    for curve in curves(quick):
        found: dict[int, list[Columns]] = {size: [] for size in curve.sizes}
        for turn in range(rounds):
            for size in curve.sizes:
                told(f"{curve.title}: {size}, round {turn + 1} of {rounds}")
                with TemporaryDirectory(prefix="legkeeper-scaling-", dir="/var/tmp") as place:
                    found[size].append(curve.run(Path(place) / "cell-0.db", size))
        results.append(Measured(curve.title, curve.over, {size: _median(rows) for size, rows in found.items()}))
    return results


def _median(rows: Iterable[Columns]) -> Columns:
    all_rows = list(rows)
    return {name: median(row[name] for row in all_rows) for name in all_rows[0]}


def _cost(per_second: float) -> Columns:
    return {"µs of processor time": 1e6 / per_second, "a second of a core": per_second}


def _beside(path: Path, others: int) -> Columns:
    return _cost(in_a_process_of_its_own(_reports, path, ABOUT, others, 1_000))


def _batch(path: Path, size: int) -> Columns:
    return _cost(in_a_process_of_its_own(_reports, path, ABOUT if size > 10 else ABOUT // 5, 0, size))


def _reports(path: Path, groups: int, others: int, size: int) -> float:
    return reports_per_second(path, groups, others, size, process_time)


def _held(path: Path, groups: int) -> Columns:
    kib = in_a_process_of_its_own(memory_per_group, path.with_name("memory.db"), groups)
    seconds, snapshot = in_a_process_of_its_own(_recovery, path, groups)
    return {
        "KiB a group": kib, "recovery, s of processor time": seconds, "the same, ms a group": seconds / groups * 1e3,
        "the snapshot after it, ms": snapshot * 1e3,
    }  # fmt: skip


def _recovery(path: Path, groups: int) -> tuple[float, float]:
    return recovered(path, groups, process_time)


def _legs(path: Path, legs: int) -> Columns:
    return _cost(in_a_process_of_its_own(_shaped, path, ABOUT * 4 // legs, legs, QUANTITY))


def _slices(path: Path, slices: int) -> Columns:
    return _cost(in_a_process_of_its_own(_shaped, path, max(2, ABOUT // slices), 4, slices * SLICE))


def _shaped(path: Path, groups: int, legs: int, quantity: int) -> float:
    cell, broker = Cell(path, clock=process_time), Broker()
    try:
        cell.link_up()
        orders = cell.open(0, groups, lambda number: spread(number, legs, quantity))
        return broker.sent_per(work(cell, orders, broker))
    finally:
        cell.close()


def _cells(path: Path, count: int) -> Columns:
    per_second = cells.reports_per_second(path, count, ABOUT)
    return {"reports a second, all together": per_second, "of each": per_second / count}
