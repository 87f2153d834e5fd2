"""What an exchange and its broker allow, as one value."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec

from domain.money import PRICE_SCALE

NS = 1_000_000_000


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The house rules of one session.  Times are nanoseconds since 1970 UTC, percentages plain numbers (0.5 is 0.5 %).

    The default is a lenient house: always open, a billion in cash, no band, no throttle, cancels at once.
    """

    session_open_ns: int = 0  # 0: open since ever
    session_close_ns: int = 0  # 0: never closes; else day orders expire at this instant
    price_band_pct: float = 0.0  # a limit further than this from the contract's mid is refused; 0: off
    orders_per_second: int = 0  # submits and modifies in any second; cancels are never throttled; 0: off
    cash: int = 1_000_000_000 * PRICE_SCALE  # starting funds, an amount
    margin_check: bool = False
    cancel_latency_ns: int = 0  # a cancel takes effect so long after it was received; a fill may come first
    market_protection_pct: float = 0.0  # 0: market orders trade at any price; else they become limits and may rest
    deduplicate: bool = True  # a repeated client order id is refused; False: it is a second order
    max_tag_length: int = 128  # longest client order id

    def in_session(self, now_ns: int) -> bool:
        """Whether orders are taken and matched at ``now_ns``; the opening instant is inside, the closing one is not."""
        return self.session_open_ns <= now_ns and (not self.session_close_ns or now_ns < self.session_close_ns)

    def expiry_ns(self, expiry: str) -> int:
        """The instant from which a contract with this ISO expiry date is dead.

        On the session's own day that is its close.  The session's day is the UTC date of its close, which holds for
        exchanges from India to the Americas.  Any other day ends at midnight UTC.
        """
        day = date.fromisoformat(expiry)
        close = self.session_close_ns
        if close and datetime.fromtimestamp(close // NS, UTC).date() == day:
            return close
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        return int(midnight.timestamp()) * NS
