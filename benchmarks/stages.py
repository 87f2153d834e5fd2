"""Where each microsecond of B1 goes: ``python -m benchmarks stages``.

The system runs with a clock at each station (:mod:`benchmarks.traced`), which costs about 2 µs a station.  For each
sample the way is followed backwards from the order's arrival: to each station belongs the last passing before the next.
Whoever is written to may wake before the writer is through, so that writing and waking are one stage.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.stage import PROBE, condor, stage
from benchmarks.traced import stamps_of
from benchmarks.whole import LONG_PUT, SETTLE_S, SHORT_PUT, one_fill, quantile

GATEWAY, CELL = "gateway", "cell-0"
WAY = (  # the process and the station at the end of each stage, from the fill to the order
    (GATEWAY, "pump", "the exchange writes the fill to its socket, the gateway wakes"),
    (GATEWAY, "pump done", "read and decode"),
    (GATEWAY, "events", "ledger, account, window; pack the batch"),
    (CELL, "read", "letter to the cell: pickle, write to its socket; the cell wakes"),
    (CELL, "turn", "letter read, unpickled, handed over"),
    (CELL, "commit", "decode; decide: desk, group, legs"),
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


def stages(path: Path, idle: int, samples: int) -> list[tuple[str, float, float]]:
    """Each stage with its p50 and p99 in microseconds, and all of it."""
    directory = path.parent / "stamps"
    directory.mkdir()
    with stage(path, stamps=directory) as on:
        on.fill_with(idle)
        plan = condor("probe", PROBE, 2 * samples, on.quotes)  # a quote that comes at the wrong moment fills two
        on.submit(plan)
        on.orders_of("probe", each=2)
        time.sleep(SETTLE_S)
        offset = on.clock()(0)
        took = [one_fill(on, plan.legs[LONG_PUT].symbol, plan.legs[SHORT_PUT].symbol) for _ in range(samples)]
        known = on.known(GATEWAY, CELL)
        passed = {name: stamps_of(directory, int(known[name]["pid"])) for name in (GATEWAY, CELL)}
    ways = [_way(passed, fill.ts_ns - offset, order.ts_ns - offset) for fill, order in took]
    names = (*(words for _, _, words in WAY), LAST, "all of it")
    return [(name, median(some) / 1e3, quantile(some, 0.99) / 1e3) for name, *some in zip(names, *ways, strict=True)]


def _way(passed: dict[str, dict[str, list[int]]], began: int, ended: int) -> list[int]:
    """How long each stage of one sample took, and all of it, in nanoseconds."""
    times = [ended]
    for process, station, _ in reversed(WAY):
        at = passed[process][station]
        times.append(at[bisect_right(at, times[-1]) - 1])
    times.append(began)
    times.reverse()
    return [later - earlier for earlier, later in pairwise(times)] + [ended - began]


def markdown(found: list[tuple[str, float, float]]) -> str:
    """The stages as a table."""
    return "\n".join(
        ["| stage | p50, µs | p99, µs |", "|---|---|---|", *(f"| {n} | {a:.0f} | {b:.0f} |" for n, a, b in found)]
    )
