"""What the main program asks of the tree, and of whom, while parts of it are down; time is in the test's hands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asked_tree import ACK, DONE, OFF, ON, UNKNOWN, Stalled, Tree, cells, running
from syncs import Syncs

from config.paths import kill_switch_path
from domain.execution import Side
from domain.groups import Plan, PlanLeg
from domain.rollout import Realm
from messages.operator import CommandRefused, GroupAccepted, OperatorAnswer, OperatorCommand, SubmitGroup
from messages.supervision import Operate
from supervisors.line import NoAnswer
from supervisors.root import AskDirectory, Directory

__all__ = ["running"]  # a fixture


def test_R25_a_halt_that_comes_while_a_gateway_is_waited_for_is_not_ended_by_its_kill_switch(
    running: Callable[..., Any],
) -> None:
    def directory(now: float) -> Directory:
        return Directory(1, {Realm.LIVE: "gateway"} if now >= 2 else {}, {}, {}, "cell-0 is dead" if now >= 1 else "")

    tree = Tree(directory, lambda *_: DONE)
    with running(tree) as system:
        answer = system.operate(OFF)
    assert isinstance(answer, CommandRefused) and "the system is halted (cell-0 is dead)" in answer.problems[0]
    assert tree.asked == []
    assert tree.now == pytest.approx(1.0, abs=0.1), "nobody need wait for the gateway any more"


def test_R25_a_halt_keeps_nobody_from_turning_the_kill_switch_on(running: Callable[..., Any]) -> None:
    tree = Tree(lambda _now: Directory(1, {Realm.LIVE: "gateway"}, {}, {}, "cell-0 is dead"), lambda *_: DONE)
    with running(tree) as system:
        assert system.operate(ON) == DONE


def test_R25_a_halt_of_paper_refuses_to_turn_off_the_kill_switch_of_paper_only(running: Callable[..., Any]) -> None:
    gateways = {Realm.LIVE: "gateway", Realm.PAPER: "paper-gateway"}
    tree = Tree(lambda _now: Directory(1, gateways, {}, {}, "", {Realm.PAPER: "a cell is dead"}), lambda *_: DONE)
    with running(tree, "rollout") as system:
        answer = system.operate(OFF)
    assert isinstance(answer, CommandRefused)
    assert answer.problems[0] == "live: done" and "paper is halted (a cell is dead)" in answer.problems[1]
    assert tree.asked == [("gateway", OFF)]


def test_E9_a_kill_switch_that_no_gateway_hears_of_is_synced_where_the_next_one_looks(
    running: Callable[..., Any], tmp_path: Path, syncs: Syncs
) -> None:
    tree = Tree(lambda _now: Directory(1, {}, {}, {}, ""), lambda *_: DONE)
    with running(tree) as system:
        with pytest.raises(NoAnswer, match="is made, and holds as soon as it is back"):
            system.operate(ON)
        assert syncs.since() == [kill_switch_path(tmp_path), tmp_path]
        syncs.failing = {tmp_path}
        with pytest.raises(NoAnswer, match="cannot be written"):
            system.operate(ON)


def test_an_alert_is_acknowledged_in_its_cell_while_another_cell_is_down(running: Callable[..., Any]) -> None:
    tree = Tree(lambda _now: cells(1), lambda *_: DONE)
    with running(tree) as system:
        assert system.operate(ACK) == DONE
    assert tree.asked == [("cell-1", ACK)]
    assert tree.now == 0, "those that are up are asked first"


def test_one_cell_that_hangs_leaves_the_others_their_share_of_the_time(running: Callable[..., Any]) -> None:
    answers: dict[str, OperatorAnswer] = {"cell-1": UNKNOWN, "cell-2": DONE}
    tree = Tree(lambda _now: cells(0, 1, 2), lambda to, _: answers.get(to))
    with running(tree, cells=3) as system:
        assert system.operate(ACK, 9.0) == DONE
    assert [to for to, _ in tree.asked][-2:] == ["cell-1", "cell-2"]
    assert tree.now == pytest.approx(3.0, abs=0.1)


def test_a_cell_that_comes_back_meanwhile_is_asked_when_no_other_knows_the_alert(running: Callable[..., Any]) -> None:
    tree = Tree(lambda now: cells(0, 1) if now >= 8 else cells(1), lambda to, _: DONE if to == "cell-0" else UNKNOWN)
    with running(tree) as system:
        assert system.operate(ACK, 10.0) == DONE


def test_who_did_not_answer_is_said_when_no_other_cell_has_done_it(running: Callable[..., Any]) -> None:
    tree = Tree(lambda _now: cells(1), lambda *_: UNKNOWN)
    with running(tree) as system, pytest.raises(NoAnswer) as silence:
        system.operate(ACK, 10.0)
    assert "cell-0 did not answer" in str(silence.value) and UNKNOWN.problems[0] in str(silence.value)
    assert tree.now == pytest.approx(10.0, abs=0.1)


def test_what_no_cell_knows_is_refused_when_all_have_said_so(running: Callable[..., Any]) -> None:
    tree = Tree(lambda _now: cells(0, 1), lambda *_: UNKNOWN)
    with running(tree) as system:
        assert system.operate(ACK) == UNKNOWN


def test_a_known_cell_is_asked_while_the_root_says_nothing(running: Callable[..., Any]) -> None:
    def directory(now: float) -> Directory | None:
        return cells(0, 1) if now == 0 else None

    tree = Tree(directory, lambda *_: UNKNOWN)
    with running(tree) as system:
        system.operate(ACK)
        tree.now = 1.0
        assert system.operate(ACK) == UNKNOWN


def plan(quantity: int) -> SubmitGroup:
    """Of one and the same group, as it was submitted first and as it was corrected."""
    return SubmitGroup(Plan(group_id="g", quantity=quantity, legs=(PlanLeg(leg_id="a", symbol="X", side=Side.BUY),)))


def test_an_answer_to_an_earlier_ask_for_the_same_is_not_taken_for_the_answer(running: Callable[..., Any]) -> None:
    too_much, accepted = CommandRefused(("the margin does not suffice",)), GroupAccepted("g")

    def answers(_to: str, command: OperatorCommand) -> OperatorAnswer:
        assert isinstance(command, SubmitGroup)
        return too_much if command.plan.quantity == 9 else accepted

    tree = Stalled(Operate, 2.5, lambda _now: cells(0), answers)
    with running(tree, cells=1) as system:
        assert system.operate(plan(9)) == too_much
        assert len(tree.asked) == 3, "the letter of each second is answered"
        assert system.operate(plan(1)) == accepted
        assert system.operate(plan(9)) == too_much


def test_what_one_cell_says_late_is_not_taken_for_the_answer_of_the_next(running: Callable[..., Any]) -> None:
    tree = Stalled(Operate, 3.5, lambda _now: cells(0, 1), lambda to, _: DONE if to == "cell-1" else UNKNOWN)
    with running(tree) as system:
        assert system.operate(ACK, 6.0) == DONE


def test_where_everybody_was_is_not_taken_for_where_everybody_is(running: Callable[..., Any]) -> None:
    tree = Stalled(AskDirectory, 2.5, lambda now: cells(0) if now < 5 else cells(0, 1), lambda *_: DONE)
    with running(tree) as system:
        assert system.line.directory(10.0).cells.keys() == {0}
        tree.now = 5.0
        assert system.line.directory(10.0).cells.keys() == {0, 1}
