"""Instruments: order limits in whole lots, expiry, and OSI symbols both ways."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.instruments import Instrument, Right, canonical_symbol, osi_symbol, parse_osi

laws = settings(derandomize=True, deadline=None)
roots = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=6)
contracts = st.tuples(
    roots,
    st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    st.sampled_from(Right),
    st.integers(1, 10**8 - 1).map(lambda thousandths: thousandths * 10),
)


def instrument(**told: object) -> Instrument:
    fields: dict[str, object] = {
        "symbol": "NIFTY",
        "underlying": "NIFTY",
        "right": None,
        "strike": 0,
        "expiry": "",
        "multiplier": 1,
        "lot_size": 65,
        "tick_size": 500,
        "freeze_qty": 1800,
    }
    return Instrument(**(fields | told))  # type: ignore[arg-type]


@laws
@given(contracts)
def test_a_contract_survives_its_symbol(contract: tuple[str, date, Right, int]) -> None:
    symbol = osi_symbol(*contract)
    assert len(symbol) == 21
    assert parse_osi(symbol) == contract
    assert parse_osi(symbol.replace(" ", "")) == contract


@laws
@given(contracts, st.sampled_from(["", " ", "\t", "\n"]), st.booleans())
def test_every_spelling_of_a_contract_has_one_canonical_symbol(
    contract: tuple[str, date, Right, int], blank: str, compact: bool
) -> None:
    symbol = osi_symbol(*contract)
    spelled = symbol.replace(" ", "") if compact else symbol
    assert canonical_symbol(blank + spelled + blank) == symbol
    assert canonical_symbol(symbol) == symbol


@laws
@given(st.text(max_size=24))
def test_any_other_symbol_stays_itself(text: str) -> None:
    bare = canonical_symbol(text)
    assert canonical_symbol(bare) == bare
    assert "".join(bare.split()) == "".join(text.split())


def test_the_symbols_of_the_standard_are_written_as_it_prints_them() -> None:
    assert osi_symbol("AAPL", date(2026, 9, 18), Right.CALL, 2_600_000) == "AAPL  260918C00260000"
    assert parse_osi("SPXW210104P03725500") == ("SPXW", date(2021, 1, 4), Right.PUT, 37_255_000)


@pytest.mark.parametrize(
    ("root", "expiry", "strike"),
    [
        ("", date(2026, 1, 1), 10_000),
        ("TOOLONG", date(2026, 1, 1), 10_000),
        ("A B", date(2026, 1, 1), 10_000),
        ("ABC ", date(2026, 1, 1), 10_000),
        ("ÄBC", date(2026, 1, 1), 10_000),
        ("ABC", date(1999, 1, 1), 10_000),
        ("ABC", date(2100, 1, 1), 10_000),
        ("ABC", date(2026, 1, 1), 0),
        ("ABC", date(2026, 1, 1), -10_000),
        ("ABC", date(2026, 1, 1), 10_005),
        ("ABC", date(2026, 1, 1), 10**9),
    ],
)
def test_a_contract_that_no_symbol_can_name_is_refused(root: str, expiry: date, strike: int) -> None:
    with pytest.raises(ValueError, match="no OSI symbol for root"):
        osi_symbol(root, expiry, Right.CALL, strike)


@pytest.mark.parametrize(
    "symbol",
    [
        "",
        "NIFTY",
        "160115C00750000",
        "      160115C00750000",
        " GOOG 160115C00750000",
        "GOOG 160115C00750000",
        "GO OG 160115C00750000",
        "TOOLONG160115C00750000",
        "GOOG  160115X00750000",
        "GOOG  160115c00750000",
        "GOOG  160115C00000000",
        "GOOG  160115C0075000²",
        "GOOG  ٣60115C00750000",
        "GOOG  160115C007500.0",
    ],
)
def test_what_is_no_osi_symbol_is_refused(symbol: str) -> None:
    with pytest.raises(ValueError, match="is not an OSI option symbol such as"):
        parse_osi(symbol)


def test_a_symbol_of_a_day_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="names a day that does not exist"):
        parse_osi("GOOG  160230C00750000")


@pytest.mark.parametrize(
    ("lot", "freeze", "inclusive", "largest"),
    [
        (65, 1800, True, 1755),
        (120, 2800, True, 2760),
        (30, 600, True, 600),
        (30, 600, False, 570),
        (65, 64, True, 0),
        (65, 0, False, 0),
        (65, None, True, 0),
    ],
)
def test_the_largest_order_is_in_whole_lots_within_the_freeze_quantity(
    lot: int, freeze: int | None, inclusive: bool, largest: int
) -> None:
    assert instrument(lot_size=lot, freeze_qty=freeze, freeze_inclusive=inclusive).max_order_qty == largest


@laws
@given(st.integers(1, 500), st.integers(0, 10_000), st.booleans())
def test_one_more_lot_would_break_the_limit(lot: int, freeze: int, inclusive: bool) -> None:
    largest = instrument(lot_size=lot, freeze_qty=freeze, freeze_inclusive=inclusive).max_order_qty
    allowed = freeze if inclusive else freeze - 1
    assert largest % lot == 0
    assert 0 <= largest <= max(0, allowed) < largest + lot


def test_a_contract_expires_after_its_last_day() -> None:
    option = instrument(expiry="2026-01-27", right=Right.PUT, strike=260_000_000)
    assert not option.expired(date(2026, 1, 27))
    assert option.expired(date(2026, 1, 28))
    assert not instrument().expired(date(2099, 1, 1))


def test_an_instrument_survives_being_stored() -> None:
    option = instrument(expiry="2026-01-27", right=Right.CALL, strike=260_000_000, freeze_qty=None, style="european")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(option), type=Instrument) == option
