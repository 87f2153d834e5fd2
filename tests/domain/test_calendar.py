"""Sessions, phases and expiry moments of the dated table."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from domain.calendar import CALENDARS, NS, CalendarUnknown, MarketCalendar, Phase, calendar, has_expired


def at(text: str) -> int:
    """An instant given in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS


def market(name: str) -> MarketCalendar:
    found = CALENDARS[name]
    assert isinstance(found, MarketCalendar)
    return found


US, NSE = market("us_options"), market("nse")


@pytest.mark.parametrize(
    ("where", "when", "phase", "next_open"),
    [
        (US, "2026-11-20T14:29:59", Phase.PRE_OPEN, "2026-11-20T14:30"),
        (US, "2026-11-20T14:30:00", Phase.OPEN, ""),
        (US, "2026-11-20T20:59:59", Phase.OPEN, ""),
        (US, "2026-11-20T21:00:00", Phase.CLOSED, "2026-11-23T14:30"),  # a Friday: the weekend follows
        (US, "2026-11-26T16:00:00", Phase.CLOSED, "2026-11-27T14:30"),  # Thanksgiving
        (US, "2026-11-27T17:59:59", Phase.OPEN, ""),
        (US, "2026-11-27T18:00:00", Phase.CLOSED, "2026-11-30T14:30"),  # 13:00 in New York
        (US, "2026-12-24T18:00:00", Phase.CLOSED, "2026-12-28T14:30"),
        (US, "2026-07-06T13:30:00", Phase.OPEN, ""),  # summer time
        (NSE, "2026-02-01T03:44:59", Phase.PRE_OPEN, "2026-02-01T03:45"),
        (NSE, "2026-02-01T06:00:00", Phase.OPEN, ""),  # the Budget Sunday
        (NSE, "2026-02-01T10:00:00", Phase.CLOSED, "2026-02-02T03:45"),
        (NSE, "2026-01-15T06:00:00", Phase.CLOSED, "2026-01-16T03:45"),  # added by circular three days before
        (NSE, "2025-10-21T08:15:00", Phase.OPEN, ""),  # Muhurat, 13:45 in Mumbai
        (NSE, "2025-10-21T09:15:00", Phase.CLOSED, "2025-10-23T03:45"),
    ],
)
def test_the_phase_and_the_next_opening_follow_the_table(
    where: MarketCalendar, when: str, phase: Phase, next_open: str
) -> None:
    standing = where.standing(at(when))
    assert standing.phase is phase
    assert standing.next_open_ns == (at(next_open) if next_open else 0)
    assert (standing.text == "") == (phase is Phase.OPEN)
    assert standing.until_ns > at(when)


def test_a_phase_holds_until_the_moment_that_it_names() -> None:
    now, seen = at("2026-11-25T00:00:00"), []
    while now < at("2026-12-01T00:00:00"):
        standing = US.standing(now)
        assert US.standing(standing.until_ns - 1) == standing
        seen.append(standing.phase)
        now = standing.until_ns
    assert seen.count(Phase.OPEN) == 3


def test_what_the_table_does_not_cover_is_unknown_and_says_so() -> None:
    outside = US.standing(at("2031-03-03T15:00:00"))
    assert (outside.phase, outside.next_open_ns) == (Phase.UNKNOWN, 0)
    assert "covers 2015 to 2027 and says nothing about 2031-03-03" in outside.text
    muhurat = NSE.standing(at("2026-11-08T13:00:00"))
    assert muhurat.phase is Phase.UNKNOWN
    assert "does not know the hours of the special session of 2026-11-08" in muhurat.text
    evening_before = NSE.standing(at("2026-11-06T12:00:00"))
    assert (evening_before.phase, evening_before.next_open_ns) == (Phase.CLOSED, 0)
    assert "when it opens is not known" in evening_before.text
    with pytest.raises(CalendarUnknown, match="add the year"):
        US.expiry_ns(date(2030, 1, 18))


def test_a_closed_market_names_its_next_opening_on_the_exchanges_clock() -> None:
    text = US.standing(at("2026-11-20T22:00:00")).text
    assert text == "the us_options session is closed; it opens 2026-11-23 09:30 EST"


@pytest.mark.parametrize(
    ("where", "expiry", "dies"),
    [
        (US, date(2026, 11, 20), "2026-11-20T21:00"),
        (US, date(2026, 11, 27), "2026-11-27T18:00"),  # an early close
        (US, date(2026, 4, 3), "2026-04-02T20:00"),  # Good Friday: the last session before it
        (US, date(2015, 12, 19), "2015-12-18T21:00"),  # a Saturday, as symbols were dated once
        (NSE, date(2026, 1, 27), "2026-01-27T10:00"),
        (CALENDARS["always"], date(2026, 1, 27), "2026-01-28T00:00"),
    ],
)
def test_a_contract_dies_at_the_close_of_its_last_session(where: MarketCalendar, expiry: date, dies: str) -> None:
    assert where.expiry_ns(expiry) == at(dies)
    assert not has_expired(where, expiry.isoformat(), at(dies) - 1)
    assert has_expired(where, expiry.isoformat(), at(dies))


def test_far_contracts_live_although_the_table_does_not_reach_them_and_underlyings_never_die() -> None:
    assert not has_expired(US, "2031-01-17", at("2026-11-20T15:00:00"))
    assert not has_expired(US, "2031-01-17", at("2031-01-17T23:00:00"))
    assert has_expired(US, "2031-01-17", at("2031-01-18T06:00:00"))
    assert not has_expired(US, "", at("2026-11-20T15:00:00"))


def test_the_date_is_that_of_the_exchange() -> None:
    assert NSE.day(at("2026-01-05T19:00:00")) == date(2026, 1, 6)
    assert US.day(at("2026-01-06T04:00:00")) == date(2026, 1, 5)


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="no calendar is called 'lse'; choose one of always, us_options, nse"):
        calendar("lse")
