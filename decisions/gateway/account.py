"""The account as the gateway knows it: what is held, and today's fills, from the broker's own words alone.

A snapshot says what is held; fills that came after it are added, once each, whatever order they come in.  Amounts are
ten-thousandths of the currency times multipliers, like everywhere.  A *day* is the exchange's, by the broker's clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from domain.calendar import Calendar, Day, day_at
from domain.execution import ExecType, ExecutionReport, Side
from domain.groups import cell_of, tag_kind
from domain.instruments import Instrument
from domain.report_ids import NO_EXEC_ID, event_id
from messages.market import Funds
from messages.orders import Snapshot


class Fill(msgspec.Struct, frozen=True):
    """One trade as it stands, after corrections; a busted one has no quantity."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: int
    price: int
    ts_ns: int

    @property
    def signed(self) -> int:
        """Positive when bought."""
        return self.side.sign * self.quantity

    @property
    def is_entry(self) -> bool:
        """Whether it opened new risk of ours."""
        return cell_of(self.client_order_id) is not None and tag_kind(self.client_order_id) == "E"


class Word(NamedTuple):
    """What a trade, a correction or a bust says: when, what of the three it is, for two of one instant, and how many
    units the trade is of (positive when bought)."""

    ts_ns: int
    rank: int
    units: int


class Traded(msgspec.Struct):
    """What one day's fills of a symbol add up to, before the multiplier."""

    units: int = 0  # bought less sold
    paid: int = 0  # units times prices, bought less sold
    premium: int = 0  # the same of what entries bought


def _known_as(report: ExecutionReport) -> str:
    """The broker's id of an execution, else one of ours that names the order too: one dictionary holds all orders."""
    return report.exec_id if report.exec_id not in NO_EXEC_ID else event_id(report)


_RANK: Final = {ExecType.TRADE: 0, ExecType.TRADE_CORRECT: 1, ExecType.TRADE_CANCEL: 2}


def _unknown_to(listed: Collection[str], words: Mapping[str, Word], since_ns: int) -> int:
    """Units of one trade that a list does not know of, whose state is as old as ``since_ns``; it names these ids."""
    newest = max(words, key=words.__getitem__)
    told = [word for name, word in words.items() if name in listed]
    began_ns = min(words.values()).ts_ns
    if newest in listed or words[newest].ts_ns < since_ns or (not told and began_ns < since_ns):
        return 0
    return words[newest].units - max(told, default=Word(0, 0, 0)).units


class Account:
    """Positions, today's fills and funds; forgets fills of earlier days."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._day = day_at(calendar, 0)
        self.instruments: Mapping[str, Instrument] = {}
        self.positions: Counter[str] = Counter()
        self.average: dict[str, int] = {}  # price of what is held, by the broker
        self.known = False  # a snapshot has been seen
        self.funds: Funds | None = None
        self.held_at_funds: Counter[str] = Counter()  # positions when the funds were told
        self._fills: dict[str, Fill] = {}  # by exec_id
        self._words: dict[str, dict[str, Word]] = {}  # by the trade's exec_id: of it and its amendments, by theirs
        self._trades: dict[str, str] = {}  # by exec_id: the trade that it is about
        self._traded: dict[str, Traded] = {}  # by symbol, of the day that is
        self._summed: Day | None = None  # that day

    def day(self, now_ns: int) -> Day:
        """The exchange's day."""
        if now_ns not in self._day:
            self._day = day_at(self._calendar, now_ns)
        return self._day

    def learn(self, instruments: Iterable[Instrument]) -> None:
        """From now on these are all the instruments that there are."""
        self.instruments = {instrument.symbol: instrument for instrument in instruments}

    def take_funds(self, funds: Funds) -> None:
        """What the broker counted, at what was held then."""
        self.funds, self.held_at_funds = funds, Counter(self.positions)

    def follow(self, report: ExecutionReport) -> Fill | None:
        """Take a report; the fill that it shows when that is new."""
        before = self._fills.get(self._trade(report))
        fill = self._fold(report)
        if fill is not None:
            self.positions[fill.symbol] += fill.signed - (before.signed if before else 0)
        return fill if before is None else None

    def load(self, snapshot: Snapshot, now_ns: int, lag_ns: int = 0) -> list[Fill]:
        """Take the broker's positions; returns the fills that are new, oldest first.

        A snapshot may show what was ``lag_ns`` before the time that it gives: of a fill since then that it does not
        list, its positions do not know either.
        """
        today_ns = self.day(now_ns).start_ns
        self._fills = {key: fill for key, fill in self._fills.items() if fill.ts_ns >= today_ns}
        self._words = {trade: words for trade, words in self._words.items() if trade in self._fills}
        self._trades = {name: trade for name, trade in self._trades.items() if trade in self._fills}
        new = []
        for report in sorted(snapshot.executions, key=lambda report: report.ts_ns):
            known = self._trade(report) in self._fills
            fill = self._fold(report) if report.ts_ns >= today_ns else None
            if fill is not None and not known:
                new.append(fill)
        listed = dict.fromkeys(map(_known_as, snapshot.executions))
        self.positions = Counter({position.symbol: position.quantity for position in snapshot.positions})
        self.average = {position.symbol: position.avg_px for position in snapshot.positions}
        since_ns = snapshot.as_of_ns - lag_ns
        for trade, words in self._words.items():
            self.positions[self._fills[trade].symbol] += _unknown_to(listed, words, since_ns)
        self.known = True
        return new

    def traded(self, day: Day) -> Mapping[str, Traded]:
        """What a day's fills, as they stand, add up to, by symbol."""
        if day != self._summed:
            self._traded, self._summed = {}, day
            for fill in self._fills.values():
                self._sum(fill, 1)
        return self._traded

    def multiplier(self, symbol: str) -> int:
        """Of a contract; 1 for one that the broker does not list."""
        instrument = self.instruments.get(symbol)
        return instrument.multiplier if instrument else 1

    def underlying(self, symbol: str) -> str:
        """What a contract is of."""
        instrument = self.instruments.get(symbol)
        return instrument.underlying if instrument and instrument.underlying else symbol

    def premium_paid(self, day: Day) -> int:
        """What entries bought have cost on a day (an amount)."""
        return sum(one.premium * self.multiplier(symbol) for symbol, one in self.traded(day).items())

    def _trade(self, report: ExecutionReport) -> str:
        """The exec id of the trade that a report is about; the latest correction may be named instead of it."""
        name = report.exec_ref_id or _known_as(report)
        return self._trades.get(name, name)

    def _fold(self, report: ExecutionReport) -> Fill | None:
        name, trade = _known_as(report), self._trade(report)
        if name in self._trades:
            return None
        match report.exec_type:
            case ExecType.TRADE if report.side is not None:
                fill = Fill(
                    report.client_order_id, report.symbol, report.side, report.last_qty, report.last_px, report.ts_ns
                )
            case ExecType.TRADE_CORRECT | ExecType.TRADE_CANCEL if trade in self._fills:
                kept = report.exec_type is ExecType.TRADE_CORRECT
                quantity = report.last_qty if kept else 0
                fill = msgspec.structs.replace(self._fills[trade], quantity=quantity, price=report.last_px)
            case _:
                return None  # of an amendment, the next snapshot tells what came of it
        words = self._words.setdefault(trade, {})
        words[name], self._trades[name] = Word(report.ts_ns, _RANK[report.exec_type], fill.signed), trade
        if words[name] == max(words.values()):
            self._put(trade, fill)
        return self._fills[trade]

    def _put(self, key: str, fill: Fill) -> None:
        if key in self._fills:
            self._sum(self._fills[key], -1)
        self._fills[key] = fill
        self._sum(fill, 1)

    def _sum(self, fill: Fill, sign: int) -> None:
        if self._summed is None or fill.ts_ns not in self._summed:
            return
        traded = self._traded.setdefault(fill.symbol, Traded())
        traded.units += sign * fill.signed
        traded.paid += sign * fill.signed * fill.price
        if fill.side is Side.BUY and fill.is_entry:
            traded.premium += sign * fill.signed * fill.price
