"""The shell of every actor below the Desk: receive, decide, collect, post letters.  A crash is a rollback.

Thespian would run a handler that raised again on the same half-changed instance; this shell never lets it see an
exception.  Whatever a decision raises voids the group's part of the step, silences the group's old actors, and goes to
the Desk as ``GroupCrashed``.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from thespian.actors import Actor, ActorAddress, ActorExitRequest, ChildActorExited

from actors.turn import Turn
from decisions.effects import SELF, Effects, Moment
from messages.group import GroupCrashed


@dataclass(frozen=True, slots=True)
class Appointment:
    """The first message of every actor: where it belongs."""

    turn: Turn
    group_id: str
    incarnation: int
    desk: ActorAddress
    parent: ActorAddress


class Core(Protocol):
    """What a room of ``decisions`` offers to its actor."""

    def start(self, message: Any, moment: Moment) -> tuple[Any, Effects]:
        """The first state, from the message that says what the actor is for."""

    def decide(self, state: Any, message: Any, moment: Moment) -> tuple[Any, Effects]:
        """The next state, and what is asked for."""


class GroupActor(Actor):  # type: ignore[misc]
    """Base of OrderGroup, Leg, Hedge and StopLoss: the hands of one core."""

    core: ClassVar[Core]
    children_by_prefix: ClassVar[dict[str, type[GroupActor]]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.post_box: Appointment | None = None
        self.state: Any = None
        self.children: dict[str, ActorAddress] = {}

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:  # noqa: N802, ARG002
        kind = type(message)
        if kind is Appointment:
            self.post_box = message
            return
        post = self.post_box
        if post is None or kind is ActorExitRequest or post.turn.incarnation(post.group_id) != post.incarnation:
            return
        try:
            if kind is ChildActorExited:
                self._lost(message.childAddress)
            moment = post.turn.moment_of(post.group_id)
            if self.state is None:
                self.state, effects = self.core.start(message, moment)
            else:
                self.state, effects = self.core.decide(self.state, message, moment)
            post.turn.collect(post.group_id, effects)
            for name, letter in effects.letters:
                self.send(self._address(name, post), letter)
        except Exception as error:
            post.turn.void(post.group_id)
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
            self.send(post.desk, GroupCrashed(post.group_id, post.incarnation, type(self).__name__, text))

    def _address(self, name: str, post: Appointment) -> ActorAddress:
        if name == "parent":
            return post.parent
        return self.myAddress if name == SELF else self._child(name, post)

    def _child(self, name: str, post: Appointment) -> ActorAddress:
        """The address of a child; it is hired when there is none yet."""
        address = self.children.get(name)
        if address is None:
            address = self.createActor(self.children_by_prefix[name.partition("/")[0]])
            self.children[name] = address
            self.send(address, Appointment(post.turn, post.group_id, post.incarnation, post.desk, self.myAddress))
        return address

    def _lost(self, address: ActorAddress) -> None:
        name = next((name for name, known in self.children.items() if known == address), None)
        raise ChildLost(f"{name or address} stopped without being asked to")


class ChildLost(Exception):
    """A child of a group died: the whole group is rebuilt from the journal (one_for_all)."""
