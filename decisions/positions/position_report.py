"""What the reconciler saw last, as a document: for the commands, the end of the day, and whoever audits."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec

from decisions.positions.expiry_watch import ExpiryNotice
from decisions.positions.library import Library
from decisions.positions.position_checks import GroupCheck
from decisions.positions.positions import OrderDifference
from decisions.positions.reconciler import Look
from domain.calendar import Calendar, CalendarUnknown, MarketCalendar
from messages.positions import Difference, PositionIssue
from messages.records import PositionEventRecord, Severity

LATEST = 200  # so many changes are shown; the journals have them all


class SymbolLine(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol: what groups hold of it, what is foreign, what both come to, and what the broker says."""

    symbol: str
    groups: int
    foreign: int
    journal: int
    broker: int
    difference: int
    unsettled: int  # units that orders of ours may have moved unseen


class PositionReport(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides at one broker time.  ``confirmed`` and ``suspected`` name what does not agree."""

    as_of_ns: int
    balanced: bool
    confirmed: tuple[str, ...]
    suspected: tuple[str, ...]
    symbols: tuple[SymbolLine, ...]
    groups: tuple[GroupCheck, ...]
    orders: tuple[OrderDifference, ...]
    expiries: tuple[ExpiryNotice, ...]
    changes: tuple[PositionEventRecord, ...]  # the latest
    held: tuple[Difference, ...] = ()  # what keeps new risk from being taken since the start

    @property
    def differences(self) -> list[str]:
        """One sentence for everything on which the two sides do not agree."""
        lines = [
            f"{line.symbol.strip()}: the journals say {line.journal:+d}, the broker says {line.broker:+d}"
            for line in self.symbols
            if line.difference
        ]
        lines += [
            f"order {one.client_order_id}: the journal says {one.journal!r}, the broker says {one.broker!r}"
            for one in self.orders
            if one.kind != "foreign"
        ]
        return lines + [check.text for check in self.groups if check.severity]


def report(look: Look, library: Library, held: tuple[Difference, ...] = ()) -> PositionReport:
    """The document of one look."""
    foreign = library.foreign()
    return PositionReport(
        as_of_ns=look.comparison.as_of_ns,
        balanced=look.balanced,
        confirmed=look.confirmed,
        suspected=look.suspected,
        symbols=tuple(
            SymbolLine(
                symbol=one.symbol,
                groups=one.journal - foreign.get(one.symbol, 0),
                foreign=foreign.get(one.symbol, 0),
                journal=one.journal,
                broker=one.broker,
                difference=one.difference,
                unsettled=one.slack,
            )
            for one in look.comparison.symbols
            if one.journal or one.broker or foreign.get(one.symbol)
        ),
        groups=look.checks,
        orders=look.comparison.orders,
        expiries=look.expiries,
        changes=tuple(library.latest(LATEST)),
        held=held,
    )


def day_to_close(as_of_ns: int, end_of_day: str, hours: Calendar) -> str:
    """The day whose end has been reached, as an ISO date; "" before it, or when no end is configured (E19).

    "close": the close of the market's session, on days that have one; a time of day is in UTC.
    """
    if end_of_day == "close":
        day = hours.day(as_of_ns)
        return day.isoformat() if isinstance(hours, MarketCalendar) and _is_over(hours, day, as_of_ns) else ""
    now = datetime.fromtimestamp(as_of_ns // 10**9, UTC)
    return now.date().isoformat() if end_of_day and f"{now:%H:%M}" >= end_of_day else ""


def _is_over(hours: MarketCalendar, day: date, as_of_ns: int) -> bool:
    try:
        session = hours.session(day)
    except CalendarUnknown:
        return False
    return session is not None and as_of_ns >= session.close_ns


def end_of_day(last: PositionReport, day: str, where: str, cell: int) -> PositionIssue:
    """The last word on a day: that it balances, or what does not."""
    text = f"the day {day} ends balanced; {where} has it all"
    if not last.balanced:
        text = f"the day {day} does not balance: {'; '.join(last.differences[:3])}; {where} has both sides"
    return PositionIssue(
        issue_id=f"END_OF_DAY/{day}",
        cell=cell,
        group_id="",
        severity=Severity.INFO if last.balanced else Severity.CRITICAL,
        kind="END_OF_DAY",
        symbol="",
        quantity=len(last.confirmed),
        text=text,
    )
