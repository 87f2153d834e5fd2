"""A lock that lasts as long as its process: one gateway sends at a time (I17)."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest

from simulation.bench import stop
from storage.ownership import OwnerLock, claim, owner_of
from storage.port import JournalLocked, JournalUnavailable
from storage.sqlite import open_journal

ROOT = Path(__file__).resolve().parents[2]


def _claims(path: Path, expected: bool) -> None:
    raise SystemExit(0 if claim(path) is expected else 1)


def in_a_child(path: Path, *, expected: bool) -> bool:
    """Whether a process of its own gets this answer."""
    child = get_context("fork").Process(target=_claims, args=(path, expected))
    child.start()
    child.join()
    return child.exitcode == 0


def test_i17_a_lock_is_one_processs_until_it_dies(tmp_path: Path) -> None:
    path = tmp_path / "gateway.lock"
    program = (
        "import sys, pathlib; from storage.ownership import claim; "
        "print(claim(pathlib.Path(sys.argv[1])), flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert not claim(path)
        holder.kill()
    assert claim(path)
    assert claim(path), "it is ours"
    assert in_a_child(path, expected=False), "a child of ours is another process"


@pytest.mark.parametrize("suspended", [False, True])
def test_who_owns_a_lock_is_named_and_how_one_that_a_signal_has_suspended_is_ended(
    tmp_path: Path, suspended: bool
) -> None:
    gateway, journal = tmp_path / "gateway.lock", tmp_path / "cell-0.db"
    program = (
        "import sys, pathlib; from storage.ownership import OwnerLock, claim; "
        "claim(pathlib.Path(sys.argv[1])); lock = OwnerLock(pathlib.Path(sys.argv[2])); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(gateway), str(journal)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        holder.stdout.readline()
        if suspended:
            stop(holder.pid)
        with pytest.raises(JournalLocked) as refused:
            OwnerLock(journal)
        for told in (owner_of(gateway), str(refused.value)):
            assert f"process {holder.pid}" in told
            assert ("only `kill -KILL" in told) is suspended
        holder.kill()
    assert owner_of(tmp_path / "missing.lock") == "process unknown"


def test_where_nothing_can_be_locked_it_is_not_refused(tmp_path: Path) -> None:
    assert claim(tmp_path / "missing" / "gateway.lock")


def test_a_journal_that_somebody_else_holds_for_a_moment_is_unavailable_and_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.opening.BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "cell-0.db"
    open_journal(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnavailable):
        open_journal(path)
    other.close()
    open_journal(path).close()


def test_a_journal_is_unavailable_while_no_more_files_can_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "cell-0.db"
    open_journal(path).close()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(JournalUnavailable):
            open_journal(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
