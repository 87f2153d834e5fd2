"""The demonstration as a user has it: it ends by itself, says so honestly, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from system import MARKER, ROOT, is_alive, wait_for

SHARED = Path(os.environ.get("LEGKEEPER_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "lean"
SPXW = SHARED / "indexoption_usa_minute_spxw_20210104_quote_european.zip"
needs_spxw = pytest.mark.skipif(not SPXW.is_file(), reason=f"no {SPXW}; set LEGKEEPER_SHARED")


SHAPES = ("bull-put", "bear-call", "iron-condor", "straddle", "single-leg")  # what --groups asks for, not the trials'
TWELVE = ("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12")


class Demo:
    """One demonstration in a process of its own, with a temporary directory of its own."""

    def __init__(self, tmp_path: Path, *arguments: str) -> None:
        self.marker = uuid4().hex
        self.tmp = tmp_path / "tmp"
        self.tmp.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "run_system.py"), "demo", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, MARKER: self.marker, "TMPDIR": str(self.tmp)},
        )

    def left(self) -> list[int]:
        """Every process of it that runs."""
        mark = f"{MARKER}={self.marker}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return [pid for pid in found if is_alive(pid)]

    def left_nothing(self) -> bool:
        """Neither a process nor a file."""
        return not self.left() and not list(self.tmp.iterdir())


@contextlib.contextmanager
def demo(tmp_path: Path, *arguments: str) -> Iterator[Demo]:
    made = Demo(tmp_path, *arguments)
    try:
        yield made
    finally:
        for pid in made.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        made.process.communicate()


@pytest.mark.parametrize("quotes", [None, pytest.param(SPXW, marks=needs_spxw)])
def test_it_ends_certified_after_real_kills_and_leaves_nothing(tmp_path: Path, quotes: Path | None) -> None:
    arguments = ["--groups", "6", "--seed", "5", "--nasty", "some", "--json"]
    arguments += ["--quotes", str(quotes)] if quotes else []
    with demo(tmp_path, *arguments) as shown:
        out, err = shown.process.communicate(timeout=150)
        document = json.loads(out)
        assert (shown.process.returncode, document["ok"], err) == (0, True, "")
        assert {"gateway"} < set(document["kills"]), "the gateway and a cell"
        assert [group["outcome"] for group in document["groups"]].count("open") == 0
        assert sum(group["group"].startswith(SHAPES) for group in document["groups"]) == 6
        assert document["refused"] == {}
        acted = document["safeguards"]
        assert [name for name in TWELVE if not acted[name]] == [], acted
        assert {finding["status"] for finding in document["audit"]} <= {"ok", "not shown", "empty (allowed)"}
        wait_for(shown.left_nothing, "everything to be gone")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_in_the_middle_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    with demo(tmp_path, "--groups", "40") as shown:
        assert shown.process.stdout is not None
        next(line for line in shown.process.stdout if "SIGKILL to" in line)
        shown.process.send_signal(how)
        assert shown.process.wait(30) == 130
        wait_for(shown.left_nothing, "everything to be gone")
