"""NSE's lots, freeze quantities and expiry days by date."""

from __future__ import annotations

from datetime import date

import pytest

from domain.calendar import CalendarUnknown
from domain.market_rules import INDICES, RuleUnknown, expiry_weekday, freeze_for_level, freeze_qty, lot_size
from domain.market_rules import monthly_expiry as monthly
from domain.money import PRICE_SCALE


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2025, 8, 1), (600, 1800, 1800, 2800, 600)),
        (date(2025, 9, 30), (900, 1800, 1800, 2800, 600)),
        (date(2026, 1, 15), (600, 1800, 1200, 2800, 600)),
        (date(2026, 6, 30), (900, 1800, 1800, 2800, 600)),
        (date(2026, 7, 1), (600, 1800, 1800, 2800, 600)),  # BANKNIFTY fell from 900 overnight
    ],
)
def test_the_freeze_quantity_is_that_of_the_day(on: date, expected: tuple[int, ...]) -> None:
    assert tuple(freeze_qty(index, on) for index in INDICES) == expected


@pytest.mark.parametrize(
    ("underlying", "on"),
    [
        ("NIFTY", date(2025, 10, 6)),  # the circular is missing
        ("NIFTY", date(2026, 9, 1)),  # nothing is known after August 2026
        ("NIFTYNXT50", date(2026, 3, 10)),  # was not read
        ("NIFTY", date(2025, 3, 1)),
        ("RELIANCE", date(2026, 1, 5)),
    ],
)
def test_a_freeze_quantity_that_nobody_read_is_unknown(underlying: str, on: date) -> None:
    with pytest.raises(RuleUnknown, match=f"no freeze quantity of {underlying} on {on}"):
        freeze_qty(underlying, on)


@pytest.mark.parametrize(
    ("level", "units"),
    [(5_750, 8_500), (5_751, 5_500), (8_625, 5_500), (11_500, 4_200), (17_250, 2_800), (17_251, 1_800),
     (27_500, 1_800), (40_000, 1_200), (55_000, 900), (55_001, 600), (90_000, 600)],
)  # fmt: skip
def test_the_freeze_quantity_by_index_level_has_inclusive_upper_bounds(level: int, units: int) -> None:
    assert freeze_for_level(level * PRICE_SCALE) == units


@pytest.mark.parametrize(
    ("underlying", "expiry", "on", "lot"),
    [
        ("NIFTY", date(2025, 12, 23), date(2025, 12, 22), 75),  # the last weekly on old lots
        ("NIFTY", date(2025, 12, 30), date(2025, 12, 30), 75),
        ("NIFTY", date(2026, 1, 6), date(2025, 12, 29), 65),  # listed with the new lot
        ("NIFTY", date(2026, 1, 27), date(2026, 1, 5), 65),
        ("NIFTY", date(2026, 6, 30), date(2025, 12, 30), 75),  # long-dated: switched that evening
        ("NIFTY", date(2026, 6, 30), date(2025, 12, 31), 65),
        ("BANKNIFTY", date(2026, 3, 30), date(2025, 12, 30), 35),
        ("BANKNIFTY", date(2026, 3, 30), date(2025, 12, 31), 30),
        ("MIDCPNIFTY", date(2025, 12, 30), date(2025, 12, 1), 140),
        ("MIDCPNIFTY", date(2026, 1, 27), date(2026, 1, 5), 120),
        ("FINNIFTY", date(2026, 1, 27), date(2026, 1, 5), 60),
        ("NIFTYNXT50", date(2026, 1, 27), date(2026, 1, 5), 25),
    ],
)
def test_the_lot_is_that_of_the_series_and_of_the_day(underlying: str, expiry: date, on: date, lot: int) -> None:
    assert lot_size(underlying, expiry, on) == lot


def test_a_lot_that_nobody_read_is_unknown() -> None:
    for underlying, on in (("RELIANCE", date(2026, 1, 5)), ("NIFTY", date(2025, 7, 1)), ("NIFTY", date(2027, 1, 4))):
        with pytest.raises(RuleUnknown, match="no lot of"):
            lot_size(underlying, date(2026, 1, 27), on)


def test_contracts_expire_on_tuesdays_since_september_2025_and_before_a_holiday_a_session_earlier() -> None:
    assert expiry_weekday(date(2025, 8, 31)) == 3
    assert expiry_weekday(date(2025, 9, 1)) == 1
    assert [monthly(2025, 8), monthly(2025, 9), monthly(2026, 1)] == [
        date(2025, 8, 28), date(2025, 9, 30), date(2026, 1, 27),
    ]  # fmt: skip
    assert monthly(2026, 3) == date(2026, 3, 30)  # the 31st is a holiday
    with pytest.raises(CalendarUnknown):
        monthly(2031, 1)
