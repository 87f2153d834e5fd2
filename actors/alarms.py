"""Timers as they are: late, early, twice, or never.  Each alarm counts once, and one that never rang is found overdue.

An actor that lives by setting its next alarm in the handler of the last would stand still for ever after a lost one,
and look at everything twice for ever after one that rang twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OVERDUE_MS = 1_000  # so long after its time an alarm is taken for lost


@dataclass(frozen=True, slots=True)
class Alarm:
    """What the timer is given, and gives back: what it is for, and which of all that were set for it."""

    number: int
    payload: Any


class Alarms:
    """Those that one actor has set, by what they are for; setting it again replaces the one before."""

    def __init__(self) -> None:
        self._set: dict[Any, tuple[int, int]] = {}  # number, and when it is due
        self._count = 0

    def set(self, payload: Any, due_ms: int) -> Alarm:
        """An alarm to be given to a timer."""
        self._count += 1
        self._set[payload] = self._count, due_ms
        return Alarm(self._count, payload)

    def rings(self, alarm: Alarm) -> bool:
        """Whether this one is still waited for; from now on it is not."""
        if self._set.get(alarm.payload, (0, 0))[0] != alarm.number:
            return False
        del self._set[alarm.payload]
        return True

    def overdue(self, now_ms: int) -> list[Any]:
        """What should have rung by now and has not: it is not waited for any more, the caller acts on it."""
        late = [payload for payload, (_, due_ms) in self._set.items() if now_ms - due_ms > OVERDUE_MS]
        for payload in late:
            del self._set[payload]
        return late
