"""Checks of protection: how long shorts stay uncovered (I6), and that risk works only under filled protection (I7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple

from domain.coverage import covered
from domain.execution import Side
from domain.groups import Group, Leg, Role, tag_kind
from venue.audit.evidence import ENTRY, SECOND_NS, Bounds, Evidence, Finding, GroupOrders, Seen, open_of
from venue.audit.orders import State, moments

Family = tuple[object, ...]  # underlying, right, multiplier: only within these a long protects a short


def bare(group: Group, longs: Mapping[str, int], shorts: Mapping[str, int]) -> int:
    """Short units without protection."""
    return sum(_bare(group, longs, shorts).values())


def _bare(group: Group, longs: Mapping[str, int], shorts: Mapping[str, int]) -> Counter[Family]:
    """The same by family, counted without the program's own pairing of longs with shorts.

    A long protects a short that expires no later.  So of each family as many stand bare as, from some expiry on, there
    are shorts more than longs; of what is no option, all.
    """
    found: Counter[Family] = Counter()
    sold: dict[Family, Counter[str]] = {}
    for leg in group.legs:
        of, is_short = leg.instrument, leg.side is Side.SELL
        units = max(0, (shorts if is_short else longs).get(leg.leg_id, 0))
        if is_short or of.right is not None:
            family: Family = (of.underlying, of.right, of.multiplier)
            sold.setdefault(family, Counter())[of.expiry] += units if is_short else -units
    for family, by_expiry in sold.items():
        more = accumulate(by_expiry[expiry] for expiry in sorted(by_expiry, reverse=True))
        found[family] = max(0, *more)
    return found


def exposed(group: Group, longs: Mapping[str, int], shorts: Mapping[str, int]) -> int:
    """Short units without protection, those apart that would have none with every long of the plan there, if it may.

    Counted for each family by itself: what may be naked of one is no excuse for another.
    """
    if not group.allow_naked:
        return bare(group, longs, shorts)
    targets = {leg.leg_id: leg.target_qty for leg in group.legs}
    planned = {leg_id: min(units, targets[leg_id]) for leg_id, units in shorts.items()}
    return (_bare(group, longs, shorts) - _bare(group, targets, planned)).total()


class Span(NamedTuple):
    """A time during which a group had more uncovered than its plan allows; ``peak`` in units."""

    start_ns: int
    end_ns: int
    peak: int
    open: bool  # it had not ended when the record did
    unheard_ns: int  # so long the journal did not know of the bust or correction that began it; else 0

    def allowed_ns(self, bounds: Bounds) -> int:
        """How long it may last without an alert: what was not heard of does not count, up to two polls."""
        return round(bounds.uncovered_s * SECOND_NS) + min(self.unheard_ns, round(bounds.unheard_s * SECOND_NS))


def uncovered_shorts_are_brief_or_alerted(evidence: Evidence, bounds: Bounds) -> Finding:
    """I6.  A case is one change of what has filled in a group with a short leg.

    Positions are the exchange's fills.  Short units that nothing protects, those apart that the
    plan may leave naked (:func:`exposed`), may last ``uncovered_s``, and number ``uncovered_qty`` if that is given;
    otherwise a CRITICAL alert of the group was raised within that time of their beginning, or still stood
    unacknowledged.  Where a bust or a correction began it, the time until the journal held that does not count, up to
    ``unheard_s``.  A night counts like any other time: it is the person who can act in it.
    """
    found = Finding(name="I6", title=f"uncovered shorts last at most {bounds.uncovered_s:g} s, or a person was called")
    spans: list[tuple[str, Span]] = []
    longest_ns = 0
    for group in (group for group in evidence.groups if group.shorts()):
        cases, own = _spans(evidence, group)
        found.cases += cases
        spans += [(group.group.group_id, span) for span in own]
    for group_id, span in spans:
        too_large = bounds.uncovered_qty is not None and span.peak > bounds.uncovered_qty
        lasted_ns = evidence.passed_ns(span.start_ns, span.end_ns)
        longest_ns = max(longest_ns, lasted_ns)
        too_long = lasted_ns > span.allowed_ns(bounds)
        if (too_long or too_large) and not _alerted(evidence, group_id, span, bounds):
            found.problems.append(
                f"{group_id}: up to {span.peak} units uncovered for {lasted_ns / SECOND_NS:.3f} s from "
                f"{span.start_ns}; expected a CRITICAL alert within {span.allowed_ns(bounds) / SECOND_NS:g} s"
            )
    largest = max((span.peak for _, span in spans), default=0)
    found.notes.append(f"largest uncovered quantity {largest}, longest uncovered time {longest_ns / SECOND_NS:.3f} s")
    if evidence.record.movements:
        found.notes.append(
            f"{len(evidence.record.movements)} changes of position without an order: as the journals attribute them"
        )
    return found


def exposed_at_the_end(evidence: Evidence) -> list[tuple[str, Span]]:
    """Groups that have more uncovered than their plan allows when the record ends, and since when."""
    return [
        (group.group.group_id, span)
        for group in evidence.groups
        if group.shorts()
        for span in _spans(evidence, group)[1]
        if span.open
    ]


def _spans(evidence: Evidence, group: GroupOrders) -> tuple[int, list[Span]]:
    """How often fills changed, and when the group was exposed; a span that has not ended ends with the record."""
    spans: list[Span] = []
    until_ns = evidence.record.last_ns
    cases, start_ns, peak, unheard_ns = 0, 0, 0, 0
    for at_ns, heard_ns, held in _changes(evidence, group):
        cases += 1
        longs = {key: max(0, quantity) for key, quantity in held.items()}
        units = exposed(group.group, longs, longs)
        if units and not peak:
            start_ns, unheard_ns = at_ns, max(0, heard_ns - at_ns)
        elif peak and not units:
            spans.append(Span(start_ns, at_ns, peak, False, unheard_ns))
        peak = max(peak, units) if units else 0
    if peak:
        spans.append(Span(start_ns, until_ns, peak, True, unheard_ns))
    return cases, spans


def _changes(evidence: Evidence, group: GroupOrders) -> Iterator[tuple[int, int, dict[str, int]]]:
    """When a position changed, when a surprise was heard of (a fill: at once), and what each leg held then."""
    moves = list(group.moves)
    last: State = {}
    for order, step, state in moments(group.orders):
        while moves and moves[0].ts_ns <= step.ts_ns:
            move = moves.pop(0)
            yield move.ts_ns, move.heard_ns, group.held(last, until_ns=move.ts_ns)
        last = dict(state) if moves else state
        if step.exec_id and step.kind in ("fill", "busted", "corrected"):
            heard = evidence.journal.heard(order.client_order_id, step)
            heard_ns = heard.committed_ns if heard else evidence.record.last_ns
            yield step.ts_ns, step.ts_ns if step.kind == "fill" else heard_ns, group.held(state)
    for move in moves:
        yield move.ts_ns, move.heard_ns, group.held(last, until_ns=move.ts_ns)


def _alerted(evidence: Evidence, group_id: str, span: Span, bounds: Bounds) -> bool:
    allowed_ns = span.allowed_ns(bounds)
    for alert in evidence.journal.alerts:
        if alert["group_id"] != group_id or alert["severity"] != "CRITICAL":
            continue
        times = evidence.journal.raised.get(alert["escalation_id"], [])
        stands = not alert["acknowledged_ns"] or alert["acknowledged_ns"] >= span.start_ns
        if stands and any(time < span.start_ns for time in times):
            return True
        if any(evidence.passed_ns(span.start_ns, time) <= allowed_ns for time in times if time >= span.start_ns):
            return True
    return False


def risk_works_under_filled_protection(evidence: Evidence, _: Bounds) -> Finding:
    """I7.  A case is one entry order of a RISK leg received at the exchange.

    At that moment the short units held and open, this order included, are covered by the long units held: fills of
    entries and hedges less what was sold again.  A plan that allows naked units may leave just those uncovered, and
    they are only sold once every long is filled and every short as far as it is covered: an order of that part, as when
    a bust has opened it again, need not wait for what is naked already.  An order that had been decided before the
    journal heard of a bust, a correction, or the fill of an exit is measured by what was known, and listed.
    """
    found = Finding(name="I7", title="risk works only under filled protection")
    for group in evidence.groups:
        for order, step, state in moments(group.orders):
            leg = group.leg_of(order)
            if leg is None or leg.role is not Role.RISK or step.kind != "order_received":
                continue
            if tag_kind(order.client_order_id) != ENTRY:
                continue
            found.cases += 1
            others = {other: at for other, at in state.items() if other is not order}
            lacking = _lacking(group, leg, state, others, step.ts_ns)
            if not lacking or _naked(group, state, step.ts_ns) == _naked(group, others, step.ts_ns):
                continue  # it makes no short naked that was not
            seen = evidence.seen_by(order)
            told = f"{order.client_order_id}: received at {step.ts_ns} with {lacking}; expected protection filled first"
            if seen is not None and not _lacking(group, leg, state, others, step.ts_ns, seen):
                found.notes.append(f"excused, decided before the surprise was known: {told}")
            else:
                found.problems.append(told)
    return found


def _lacking(group: GroupOrders, leg: Leg, state: State, others: State, at_ns: int, seen: Seen | None = None) -> str:
    """What of the shorts held and open is not protected as it must be for more of ``leg``; "" when all is.

    What was exposed without the order (``others``), as by a late fill of another, is not the order's.
    """
    plan = group.group
    longs, shorts = _sides(group, state, seen, at_ns)
    lacking = exposed(plan, longs, shorts)
    if lacking > exposed(plan, *_sides(group, others, seen, at_ns)):
        return f"{lacking} of {sum(shorts.values())} short units uncovered"
    naked, first = bare(plan, longs, shorts), _covered_part(plan)
    held = group.held(state, seen)
    is_done = all(held[leg_id] >= units for leg_id, units in first.items())
    if naked and not is_done and shorts[leg.leg_id] > first[leg.leg_id]:
        return f"{naked} naked units before the covered part was filled"
    return ""


def _naked(group: GroupOrders, state: State, at_ns: int) -> int:
    return bare(group.group, *_sides(group, state, None, at_ns))


def _sides(
    group: GroupOrders, state: State, seen: Seen | None, until_ns: int | None = None
) -> tuple[dict[str, int], dict[str, int]]:
    """Longs held, and shorts held or open; ``until_ns``: up to when changes without an order count (``held``).

    As a decision could know (``seen``), a short is the lesser of what it was before and after a surprise: the order's
    status may have told of what its correction had yet to tell.
    """
    held = group.held(state, seen, until_ns)
    truly = group.held(state, until_ns=until_ns)
    longs = {leg.leg_id: max(0, held[leg.leg_id]) for leg in group.group.legs if leg.side is Side.BUY}
    shorts = {leg.leg_id: max(0, min(held[leg.leg_id], truly[leg.leg_id])) for leg in group.shorts()}
    for order in state:
        leg = group.leg_of(order)
        if leg is not None and leg.side is Side.SELL and not group.exits(order, leg):
            shorts[leg.leg_id] += open_of(order, state, seen)
    return longs, shorts


def _covered_part(plan: Group) -> dict[str, int]:
    """What of each leg comes before anything naked is sold."""
    targets = {leg.leg_id: leg.target_qty for leg in plan.legs}
    return {**targets, **covered(plan.legs, targets, targets)}
