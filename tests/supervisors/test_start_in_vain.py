"""A start that does not come about says who is waited for, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asked_tree import Tree, cells, running

from messages.operator import DELAYED, OperatorAnswer, OperatorCommand, ProcessStatus, SystemStatus
from supervisors.refusals import SystemRefused

__all__ = ["running"]  # a fixture

LOCKED = "cell-0.db is owned by process 7: stop that process first"


def status(_to: str, _command: OperatorCommand) -> OperatorAnswer:
    parts = (("gateway", 12, "running", "broker"), ("cell-0", 0, DELAYED, LOCKED), ("cell-1", 13, "open", "epoch 2"))
    return SystemStatus(
        tuple(
            ProcessStatus(name=name, pid=pid, state=state, restarts=0, detail=why) for name, pid, state, why in parts
        ),
        "",
    )


def test_whom_a_start_waits_for_in_vain_is_named_with_the_reason(running: Callable[..., Any]) -> None:
    with running(Tree(lambda _now: cells(1), status)) as system, pytest.raises(SystemRefused) as refused:
        system.wait_until_started()
    text = str(refused.value)
    assert text == f"the system did not start within 20 s; cell-0 cannot start yet: {LOCKED}; see legkeeper.log"


def test_when_nobody_can_say_why_the_log_is_named(running: Callable[..., Any]) -> None:
    with running(Tree(lambda _now: cells(1), lambda *_: None)) as system, pytest.raises(SystemRefused) as refused:
        system.wait_until_started()
    assert str(refused.value) == "the system did not start within 20 s; see legkeeper.log"
