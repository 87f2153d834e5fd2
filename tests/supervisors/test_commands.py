"""What the main program asks of the tree, and of whom, while parts of it are down; time is in the test's hands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from syncs import Syncs

from config.paths import kill_switch_path
from config.schema import Config, RolloutConfig, SystemConfig
from domain.rollout import Realm
from messages import wire
from messages.operator import (
    Acknowledge,
    CommandDone,
    CommandRefused,
    KillSwitch,
    OperatorAnswer,
    OperatorCommand,
)
from messages.supervision import Operate, Operated
from supervisors import line
from supervisors import system as program
from supervisors.line import Line, NoAnswer
from supervisors.root import AskDirectory, Directory
from supervisors.routing import Router
from supervisors.system import RunningSystem

OFF, ON = KillSwitch(on=False), KillSwitch(on=True)
ACK = Acknowledge("GROUP_HALTED:g", "ada")
DONE = CommandDone("done")
UNKNOWN = CommandRefused(("no alert GROUP_HALTED:g",))

Answers = Callable[[str, OperatorCommand], OperatorAnswer | None]  # of an address; None: it says nothing


class Tree:
    """An actor system as the main program sees it: ``directory`` at each moment, and what the parts answer."""

    def __init__(self, directory: Callable[[float], Directory | None], answers: Answers) -> None:
        self.now = 0.0
        self.asked: list[tuple[str, OperatorCommand]] = []
        self._directory, self._answers = directory, answers

    def ask(self, to: str, what: AskDirectory | Operate, patience_s: float) -> Any:
        if isinstance(what, AskDirectory):
            return self._directory(self.now)
        command = wire.command(what.command)
        self.asked.append((to, command))
        answer = self._answers(to, command)
        if answer is None:
            self.now += patience_s
            return None
        return Operated(what.command_id, wire.pack(answer))

    def listen(self, patience_s: float) -> None:
        self.now += patience_s

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """The main program's side of such a tree."""

    @contextmanager
    def made(tree: Tree, mode: str = "live", cells: int = 2) -> Iterator[RunningSystem]:
        for module in (program, line):
            monkeypatch.setattr(module, "time", tree)
        system = SystemConfig(journal_dir=str(tmp_path), cells=cells)
        config = Config(system=system, rollout=RolloutConfig(mode=mode))
        with closing(Line(tree, "root", os.getpid())) as to_tree:
            yield RunningSystem(config, Router(config), to_tree)

    return made  # type: ignore[return-value]


def cells(*up: int) -> Directory:
    """These cells are up."""
    return Directory(1, {}, {cell: f"cell-{cell}" for cell in up}, dict.fromkeys(up, os.getpid()), "")


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
