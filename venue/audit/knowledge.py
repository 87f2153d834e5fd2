"""Checks of what is known of an order: it only grows (I13), an end stays one (I14), doubt ends by evidence (I15)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from venue.audit.evidence import SECOND_NS, Bounds, Evidence, Finding
from venue.audit.journal import Entry
from venue.audit.layout import EXECUTED_NS, EXECUTED_TO, KNOWN_EXECUTIONS, REGISTERS, TOLD, TOLD_COUNT, TOLD_QUANTITY
from venue.audit.orders import Order

ENDED = frozenset({"filled", "canceled", "rejected", "expired"})  # of an order
NO_OTHER_END = frozenset(
    {("REFUSED", "REJECTED"), ("VOID", "REJECTED"), ("filled", "pending_cancel"), ("filled", "pending_replace")}
)  # FIX 4.4: a request that has not been answered outranks FILLED
AMENDED = "/trade_c"  # in the event id of a bust or a correction
FILLED = frozenset({"filled", "FILLED"})
SETTLED = frozenset({"FILLED", "CANCELED", "REJECTED", "EXPIRED", "REFUSED", "VOID"})  # of an intent


def knowledge_only_grows(evidence: Evidence, _: Bounds) -> Finding:
    """I13.  A case is one record of an order's state that follows another one.

    Each fact that the broker stamps (quantity, number, its own count, phase) is as new as before or newer, no execution
    is forgotten, and the filled quantity falls only together with a bust or a correction that was not known before, or
    with a later answer to a query about an order that has one without exec id, or to what the broker counted with the
    last execution, when that is new.
    What was stamped falls back when a report without exec id, heard repeated under a later time, is heard of its own;
    and a count by such a report, whose time may be that of a repetition, when a report of an earlier time counts more.
    Of what was heard in time no repetition is news: the time of its word never rises, unless the repetition says more.
    """
    found = Finding(name="I13", title="an older snapshot never overwrites newer knowledge")
    for (order_id,), entries in evidence.journal.history["ExecutionStateRecord"].items():
        for before, after in pairwise(entries):
            found.cases += 1
            wrong = _forgotten(before.facts, after.facts)
            if wrong:
                found.problems.append(f"{order_id}: turn {after.at.turn} {wrong}")
    return found


def _forgotten(before: dict[str, Any], after: dict[str, Any]) -> str:
    old, new = before["knowledge"], after["knowledge"]
    for told in _taken_for_news(old, new):
        return f"knows {told[0]} since {told[1]}; expected its repetition to be none"
    sooner = _told_sooner(old, new)
    for name, place in REGISTERS.items():
        excused = sooner or (name == "count" and _outdone(old[place], new))
        if not excused and tuple(new[place][:2]) < tuple(old[place][:2]):
            return f"knows its {name} as of {new[place][0]}; expected {old[place][0]} or later"
    known, lost = _executions(new), _executions(old).keys() - _executions(new).keys()
    if lost:
        return f"forgot {', '.join(sorted(lost))}; expected every execution kept"
    amended = any(known[key] != "trade" for key in known.keys() - _executions(old).keys()) or _asked(old) != _asked(new)
    amended = amended or (bool(known.keys() - _executions(old).keys()) and after["cum_qty"] in counted_last(new))
    if after["cum_qty"] < before["cum_qty"] and not amended:
        return f"has filled {after['cum_qty']} after {before['cum_qty']}; expected a bust or a correction with it"
    return ""


def counted_last(knowledge: list[Any]) -> set[int]:
    """What the broker counted as filled with the newest execution that is known, or with each of one time."""
    executions = knowledge[KNOWN_EXECUTIONS]
    last_ns = max((one[EXECUTED_NS] for one in executions), default=0)
    return {one[EXECUTED_TO] for one in executions if len(one) > EXECUTED_TO and one[EXECUTED_NS] == last_ns}


def _told_sooner(old: list[Any], new: list[Any]) -> bool:
    """Whether something without exec id turned out to have been said before: what it stamped is as old as that."""
    since = {told[0]: told[1] for told in _told(new)}
    return any(told[0] in since and since[told[0]] < told[1] for told in _told(old))


def _taken_for_news(old: list[Any], new: list[Any]) -> list[Any]:
    """What was told without exec id, and now is known since a later time without saying more."""
    before = {told[0]: told for told in _told(old)}
    again = [told for told in _told(new) if told[0] in before and told[1] > before[told[0]][1]]
    return [told for told in again if _silences(told) >= _silences(before[told[0]])]


def _silences(told: list[Any]) -> tuple[bool, bool, bool]:
    quantity, number, _, phase = told[TOLD_QUANTITY:]
    return quantity < 0, not number, phase < 0


def _outdone(count: list[Any], new: list[Any]) -> bool:
    """Whether a report without exec id counted so, other than a bust or a correction, and now more is counted."""
    by = [told for told in _told(new) if told[1:3] == count[:2] and told[TOLD_COUNT] == count[2]]
    is_late_copy = bool(by) and not any(AMENDED in told[0] for told in by)
    return is_late_copy and bool(new[REGISTERS["count"]][2] > count[2])


def _told(knowledge: list[Any]) -> list[Any]:
    return knowledge[TOLD] if len(knowledge) > TOLD else []


def _asked(knowledge: list[Any]) -> list[Any]:
    """The broker's last answer to a query, where it counts: of an order that was amended without exec ids."""
    return [execution for execution in knowledge[KNOWN_EXECUTIONS] if execution[1] == "order_status"]


def _executions(knowledge: list[Any]) -> dict[str, str]:
    return {execution[0]: execution[1] for execution in knowledge[KNOWN_EXECUTIONS]}


def an_end_is_an_end(evidence: Evidence, _: Bounds) -> Finding:
    """I14.  A case is one record of an order, or of its intent, after one in which it had ended.

    An ended order stays ended, whatever is heard.  Its status changes to another end only with what has filled, and it,
    or its intent, works again only when a bust or a correction of the same order took a fill from it.  That the broker
    then reports what its answer had said (REFUSED, REJECTED), or by which word an order is not there (VOID, REJECTED:
    the refusal was late), is no other end.
    """
    found = Finding(name="I14", title="an ended order stays ended; only fills change it")
    amended: dict[str, list[int]] = {}
    for (order_id, _exec_id), entries in evidence.journal.history["ExecutionRecord"].items():
        if entries[0].facts["exec_type"] != "trade":
            amended.setdefault(order_id, []).append(entries[0].at.turn)
    for name, field, ends in (("ExecutionStateRecord", "ord_status", ENDED), ("IntentRecord", "status", SETTLED)):
        for (order_id,), entries in evidence.journal.history[name].items():
            for before, after in pairwise(entries):
                was, now = before.facts[field], after.facts[field]
                if was not in ends:
                    continue
                found.cases += 1
                taken = any(before.at.turn <= turn <= after.at.turn for turn in amended.get(order_id, ()))
                taken = taken or _amended(evidence.latest.under(order_id), after.committed_ns)
                same = now == was or (was, now) in NO_OTHER_END
                filled = now in FILLED and _filled_there(evidence.latest.under(order_id), after.committed_ns)
                if taken or same or filled or (now in ends - FILLED and _more_filled(before, after)):
                    continue
                found.problems.append(
                    f"{order_id}: {field} went from {was} to {now} in turn {after.at.turn}; expected {was}"
                )
    return found


def _amended(orders: list[Order], by_ns: int) -> bool:
    """Whether the exchange had changed a fill by then: a status can tell what follows from it before its own report."""
    return any(step.kind in ("busted", "corrected") and step.ts_ns <= by_ns for o in orders for step in o.steps)


def _filled_there(orders: list[Order], by_ns: int) -> bool:
    """Whether the exchange had filled the order by then, whether or not all of its fills have been told."""
    return any(order.ever_filled(by_ns) >= order.quantity for order in orders)


def _more_filled(before: Entry, after: Entry) -> bool:
    """Whether the change came with a fill, which an intent does not tell."""
    return bool(after.facts.get("cum_qty", 0) > before.facts.get("cum_qty", 0))


def doubt_ends_with_evidence(evidence: Evidence, bounds: Bounds) -> Finding:
    """I15.  A case is one order whose fate was UNRESOLVED in the log, or that was declared VOID.

    It was declared void only when two absences could be found, the second no less than the horizon after the first and
    that after the decision, and the exchange never took it; any other end of the doubt is the
    exchange's own: filled, canceled, rejected or expired there as well, or turned away by its front end (of which an
    answer that took it may not have told: then it ends with its session).
    """
    found = Finding(name="I15", title="an unknown fate ends with evidence from the exchange")
    for (order_id,), entries in evidence.journal.history["IntentRecord"].items():
        statuses = [entry.facts["status"] for entry in entries]
        doubted = next((at for at, status in enumerate(statuses) if status in ("UNRESOLVED", "VOID")), None)
        if doubted is None:
            continue
        found.cases += 1
        end = next((entry for entry in entries[doubted:] if entry.facts["status"] in SETTLED), None)
        if end is not None:
            turned_away_ns = evidence.latest.turned_away.get(order_id, 0)
            wrong = _without_evidence(end, evidence.latest.under(order_id), turned_away_ns, bounds)
            if wrong:
                found.problems.append(f"{order_id}: {end.facts['status']} in turn {end.at.turn}, {wrong}")
    return found


def _without_evidence(end: Entry, orders: list[Order], turned_away_ns: int, bounds: Bounds) -> str:
    status = end.facts["status"]
    taken = [order for order in orders if order.answer != "rejected"]
    if status in ("VOID", "REFUSED"):
        waited = end.committed_ns - end.facts["decided_ns"]
        if taken:
            return f"but the exchange took it at {taken[0].received_ns}; expected it to stay in doubt"
        if status == "VOID" and waited < 2 * bounds.absence_s * SECOND_NS:
            expected = f"expected two absences, each {bounds.absence_s:g} s after what came before"
            return f"{waited / SECOND_NS:.3f} s after its decision; {expected}"
        return ""
    if status in ("REJECTED", "EXPIRED") and not taken and 0 < turned_away_ns <= end.committed_ns:
        return ""
    reached = any(step.ended and step.ts_ns <= end.committed_ns for order in orders for step in order.steps)
    return "" if reached else "but it had not ended at the exchange by then; expected it to stay in doubt"
