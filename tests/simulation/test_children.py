"""What a command has started ends with it, also when it is stopped in the middle."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulation import children
from simulation.bench import is_alive, wait_for

ROOT = Path(__file__).resolve().parents[2]
CORES = os.cpu_count() or 1
WORKERS = CORES if CORES > 1 else 0  # one works in the command's own process


def test_each_job_is_done_once_by_so_many_at_a_time_and_an_error_is_the_callers() -> None:
    assert sorted(children.each(_double, range(10), 3, chunk=4)) == [2 * n for n in range(10)]
    with pytest.raises(ZeroDivisionError):
        list(children.each(_divide, [2, 1, 0], 2))
    with pytest.raises(ChildProcessError, match="ended with 3 before"):
        list(children.each(os._exit, [3], 2))


def _double(number: int) -> int:
    return 2 * number


def _divide(number: int) -> float:
    return 1 / number


FORKED_WHILE_STOPPED = """
import os, signal, threading, time
from simulation import children

forked = threading.Event()

def take():  # as a progress bar's thread takes what the main one holds
    forked.wait()
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

def stop():  # what is raised in here, Python ignores
    forked.set()
    taker.join()

children.unwind_when_stopped()
taker = threading.Thread(target=take, daemon=True)
taker.start()
os.register_at_fork(after_in_parent=stop)
list(children.each(time.sleep, [1000], 1))
"""


def test_a_signal_that_comes_while_a_process_is_forked_is_not_lost() -> None:
    stopped = subprocess.run([sys.executable, "-c", FORKED_WHILE_STOPPED], cwd=ROOT, timeout=60, check=False)
    assert stopped.returncode == 128 + signal.SIGTERM


def of_session(leader: int) -> list[int]:
    """Every process that runs in the session of this one: itself, what it has started, and so on."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(ValueError, ProcessLookupError):
            if os.getsid(pid := int(entry.name)) == leader and is_alive(pid):
                found.append(pid)
    return found


@pytest.mark.parametrize(
    ("words", "processes"),
    [
        (["run", "--seeds", "0:1000000", "--workers", "3"], 4),
        (["nightly", "--seeds-only", "--to", "night"], 2 + WORKERS),
        (["mutants", "older-snapshot-wins", "--rate-seeds", "100000", "--workers", "2"], 2),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_stopped_leaves_nobody_behind(
    tmp_path: Path, words: list[str], processes: int, how: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "simulation", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as command:
        try:
            wait_for(lambda: len(of_session(command.pid)) >= processes, "everybody to work")
            command.send_signal(how)
            assert command.wait(60) == 128 + how
            wait_for(lambda: not of_session(command.pid), "everybody to be gone")
        finally:
            for pid in of_session(command.pid):
                os.kill(pid, signal.SIGKILL)
