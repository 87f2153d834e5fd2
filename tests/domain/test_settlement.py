"""Exercise and assignment by the rules: in the money or not, in cash or in shares, and which way the shares go (S4)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from msgspec.structs import replace

from domain.calendar import CALENDARS
from domain.instruments import Instrument, Right, osi_symbol, parse_osi
from domain.money import PRICE_SCALE
from domain.settlement import (
    Delivery,
    at_expiry,
    exercised_by_exception,
    expiry_ns,
    in_the_money,
    intrinsic,
    underlying_units,
)
from domain.symbols import parse_nse

STRIKE = 100 * PRICE_SCALE


def option(right: Right = Right.CALL, **changes: object) -> Instrument:
    made = Instrument(
        symbol=osi_symbol("ACME", date(2026, 1, 9), right, STRIKE),
        underlying="ACME",
        right=right,
        strike=STRIKE,
        expiry="2026-01-09",
        multiplier=100,
        lot_size=1,
        tick_size=500,
        freeze_qty=50,
    )
    return replace(made, **changes)


SHARE = replace(option(), symbol="ACME", right=None, strike=0, expiry="")


def test_exercise_strike() -> None:
    """The strike that exercise is settled at is the one that the symbol spells, OSI and NSE."""
    contract = option()
    assert parse_osi(contract.symbol)[3] == contract.strike == at_expiry(contract, 1, STRIKE + 100).price
    assert parse_osi("AAPL  260918C00260000")[3] == 260 * PRICE_SCALE
    assert parse_nse("NIFTY2610626000CE").strike == 26_000 * PRICE_SCALE


def test_exercise_is_option() -> None:
    assert option().is_option
    assert not SHARE.is_option
    assert not in_the_money(SHARE, 10**9)
    assert not exercised_by_exception(SHARE, 10**9)


@pytest.mark.parametrize(("spot", "worth"), [(STRIKE - 1, 0), (STRIKE, 0), (STRIKE + 1, 1), (STRIKE + 30_000, 30_000)])
def test_exercise_itm_call(spot: int, worth: int) -> None:
    assert intrinsic(option(), spot) == worth
    assert in_the_money(option(), spot) == (worth > 0)


@pytest.mark.parametrize(("spot", "worth"), [(STRIKE + 1, 0), (STRIKE, 0), (STRIKE - 1, 1), (STRIKE - 30_000, 30_000)])
def test_exercise_itm_put(spot: int, worth: int) -> None:
    assert intrinsic(option(Right.PUT), spot) == worth
    assert in_the_money(option(Right.PUT), spot) == (worth > 0)


def test_exercise_by_exception_begins_at_a_cent() -> None:
    assert not exercised_by_exception(option(), STRIKE + 99)
    assert exercised_by_exception(option(), STRIKE + 100)
    assert not exercised_by_exception(option(Right.PUT), STRIKE - 99)
    assert exercised_by_exception(option(Right.PUT), STRIKE - 100)


@pytest.mark.parametrize(
    ("right", "held", "shares"),
    [(Right.CALL, 2, 200), (Right.CALL, -2, -200), (Right.PUT, 2, -200), (Right.PUT, -2, 200)],
)
def test_long_calls_and_short_puts_take_the_underlying_and_the_others_give_it(
    right: Right, held: int, shares: int
) -> None:
    contract = option(right)
    spot = STRIKE + (10_000 if right is Right.CALL else -10_000)
    assert underlying_units(contract, held) == shares
    assert at_expiry(contract, held, spot) == Delivery(True, "ACME", shares, STRIKE)


@pytest.mark.parametrize(
    ("style", "settlement", "cash"),
    [
        ("american", "", False),
        ("european", "", True),
        ("european", "physical", False),  # stock options at NSE
        ("american", "cash", True),  # OEX
    ],
)
def test_the_settlement_follows_the_style_unless_the_instrument_says_otherwise(
    style: str, settlement: str, cash: bool
) -> None:
    contract = option(style=style, settlement=settlement)
    assert contract.settles_in_cash is cash
    end = at_expiry(contract, -3, STRIKE + 25_000)
    assert (end.cash_per_unit, end.quantity) == ((25_000, 0) if cash else (0, -300))


def test_what_is_worthless_expires_and_moves_nothing() -> None:
    assert at_expiry(option(), 5, STRIKE) == Delivery(False)


@pytest.mark.parametrize(
    ("calendar", "dies"),
    [
        ("us_options", datetime(2026, 1, 9, 21, tzinfo=UTC)),
        ("nse", datetime(2026, 1, 9, 10, tzinfo=UTC)),
        ("always", datetime(2026, 1, 10, tzinfo=UTC)),
    ],
)
def test_a_contract_expires_by_the_calendar_and_the_time_zone_of_its_exchange(calendar: str, dies: datetime) -> None:
    assert expiry_ns(option(), CALENDARS[calendar]) == int(dies.timestamp()) * 10**9
    with pytest.raises(ValueError, match="ACME never expires"):
        expiry_ns(SHARE, CALENDARS[calendar])
