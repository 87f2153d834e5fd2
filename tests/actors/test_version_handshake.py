"""E16: processes of two versions never work together: nothing starts, nothing leaves, and the reason is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from gateway_door import LONG, Door, door, order
from thespian.actors import ActorExitRequest

from actors.cell import Cell
from actors.gateway import BrokerGateway
from actors.machine import Machine, running_on
from actors.notifier import Notifier
from actors.process import ProcessActor
from actors.reconciler import PositionReconciler
from config.schema import Config, SystemConfig
from domain.execution import Side
from messages import wire
from messages.operator import KillSwitch
from messages.positions import Attend
from messages.supervision import (
    PROTOCOL,
    ChildFailed,
    Hello,
    Operate,
    OrderBatch,
    PeersChanged,
    Ping,
    StartChild,
    StartRoot,
    Version,
)
from supervisors.cells import CellSupervisor
from supervisors.root import RootSupervisor

OTHER = Version(PROTOCOL.protocol + 1)


class Undying(Machine):
    """A machine on which a process that dies of a bug leaves the test alive to tell of it."""

    def die(self) -> None:
        raise AssertionError("it began to work, and died of it")


def refusal(made: Any, message: Any) -> ChildFailed:
    """What an actor answers to its first message, when that is all that it does."""
    said: list[Any] = []
    made.send = lambda _target, letter: said.append(letter)
    with running_on(Undying()):
        made.receiveMessage(message, "parent")
    (answer,) = said
    assert isinstance(answer, ChildFailed)
    return answer


@pytest.mark.parametrize("actor", [BrokerGateway, Cell, Notifier, PositionReconciler, CellSupervisor])
def test_e16_a_process_of_another_version_than_its_supervisor_does_not_start(
    tmp_path: Path, actor: type[ProcessActor]
) -> None:
    config = msgspec.msgpack.encode(Config(system=SystemConfig(journal_dir=str(tmp_path))))
    answer = refusal(actor(), StartChild("it", 0, config, {}, version=OTHER))
    assert answer.permanent, "starting it again would end the same way"
    assert f"it speaks {PROTOCOL}, its supervisor {OTHER}" in answer.reason
    assert list(tmp_path.iterdir()) == [], "nothing was opened"


@pytest.mark.parametrize("actor", [BrokerGateway, Cell, Notifier, PositionReconciler])
def test_e16_a_process_that_cannot_start_says_so_whenever_it_is_asked_and_does_nothing_else(
    actor: type[ProcessActor],
) -> None:
    """The first word may get lost; asked how it was, it died of what had never begun, and was started again."""
    made: Any = actor()
    answer = refusal(made, StartChild("it", 0, msgspec.msgpack.encode(Config()), {}, version=OTHER))
    assert refusal(made, Ping(1)) == answer
    said: list[Any] = []
    made.send = lambda _target, letter: said.append(letter)
    with running_on(Undying()):
        made.receiveMessage(PeersChanged({"gateway": "gateway", "notifier": "notifier"}), "parent")
        made.receiveMessage(ActorExitRequest(), "parent")
    assert said == []


@pytest.mark.parametrize("actor", [BrokerGateway, Cell, Notifier, PositionReconciler])
def test_a_process_that_has_not_begun_lets_everything_else_pass(actor: type[ProcessActor]) -> None:
    """What starts it may be late, and who knows its address earlier asks again."""
    made: Any = actor()
    said: list[Any] = []
    made.send = lambda _target, letter: said.append(letter)
    with running_on(Undying()):
        for letter in (Operate(1, "on", wire.pack(KillSwitch(on=True))), PeersChanged({"gateway": "gateway"}), Ping(1)):
            made.receiveMessage(letter, "somebody")
    assert said == []
    assert made.peers == {"gateway": "gateway"}


def test_e16_a_program_of_another_version_than_the_running_root_is_refused() -> None:
    assert "stop all of it" in refusal(RootSupervisor(), StartRoot(b"", version=OTHER)).reason


@pytest.fixture
def gateway(tmp_path: Path) -> Any:
    with door(tmp_path) as made:
        yield made


def test_e16_a_cell_of_another_version_is_not_heard_and_a_person_is_told(gateway: Door) -> None:
    entry = order(LONG, Side.BUY)
    gateway.on_hello(Hello(1, 7, frozenset(), version=OTHER), "other cell")
    gateway.on_order_batch(OrderBatch(1, 7, 1, 1, wire.pack((entry,))), "other cell")
    assert gateway.sent == []
    assert gateway.cells.depths().keys() == {0}
    (trouble,) = gateway.troubles
    assert (trouble.kind, trouble.severity) == ("WRONG_VERSION", "CRITICAL")
    assert f"cell 1 speaks {OTHER}" in trouble.text


def test_e16_a_reconciler_of_another_version_is_shown_nothing(gateway: Door) -> None:
    gateway.on_attend(Attend(frozenset({"SPY"}), version=OTHER), "other reconciler")
    assert gateway.cells.watched == frozenset()
    assert [trouble.kind for trouble in gateway.troubles] == ["WRONG_VERSION"]
