"""What is known of one order: a join of execution reports, not a sequence of them (safeguards S8 and S9).

Reports are lost, repeated, delayed and overtaken.  :func:`merge` is commutative, associative and idempotent: every
permutation and every duplication of the same reports ends in an equal :class:`OrderState`, with equal encoded bytes.
Each field is a join of its own:

* *executions* are a set keyed by ``exec_id``; what counts is derived from the whole set (:mod:`domain.fills`);
* *requests* only ever go from pending to answered, per ``request_id``;
* *acknowledged* and *triggered* only ever become true; *ended* only ever rises, REJECTED < EXPIRED < CANCELED;
* four facts may truly go back and forth, and only these are registers in which the last word wins: the order's quantity
  (REPLACED, RESTATED), its ``venue_order_id`` (some brokers make a new one for each replace), the broker's own count
  (a bust lowers it), and the *phase* (done for the day, then restated the next morning).  A register holds
  ``(ts_ns, rank of the exec_type, value)`` and joins by the larger tuple.  The time is the broker's; two reports of one
  instant are ordered by what can only follow what (:data:`domain.order_table.FACTS`); if even that is equal, the larger
  value wins, which for quantities is the one that leaves more live.  No clock of ours takes part.
  What comes without an exec id may be a repetition under a new time, and is joined by its content and its earliest
  time (:mod:`domain.retold`).  With one the time is trusted: FIX repeats a report with its TransactTime (60).

Quantities are in units, prices in ten-thousandths, times in nanoseconds of the broker's clock.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter
from typing import Final

import msgspec

from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.fills import NOTHING, Count, Execution, add, answered, count, from_report, recount, settled
from domain.order_table import FACTS, TRANSITIONS, Facts, RequestState, Verdict
from domain.report_ids import execution_id, is_nameless
from domain.retold import Registers, Told, Words, last_words, told_by, told_with

# Module names for enum members: reading them off the class is the dearest step of the hot path on Python 3.11.
_REJECTED = OrdStatus.REJECTED
_FILLED = OrdStatus.FILLED
_PARTIALLY_FILLED = OrdStatus.PARTIALLY_FILLED
_REJECT = ExecType.REJECTED
_TRIGGER = ExecType.TRIGGERED
_STATUS = ExecType.ORDER_STATUS
_EXPECTED = Verdict.EXPECTED
_DUPLICATE = Verdict.DUPLICATE
_PENDING_CANCEL = RequestState.PENDING_CANCEL
_PENDING_REPLACE = RequestState.PENDING_REPLACE
_ANSWERED = RequestState.ANSWERED

_ENDS: Final = (None, OrdStatus.REJECTED, OrdStatus.EXPIRED, OrdStatus.CANCELED)  # in ascending precedence
_ACCEPTED: Final = frozenset(
    {
        OrdStatus.NEW,
        OrdStatus.PARTIALLY_FILLED,
        OrdStatus.FILLED,
        OrdStatus.DONE_FOR_DAY,
        OrdStatus.STOPPED,
        OrdStatus.SUSPENDED,
        OrdStatus.CALCULATED,
    }
)

# Phases in the order of FIX's OrdStatus precedence.  A report that prints NEW, PARTIALLY_FILLED or FILLED says that
# none of them holds; one that prints PENDING_... says nothing about them.  The two pending phases are for brokers that
# do not say which request they mean.
_ACTIVE, _SUSPENDED, _STOPPED, _CALCULATED, _DONE_FOR_DAY, _REPLACING, _CANCELING = range(7)
_PHASE_STATUS: Final = {
    _SUSPENDED: OrdStatus.SUSPENDED,
    _STOPPED: OrdStatus.STOPPED,
    _CALCULATED: OrdStatus.CALCULATED,
    _DONE_FOR_DAY: OrdStatus.DONE_FOR_DAY,
}
_PHASE_OF: Final = {
    OrdStatus.NEW: _ACTIVE,
    OrdStatus.PARTIALLY_FILLED: _ACTIVE,
    OrdStatus.FILLED: _ACTIVE,
} | {status: phase for phase, status in _PHASE_STATUS.items()}
_NAMELESS_PHASE: Final = {_PENDING_REPLACE: _REPLACING, _PENDING_CANCEL: _CANCELING}

_BEFORE_TIME: Final = -1  # what we intended ourselves yields to anything that a broker says
_request_id = itemgetter(0)


class OrderState(msgspec.Struct, frozen=True, array_like=True):
    """All that is known of one order.  Made by :meth:`new` and :func:`merge` only."""

    client_order_id: str
    described: tuple[int, int, int]  # register: (ts_ns, rank, order_qty)
    venue: tuple[int, int, str]  # register: (ts_ns, rank, venue_order_id)
    reported: tuple[int, int, int]  # register: (ts_ns, rank, cum_qty by the broker's own count)
    phase: tuple[int, int, int]  # register: (ts_ns, rank, phase)
    executions: tuple[Execution, ...] = ()  # by exec_id
    requests: tuple[tuple[str, RequestState], ...] = ()  # by request_id
    conflicts: tuple[str, ...] = ()  # exec_ids that came with different contents, sorted
    acknowledged: bool = False
    triggered: bool = False
    ended: OrdStatus | None = None  # REJECTED, EXPIRED or CANCELED
    count: Count = NOTHING  # derived from the executions alone, and kept because every decision reads it
    told: tuple[Told, ...] = ()  # by event id: what reports without exec ids said, each since its earliest time
    apart: Registers | None = None  # the registers by all other reports; None while nothing is ``told``
    asked: tuple[int, int, int] = (_BEFORE_TIME, 0, 0)  # register: (ts_ns, cum_qty, avg_px) of answers to queries

    @classmethod
    def new(cls, client_order_id: str, order_qty: int) -> OrderState:
        """The state at intent: nothing is known but what we want.  ``order_qty`` 0: we do not know it ourselves."""
        nothing = (_BEFORE_TIME, 0, 0)
        return cls(client_order_id, (_BEFORE_TIME, 0, order_qty), (_BEFORE_TIME, 0, ""), nothing, nothing)

    @property
    def cum_qty(self) -> int:
        """What is filled, by the executions that we hold (FIX 14), less what the broker's own count denies."""
        return self.count.qty

    @property
    def notional(self) -> int:
        """The exact sum of quantity x price over what is filled, in ten-thousandths."""
        return self.count.notional

    @property
    def order_qty(self) -> int:
        """The order's whole quantity as it stands."""
        return self.described[2]

    @property
    def venue_order_id(self) -> str:
        """The broker's name for the order; "" while unknown."""
        return self.venue[2]

    @property
    def reported_cum_qty(self) -> int:
        """What the broker last said was filled, whether or not we have seen the fills."""
        return self.reported[2]

    @property
    def missing_qty(self) -> int:
        """Filled by the broker's count, but not by the executions that we hold: evidence of lost reports."""
        missing = self.reported[2] - self.count.qty
        return missing if missing > 0 else 0

    @property
    def doubtful_qty(self) -> int:
        """Units that the executions tell and the broker's own count denies, while no answer to a query has settled it.

        No more than the order may have filled besides what counts: what is beyond that cannot be.
        """
        count = self.count
        return max(0, min(count.beyond, self.described[2] - count.qty)) if count.doubtful else 0

    @property
    def avg_px(self) -> int:
        """The average price of what is filled, rounded half to even from the exact notional; 0 when nothing is."""
        qty, notional = self.count.qty, self.count.notional
        if qty == 0:
            return 0
        px, rest = divmod(notional, qty)
        return px + (2 * rest > qty or (2 * rest == qty and px % 2 == 1))

    @property
    def is_filled(self) -> bool:
        """By our executions or by the broker's own count."""
        order_qty = self.described[2]
        return 0 < order_qty <= self.count.qty or 0 < order_qty <= self.reported[2]

    @property
    def is_terminal(self) -> bool:
        """The broker has said that it is over.  A filled order with a replace in flight may still grow, and is not."""
        return self.ended is not None or (self.is_filled and self.pending is not _PENDING_REPLACE)

    @property
    def is_settled(self) -> bool:
        """Over, and every fill that the broker counts is in our hands: only now may another order take its place."""
        if self.reported[2] > self.count.qty or (self.count.doubtful and self.doubtful_qty):
            return False
        return self.ended is not None or (self.is_filled and self.pending is not _PENDING_REPLACE)

    @property
    def is_acknowledged(self) -> bool:
        """The broker is known to have accepted the order at some time."""
        return self.acknowledged

    @property
    def leaves_qty(self) -> int:
        """What the broker still works (FIX 151): 0 when terminal."""
        if self.ended is not None:
            return 0
        return max(0, self.described[2] - max(self.count.qty, self.reported[2]))

    @property
    def live_qty(self) -> int:
        """What may still become a fill on our books: what the broker works, what it filled unseen by us, and what is in
        doubt: if that has filled, the broker works so much less.
        """
        live = self.leaves_qty + self.missing_qty
        return max(live, self.doubtful_qty) if self.count.doubtful else live

    @property
    def has_anomaly(self) -> bool:
        """The reports, taken together, cannot all be true.  (Does not depend on their order.)"""
        return (
            self.count.disputed
            or bool(self.conflicts)
            or self.count.beyond > 0
            or 0 < self.described[2] < self.count.qty
            or (self.ended is _REJECTED and self.count.qty > 0)
        )

    @property
    def pending(self) -> RequestState | None:
        """The weightiest request that is pending at the broker, or None."""
        phase = self.phase[2]
        if phase < _REPLACING and not self.requests:
            return None
        found = _PENDING_CANCEL if phase == _CANCELING else _PENDING_REPLACE if phase == _REPLACING else None
        for _, state in self.requests:
            if state is not _ANSWERED and (found is None or state > found):
                found = state
        return found

    @property
    def ord_status(self) -> OrdStatus:
        """FIX 39, by the precedence of the FIX 4.4 execution report where several statuses hold at once.

        An end is absorbing and hides what was pending, and only FILLED outranks it.
        """
        filled = self.is_filled
        if self.ended is not None:
            return _FILLED if filled else self.ended
        pending = self.pending if self.requests or self.phase[2] >= _REPLACING else None
        if pending is not None:
            return OrdStatus.PENDING_CANCEL if pending is _PENDING_CANCEL else OrdStatus.PENDING_REPLACE
        phase = self.phase[2]
        if phase >= _CALCULATED or (phase != _ACTIVE and not filled):
            return _PHASE_STATUS[phase]
        if filled:
            return _FILLED
        if self.count.qty > 0 or self.reported[2] > 0:
            return _PARTIALLY_FILLED
        return OrdStatus.NEW if self.acknowledged else OrdStatus.PENDING_NEW


class Merged(msgspec.Struct, frozen=True):
    """The state after a report, what the report meant, and, unless that is plain, why (for ``rejected_events``)."""

    state: OrderState
    verdict: Verdict
    reason: str = ""


def merge(state: OrderState, report: ExecutionReport) -> Merged:
    """Join one report into what is known.

    ``Merged.state`` is the very object that was passed in when the report holds nothing new.  A report with an
    ``order_qty`` of 0 says nothing about quantities, and a query answered so ("unknown order") nothing at all: the
    order may still be on its way.  Raises ``ValueError`` for a report about another order.
    """
    if report.client_order_id != state.client_order_id:
        raise ValueError(
            f"a report about {report.client_order_id!r} cannot be merged into order {state.client_order_id!r}: "
            "look the state up by the report's client_order_id"
        )
    facts = FACTS[report.exec_type]
    after = _joined(state, report, facts)
    return _judged(state, after, report, facts)


def _joined(state: OrderState, report: ExecutionReport, facts: Facts) -> OrderState:
    told, apart = state.told, state.apart
    if apart is None and not is_nameless(report):
        said = (state.described, state.venue, state.reported, state.phase)
        described, venue, reported, phase = _spoken(said, report, facts)
    else:
        (described, venue, reported, phase), told, apart = _retold(state, report, facts)
    acknowledged = state.acknowledged or facts.acknowledges or report.ord_status in _ACCEPTED
    triggered = state.triggered or report.exec_type is _TRIGGER
    requests = _requests(state.requests, report, facts) if facts.request and report.request_id else state.requests
    ended = _ended(state.ended, report, facts) if facts.ends else state.ended
    executions, conflicts, total = state.executions, state.conflicts, state.count
    if facts.executes:
        new = from_report(report, execution_id(report))
        executions, conflict = add(state.executions, new)
        if executions is not state.executions:
            total = recount(total, state.executions, executions, new)
        if conflict and new.exec_id not in conflicts:
            conflicts = tuple(sorted((*conflicts, new.exec_id)))
    asked = _asked(state.asked, report) if report.exec_type is _STATUS else state.asked
    if total.amended and asked[0] > _BEFORE_TIME:
        judged = answered(executions, asked)
        if judged is not executions:
            executions, total = judged, count(judged)
    if (executions is not state.executions or asked is not state.asked) and total.is_contradicted:
        total = settled(count(executions), executions, asked)
    if (
        described is state.described
        and reported is state.reported
        and executions is state.executions
        and phase is state.phase
        and venue is state.venue
        and requests is state.requests
        and conflicts is state.conflicts
        and acknowledged is state.acknowledged
        and triggered is state.triggered
        and ended is state.ended
        and told is state.told
        and apart is state.apart
        and asked is state.asked
    ):
        return state
    return OrderState(
        state.client_order_id,
        described,
        venue,
        reported,
        phase,
        executions,
        requests,
        conflicts,
        acknowledged,
        triggered,
        ended,
        total,
        told,
        apart,
        asked,
    )


def _spoken(said: Words, report: ExecutionReport, facts: Facts) -> Words:
    """The registers after a report whose time is that of what it says."""
    described, venue, reported, phase = said
    ts_ns, rank, order_qty = report.ts_ns, facts.rank, report.order_qty
    if order_qty > 0:
        if facts.describes:
            description = (ts_ns, rank, order_qty)
            described = description if description > described else described
            name = (ts_ns, rank, report.venue_order_id)
            venue = name if name > venue and report.venue_order_id else venue
        if facts.counts:
            claim = (ts_ns, rank, report.cum_qty)
            reported = claim if claim > reported else reported
    value = _phase_told(report, facts) if facts.phased else None
    if value is not None:
        word = (ts_ns, rank, value)
        phase = word if word > phase else phase
    return described, venue, reported, phase


def _retold(
    state: OrderState, report: ExecutionReport, facts: Facts
) -> tuple[Words, tuple[Told, ...], Registers | None]:
    """The registers of an order with reports without exec ids, and what they are made of."""
    now = Registers(state.described, state.venue, state.reported, state.phase)
    apart, told = state.apart or now, state.told
    if is_nameless(report):
        told = told_with(told, told_by(report, facts, _phase_told(report, facts) if facts.phased else None))
    elif (said := Registers(*_spoken(apart, report, facts))) != apart:
        apart = said
    if told is state.told and apart is state.apart:
        return now, told, apart
    return last_words(apart, told), told, apart


def _asked(asked: tuple[int, int, int], report: ExecutionReport) -> tuple[int, int, int]:
    """The last answer to a query with this one; "unknown order" is none."""
    answer = (report.ts_ns, report.cum_qty, report.avg_px)
    return answer if report.order_qty > 0 and answer > asked else asked


def _phase_told(report: ExecutionReport, facts: Facts) -> int | None:
    if facts.request is not None and facts.request is not _ANSWERED:
        return None if report.request_id else _NAMELESS_PHASE[facts.request]
    return _PHASE_OF.get(report.ord_status)


def _ended(ended: OrdStatus | None, report: ExecutionReport, facts: Facts) -> OrdStatus | None:
    claim = facts.ends.get(report.ord_status)
    if report.exec_type is ExecType.ORDER_STATUS and report.order_qty <= 0:
        return ended
    return max(ended, claim, key=_ENDS.index)


def _requests(
    requests: tuple[tuple[str, RequestState], ...], report: ExecutionReport, facts: Facts
) -> tuple[tuple[str, RequestState], ...]:
    request_id, said = report.request_id, facts.request
    at = bisect_left(requests, request_id, key=_request_id)
    known = at < len(requests) and requests[at][0] == request_id
    if said is None or (known and said <= requests[at][1]):
        return requests
    return (*requests[:at], (request_id, said), *requests[at + known :])


_REASONS: Final = {
    Verdict.REGRESSION: "late {incoming}: the order is already {current}",
    Verdict.REVIVAL: "{incoming} of an order that was {current}",
    Verdict.ANOMALY: "{incoming} contradicts an order that is {current}",
}


def _judged(before: OrderState, after: OrderState, report: ExecutionReport, facts: Facts) -> Merged:
    if facts.executes:
        if after is before:
            return Merged(after, _DUPLICATE)
        broken = _broken_promise(before, after)
        if broken:
            return Merged(after, Verdict.ANOMALY, broken)
    current, incoming = before.ord_status, report.exec_type
    verdict = TRANSITIONS[current, incoming]
    if verdict is not _EXPECTED:
        verdict = _excused(verdict, before, after, report)
    if verdict is _EXPECTED:
        return Merged(after, _DUPLICATE if after is before else _EXPECTED)
    return Merged(after, verdict, _REASONS[verdict].format(current=current.value, incoming=incoming.value))


def _excused(verdict: Verdict, before: OrderState, after: OrderState, report: ExecutionReport) -> Verdict:
    """The table's verdict, unless what the report says besides its kind makes it harmless."""
    if report.exec_type is _REJECT and report.ord_status is not _REJECTED:
        return _EXPECTED  # rejects a duplicate; the order is as it was (F.1.a)
    if verdict is Verdict.REGRESSION and report.ord_status is before.ord_status:
        return _EXPECTED  # it names the status that holds already
    if verdict is Verdict.REVIVAL and after.cum_qty <= before.reported_cum_qty:
        return Verdict.REGRESSION  # the broker had counted this fill when it called the order over
    return verdict


def _broken_promise(before: OrderState, after: OrderState) -> str:
    """What an execution shows that a broker promises never to do, or ""."""
    if after.conflicts is not before.conflicts:
        ids = ", ".join(sorted(set(after.conflicts) - set(before.conflicts)))
        return f"two contents under one exec_id: {ids}"
    if after.count.disputed and not before.count.disputed:
        return "an execution without quantity, or amendments that contradict each other"
    order_qty, cum_qty = after.described[2], after.count.qty
    if after.count.beyond > before.count.beyond:
        return (
            f"its trades add up to {cum_qty + after.count.beyond}, but the broker counted {cum_qty}: one was taken "
            f"back, and nothing has told it; {cum_qty} count, and the broker is asked"
        )
    if 0 < order_qty < cum_qty and cum_qty > before.count.qty:
        return f"overfilled: {cum_qty} of {order_qty}"
    return ""
