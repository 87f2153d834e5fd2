"""A private, in-process actor system for the group trees of one cell: Thespian's simple base, with what hurts replaced.

Measured on the base as it ships: it pops from the front of a list, scans its timers before every message, searches the
list of a parent's children for one that stops, reads every actor's signature when it is made, and runs a handler that
raised again on the same half-changed instance and re-queues it behind later messages.  Here mailboxes are one queue,
children a dictionary, there are no timers (time is a message), and what a handler raises goes straight to the caller:
the shell has already turned every failure of a group into a supervised restart, so what arrives here is a bug of the
cell's own.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from thespian.actors import Actor, ActorAddress, ActorExitRequest, ActorSystem, ChildActorExited
from thespian.system import simpleSystemBase


class Member(simpleSystemBase.ActorRef):  # type: ignore[misc]
    """What the system knows of one actor; what an actor does passes through it."""

    def __init__(self, base: InProcessBase, parent: ActorAddress, address: ActorAddress, instance: Actor) -> None:
        super().__init__(base.system, parent, address, instance)
        self._base = base
        self._yung: dict[str, ActorAddress] = {}

    def addChild(self, childAddr: ActorAddress) -> None:  # noqa: N802, N803
        self._yung[childAddr.actorAddressString] = childAddr
        self._childCounter += 1

    def removeChild(self, childAddr: ActorAddress) -> None:  # noqa: N802, N803
        self._yung.pop(childAddr.actorAddressString, None)

    def createActor(self, actorClass: type[Actor], *_: Any, **__: Any) -> ActorAddress:  # noqa: N802, N803
        return self._base.hire(self, actorClass)

    def actor_send(self, toActorAddr: ActorAddress, msg: Any) -> None:  # noqa: N803
        self._base.queue.append((toActorAddr, msg, self._addr))


class InProcessBase(simpleSystemBase.ActorSystemBase):  # type: ignore[misc]
    """One first-in first-out queue; every message is handled to its end before the next."""

    def __init__(self, system: ActorSystem) -> None:
        self.queue: deque[tuple[ActorAddress, Any, ActorAddress]] = deque()
        super().__init__(system, logDefs=False)
        self._outside = self.actorRegistry["System:ExternalRequester"].address
        self._top = 0  # how many actors have no parent

    def actor_send(self, fromActor: ActorAddress, toActor: ActorAddress, msg: Any) -> None:  # noqa: N803
        self.queue.append((toActor, msg, fromActor))

    def newPrimaryActor(self, actorClass: type[Actor], *_: Any) -> ActorAddress:  # noqa: N802, N803
        self._top += 1
        return self._admit(self.system.systemAddress, f"/A~{self._top}", actorClass)

    def hire(self, parent: Member, kind: type[Actor]) -> ActorAddress:
        """A new child of ``parent``.  What its constructor raises goes to the caller."""
        address = self._admit(parent.address, f"{parent.address.actorAddressString}~{parent.childCount}", kind)
        parent.addChild(address)
        return address

    def _admit(self, parent: ActorAddress, name: str, kind: type[Actor]) -> ActorAddress:
        address, instance = ActorAddress(name), kind()
        instance._myRef = self.actorRegistry[name] = Member(self, parent, address, instance)
        return address

    def tell(self, anActor: ActorAddress, msg: Any) -> None:  # noqa: N803
        """Deliver ``msg`` and everything that follows from it; returns when every mailbox is empty."""
        queue, registry = self.queue, self.actorRegistry
        queue.append((anActor, msg, self._outside))
        while queue:
            target, message, sender = queue.popleft()
            ref = registry.get(target.actorAddressString)
            if ref is None or ref.instance is None:
                continue  # a dead incarnation: what it was still owed died with it
            if type(message) is ActorExitRequest:
                self.stop(target)
            else:
                ref.instance.receiveMessage(message, sender)

    def stop(self, address: ActorAddress) -> None:
        """Stop an actor and everything below it, at once; its parent is told with ``ChildActorExited``."""
        ref = self.actorRegistry.pop(address.actorAddressString, None)
        if ref is None or ref.instance is None:
            return
        for child in list(ref._yung.values()):
            self.stop(child)
        ref.instance = None
        parent = self.actorRegistry.get(ref.parent.actorAddressString)
        if parent is not None and parent.instance is not None and parent.address != self.system.systemAddress:
            parent.removeChild(address)
            self.queue.append((ref.parent, ChildActorExited(address), address))


class InProcessSystem(ActorSystem):  # type: ignore[misc]
    """``ActorSystem('simpleSystemBase', transientUnique=True, logDefs=False)`` on :class:`InProcessBase`."""

    def __init__(self) -> None:
        super().__init__(transientUnique=True)

    def _startupActorSys(self, *_: object) -> InProcessBase:  # noqa: N802
        self.systemAddress = ActorAddress("/ActorSys")
        self.capabilities: dict[str, object] = {}
        self._systemBase = InProcessBase(self)
        return self._systemBase

    def tell(self, actorAddr: ActorAddress, msg: Any) -> None:  # noqa: N803
        self._systemBase.tell(actorAddr, msg)

    def stop(self, address: ActorAddress) -> None:
        """Stop an actor and everything below it."""
        self._systemBase.stop(address)
