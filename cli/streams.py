"""The standard streams of a program that has positions to look after: it goes on, whether anybody reads them or not."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import TextIO, cast

PATIENCE_MS = 100  # with a reader who is slow, for each piece
PIECE_BYTES = 4_096  # a pipe or terminal that has room takes so much without holding up the writer (pipe(7))


class BestEffort(io.TextIOBase):
    """Writes to the descriptor of ``stream``, and loses what that does not take.

    It never fails: a reader who has died is a broken pipe, a terminal that is gone or a full disk an I/O error, a
    stream that was closed before the start is ``None``.  And it never waits for long: a reader who has stopped reading,
    or Ctrl-S on a terminal, would hold up the writer for ever.
    """

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    def fileno(self) -> int:
        return cast(TextIO, self._stream).fileno()  # AttributeError, as of any stream that is None

    def isatty(self) -> bool:
        with suppress(AttributeError, ValueError):
            return os.isatty(self.fileno())
        return False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        left = text.encode(self.encoding, "backslashreplace")
        with suppress(AttributeError, OSError, ValueError):
            descriptor = self.fileno()
            while left and _has_room(descriptor):
                left = left[os.write(descriptor, left[:PIECE_BYTES]) :]
        return len(text)


@contextmanager
def nobody_need_listen() -> Iterator[None]:
    """Have every print of this program, and of those that are forked from it meanwhile, made in that way."""
    with redirect_stdout(BestEffort(sys.stdout)), redirect_stderr(BestEffort(sys.stderr)):
        yield


def _has_room(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(event & select.POLLOUT for _, event in poll.poll(PATIENCE_MS))
