"""A writer that was stopped never writes beside its successor, and whoever has to be ended by hand is named."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from evidence import verify
from system import bench, id_in_cell, is_alive, plan, stop, wait_for

from simulation import zombies
from simulation.havoc import Act, Site, freeze
from simulation.host_clock import tidy
from simulation.zombies import (
    cut_lifeline,
    cutting_is_refused,
    deeds,
    freeze_all,
    outlive,
    revive,
    senders,
    twice,
    zombie,
)

PATIENT = {"intensity": 100, "heartbeat_timeout_ms": 2_000}
DIES = """
import os, time
from supervisors.lifeline import tie_descendants
tie_descendants()
if not os.fork():
    print(os.getpid(), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("fault", [freeze(2.2, 2.3, "root"), freeze_all, outlive, zombie, revive])
def test_what_was_under_way_happens_once_whoever_stood_still(tmp_path: Path, fault: Act) -> None:
    if fault in (zombie, revive) and (refusal := cutting_is_refused()):
        pytest.skip(refusal)
    groups = (id_in_cell(0, "first"), id_in_cell(1, "second"))
    with bench(tmp_path, PATIENT) as made, contextlib.ExitStack() as after:
        after.callback(lambda: tidy(made.launched))
        site = Site(made, (), has_tmpfs=False)
        site.system.wait_until_open()
        site.system.submit(*map(plan, groups))
        assert fault(site, Random(1))
        outcomes = made.wait_until_certified(*groups)
        assert not twice(senders(made))
        wait_for(lambda: site.system.processes().get("gateway", {}).get("pid"), "the system to answer")
        site.system.stop()
        assert made.venue is not None
        made.venue.stop()
        verify(made, outcomes)


@pytest.mark.parametrize("name", ["cell-0", "gateway"])
def test_what_a_writer_has_written_is_counted_alike_while_it_stands_still_and_when_it_is_dead(
    tmp_path: Path, name: str
) -> None:
    group = id_in_cell(0, "written")
    with bench(tmp_path, PATIENT) as made:
        system = made.start()
        system.wait_until_open()
        pid = system.pid_of(name)
        before = deeds(made, name, pid)
        system.submit(plan(group))
        made.wait_until_certified(group)
        stop(pid)
        after = deeds(made, name, pid, stands_still=True)
        assert after > before
        assert after[1] == senders(made).count(pid)
        system.kill(name)
        system.wait_until_replaced(name, pid)
        assert deeds(made, name, pid) == after


def test_who_sends_after_its_successor_is_found() -> None:
    assert twice([1, 1, 2, 3, 3]) == []
    assert twice([1, 2, 1, 3, 2]) == [1, 2]


@pytest.mark.parametrize("cut", [False, True], ids=["held", "cut"])
def test_a_stopped_process_ends_with_its_parent_unless_its_lifeline_was_cut(cut: bool) -> None:
    if cut and (refusal := cutting_is_refused()):
        pytest.skip(refusal)
    with subprocess.Popen([sys.executable, "-c", DIES], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            assert not cut or cut_lifeline(child)
            stop(child)
            parent.kill()
            parent.wait()
            if cut:
                assert is_alive(child)
            else:
                wait_for(lambda: not is_alive(child), "the stopped child to end")
        finally:
            if is_alive(child):
                os.kill(child, signal.SIGKILL)


def test_why_no_lifeline_can_be_cut_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for debugger, why in ((None, "gdb is not installed"), ("/bin/false", "gdb cannot have another process call")):
        monkeypatch.setattr(zombies, "GDB", debugger)
        cutting_is_refused.cache_clear()
        assert why in cutting_is_refused()
    cutting_is_refused.cache_clear()
