"""A private, in-process actor system for the group trees of one cell: Thespian's simple base, with what hurts replaced.

Measured on the base as it ships: it pops from the front of a list, scans its timers before every message, runs a
handler that raised again on the same half-changed instance and re-queues it behind later messages.  Here mailboxes are
one queue, there are no timers (time is a message), and what a handler raises goes straight to the caller: the shell
has already turned every failure of a group into a supervised restart, so what arrives here is a bug of the cell's own.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, ActorSystem, ChildActorExited
from thespian.system import simpleSystemBase


class InProcessBase(simpleSystemBase.ActorSystemBase):  # type: ignore[misc]
    """One first-in first-out queue; every message is handled to its end before the next."""

    def __init__(self, system: ActorSystem) -> None:
        self._queue: deque[tuple[ActorAddress, Any, ActorAddress]] = deque()
        super().__init__(system, logDefs=False)
        self._outside = self.actorRegistry["System:ExternalRequester"].address

    def actor_send(self, fromActor: ActorAddress, toActor: ActorAddress, msg: Any) -> None:  # noqa: N803
        self._queue.append((toActor, msg, fromActor))

    def tell(self, anActor: ActorAddress, msg: Any) -> None:  # noqa: N803
        """Deliver ``msg`` and everything that follows from it; returns when every mailbox is empty."""
        self._queue.append((anActor, msg, self._outside))
        queue, registry = self._queue, self.actorRegistry
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
        for child in list(ref._yung):
            self.stop(child)
        ref.instance = None
        parent = self.actorRegistry.get(ref.parent.actorAddressString)
        if parent is not None and parent.instance is not None and parent.address != self.system.systemAddress:
            parent.removeChild(address)
            self._queue.append((ref.parent, ChildActorExited(address), address))


class InProcessSystem(ActorSystem):  # type: ignore[misc]
    """``ActorSystem('simpleSystemBase', transientUnique=True, logDefs=False)`` on :class:`InProcessBase`."""

    def __init__(self) -> None:
        super().__init__(transientUnique=True)

    def _startupActorSys(self, *_: object) -> InProcessBase:  # noqa: N802
        self.systemAddress = ActorAddress("/ActorSys")
        self.capabilities: dict[str, object] = {}
        self._systemBase = InProcessBase(self)
        return self._systemBase

    def stop(self, address: ActorAddress) -> None:
        """Stop an actor and everything below it."""
        self._systemBase.stop(address)
