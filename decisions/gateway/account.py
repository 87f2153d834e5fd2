"""The account as the gateway knows it: what is held, and today's fills, from the broker's own words alone.

A snapshot says what is held; fills that came after it are added, once each, whatever order they come in.  Amounts are
ten-thousandths of the currency times multipliers, like everywhere.  A *day* is the exchange's, by the broker's clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

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


class Amendment(msgspec.Struct, frozen=True):
    """A correction or a bust: by how many units it changed what the trade ``exec_id`` had added."""

    exec_id: str
    symbol: str
    units: int
    ts_ns: int


class Traded(msgspec.Struct):
    """What one day's fills of a symbol add up to, before the multiplier."""

    units: int = 0  # bought less sold
    paid: int = 0  # units times prices, bought less sold
    premium: int = 0  # the same of what entries bought


def _known_as(report: ExecutionReport) -> str:
    """The broker's id of an execution, else one of ours that names the order too: one dictionary holds all orders."""
    return report.exec_id if report.exec_id not in NO_EXEC_ID else event_id(report)


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
        self._amended: dict[str, Amendment] = {}  # corrections and busts that have been taken, by exec_id
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
        before = self._fills.get(report.exec_ref_id or _known_as(report))
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
        self._amended = {key: amended for key, amended in self._amended.items() if amended.ts_ns >= today_ns}
        new = []
        for report in sorted(snapshot.executions, key=lambda report: report.ts_ns):
            known = (report.exec_ref_id or _known_as(report)) in self._fills
            fill = self._fold(report) if report.ts_ns >= today_ns else None
            if fill is not None and not known:
                new.append(fill)
        listed = {name for report in snapshot.executions for name in (_known_as(report), report.exec_ref_id)}
        self.positions = Counter({position.symbol: position.quantity for position in snapshot.positions})
        self.average = {position.symbol: position.avg_px for position in snapshot.positions}
        since_ns = snapshot.as_of_ns - lag_ns
        for exec_id, fill in self._fills.items():
            if exec_id not in listed and fill.ts_ns >= since_ns:
                self.positions[fill.symbol] += fill.signed
        for key, amended in self._amended.items():
            if key not in listed and amended.exec_id in listed and amended.ts_ns >= since_ns:
                self.positions[amended.symbol] += amended.units
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

    def _fold(self, report: ExecutionReport) -> Fill | None:
        match report.exec_type:
            case ExecType.TRADE if _known_as(report) not in self._fills and report.side is not None:
                fill = Fill(
                    report.client_order_id, report.symbol, report.side, report.last_qty, report.last_px, report.ts_ns
                )
                self._put(_known_as(report), fill)
                return fill
            case ExecType.TRADE_CORRECT | ExecType.TRADE_CANCEL if _known_as(report) not in self._amended:
                known = self._fills.get(report.exec_ref_id)
                if known is None:
                    return None  # the next snapshot tells what came of it
                kept = report.exec_type is ExecType.TRADE_CORRECT
                fill = msgspec.structs.replace(known, quantity=report.last_qty if kept else 0, price=report.last_px)
                self._amended[_known_as(report)] = Amendment(
                    report.exec_ref_id, fill.symbol, fill.signed - known.signed, report.ts_ns
                )
                self._put(report.exec_ref_id, fill)
                return fill
        return None

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
