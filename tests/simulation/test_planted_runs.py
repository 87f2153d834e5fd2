"""A planted bug can be watched: seeds, stored tapes and shrinking run with it, in every process, and say so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from simulation.__main__ import CHUNK, app
from simulation.stored import read

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "tests" / "seeds" / "timer-from-placement.json"


def simulation(directory: Path, *words: str) -> tuple[int, str, str]:
    """Exit status, output and complaints of the command in a process of its own, in which the bug stays."""
    ended = subprocess.run(
        [sys.executable, "-m", "simulation", *words],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_every_seed_meets_the_bug_whichever_process_runs_it(tmp_path: Path) -> None:
    found = []
    for workers in ("1", "2"):
        words = ("run", "--seeds", f"0:{3 * CHUNK}", "--plant", "splitter-loops", "--workers", workers, "--json")
        status, said, told = simulation(tmp_path, *words)
        document = msgspec.json.decode(said)
        assert (status, document["planted"]) == (1, "splitter-loops")
        assert "planted splitter-loops, which is to break L4, L1: a slice that is refused is tried for ever" in told
        found.append(sorted(failed["seed"] for failed in document["totals"]["violations"]))
    assert found[0] == found[1]
    assert {seed // CHUNK for seed in found[0]} == {0, 1, 2}  # each by a process of its own


def test_a_stored_tape_is_replayed_with_its_bug_unless_without_is_asked_for(tmp_path: Path) -> None:
    status, said, _ = simulation(tmp_path, "replay", str(STORED), "--explain")
    lines = said.splitlines()
    assert (status, lines[-1]) == (1, f"I27 {read(STORED).text}")
    assert lines[0].startswith("planted timer-from-placement, which is to break I27")
    assert any("→ broker" in line and " submit " in line for line in lines)
    assert simulation(tmp_path, "replay", str(STORED), "--no-plant")[:2] == (0, "no violation\n")
    assert simulation(tmp_path, "replay", str(STORED), "--no-plant", "--plant", "risk-first")[0] == 2


def test_a_seed_with_a_bug_is_replayed_and_made_short_and_the_short_tape_knows_the_bug(tmp_path: Path) -> None:
    _, said, told = simulation(tmp_path, "run", "--seeds", "0:40", "--plant", "risk-first", "--workers", "1")
    found = next(line for line in told.splitlines() if line.startswith("seed "))
    seed = found.split()[1].rstrip(":")
    *_, last = said.splitlines()  # after all tables, where it is seen
    assert found in said
    assert last.endswith(f"python -m simulation replay {seed} --plant risk-first --explain")
    status, said, _ = simulation(tmp_path, "replay", seed, "--plant", "risk-first")
    assert (status, found) == (1, f"seed {seed}: {said.splitlines()[-1].replace('I7', 'I7:', 1)}")
    status, said, _ = simulation(tmp_path, "shrink", seed, "--plant", "risk-first", "--to", "short.json")
    short = read(tmp_path / "short.json")
    assert (status, short.planted, short.violation) == (0, "risk-first", "I7")
    assert short.length < 20
    *story, violation, counts, stored = said.splitlines()
    assert stored == "stored in short.json"
    assert (violation, "order_received sell" in story[-1]) == (f"I7 {short.text}", True)
    assert f"became {short.length} in" in counts
    assert simulation(tmp_path, "replay", "short.json")[0] == 1
    again = simulation(tmp_path, "shrink", "short.json", "--to", "again.json")
    assert (again[0], read(tmp_path / "again.json")) == (0, short)


def test_a_seed_or_a_tape_that_does_not_fail_is_not_made_short(tmp_path: Path) -> None:
    for tape in ("17", str(ROOT / "tests" / "seeds" / "bust-hedged-by-two.json")):
        status, _, told = simulation(tmp_path, "shrink", tape)
        assert (status, "does not" in told) == (2, True)


def test_what_cannot_be_done_is_said_before_anything_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tape = str(ROOT / "tests" / "seeds" / "bust-hedged-by-two.json")
    (tmp_path / "file").write_text("")
    for words, why in (
        (("replay", tape, "--faults", "none"), "a stored tape has its own"),
        (("shrink", tape, "--scenario", "two_cells"), "a stored tape has its own"),
        (("replay", "nothing.json"), "neither a seed's number nor a file"),
        (("shrink", "5", "--plant", "risk-first", "--to", "."), "is a directory"),
        (("shrink", "5", "--plant", "risk-first", "--to", "file/tape.json"), "--to file"),
        (("mutants", "risk-first", "--to", "file/tapes"), "--to file/tapes"),
        (("nightly", "--to", "file/night"), "--to file/night"),
        (("kill-campaign", "--to", "file/kills"), "--to file/kills"),
        (("run", "--seeds", "5:5"), "are none"),
        (("run", "--workers", "0"), "--workers"),
        (("crashes", "--explain"), "--at"),
        (("crashes", "--scenario", "vertical_entry", "--at", "99999:own"), "0 of 1 crashes came"),
    ):
        told = CliRunner().invoke(app, [*words], env={"COLUMNS": "200"})
        assert (told.exit_code, why in " ".join(told.output.split())) == (2, True), (words, told.output)


def test_the_seeds_that_the_page_shows_fail(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "simulation.md").read_text()
    shown = sorted(set(re.findall(r"simulation (?:shrink|replay) (\d+) --plant ([\w-]+)", page)))
    assert len(shown) > 1
    for seed, bug in shown:
        status, said, _ = simulation(tmp_path, "replay", seed, "--plant", bug)
        assert (status, f"planted {bug}" in said) == (1, True), (seed, bug)


def test_the_planted_bugs_are_listed() -> None:
    told = CliRunner().invoke(app, ["mutants", "--list", "risk-first", "E2"])
    assert (told.exit_code, "risk-first" in told.output, "no price collar" in told.output) == (0, True, True)


def test_a_bug_that_there_is_not_is_told_with_those_near_it(tmp_path: Path) -> None:
    for command in (["run"], ["replay", "3"], ["shrink", "3"]):
        status, _, told = simulation(tmp_path, *command, "--plant", "risk-frist")
        assert (status, "'risk-frist'; near it: risk-first" in " ".join(told.split())) == (2, True)
    status, _, told = simulation(tmp_path, "mutants", "timer-placement")
    assert (status, "near it: timer-from-placement" in " ".join(told.split())) == (2, True)
