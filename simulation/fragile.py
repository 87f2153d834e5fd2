"""Bugs that strike the actors inside a cell: what a core decides is lost with an exception, now and then."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from actors.hedge import Hedge
from actors.leg import Leg
from actors.order_group import OrderGroup
from actors.shell import Core, GroupActor
from actors.stop_loss import StopLoss
from simulation.faults import Faults

ACTORS: tuple[type[GroupActor], ...] = (OrderGroup, Leg, Hedge, StopLoss)


class Fragile:
    """A core that meets a bug when the tape says so."""

    def __init__(self, core: Core, faults: Faults) -> None:
        self._core, self._faults = core, faults

    def start(self, message: Any, moment: Any) -> Any:
        return self._core.start(message, moment)

    def decide(self, state: Any, message: Any, moment: Any) -> Any:
        if self._faults.rates and self._faults.strikes("F.actors.group_raises"):
            raise RuntimeError("a bug that the tape has")
        return self._core.decide(state, message, moment)


@contextlib.contextmanager
def fragile(faults: Faults) -> Iterator[None]:
    """Have the group actors of this run meet bugs, where the seed has that fault."""
    whole = [actor.core for actor in ACTORS]
    if "F.actors.group_raises" in faults.rates:
        for actor in ACTORS:
            actor.core = Fragile(actor.core, faults)
    try:
        yield
    finally:
        for actor, core in zip(ACTORS, whole, strict=True):
            actor.core = core
