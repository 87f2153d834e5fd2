"""Lines between two processes: a stream of letters each way, every letter a length and its bytes.

A line carries letters in one direction only, in their order, and is opened by who writes.  The first letter says who
that is.  Nobody acknowledges: a line breaks when one of its ends dies, and with it goes what was not read yet; whoever
needs to know that a letter was acted upon has to be answered by its reader (:mod:`actors.window`).
"""

from __future__ import annotations

import socket
from collections import deque
from contextlib import suppress
from typing import Any

HEAD = 4  # bytes: the length of a letter, most significant byte first
LONGEST = 1 << 30  # bytes of a letter; more is not ours
READ = 1 << 16  # bytes taken from a line at once: each line gets its turn, and more would be mapped anew each time
MOST_WAITING = 1_000  # letters for one reader; like Thespian's own limit, what is more is not taken


class BrokenLine(Exception):
    """The process at the other end is gone, or never was there."""


class LetterBuffer:
    """Cuts a stream into letters."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._have, self._need = 0, HEAD

    def feed(self, data: bytes) -> list[memoryview]:
        """The letters that are whole now, in order.  Raises ``ValueError`` for what is no stream of letters."""
        if self._have + len(data) < self._need:
            self._parts.append(data)
            self._have += len(data)
            return []
        if self._parts:
            data = b"".join((*self._parts, data))
        letters, stream, at = [], memoryview(data), 0
        while True:
            self._need = HEAD
            if len(data) - at >= HEAD:
                size = int.from_bytes(stream[at : at + HEAD], "big")
                if size > LONGEST:
                    raise ValueError(f"a letter of {size} bytes")
                self._need = HEAD + size
            if len(data) - at < self._need or len(data) == at:
                break
            letters.append(stream[at + HEAD : at + self._need])
            at += self._need
        self._parts = [data[at:]] if at < len(data) else []
        self._have = len(data) - at
        return letters


class LineIn:
    """The reading end; ``sender`` is whoever the first letter names."""

    def __init__(self, link: socket.socket) -> None:
        self.socket = link
        self.sender: Any = None
        self._buffer = LetterBuffer()
        link.setblocking(False)

    def read(self) -> list[memoryview]:
        """What has come.  Raises :class:`BrokenLine` at its end, ``ValueError`` for what is no stream of letters."""
        try:
            data = self.socket.recv(READ)
        except BlockingIOError:
            return []
        except OSError as error:
            raise BrokenLine(str(error)) from error
        if not data:
            raise BrokenLine("closed by the other side")
        return self._buffer.feed(data)


class LineOut:
    """The writing end.  What the socket does not take waits here, each letter with an ``intent``: who is to be told."""

    def __init__(self, where: tuple[str, int], first: bytes) -> None:
        """Connect, and begin with this letter.  Raises ``OSError`` when there is no socket to be had."""
        self.blocked = False  # whether its owner waits until the socket takes more
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._waiting: deque[tuple[memoryview, Any]] = deque([(memoryview(framed(first)), None)])
        self.socket.connect_ex(where)  # over loopback it stands before the next call, or that one says why not

    def waits(self) -> bool:
        """Whether anything has yet to be written."""
        return bool(self._waiting)

    def put(self, letter: bytes, intent: Any) -> bool:
        """Have this sent after all that waits; ``False`` when too much waits already."""
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append((memoryview(letter), intent))
        return True

    def write(self) -> list[Any]:
        """Write what the socket takes; the intents of what has left.  Raises :class:`BrokenLine`."""
        left = []
        while self._waiting:
            letter, intent = self._waiting[0]
            try:
                taken = self.socket.send(letter)
            except BlockingIOError:
                break
            except OSError as error:
                raise BrokenLine(str(error)) from error
            if taken < len(letter):
                self._waiting[0] = letter[taken:], intent
                break
            self._waiting.popleft()
            if intent is not None:
                left.append(intent)
        return left

    def write_whole(self, letter: bytes) -> bool:
        """Write one letter when nothing waits; ``False`` when none of it has left.  What did not fit waits."""
        try:
            taken = self.socket.send(letter)
        except OSError:
            return False
        if taken < len(letter):
            self._waiting.append((memoryview(letter)[taken:], None))
        return True

    def check(self) -> None:
        """Raises :class:`BrokenLine` when the reader has gone; it never says anything."""
        with suppress(BlockingIOError):
            try:
                said = self.socket.recv(HEAD)
            except ConnectionError as error:
                raise BrokenLine(str(error)) from error
            raise BrokenLine("closed by the other side" if not said else "its reader talks")

    def close(self) -> list[Any]:
        """End it; the intents of what has not left."""
        self.socket.close()
        waiting = [intent for _, intent in self._waiting if intent is not None]
        self._waiting.clear()
        return waiting


def framed(letter: bytes) -> bytes:
    """A letter as it goes over a line."""
    return len(letter).to_bytes(HEAD, "big") + letter
