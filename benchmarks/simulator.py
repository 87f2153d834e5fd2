"""B12: how much of the whole system's life the simulator gets through on one core."""

from __future__ import annotations

import logging
from pathlib import Path
from time import perf_counter

import structlog

from benchmarks.measuring import in_a_process_of_its_own
from simulation.run import run_tape
from simulation.tape import Tape

FIRST = 500_000


def speed(_: Path, scenarios: int) -> dict[str, float]:
    """Scenarios and events a second, in a process of its own; the seeds are always the same ones."""
    per_second, events = in_a_process_of_its_own(_run, Path(), scenarios)
    return {"scenarios/s": per_second, "events/s": events}


def _run(_: Path, scenarios: int) -> tuple[float, float]:
    logging.getLogger("Thespian").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began = perf_counter()
    events = sum(run_tape(Tape(seed), seed).steps for seed in range(FIRST, FIRST + scenarios))
    seconds = perf_counter() - began
    return scenarios / seconds, events / seconds
