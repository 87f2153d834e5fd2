"""E9: who asks for the kill switch at the control socket does not wait for what hangs."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asked_tree import DONE, Tree, cells, running

from cli.door import Door
from cli.serving import MAX_WAITING, Serving
from domain.rollout import Realm
from messages.operator import CancelGroup, KillSwitch, OperatorAnswer, OperatorCommand
from supervisors.root import Directory

__all__ = ["running"]  # a fixture

OFF, ON = '{"command": "kill_switch", "on": false}\n', '{"command": "kill_switch", "on": true}\n'
PAPER_ON = '{"command": "kill_switch", "on": true, "realm": "paper"}\n'
CANCEL = '{"command": "cancel", "group_id": "%s"}\n'


class Clients:
    """Everybody who calls."""

    def __init__(self, path: Path, until: ExitStack) -> None:
        self._path, self._until = path, until

    def call(self, text: str) -> socket.socket:
        """Ask, and do not wait."""
        made = self._until.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        made.connect(str(self._path))
        made.sendall(text.encode())
        made.setblocking(False)
        return made


def told(client: socket.socket) -> dict[str, Any]:
    """What it was answered; empty when it waits still."""
    try:
        answer: dict[str, Any] = json.loads(client.recv(65_536))
    except BlockingIOError:
        return {}
    return answer


Served = Callable[..., Any]


@pytest.fixture
def served(running: Callable[..., Any], tmp_path: Path) -> Served:
    """A tree, the control socket, and those who call there."""

    @contextmanager
    def made(tree: Tree, mode: str = "live") -> Iterator[tuple[Serving, Clients]]:
        path = tmp_path / "s"
        with ExitStack() as until, running(tree, mode) as system, closing(Door(path)) as door:
            serving = until.enter_context(closing(Serving(system, door)))
            yield serving, Clients(path, until)

    return made


def directory(_now: float) -> Directory:
    """Everybody is up."""
    gateways: dict[Realm, Any] = {Realm.LIVE: "gateway", Realm.PAPER: "paper-gateway"}
    return replace(cells(0, 1), gateways=gateways)


class Hanging:
    """A part that reads nothing; ``then`` is done when it is asked for the first time."""

    def __init__(self, *names: str) -> None:
        self.names, self.then = names, list[Callable[[], object]]()

    def __call__(self, to: str, _: OperatorCommand) -> OperatorAnswer | None:
        if to not in self.names:
            return DONE
        while self.then:
            self.then.pop()()
        return None


def switches(tree: Tree) -> list[tuple[str, bool]]:
    """Which gateways were told what, without the repeats."""
    found = [(to, command.on) for to, command in tree.asked if isinstance(command, KillSwitch)]
    return [one for place, one in enumerate(found) if place == 0 or found[place - 1] != one]


def test_e9_a_kill_switch_does_not_wait_for_the_command_before_it(served: Served) -> None:
    hanging = Hanging("cell-0", "cell-1")
    tree = Tree(directory, hanging)
    with served(tree) as (serving, clients):
        first, second = (clients.call(CANCEL % name) for name in ("g", "h"))
        found: list[socket.socket] = []
        hanging.then.append(lambda: found.append(clients.call(ON)))
        serving.serve()
        assert told(found[0]) == {"ok": True, "text": "done"}
        assert tree.now == pytest.approx(10.0, abs=0.1), "the first command had its time all the same"
        assert "did not answer in time" in told(first)["error"]
        assert told(second) == {} and serving.has_more
    at = [isinstance(command, KillSwitch) for _, command in tree.asked].index(True)
    assert at == 1, "after the first letter, each of which is waited for a second"


def test_e9_a_kill_switch_that_waits_comes_before_the_commands_that_waited_longer(served: Served) -> None:
    tree = Tree(directory, Hanging())
    with served(tree) as (serving, clients):
        for text in (CANCEL % "g", ON):
            clients.call(text)
        serving.serve()
    assert [command for _, command in tree.asked] == [KillSwitch(on=True), CancelGroup("g")]


def test_e9_kill_switches_are_turned_in_their_order(served: Served) -> None:
    tree = Tree(directory, Hanging())
    with served(tree) as (serving, clients):
        on, off = clients.call(ON), clients.call(OFF)
        serving.serve()
        assert told(on)["ok"] and told(off)["ok"]
    assert switches(tree) == [("gateway", True), ("gateway", False)]


def test_e9_an_off_that_an_on_waits_behind_is_not_asked_of_anybody(served: Served) -> None:
    tree = Tree(directory, Hanging())
    with served(tree) as (serving, clients):
        off, on = clients.call(OFF), clients.call(ON)
        serving.serve()
        assert "'kill-switch on' was asked for after this" in told(off)["error"]
        assert told(on)["ok"]
    assert switches(tree) == [("gateway", True)]


def test_e9_an_off_under_way_ends_where_an_on_comes_and_reaches_no_further_realm(served: Served) -> None:
    hanging = Hanging("gateway")
    tree = Tree(directory, hanging)
    with served(tree, "rollout") as (serving, clients):
        off, found = clients.call(OFF), list[socket.socket]()
        hanging.then.append(lambda: found.append(clients.call(ON)))
        serving.serve()
        assert "asked for after this" in told(off)["error"]
        assert "the live gateway does not answer" in told(found[0])["error"]
    assert switches(tree) == [("gateway", False), ("gateway", True), ("paper-gateway", True)]
    assert tree.now == pytest.approx(1 + 5, abs=0.1), "a second for the one, half of its time for the other"


def test_e9_an_on_for_one_realm_leaves_an_off_for_the_other(served: Served) -> None:
    tree = Tree(directory, Hanging())
    with served(tree, "rollout") as (serving, clients):
        off, on = clients.call(OFF[:-2] + ', "realm": "live"}\n'), clients.call(PAPER_ON)
        serving.serve()
        assert told(off)["ok"] and told(on)["ok"]
    assert switches(tree) == [("gateway", False), ("paper-gateway", True)]


def test_more_commands_than_can_wait_are_refused_and_the_kill_switch_is_not(served: Served) -> None:
    hanging = Hanging("cell-0", "cell-1")
    tree = Tree(directory, hanging)
    with served(tree) as (serving, clients):
        called: list[socket.socket] = []
        clients.call(CANCEL % "g")

        def many() -> None:
            for _ in range(MAX_WAITING + 3):
                called.append(clients.call(CANCEL % "h"))
                serving._listen()  # the queue before the door is shorter
            called.append(clients.call(ON))

        hanging.then.append(many)
        serving.serve()
        answers = [told(client) for client in called]
    assert answers[:MAX_WAITING] == [{}] * MAX_WAITING
    assert all("nothing was done: ask again later" in answer["error"] for answer in answers[MAX_WAITING:-1])
    assert answers[-1]["ok"]
