"""Figures of the whole: real processes, the real exchange at the other end of a socket, orders on its own clock."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from math import ceil
from pathlib import Path

from benchmarks.stage import PROBE, Stage, condor, stage
from venue.truth import TruthEvent

REST_S = 0.01  # between two samples: one at a time
SETTLE_S = 3.0
LAST_S = 0.3  # for what the last orders lead to
POLL_S = 12.0  # the reconciliation poll, so that each has its share of an idle system
LONG_PUT, SHORT_PUT = 0, 1  # legs of the condor
TRADED_TOGETHER = 200  # groups


def quantile(values: list[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def fill_to_order(path: Path, idle: int, samples: int) -> dict[str, float]:
    """B1: from the fill of a long to the arrival of the order for its short, both at the exchange, in milliseconds."""
    with stage(path) as on:
        on.fill_with(idle)
        plan = condor("probe", PROBE, 2 * samples, on.quotes)  # a quote that comes at the wrong moment fills two
        on.submit(plan)
        on.orders_of("probe", each=2)
        time.sleep(SETTLE_S)
        both = [one_fill(on, plan.legs[LONG_PUT].symbol, plan.legs[SHORT_PUT].symbol) for _ in range(samples)]
        took = [(order.ts_ns - fill.ts_ns) / 1e6 for fill, order in both]
        return {"p50": quantile(took, 0.5), "p99": quantile(took, 0.99)}


def one_fill(on: Stage, long: str, short: str) -> tuple[TruthEvent, TruthEvent]:
    """Let one unit of a long fill; that fill, and the arrival of the order for one unit of its short."""
    time.sleep(REST_S)
    on.truth.look()
    before = len(on.truth.events)
    on.let_fill(long, 1)

    def both() -> tuple[TruthEvent, TruthEvent] | None:
        on.truth.look()
        new = on.truth.events[before:]
        fills = [event for event in new if event.kind == "fill" and event.symbol == long]
        orders = [event for event in new if event.kind == "order_received" and event.symbol == short]
        return (fills[0], orders[0]) if fills and orders else None

    found = on.until(both, "the order that a fill lets out")
    assert found is not None
    return found


def submit_to_order(path: Path, idle: int, samples: int) -> dict[str, float]:
    """B8: from a plan in the control socket to the arrival of its first protection order, in milliseconds."""
    with stage(path) as on:
        on.fill_with(idle)
        time.sleep(SETTLE_S)
        exchange_ns, took = on.clock(), []
        for number in range(samples):
            began, first = one_plan(on, f"probe-{number}", exchange_ns)
            took.append((first.ts_ns - began) / 1e6)
        return {"p50": quantile(took, 0.5), "p99": quantile(took, 0.99)}


def one_plan(on: Stage, name: str, exchange_ns: Callable[[int], int]) -> tuple[int, TruthEvent]:
    """Submit a condor; when, on the exchange's clock, and the arrival of its first order."""
    time.sleep(REST_S)
    plan = condor(name, PROBE, 10, on.quotes)
    began = exchange_ns(time.monotonic_ns())
    on.submit(plan)
    return began, on.orders_of(name)[name][0]


def killed_cell(path: Path, groups: int) -> dict[str, float]:
    """B7: from SIGKILL of a cell to each of its groups at work again, in milliseconds.

    One unit of each group's long fills while nobody is there; a group works again when the order for its short is at
    the exchange, which takes a restart, a recovery, a snapshot, a comparison and a commit.
    """
    names = [f"probe-{number}" for number in range(groups)]
    with stage(path) as on:
        for name in names:
            on.submit(condor(name, PROBE, 1, on.quotes))
        on.orders_of(*names, each=2)
        time.sleep(SETTLE_S)
        exchange_ns, pid = on.clock(), int(on.known("cell-0")["cell-0"]["pid"])
        killed = exchange_ns(time.monotonic_ns())
        os.kill(pid, signal.SIGKILL)
        on.let_fill(condor("any", PROBE, 1).legs[LONG_PUT].symbol, groups)
        orders = on.orders_of(*names, each=3)
        took = [(events[2].ts_ns - killed) / 1e6 for events in orders.values()]
        return {"p50": quantile(took, 0.5), "p99": quantile(took, 0.99)}


def idle_cpu(path: Path, groups: int, polls_before: int, polls: int) -> float:
    """B11: what all processes of a system use that has open groups and nothing to do, in per cent of one core.

    The first two polls after the groups were opened still list news of their orders (``domain/listings.py``); so many
    as ``polls_before`` says pass before it begins.
    """
    with stage(path) as on:
        on.fill_with(groups)
        time.sleep(SETTLE_S + polls_before * POLL_S)
        began, before = time.monotonic(), on.cpu_seconds()
        time.sleep(polls * POLL_S)
        return (on.cpu_seconds() - before) / (time.monotonic() - began) * 100


def shares(path: Path, groups: int, idle: int = 0) -> dict[str, float]:
    """What a report costs each process, in microseconds of processor time: all longs of ``groups`` condors fill at
    once, their shorts are let out and fill, beside ``idle`` groups."""
    names = [f"probe-{number}" for number in range(groups)]
    with stage(path) as on:
        on.fill_with(idle)
        for name in names:
            on.submit(condor(name, PROBE, 10, on.quotes))
        on.orders_of(*names, each=2)
        time.sleep(SETTLE_S)
        on.truth.look()
        seen, before = len(on.truth.events), _cpu(on)
        legs = condor("any", PROBE, 1).legs
        for leg in (legs[0], legs[-1]):
            on.let_fill(leg.symbol, 10 * groups)
        on.orders_of(*names, each=4)
        time.sleep(LAST_S)
        on.truth.look()
        after = _cpu(on)
        reports = sum(event.kind in ("accepted", "fill") for event in on.truth.events[seen:])
        return {name: (after[name] - before[name]) / reports * 1e6 for name in after}


def plan_after(path: Path, groups: int) -> dict[str, float]:
    """What a plan costs each process, in microseconds of processor time, once so many groups have traded that day."""
    legs, done = condor("any", PROBE, 1).legs, 0
    with stage(path) as on:
        while done < groups:
            some = [f"old-{number}" for number in range(done, min(groups, done + TRADED_TOGETHER))]
            for name in some:
                on.submit(condor(name, PROBE, 1, on.quotes))
            on.orders_of(*some, each=2)
            for leg in (legs[0], legs[-1]):
                on.let_fill(leg.symbol, len(some))
            on.orders_of(*some, each=4)
            done += len(some)
        time.sleep(SETTLE_S)
        before, names = _cpu(on), [f"probe-{number}" for number in range(TRADED_TOGETHER)]
        for name in names:
            on.submit(condor(name, PROBE, 10, on.quotes))
        on.orders_of(*names, each=2)
        time.sleep(LAST_S)
        after = _cpu(on)
        return {name: (after[name] - before[name]) / len(names) * 1e6 for name in after}


def _cpu(on: Stage) -> dict[str, float]:
    gateway, cell, whole = on.cpu_seconds("gateway"), on.cpu_seconds("cell-0"), on.cpu_seconds()
    return {"gateway, µs": gateway, "cell, µs": cell, "all other processes, µs": whole - gateway - cell}
