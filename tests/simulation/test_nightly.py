"""The night's work: steps that were done are not done again, and a failure is told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from simulation.__main__ import app
from simulation.nightly import STEPS, Night

FINE = ("fine", ("crashes", "--scenario", "vertical_entry", "--at", "none"))
BROKEN = ("broken", ("crashes", "--scenario", "nobody"))


def night_of(to: Path, hours: str) -> tuple[int, Night]:
    told = CliRunner().invoke(app, ["nightly", "--hours", hours, "--to", str(to)])
    return told.exit_code, msgspec.json.decode((to / "summary.json").read_bytes(), type=Night)


def test_a_night_that_was_broken_off_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulation.nightly.BLOCK", 1)
    monkeypatch.setattr("simulation.nightly.STEPS", (FINE,))
    status, night = night_of(tmp_path, "0.0002")
    assert (status, [step.name for step in night.steps if step.name == "fine"]) == (0, ["fine"])
    monkeypatch.setattr("simulation.nightly.STEPS", (FINE, BROKEN))
    status, again = night_of(tmp_path, "0.0002")
    assert status == 1
    assert [step.name for step in again.steps if "seeds" not in step.name] == ["fine", "broken"]
    assert again.next_seed >= night.next_seed
    assert "nobody" in (tmp_path / "summary.md").read_text()


@pytest.mark.parametrize(("name", "words"), STEPS, ids=[name for name, _ in STEPS])
def test_every_step_is_a_command_that_there_is(name: str, words: tuple[str, ...]) -> None:
    told = CliRunner().invoke(app, [words[0], "--help"])
    assert told.exit_code == 0, name
