"""What an exchange and its broker allow, as one value."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec

from domain.calendar import FOREVER_NS, CalendarUnknown, MarketCalendar, Phase, calendar
from domain.money import PRICE_SCALE

NS = 1_000_000_000
MORNING_NS = 3_600 * NS  # an assignment is told an hour before the opening


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The house rules of one session.  Times are nanoseconds since 1970 UTC, percentages plain numbers (0.5 is 0.5 %).

    The default is a lenient house: always open, a billion in cash, no band, no throttle, cancels at once.
    """

    calendar: str = "always"  # whose sessions are kept, day after day: always, us_options, nse
    session_open_ns: int = 0  # 0: open since ever
    session_close_ns: int = 0  # 0: never closes; else day orders expire at this instant
    price_band_pct: float = 0.0  # a limit further than this from the contract's mid is refused; 0: off
    orders_per_second: int = 0  # submits and modifies in any second; cancels are never throttled; 0: off
    cash: int = 1_000_000_000 * PRICE_SCALE  # starting funds, an amount
    margin_check: bool = False
    withheld: int = 0  # of the cash: what the margin check leaves out, and tells no client; an amount
    cancel_latency_ns: int = 0  # a cancel takes effect so long after it was received; a fill may come first
    market_protection_pct: float = 0.0  # 0: market orders trade at any price; else they become limits and may rest
    deduplicate: bool = True  # a repeated client order id is refused; False: it is a second order
    max_tag_length: int = 128  # longest client order id
    assign_early: float = 0.0  # the chance that what is sold short of an American option is assigned before its expiry
    assign_after_ms: int = 60_000  # and without a calendar it is told so much later; with one, the next morning
    assign_seed: int = 0

    def __post_init__(self) -> None:
        calendar(self.calendar)
        if not 0 <= self.assign_early <= 1:
            raise ValueError(f"assign_early is {self.assign_early}; give a chance from 0 to 1")

    def in_session(self, now_ns: int) -> bool:
        """Whether orders are taken and matched at ``now_ns``; the opening instant is inside, the closing one is not."""
        own_hours = self.session_open_ns <= now_ns and (not self.session_close_ns or now_ns < self.session_close_ns)
        return own_hours and calendar(self.calendar).standing(now_ns).phase is Phase.OPEN

    def close_after(self, now_ns: int) -> int:
        """The end of the session after ``now_ns``, or of the one that it is in; 0 when none will end."""
        ends = [self.session_close_ns] if self.session_close_ns > now_ns else []
        standing, days = calendar(self.calendar).standing(now_ns), calendar(self.calendar)
        if standing.phase is not Phase.OPEN and standing.next_open_ns:
            standing = days.standing(standing.next_open_ns)
        if standing.phase is Phase.OPEN and standing.until_ns < FOREVER_NS:
            ends.append(standing.until_ns)
        return min(ends, default=0)

    def told_ns(self, now_ns: int) -> int:
        """When an assignment of ``now_ns`` is told: before the next opening, or after ``assign_after_ms``."""
        days = calendar(self.calendar)
        standing = days.standing(now_ns)
        if isinstance(days, MarketCalendar) and standing.phase is Phase.OPEN:
            standing = days.standing(standing.until_ns)
        if standing.next_open_ns:
            return max(now_ns, standing.next_open_ns - MORNING_NS)
        return now_ns + self.assign_after_ms * 1_000_000

    def expiry_ns(self, expiry: str) -> int:
        """The instant from which a contract with this ISO expiry date is dead.

        On the session's own day that is its close.  The session's day is the UTC date of its close, which holds for
        exchanges from India to the Americas.  On any other day it is what the calendar says: without one midnight UTC,
        and never for a day that the calendar does not cover.
        """
        day = date.fromisoformat(expiry)
        close = self.session_close_ns
        if close and datetime.fromtimestamp(close // NS, UTC).date() == day:
            return close
        try:
            return calendar(self.calendar).expiry_ns(day)
        except CalendarUnknown:
            return FOREVER_NS
