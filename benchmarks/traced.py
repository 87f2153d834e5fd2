"""``run_system.py`` with a clock at each station on the way of a report or a plan.

Run as ``python -m benchmarks.traced start --config …``.

Each process of the system appends to a file of its own in the directory ``BENCHMARK_STAMPS`` when one of them passes
by: a monotonic time and the station.  The program itself knows nothing of it: stations are functions, found by name.
"""

from __future__ import annotations

import functools
import importlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.stage import STAMPS
from cli.app import main
from messages.supervision import EventBatch, Operate, OrderBatch

STATIONS = {  # as stamped -> the function, and the argument that has to be of this class, where it matters
    "pump": ("brokers.embedded.adapter", "EmbeddedAdapter", "pump", 0, None),
    "events": ("supervisors.post", "", "_send", 2, EventBatch),
    "read": ("supervisors.letter_lines", "LineIn", "read", 0, None),
    "turn": ("actors.cell", "Cell", "on_events", 0, None),
    "command": ("cli.serving", "", "answer", 0, None),
    "find": ("supervisors.line", "Line", "cell", 0, None),
    "ask": ("supervisors.line", "Line", "_answer", 2, Operate),
    "operate": ("actors.cell", "Cell", "on_operate", 0, None),
    "commit": ("storage.sqlite", "SqliteJournal", "commit", 0, None),
    "write": ("storage.sqlite", "", "_write_batch", 0, None),
    "orders": ("supervisors.post", "", "_send", 2, OrderBatch),
    "door": ("actors.gateway", "BrokerGateway", "on_order_batch", 0, None),
    "submit": ("brokers.wire_record", "RecordedAdapter", "submit", 0, None),
    "send": ("brokers.embedded.adapter", "EmbeddedAdapter", "submit", 0, None),
}


class _Stamps:
    """The file of this process; one that is forked gets its own."""

    def __init__(self, directory: str) -> None:
        self._directory, self._pid, self._file = directory, 0, -1

    def __call__(self, station: str) -> None:
        now = time.monotonic_ns()
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._file = os.open(f"{self._directory}/{self._pid}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.write(self._file, b"%d %s\n" % (now, station.encode()))


def _stamped(stamp: _Stamps, station: str, function: Callable[..., Any], place: int, kind: Any) -> Callable[..., Any]:
    @functools.wraps(function)
    def passed(*arguments: Any, **named: Any) -> Any:
        if kind is not None and type(arguments[place]) is not kind:
            return function(*arguments, **named)
        stamp(station)
        try:
            return function(*arguments, **named)
        finally:
            stamp(f"{station} done")

    return passed


def trace(directory: str) -> None:
    """Put the clocks up in this process and what it forks."""
    stamp = _Stamps(directory)
    for station, (module, owner, name, place, kind) in STATIONS.items():
        holder: Any = importlib.import_module(module)
        holder = getattr(holder, owner) if owner else holder
        setattr(holder, name, _stamped(stamp, station, getattr(holder, name), place, kind))


def stamps_of(directory: Path, pid: int) -> dict[str, list[int]]:
    """When a process passed each station, in order."""
    found: dict[str, list[int]] = {}
    for line in (directory / str(pid)).read_text().splitlines():
        at, _, station = line.partition(" ")
        found.setdefault(station, []).append(int(at))
    return found


if __name__ == "__main__":
    trace(os.environ[STAMPS])
    main()
