"""The gateway's side of the reconciler: it is shown every snapshot whole, and what it finds goes on to the cells."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.fan_out import FanOut
from actors.start_check import StartCheck
from decisions.effects import MS
from messages import wire
from messages.orders import Snapshot
from messages.positions import Attend, BrokerSeen, BrokerView, Findings


class ReconcilerLine:
    """Nobody waits for the reconciler: while it is not there, what would be sent is not."""

    def __init__(self, send: Callable[[ActorAddress, object], None], cells: FanOut) -> None:
        self._send, self._cells = send, cells
        self._address: ActorAddress | None = None

    def attend(self, attend: Attend, sender: ActorAddress) -> None:
        """The reconciler is here, and wants quotes of these symbols too."""
        self._address = sender
        self._cells.watched = attend.symbols

    def show(self, snapshot: Snapshot, session: int, lag_ms: int, start: StartCheck) -> None:
        """Pass a snapshot on, with the last quotes of what the reconciler watches, and what a start has settled."""
        if self._address is None:
            return
        known = self._cells.quotes
        quotes = tuple(known[symbol] for symbol in sorted(self._cells.watched) if symbol in known)
        view = BrokerView(replace(snapshot, session=session), quotes, lag_ms * MS, start.settled(), start.opened)
        self._send(self._address, BrokerSeen(wire.pack(view)))

    def pass_on(self, message: Findings, sender: ActorAddress) -> None:
        """Each finding into the window of its cell; for a cell that is not there it is found again."""
        del sender
        for finding in wire.findings(message.findings):
            self._cells.tell_cell(finding.cell, finding)
        self._cells.flush()
