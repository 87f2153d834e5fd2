"""Who cannot start because another process holds what it needs says so, whom it waits for, and again when asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.cell import Cell
from actors.gateway import BrokerGateway
from actors.machine import Machine, running_on
from actors.process import ProcessActor
from config.paths import gateway_lock_path, journal_path
from config.schema import Config, SystemConfig
from messages.operator import DELAYED
from messages.supervision import Ping, Pong, StartChild, Trouble
from storage.ownership import OwnerLock, claim


class Another(Machine):
    """Where the lock of the gateway is another process's."""

    def claim(self, path: Path) -> bool:
        assert claim(path)
        return False


@pytest.mark.parametrize(("actor", "name"), [(Cell, "cell-0"), (BrokerGateway, "gateway")])
def test_i17_who_waits_for_the_process_before_it_names_that_process(
    tmp_path: Path, actor: type[ProcessActor], name: str
) -> None:
    made: Any = actor()
    said: list[Any] = []
    made.send = lambda _target, letter: said.append(letter)
    made.wakeupAfter = lambda *_: None
    lock = OwnerLock(journal_path(tmp_path, 0))
    try:
        with running_on(Another()):
            config = msgspec.msgpack.encode(Config(system=SystemConfig(journal_dir=str(tmp_path))))
            made.receiveMessage(StartChild(name, 0, config, {}), "parent")
            made.receiveMessage(Ping(1), "parent")
    finally:
        lock.release()
    trouble, pong = said
    assert isinstance(trouble, Trouble) and isinstance(pong, Pong)
    assert trouble.text == f"{name} cannot start yet, and tries again: {pong.detail}"
    assert (pong.name, pong.state) == (name, DELAYED)
    assert f"process {os.getpid()}: stop that process first" in pong.detail
    assert gateway_lock_path(tmp_path).exists() is (actor is BrokerGateway)
