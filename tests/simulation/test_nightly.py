"""The night's work: steps that were done are not done again, and a failure is told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from simulation.__main__ import app
from simulation.campaign import Summary
from simulation.corners import FAULTS, SCENARIOS, SCHEDULES
from simulation.nightly import STEPS, Night, Step, Swept, count, fingerprint
from simulation.totals import Totals

FINE = ("fine", ("crashes", "--scenario", "vertical_entry", "--at", "none"))
BROKEN = ("broken", ("crashes", "--scenario", "nobody"))


def night_of(to: Path, hours: str) -> tuple[int, Night]:
    told = CliRunner().invoke(app, ["nightly", "--hours", hours, "--to", str(to)])
    return told.exit_code, msgspec.json.decode((to / "summary.json").read_bytes(), type=Night)


def test_a_night_that_was_broken_off_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulation.nightly.BLOCK", 1)
    monkeypatch.setattr("simulation.nightly.STEPS", (FINE,))
    monkeypatch.setattr(Totals, "untried", lambda _self: [])  # so few seeds have not tried everything
    status, night = night_of(tmp_path, "0.0002")
    assert (status, [step.name for step in night.steps if step.name == "fine"]) == (0, ["fine"])
    monkeypatch.setattr("simulation.nightly.STEPS", (FINE, BROKEN))
    status, again = night_of(tmp_path, "0.0002")
    assert status == 1
    assert [step.name for step in again.steps if "seeds" not in step.name] == ["fine", "broken"]
    assert again.next_seed >= night.next_seed
    assert "nobody" in (tmp_path / "summary.md").read_text()


def test_what_broke_off_is_tried_again_and_what_told_its_numbers_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to, kills = str(tmp_path / "night"), tmp_path / "kills"
    steps = (("kills", ("kill-campaign", "--cycles", "0", "--to", str(kills), "--json")),)
    monkeypatch.setattr("simulation.nightly.BLOCK", 1)
    monkeypatch.setattr("simulation.nightly.STEPS", steps)
    monkeypatch.setattr(Totals, "untried", lambda _self: [])

    def attempts() -> tuple[int, list[tuple[int, bool]]]:
        status, night = night_of(Path(to), "0.0002")
        return status, [(step.status, step.told) for step in night.steps if step.name == "kills"]

    kills.write_text("no directory")
    assert attempts() == (1, [(2, False)])
    kills.unlink()
    assert attempts() == (0, [(2, False), (0, True)])
    assert attempts() == (0, [(2, False), (0, True)])
    assert "| kills | 2 |" in (tmp_path / "night" / "summary.md").read_text(), "the attempt that failed is told too"


def test_seeds_that_were_not_counted_are_tried_again_and_those_that_were_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulation.nightly.BLOCK", 1)
    lost = Step("seeds 0 to 1", ("run", "--seeds", "0:1", "--json"), -9, False, 1.0, "")
    found = Step("seeds 1 to 2", ("run", "--seeds", "1:2", "--json"), 1, True, 1.0, "a violation")
    night = Night("tonight", steps=[lost, found], next_seed=2, code=fingerprint(), totals=Totals(seeds=1))
    (tmp_path / "summary.json").write_bytes(msgspec.json.encode(night))
    words = ["nightly", "--hours", "0.0002", "--seeds-only", "--to", str(tmp_path)]
    CliRunner().invoke(app, words)
    night = msgspec.json.decode((tmp_path / "summary.json").read_bytes(), type=Night)
    assert [step.name for step in night.steps[:3]] == ["seeds 0 to 1", "seeds 1 to 2", "seeds 0 to 1"]
    assert night.totals.seeds == len(night.latest) == night.next_seed


def test_a_night_is_not_gone_on_with_on_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code" / "room").mkdir(parents=True)
    (tmp_path / "code" / "room" / "__init__.py").write_text("")
    monkeypatch.setattr("simulation.nightly.ROOT", tmp_path / "code")
    night = Night("tonight", code=fingerprint(), next_seed=7)
    (tmp_path / "summary.json").write_bytes(msgspec.json.encode(night))
    assert night_of(tmp_path, "0")[1].next_seed == 7
    (tmp_path / "code" / "room" / "new.py").write_text("")
    told = CliRunner().invoke(app, ["nightly", "--hours", "0", "--seeds-only", "--to", str(tmp_path)])
    assert (told.exit_code, "the code has changed" in told.stderr) == (2, True)


def test_a_night_begins_at_the_seed_it_is_told_and_at_no_other_later(tmp_path: Path) -> None:
    words = ["nightly", "--hours", "0.0002", "--seeds-only", "--to", str(tmp_path)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("simulation.nightly.BLOCK", 1)
        CliRunner().invoke(app, [*words, "--first", "700"])
    night = msgspec.json.decode((tmp_path / "summary.json").read_bytes(), type=Night)
    assert (night.steps[0].name, night.totals.seeds) == ("seeds 700 to 701", len(night.steps))
    told = CliRunner().invoke(app, [*words, "--first", "800"])
    assert (told.exit_code, "began at seed 700" in told.stderr) == (2, True)


@pytest.mark.parametrize(("name", "words"), STEPS, ids=[name for name, _ in STEPS])
def test_every_step_is_a_command_that_there_is(name: str, words: tuple[str, ...]) -> None:
    told = CliRunner().invoke(app, [words[0], "--help"])
    assert told.exit_code == 0, name


def test_the_summary_tells_the_numbers_that_are_aimed_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    night = Night("tonight")
    told = CliRunner().invoke(app, ["run", "--seeds", "0:2", "--workers", "1", "--json"])
    count(night, "seeds 0 to 2", "run", told.stdout)
    words = ["crashes", "--scenario", "vertical_entry", "--firsts-most", "1", "--workers", "1", "--json"]
    said = CliRunner().invoke(app, words).stdout
    sweep = msgspec.json.decode(said, type=Swept)
    count(night, "crashes", "crashes", said)
    words = ["disk", "--turns", "3", "--every", "20", "--variants", "1", "--only", "power_normal", "--workers", "1"]
    count(night, "disk", "disk", CliRunner().invoke(app, [*words, "--json"]).stdout)
    count(night, "planted bugs", "mutants", '{"mutants": [{}, {}], "survivors": ["a"]}')
    count(night, "safeguards", "switch-off", '{"switched_off": {"R1": "test_r1", "R2": ""}, "missed": ["R2"]}')
    kills = Summary(seed=0, cycles=3, faults={"kill root": 5}, struck={"kill root": 4}, outcomes={"hedged": 7})
    count(night, "kill campaign", "kill-campaign", msgspec.json.encode(kills).decode())
    assert not count(night, "broken", "crashes", "no such story")
    text = night.markdown()
    for row in (
        "| seeds without a violation | 200,000 | 2 of 2 |",
        "| seeds that ran twice and diverged | 0 | 0 of 1 |",
        f"| crashes: single runs | {sum(sweep.possible.values())} | 1 |",
        "| crashes: violations | 0 | 0 |",
        "| planted bugs: killed | 2 | 1 |",
        "| planted bugs: survivors | 0 | 1 |",
        "| safeguards: not noticed | 0 | 1 |",
        "| kill campaign: cycles | 1,000 | 3 |",
        "| kill campaign: faults that struck |  | 4 |",
        "| kill root | SIGKILL of the root supervisor | 5 | 4 |",
        "| disk: violations | 0 | 0 |",
    ):
        assert row in text
    disk = {number.what: number.count for number in night.sweeps["disk"]}
    assert disk["power cuts with NORMAL"] == sum(n for what, n in disk.items() if what.startswith("power_normal, "))
    assert disk["of them lost acknowledged turns"] == disk.get("power_normal, lost turns", 0)
    again = msgspec.json.decode(msgspec.json.encode(night), type=Night)
    assert again.markdown() == text, "what is gone on with is what was saved"
    assert any(line.startswith("- never tried: F.") for line in text.splitlines())
    assert night.failures, "so few seeds have not tried everything"


def test_totals_add_up_and_tell_what_was_never_tried() -> None:
    both = Totals(seeds=500, faults={"F.wire.cut": 2}, tried={"cells": {"1": 500}})
    assert "cells: 2" in both.untried()
    assert "F.wire.cut never struck" not in both.untried()
    both.add(Totals(seeds=500, faults={"F.wire.cut": 1}, tried={"cells": {"1": 100, "2": 400}}))
    assert "cells: 2" not in both.untried()
    assert ("F.wire.cut", 3, 3.0) in both.hits()
    assert {("cells", "1", 600), ("cells", "2", 400)} <= {*both.coverage()}


def test_what_no_seed_came_to_draw_fails_a_night_too() -> None:
    night = Night("tonight", totals=Totals(seeds=1))
    for row, choice in (("size", "1"), ("hours", "-24"), ("how it is broken", "crossed"), ("shape", "butterfly")):
        assert f"never tried: {row}: {choice}" in night.failures
        assert f"| {row} | {choice} | 0 |" in night.markdown()
    assert not any("hours" in what for what in Totals().untried(faults=False))
    assert not any("shape" in what for what in Totals().untried(scenarios=False))


def test_no_two_tables_of_corners_share_a_row() -> None:
    rows = [row for table in (*SCENARIOS, *SCHEDULES, *FAULTS) for row in table]
    assert len(rows) == len({*rows})


def test_how_often_each_choice_was_made_is_told_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["run", "--seeds", "1:2", "--workers", "1", "--faults", "none"]
    plain, full = CliRunner().invoke(app, words), CliRunner().invoke(app, [*words, "--corners"])
    assert (plain.exit_code, full.exit_code) == (0, 0)
    assert "what is drawn" not in plain.stdout
    assert "what is drawn" in full.stdout
