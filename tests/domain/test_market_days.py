"""The dated table against exchange_calendars, a well-kept library; what it lacks is named here with the source."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import exchange_calendars
import pytest

from domain.calendar import CALENDARS, NS, CalendarUnknown, MarketCalendar

# Days on which the library is known to be wrong, and why we say so.
KNOWN_DIFFERENCES = {
    "us_options": {},
    "nse": {
        date(2025, 2, 1): "Union Budget session on a Saturday; not in XBOM",
        date(2025, 10, 21): "Muhurat session on a holiday, 13:45 to 14:45; not in XBOM",
        date(2026, 2, 1): "Union Budget session on a Sunday; not in XBOM",
        date(2026, 11, 8): "Muhurat session on a Sunday, hours not announced when the table was made; not in XBOM",
    },
}
Hours = tuple[datetime, datetime] | None


def ours(calendar: MarketCalendar, day: date) -> Hours | str:
    try:
        session = calendar.session(day)
    except CalendarUnknown:
        return "unknown"
    if session is None:
        return None
    return datetime.fromtimestamp(session.open_ns // NS, UTC), datetime.fromtimestamp(session.close_ns // NS, UTC)


def theirs(library: Any, day: date) -> Hours:
    label = day.isoformat()
    if label not in library.sessions:
        return None
    return library.session_open(label).to_pydatetime(), library.session_close(label).to_pydatetime()


@pytest.mark.filterwarnings("ignore:Series.values:DeprecationWarning")  # of pandas, inside of the library
@pytest.mark.parametrize(("name", "code"), [("us_options", "XNYS"), ("nse", "XBOM")])
def test_every_day_of_the_table_agrees_with_exchange_calendars_but_for_the_differences_named_here(
    name: str, code: str
) -> None:
    calendar = CALENDARS[name]
    assert isinstance(calendar, MarketCalendar)
    first, last = date(calendar.years[0], 1, 1), date(calendar.years[-1], 12, 31)
    library = exchange_calendars.get_calendar(code, start=first.isoformat(), end=last.isoformat())
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    different = {day for day in days if ours(calendar, day) != theirs(library, day)}
    assert different == set(KNOWN_DIFFERENCES[name])


def test_the_days_of_the_market_data_that_tests_replay_are_sessions() -> None:
    us = CALENDARS["us_options"]
    assert isinstance(us, MarketCalendar)
    hours = {day: ours(us, date.fromisoformat(day)) for day in ("2015-12-24", "2021-01-04", "2021-01-08", "2023-06-26")}
    assert all(isinstance(found, tuple) for found in hours.values())
    assert hours["2015-12-24"] == (datetime(2015, 12, 24, 14, 30, tzinfo=UTC), datetime(2015, 12, 24, 18, tzinfo=UTC))


def test_every_row_of_the_table_names_its_source() -> None:
    for name in KNOWN_DIFFERENCES:
        calendar = CALENDARS[name]
        assert isinstance(calendar, MarketCalendar)
        market = calendar.market
        assert all(row.source for row in market.years.values())
        assert all(row.source for row in market.specials.values())
