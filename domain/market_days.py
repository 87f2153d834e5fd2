"""On which days the markets trade, and when: a dated table, every row with its source.

It is a table and no rule, because holidays are decided year by year.  What it does not list is *unknown*, which the
rest of the system treats as "no new risk", never as an ordinary day.  A test compares it with exchange_calendars.
Dates of a year are written MM-DD.  To extend it, add a year from the exchange's own circular.
"""

from __future__ import annotations

from datetime import date, time
from typing import Final, NamedTuple

_XNYS: Final = "NYSE Rule 7.2, as listed by exchange_calendars 4.13.2 (XNYS)"
_XBOM: Final = "exchange_calendars 4.13.2 (XBOM); same weekday holidays as NSE"


class Year(NamedTuple):
    """The weekdays of a year without a session, and those that end early."""

    holidays: str
    early: str
    source: str


class Special(NamedTuple):
    """A session out of the ordinary; ``hours`` None: it takes place, and nobody has told us when."""

    hours: tuple[time, time] | None
    source: str


class Market(NamedTuple):
    """What a calendar is made of.  ``early_close`` is the end of the days that end early, local time."""

    zone: str
    opening: time
    closing: time
    early_close: time
    years: dict[int, Year]
    specials: dict[date, Special]


# Equity options at the US exchanges.  Some index options trade 15 minutes longer, which counts as closed here.
US_OPTIONS: Final = Market(
    zone="America/New_York",
    opening=time(9, 30),
    closing=time(16, 0),
    early_close=time(13, 0),
    years={
        2015: Year("01-01 01-19 02-16 04-03 05-25 07-03 09-07 11-26 12-25", "11-27 12-24", _XNYS),
        2016: Year("01-01 01-18 02-15 03-25 05-30 07-04 09-05 11-24 12-26", "11-25", _XNYS),
        2017: Year("01-02 01-16 02-20 04-14 05-29 07-04 09-04 11-23 12-25", "07-03 11-24", _XNYS),
        2018: Year("01-01 01-15 02-19 03-30 05-28 07-04 09-03 11-22 12-05 12-25", "07-03 11-23 12-24", _XNYS),
        2019: Year("01-01 01-21 02-18 04-19 05-27 07-04 09-02 11-28 12-25", "07-03 11-29 12-24", _XNYS),
        2020: Year("01-01 01-20 02-17 04-10 05-25 07-03 09-07 11-26 12-25", "11-27 12-24", _XNYS),
        2021: Year("01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24", "11-26", _XNYS),
        2022: Year("01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26", "11-25", _XNYS),
        2023: Year("01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25", "07-03 11-24", _XNYS),
        2024: Year("01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25", "07-03 11-29 12-24", _XNYS),
        2025: Year("01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25", "07-03 11-28 12-24", _XNYS),
        2026: Year("01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25", "11-27 12-24", _XNYS),
        2027: Year("01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24", "11-26", _XNYS),
    },
    specials={},
)

NSE: Final = Market(
    zone="Asia/Kolkata",
    opening=time(9, 15),
    closing=time(15, 30),
    early_close=time(15, 30),  # NSE has none
    years={
        2025: Year("02-26 03-14 03-31 04-10 04-14 04-18 05-01 08-15 08-27 10-02 10-21 10-22 11-05 12-25", "", _XBOM),
        2026: Year(
            "01-15 01-26 03-03 03-26 03-31 04-03 04-14 05-01 05-28 06-26 09-14 10-02 10-20 11-10 11-24 12-25",
            "",
            "NSE circular NSE/CMTR/71775 of 2025-12-12; 15 January (municipal election) by circular of 2026-01-12",
        ),
    },
    specials={
        date(2025, 2, 1): Special((time(9, 15), time(15, 30)), "Union Budget, a Saturday; NSE notice of December 2024"),
        date(2025, 10, 21): Special((time(13, 45), time(14, 45)), "Muhurat; NSE notice of 2025-09-22"),
        date(2026, 2, 1): Special((time(9, 15), time(15, 30)), "Union Budget, a Sunday; NSE notice of January 2026"),
        date(2026, 11, 8): Special(None, "Muhurat, NSE/CMTR/71775, which leaves the hours to a later circular"),
    },
)
