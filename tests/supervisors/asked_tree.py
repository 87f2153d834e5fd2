"""An actor system as the main program sees it, with its answers and its time in the test's hands."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.schema import Config, RolloutConfig, SystemConfig
from messages import wire
from messages.operator import Acknowledge, CommandDone, CommandRefused, KillSwitch, OperatorAnswer, OperatorCommand
from messages.supervision import Operate, Operated
from supervisors import line
from supervisors import system as program
from supervisors.line import Line
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
            found = self._directory(self.now)
            return found and replace(found, number=what.number)
        command = wire.command(what.command)
        self.asked.append((to, command))
        answer = self._answers(to, command)
        if answer is None:
            self.now += patience_s
            return None
        return Operated(what.number, what.command_id, wire.pack(answer))

    def listen(self, patience_s: float) -> None:
        self.now += patience_s

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Stalled(Tree):
    """Letters of one kind are not read until ``wakes``, and then all answered; an answer waits until it is heard."""

    def __init__(
        self, kind: type, wakes: float, directory: Callable[[float], Directory | None], answers: Answers
    ) -> None:
        super().__init__(directory, answers)
        self.kind, self.wakes = kind, wakes
        self._unread: list[tuple[str, AskDirectory | Operate]] = []
        self._unheard: deque[Any] = deque()

    def ask(self, to: str, what: AskDirectory | Operate, patience_s: float) -> Any:
        if not isinstance(what, self.kind):
            return super().ask(to, what, patience_s)
        self._unread.append((to, what))
        return self.listen(patience_s)

    def listen(self, patience_s: float) -> Any:
        if not self._unheard and self.now + patience_s >= self.wakes:
            self.now = max(self.now, self.wakes)
            self._unheard += [super(Stalled, self).ask(to, what, 0) for to, what in self._unread]
            self._unread.clear()
        if self._unheard:
            return self._unheard.popleft()
        self.now += patience_s
        return None


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
