"""The executions of one order as a set, and what of them counts.

Trades, corrections (FIX 150=G) and busts (150=H) are kept as they were reported, keyed by ``exec_id``, in the order of
their ids.  Which of them count is derived from the whole set, so it cannot matter in which order they came.

A broker that gives no exec ids cannot say which trade it takes back or corrects; it says how much is left.  Such an
amendment is a *level*: so many units at that average, with everything told before it.
Such a broker's trade after a bust cannot be told from one before it that was lost when it was news, and is repeated
under a later time.  So from the first level on the last answer to a query counts as one too, and no trade without exec
id by itself: what cannot be told apart is asked.
Its trades each fill the order from one quantity to another (CumQty), and two that fill the same units, of which one
must have been taken back, count for these units once.

A broker that does give exec ids says with each execution what the order had filled by then (CumQty).  Where the trades
add up to more than any of them says, one was taken back or corrected and the report of it never came, or one trade was
told under two ids: then the last of them is believed, and what goes *beyond* it is in doubt until an answer to a query
settles it.  The largest CumQty is the measure, and not the last: a trade that is told late, behind a later one, is
no contradiction.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from domain.execution import ExecType, ExecutionReport
from domain.order_table import FACTS

_STATUS = ExecType.ORDER_STATUS
_TRADE = ExecType.TRADE
_TRADE_CANCEL = ExecType.TRADE_CANCEL
_exec_id = attrgetter("exec_id")


LEVEL: Final = "#"  # in the place of a reference: quantity and price are those of the order as a whole, from then on
OF_CONTENT: Final = "/#"  # in the id of a trade without exec id and without CumQty
UNTOLD: Final = -1
ANSWER: Final = "#order_status"  # the id of the last answer to a query, among the executions of an order with levels


class Execution(msgspec.Struct, frozen=True, array_like=True):
    """A trade, a correction or a bust, as it was reported."""

    exec_id: str
    kind: ExecType
    qty: int
    px: int
    ref: str  # the execution that this one changes; "" for a trade, LEVEL where the broker cannot name it
    ts_ns: int  # the earliest time stamp under which it was reported
    cum_qty: int = UNTOLD  # what the order had filled with it, by the broker's own count


class Count(NamedTuple):
    """What the executions of an order amount to."""

    qty: int = 0
    notional: int = 0  # the exact sum of quantity x price, in ten-thousandths
    amended: bool = False  # there are corrections or busts
    disputed: bool = False  # the executions contradict each other; the quantity is the cautious choice
    most_told: int = UNTOLD  # the largest CumQty since the last correction or bust; UNTOLD where one is not known
    beyond: int = 0  # units that the executions tell besides, and that the broker's own count denies
    doubtful: bool = False  # no answer to a query has settled yet whether these count

    @property
    def is_contradicted(self) -> bool:
        """The executions add up to more than the broker had counted with any of them."""
        return 0 <= self.most_told < self.qty + self.beyond


NOTHING: Final = Count(most_told=0)


def from_report(report: ExecutionReport, exec_id: str) -> Execution:
    """What a trade, correction or bust says, under ``exec_id``."""
    kind, told = report.exec_type, report.cum_qty if report.order_qty > 0 else UNTOLD
    if kind is not _TRADE_CANCEL and told < report.last_qty:
        told = UNTOLD  # with it no less can have filled
    if kind is _TRADE:
        return Execution(exec_id, kind, report.last_qty, report.last_px, "", report.ts_ns, told)
    if report.exec_ref_id == "" and exec_id[:1] == LEVEL:
        return Execution(exec_id, kind, report.cum_qty, report.avg_px, LEVEL, report.ts_ns)
    if kind is _TRADE_CANCEL:  # what a bust prints as quantity and price varies (J.1.a), and means nothing
        return Execution(exec_id, kind, 0, 0, report.exec_ref_id, report.ts_ns, told)
    return Execution(exec_id, kind, report.last_qty, report.last_px, report.exec_ref_id, report.ts_ns, told)


def add(held: tuple[Execution, ...], new: Execution) -> tuple[tuple[Execution, ...], bool]:
    """The executions with ``new`` among them, and whether another content was held under its id.

    Two contents under one id are a broken promise.  The larger content is kept: a bust over a correction over a trade,
    then the larger quantity; a broker that gives a correction the number of its trade is thereby read as it meant.
    The same tuple comes back when nothing changed.
    """
    at = bisect_left(held, new.exec_id, key=_exec_id)
    if at == len(held) or held[at].exec_id != new.exec_id:
        return (*held[:at], new, *held[at:]), False
    old = held[at]
    if old == new:
        return held, False
    kept = max(old, new, key=_content)
    ts_ns, cum_qty = min(old.ts_ns, new.ts_ns), max(old.cum_qty, new.cum_qty)  # a late copy may print today's count
    conflict = _content(old) != _content(new)
    if kept is old and (ts_ns, cum_qty) == (old.ts_ns, old.cum_qty):
        return held, conflict
    return (*held[:at], msgspec.structs.replace(kept, ts_ns=ts_ns, cum_qty=cum_qty), *held[at + 1 :]), conflict


def answered(held: tuple[Execution, ...], answer: tuple[int, int, int]) -> tuple[Execution, ...]:
    """The executions with the last answer to a query (its time, CumQty and AvgPx) among them, where one is a level,
    or where two trades show that one of them was taken back.

    The same tuple comes back when nothing changed.
    """
    if not any(execution.ref == LEVEL for execution in held) and _side_by_side(held) is held:
        return held
    ts_ns, qty, px = answer
    new, at = Execution(ANSWER, _STATUS, qty, px, LEVEL, ts_ns), bisect_left(held, ANSWER, key=_exec_id)
    known = at < len(held) and held[at].exec_id == ANSWER
    return held if known and held[at] == new else (*held[:at], new, *held[at + known :])


def answer_in(held: tuple[Execution, ...]) -> Execution | None:
    """The answer to a query among the executions."""
    return next((execution for execution in held if execution.exec_id == ANSWER), None)


def _content(execution: Execution) -> tuple[int, int, int, str]:
    return FACTS[execution.kind].rank, execution.qty, execution.px, execution.ref


def recount(before: Count, held: tuple[Execution, ...], executions: tuple[Execution, ...], new: Execution) -> Count:
    """What ``executions`` amount to: ``held``, which amount to ``before``, with ``new`` added."""
    named = new.exec_id[:1] != LEVEL
    if named and new.kind is _TRADE and new.qty > 0 and not before.amended and len(executions) > len(held):
        qty, most = before.qty + new.qty, before.most_told
        most = UNTOLD if most < 0 or new.cum_qty < 0 else new.cum_qty if new.cum_qty > most else most
        if not before.beyond and not 0 <= most < qty:
            return Count(qty, before.notional + new.qty * new.px, False, before.disputed, most)
    return count(executions)


def count(executions: tuple[Execution, ...]) -> Count:
    """Quantity and notional of what counts, whether anything is amended, and whether anything is in dispute.

    A trade and the corrections and busts that refer to it, directly or through one another, make one chain, and a chain
    counts once: by the execution that no other refers to.  A bust at the end makes it count for nothing.  Where a chain
    forks (two executions refer to one), a bust wins, else the latest correction.  What cannot be placed counts for
    nothing: a trade of no quantity, an amendment that names nothing, a ring of references.  To count too little is the
    safe error, because ``missing_qty`` shows it against the broker's own count.  What goes beyond that count is in
    doubt, and does not count (:func:`settled`).
    """
    return _doubted(_sum(executions), executions)


def _sum(executions: tuple[Execution, ...]) -> Count:
    """What all of them add up to, whatever the broker counts itself."""
    levels = [execution for execution in executions if execution.ref == LEVEL]
    if levels:
        return _from_level(max(levels, key=_level_precedence), executions)
    told, executions = executions, _side_by_side(executions)
    by_id = {execution.exec_id: execution for execution in executions}
    referred = {execution.ref for execution in executions if execution.ref != execution.exec_id}
    ends: dict[str, Execution] = {}
    amended, disputed = executions is not told, False
    for execution in executions:
        amended = amended or execution.kind is not _TRADE
        root = _root(execution, by_id)
        if root is None or (execution.kind is not _TRADE_CANCEL and execution.qty <= 0):
            disputed = True
        if root is None or execution.exec_id in referred:
            continue
        disputed = disputed or (root in ends and not _revisions(ends[root], execution))
        ends[root] = max(ends.get(root, execution), execution, key=_end_precedence)
    counted = [execution for execution in ends.values() if execution.kind is not _TRADE_CANCEL and execution.qty > 0]
    return Count(
        sum(execution.qty for execution in counted),
        sum(execution.qty * execution.px for execution in counted),
        amended,
        disputed,
        _most_told(told),
    )


def settled(total: Count, executions: tuple[Execution, ...], answer: tuple[int, int, int]) -> Count:
    """What executions that the broker's own count contradicts amount to, by the last answer to a query.

    The answer settles it when it is newer than all of them, and says what they add up to or what the last of them told.
    Anything else is an older state, or more has been taken back: it stays in doubt, and the broker is asked again.
    """
    ts_ns, qty, _ = answer
    if not total.doubtful or ts_ns <= max(execution.ts_ns for execution in executions):
        return total
    if qty == total.qty:
        return total._replace(doubtful=False)
    return _sum(executions) if qty == total.qty + total.beyond else total


def _most_told(executions: tuple[Execution, ...]) -> int:
    """The largest CumQty told since the last amendment, by what is known; where one is not told, nothing is known."""
    if any(one.cum_qty == UNTOLD or one.exec_id[:1] == LEVEL for one in executions):
        return UNTOLD
    since = max((one.ts_ns for one in executions if one.kind is not _TRADE), default=0)
    return max((one.cum_qty for one in executions if one.ts_ns >= since), default=0)


def _doubted(total: Count, executions: tuple[Execution, ...]) -> Count:
    """The count, less what the last execution's CumQty denies; the price of what is left is the average."""
    if not total.is_contradicted:
        return total
    told = max(executions, key=_told_at).cum_qty
    notional = total.notional * told // total.qty
    return total._replace(qty=told, notional=notional, beyond=total.qty - told, doubtful=True)


def _told_at(execution: Execution) -> tuple[int, int, int]:
    return execution.ts_ns, FACTS[execution.kind].rank, execution.cum_qty


def _from_level(level: Execution, executions: tuple[Execution, ...]) -> Count:
    """What was left at the last level, and the trades with an exec id since: the time of others may be a repetition's.

    Without an average the price is that of what had been filled.  To leave a true trade out is to count too little,
    which ``missing_qty`` shows until the broker has answered.
    """
    others = tuple(execution for execution in executions if execution.ref != LEVEL)
    since = count(tuple(execution for execution in others if _follows(execution, level)))
    notional = level.qty * level.px
    if level.px == 0 and level.qty > 0:
        before = count(tuple(execution for execution in others if not _follows(execution, level)))
        notional = before.notional * level.qty // before.qty if before.qty else 0
    return Count(max(0, level.qty) + since.qty, max(0, notional) + since.notional, True, since.disputed)


def _side_by_side(executions: tuple[Execution, ...]) -> tuple[Execution, ...]:
    """Each trade without exec id for the units that no other has filled; the same tuple when no two overlap."""
    spans = sorted(
        (cum_qty - one.qty, -cum_qty, one.exec_id)
        for one in executions
        if one.kind is _TRADE and one.qty > 0 and (cum_qty := _brought_to(one.exec_id)) is not None
    )
    own: dict[str, int] = {}
    full_to = spans[0][0] if spans else 0
    for begin, minus_end, exec_id in spans:
        own[exec_id] = max(0, -minus_end - max(begin, full_to))
        full_to = max(full_to, -minus_end)
    if all(own[exec_id] == -minus_end - begin for begin, minus_end, exec_id in spans):
        return executions
    trimmed = (msgspec.structs.replace(one, qty=own.get(one.exec_id, one.qty)) for one in executions)
    return tuple(one for one in trimmed if one.qty or one.exec_id not in own)


def _follows(execution: Execution, level: Execution) -> bool:
    """Whether it is known to have been traded after the level."""
    return execution.ts_ns > level.ts_ns and execution.exec_id[:1] != LEVEL and OF_CONTENT not in execution.exec_id


def _brought_to(exec_id: str) -> int | None:
    """The quantity that a trade brought its order to, by an id that is made of it."""
    cum_qty = exec_id[1:].partition("/")[0]
    return int(cum_qty) if exec_id[:1] == LEVEL and cum_qty.isdecimal() else None


def _level_precedence(level: Execution) -> tuple[int, int, str]:
    """The last one; of two of one time the one that leaves less, which ``missing_qty`` shows when it is wrong."""
    return level.ts_ns, -level.qty, level.exec_id


def _root(execution: Execution, by_id: dict[str, Execution]) -> str | None:
    """The id of the trade at the bottom of the chain, seen or not; None when the references lead nowhere."""
    passed = set()
    while execution.kind is not _TRADE and execution.ref != execution.exec_id:
        passed.add(execution.exec_id)
        below = by_id.get(execution.ref)
        if execution.ref == "" or execution.ref in passed:
            return None
        if below is None:
            return execution.ref
        execution = below
    return execution.exec_id


def _revisions(one: Execution, other: Execution) -> bool:
    """Whether two corrections of one trade are revisions of it by their own numbers: ".03" follows ".02"."""
    base, dot, revision = one.exec_id.rpartition(".")
    other_base, _, other_revision = other.exec_id.rpartition(".")
    return dot == "." and base == other_base and revision.isdecimal() and other_revision.isdecimal()


def _end_precedence(execution: Execution) -> tuple[bool, int, str]:
    return execution.kind is _TRADE_CANCEL, execution.ts_ns, execution.exec_id
