"""Whether new risk may leave at all: the kill switch, its file, and the proof that no entry works any more."""

from __future__ import annotations

import structlog

from actors.broker_session import BrokerSession
from actors.fan_out import FanOut
from actors.machine import Mark
from actors.order_door import OrderDoor
from messages.operator import KillSwitch


class Trading:
    """The kill switch.  ``kill_file``: its existence is the switch, so it works while every journal is down (E9)."""

    def __init__(
        self,
        kill_file: Mark,
        door: OrderDoor,
        session: BrokerSession,
        cells: FanOut,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self.kill_file, self.door, self.session, self.cells, self.log = kill_file, door, session, cells, log
        self.entries_left = -1  # working entries at the last snapshot since the kill switch went on; -1: none seen yet
        door.killed = kill_file.exists()

    @property
    def killed(self) -> bool:
        """Whether the kill switch is on."""
        return self.door.killed

    def state(self) -> str:
        """For the status page; "" while there is nothing to say."""
        if not self.killed:
            return ""
        left = {-1: "not verified yet", 0: "verified: no entry works"}
        return f"killed, {left.get(self.entries_left, f'{self.entries_left} entries still work')}"

    def look(self) -> None:
        """Somebody may have made or removed the file."""
        if self.killed != self.kill_file.exists():
            self.set_kill_switch(on=not self.killed)

    def on_snapshot(self) -> None:
        """What works at the broker, now that it is known: repeated with every snapshot while killed (R24)."""
        if self.killed:
            self.entries_left = self.door.cancel_entries()

    def set_kill_switch(self, *, on: bool) -> int:
        """No new risk from this moment (I26), whatever else is down; returns how many entries are being canceled."""
        self.door.killed, self.entries_left = on, -1
        self.log.warning("kill switch", on=on)
        try:
            if on:
                self.kill_file.touch()
            else:
                self.kill_file.unlink(missing_ok=True)
        except OSError as error:
            self.log.error("the kill switch could not be written to disk", error=str(error))
        self.cells.tell_all(KillSwitch(on))
        if not on:
            return 0
        self.door.drop_entries("E9: the kill switch is on")
        count = self.door.cancel_entries()
        self.session.adapter.request_snapshot()  # its answer verifies that no entry works any more (R24)
        return count
