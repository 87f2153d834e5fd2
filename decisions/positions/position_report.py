"""What the reconciler saw last, as a document: for the commands, the end of the day, and whoever audits."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import msgspec

from decisions.positions.expiry_watch import ExpiryNotice
from decisions.positions.library import Library
from decisions.positions.position_checks import GroupCheck
from decisions.positions.positions import OrderDifference
from decisions.positions.reconciler import Look
from domain.calendar import LOOK_AHEAD_DAYS, AlwaysOpen, Calendar, CalendarUnknown, MarketCalendar
from messages.positions import Difference, PositionIssue
from messages.records import PositionEventRecord, Severity

UTC_DAYS: Final = AlwaysOpen()
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


class DayEnd(msgspec.Struct, frozen=True):
    """A day that has ended, and when; ``late``: this is seen on a later day, after its own evening."""

    day: str  # ISO date
    at_ns: int
    late: bool


def day_to_close(as_of_ns: int, end_of_day: str, hours: Calendar, began_ns: int) -> DayEnd | None:
    """The latest day whose end has been reached; ``None`` when no end is configured, or none is known (E19).

    A day that nobody closed on its evening is closed later, unless there was nothing of ours by then (``began_ns``).

    "close": the close of the market's session; a time of day is in UTC.  Days without a session have no end.
    """
    if not end_of_day:
        return None
    today = (hours if end_of_day == "close" else UTC_DAYS).day(as_of_ns)
    for back in range(LOOK_AHEAD_DAYS):
        day = today - timedelta(days=back)
        at_ns = _end_ns(day, end_of_day, hours)
        if at_ns is not None and at_ns <= as_of_ns:
            return None if back and began_ns >= at_ns else DayEnd(day.isoformat(), at_ns, late=back > 0)
    return None


def _end_ns(day: date, end_of_day: str, hours: Calendar) -> int | None:
    """When a day ends, where it does.  Of a day that the calendar does not know a time of day is still an end."""
    session = None
    if isinstance(hours, MarketCalendar):
        try:
            session = hours.session(day)
        except CalendarUnknown:
            pass
        else:
            if session is None:
                return None
    if end_of_day == "close":
        return session.close_ns if session else None
    return UTC_DAYS.instant(day, time.fromisoformat(end_of_day))


def end_of_day(last: PositionReport, ended: DayEnd, where: str, cell: int) -> PositionIssue:
    """The last word on a day: that it balances, or what does not; and that it comes late, where it does."""
    when = f"{datetime.fromtimestamp(last.as_of_ns // 10**9, UTC):%Y-%m-%d %H:%M} UTC"
    late = f", but nothing was compared after its end until {when}" if ended.late else ""
    text = f"the day {ended.day} ends balanced{late}; {where} has it all"
    if not last.balanced:
        text = f"the day {ended.day} does not balance{late}: {'; '.join(last.differences[:3])}; {where} has both sides"
    agreed = Severity.WARNING if ended.late else Severity.INFO
    return PositionIssue(
        issue_id=f"END_OF_DAY/{ended.day}",
        cell=cell,
        group_id="",
        severity=agreed if last.balanced else Severity.CRITICAL,
        kind="END_OF_DAY",
        symbol="",
        quantity=len(last.confirmed),
        text=text,
    )
