"""Where each microsecond of B1 and B8 goes: ``python -m benchmarks stages``.

The system runs with a clock at each station (:mod:`benchmarks.traced`), which costs about 2 µs a station.  A fill's way
is followed backwards from the order's arrival: to each station belongs the last passing before the next.  A plan's is
followed forwards, because other orders leave right behind its first: to each belongs the first passing after the last.
Whoever is written to may wake before the writer is through, so that writing and waking are one stage.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.stage import PROBE, Stage, condor, stage
from benchmarks.traced import stamps_of
from benchmarks.whole import LONG_PUT, SETTLE_S, SHORT_PUT, one_fill, one_plan, quantile

MAIN, GATEWAY, CELL = "main", "gateway", "cell-0"
Way = tuple[tuple[str, str, str], ...]  # the process and the station at the end of each stage, and what the stage is
TO_THE_CELL: Way = ((CELL, "read", "letter to the cell: pickle, write to its socket; the cell wakes"),)
OUT: Way = (
    (CELL, "write", "rows, log, hash; hand over to the connection's thread"),
    (CELL, "write done", "SQLite, fdatasync"),
    (CELL, "commit done", "hand back"),
    (CELL, "orders", "count; release, pack the batch"),
    (GATEWAY, "read", "letter to the gateway: pickle, write to its socket; the gateway wakes"),
    (GATEWAY, "door", "letter read, unpickled, handed over"),
    (GATEWAY, "submit", "lanes, controls, account"),
    (GATEWAY, "send", "wire record"),
)
LAST = "encode, write to the exchange's socket; the exchange wakes and reads the order"
WAYS: dict[str, Way] = {
    "B1": (
        (GATEWAY, "pump", "the exchange writes the fill to its socket, the gateway wakes"),
        (GATEWAY, "pump done", "read and decode"),
        (GATEWAY, "events", "ledger, account, window; pack the batch"),
        *TO_THE_CELL,
        (CELL, "turn", "letter read, unpickled, handed over"),
        (CELL, "commit", "decode; decide: desk, group, legs"),
        *OUT,
    ),
    "B8": (
        (MAIN, "command", "the plan is written to the control socket, the main program wakes and reads it"),
        (MAIN, "find", "decode and check the plan; which cell"),
        (MAIN, "ask", "see that the cell still lives where it was"),
        *TO_THE_CELL,
        (CELL, "operate", "letter read, unpickled, handed over"),
        (CELL, "commit", "decode; decide: desk, margin, group, legs"),
        *OUT,
    ),
}


class Stages(msgspec.Struct, frozen=True):
    """Each stage of one figure with its p50 and p99 in microseconds, and all of it at the end."""

    figure: str
    rows: tuple[tuple[str, float, float], ...]

    def markdown(self) -> str:
        """The stages as a table."""
        rows = (f"| {name} | {p50:.0f} | {p99:.0f} |" for name, p50, p99 in self.rows)
        return "\n".join([f"| {self.figure} | p50, µs | p99, µs |", "|---|---|---|", *rows])


def stages(path: Path, idle: int, samples: int) -> list[Stages]:
    """The ways of B1 and B8, each among so many idle groups."""
    directory = path.parent / "stamps"
    directory.mkdir()
    with stage(path, stamps=directory) as on:
        on.fill_with(idle)
        plan = condor("probe", PROBE, 2 * samples, on.quotes)  # a quote that comes at the wrong moment fills two
        on.submit(plan)
        on.orders_of("probe", each=2)
        time.sleep(SETTLE_S)
        clock = on.clock()
        fills = [one_fill(on, plan.legs[LONG_PUT].symbol, plan.legs[SHORT_PUT].symbol) for _ in range(samples)]
        plans = [one_plan(on, f"plan-{number}", clock) for number in range(samples)]
        offset, passed = clock(0), _passed(on, directory)
    took = {
        "B1": [(fill.ts_ns - offset, order.ts_ns - offset) for fill, order in fills],
        "B8": [(began - offset, order.ts_ns - offset) for began, order in plans],
    }
    follow: dict[str, Callable[..., list[int]]] = {"B1": _backwards, "B8": _forwards}
    return [
        _stages(figure, [_lengths([one[0], *follow[figure](WAYS[figure], passed, *one), one[1]]) for one in both])
        for figure, both in took.items()
    ]


def _passed(on: Stage, directory: Path) -> dict[str, dict[str, list[int]]]:
    """When each process passed each station."""
    known = on.known(GATEWAY, CELL)
    pids = {name: int(known[name]["pid"]) for name in (GATEWAY, CELL)} | {MAIN: on.system.pid}
    return {name: stamps_of(directory, pid) for name, pid in pids.items()}


def _stages(figure: str, ways: list[list[int]]) -> Stages:
    names = (*(words for _, _, words in WAYS[figure]), LAST, "all of it")
    rows = (
        (name, median(some) / 1e3, quantile([float(one) for one in some], 0.99) / 1e3)
        for name, *some in zip(names, *ways, strict=True)
    )
    return Stages(figure, tuple(rows))


def _backwards(way: Way, passed: dict[str, dict[str, list[int]]], began: int, ended: int) -> list[int]:
    """When each station was passed by what arrived at ``ended``."""
    del began
    times = [ended]
    for process, station, _ in reversed(way):
        at = passed[process][station]
        times.append(at[bisect_right(at, times[-1]) - 1])
    return times[:0:-1]


def _forwards(way: Way, passed: dict[str, dict[str, list[int]]], began: int, ended: int) -> list[int]:
    """When each station was passed by what left at ``began``."""
    del ended
    times = [began]
    for process, station, _ in way:
        at = passed[process][station]
        times.append(at[bisect_left(at, times[-1])])
    return times[1:]


def _lengths(times: list[int]) -> list[int]:
    """How long each stage of one sample took, and all of it, in nanoseconds."""
    return [later - earlier for earlier, later in pairwise(times)] + [times[-1] - times[0]]
