"""A server as a process: it listens, stops in order when it is told to, and ends when the exchange has a fault."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import structlog

from venue.connection import Connection
from venue.server import Server

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger("venue")


async def run(server: Server, host: str, port: int, ready: Callable[[int], None]) -> int:
    """Serve until SIGTERM or SIGINT (0) or a fault of the server (1).  Raises ``OSError`` for a bad address."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(status: int) -> None:
        if not stopped.done():
            stopped.set_result(status)

    def fail(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        log.error(context["message"], exc_info=error)
        if not isinstance(error, OSError):  # one client's socket may fail; a fault of the exchange ends it
            stop(1)

    loop.set_exception_handler(fail)
    listener = await loop.create_server(lambda: Connection(server), host, port)
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop, 0)
    server.turn()
    ready(listener.sockets[0].getsockname()[1])
    status = await stopped
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # a second one must not cut the orderly end short
    listener.close()
    server.say_goodbye("the exchange stops")
    return status
