"""One short round of the kill campaign, and that it goes on where it was stopped."""

from __future__ import annotations

from pathlib import Path

import msgspec
from typer.testing import CliRunner

from simulation.__main__ import app
from simulation.campaign import Broken, Campaign, Summary
from simulation.havoc import FAULTS


def test_cells_that_are_killed_while_groups_are_entered_leave_nothing_behind(tmp_path: Path) -> None:
    arguments = ["kill-campaign", "--seed", "3", "--only", "kill cell-0,kill cell-1", "--to", str(tmp_path)]
    told = CliRunner().invoke(app, [*arguments, "--cycles", "1"])
    assert told.exit_code == 0, told.output
    summary = msgspec.json.decode((tmp_path / "summary-3.json").read_bytes(), type=Summary)
    assert (summary.cycles, summary.rounds, summary.violations) == (1, 1, [])
    assert 1 <= sum(summary.struck.values()) <= sum(summary.faults.values())
    assert summary.groups >= 1
    again = CliRunner().invoke(app, [*arguments, "--cycles", "1"])  # has been done
    assert again.exit_code == 0
    assert "1 cycles in 1 rounds" in again.output


def test_a_campaign_remembers_its_violations(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, 0, list(FAULTS))
    campaign.summary.violations.append(Broken(0, ("kill cell-0",), "I3", "here"))
    campaign._save()
    assert "cycle 0 (kill cell-0): I3" in (tmp_path / "summary-0.md").read_text()
    assert CliRunner().invoke(app, ["kill-campaign", "--cycles", "0", "--to", str(tmp_path)]).exit_code == 1


def test_a_campaign_tells_what_struck_beside_what_was_tried(tmp_path: Path) -> None:
    summary = Summary(seed=0, faults={"kill root": 3}, struck={"kill root": 2})
    assert "| kill root | SIGKILL of the root supervisor | 3 | 2 |" in summary.markdown()
    arguments = ["kill-campaign", "--cycles", "0", "--to", str(tmp_path), "--json"]
    told = msgspec.json.decode(CliRunner().invoke(app, arguments).stdout, type=Summary)
    assert ("kill admin", "SIGKILL of the actor system's admin", 0, 0) in told.counts()


def test_an_unknown_fault_is_told(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["kill-campaign", "--only", "meteor", "--to", str(tmp_path)]).exit_code == 2
