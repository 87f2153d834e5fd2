"""The wire between gateway and exchange: bytes that take time, connections that break, and nothing else.

Both ends are the real ones: the adapter reads frames from a link, the exchange's connection writes to a transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from thespian.actors import WatchMessage

from brokers.embedded.link import LinkError
from simulation.base import Process, SeededBase
from simulation.faults import Faults
from simulation.schedule import MS, Schedule
from venue.connection import Connection, Host
from venue.protocol import ClientMessage, Hello, ServerMessage, Submit, encode, server_frames

TO_EXCHANGE, FROM_EXCHANGE = DIRECTIONS = 0, 1
NO_MESSAGE = b"\xc1"  # which MessagePack never uses
ON_THE_WIRE_NS = 500 * MS  # what left so shortly before a reset may still arrive


class Link:
    """The client's end of one connection; what :class:`brokers.embedded.link.Link` is on a socket."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network, self._process = network, process
        self._frames = server_frames()
        self._inbox: list[bytes] = []
        self._ended = ""
        self.transport = Transport(network, self)
        self._reset_ns = 0  # when this side gave it up
        self._due_ns = 0  # what is sent never overtakes what was sent before

    def fileno(self) -> int:
        return -1

    @property
    def has_unsent(self) -> bool:
        return False

    def send(self, message: ClientMessage) -> None:
        if self._ended:
            raise LinkError(f"sending failed: {self._ended}")
        network, data = self._network, encode(message)
        network.links[self] = None
        network.leaving(message)
        self._due_ns = network.carry(self._due_ns, TO_EXCHANGE, self._delivered, data)
        if network.may_come_twice(message) and network.faults.strikes("F.wire.duplicate_request"):
            self._due_ns = network.carry(self._due_ns, TO_EXCHANGE, self._delivered, data)
            network.copied(message)
        network.base.point(f"{type(message).__name__} to the exchange")

    def flush(self) -> None:
        pass

    def receive(self) -> Iterator[ServerMessage]:
        inbox, self._inbox = self._inbox, []
        for data in inbox:
            yield from self._frames.feed(data)
        if self._ended:
            raise LinkError(self._ended)

    def close(self) -> None:
        self._reset("closed")

    def _reset(self, why: str) -> None:
        """What is not on the wire yet never gets there (SO_LINGER of the real link)."""
        if not self._reset_ns:
            self._ended = self._ended or why
            self._reset_ns = self._network.schedule.now_ns
            due_ns = min(self._due_ns, self._reset_ns + ON_THE_WIRE_NS)
            self._network.links.pop(self, None)
            self._network.carry(due_ns, TO_EXCHANGE, self.transport.lost)

    def _delivered(self, data: bytes) -> None:
        if not self._reset_ns or self._network.schedule.now_ns <= self._reset_ns + ON_THE_WIRE_NS:
            self.transport.receive(data)

    # --- the network's side ---

    def arrive(self, data: bytes) -> None:
        """Bytes of the exchange are here; the process is woken."""
        if not self._ended:
            self._inbox.append(NO_MESSAGE if self._network.faults.strikes("F.wire.malformed") else data)
            self._network.wake(self._process)

    def hang_up(self, reason: str) -> None:
        """The other side is gone."""
        if not self._ended:
            self._ended = reason
            self._network.wake(self._process)

    def peer_died(self) -> None:
        """The client's process is dead, and its kernel resets the connection."""
        self._reset("dead")


class Transport(asyncio.Transport):
    """The exchange's end, as its connection knows it from asyncio."""

    def __init__(self, network: Network, link: Link) -> None:
        super().__init__()
        self._network, self._link = network, link
        self._closing = False
        self.due_ns = 0
        self.connection: Connection | None = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        del name, default
        return self

    def setsockopt(self, *_: object) -> None:
        """There is no socket."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            return
        if self._network.faults.strikes("F.wire.reset_in_answer"):
            self.due_ns = self._network.carry(self.due_ns, FROM_EXCHANGE, self._link.arrive, bytes(data[:-1]))
            self._end("connection reset in the middle of an answer")
            return
        self.due_ns = self._network.carry(self.due_ns, FROM_EXCHANGE, self._link.arrive, bytes(data))

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._closing

    def write_eof(self) -> None:
        self.due_ns = self._network.carry(self.due_ns, FROM_EXCHANGE, self._link.hang_up, "the exchange hung up")

    def close(self) -> None:
        self._end("the exchange hung up")

    def abort(self) -> None:
        self._end("connection reset by the exchange")

    # --- the network's side ---

    def receive(self, data: bytes) -> None:
        """Bytes of the client are here."""
        if self.connection is not None and not self._closing:
            self.connection.data_received(data)

    def lost(self) -> None:
        """The client's end is gone."""
        if not self._closing:
            self._closing = True
            if self.connection is not None:
                self.connection.connection_lost(None)

    def _end(self, reason: str) -> None:
        if self._closing:
            return
        self._closing = True
        self.due_ns = self._network.carry(self.due_ns, FROM_EXCHANGE, self._link.hang_up, reason)
        if self.connection is not None:
            self._network.schedule.at(0, self.connection.connection_lost, None)


class Network:
    """All connections to one exchange."""

    def __init__(self, base: SeededBase, schedule: Schedule, faults: Faults, *, promises_ids: bool) -> None:
        self.base, self.schedule, self.faults = base, schedule, faults
        self.promises_ids = promises_ids
        self.host: Host
        self.copied: Callable[[ClientMessage], None] = lambda _message: None  # told what the wire sends twice
        self.leaving: Callable[[ClientMessage], None] = lambda _message: None  # told what a client sends
        self.links: dict[Link, None] = {}  # those that are up
        self.cut_until_ns = [0, 0]  # by direction
        self._due_ns = 0  # when all that was ever sent has arrived, also by connections that are gone
        self.late_until_ns = 0  # when all has arrived that a cut held back

    def dial(self, process: Process) -> Link:
        """A new connection of this process.  Raises ``LinkError`` while the network is cut."""
        if self.schedule.now_ns < max(self.cut_until_ns):
            raise LinkError("connection refused: the network is cut")
        link = Link(self, process)
        process.links.append(link)
        connection = Connection(self.host, self.schedule)
        connection.connection_made(link.transport)
        link.transport.connection = connection
        return link

    def may_come_twice(self, message: ClientMessage) -> bool:
        """Whether the house knows a second copy, or does the same twice: else it is a second order, and no bug."""
        return not isinstance(message, Hello) and (self.promises_ids or not isinstance(message, Submit))

    def carry(self, after_ns: int, direction: int, act: Callable[..., object], *args: Any) -> int:
        """Have something arrive at the other side, not before ``after_ns``; returns when it does."""
        faults = self.faults
        due_ns = self.schedule.now_ns + self.base.lag_ns + MS // 5
        if faults.strikes("F.wire.delay"):
            due_ns += faults.tape.between("bytes take so long, ms", 1, 400) * MS
        due_ns = max(due_ns, after_ns, self.cut_until_ns[direction])
        self.schedule.at(due_ns, act, *args)
        self._due_ns = max(self._due_ns, due_ns)
        return due_ns

    def cut(self, for_ns: int, *directions: int) -> None:
        """Nothing gets through for so long; it is only late."""
        for direction in directions:
            self.cut_until_ns[direction] = max(self.cut_until_ns[direction], self.schedule.now_ns + for_ns)

    def mend(self) -> None:
        """Everything gets through; what is on its way comes when it would have, and what follows it not before."""
        self.cut_until_ns, self.late_until_ns = [0, 0], self._due_ns

    def reset(self) -> None:
        """The house's end of every connection is reset."""
        for link in list(self.links):
            link.transport.abort()

    def is_quiet(self) -> bool:
        """Whether nothing is on the wire."""
        return self._due_ns <= self.schedule.now_ns

    def wake(self, process: Process) -> None:
        """There is something to read for the process."""
        if process.address.actorAddressString in self.base.processes:
            pair = (self.base.outside.actorAddressString, process.address.actorAddressString)
            box = self.base.boxes.get(pair)
            if box is None or not any(type(message) is WatchMessage for message, _ in box):
                self.base.put(self.base.outside, process.address, WatchMessage([0]))
