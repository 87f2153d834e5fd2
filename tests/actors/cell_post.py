"""A cell's process whose post, clock and timer are in the test's hands; its tree is that of a world."""

from __future__ import annotations

from typing import Any

from world import World

from actors.cell import RESEND_EVERY_MS, Cell
from actors.machine import Machine


class Clock(Machine):
    """A machine whose time is in the test's hands."""

    ns = 5_000 * 10**9

    def monotonic_ns(self) -> int:
        return self.ns


class PostedCell(Cell):
    """It stands where the world's cell stands; what it sends is kept."""

    def __init__(self, world: World, clock: Clock) -> None:
        super().__init__()
        self.clock, self.sent = clock, list[Any]()
        self.index, self.config, self.name = world.cell.index, world.config, f"cell-{world.cell.index}"
        self.tree, self.journal, self.measures = world.cell, world.journal, world.cell.measures
        self.peers = {"gateway": "gateway", "notifier": "notifier"}
        self.greet()

    def send(self, target: Any, message: Any) -> None:
        self.sent.append(message)

    def wakeup(self, ms: int, payload: Any) -> None:
        """The test's hand is the timer."""

    def rings(self, times: int, *, gateway_speaks: bool = True) -> None:
        """Its timer rings so often."""
        for _ in range(times):
            self.clock.ns += RESEND_EVERY_MS * 10**6
            if gateway_speaks:
                self.heard_ms = self.clock.ns // 10**6
            self.on_wakeup("resend")

    def said(self, kind: type[Any]) -> list[Any]:
        """What it has sent of this kind since this was asked last."""
        found = [message for message in self.sent if type(message) is kind]
        self.sent = [message for message in self.sent if type(message) is not kind]
        return found
