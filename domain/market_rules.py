"""What NSE lets an order be, by date: lots, freeze quantities, expiry days.  Every row with its source.

Lots and freeze quantities change by circular, so they are no constants.  The broker's instrument list is
authoritative; this table fills what the list leaves out, says what to expect, and answers :class:`RuleUnknown` where
nothing was read.  US options have one contract as the lot and no freeze quantity by law: the broker says its own.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, timedelta
from typing import Final, NamedTuple

from domain.calendar import CALENDARS, MarketCalendar
from domain.money import PRICE_SCALE

_CIRCULARS: Final = "NSE circulars as summarised in rhnvrm/stock-market-circulars @f54a77839"
INDICES: Final = ("BANKNIFTY", "NIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50")


class RuleUnknown(ValueError):
    """The table says nothing about this; the message says what is missing."""


class Freeze(NamedTuple):
    """Largest orders in units, in the order of ``INDICES``, from ``since`` to the next row; 0: was not read."""

    since: date
    until: date  # the last day that this row is known to hold
    units: tuple[int, ...]
    source: str


FREEZES: Final = (
    Freeze(date(2025, 3, 3), date(2025, 3, 31), (900, 1800, 1800, 4200, 600), _CIRCULARS),
    Freeze(date(2025, 8, 1), date(2025, 8, 31), (600, 1800, 1800, 2800, 600), _CIRCULARS),
    Freeze(date(2025, 9, 1), date(2025, 9, 30), (900, 1800, 1800, 2800, 600), _CIRCULARS),
    Freeze(date(2025, 11, 3), date(2025, 11, 30), (600, 1800, 1800, 2800, 600), _CIRCULARS),
    Freeze(date(2025, 12, 1), date(2026, 1, 31), (600, 1800, 1200, 2800, 600), _CIRCULARS),
    Freeze(date(2026, 2, 1), date(2026, 3, 1), (600, 1800, 1800, 2800, 600), _CIRCULARS),
    Freeze(date(2026, 3, 2), date(2026, 3, 31), (600, 1800, 1200, 2800, 0), _CIRCULARS),
    Freeze(date(2026, 4, 1), date(2026, 6, 30), (900, 1800, 1800, 2800, 600), _CIRCULARS),
    Freeze(date(2026, 7, 1), date(2026, 8, 31), (600, 1800, 1800, 2800, 600), _CIRCULARS),
)

# Up to this index level -> the largest order.  NSE circular, as told by 5paisa.
FREEZE_BY_LEVEL: Final = (
    (5_750, 8_500),
    (8_625, 5_500),
    (11_500, 4_200),
    (17_250, 2_800),
    (27_500, 1_800),
    (40_000, 1_200),
    (55_000, 900),
)
FREEZE_ABOVE: Final = 600


class Lots(NamedTuple):
    """Lot of each index in one generation of contracts."""

    units: dict[str, int]
    source: str


OLD_LOTS: Final = Lots(
    {"NIFTY": 75, "BANKNIFTY": 35, "FINNIFTY": 65, "MIDCPNIFTY": 140, "NIFTYNXT50": 25},
    "NSE circular NSE/FAOP/70616 of 2025-10-03: up to the December 2025 series",
)
NEW_LOTS: Final = Lots(
    {"NIFTY": 65, "BANKNIFTY": 30, "FINNIFTY": 60, "MIDCPNIFTY": 120, "NIFTYNXT50": 25},
    "NSE circular NSE/FAOP/70616 of 2025-10-03: from the January 2026 series",
)
LOTS_KNOWN_FROM: Final = date(2025, 8, 1)  # before that the old lots were not read for every index
LOTS_KNOWN_UNTIL: Final = date(2026, 12, 31)
LAST_OLD_DAY: Final = date(2025, 12, 30)  # last expiry on old lots, and the evening on which long contracts switched
LONG_DATED: Final = frozenset({"NIFTY", "BANKNIFTY"})  # these have quarterly contracts that were listed before
QUARTER_ENDS: Final = frozenset({3, 6, 9, 12})

TUESDAY_SINCE: Final = date(2025, 9, 1)  # NSE contracts expire on Tuesdays; on Thursdays before
TUESDAY, THURSDAY = 1, 3


def freeze_qty(underlying: str, on: date) -> int:
    """The largest order in options of this index on this day, in units; need not be whole lots.

    Raises :class:`RuleUnknown` for anything else and for days of which no circular was read.
    """
    row = next((row for row in reversed(FREEZES) if row.since <= on <= row.until), None)
    units = row.units[INDICES.index(underlying)] if row and underlying in INDICES else 0
    if not units:
        raise RuleUnknown(f"no freeze quantity of {underlying} on {on} is in domain/market_rules.py")
    return units


def freeze_for_level(index_level: int) -> int:
    """The largest order in an index's options by the level of the index (ten-thousandths), when NSE sets it anew."""
    levels = [level * PRICE_SCALE for level, _ in FREEZE_BY_LEVEL]
    at = bisect_right(levels, index_level - 1)  # a level is the last of its row
    return FREEZE_BY_LEVEL[at][1] if at < len(FREEZE_BY_LEVEL) else FREEZE_ABOVE


def lot_size(underlying: str, expiry: date, on: date) -> int:
    """The lot of options of this index with this expiry, as it is on the day ``on``.

    The January 2026 series and all later ones were listed with the new lots; quarterly contracts that existed before
    switched in the evening of 2025-12-30.  Raises :class:`RuleUnknown`.
    """
    if underlying not in OLD_LOTS.units or not LOTS_KNOWN_FROM <= on <= LOTS_KNOWN_UNTIL:
        raise RuleUnknown(f"no lot of {underlying} on {on} is in domain/market_rules.py")
    quarterly = underlying in LONG_DATED and expiry.month in QUARTER_ENDS
    old = expiry <= LAST_OLD_DAY or (quarterly and on <= LAST_OLD_DAY)
    return (OLD_LOTS if old else NEW_LOTS).units[underlying]


def expiry_weekday(day: date) -> int:
    """On which weekday (Monday is 0) NSE contracts of that time expire: Tuesday since 2025-09-01, Thursday before."""
    return TUESDAY if day >= TUESDAY_SINCE else THURSDAY


def monthly_expiry(year: int, month: int) -> date:
    """The last day of a month's contract: its last expiry weekday, or the session before that.

    Raises :class:`domain.calendar.CalendarUnknown` outside of the table's years.
    """
    day = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    while day.weekday() != expiry_weekday(day):
        day -= timedelta(days=1)
    nse = CALENDARS["nse"]
    assert isinstance(nse, MarketCalendar)
    return nse.day(nse.expiry_ns(day) - 1)
