"""NSE symbols both ways, and the broker's list as the judge of what a symbol means."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.instruments import Instrument, Right, osi_symbol
from domain.market_rules import INDICES
from domain.money import PRICE_SCALE
from domain.symbols import AmbiguousSymbol, Contract, contract_of, nse_readings, nse_symbol, parse_nse, resolve

laws = settings(derandomize=True, deadline=None)


@pytest.mark.parametrize(
    ("symbol", "contract"),
    [
        ("NIFTY26JAN26000CE", Contract("NIFTY", date(2026, 1, 27), 26_000 * PRICE_SCALE, "C")),
        ("NIFTY2610626000CE", Contract("NIFTY", date(2026, 1, 6), 26_000 * PRICE_SCALE, "C")),
        ("NIFTY26O1326000PE", Contract("NIFTY", date(2026, 10, 13), 26_000 * PRICE_SCALE, "P")),
        ("NIFTYNXT502610665000PE", Contract("NIFTYNXT50", date(2026, 1, 6), 65_000 * PRICE_SCALE, "P")),
        ("M&M26JAN3000.5PE", Contract("M&M", date(2026, 1, 27), 30_005_000, "P")),
    ],
)
def test_a_symbol_is_read_and_written_the_same(symbol: str, contract: Contract) -> None:
    assert parse_nse(symbol) == contract
    assert nse_symbol(contract.root, contract.expiry, Right(contract.right), contract.strike) == symbol


def test_old_symbols_of_the_documentation_are_read() -> None:
    assert parse_nse("BANKNIFTY2392038000CE") == Contract("BANKNIFTY", date(2023, 9, 20), 380_000_000, "C")
    assert parse_nse("NIFTY20D1713600CE") == Contract("NIFTY", date(2020, 12, 17), 136_000_000, "C")


@laws
@given(
    root=st.sampled_from(INDICES),
    expiry=st.dates(date(2025, 1, 1), date(2026, 12, 31)),
    strike=st.integers(1, 10**7),
    right=st.sampled_from(Right),
)
def test_what_is_written_can_be_read_again(root: str, expiry: date, strike: int, right: Right) -> None:
    symbol = nse_symbol(root, expiry, right, strike * 500)
    assert Contract(root, expiry, strike * 500, right.value) in nse_readings(symbol)


def test_what_can_be_cut_in_two_places_is_refused_with_both_readings() -> None:
    with pytest.raises(AmbiguousSymbol, match=r"2 ways \(ABC 2023-09-20 38000 C; ABC2 2039-02-03 8000 C\)"):
        parse_nse("ABC2392038000CE")
    assert parse_nse("ABC2392038000CE", roots=["ABC"]).root == "ABC"


@pytest.mark.parametrize(
    "symbol", ["", "NIFTY", "NIFTY26JAN26000", "NIFTY26JAN0CE", "NIFTY2613999000CE", "nifty26JAN26000CE", "26JAN1CE"]
)
def test_what_is_no_nse_option_is_refused(symbol: str) -> None:
    with pytest.raises(ValueError, match="is not an NSE option symbol such as"):
        parse_nse(symbol)


@pytest.mark.parametrize(
    ("root", "expiry", "strike"),
    [("ni fty", date(2026, 1, 6), 1), ("NIFTY", date(1999, 1, 6), 1), ("NIFTY", date(2026, 1, 6), 0)],
)
def test_what_has_no_symbol_is_refused(root: str, expiry: date, strike: int) -> None:
    with pytest.raises(ValueError, match="no NSE symbol for root"):
        nse_symbol(root, expiry, Right.CALL, strike)


def listed(symbol: str, underlying: str, expiry: date, strike: int, right: Right = Right.CALL) -> Instrument:
    return Instrument(
        symbol=symbol, underlying=underlying, right=right, strike=strike * PRICE_SCALE, expiry=expiry.isoformat(),
        multiplier=1, lot_size=65, tick_size=500, freeze_qty=1800, style="european",
    )  # fmt: skip


def book(*instruments: Instrument) -> dict[str, Instrument]:
    return {instrument.symbol: instrument for instrument in instruments}


def test_the_brokers_list_decides_what_a_symbol_means() -> None:
    day = date(2026, 1, 6)
    kite = book(listed("NIFTY2610626000CE", "NIFTY", day, 26_000))
    osi = osi_symbol("NIFTY", day, Right.CALL, 26_000 * PRICE_SCALE)
    assert resolve(" NIFTY2610626000CE ", kite) == "NIFTY2610626000CE"
    assert resolve(osi, kite) == "NIFTY2610626000CE"
    assert resolve("NIFTY2610626000CE", book(listed(osi, "NIFTY", day, 26_000))) == osi
    assert resolve("NIFTY2610626000PE", kite) == "NIFTY2610626000PE"
    assert resolve("GOOG160115C00750000", {}) == "GOOG  160115C00750000"


def test_an_ambiguous_symbol_is_settled_by_the_list_or_refused() -> None:
    one = listed("abc", "ABC", date(2023, 9, 20), 38_000)
    two = listed("abc2", "ABC2", date(2039, 2, 3), 8_000)
    assert resolve("ABC2392038000CE", book(one)) == "abc"
    assert resolve("ABC2392038000CE", book(two)) == "abc2"
    with pytest.raises(AmbiguousSymbol, match="can mean abc, abc2; write the one that is meant"):
        resolve("ABC2392038000CE", book(one, two))


def test_a_monthly_contract_that_a_holiday_moved_is_found_by_its_own_day() -> None:
    moved = listed("NIFTY26MAR26000CE", "NIFTY", date(2026, 3, 30), 26_000)
    assert nse_symbol("NIFTY", date(2026, 3, 30), Right.CALL, moved.strike) == moved.symbol
    assert parse_nse(moved.symbol) == contract_of(moved)
    assert nse_symbol("NIFTY", date(2026, 3, 30) - timedelta(days=6), Right.CALL, moved.strike) == "NIFTY2632426000CE"


def test_an_underlying_is_no_contract() -> None:
    share = Instrument(
        symbol="X", underlying="X", right=None, strike=0, expiry="", multiplier=1, lot_size=1, tick_size=1, freeze_qty=1
    )
    with pytest.raises(ValueError, match="X is not an option"):
        contract_of(share)
