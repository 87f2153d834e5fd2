"""What the main program answers on its control socket: something, whatever happens to the command."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from actors.logs import log_path
from cli.serving import answer
from config.schema import Config, SystemConfig
from messages.operator import CancelGroup
from supervisors.line import Line
from supervisors.routing import Router
from supervisors.system import RunningSystem

CANCEL = CancelGroup("bull-put-1")


class Tree:
    """An actor system in which a bug of ours comes to light, whatever it is asked."""

    def __init__(self, bug: BaseException) -> None:
        self.bug = bug

    def ask(self, *_: object) -> None:
        raise self.bug


def told(tmp_path: Path, bug: BaseException) -> dict[str, object]:
    config = Config(system=SystemConfig(journal_dir=str(tmp_path)))
    with closing(Line(Tree(bug), "root", os.getpid())) as line:
        return answer(RunningSystem(config, Router(config), line), CANCEL)


def test_a_bug_in_one_command_is_an_answer_and_a_line_in_the_log(tmp_path: Path) -> None:
    said = told(tmp_path, KeyError("cell-0"))
    assert said["ok"] is False
    assert "the command failed, maybe half done: KeyError('cell-0')" in str(said["error"])
    (line,) = log_path(Config(system=SystemConfig(journal_dir=str(tmp_path)))).read_text().splitlines()
    logged = json.loads(line)
    assert (logged["event"], logged["level"], logged["process"]) == ("a command failed", "error", "main")
    assert "bull-put-1" in logged["command"]
    assert "Traceback" in logged["exception"]


def test_an_interrupt_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        told(tmp_path, KeyboardInterrupt())
