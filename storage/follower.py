"""Follows the log of a journal that somebody else owns: each look reads what is new since the last one."""

from __future__ import annotations

from pathlib import Path

from messages.records import Record
from storage.log import EMPTY, Head
from storage.port import JournalError
from storage.reader import JournalReader


class LogFollower:
    """One journal file, read-only.  Between looks it holds the place in the log, not the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head: Head = EMPTY

    def begin(self) -> None:
        """Forget the place: the next look reads the whole log."""
        self._head = EMPTY

    def read(self) -> list[Record]:
        """The records since the last look, in order.

        Raises ``JournalError`` when the file cannot be read, or when it is not the log that was read before (it was
        put back from a copy): then call :meth:`begin`, drop what was folded, and read again.
        """
        found: list[Record] = []
        head = self._head
        with JournalReader(self.path, snapshot=True) as reader:
            if head == EMPTY:
                head = reader.base()
            elif getattr(next(reader.turns(head.turn - 1), None), "head", EMPTY) != head:
                raise JournalReplaced(f"{self.path} is not the log that was read before")
            for turn in reader.turns(head.turn):
                if not turn.continues(head):
                    raise JournalError(f"{self.path}: the hash chain is broken at turn {turn.turn}; verify the journal")
                found += turn.records()
                head = turn.head
        self._head = head
        return found


class JournalReplaced(JournalError):
    """Another log stands in the place of the one that was followed."""
