"""LEAN's minute archives as a day of quotes: made-up ones for every rule, the real ones where they are present."""

from __future__ import annotations

import os
import resource
import zipfile
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
from house import House

from domain.instruments import Right
from domain.quotes import Quote
from venue.quotes import UNDERLYING_SIZE, QuoteDay, load_lean

SHARED = Path(os.environ.get("LEGKEEPER_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "lean"
GOOG = SHARED / "option_usa_minute_goog_20151224_quote_american.zip"
SPXW = SHARED / "indexoption_usa_minute_spxw_20210104_quote_european.zip"
needs_goog = pytest.mark.skipif(not GOOG.is_file(), reason=f"no {GOOG}; set LEGKEEPER_SHARED")
needs_spxw = pytest.mark.skipif(not SPXW.is_file(), reason=f"no {SPXW}; set LEGKEEPER_SHARED")

FLAT = "option_usa_minute_acme_20240102_quote_american.zip"
STOCK_FLAT = "equity_usa_minute_acme_20240102_trade.zip"
CALL_CSV = "20240102_acme_minute_quote_american_call_1000000_20240119.csv"
PUT_CSV = "20240102_acme_minute_quote_american_put_1000000_20240119.csv"
CALL, PUT = "ACME  240119C00100000", "ACME  240119P00100000"
OPEN = int(datetime(2024, 1, 2, 14, 30, tzinfo=UTC).timestamp()) * 10**9  # 09:30 in New York
RISING = "34200000,10000,13000,9000,12000,7,11000,14000,10000,13000,8\n"
FALLING = "34260000,12000,13000,9000,10000,7,13000,14000,10000,11000,8\n"
ONE_SIDED = "34200000,,,,,0,500,500,500,500,19\n"
STEP = 15 * 10**9


def _archive(path: Path, members: Mapping[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for name, text in members.items():
            file.writestr(name, text)
    return path


def _options(day: QuoteDay) -> list[Quote]:
    return [quote for quote in day.quotes() if quote.symbol != day.underlying]


def test_a_rising_bar_becomes_open_low_high_close_and_a_falling_one_open_high_low_close(tmp_path: Path) -> None:
    day = load_lean(_archive(tmp_path / FLAT, {CALL_CSV: RISING + FALLING}))
    assert _options(day) == [
        Quote(CALL, OPEN, 10_000, 7, 11_000, 8),
        Quote(CALL, OPEN + STEP, 9_000, 7, 10_000, 8),
        Quote(CALL, OPEN + 2 * STEP, 13_000, 7, 14_000, 8),
        Quote(CALL, OPEN + 3 * STEP, 12_000, 7, 13_000, 8),
        Quote(CALL, OPEN + 4 * STEP, 12_000, 7, 13_000, 8),
        Quote(CALL, OPEN + 5 * STEP, 13_000, 7, 14_000, 8),
        Quote(CALL, OPEN + 6 * STEP, 9_000, 7, 10_000, 8),
        Quote(CALL, OPEN + 7 * STEP, 10_000, 7, 11_000, 8),
    ]


def test_a_bar_rises_when_bid_and_ask_together_do_so_that_both_take_the_same_way(tmp_path: Path) -> None:
    bar = "34200000,10000,10000,9500,9500,7,11000,14000,10500,13000,8\n"
    day = load_lean(_archive(tmp_path / FLAT, {CALL_CSV: bar}))
    assert [(q.bid, q.ask) for q in _options(day)] == [
        (10_000, 11_000),
        (9_500, 10_500),
        (10_000, 14_000),
        (9_500, 13_000),
    ]


def test_an_empty_side_is_zero(tmp_path: Path) -> None:
    day = load_lean(_archive(tmp_path / FLAT, {CALL_CSV: ONE_SIDED}))
    assert {(q.bid, q.bid_size, q.ask, q.ask_size) for q in _options(day)} == {(0, 0, 500, 19)}
    other = RISING.replace("11000,14000,10000,13000,8", ",,,,0")
    day = load_lean(_archive(tmp_path / FLAT, {CALL_CSV: other}))
    assert {(q.ask, q.ask_size) for q in _options(day)} == {(0, 0)}


def test_the_contract_is_read_from_the_name_and_the_tick_from_the_prices(tmp_path: Path) -> None:
    members = {CALL_CSV: RISING, PUT_CSV: ONE_SIDED}
    day = load_lean(_archive(tmp_path / FLAT, members), freeze_qty=77)
    stock, call, put = day.instruments
    assert (stock.symbol, stock.right, stock.multiplier, stock.freeze_qty) == ("ACME", None, 1, 7_700)
    assert (call.symbol, call.right, call.strike, call.expiry) == (CALL, Right.CALL, 1_000_000, "2024-01-19")
    assert (call.underlying, call.multiplier, call.lot_size, call.freeze_qty) == ("ACME", 100, 1, 77)
    assert (call.style, call.tick_size, put.tick_size) == ("american", 1_000, 500)
    assert (day.underlying, day.open_ns, day.close_ns) == ("ACME", OPEN, OPEN + 4 * STEP)


def test_the_underlying_comes_from_the_trade_archive_beside_it_and_within_the_session(tmp_path: Path) -> None:
    trades = "\n".join(
        f"{ms},{o},{h},{low},{c},{v}"
        for ms, o, h, low, c, v in [
            (34_140_000, 1, 1, 1, 1, 5),
            (34_200_000, 1_000_000, 1_010_000, 990_000, 1_005_000, 5),
            (34_260_000, 1_005_000, 1_005_000, 1_005_000, 1_005_000, 1),
        ]
    )
    _archive(tmp_path / STOCK_FLAT, {"20240102_acme_minute_trade.csv": trades})
    day = load_lean(_archive(tmp_path / FLAT, {CALL_CSV: RISING}))
    quotes = list(day.quotes())
    assert [quote.symbol for quote in quotes] == ["ACME", CALL] * 4, "the underlying first"
    spots = quotes[::2]
    assert [quote.bid for quote in spots] == [1_000_000, 990_000, 1_010_000, 1_005_000]
    assert all(quote.bid == quote.ask and quote.bid_size == quote.ask_size == UNDERLYING_SIZE for quote in spots)
    assert list(day.quotes()) == quotes, "each call starts from the beginning"


def test_both_archives_are_found_in_leans_own_tree(tmp_path: Path) -> None:
    tree = tmp_path / "Data"
    option = tree / "option" / "usa" / "minute" / "acme" / "20240102_quote_american.zip"
    stock = tree / "equity" / "usa" / "minute" / "acme" / "20240102_trade.zip"
    _archive(stock, {"20240102_acme_minute_trade.csv": "34200000,1000000,1000000,1000000,1000000,5"})
    day = load_lean(_archive(option, {CALL_CSV: RISING}))
    assert next(day.quotes()) == Quote("ACME", OPEN, 1_000_000, UNDERLYING_SIZE, 1_000_000, UNDERLYING_SIZE)


def test_without_a_trade_archive_the_underlying_is_implied_by_parity(tmp_path: Path) -> None:
    put = "34200000,20000,20000,20000,20000,5,22000,22000,22000,22000,5\n"
    day = load_lean(_archive(tmp_path / FLAT, {CALL_CSV: RISING, PUT_CSV: put}))
    spots = [quote for quote in day.quotes() if quote.symbol == "ACME"]
    assert [quote.bid for quote in spots] == [1_000_000 + c - 21_000 for c in (10_500, 9_500, 13_500, 12_500)]


def test_without_pairs_there_is_no_implied_underlying(tmp_path: Path) -> None:
    day = load_lean(_archive(tmp_path / FLAT, {CALL_CSV: RISING, PUT_CSV: ONE_SIDED}))
    assert len(list(day.quotes())) == len(_options(day)) == 8


def test_an_index_is_on_chicago_time_in_plain_prices_and_cannot_be_traded(tmp_path: Path) -> None:
    csv = "20240102_spxw_minute_quote_european_call_47000000_20240119.csv"
    _archive(
        tmp_path / "index_usa_minute_spx_20240102_trade.zip",
        {"20240102_spx_minute_trade.csv": "30600000,4700.25,4700.25,4700.25,4700.25,0"},
    )
    day = load_lean(_archive(tmp_path / "indexoption_usa_minute_spxw_20240102_quote_european.zip", {csv: RISING}))
    spot = next(day.quotes())
    assert (spot.symbol, spot.ts_ns, spot.bid) == ("SPX", OPEN, 47_002_500)
    index, contract = day.instruments
    assert (index.freeze_qty, contract.symbol, contract.underlying) == (None, "SPXW  240119C04700000", "SPX")
    assert contract.style == "european"


def test_indian_archives_are_on_indian_time_and_only_the_archives_own_day_counts(tmp_path: Path) -> None:
    csv = "20190101_nifty_minute_quote_european_call_109000000_20190131.csv"
    rows = {"20190101_nifty_minute_trade.csv": "33300000,10879.95,10885.3,10872.3,10874.1,0"}
    other = {"20190102_nifty_minute_trade.csv": "33300000,1,1,1,1,0"}
    _archive(tmp_path / "index_india_minute_nifty50_20190101_trade.zip", other | rows)
    bar = RISING.replace("34200000", "33300000")
    path = tmp_path / "indexoption_india_minute_nifty_20190101_quote_european.zip"
    first = next(load_lean(_archive(path, {csv: bar, csv.replace("20190101", "20190102"): bar})).quotes())
    assert first.ts_ns == int(datetime(2019, 1, 1, 3, 45, tzinfo=UTC).timestamp()) * 10**9
    assert (first.symbol, first.bid) == ("NIFTY50", 108_799_500)


def test_only_the_symbols_asked_for_are_kept_in_either_spelling(tmp_path: Path) -> None:
    path = _archive(tmp_path / FLAT, {CALL_CSV: RISING, PUT_CSV: RISING})
    day = load_lean(path, {PUT.replace(" ", "")})
    assert [i.symbol for i in day.instruments] == ["ACME", PUT]
    with pytest.raises(ValueError, match="has no contract 'ACME  240119C00999000'"):
        load_lean(path, {"ACME  240119C00999000"})


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (RISING + "34260000,1,2\n", "line 2: 3 cells, expected 11"),
        (RISING + FALLING.replace("9000", "9x"), "line 2: not numbers"),
        (RISING + FALLING.replace("9000", "-9000"), "line 2: a negative or impossible number"),
        (RISING + FALLING.replace("9000", "nan"), "line 2: a negative or impossible number"),
        (RISING + FALLING.replace("9000", "99999999999999999999"), "line 2: a negative or impossible number"),
        (RISING + RISING, "line 2: 34200000 ms is not a later whole minute of the day"),
        (RISING + FALLING.replace("34260000", "34260001"), "line 2: 34260001 ms is not a later whole minute"),
        (RISING + FALLING.replace("34260000", "86400000"), "line 2: 86400000 ms is not a later whole minute"),
        (RISING + "\n" + FALLING, "line 2: 1 cells, expected 11"),
        (RISING + FALLING.replace("9000", "0.9"), "prices must be whole ten-thousandths"),
    ],
)
def test_a_bad_row_is_an_error_that_names_file_and_line(tmp_path: Path, rows: str, fault: str) -> None:
    path = _archive(tmp_path / FLAT, {PUT_CSV: RISING, CALL_CSV: rows})
    with pytest.raises(ValueError, match=fault) as error:
        load_lean(path)
    assert f"{path}, {CALL_CSV}" in str(error.value)


def test_what_is_no_such_archive_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / FLAT
    with pytest.raises(FileNotFoundError):
        load_lean(path)
    path.write_text("not a zip")
    with pytest.raises(ValueError, match="not a zip archive"):
        load_lean(path)
    with pytest.raises(ValueError, match="no quote csv of 20240102 inside"):
        load_lean(_archive(path, {"readme.txt": "", CALL_CSV.replace("20240102", "20240103"): RISING}))
    with pytest.raises(ValueError, match="no quotes inside"):
        load_lean(_archive(path, {CALL_CSV: ""}))
    with pytest.raises(ValueError, match="not the name of a LEAN option quote archive"):
        load_lean(tmp_path / "quotes.zip")
    _archive(tmp_path / STOCK_FLAT, {"readme.txt": ""})
    with pytest.raises(ValueError, match="no trade csv of 20240102 inside"):
        load_lean(_archive(path, {CALL_CSV: RISING}))


def test_a_damaged_member_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = _archive(tmp_path / FLAT, {CALL_CSV: RISING})
    path.write_bytes(path.read_bytes().replace(b"34200000,10000", b"34200000,10001", 1))
    with pytest.raises(ValueError, match=f"{CALL_CSV}: cannot be read: Bad CRC"):
        load_lean(path)


# --- the real archives ---


@needs_goog
def test_the_whole_goog_chain_is_there_in_time_order_in_little_memory_and_in_part_the_same() -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    day = load_lean(GOOG)
    assert len(day.instruments) == 1 + 2_192
    assert day.open_ns == int(datetime(2015, 12, 24, 14, 30, tzinfo=UTC).timestamp()) * 10**9
    assert {i.tick_size for i in day.instruments if i.right} <= {500, 1_000}
    counts: Counter[str] = Counter()
    one, of_one = "GOOG  160115C00750000", []
    last_ns = day.open_ns
    for quote in day.quotes():
        assert quote.ts_ns >= last_ns
        last_ns = quote.ts_ns
        counts[quote.symbol] += 1
        assert not 0 < quote.ask < quote.bid, "crossed"
        if quote.symbol == one:
            of_one.append(quote)
    spots = counts.pop("GOOG")
    assert sum(counts.values()) == 4 * 275_552
    assert spots == 4 * 211
    assert last_ns < day.close_ns
    assert [quote for quote in load_lean(GOOG, {one}).quotes() if quote.symbol == one] == of_one
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 300 * 1024


@needs_spxw
def test_spx_and_its_options_agree_by_parity_so_their_clocks_do() -> None:
    last: dict[str, int] = {}
    errors = []
    call, put = "SPXW  210104C03700000", "SPXW  210104P03700000"
    for quote in load_lean(SPXW).quotes():
        last[quote.symbol] = quote.mid
        if quote.symbol == put and all(last.get(s) for s in ("SPX", call, put)):
            errors.append(abs(37_000_000 + last[call] - last[put] - last["SPX"]))
    assert len(errors) > 1_000
    assert sorted(errors)[len(errors) // 2] < 10_000, "a point; an hour's error would be fifteen"


@needs_spxw
def test_the_exchange_trades_on_real_quotes() -> None:
    day = load_lean(SPXW)
    house = House(*day.instruments, session_open_ns=day.open_ns, session_close_ns=day.close_ns)
    symbol = day.instruments[1].symbol
    quotes = day.quotes()
    for quote in islice(quotes, 1_000):
        house.reports += house.exchange.on_quote(quote)
        house.now = quote.ts_ns
    house.submit("a", symbol=symbol, quantity=100, price=10_000_000)
    for quote in quotes:
        house.reports += house.exchange.on_quote(quote)
    assert house.status("a").cum_qty == 100
    assert len(house.exchange.executions()) > 1, "in parts"
    house.reports += house.exchange.advance(day.close_ns)
    assert house.held() == {}, "it expired that day and was settled in cash"
