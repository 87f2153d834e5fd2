"""Several cells at once: a process each, a journal each, nothing shared but the machine."""

from __future__ import annotations

import logging
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import perf_counter

from actors.stack_room import call_with_room
from benchmarks.cell import BATCH, Cell
from benchmarks.workload import Broker, Order
from messages import wire

WAIT_S = 300.0
Times = tuple[int, list[float]]  # how many reports, and the seconds that each wave of them took


def reports_per_second(path: Path, cells: int, groups: int) -> float:
    """B3: the reports a second of ``cells`` cells with ``groups`` new groups each.

    Every wave is made beforehand and begins in all cells at the same moment, so that each has to share the machine
    with the others all the time; a wave takes as long as its slowest cell.
    """
    context = get_context("spawn")
    barrier, lines, children = context.Barrier(cells), [], []
    for number in range(cells):
        line, other = context.Pipe()
        journal = path.with_name(f"cell-{number}.db")
        child = context.Process(target=call_with_room, args=(_work, journal, groups, barrier, other))
        child.start()
        other.close()
        lines.append(line)
        children.append(child)
    told: list[Times] = [line.recv() for line in lines if line.poll(WAIT_S)]
    for child in children:
        child.join(WAIT_S)
    if len(told) < cells:
        raise RuntimeError(f"{cells - len(told)} of {cells} cells did not finish within {WAIT_S:g} s")
    seconds = sum(max(waves) for waves in zip(*(times for _, times in told), strict=True))
    return float(sum(sent for sent, _ in told) / seconds)


def _work(path: Path, groups: int, barrier: Barrier, line: Connection) -> None:
    logging.getLogger("Thespian").setLevel(logging.CRITICAL)
    cell, broker, times = Cell(path), Broker(), []
    cell.link_up()
    orders = cell.open(0, groups)
    while orders:
        batches = [wire.pack(batch) for batch in broker.wave(orders, BATCH)]
        following: list[Order] = []
        barrier.wait(WAIT_S)
        began = perf_counter()
        for data in batches:
            following += cell.take(data)
        times.append(perf_counter() - began)
        orders = following
    cell.close()
    line.send((broker.sent, times))
