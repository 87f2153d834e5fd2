"""Hands notes to sinks on threads that nobody waits for, so that a sink that hangs holds up nothing but itself."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from queue import Empty, SimpleQueue

import msgspec

from notifications.port import Note, Sink, SinkFailed

MOST_THREADS = 3  # of one sink: more than one only when earlier ones hang


class Answer(msgspec.Struct, frozen=True):
    """What became of an attempt; ``problem`` is "" when the sink took it."""

    attempt: int
    problem: str


class Courier:
    """:meth:`fileno` becomes readable when there are answers.  The threads die with the process."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._running = [0] * len(self._sinks)
        self._lock = threading.Lock()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._let_go = weakref.finalize(self, os.close, self._bell)  # also when nobody closes it: a simulated process

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self._bell

    def close(self) -> None:
        """Let go of the descriptor, once nothing runs any more; what still hangs keeps it until the process ends."""
        with self._lock:
            if not any(self._running):
                self._let_go()

    def free(self, sink: int) -> bool:
        """Whether another attempt may be made: not while too many earlier ones hang."""
        return self._running[sink] < MOST_THREADS

    def send(self, attempt: int, sink: int, note: Note) -> None:
        """Begin an attempt; its answer comes out of :meth:`answers`, or never."""
        with self._lock:
            self._running[sink] += 1
        name = f"sink {self._sinks[sink].name} {attempt}"
        try:
            threading.Thread(target=self._run, args=(attempt, sink, note), name=name, daemon=True).start()
        except RuntimeError as error:  # the machine has no room for another: that is no reason to die
            self._answer(attempt, sink, str(error))

    def answers(self) -> list[Answer]:
        """What has come in since the last call."""
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return []
        found = []
        while True:
            try:
                found.append(self._answers.get_nowait())
            except Empty:
                return found

    def _run(self, attempt: int, sink: int, note: Note) -> None:
        problem = ""
        try:
            self._sinks[sink].send(note)
        except SinkFailed as failure:
            problem = str(failure) or "it failed"
        self._answer(attempt, sink, problem)

    def _answer(self, attempt: int, sink: int, problem: str) -> None:
        with self._lock:
            self._running[sink] -= 1
            self._answers.put(Answer(attempt, problem))
            os.eventfd_write(self._bell, 1)
