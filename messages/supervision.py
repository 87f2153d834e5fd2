"""The conversation between processes: batches with acknowledgements, and parents with children.

Actor addresses are Thespian's own and travel pickled; everything that is also stored or checked travels as MessagePack
bytes inside (``messages/wire.py``).  Those that every report is carried by are structs, which are pickled in a third of
the time of a data class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec


class AlertDelivered(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The Notifier has passed this alert on."""

    escalation_id: str
    repeats: int


@dataclass(frozen=True, slots=True)
class Version:
    """Part of every first message between processes: both ends must run the same code (E16)."""

    protocol: int


PROTOCOL = Version(8)


@dataclass(frozen=True, slots=True)
class StartRoot:
    """Main program to RootSupervisor."""

    config: bytes
    version: Version = PROTOCOL


@dataclass(frozen=True, slots=True)
class StartChild:
    """A supervisor to a new child: what it is, and who there is to talk to."""

    name: str
    index: int
    config: bytes
    peers: dict[str, Any]  # role -> address
    realm: str = "live"  # domain.rollout.Realm
    version: Version = PROTOCOL


@dataclass(frozen=True, slots=True)
class ChildReady:
    """A child to its supervisor: started, with what pid."""

    name: str
    pid: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ChildFailed:
    """A child to its supervisor: it cannot start or go on, and why; it ends itself after this."""

    name: str
    reason: str
    permanent: bool  # a restart would fail the same way: do not try


@dataclass(frozen=True, slots=True)
class PeersChanged:
    """A supervisor to its children: somebody they talk to has a new address."""

    peers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""

    number: int


@dataclass(frozen=True, slots=True)
class Pong:
    """Yes, and this is how I am."""

    number: int
    name: str
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A child to its supervisor: it goes on, but a person should know.  ``severity``: of messages.records.Severity."""

    kind: str
    text: str
    severity: str = "WARNING"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Any process to Metrics, with every heartbeat: what it has counted since it started."""

    process: str
    pid: int
    report: bytes


@dataclass(frozen=True, slots=True)
class Hello:
    """A cell to the gateway: I am here, with this epoch, and interested in these symbols.

    ``working``: its orders that may work at the broker (:func:`messages.wire.working`).  A list of the broker's may
    leave one out, and a gateway that was started knows of it from nobody else.
    """

    cell: int
    epoch: int
    symbols: frozenset[str]
    version: Version = PROTOCOL
    working: bytes = b"\x90"  # none


class EventBatch(msgspec.Struct, frozen=True):
    """The gateway to a cell; sent again until it is taken."""

    gateway: int  # incarnation of the gateway: its pid
    number: int
    oldest: int  # the first batch that the cell owes an answer to
    events: bytes


class EventBatchTaken(msgspec.Struct, frozen=True):
    """A cell to the gateway: durable."""

    gateway: int
    number: int


class OrderBatch(msgspec.Struct, frozen=True):
    """A cell to the gateway; sent again until it is taken."""

    cell: int
    epoch: int
    number: int
    oldest: int  # the first batch that the gateway owes an answer to
    requests: bytes


class OrderBatchTaken(msgspec.Struct, frozen=True):
    """The gateway to a cell: in its lanes."""

    epoch: int
    number: int


@dataclass(frozen=True, slots=True)
class CellState:
    """A cell to the gateway: how it stands.  Sent when that changes, after every Hello, and again now and then."""

    cell: int
    epoch: int
    uncovered_qty: int  # short units that nothing protects
    freezes_ns: int  # broker time from when on an alert that waits there for a person freezes new risk


@dataclass(frozen=True, slots=True)
class Watch:
    """A cell to the gateway: quotes of exactly these symbols, please."""

    cell: int
    symbols: frozenset[str]


@dataclass(frozen=True, slots=True)
class Operate:
    """The main program to a cell, a gateway or the root: an operator's command, MessagePack.

    ``number`` is one ask's: it is asked again under it, and nothing else ever is; 0: nobody waits for the answer.
    ``command_id`` says what is asked for, and comes again with another ask for the same.
    """

    number: int
    command_id: str
    command: bytes


@dataclass(frozen=True, slots=True)
class Operated:
    """The answer to :class:`Operate`, under its number: one to an earlier ask for the same may come late."""

    number: int
    command_id: str
    answer: bytes


@dataclass(frozen=True, slots=True)
class AlertBatch:
    """A cell or a supervisor to the Notifier."""

    sender: str
    alerts: bytes


@dataclass(frozen=True, slots=True)
class AlertBatchTaken:
    """The Notifier to whoever sent alerts: passed on."""

    delivered: bytes
