"""The bench of real processes (simulation/bench.py), under the name by which the tests know it."""

from __future__ import annotations

from simulation.bench import (
    DEADLINE_S,
    MARKER,
    ROOT,
    STOP_DEADLINE_S,
    Bench,
    System,
    bench,
    cont,
    free_port,
    id_in_cell,
    is_alive,
    parent_of,
    plan,
    stop,
    wait_for,
)

__all__ = [
    "DEADLINE_S",
    "MARKER",
    "ROOT",
    "STOP_DEADLINE_S",
    "Bench",
    "System",
    "bench",
    "cont",
    "free_port",
    "id_in_cell",
    "is_alive",
    "parent_of",
    "plan",
    "stop",
    "wait_for",
]
