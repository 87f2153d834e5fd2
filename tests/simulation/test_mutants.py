"""Planted bugs are noticed: a handful on every change; all of them with ``python -m simulation mutants``."""

from __future__ import annotations

import inspect
import math
import os
from pathlib import Path

import pytest

from simulation.faults import swarm
from simulation.hunt import Order, catches, command
from simulation.hunt_report import LIVENESS, document, matrix
from simulation.mutants.catalogue import BUGS, catalogue
from simulation.nightly import STEPS
from simulation.run import run_seed
from simulation.stored import read
from simulation.tape import Tape
from simulation.testimony import judge
from simulation.world import World
from venue.audit.invariants import CHECKS

SEEDS = (0, 30)  # that many have to be enough
DRAWN_LATER = {"size", "for, ms", "and is changed after, ms"}  # as the market goes on, and as a fault strikes
QUICK = {
    "fill-counted-twice": {"I9", "I11", "I12", "R22"},
    "nameless-fill-known-by-its-time": {"I9", "I11", "I12", "I29", "R22"},
    "older-snapshot-wins": {"I13"},
    "price-of-its-own": {"I30"},
    "risk-first": {"I7"},
    "taken-twice": {"I23"},
    "turn-skipped": {"I19"},
    "no-cause": {"I29"},
    "status-counts-as-fill": {"I11"},
    "rearm-storm": {"R14"},
    "stop-forgotten-at-acceptance": {"I8"},
    "ended-orders-are-deleted": {"I2"},
    "recovery-without-epoch": {"I17"},
    "full-disk-is-no-reason": {"I28"},
    "timer-from-placement": {"I27"},
    "kill-leaves-entries": {"I26"},
    "pending-cancel-is-canceled": {"I3", "I4", "I9", "I14", "R22"},
    "splitter-loops": {"L1", "L4"},
    "hedge-after-minutes": {"L3"},
}


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_noticed_within_a_few_seeds_by_an_invariant_that_it_breaks(name: str) -> None:
    (catch,) = catches([name], Order(SEEDS, 60.0, 0, 0), workers=1)
    assert not catch.survived
    assert catch.noticed.keys() & QUICK[name], catch.text
    assert any(catch.mutant in matrix([catch])[invariant] for invariant in QUICK[name] & catch.noticed.keys())
    assert not run_seed(catch.seed, aim=catalogue(BUGS)[name].aim).violation  # the bug died with its process


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


@pytest.mark.parametrize("name", [name for name, mutant in catalogue(BUGS).items() if mutant.aim])
def test_what_a_hunt_is_aimed_at_is_drawn_by_the_world(name: str) -> None:
    aim = catalogue(BUGS)[name].aim
    tape = Tape(0, aim=aim)
    World(tape, swarm(tape)).strikes.plan()
    assert aim.keys() <= {*tape.labels, *DRAWN_LATER}


def test_an_aim_is_recorded_like_what_was_drawn() -> None:
    tape = Tape(7, aim={"a number": 3, "a choice": "c", "between": 12})
    drawn = (tape.draw("a number", 5), tape.pick("a choice", "abc"), tape.between("between", 10, 20), tape.draw("x", 9))
    again = Tape(recorded=tape.drawn)
    assert drawn[:3] == (3, "c", 12)
    assert (again.draw("", 5), again.pick("", "abc"), again.between("", 10, 20), again.draw("", 9)) == drawn
    with pytest.raises(ValueError, match="not in"):
        Tape(7, aim={"a choice": "d"}).pick("a choice", "abc")


def test_a_tape_that_is_told_by_labels_does_not_mind_other_draws_in_between() -> None:
    tape = Tape(told={"coin": {1: 4}})
    assert [tape.draw("coin", 9), tape.draw("new", 9), tape.draw("coin", 9), tape.draw("coin", 9)] == [0, 0, 4, 0]


def test_there_are_at_least_fifty_bugs_and_each_says_what_it_breaks() -> None:
    bugs = catalogue(BUGS).values()
    assert len(bugs) >= 50
    assert all(mutant.about and mutant.breaks for mutant in bugs)


def test_every_invariant_is_broken_by_a_bug_on_every_change() -> None:
    """By a stored tape that must break just this one, or by a bug of the handful above that may break no other (M3)."""
    tapes = [read(path) for path in (Path(__file__).resolve().parents[1] / "seeds").glob("*.json")]
    broken = {tape.violation for tape in tapes if tape.planted}
    broken |= {invariant for breaks in QUICK.values() if len(breaks) == 1 for invariant in breaks}
    elsewhere = {"I21", "OUTCOME"}  # one run recovers in one way; a run whose groups do not end breaks L1 first
    assert {*CHECKS, *LIVENESS} - broken == elsewhere


def test_a_hunt_goes_on_for_as_many_seeds_as_a_bug_may_survive_unless_it_is_told_otherwise() -> None:
    limits = {name: one.default for name, one in inspect.signature(command).parameters.items()}
    assert (limits["seeds"], limits["budget_s"]) == (20_000, math.inf)
    assert ("mutants", "--json") in dict(STEPS).values(), "and a night does not tell it otherwise"


def test_a_hunt_tells_everything_about_a_bug_in_a_document() -> None:
    (catch,) = catches(["price-of-its-own"], Order(SEEDS, math.inf, 2, 3), workers=1)
    row = next(line for line in document([catch], "as asked for").splitlines() if line.startswith("| `price"))
    name, _, breaks, _, first, noticed, rate, short = (cell.strip() for cell in row.strip("|").split("|"))
    assert (name, breaks, first) == ("`price-of-its-own`", "I30", str(catch.seed))
    assert noticed.startswith("I30 ")
    assert rate.endswith(f"of {catch.seed + 1 + 2}")
    assert catch.short is not None
    assert short == str(catch.short.length)


def test_the_audit_finds_something_to_look_at_in_a_simulated_run() -> None:
    world = World(Tape(3), {})
    world.run()
    world.oracles.checks.clear()
    judge(world)
    looked_at = {name for name, count in world.oracles.checks.items() if count}
    assert looked_at >= CHECKS.keys() - {"I5", "I8", "I9", "I10", "I15", "I16", "I21", "I26", "I27", "I28"}
