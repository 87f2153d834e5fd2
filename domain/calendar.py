"""When a market trades: sessions, phases, exchange dates and the moments at which contracts die.

All instants are ns since 1970 UTC.  What the table of :mod:`domain.market_days` does not cover raises
:class:`CalendarUnknown` or is the phase UNKNOWN: it is never taken for an ordinary day.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import lru_cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import msgspec

from domain.market_days import NSE, US_OPTIONS, Market

NS: Final = 1_000_000_000
YEAR_S: Final = 365 * 24 * 3600
FOREVER_NS: Final = 2**63 - 1
LOOK_AHEAD_DAYS: Final = 15  # no market of the table is closed for longer


class CalendarUnknown(ValueError):
    """The calendar says nothing about this day; the message says which, and what to do."""


class Phase(Enum):
    """Where a trading day is.  Only OPEN takes orders that can trade."""

    PRE_OPEN = "pre-open"  # a trading day, before its opening
    OPEN = "open"
    CLOSED = "closed"
    HALTED = "halted"  # by the exchange's word; no calendar knows it beforehand
    UNKNOWN = "unknown"


class Session(msgspec.Struct, frozen=True):
    """One session; the opening instant is inside, the closing one is not."""

    day: date
    open_ns: int
    close_ns: int


class Standing(msgspec.Struct, frozen=True):
    """Where a market is: it stays so until ``until_ns``.  ``next_open_ns`` 0: open now, or not known.

    ``opened_ns``: when the session began that is open; 0 where none is, or where it has no beginning.
    """

    phase: Phase
    until_ns: int
    text: str = ""  # why it is not open, and when it will be; "" when it is
    next_open_ns: int = 0
    opened_ns: int = 0


OPEN_ALWAYS: Final = Standing(Phase.OPEN, FOREVER_NS)


class Calendar(Hashable, Protocol):
    """A market's days."""

    @property
    def name(self) -> str: ...

    def day(self, now_ns: int) -> date:
        """The exchange's date at this instant."""

    def instant(self, day: date, at: time) -> int:
        """When the exchange's clocks show this, in ns."""

    def standing(self, now_ns: int) -> Standing:
        """Where the market is at this instant."""

    def expiry_ns(self, expiry: date) -> int:
        """The instant from which a contract with this last day is dead; raises :class:`CalendarUnknown`."""


class AlwaysOpen:
    """A market that never closes; its days are those of UTC, and contracts die at the end of their last one."""

    name = "always"

    def day(self, now_ns: int) -> date:
        return datetime.fromtimestamp(now_ns // NS, UTC).date()

    def instant(self, day: date, at: time) -> int:
        return int(datetime.combine(day, at, UTC).timestamp()) * NS

    def standing(self, now_ns: int) -> Standing:  # noqa: ARG002
        return OPEN_ALWAYS

    def expiry_ns(self, expiry: date) -> int:
        return self.instant(expiry + timedelta(days=1), time())


class MarketCalendar:
    """A market of the table."""

    def __init__(self, name: str, market: Market) -> None:
        self.name = name
        self.market = market
        self._zone = ZoneInfo(market.zone)
        self._holidays = {_date(year, day) for year, row in market.years.items() for day in row.holidays.split()}
        self._early = {_date(year, day) for year, row in market.years.items() for day in row.early.split()}
        self.session = lru_cache(maxsize=64)(self._session)

    @property
    def years(self) -> range:
        """The years that the table covers."""
        return range(min(self.market.years), max(self.market.years) + 1)

    def day(self, now_ns: int) -> date:
        return datetime.fromtimestamp(now_ns // NS, self._zone).date()

    def _session(self, day: date) -> Session | None:
        """The session of ``day``, ``None`` on a day without one.  Raises :class:`CalendarUnknown`."""
        market = self.market
        if day.year not in market.years:
            raise CalendarUnknown(
                f"the {self.name} calendar covers {self.years[0]} to {self.years[-1]} and says nothing about {day}; "
                "add the year to domain/market_days.py"
            )
        if special := market.specials.get(day):
            if special.hours is None:
                raise CalendarUnknown(
                    f"the {self.name} calendar does not know the hours of the special session of {day} "
                    f"({special.source}); add them to domain/market_days.py"
                )
            return self._between(day, *special.hours)
        if day.weekday() >= 5 or day in self._holidays:
            return None
        return self._between(day, market.opening, market.early_close if day in self._early else market.closing)

    def _between(self, day: date, opening: time, closing: time) -> Session:
        return Session(day, self.instant(day, opening), self.instant(day, closing))

    def instant(self, day: date, at: time) -> int:
        return int(datetime.combine(day, at, self._zone).timestamp()) * NS

    def standing(self, now_ns: int) -> Standing:
        day = self.day(now_ns)
        midnight_ns = self.instant(day + timedelta(days=1), time())
        try:
            session = self.session(day)
        except CalendarUnknown as unknown:
            return Standing(Phase.UNKNOWN, midnight_ns, str(unknown))
        if session and session.open_ns <= now_ns < session.close_ns:
            return Standing(Phase.OPEN, session.close_ns, opened_ns=session.open_ns)
        if session and now_ns < session.open_ns:
            text = f"the {self.name} session has not begun; it opens {self.wall(session.open_ns)}"
            return Standing(Phase.PRE_OPEN, session.open_ns, text, session.open_ns)
        next_open_ns, when = self._next_opening(day)
        until_ns = min(midnight_ns, next_open_ns or midnight_ns)
        return Standing(Phase.CLOSED, until_ns, f"the {self.name} session is closed; {when}", next_open_ns)

    def _next_opening(self, day: date) -> tuple[int, str]:
        """The opening after ``day`` and a phrase that says when; 0 and why when it is not known."""
        for ahead in range(1, LOOK_AHEAD_DAYS):
            try:
                session = self.session(day + timedelta(days=ahead))
            except CalendarUnknown as unknown:
                return 0, f"when it opens is not known: {unknown}"
            if session:
                return session.open_ns, f"it opens {self.wall(session.open_ns)}"
        return 0, f"it does not open within {LOOK_AHEAD_DAYS} days"

    def wall(self, at_ns: int) -> str:
        """An instant as the exchange's clocks show it."""
        return f"{datetime.fromtimestamp(at_ns // NS, self._zone):%Y-%m-%d %H:%M %Z}"

    def expiry_ns(self, expiry: date) -> int:
        """The close of the contract's last session: of its expiry day, or of the last session before that."""
        for back in range(LOOK_AHEAD_DAYS):
            session = self.session(expiry - timedelta(days=back))
            if session:
                return session.close_ns
        raise CalendarUnknown(f"the {self.name} calendar has no session in the {LOOK_AHEAD_DAYS} days up to {expiry}")


def _date(year: int, month_day: str) -> date:
    return date.fromisoformat(f"{year}-{month_day}")


class Day(msgspec.Struct, frozen=True):
    """One day on the exchange's clocks, midnight to midnight: the supported markets' sessions do not cross it."""

    date: date
    start_ns: int
    end_ns: int

    def __contains__(self, at_ns: int) -> bool:
        return self.start_ns <= at_ns < self.end_ns


def day_at(calendar: Calendar, now_ns: int) -> Day:
    """The exchange's day at this instant."""
    day = calendar.day(now_ns)
    return Day(day, calendar.instant(day, time()), calendar.instant(day + timedelta(days=1), time()))


@lru_cache(maxsize=4_096)
def death_ns(calendar: Calendar, expiry: str) -> int:
    """:meth:`Calendar.expiry_ns` of an ISO date; where the calendar cannot tell, the end of that day at the exchange.

    So on the last day of a year that the calendar does not know, a contract lives to the end of that day: reducing must
    stay possible, and new risk is not allowed then anyway.  Kept, because every look at a group asks.
    """
    last = date.fromisoformat(expiry)
    try:
        return calendar.expiry_ns(last)
    except CalendarUnknown:
        return calendar.instant(last + timedelta(days=1), time())


@lru_cache(maxsize=4_096)
def settled_ns(calendar: Calendar, expiry: str) -> int:
    """When an account is through with a contract that died: at the opening after its death, or with it where the market
    never closes or nobody knows when it opens.  Clearing houses settle an expiry between the two."""
    died_ns = death_ns(calendar, expiry)
    return calendar.standing(died_ns).next_open_ns or died_ns


def years_left(calendar: Calendar, expiry: str, now_ns: int) -> float:
    """Until a contract dies, as pricing counts it; ``expiry`` is its ISO date, 0 for "", which never does."""
    return max(0, death_ns(calendar, expiry) - now_ns) / (YEAR_S * NS) if expiry else 0.0


def has_expired(calendar: Calendar, expiry: str, now_ns: int) -> bool:
    """Whether a contract is dead at ``now_ns``; ``expiry`` is its ISO date, "" never expires."""
    return bool(expiry) and now_ns >= death_ns(calendar, expiry)


CALENDARS: Final[dict[str, Calendar]] = {
    "always": AlwaysOpen(),
    "us_options": MarketCalendar("us_options", US_OPTIONS),
    "nse": MarketCalendar("nse", NSE),
}


def calendar(name: str) -> Calendar:
    """The calendar of this name; raises ``ValueError`` that lists the names for any other."""
    if name not in CALENDARS:
        raise ValueError(f"no calendar is called {name!r}; choose one of {', '.join(CALENDARS)}")
    return CALENDARS[name]
