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
TELL = "import time\nwhile True: print(time.time(), time.monotonic(), flush=True); time.sleep(0.01)"


def test_a_running_process_is_told_of_the_jump_and_its_monotonic_clock_is_not(tmp_path: Path) -> None:
    clock = HostClock(tmp_path)
    if clock.unable:
        pytest.skip(clock.unable)
    command = [sys.executable, "-c", TELL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | clock.environment) as process:
        assert process.stdout is not None
        wall_s, monotonic_s = map(float, process.stdout.readline().split())
        assert abs(wall_s - time.time()) < YEAR_S / 2
        clock.jump(-YEAR_S)
        for line in process.stdout:
            told_s, later_s = map(float, line.split())
            assert monotonic_s < later_s < monotonic_s + YEAR_S / 2
            if told_s < wall_s - YEAR_S / 2:
                break
        process.kill()


@pytest.mark.parametrize("found", [[], ["nowhere.so"]], ids=["none", "broken"])
def test_where_it_cannot_jump_it_says_why_and_the_system_is_told_the_machines_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    monkeypatch.setattr("simulation.host_clock.libraries", lambda: [tmp_path / name for name in found])
    clock = HostClock(tmp_path)
    assert clock.environment == {}
    assert clock.unable.startswith(f"{tmp_path / found[0]} does not work" if found else "libfaketime is not installed")
