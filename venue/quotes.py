"""A day of quotes, and how one is made from LEAN's minute bars.

- Every bar becomes four quotes, at +0, +15, +30 and +45 s: open, the two extremes, close.  In a bar that rises the
  low comes first, else the high; both sides go the same way, so that they do not cross.  Sizes are the bar's; a side
  without a quote is 0.
- The underlying is quoted first at every instant, from its trade archive where there is one: bid = ask = last price,
  with :data:`UNDERLYING_SIZE` on both sides.  Else it is implied by put-call parity, with rates and dividends taken as
  zero: strike + call - put, from the mids of the nearest expiry's pair that is nearest to the money.
- The session goes from the first option bar to the end of the last one.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import msgspec

from domain.instruments import Instrument, Right, canonical_symbol
from domain.money import common_tick, round_down
from domain.quotes import Quote
from venue.lean import (
    MINUTE_MS,
    QUOTE_WIDTH,
    TRADE_WIDTH,
    Archive,
    Bars,
    identify,
    instant_ns,
    read_quotes,
    read_trades,
)

UNDERLYING_SIZE = 1_000
FREEZE_QTY = 1_000  # contracts; real ones are the broker's to say
CENT = 100
STEPS_NS = tuple(step * 15_000_000_000 for step in range(4))

Path4 = tuple[int, int, int, int]  # four prices of one minute
Minute = list[tuple[str, Path4, int, Path4, int]]  # symbol, bids, bid size, asks, ask size


class QuoteDay(msgspec.Struct, frozen=True, kw_only=True):
    """One session of quotes: what is listed, when it is open (ns since 1970 UTC), and the quotes in time order.

    ``quotes()`` starts from the beginning at each call.
    """

    underlying: str
    instruments: list[Instrument]
    open_ns: int
    close_ns: int
    quotes: Callable[[], Iterator[Quote]]


def load_lean(path: Path, limit_symbols: Collection[str] | None = None, *, freeze_qty: int = FREEZE_QTY) -> QuoteDay:
    """The day in a LEAN option quote archive, with its underlying; ``limit_symbols`` keeps only these contracts.

    Everything is parsed and checked here, once, and kept in compact form.  An equity underlying can be traded too, in
    orders of up to 100 x ``freeze_qty`` shares; an index cannot.  Raises ``ValueError`` that names the file, and the
    line of a bad row, when the name or the content is not such an archive; ``OSError`` when it cannot be opened.
    """
    archive = identify(path)
    wanted = None if limit_symbols is None else frozenset(map(canonical_symbol, limit_symbols))
    bars = read_quotes(archive, wanted, freeze_qty)
    times = sorted({ms for contract in bars for ms in contract.rows[0::QUOTE_WIDTH]})
    if not times:
        raise ValueError(f"{path}: no quotes inside, or no symbols asked for")
    open_ns, close_ns = (_option_ns(archive, ms) for ms in (times[0], times[-1] + MINUTE_MS))
    trades = archive.trades()
    spots = _spots(archive, read_trades(trades, archive)) if trades else {}
    spots = {ns: prices for ns, prices in spots.items() if open_ns <= ns < close_ns}
    replay = _Replay(archive, bars, times, spots)
    underlying = Instrument(
        symbol=archive.underlying.upper(),
        underlying=archive.underlying.upper(),
        right=None,
        strike=0,
        expiry="",
        multiplier=1,
        lot_size=1,
        tick_size=common_tick([price for prices in spots.values() for price in prices], (CENT, 1)),
        freeze_qty=100 * freeze_qty if archive.underlying_kind == "equity" else None,
    )
    return QuoteDay(
        underlying=underlying.symbol,
        instruments=[underlying, *(contract.instrument for contract in bars)],
        open_ns=open_ns,
        close_ns=close_ns,
        quotes=replay.quotes,
    )


def _option_ns(archive: Archive, ms: int) -> int:
    return instant_ns(archive.day, ms, archive.kind, archive.market)


def _spots(archive: Archive, rows: array[int]) -> dict[int, Path4]:
    """The underlying's four prices of each minute, by its instant."""
    starts = range(0, len(rows), TRADE_WIDTH)
    return {
        instant_ns(archive.day, rows[at], archive.underlying_kind, archive.market): _path(
            rows[at + 1 : at + 5], rises=rows[at + 4] > rows[at + 1]
        )
        for at in starts
    }


def _path(ohlc: array[int], *, rises: bool) -> Path4:
    opened, high, low, closed = ohlc
    return (opened, low, high, closed) if rises else (opened, high, low, closed)


class _Replay:
    """Rows by minute, so that a minute's quotes are made when they are due and not before."""

    def __init__(self, archive: Archive, bars: list[Bars], times: list[int], spots: Mapping[int, Path4]) -> None:
        self._bars = bars
        self._spots = spots
        self._symbol = archive.underlying.upper()
        self._instants = {ms: _option_ns(archive, ms) for ms in times}
        self._rows: dict[int, array[int]] = defaultdict(lambda: array("l"))  # minute -> contract, offset, contract, ...
        for number, contract in enumerate(bars):
            for index, ms in enumerate(contract.rows[0::QUOTE_WIDTH]):
                self._rows[ms].extend((number, index * QUOTE_WIDTH))
        self._pairs = _nearest_pairs([contract.instrument for contract in bars])

    def quotes(self) -> Iterator[Quote]:
        minutes = {ns: ms for ms, ns in self._instants.items()}
        for instant in sorted({*minutes, *self._spots}):
            minute = self._minute(minutes[instant]) if instant in minutes else []
            spots = self._spots.get(instant, (0, 0, 0, 0)) if self._spots else _implied(minute, self._pairs)
            for step, offset in enumerate(STEPS_NS):
                ts_ns = instant + offset
                if spot := spots[step]:
                    yield Quote(self._symbol, ts_ns, spot, UNDERLYING_SIZE, spot, UNDERLYING_SIZE)
                for symbol, bids, bid_size, asks, ask_size in minute:
                    yield Quote(symbol, ts_ns, bids[step], bid_size, asks[step], ask_size)

    def _minute(self, ms: int) -> Minute:
        rows = self._rows[ms]
        minute = []
        for number, at in zip(rows[0::2], rows[1::2], strict=True):
            contract = self._bars[number]
            row = contract.rows[at : at + QUOTE_WIDTH]
            rises = row[4] + row[9] > row[1] + row[6]
            bids, asks = _path(row[1:5], rises=rises), _path(row[6:10], rises=rises)
            minute.append((contract.instrument.symbol, bids, row[5], asks, row[10]))
        return minute


def _nearest_pairs(options: list[Instrument]) -> list[tuple[int, str, str]]:
    """Strike, call and put of every strike of the nearest expiry that has both."""
    pairs: dict[tuple[str, int], dict[Right | None, str]] = defaultdict(dict)
    for option in options:
        pairs[option.expiry, option.strike][option.right] = option.symbol
    whole = {key: both for key, both in pairs.items() if len(both) == 2}
    nearest = min((expiry for expiry, _ in whole), default="")
    return [
        (strike, both[Right.CALL], both[Right.PUT]) for (expiry, strike), both in whole.items() if expiry == nearest
    ]


def _implied(minute: Minute, pairs: list[tuple[int, str, str]]) -> Path4:
    """The underlying by parity at each of a minute's four instants; 0 where no pair has two-sided quotes."""
    rows = {row[0]: row for row in minute}
    spots = [0, 0, 0, 0]
    for step in range(4):
        mids = {symbol: _mid(bids[step], asks[step]) for symbol, bids, _, asks, _ in rows.values()}
        gaps = [(strike, mids.get(call, 0), mids.get(put, 0)) for strike, call, put in pairs]
        parities = [(abs(call - put), strike + call - put) for strike, call, put in gaps if call and put]
        spots[step] = max(0, round_down(min(parities)[1], CENT)) if parities else 0
    return (spots[0], spots[1], spots[2], spots[3])


def _mid(bid: int, ask: int) -> int:
    return (bid + ask) // 2 if 0 < bid <= ask else 0
