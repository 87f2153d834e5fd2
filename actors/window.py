"""Acknowledged, windowed batches: what one process owes another, kept until it is taken.

Thespian's transport drops what queues up above about a thousand transmits and forgets what was queued for a dead
process.  Here at most ``WINDOW`` batches are under way; the rest waits and is sent together when one is taken, which is
also what makes the group commit under load.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Generic, TypeVar

WINDOW = 2
BATCH = 1_000  # items
RESEND_MS = 1_000  # monotonic time without an acknowledgement until a batch is sent again

T = TypeVar("T")
Transmit = Callable[[int, int, tuple[T, ...]], None]


class OutWindow(Generic[T]):
    """``transmit(number, oldest, items)`` sends one batch, ``oldest`` being the first that has not been taken yet;
    ``taken(number)`` says that it has arrived for good."""

    def __init__(self, transmit: Transmit[T]) -> None:
        self._transmit = transmit
        self._waiting: deque[T] = deque()
        self._under_way: dict[int, tuple[int, tuple[T, ...]]] = {}  # number -> when sent, items; oldest first
        self._number = 0

    def __len__(self) -> int:
        return len(self._waiting) + sum(len(items) for _, items in self._under_way.values())

    def put(self, *items: T) -> None:
        """Owe these; :meth:`flush` sends them."""
        self._waiting.extend(items)

    def flush(self, now_ms: int) -> None:
        """Send what the window allows."""
        while self._waiting and len(self._under_way) < WINDOW:
            items = tuple(self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting))))
            self._number += 1
            self._under_way[self._number] = (now_ms, items)
            self._send(self._number, items)

    def owes(self, item: T) -> bool:
        """Whether this has not been taken yet."""
        return item in self._waiting or any(item in items for _, items in self._under_way.values())

    def taken(self, number: int, now_ms: int) -> tuple[T, ...]:
        """The batch is durable on the other side; the next may go.  What was in it; nothing when that is said again."""
        _, items = self._under_way.pop(number, (0, ()))
        self.flush(now_ms)
        return items

    def resend(self, now_ms: int, *, older_than_ms: int = RESEND_MS) -> None:
        """Send again what has been under way for too long."""
        for number, (sent_ms, items) in list(self._under_way.items()):
            if now_ms - sent_ms >= older_than_ms:
                self._under_way[number] = (now_ms, items)
                self._send(number, items)

    def retarget(self, transmit: Transmit[T]) -> None:
        """Send to a new incarnation from now on."""
        self._transmit = transmit

    def _send(self, number: int, items: tuple[T, ...]) -> None:
        self._transmit(number, min(self._under_way), items)

    def drop(self, keep: Callable[[T], bool]) -> None:
        """Forget what is not worth sending to a new incarnation; what is kept waits again, in order."""
        owed = [item for _, items in self._under_way.values() for item in items] + list(self._waiting)
        self._under_way.clear()
        self._waiting = deque(item for item in owed if keep(item))


class Arrival(Enum):
    """What a batch is to its receiver."""

    NEXT = "next"  # take it, and say so when it is taken for good
    KNOWN = "known"  # it was taken before: say so again
    EARLY = "early"  # one before it is still to come; both will be sent again


class InWindow:
    """The receiving end: batches are taken in their order, whatever is lost, repeated or changes places on the way.

    A receiver that is new does not know where the numbers are; every batch says what is the oldest one that is owed.
    """

    def __init__(self) -> None:
        self._taken = 0

    def arrives(self, number: int, oldest: int) -> Arrival:
        """What this batch is; one that is next counts as taken."""
        if number <= self._taken:
            return Arrival.KNOWN
        if number > max(self._taken + 1, oldest):
            return Arrival.EARLY
        self._taken = number
        return Arrival.NEXT
