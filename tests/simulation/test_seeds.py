"""A fixed share of hostile minutes on every change, and every tape that ever failed, for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from simulation.__main__ import app
from simulation.mutants.catalogue import named
from simulation.run import Job, run_seed, run_tape
from simulation.shrink import Budget
from simulation.stored import read, shorter, whole
from simulation.tape import Tape

ROOT = Path(__file__).resolve().parents[2]
STORED = sorted((ROOT / "tests" / "seeds").glob("*.json"))
CHUNK, CHUNKS = 20, 45  # about a minute of one core, in pieces that workers share


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_invariant_is_broken_by_these_seeds(chunk: int) -> None:
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        result = run_seed(seed)
        assert not result.violation, f"seed {seed}: {result.violation}: {result.text}"


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_what_was_mended_stays_mended(path: Path) -> None:
    stored = read(path)
    result = stored.again()
    assert not result.violation, f"{result.violation}: {result.text} (before: {stored.mended or stored.planted})"


@pytest.mark.parametrize("path", [path for path in STORED if read(path).planted], ids=lambda path: path.stem)
def test_a_stored_tape_still_shows_the_bug_that_it_was_stored_for(path: Path) -> None:
    stored = read(path)
    child = os.fork()
    if not child:
        status = 1
        try:
            named(stored.planted).plant()
            status = int(stored.again().violation != stored.violation)
        finally:
            os._exit(status)
    mend = f"python -m simulation mutants {stored.planted} --to tests/seeds"
    assert os.waitpid(child, 0)[1] == 0, f"the tape tells another story by now; store it anew: {mend}"


def test_a_tape_of_zeros_is_a_quiet_run_that_ends_whole() -> None:
    result = run_tape(Tape())
    assert not result.violation
    assert not result.struck
    assert result.checks["I1"] > 0


def test_a_recorded_tape_tells_the_same_story_as_its_seed() -> None:
    first = run_seed(11)
    assert run_tape(Tape(recorded=first.draws)).digest == first.digest


def test_the_story_does_not_depend_on_the_order_of_a_set() -> None:
    program = "from simulation.run import run_seed; print(*(run_seed(seed).digest for seed in (3, 4, 5)))"
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout.splitlines()[-1]
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_a_built_in_scenario_meets_the_faults_of_a_seed_and_its_short_tape_remembers_which_it_was() -> None:
    job = Job(scenarios=("two_cells", "stop_fires"))
    stops = job(3)
    assert (stops.scenario, stops.violation) == ("stop_fires", "")
    assert stops.digest != run_tape(Tape(3)).digest
    short = shorter(whole(msgspec.structs.replace(stops, draws=())), Budget(2))
    assert short.again().digest == run_tape(Tape(), scenario="stop_fires").digest
    told = CliRunner().invoke(app, ["run", "--seeds", "0:1", "--scenario", "stop_fire"])
    assert told.exit_code == 2
    assert "stop_fire unknown; there are" in " ".join(told.output.split())
