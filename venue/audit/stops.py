"""Checks of stop-losses (I8) and of deadlines (I27)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from domain.groups import Leg, TriggerOn, tag_kind
from venue.audit.evidence import SECOND_NS, STOP, Bounds, Evidence, Finding, GroupOrders, Seen, open_of
from venue.audit.journal import Entry
from venue.audit.orders import State, moments


def stops_match_positions(evidence: Evidence, bounds: Bounds) -> Finding:
    """I8.  A case is one stop-loss order received or replaced, or one time in which a guarded position lacked its stop.

    What the stop-loss orders of a leg may still exit is never more than the leg's position, as far as the decision
    could know when one was sent; and when the position shrinks, it does not stay more for longer than ``unguarded_s``
    of exchange time in sessions.  While the journal holds the group hedged and entering, it is never less for longer
    than that, unless an alert told in that time that the stop is missing, or another order of the leg is exiting it; or
    stops are watched here, because a gateway started at a broker without them.
    """
    found = Finding(name="I8", title=f"a position has its whole stop within {bounds.unguarded_s:g} s, and never more")
    longest = 0.0
    at_broker = all(start.server_stops for start in evidence.wire.starts)
    for group in evidence.groups:
        for leg in (leg for leg in group.group.legs if leg.stop_trigger):
            _check_most(found, evidence, group, leg)
            _check_excess(found, evidence, group, leg, bounds)
            if leg.stop_trigger_on is not TriggerOn.LAST or not at_broker:
                continue  # watched here: there is no order at the exchange before it triggers
            for start_ns, end_ns, lacking in _unguarded(evidence, group, leg):
                found.cases += 1
                seconds = evidence.wire.open_ns(start_ns, end_ns) / SECOND_NS
                longest = max(longest, seconds)
                if seconds > bounds.unguarded_s and not _told(evidence, group.group.group_id, start_ns, end_ns, bounds):
                    found.problems.append(
                        f"{group.group.group_id}/{leg.leg_id}: {lacking} units without a stop for {seconds:.3f} s from "
                        f"{start_ns}; expected at most {bounds.unguarded_s:g} s, or an alert"
                    )
    found.notes.append(f"longest time without the whole stop {longest:.3f} s")
    return found


def _guarding(group: GroupOrders, state: State, leg: Leg, seen: Seen | None = None) -> int:
    """What the stop-loss orders of a leg may still exit."""
    return sum(
        open_of(order, state, seen)
        for order in state
        if tag_kind(order.client_order_id) == STOP and group.leg_of(order) is leg
    )


def _check_most(found: Finding, evidence: Evidence, group: GroupOrders, leg: Leg) -> None:
    for order, step, state in moments(group.orders):
        is_stop = tag_kind(order.client_order_id) == STOP and group.leg_of(order) is leg
        if not is_stop or step.kind not in ("order_received", "replaced"):
            continue
        found.cases += 1
        total, held = _guarding(group, state, leg), group.held(state)[leg.leg_id]
        seen = evidence.seen_by(order)
        if total <= max(0, held):
            continue
        told = f"{order.client_order_id}: stops for {total} at {step.ts_ns}; expected at most {held} held"
        if seen is not None and _guarding(group, state, leg, seen) <= max(0, group.held(state, seen)[leg.leg_id]):
            found.notes.append(f"excused, decided before the surprise was known: {told}")
        else:
            found.problems.append(told)


def _check_excess(found: Finding, evidence: Evidence, group: GroupOrders, leg: Leg, bounds: Bounds) -> None:
    """A stop-loss that outgrew its position would open another one when it triggers."""
    since, most = 0, 0
    changes = [(at, max(0, -_bare(group, leg, state, at))) for at, state in _moments(group, leg)]
    for at_ns, excess in [*changes, (evidence.record.last_ns, 0)]:
        if since and not excess:
            found.cases += 1
            seconds = evidence.wire.open_ns(since, at_ns) / SECOND_NS
            if seconds > bounds.unguarded_s:
                found.problems.append(
                    f"{group.group.group_id}/{leg.leg_id}: stops for {most} more than is held, for {seconds:.3f} s "
                    f"from {since}; expected at most {bounds.unguarded_s:g} s"
                )
        since, most = (since or at_ns, max(most, excess)) if excess else (0, 0)


def _unguarded(evidence: Evidence, group: GroupOrders, leg: Leg) -> list[tuple[int, int, int]]:
    """Start, end and largest shortfall of each time in which a certified position had less than its stop."""
    hedged = _hedged_times(evidence.journal.history["GroupRecord"].get((group.group.group_id,), []))
    changes = [
        (at, max(0, _bare(group, leg, state, at) - _exiting(group, leg, state))) for at, state in _moments(group, leg)
    ]
    spans = []
    for start_ns, until_ns in hedged:
        end_ns = min(until_ns, evidence.record.last_ns)
        lacking = next((s for at, s in reversed(changes) if at <= start_ns), 0)
        since, most = (start_ns, lacking) if lacking else (0, 0)
        for at, shortfall in [(at, s) for at, s in changes if start_ns < at < end_ns] + [(end_ns, 0)]:
            if since and not shortfall:
                spans.append((since, at, most))
                since, most = 0, 0
            elif shortfall:
                since, most = since or at, max(most, shortfall)
    return spans


def _moments(group: GroupOrders, leg: Leg) -> Iterator[tuple[int, State]]:
    """When orders, or the leg's position without an order, changed, and how the orders were from then on."""
    moves = [move.ts_ns for move in group.moves if move.leg_id == leg.leg_id]
    last: State = {}
    for _, step, state in moments(group.orders):
        while moves and moves[0] < step.ts_ns:
            yield moves.pop(0), last
        yield step.ts_ns, state
        last = dict(state) if moves else state
    for at_ns in moves:
        yield at_ns, last


def _bare(group: GroupOrders, leg: Leg, state: State, at_ns: int) -> int:
    """What is held of the leg and has no stop-loss order; negative when these are for more than is held."""
    return max(0, group.held(state, until_ns=at_ns)[leg.leg_id]) - _guarding(group, state, leg)


def _exiting(group: GroupOrders, leg: Leg, state: State) -> int:
    """What other orders may take away from the leg's position."""
    return sum(
        open_of(order, state, None)
        for order in state
        if group.leg_of(order) is leg and group.exits(order, leg) and tag_kind(order.client_order_id) != STOP
    )


def _hedged_times(entries: list[Entry]) -> list[tuple[int, int]]:
    """When the log held the group hedged and entering: its stops are to be complete."""
    times: list[tuple[int, int]] = []
    start = 0
    for entry in entries:
        whole = entry.facts["outcome"] == "hedged" and entry.facts["mode"] == "entering"
        if whole and not start:
            start = entry.committed_ns
        elif start and not whole:
            times.append((start, entry.committed_ns))
            start = 0
    return times + ([(start, 1 << 63)] if start else [])


def _told(evidence: Evidence, group_id: str, start_ns: int, end_ns: int, bounds: Bounds) -> bool:
    """Whether a person was told, in time, that a stop is missing: whatever else was told of the group is no excuse."""
    return any(
        start_ns <= time <= end_ns and evidence.wire.open_ns(start_ns, time) <= bounds.unguarded_s * SECOND_NS
        for alert in evidence.journal.alerts
        if alert["group_id"] == group_id and alert["kind"] == "STOP_UNPROTECTED"
        for time in evidence.journal.raised.get(alert["escalation_id"], [])
    )


def deadlines_act_once(evidence: Evidence, bounds: Bounds) -> Finding:
    """I27.  A case is one hedge that had its time, or one stop-loss that was triggered.

    A hedge hands on to one child at most, and is not given up later than ``late_s`` after its deadline.  A stop-loss
    falls back at most once for each time it is triggered, never before its time (as the wire record gives it) has
    passed, and at most ``late_s`` later.  All on the journal's broker clock,
    on which the time between sessions does not count.
    """
    found = Finding(name="I27", title="a deadline acts at most once, and in its window")
    children: dict[str, list[str]] = {}
    for (hedge_id,), row in evidence.journal.tables["HedgeRecord"].items():
        if row["parent_hedge_id"]:
            children.setdefault(row["parent_hedge_id"], []).append(hedge_id)
    late: list[int] = [0]
    for (hedge_id,), entries in evidence.journal.history["HedgeRecord"].items():
        found.cases += 1
        _check_hedge(found, evidence, hedge_id, entries, children.get(hedge_id, []), late, bounds)
    for (stop_id,), entries in evidence.journal.history["StopRecord"].items():
        _check_stop(found, evidence, stop_id, entries, late, bounds)
    found.notes.append(f"the latest act came {max(late) / SECOND_NS:.3f} s after its deadline")
    return found


def _check_hedge(
    found: Finding,
    evidence: Evidence,
    hedge_id: str,
    entries: list[Entry],
    children: list[str],
    late: list[int],
    bounds: Bounds,
) -> None:
    if len(children) > 1:
        found.problems.append(f"{hedge_id}: {len(children)} children ({', '.join(children)}); expected one")
    for before, after in pairwise(entries):
        if before.facts["status"] == "WORKING" and after.facts["status"] in ("SHORT", "ESCALATED"):
            over = evidence.wire.open_ns(after.facts["deadline_ns"], after.committed_ns)
            late.append(over)
            if over > bounds.late_s * SECOND_NS:
                found.problems.append(
                    f"{hedge_id}: given up {over / SECOND_NS:.3f} s late; expected {bounds.late_s:g} s"
                )


def _check_stop(
    found: Finding, evidence: Evidence, stop_id: str, entries: list[Entry], late: list[int], bounds: Bounds
) -> None:
    fallback_ms = next((line.stop_fallback_ms for line in evidence.wire.starts if line.stop_fallback_ms), 0)
    acted: set[int] = set()
    for before, after in pairwise([None, *entries]):
        assert after is not None
        was = before.facts["status"] if before else ""
        now, triggered_ns = after.facts["status"], after.facts["triggered_ns"]
        found.cases += bool(triggered_ns and (before is None or before.facts["triggered_ns"] != triggered_ns))
        if was not in ("", "ARMED", "TRIGGERED") or now not in ("FALLBACK", "MARKET") or not triggered_ns:
            continue
        over = after.committed_ns - triggered_ns - fallback_ms * 1_000_000
        if over > 0:
            over = evidence.wire.open_ns(after.committed_ns - over, after.committed_ns)
        late.append(over)
        if over < 0 or over > bounds.late_s * SECOND_NS:
            found.problems.append(
                f"{stop_id}: fell back {over / SECOND_NS:.3f} s after its deadline; expected 0 to {bounds.late_s:g} s"
            )
        if triggered_ns in acted:
            found.problems.append(f"{stop_id}: fell back twice for the trigger at {triggered_ns}; expected once")
        acted.add(triggered_ns)
