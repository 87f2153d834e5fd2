"""The end of a session inside a run: the house closes, a night passes, and the next session opens.

On an option's last day it expires with that close, and what is held of it is settled.  A night has no quotes and takes
no time of the machine: the house's clock goes on to shortly before the opening once nothing is under way any more, as
after hours nothing is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from domain.calendar import calendar
from simulation.schedule import MS

if TYPE_CHECKING:
    from simulation.faults import Faults
    from simulation.tape import Corners, Tape
    from simulation.world import World

CALENDAR: Final = "us_options"
START_NS: Final = 1_609_770_600 * 10**9  # 2021-01-04 14:30 UTC
CLOSES: Final = {
    "F.broker.session_end": 1_609_794_000 * 10**9,  # 2021-01-04 21:00 UTC, a Monday
    "F.broker.expiry": 1_610_744_400 * 10**9,  # 2021-01-15 21:00 UTC, the last day of the simulated chain
}
PRICE: Final = 1_000_000  # of the underlying, in ten-thousandths
OF_FAULTS: Final[Corners] = {"the underlying stands at": (PRICE, 930_000, 1_070_000, 975_000, 1_050_000)}
LOOK_NS: Final = 130 * MS  # no multiple of what the house says by itself


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """When a run begins, and which end of a session it sees; ``fault`` "": none."""

    fault: str = ""
    start_ns: int = START_NS
    night_ms: int = 0  # of the machine: so long nothing happens after the close at least
    early_ms: int = 0  # so long before the opening the house's clock goes on
    spot: int = PRICE  # of the underlying

    @property
    def calendar(self) -> str:
        """Whose sessions are kept."""
        return CALENDAR if self.fault else "always"

    @property
    def close_ns(self) -> int:
        """The end of the session."""
        return CLOSES[self.fault]

    @property
    def open_ns(self) -> int:
        """The beginning of the next one."""
        return calendar(CALENDAR).standing(self.close_ns).next_open_ns


def draw_hours(tape: Tape, faults: Faults, fire_ms: int) -> Hours:
    """Whether a session ends in this run, and when."""
    fault = next((name for name in CLOSES if faults.comes(name)), "")
    if not fault:
        return Hours()
    ends_ms = tape.between("the session ends after, ms", 500, fire_ms)
    return Hours(
        fault=fault,
        start_ns=CLOSES[fault] - ends_ms * MS,
        night_ms=tape.between("a night lasts, ms", 500, 4_000),
        early_ms=tape.between("before the opening, ms", 100, 3_000),
        spot=tape.corner("the underlying stands at", OF_FAULTS),
    )


class Night:
    """What lies between the two sessions of a run.  Whatever heals, the night passes, and the house opens again."""

    def __init__(self, world: World) -> None:
        self.world, self.hours = world, world.scenario.hours
        self.is_over = not self.hours.fault
        self._slept_ns = 0
        self.leaps: list[tuple[int, int]] = []  # of the house's clock, in no time of the machine

    def await_close(self) -> None:
        """Look for the end of the session, and then for that of the night."""
        if self.is_over:
            return
        world, now_ns = self.world, self.world.server.now_ns
        if now_ns >= self.hours.open_ns:
            self.is_over = True
            return
        if now_ns >= self.hours.close_ns:
            if not self._slept_ns and world.faults.rates:
                world.faults.note(self.hours.fault)
            self._slept_ns += LOOK_NS
            asleep = now_ns >= self.hours.open_ns - self.hours.early_ms * MS
            if not asleep and self._slept_ns > self.hours.night_ms * MS and self._is_quiet():
                self._pass()
        world.schedule.at(world.schedule.now_ns + LOOK_NS, self.await_close)

    def _is_quiet(self) -> bool:
        """Nobody hangs, and nothing is on its way: in real hours all of it would have come to an end."""
        base, now_ns = self.world.base, self.world.schedule.now_ns
        waiting = (*base.held.values(), *(process.stopped_until_ns for process in base.processes.values()))
        return max(waiting, default=0) <= now_ns and self.world.network.is_quiet()

    def _pass(self) -> None:
        world = self.world
        until_ns = self.hours.open_ns - self.hours.early_ms * MS
        world.market.asleep_until_ns = until_ns
        now_ns = world.clock.at(world.schedule.monotonic())
        ahead_ns = until_ns - now_ns
        self.leaps.append((now_ns, max(now_ns, until_ns)))
        world.clock.change(world.schedule.monotonic(), speed=world.clock.speed, ahead_ns=max(0, ahead_ns))
