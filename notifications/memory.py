"""A sink in memory: it takes, refuses or hangs as it is told."""

from __future__ import annotations

import threading

from messages.records import Severity
from notifications.port import Note, SinkFailed


class MemorySink:
    """Keeps what it took in ``notes``.  While ``failure`` is not empty it refuses; between ``hang`` and ``let_go``
    it answers nobody."""

    def __init__(self, name: str = "memory-1", least: Severity = Severity.INFO) -> None:
        self._name, self._least = name, least
        self.notes: list[Note] = []
        self.failure = ""
        self._answers = threading.Event()
        self._answers.set()

    @property
    def name(self) -> str:
        return self._name

    @property
    def least(self) -> Severity:
        return self._least

    def hang(self) -> None:
        """From now on nothing comes back."""
        self._answers.clear()

    def let_go(self) -> None:
        """Everything that hangs goes on."""
        self._answers.set()

    def send(self, note: Note) -> None:
        self._answers.wait()
        if self.failure:
            raise SinkFailed(self.failure)
        self.notes.append(note)
