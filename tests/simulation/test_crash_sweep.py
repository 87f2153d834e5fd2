"""Power cuts at every point of a short story, and the machinery that counts and repeats them."""

from __future__ import annotations

from multiprocessing import get_context

import pytest
from typer.testing import CliRunner

from domain.groups import GroupOutcome
from simulation.__main__ import app
from simulation.base import Process
from simulation.crash_sweep import (
    Crashed,
    different,
    followed,
    run_pairs,
    run_story,
    share,
    singles,
    triples,
    victims,
)
from simulation.crashing import OWN, PROGRAM, Crash, Crasher, parse
from simulation.idempotence import difference
from simulation.mutants.catalogue import named
from simulation.oracles import Violation
from simulation.scenarios import STORIES
from simulation.tape import Tape
from simulation.world import World

HEDGED, FLAT, HALTED = GroupOutcome.HEDGED, GroupOutcome.FLAT, GroupOutcome.HALTED
ENDS = {
    "vertical_entry": HEDGED,
    "no_promise": HEDGED,
    "condor_in_parts": HEDGED,
    "bust_after_hedged": HEDGED,
    "shortfall_to_escalation": FLAT,
    "stop_fires": FLAT,
    "stop_falls_back": FLAT,
    "operator_cancels": FLAT,
    "kill_switch": HALTED,
    "two_cells": HEDGED,
    "market_order_rests": HEDGED,
}
MUST_HAPPEN = {  # in the exchange's record or in the alert log, so that a story is about what its name says
    "bust_after_hedged": "busted",
    "shortfall_to_escalation": "IMMEDIATE_MANUAL_HEDGE",
    "stop_fires": "triggered",
    "stop_falls_back": "STOP_FELL_BACK",
    "kill_switch": "GROUP_HALTED",
    "market_order_rests": "replaced",
}
SHORT = "vertical_entry"


@pytest.mark.parametrize("name", STORIES)
def test_a_story_without_a_crash_ends_as_it_is_meant_to(name: str) -> None:
    worlds: list[World] = []
    run = run_story(name, look=worlds.append)
    assert not run.violation, run.text
    assert {record.outcome for record in worlds[0].groups()} == {ENDS[name]}
    happened = {event.kind for event in worlds[0].truth} | {alert.kind for alert in worlds[0].machine.alerts}
    assert MUST_HAPPEN.get(name, "fill") in happened


def test_no_single_power_cut_breaks_a_short_story() -> None:
    clean = run_story(SHORT)
    jobs = share(singles(clean), 30)  # all of them: python -m simulation crashes
    runs = [run_story(SHORT, job) for job in jobs]
    assert [run.name for run in runs if run.violation] == []
    assert all(len(run.happened) == 1 for run in runs)


def test_every_kind_of_process_and_both_sides_of_a_commit_are_among_the_points() -> None:
    points = run_story(SHORT).points
    kinds = {point.kind for point in points}
    assert {"Cell", "BrokerGateway", "Notifier", "CellSupervisor", "RootSupervisor", "PositionReconciler"} <= kinds
    told = {(point.kind, point.what) for point in points}
    assert {("Cell", "commit, lost"), ("Cell", "commit, durable"), ("BrokerGateway", "Submit to the exchange")} <= told
    assert {crash.victim for crash in victims(points)} == {OWN, PROGRAM}


def test_the_second_crash_lies_in_the_recovery_from_the_first() -> None:
    clean = run_story(SHORT)
    sent = next(point for point in clean.points if point.what == "Submit to the exchange")
    first = run_story(SHORT, [Crash(sent.number, PROGRAM)])
    assert first.points[0].number == sent.number + 1
    second = run_story(SHORT, followed(first)[0])
    assert not second.violation, second.text
    assert len(second.happened) == 2


def pairs_of(story: str) -> list[Crashed]:
    """Some pairs of a story, the second crash in the recovery from the first."""
    firsts = share(followed(run_story(story)), 6)
    return [run for first in firsts for run in run_pairs(6, (story, first))]


@pytest.mark.parametrize("story", ["vertical_entry", "two_cells", "condor_in_parts"])
def test_i21_a_crash_inside_the_recovery_from_a_crash_leaves_what_the_first_alone_would_have(story: str) -> None:
    runs = pairs_of(story)
    assert [(run.name, run.violation, run.text) for run in runs if run.violation] == []
    assert len(runs) == 36


def noticed(story: str) -> set[str]:
    """What pairs of a story say of a program that turns back what it finds after its second death."""
    named("I21 twice").plant()
    return {run.violation for run in pairs_of(story)} - {""}


@pytest.mark.parametrize("story", ["two_cells", "condor_in_parts"])
def test_a_second_recovery_that_differs_from_the_first_is_noticed(story: str) -> None:
    with get_context("fork").Pool(1) as pool:  # where the bug is planted it stays
        assert pool.apply(noticed, [story]) == {"I21"}


def test_the_same_is_left_where_every_fact_is() -> None:
    once = {"order a": {"filled": 1}, "order b": {"filled": 2}}
    assert difference(once, dict(reversed(once.items()))) == ""
    assert difference(once, {**once, "order b": {"filled": 3}}) == (
        "order b: filled is 3 after the second crash, and 2 after the first alone"
    )
    assert difference(once, {"order a": {"filled": 1}}).startswith("order b: filled is nothing after the second")


@pytest.mark.parametrize(("victim", "at_least"), [(OWN, 30), (PROGRAM, 100)])
def test_a_death_that_pairs_leave_out_is_the_one_at_the_point_before(victim: str, at_least: int) -> None:
    points = run_story(SHORT).points
    kinds = {point.number: point.kind for point in points}  # there is one process of each

    def dies(crash: Crash) -> str:
        return kinds[crash.point] if victim == OWN else victim

    tried = [crash for crash in different(points) if crash.victim == victim]
    left_out = [crash for crash in victims(points) if crash.victim == victim and crash not in tried]
    assert len(left_out) >= at_least
    for crash in share(left_out, 20):
        same = [other for other in tried if dies(other) == dies(crash) and other.point < crash.point][-1]
        assert came_of(crash) == came_of(same)


def came_of(crash: Crash) -> tuple[object, ...]:
    """What the exchange, the disks and a person have of a run with this crash."""
    worlds: list[World] = []
    run_story(SHORT, [crash], look=worlds.append)
    journals = [journal.head.hash for journal in worlds[0].journals()]
    return worlds[0].truth, journals, worlds[0].machine.alerts


def test_a_crash_in_a_commit_leaves_the_turn_lost_or_durable_as_it_says() -> None:
    points = run_story(SHORT).points
    turns: list[int] = []
    for what in ("commit, lost", "commit, durable"):
        point = [point for point in points if point.kind == "Cell" and point.what == what][3]

        def watch(world: World) -> None:
            death = world.base.on_death

            def dies(process: Process) -> None:
                turns.append(len(world.journals()[0].turns()))
                death(process)

            world.base.on_death = dies

        assert not run_story(SHORT, [Crash(point.number, OWN)], look=watch).violation
    assert turns[1] == turns[0] + 1


def test_a_violation_is_told_with_the_command_that_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_rest: object) -> None:
        raise Violation("L1", "as planned")

    monkeypatch.setattr("simulation.liveness.Rest.judge", broken)
    told = CliRunner().invoke(app, ["crashes", "--scenario", SHORT, "--firsts-most", "1", "--workers", "1"])
    assert told.exit_code == 1
    assert "--at none" in told.output + told.stderr
    again = CliRunner().invoke(app, ["crashes", "--scenario", SHORT, "--at", "none"])
    assert again.exit_code == 1
    assert "L1 as planned" in again.output


def test_triples_are_sampled_by_their_seed_alone() -> None:
    clean = run_story(SHORT)

    def sampled(seed: int) -> list[Crashed]:
        return list(triples(clean, 2, seed))

    first = sampled(1)
    assert [run.crashes for run in first] == [run.crashes for run in sampled(1)] != [run.crashes for run in sampled(2)]
    assert [run.violation for run in first] == ["", ""]
    assert all(len(run.happened) == 3 for run in first)


def test_a_share_of_the_crashes_is_spread_evenly() -> None:
    assert share(range(10), 0) == list(range(10))
    assert share(range(10), 4) == [0, 2, 5, 7]


@pytest.mark.parametrize("text", ["", "x:own", "12", "12:cell", "1:own;2:own"])
def test_what_is_no_crash_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="POINT:own or POINT:program"):
        parse(text)
    assert parse("12:own,13:program") == (Crash(12, OWN), Crash(13, PROGRAM))


def test_points_are_the_same_in_every_run() -> None:
    def points() -> list[str]:
        story = STORIES[SHORT]
        world = World(Tape(), {}, story.scenario, story.market)
        crasher = Crasher(world)
        world.run()
        return [str(point) for point in crasher.points]

    assert points() == points()
