"""Every fault of the catalogue can be switched on by itself, strikes, is counted, and breaks nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulation.aims import only
from simulation.faults import CATALOGUE, CROWDS, swarm
from simulation.run import run_seed
from simulation.strikes import ACTS
from simulation.tape import Tape
from simulation.world import World

SEEDS = range(1, 24)  # within so many it must have struck
NEEDS = {  # somebody must die with letters under way, log in again, or a person must be told something
    "F.actors.exit_first": "F.process.kill_in_handler",
    "F.broker.replay": "F.wire.reset",
    "F.storage.alert_log_full": "F.process.kill",
}


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_fault_alone_strikes_and_is_survived(name: str) -> None:
    on = frozenset({name, NEEDS.get(name, name)})
    for seed in SEEDS:
        result = run_seed(seed, on)
        assert not result.violation, f"seed {seed}: {result.violation}: {result.text}"
        assert result.struck.keys() <= on
        if name in result.struck:
            return
    pytest.fail(f"{name} never struck")


def test_a_seed_that_was_run_with_some_faults_only_is_told_again_by_a_tape() -> None:
    names = ("F.broker.drop_report", "F.broker.late_fill")
    first, again = run_seed(5, frozenset(names)), run_seed(5, aim=only(*names))
    assert first.struck
    assert (again.struck, again.steps, again.checks) == (first.struck, first.steps, first.checks)


def test_a_system_whose_timers_get_lost_goes_on() -> None:
    for seed in range(5):
        World(Tape(seed), {"F.time.timer_lost": 0.05, "F.wire.reset": 2}).run()


def test_timers_that_ring_twice_do_not_multiply() -> None:
    calm, doubled = World(Tape(3), {}), World(Tape(3), {"F.time.timer_twice": 0.2})
    calm.run()
    doubled.run()
    assert doubled.base.steps < 1.5 * calm.base.steps


def test_what_comes_at_moments_of_its_own_has_an_act() -> None:
    assert ACTS.keys() == {name for name, fault in CATALOGUE.items() if fault.times}


def test_a_tenth_of_the_seeds_is_spared_and_every_fault_is_on_in_some_and_off_in_some() -> None:
    rates = [swarm(Tape(seed)) for seed in range(1_000)]
    assert 60 <= sum(not one for one in rates) <= 140
    for name in CATALOGUE:
        assert 100 <= sum(name in one for one in rates) <= 500
    assert {len(one) * max(CROWDS) // len(CATALOGUE) for one in rates} >= {0, 1, 2, 4}


def test_a_tape_of_zeros_switches_nothing_on() -> None:
    assert swarm(Tape()) == {}
    assert swarm(Tape(recorded=[1])) == {}


def test_the_documentation_names_every_fault() -> None:
    told = (Path(__file__).resolve().parents[2] / "docs" / "simulation.md").read_text()
    assert [name for name in CATALOGUE if f"`{name}`" not in told] == []
