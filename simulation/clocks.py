"""The clocks of a simulated world that are not its schedule: the machine's wall clock, and the house's."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from simulation.schedule import SECOND_NS, Schedule

EPOCH_NS = 1_609_770_600 * SECOND_NS


class WallClock:
    """What :func:`time.time` says in a simulation.  It jumps, and nobody may decide anything by it (S12)."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.offset_ns = EPOCH_NS

    def time_ns(self) -> int:
        """As :func:`time.time_ns`."""
        return self._schedule.now_ns + self.offset_ns

    def time(self) -> float:
        """As :func:`time.time`."""
        return self.time_ns() / SECOND_NS

    @contextlib.contextmanager
    def instead(self) -> Iterator[None]:
        """Whoever asks the time of day is told this one."""
        real = time.time, time.time_ns
        time.time, time.time_ns = self.time, self.time_ns
        try:
            yield
        finally:
            time.time, time.time_ns = real


class HouseClock:
    """The exchange's time (:class:`venue.feed.Clock`): it may run faster or slower, and jump ahead."""

    def __init__(self, start_ns: int, started_s: float) -> None:
        self.start_ns, self._since_s = start_ns, started_s
        self.speed = 1.0

    def at(self, monotonic_s: float) -> int:
        """Exchange time at this reading of the machine's clock."""
        return self.start_ns + round((monotonic_s - self._since_s) * self.speed * SECOND_NS)

    def change(self, now_s: float, *, speed: float = 1.0, ahead_ns: int = 0) -> None:
        """From now on it runs at this speed, and so much further on."""
        self.start_ns, self._since_s, self.speed = self.at(now_s) + ahead_ns, now_s, speed
