"""The listening end of the control socket: many callers at once, and none who can hold up the others or the system."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Iterator
from pathlib import Path

REQUEST_LIMIT_BYTES = 4 * 1024 * 1024
REQUEST_TIMEOUT_S = 5.0  # from the call to the end of its line
ANSWER_TIMEOUT_S = 1.0  # of a caller who does not take the answer
MAX_CALLERS = 64
CHUNK_BYTES = 65_536


class Caller:
    """One connection, whose request is ``line`` when it is whole; ``problem`` says why it never will be."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.line, self.problem = bytearray(), ""
        self.connection = connection
        self.deadline = time.monotonic() + REQUEST_TIMEOUT_S

    def listen(self) -> bool:
        """Take what is there; whether there is now something to answer, a request or a problem."""
        while len(self.line) <= REQUEST_LIMIT_BYTES:
            try:
                chunk = self.connection.recv(CHUNK_BYTES)
            except BlockingIOError:
                return False
            except OSError:
                chunk = b""
            self.line += chunk
            if not chunk or b"\n" in chunk:
                return True
        self.problem = f"the request is longer than {REQUEST_LIMIT_BYTES:,} bytes"
        return True

    def answer(self, text: bytes) -> None:
        """Say it and hang up; a caller who has gone does not matter."""
        with self.connection, contextlib.suppress(OSError):
            self.connection.settimeout(ANSWER_TIMEOUT_S)
            self.connection.sendall(text + b"\n")


class Door:
    """Listens on one Unix-domain socket.  :meth:`fileno` becomes readable when somebody calls or says something.

    ``path`` appears when it is listened to, not before, and replaces what a dead system has left there: who waits for
    the file can call as soon as he sees it.  Raises ``OSError`` when it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _listen(self._listener, path)
        except OSError:
            self._listener.close()
            raise
        self._selector = selectors.EpollSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._callers: dict[int, Caller] = {}  # by descriptor, in the order of their calls

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self._selector.fileno()

    @property
    def patience_s(self) -> float | None:
        """How long from now to the next look when nothing is readable; ``None``: for ever."""
        ends = [caller.deadline for caller in self._callers.values()]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def callers(self) -> Iterator[Caller]:
        """Those who can be answered now.  Never waits."""
        ready = [key for key, _ in self._selector.select(0)]
        for key in sorted(ready, key=lambda key: key.fileobj is self._listener):  # who called earlier comes first
            for caller in self._accepted() if key.fileobj is self._listener else (self._callers.get(key.fd),):
                if caller is not None and caller.listen():
                    yield self._released(caller)
        for caller in [caller for caller in self._callers.values() if caller.deadline <= time.monotonic()]:
            if not caller.listen():  # its line may have come while another command was carried out
                caller.problem = f"no whole request within {REQUEST_TIMEOUT_S:g} s; a request is one line"
            yield self._released(caller)

    def close(self) -> None:
        """Hang up on everybody."""
        for caller in list(self._callers.values()):
            self._released(caller).connection.close()
        self._selector.close()
        self._listener.close()

    def _accepted(self) -> Iterator[Caller]:
        """Those who have called meanwhile; there may have been a queue, and the last in it may be urgent."""
        for _ in range(MAX_CALLERS):
            try:
                connection, _ = self._listener.accept()
            except OSError:  # there is nobody else, or there are no descriptors left
                return
            if len(self._callers) >= MAX_CALLERS:
                self._released(next(iter(self._callers.values()))).connection.close()
            caller = self._callers[connection.fileno()] = Caller(connection)
            self._selector.register(connection, selectors.EVENT_READ)
            yield caller

    def _released(self, caller: Caller) -> Caller:
        self._selector.unregister(caller.connection)
        del self._callers[caller.connection.fileno()]
        return caller


def _listen(listener: socket.socket, path: Path) -> None:
    made = path.with_name(path.name[:-1] + "~")  # no longer than the path itself, which just fits into an address
    made.unlink(missing_ok=True)
    before = os.umask(0o177)  # only this user, from the first moment on
    try:
        listener.bind(str(made))
    finally:
        os.umask(before)
    try:
        listener.setblocking(False)
        listener.listen(MAX_CALLERS)
        made.replace(path)
    except OSError:
        made.unlink(missing_ok=True)
        raise
