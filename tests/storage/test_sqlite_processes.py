"""What only real processes and real disks can show."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from storage.port import JournalLocked
from storage.reader import JournalReader
from storage.sqlite import open_journal
from storage.verify import verify

HERE = Path(__file__).parent
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{HERE.parent.parent}{os.pathsep}{HERE}"}


@contextmanager
def child(task: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(HERE / "journal_child.py"), task, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=ENVIRONMENT) as process:
        try:
            yield process
        finally:
            process.kill()


def test_kill_9_loses_no_acknowledged_turn(tmp_path: Path) -> None:
    path = tmp_path / "cell.db"
    acknowledged: dict[int, str] = {}
    for round_no, turns in enumerate((1, 7, 20, 45, 90), start=1):
        with child("commit_forever", path) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == f"epoch {round_no}\n"
            lines = [process.stdout.readline() for _ in range(turns)]
            os.kill(process.pid, signal.SIGKILL)
            # What is still in the pipe was acknowledged too; only its last line may be cut off.
            lines += process.stdout.read().splitlines(keepends=True)
        acknowledged.update((int(line.split()[0]), line.split()[1]) for line in lines if line.endswith("\n"))
        assert len(acknowledged) >= turns
        with JournalReader(path) as reader:
            ids = {turn.turn: turn.records()[0].event_id for turn in reader.turns()}  # type: ignore[union-attr]
        assert acknowledged.items() <= ids.items()
    report = verify(path)
    assert report.ok, report.problems
    with closing(open_journal(path)) as journal:
        assert journal.seen(acknowledged.values()) == set(acknowledged.values())
        assert journal.epoch == 6


def test_a_second_process_is_refused_and_told_the_pid_while_readers_are_welcome(tmp_path: Path) -> None:
    path = tmp_path / "cell.db"
    with child("hold", path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(JournalLocked, match=f"process {process.pid}:"):
            open_journal(path)
        with JournalReader(path) as reader:
            assert [group.group_id for group in reader.groups()] == ["held"]
        assert verify(path).ok
        process.communicate("done\n", timeout=20)
        assert process.returncode == 0
    with closing(open_journal(path)) as journal:
        assert journal.open_groups() == ["held"]


def test_a_killed_owner_leaves_no_lock_behind(tmp_path: Path) -> None:
    path = tmp_path / "cell.db"
    with child("hold", path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.kill()
        process.wait(20)
        with closing(open_journal(path)) as journal:
            assert journal.epoch == 2


def test_an_owner_that_dies_of_an_exception_exits_and_frees_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "cell.db"
    with child("die_without_closing", path) as process:
        process.communicate(timeout=20)
        assert process.returncode == 1
    with closing(open_journal(path)) as journal:
        assert journal.open_groups() == ["last"]


def test_a_really_full_disk_spends_the_ballast_then_is_unknown_and_heals(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed: no small disk can be mounted for this test")
    script = f'mount -t tmpfs -o size=1m tmpfs {disk} && exec "$@"'
    inside = [sys.executable, str(HERE / "journal_child.py"), "fill_the_disk", str(disk / "cell.db")]
    namespace = [unshare, "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*namespace, script, "sh", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here: user namespaces are not allowed")
    done = subprocess.run(
        [*namespace, script, "sh", *inside], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert done.returncode == 0, done.stderr
    outcomes, state, healed = done.stdout.splitlines()[-3:]
    assert outcomes.split()[-2:] == ["ok-low", "unknown"]
    assert state.endswith("low=True ballast=False")
    words = dict(word.split("=") for word in healed.split())
    assert int(words["kept"]) - int(words["acknowledged"]) in (0, 1)
    assert words["low"] == "False"
