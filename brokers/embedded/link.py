"""A TCP connection that never blocks: bytes out when there is room, messages in when they are whole."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator

from venue.protocol import ClientMessage, ServerMessage, encode, server_frames

MAX_UNSENT_BYTES = 1 << 24
READS_PER_PUMP = 16
_READ_BYTES = 1 << 16
# A connection that is given up, or whose process is killed, is reset, and what it has not delivered is thrown away: the
# kernel would go on delivering for minutes, and an order would arrive after its absence had been proven (R7, I15).
AT_ONCE = struct.pack("ii", 1, 0)
_NOT_YET = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINPROGRESS, errno.ENOTCONN, errno.EALREADY, errno.EINTR})


class LinkError(Exception):
    """The connection is no longer good for anything; the message says why."""


class Link:
    """One connection attempt and what becomes of it.  It begins to connect at once.

    Raises :class:`LinkError` for an address that cannot be used at all.
    """

    def __init__(self, host: str, port: int) -> None:
        self._frames = server_frames()
        self._unsent = bytearray()
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
            )[0]
            self._socket = socket.socket(family, kind, protocol)
        except (OSError, UnicodeError) as error:  # a name that no resolver could be asked for is a UnicodeError
            raise LinkError(f"{host}:{port} is not a usable address ({error}); give an IP address and a port") from None
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        fault = self._socket.connect_ex(address)
        if fault not in _NOT_YET and fault != 0:
            self._socket.close()
            raise LinkError(f"cannot connect to {host}:{port}: {errno.errorcode.get(fault, str(fault))}")

    def fileno(self) -> int:
        """The descriptor to watch for reading."""
        return self._socket.fileno()

    @property
    def has_unsent(self) -> bool:
        """Whether :meth:`flush` has something to send: there was no room, or the connection is not made yet."""
        return bool(self._unsent)

    def send(self, message: ClientMessage) -> None:
        """Send as much as there is room for; :meth:`flush` sends the rest.  Raises :class:`LinkError`."""
        self._unsent += encode(message)
        self.flush()

    def flush(self) -> None:
        """Send what is left.  Raises :class:`LinkError` when the connection is broken or the other side never reads."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except OSError as error:
                if error.errno not in _NOT_YET:
                    raise LinkError(f"sending failed: {error.strerror}") from None
                break
            del self._unsent[:sent]
        if len(self._unsent) > MAX_UNSENT_BYTES:
            raise LinkError(f"the exchange does not read: {len(self._unsent)} bytes wait to be sent")

    def receive(self) -> Iterator[ServerMessage]:
        """The messages that have come, at most about a megabyte of them.

        Raises :class:`LinkError` at the end of the connection, and ``ProtocolError`` for bytes that are no message.
        """
        for _ in range(READS_PER_PUMP):
            try:
                data = self._socket.recv(_READ_BYTES)
            except OSError as error:
                if error.errno not in _NOT_YET:
                    raise LinkError(f"receiving failed: {error.strerror}") from None
                return
            if not data:
                raise LinkError("the exchange hung up")
            yield from self._frames.feed(data)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
