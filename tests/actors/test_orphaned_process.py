"""A process whose parent has ended does nothing more, whatever has spared it: its successor may be waiting (I17, F)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.cell import Cell
from actors.gateway import BrokerGateway
from actors.machine import Machine, running_on
from actors.notifier import Notifier
from actors.process import ProcessActor
from messages.supervision import Ping


class Died(Exception):
    """It has ended."""


class Family(Machine):
    """Where a parent can end."""

    above = 10

    def parent(self) -> int:
        return self.above

    def die(self) -> None:
        raise Died


@pytest.mark.parametrize("actor", [Cell, BrokerGateway, Notifier])
def test_i17_an_orphan_ends_before_it_takes_another_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, actor: type[ProcessActor]
) -> None:
    monkeypatch.chdir(tmp_path)
    taken: list[Any] = []
    with running_on(family := Family()):
        made: Any = actor()
        made._handle = lambda message, _sender: taken.append(message)
        made.receiveMessage(Ping(1), "parent")
        family.above = 1
        with pytest.raises(Died):
            made.receiveMessage(Ping(2), "parent")
    assert taken == [Ping(1)]
