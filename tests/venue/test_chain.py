"""The chain that the project makes itself."""

from __future__ import annotations

from datetime import date
from itertools import islice

import pytest
from house import House

from domain.calendar import CALENDARS, MarketCalendar
from domain.execution import OrdStatus, OrdType
from domain.instruments import Right
from domain.symbols import contract_of, parse_nse
from venue.chain import NSE, US, black_scholes, seeded_chain

MINUTES_10 = 9_000  # quotes


def test_the_same_seed_gives_the_same_day_and_another_seed_another() -> None:
    day = seeded_chain(1)
    first = list(islice(day.quotes(), MINUTES_10))
    assert first == list(islice(day.quotes(), MINUTES_10)), "each call starts from the beginning"
    assert first == list(islice(seeded_chain(1).quotes(), MINUTES_10))
    assert first != list(islice(seeded_chain(2).quotes(), MINUTES_10))


def test_the_chain_is_small_whole_and_tradable() -> None:
    day = seeded_chain(1)
    options = [i for i in day.instruments if i.right]
    assert 40 <= len(options) <= 60
    assert len({i.symbol for i in day.instruments}) == len(options) + 1
    assert len({i.expiry for i in options}) == 2
    assert sum(i.right is Right.CALL for i in options) * 2 == len(options)
    assert {i.underlying for i in day.instruments} == {US.root} == {day.underlying}
    assert all(i.max_order_qty > 0 for i in day.instruments)
    assert (day.open_ns, day.close_ns) == (US.open_ns, US.close_ns)


def test_the_indian_chain_has_the_symbols_lots_and_limits_of_its_day_and_is_quoted_in_whole_lots() -> None:
    day = seeded_chain(1, NSE)
    options = {i.symbol: i for i in day.instruments if i.right}
    weekly, monthly = options["NIFTY2610626000CE"], options["NIFTY26JAN26000CE"]
    assert (weekly.expiry, monthly.expiry) == ("2026-01-06", "2026-01-27")
    assert {(i.lot_size, i.freeze_qty, i.max_order_qty, i.settles_in_cash) for i in options.values()} == {
        (65, 1_800, 1_755, True)
    }
    assert all(parse_nse(i.symbol) == contract_of(i) for i in options.values())
    quotes = [quote for quote in islice(day.quotes(), MINUTES_10) if quote.symbol in options]
    assert {quote.symbol for quote in quotes} == set(options)
    assert all(quote.ask_size % 65 == quote.bid_size % 65 == 0 for quote in quotes)
    nse = CALENDARS["nse"]
    assert isinstance(nse, MarketCalendar)
    session = nse.session(date(2026, 1, 5))
    assert session is not None
    assert (day.open_ns, day.close_ns) == (session.open_ns, session.close_ns)


def test_every_contract_is_quoted_within_a_second_and_then_every_few_seconds() -> None:
    day = seeded_chain(4)
    last: dict[str, int] = {}
    for quote in islice(day.quotes(), MINUTES_10):
        longest = 6_000_000_001 if quote.symbol in last else 10**9 + 1
        assert quote.ts_ns - last.get(quote.symbol, US.open_ns) <= longest
        last[quote.symbol] = quote.ts_ns
    assert set(last) == {i.symbol for i in day.instruments}


def test_quotes_come_in_time_order_on_tick_and_with_realistic_spreads_and_sizes() -> None:
    day = seeded_chain(4)
    tick = {i.symbol: i.tick_size for i in day.instruments}
    quotes = list(islice(day.quotes(), MINUTES_10))
    assert [q.ts_ns for q in quotes] == sorted(q.ts_ns for q in quotes)
    for quote in quotes:
        assert quote.bid % tick[quote.symbol] == quote.ask % tick[quote.symbol] == 0
        assert 0 <= quote.bid < quote.ask
        assert quote.ask - quote.bid <= 3 * tick[quote.symbol] + quote.ask // 20
        assert quote.ask_size > 0
        assert (quote.bid_size > 0) is (quote.bid > 0)
    thin = sum(1 for q in quotes if q.ask_size <= 4)
    assert 0.1 < thin / len(quotes) < 0.5


def test_an_order_of_some_size_fills_in_parts() -> None:
    day = seeded_chain(4)
    house = House(*day.instruments)
    symbol = next(i.symbol for i in day.instruments if i.right)
    house.submit("a", symbol=symbol, quantity=100, order_type=OrdType.MARKET, price=0)
    for quote in islice(day.quotes(), MINUTES_10):
        house.reports += house.exchange.on_quote(quote)
        if house.status("a").ord_status is OrdStatus.FILLED:
            break
    assert house.status("a").ord_status is OrdStatus.FILLED
    assert len(house.exchange.executions()) > 1


@pytest.mark.parametrize("right", Right)
def test_the_model_keeps_parity_and_ends_at_what_exercise_is_worth(right: Right) -> None:
    assert black_scholes(Right.CALL, 100, 95, 0.2) - black_scholes(Right.PUT, 100, 95, 0.2) == pytest.approx(5)
    assert black_scholes(right, 100, 95, 0) == (5 if right is Right.CALL else 0)
    assert black_scholes(right, 100, 100, 0.2) == pytest.approx(7.9656, abs=1e-4), "2 N(0.1) - 1, times 100"
