"""Planted bugs are noticed: a handful on every change; all of them with ``python -m simulation mutants``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simulation.hunt import Order, catches, matrix
from simulation.mutants.catalogue import BUGS, catalogue
from simulation.run import run_seed
from simulation.tape import Tape
from simulation.testimony import judge
from simulation.world import World
from venue.audit.invariants import CHECKS

SEEDS = (0, 30)  # that many have to be enough
QUICK = {
    "fill-counted-twice": {"I9", "I11", "I12", "R22"},
    "nameless-fill-known-by-its-time": {"I9", "I11", "I12", "R22"},
    "older-snapshot-wins": {"I13"},
    "price-of-its-own": {"I30"},
    "risk-first": {"I7"},
    "taken-twice": {"I23"},
    "turn-skipped": {"I19"},
    "no-cause": {"I29"},
    "pending-cancel-is-canceled": {"I3", "I4", "I9", "I14", "R22"},
}


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_noticed_within_a_few_seeds_by_an_invariant_that_it_breaks(name: str) -> None:
    (catch,) = catches([name], Order(SEEDS, 60.0, 0, 0), workers=1)
    assert not catch.survived
    assert catch.invariant in QUICK[name], catch.text
    assert catch.invariant in matrix([catch])
    assert not run_seed(catch.seed).violation  # the bug died with its process


def test_every_bug_finds_the_place_where_it_is_to_be_planted() -> None:
    for mutant in catalogue(BUGS).values():
        child = os.fork()
        if not child:
            try:
                mutant.plant()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0, f"{mutant.name} cannot be planted any more"


def test_there_are_at_least_fifty_bugs_and_each_says_what_it_breaks() -> None:
    bugs = catalogue(BUGS).values()
    assert len(bugs) >= 50
    assert all(mutant.about and mutant.breaks for mutant in bugs)


def test_the_audit_finds_something_to_look_at_in_a_simulated_run() -> None:
    world = World(Tape(3), {})
    world.run()
    world.oracles.checks.clear()
    judge(world)
    looked_at = {name for name, count in world.oracles.checks.items() if count}
    assert looked_at >= CHECKS.keys() - {"I5", "I8", "I9", "I10", "I15", "I16", "I21", "I26", "I27", "I28"}
