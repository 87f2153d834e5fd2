"""The clock of a system under test: it jumps for those who were started in it, where this machine can do that."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulation.host_clock import HostClock

YEAR_S = 365 * 24 * 3600
TELL = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"


def test_a_running_process_is_told_of_the_jump_and_its_monotonic_clock_is_not(tmp_path: Path) -> None:
    clock = HostClock(tmp_path)
    if clock.unable:
        pytest.skip(clock.unable)
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", TELL], stdin=pipe, stdout=pipe, text=True, env=os.environ | clock.environment
    ) as process:

        def asked() -> tuple[float, float]:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            wall_s, monotonic_s = process.stdout.readline().split()
            return float(wall_s), float(monotonic_s)

        wall_s, monotonic_s = asked()
        assert abs(wall_s - time.time()) < YEAR_S / 2
        clock.jump(-YEAR_S)
        told_s = wall_s
        while told_s > wall_s - YEAR_S / 2:
            told_s, later_s = asked()
            assert monotonic_s < later_s < monotonic_s + YEAR_S / 2


@pytest.mark.parametrize("found", [[], ["nowhere.so"]], ids=["none", "broken"])
def test_where_it_cannot_jump_it_says_why_and_the_system_is_told_the_machines_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    monkeypatch.setattr("simulation.host_clock.libraries", lambda: [tmp_path / name for name in found])
    clock = HostClock(tmp_path)
    assert clock.environment == {}
    assert clock.unable.startswith(f"{tmp_path / found[0]} does not work" if found else "libfaketime is not installed")


def test_a_clock_that_is_told_what_it_says_already_does_not_jump(tmp_path: Path) -> None:
    clock = HostClock(tmp_path)
    assert [clock.jump(beside_s) for beside_s in (0, YEAR_S, YEAR_S, 0)] == [False, True, False, True]
