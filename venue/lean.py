"""LEAN's minute archives (QuantConnect, Apache-2.0): what their names mean, and their rows as numbers.

One zip holds one underlying and day, one csv per contract.  Quote rows: milliseconds since midnight of the exchange,
bid open, high, low, close, size, ask open, high, low, close, size; a side without a quote is empty.  Trade rows:
milliseconds, open, high, low, close, volume.  Prices are x 10,000, except those of an index, which are plain.

Times are New York's for US options and shares, Kolkata's for India, and Chicago's for US indices: put-call parity of
SPXW fits SPX only with that hour between them.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from array import array
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from domain.instruments import Instrument, Right, osi_symbol
from domain.money import common_tick, from_float

QUOTE_WIDTH = 11
TRADE_WIDTH = 6
MINUTE_MS = 60_000
DAY_MS = 86_400_000
TICKS = (1_000, 500, 100)

UNDERLYING_KIND = {"option": "equity", "indexoption": "index"}
UNDERLYING_TICKER = {"spxw": "spx", "ndxp": "ndx", "rutw": "rut", "vixw": "vix", "nifty": "nifty50"}

_ARCHIVE = re.compile(r"(option|indexoption)_(usa|india)_minute_([a-z0-9.]+)_(\d{8})_quote_(american|european)\.zip$")
_CONTRACT = re.compile(r"(\d{8})_[a-z0-9.]+_minute_quote_(american|european)_(call|put)_(\d+)_(\d{8})\.csv$")


class Archive(msgspec.Struct, frozen=True):
    """What the name of an option quote archive says."""

    path: Path
    kind: str  # option, indexoption
    market: str  # usa, india
    ticker: str  # lower case
    day: str  # YYYYMMDD

    @property
    def underlying(self) -> str:
        """The underlying's ticker in lower case; weekly index options have a root of their own."""
        return UNDERLYING_TICKER.get(self.ticker, self.ticker)

    @property
    def underlying_kind(self) -> str:
        return UNDERLYING_KIND[self.kind]

    def trades(self) -> Path | None:
        """The underlying's trade archive in LEAN's tree, or beside this one under its flattened name."""
        parts = (self.underlying_kind, self.market, "minute", self.underlying, f"{self.day}_trade.zip")
        tree = self.path.parents[4].joinpath(*parts) if len(self.path.parents) > 4 else self.path
        beside = self.path.with_name("_".join(parts))
        return next((path for path in (beside, tree) if path != self.path and path.is_file()), None)


class Bars(msgspec.Struct, frozen=True):
    """One contract and its rows, flat, :data:`QUOTE_WIDTH` numbers each; prices in ten-thousandths."""

    instrument: Instrument
    rows: array[int]


def identify(path: Path) -> Archive:
    """What ``path`` is called after, in LEAN's tree or flattened with ``_`` for ``/``.

    Raises ``ValueError`` when it is neither.
    """
    whole = path.absolute()
    match = _ARCHIVE.search("_".join(whole.parts[-5:]))
    if match is None:
        raise ValueError(
            f"{path}: {'' if path.exists() else 'no such file, and '}not the name of a LEAN option quote archive such "
            "as option/usa/minute/goog/20151224_quote_american.zip (or the same with _ for /)"
        )
    kind, market, ticker, day, _ = match.groups()
    return Archive(whole, kind, market, ticker, day)


def instant_ns(day: str, ms: int, kind: str, market: str) -> int:
    """Nanoseconds since 1970 UTC of ``ms`` after midnight on the exchange's wall clock."""
    zones = {"india": "Asia/Kolkata", "usa": "America/Chicago" if kind == "index" else "America/New_York"}
    wall = datetime.strptime(day, "%Y%m%d").replace(tzinfo=ZoneInfo(zones[market])) + timedelta(milliseconds=ms)
    return round(wall.timestamp() * 1_000) * 1_000_000


def read_quotes(archive: Archive, wanted: frozenset[str] | None, freeze_qty: int) -> list[Bars]:
    """The bars of every contract of the archive, or of the ``wanted`` symbols, by expiry, strike and right.

    Raises ``ValueError`` for a broken archive, one without quotes, a wanted symbol that is not in it, and a bad row.
    """
    with _open(archive.path) as file:
        contracts = {name: _contract(archive, name, freeze_qty) for name in file.namelist()}
        listed = {name: contract for name, contract in contracts.items() if contract}
        if not listed:
            raise ValueError(f"{archive.path}: no quote csv of {archive.day} inside")
        missing = sorted((wanted or frozenset()) - {contract.symbol for contract in listed.values()})
        if missing:
            raise ValueError(f"{archive.path}: has no contract {', '.join(map(repr, missing))}")
        bars = [
            _bars(contract, _rows(file, archive.path, name, QUOTE_WIDTH, scaled=True))
            for name, contract in listed.items()
            if wanted is None or contract.symbol in wanted
        ]
    return sorted(bars, key=lambda b: (b.instrument.expiry, b.instrument.strike, b.instrument.symbol))


def read_trades(path: Path, archive: Archive) -> array[int]:
    """The underlying's rows of the archive's day, flat, :data:`TRADE_WIDTH` numbers each, prices in ten-thousandths.

    Raises ``ValueError`` like :func:`read_quotes`.
    """
    with _open(path) as file:
        name = next((name for name in file.namelist() if name.startswith(archive.day)), None)
        if name is None:
            raise ValueError(f"{path}: no trade csv of {archive.day} inside")
        return _rows(file, path, name, TRADE_WIDTH, scaled=archive.underlying_kind != "index")


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise ValueError(f"{path}: not a zip archive") from None


def _contract(archive: Archive, name: str, freeze_qty: int) -> Instrument | None:
    match = _CONTRACT.search(name)
    if match is None or match[1] != archive.day:
        return None
    right = Right.CALL if match[3] == "call" else Right.PUT
    strike, expiry = int(match[4]), date.fromisoformat(match[5])
    return Instrument(
        symbol=osi_symbol(archive.ticker.upper(), expiry, right, strike),
        underlying=archive.underlying.upper(),
        right=right,
        strike=strike,
        expiry=expiry.isoformat(),
        multiplier=100,
        lot_size=1,
        tick_size=min(TICKS),
        freeze_qty=freeze_qty,
        style=match[2],
    )


def _bars(contract: Instrument, rows: array[int]) -> Bars:
    """The contract with the tick that its prices show."""
    prices = {price for column in (1, 2, 3, 4, 6, 7, 8, 9) for price in set(rows[column::QUOTE_WIDTH])}
    return Bars(msgspec.structs.replace(contract, tick_size=common_tick(sorted(prices), TICKS)), rows)


def _rows(file: zipfile.ZipFile, path: Path, name: str, width: int, *, scaled: bool) -> array[int]:
    where = f"{path}, {name}"
    try:
        lines = file.read(name).decode("ascii").splitlines()
    except (zipfile.BadZipFile, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{where}: cannot be read: {error}") from None
    text = (",".join(lines) + ",").replace(",,", ",0,").replace(",,", ",0,")
    cells = text.split(",")[:-1] if lines else []
    try:
        rows = _numbers(cells, width, scaled=scaled)
    except (ValueError, OverflowError):
        rows = array("q")
    if len(rows) != width * len(lines) or not _plausible(rows, width):
        raise ValueError(f"{where}, {_first_fault(lines, width)}")
    return rows


def _numbers(cells: list[str], width: int, *, scaled: bool) -> array[int]:
    if scaled:
        return array("q", map(int, cells))
    values = list(map(float, cells))
    rows = array("q", map(from_float, values))
    rows[0::width] = array("q", map(int, values[0::width]))
    return rows


def _plausible(rows: array[int], width: int) -> bool:
    times = rows[0::width]
    on_minutes = not any(ms % MINUTE_MS for ms in times)
    return min(rows, default=0) >= 0 and max(times, default=0) < DAY_MS and on_minutes and _ascending(times)


def _ascending(times: array[int]) -> bool:
    return all(before < after for before, after in pairwise(times))


def _first_fault(lines: list[str], width: int) -> str:
    """Which line is wrong, and what is wrong with it."""
    before = -1.0
    for number, line in enumerate(lines, start=1):
        cells = line.split(",")
        if len(cells) != width:
            return f"line {number}: {len(cells)} cells, expected {width}"
        try:
            values = [float(cell or 0) for cell in cells]
        except ValueError:
            return f"line {number}: not numbers: {line!r}"
        if not all(0 <= value < 2**63 for value in values):
            return f"line {number}: a negative or impossible number: {line!r}"
        if not before < values[0] < DAY_MS or values[0] % MINUTE_MS:
            return f"line {number}: {cells[0]} ms is not a later whole minute of the day"
        before = values[0]
    return f"prices must be whole ten-thousandths: {next((line for line in lines if '.' in line), '')!r}"
