"""What reports without an exec id say about the facts that go back and forth, and when each was first said.

A broker may repeat a report (PossDupFlag 43, PossResend 97, or without a flag) under a new time.  An exec id tells a
repetition from news; without one only the content does, and the registers of an order, in which the last word wins,
would take an old word for the last: an older count of what is filled hides a fill that is missing, an older quantity
makes an order look full or whole again, and an order that looks over is replaced while it works.

So each such report is kept under its content, its time left out, with the earliest time that it came under, and the
registers are the last of all these words and of the words of reports that need not be kept (``Registers``: answers to
queries, whose time is that of the answer).  That is a join again: no order of arrival and no repetition matters.
What it costs: a broker that says the very same thing twice and means it (suspended, resumed, suspended) is believed at
the next answer to a query, and not before.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter
from typing import NamedTuple

from domain.execution import ExecType, ExecutionReport
from domain.order_table import FACTS, Facts
from domain.report_ids import event_id, is_nameless

SILENT = -1
_AMENDS = frozenset(FACTS[kind].rank for kind in (ExecType.TRADE_CORRECT, ExecType.TRADE_CANCEL))


Words = tuple[tuple[int, int, int], tuple[int, int, str], tuple[int, int, int], tuple[int, int, int]]


class Registers(NamedTuple):
    """The last words on four facts, each as (ts_ns, rank of the exec_type, value)."""

    described: tuple[int, int, int]  # order_qty
    venue: tuple[int, int, str]  # venue_order_id
    reported: tuple[int, int, int]  # cum_qty by the broker's own count
    phase: tuple[int, int, int]


class Told(NamedTuple):
    """What one report said of each fact, and since when."""

    event_id: str
    ts_ns: int
    rank: int
    order_qty: int = SILENT
    venue_order_id: str = ""
    cum_qty: int = SILENT
    phase: int = SILENT


_event_id = itemgetter(0)


def told_with(held: tuple[Told, ...], new: Told) -> tuple[Told, ...]:
    """``held`` with ``new`` among them; the same tuple when as much was said as early before."""
    at = bisect_left(held, new.event_id, key=_event_id)
    if at == len(held) or held[at].event_id != new.event_id:
        return (*held[:at], new, *held[at:])
    return held if _precedence(held[at]) <= _precedence(new) else (*held[:at], new, *held[at + 1 :])


def _precedence(told: Told) -> tuple[bool, bool, bool, Told]:
    """Of one content the report that says more, and only then the earliest: an execution's content is its own numbers,
    so that a copy may leave out the order's quantity or name, and must not take back what the other said of them.
    """
    return told.order_qty < 0, not told.venue_order_id, told.phase < 0, told


def told_by(report: ExecutionReport, facts: Facts, phase: int | None) -> Told:
    """What a report without exec id says, by what its kind can tell (``facts``) and the ``phase`` that it shows."""
    says = report.order_qty > 0
    return Told(
        event_id(report),
        report.ts_ns,
        facts.rank,
        report.order_qty if says and facts.describes else SILENT,
        report.venue_order_id if says and facts.describes else "",
        report.cum_qty if says and facts.counts else SILENT,
        SILENT if phase is None else phase,
    )


def is_repetition(held: tuple[Told, ...], report: ExecutionReport) -> bool:
    """Whether a report, which is joined already, says without an exec id what was said at an earlier time."""
    if not held or not is_nameless(report):
        return False
    name = event_id(report)
    at = bisect_left(held, name, key=_event_id)
    return at < len(held) and held[at].event_id == name and held[at].ts_ns < report.ts_ns


def last_words(before: Registers, told: tuple[Told, ...]) -> Registers:
    """The registers with all that was told."""
    described, venue, reported, phase = before
    for one in told:
        if one.order_qty >= 0:
            described = max(described, (one.ts_ns, one.rank, one.order_qty))
        if one.venue_order_id:
            venue = max(venue, (one.ts_ns, one.rank, one.venue_order_id))
        if one.phase >= 0:
            phase = max(phase, (one.ts_ns, one.rank, one.phase))
    return Registers(described, venue, _count(reported, told), phase)


def _count(reported: tuple[int, int, int], told: tuple[Told, ...]) -> tuple[int, int, int]:
    """The broker's count.  Only what takes fills away lowers it: else a late copy of a report that was lost when it was
    news would hide that fills are missing, and an order that is over would be replaced in full.
    """
    for ts_ns, rank, cum_qty in sorted((one.ts_ns, one.rank, one.cum_qty) for one in told if one.cum_qty >= 0):
        if (ts_ns, rank) > reported[:2] and (cum_qty >= reported[2] or rank in _AMENDS):
            reported = (ts_ns, rank, cum_qty)
    return reported
