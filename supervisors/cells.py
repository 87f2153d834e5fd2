"""CellSupervisor: the parent of the cells."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from thespian.actors import ActorAddress

from actors.machine import machine
from config.schema import Config
from domain.rollout import Realm
from messages.operator import ProcessStatus
from messages.supervision import PROTOCOL, ChildFailed, ChildReady, PeersChanged, Ping, Pong, StartChild, Trouble
from supervisors.supervisor import Child, Supervisor
from supervisors.tree import cells_spec


@dataclass(frozen=True, slots=True)
class CellDirectory:
    """Where the cells are, and how (CellSupervisor to RootSupervisor).  ``name``: of the supervisor."""

    name: str
    addresses: dict[int, ActorAddress]
    pids: dict[int, int]
    statuses: tuple[ProcessStatus, ...]


class CellSupervisor(Supervisor):
    """Starts the cells, keeps them alive, and tells the root where they are."""

    def __init__(self) -> None:
        super().__init__()
        self.root: ActorAddress | None = None
        self.name = ""
        self.handlers |= {
            StartChild: self.on_start,
            Ping: self.on_ping,
            PeersChanged: self.on_peers,
            Trouble: lambda trouble, _sender: self.warn(trouble),
        }

    def on_start(self, message: StartChild, sender: ActorAddress) -> None:
        if message.version != PROTOCOL:
            reason = f"{message.name} speaks {PROTOCOL}, its supervisor {message.version}: restart all of it"
            self.send(sender, ChildFailed(message.name, reason, permanent=True))
            return
        self.root, self.encoded, self.peers = sender, message.config, dict(message.peers)
        self.name, self.realm = message.name, Realm(message.realm)
        self.config = msgspec.msgpack.decode(message.config, type=Config)
        self.log = machine().open_log(self.config, message.name)
        self.spec = cells_spec(self.config, self.realm)
        self.start_children()

    def child_ready(self, child: Child) -> None:
        """Say so; once all cells are up, this supervisor is ready itself."""
        self.log.info("cell ready", cell=child.spec.name, pid=child.pid)
        self.report()
        if self.root is not None and all(c.pid for c in self.children.values()):
            self.send(self.root, ChildReady(self.name, machine().pid(), f"{len(self.children)} cells"))

    def report(self) -> None:
        if self.root is not None:
            ready = {child.spec.position: child for child in self.children.values() if child.is_up}
            addresses = {cell: child.address for cell, child in ready.items()}
            pids = {cell: child.pid for cell, child in ready.items()}
            self.send(self.root, CellDirectory(self.name, addresses, pids, self.statuses()))

    def on_ping(self, message: Ping, sender: ActorAddress) -> None:
        self.report()
        self.send(sender, Pong(message.number, self.name, "halted" if self.halted else "running"))

    def warn(self, trouble: Trouble) -> None:
        """The root tells a person."""
        if self.root is not None:
            self.send(self.root, trouble)

    def on_peers(self, message: PeersChanged, sender: ActorAddress) -> None:
        del sender
        self.tell_children(message)

    def give_up(self, reason: str) -> None:
        """A cell cannot come back: the root halts the system safely; the other cells go on."""
        if self.root is not None:
            self.send(self.root, ChildFailed(self.name, reason, permanent=True))
