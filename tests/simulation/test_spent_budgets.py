"""A spent restart budget ends in a halt and its alert; a budget that is not kept, or a halt not told, is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from decisions import supervision
from simulation.aims import only
from simulation.run import Result, run_tape
from simulation.tape import Tape
from simulation.world import World
from supervisors import supervisor
from supervisors.root import RootSupervisor

LOOP = {**only("F.process.crash_loop"), "restarts in a period": 1, "times of F.process.crash_loop": 1}
SEEDS = range(12)


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def crash_loops() -> list[tuple[Result, list[str]]]:
    """What became of each seed, and the kinds of alerts that a person found."""
    found = []
    for seed in SEEDS:
        worlds: list[World] = []
        result = run_tape(Tape(seed, aim=LOOP), seed, look=worlds.append)
        found.append((result, [alert.kind for alert in worlds[0].machine.alerts]))
    return found


def test_a_spent_budget_ends_in_a_halt_of_which_a_person_hears() -> None:
    found = crash_loops()
    assert [result.text for result, _ in found if result.violation] == []
    assert any("SYSTEM_HALTED" in kinds for _, kinds in found)


def test_a_supervisor_that_restarts_beyond_its_budget_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(spec: Any, history: Any, *args: Any, **words: Any) -> Any:
        return supervision.on_exit(spec, (), *args, **words)

    monkeypatch.setattr(supervisor, "on_exit", endless)
    assert "I24" in {result.violation for result, _ in crash_loops()}


def test_a_halt_without_its_alert_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RootSupervisor, "alert", lambda *_: None)
    assert "L5" in {result.violation for result, _ in crash_loops()}


def test_a_halt_without_the_kill_switch_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RootSupervisor, "mark", lambda *_: None)
    monkeypatch.setattr(RootSupervisor, "keep_halted", lambda _self: None)
    assert "R25" in {result.violation for result, _ in crash_loops()}


def test_a_child_that_nobody_starts_again_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor.Supervisor, "on_spent", lambda *_: None)
    assert "I24" in {result.violation for result, _ in crash_loops()}
