"""Every death is noticed: also of processes that die in the same moment."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from system import bench

ROUNDS = 3


def test_cells_that_are_killed_together_are_both_replaced(tmp_path: Path) -> None:
    with bench(tmp_path, {"intensity": 100}) as site:
        system = site.start()
        system.wait_until_open()
        for _ in range(ROUNDS):
            killed = {name: system.pid_of(name) for name in ("cell-0", "cell-1")}
            for pid in killed.values():
                os.kill(pid, signal.SIGKILL)
            for name, pid in killed.items():
                system.wait_until_replaced(name, pid)
            system.wait_until_open()
        system.stop()


def test_everything_below_the_root_may_die_at_once(tmp_path: Path) -> None:
    with bench(tmp_path, {"intensity": 100}) as site:
        system = site.start()
        system.wait_until_open()
        killed = {name: system.pid_of(name) for name in ("notifier", "gateway", "cells")}
        for pid in killed.values():
            os.kill(pid, signal.SIGKILL)
        for name, pid in killed.items():
            system.wait_until_replaced(name, pid)
        system.wait_until_open()
        system.stop()
