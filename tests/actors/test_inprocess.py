"""The in-process base: one queue, every message to its end, and a dead incarnation is not heard."""

from __future__ import annotations

from typing import Any

import pytest
from thespian.actors import Actor, ActorAddress, ActorExitRequest, ChildActorExited

from actors.inprocess import InProcessSystem

LOG: list[Any] = []


class Child(Actor):  # type: ignore[misc]
    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        LOG.append(("child", message))
        if message == "fail":
            raise RuntimeError("a planted bug")
        if isinstance(message, int):
            self.send(sender, message + 1)


class Parent(Actor):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.child: ActorAddress | None = None

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        if isinstance(message, ChildActorExited):
            LOG.append("child exited")
            return
        if self.child is None:
            self.child = self.createActor(Child)
        if message == "ask":
            for number in (1, 10):
                self.send(self.child, number)
        elif message == "fail":
            self.send(self.child, "fail")
        elif message == "stop":
            self.send(self.child, "first")
            self.send(self.child, ActorExitRequest())
            self.send(self.child, "last")
        else:
            LOG.append(("parent", message))


@pytest.fixture(autouse=True)
def _fresh_log() -> None:
    LOG.clear()


def test_telling_returns_when_everything_that_follows_has_been_handled_in_order() -> None:
    system = InProcessSystem()
    parent = system.createActor(Parent)
    system.tell(parent, "ask")
    assert LOG == [("child", 1), ("child", 10), ("parent", 2), ("parent", 11)]


def test_what_a_handler_raises_reaches_the_caller_and_the_handler_is_not_run_again() -> None:
    system = InProcessSystem()
    parent = system.createActor(Parent)
    with pytest.raises(RuntimeError, match="a planted bug"):
        system.tell(parent, "fail")
    assert LOG == [("child", "fail")]


def test_a_stopped_child_is_told_to_its_parent_and_hears_nothing_more() -> None:
    system = InProcessSystem()
    parent = system.createActor(Parent)
    system.tell(parent, "stop")
    assert LOG == [("child", "first"), "child exited"]


def test_stopping_a_parent_stops_its_children_and_stopping_twice_is_harmless() -> None:
    system = InProcessSystem()
    parent = system.createActor(Parent)
    system.tell(parent, "ask")
    LOG.clear()
    system.stop(parent)
    system.stop(parent)
    system.tell(parent, "ask")
    assert not LOG
