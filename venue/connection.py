"""One client's connection: frames in, messages out, and a guard against clients that do not read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import structlog

from domain.quotes import Quote
from venue.protocol import (
    PROTOCOL_VERSION,
    ClientMessage,
    Goodbye,
    Hello,
    ProtocolError,
    ServerMessage,
    client_frames,
    encode,
)

MAX_UNREAD_BYTES = 1 << 27  # a client that leaves this much unread is cut off
LOGIN_S = 10.0
LINGER_S = 2.0

log = structlog.get_logger("venue")


class Timer(Protocol):
    """What a connection and its server need of an event loop."""

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: Any) -> object:
        """Call back in ``delay`` seconds."""


class Host(Protocol):
    """What a connection needs of its server."""

    def logged_in(self, connection: Connection) -> None:
        """The client said a good Hello; answer it."""

    def said(self, connection: Connection, message: ClientMessage) -> None:
        """The client said something after its Hello.  Raises ``ProtocolError`` when it is out of place."""

    def left(self, connection: Connection) -> None:
        """The connection is over; this may be said twice."""


class Connection(asyncio.Protocol):
    """Speaks the protocol with one client.  Every send after the end is quietly dropped."""

    def __init__(self, host: Host, timer: Timer | None = None) -> None:
        self.client = ""  # the name it gave; "" before its Hello
        self.cancel_on_disconnect_ms = 0
        self.session = 0  # its number, counted from 1 in order of login
        self.symbols: frozenset[str] = frozenset()
        self._host = host
        self._frames = client_frames()
        self._timer = timer or asyncio.get_running_loop()
        self._pending: dict[str, Quote] = {}
        self._full = False
        self._ended = False
        self._transport: asyncio.Transport

    # --- called by asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._timer.call_later(LOGIN_S, self._check_login)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        try:
            for message in self._frames.feed(data):
                if self._gone:
                    return
                self._read(message)
        except ProtocolError as error:
            self.hang_up(str(error))

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False

    def connection_lost(self, exc: Exception | None) -> None:
        log.info("connection ended", client=self.client, error=str(exc or ""))
        self._host.left(self)

    # --- called by the server ---

    def send(self, message: ServerMessage, delay_s: float = 0.0) -> None:
        """Send one message, after ``delay_s`` seconds of real time."""
        self.write(encode(message), delay_s)

    def write(self, data: bytes, delay_s: float = 0.0) -> None:
        """Send encoded messages, after ``delay_s`` seconds of real time."""
        if delay_s:
            self._timer.call_later(delay_s, self.write, data)
        elif not self._gone:
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
                log.warning("connection cut: the client does not read", client=self.client)
                self._transport.abort()

    def subscribe(self, symbols: Iterable[str], last: Callable[[str], Quote | None]) -> None:
        """Stream exactly these symbols, beginning with the last quote of each."""
        self.symbols = frozenset(symbols)
        self._pending = {symbol: quote for symbol in symbols if (quote := last(symbol)) is not None}
        self.flush()

    def quoted(self, quote: Quote) -> None:
        """Keep the newest quote of a subscribed symbol for the next flush."""
        if quote.symbol in self.symbols:
            self._pending[quote.symbol] = quote

    def flush(self) -> None:
        """Send the quotes that are waiting, unless the client is slow: then they go on being replaced by newer ones."""
        if self._pending and not self._full:
            self.write(b"".join(map(encode, self._pending.values())))
            self._pending.clear()

    def hang_up(self, reason: str) -> None:
        """Say why, and end the connection.

        What the client still sends is read and thrown away for a while: closing a socket with unread data resets the
        connection, and the client would never learn the reason.
        """
        if self._gone:
            return
        log.warning("hung up", client=self.client, reason=reason)
        self.send(Goodbye(reason=reason))
        self._ended = True
        self._transport.write_eof()
        self._timer.call_later(LINGER_S, self._transport.abort)
        self._host.left(self)

    def finish(self) -> None:
        """End the connection when everything written is out."""
        self._transport.close()

    def abort(self) -> None:
        """End the connection at once; what is written and not yet out is lost."""
        self._transport.abort()

    # --- inside ---

    @property
    def _gone(self) -> bool:
        return self._ended or self._transport.is_closing()

    def _read(self, message: ClientMessage) -> None:
        if self.client:
            self._host.said(self, message)
        elif not isinstance(message, Hello):
            raise ProtocolError("the first message must be a Hello")
        elif message.version != PROTOCOL_VERSION:
            raise ProtocolError(
                f"the client speaks version {message.version} of the protocol, this server {PROTOCOL_VERSION}: "
                "run both from the same release"
            )
        else:
            self.client = message.client or "unnamed"
            self.cancel_on_disconnect_ms = message.cancel_on_disconnect_ms
            self._host.logged_in(self)

    def _check_login(self) -> None:
        if not self.client:
            self.hang_up(f"no Hello within {LOGIN_S:g} s")
