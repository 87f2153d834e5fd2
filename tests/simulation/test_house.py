"""Races, refusals and fills of one lot count as faults only where the record has them; money that is scarce."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.groups import GroupOutcome
from simulation.aims import certain, only
from simulation.run import Result, run_tape
from simulation.tape import Tape
from simulation.world import World
from venue.truth import TruthEvent

SEEDS = range(60)


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(seed: int, aim: dict[str, object]) -> tuple[Result, World]:
    worlds: list[World] = []
    result = run_tape(Tape(seed, aim=aim), seed, look=worlds.append)
    assert not result.violation, f"seed {seed}: {result.violation}: {result.text}"
    return result, worlds[0]


def filled_behind_its_cancel(events: list[TruthEvent]) -> int:
    return sum(e.kind == "cancel_rejected" and e.reason == "too late: the order is filled" for e in events)


def test_a_cancel_that_lost_the_race_is_refused_because_its_order_is_filled() -> None:
    name = "F.broker.cancel_race"
    for seed in SEEDS:
        result, world = run(seed, {**only(name), **certain(name)})
        assert result.struck.get(name, 0) <= filled_behind_its_cancel(world.truth)
        if result.struck:
            return
    pytest.fail("no cancel lost")


def test_only_fills_of_one_lot_count() -> None:
    name = "F.broker.one_lot"
    for seed in SEEDS:
        result, world = run(seed, {**only(name), **certain(name), "quantity": 5})
        fills = [event for event in world.truth if event.kind == "fill" and event.last_qty == 1 and event.leaves_qty]
        assert result.struck.get(name, 0) <= len(fills)
        if result.struck:
            return
    pytest.fail("nothing filled by one lot")


@pytest.mark.parametrize(("name", "says"), [("F.broker.margin", "insufficient margin"), ("F.broker.band", "the band")])
def test_a_stricter_house_counts_each_refusal_of_its_own(name: str, says: str) -> None:
    aim = {**only(name), "the account's cash": 10**15, "price band, %": 0.0}
    for seed in SEEDS:
        result, world = run(seed, aim)
        refused = [event for event in world.truth if says in event.reason and "rejected" in event.kind]
        assert result.struck.get(name, 0) == len(refused)
        if refused:
            return
    pytest.fail("nothing was refused")


def test_with_a_scarce_account_the_house_refuses_and_so_do_the_system_s_own_checks() -> None:
    """S5, S6 and the house's own margin check are met; whatever comes of it, every group ends as it may (L1)."""
    own = house = 0
    for seed in SEEDS:
        _, world = run(seed, {"the account's cash": 30_000_000, "shape": "bull_put"})
        answers = [getattr(answer, "problems", ()) for answer in world.operator.answers.values()]
        own += "insufficient margin: the group needs" in str(answers)
        house += any(event.reason.startswith("insufficient margin") for event in world.truth)
        assert GroupOutcome.OPEN not in {record.outcome for record in world.groups()}
        if own and house:
            return
    pytest.fail(f"refused by the system in {own} seeds, by the house in {house}")
