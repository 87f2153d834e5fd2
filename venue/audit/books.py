"""Checks of the journal's own books: quantities (I12), the unbroken log (I19), explanations (I29), and outcomes."""

from __future__ import annotations

from collections import Counter

from domain.calendar import FOREVER_NS
from domain.money import from_float
from venue.audit.evidence import Bounds, Evidence, Finding, GroupOrders
from venue.audit.exposure import exposed
from venue.audit.orders import ExchangeRecord, Execution, Order, is_ours

OUTCOMES = frozenset({"hedged", "flat", "halted"})
EXPOSURE_ALERTS = frozenset({"UNCOVERED_EXPOSURE", "UNHEDGED_EXPOSURE"})  # who is called for these hears of no halt


def the_journal_counts_what_filled(evidence: Evidence, _: Bounds) -> Finding:
    """I12.  A case is one order that the exchange or table ``execution_states`` knows.

    No record of the log ever said that more had filled than the exchange had filled at its peak until then.  At rest
    the quantity in the table is the exchange's; while running it is at most that, busts and corrections not heard of
    set aside.
    """
    found = Finding(name="I12", title="the journal's filled quantity is the exchange's")
    journal, latest = evidence.journal, evidence.latest
    ours = {order.client_order_id for order in latest.orders if is_ours(order.client_order_id)}
    for order_id in sorted(ours | journal.cum_qty.keys()):
        found.cases += 1
        orders = latest.under(order_id)
        truth = sum(order.last.filled for order in orders)
        own = journal.cum_qty.get(order_id, 0)
        unheard = 0 if evidence.at_rest else sum(_unheard(evidence, order) for order in orders)
        if own > truth - unheard or (evidence.at_rest and own != truth):
            relation = "expected" if evidence.at_rest else "expected at most"
            found.problems.append(f"{order_id}: filled {own} by the journal; {relation} {truth - unheard}")
        _compare_history(found, evidence, order_id, orders)
    _compare_moves(found, evidence)
    return found


def _compare_moves(found: Finding, evidence: Evidence) -> None:
    """What moved positions without an order: a case is one symbol; at rest the journals have all of it, once."""
    there: Counter[str] = Counter()
    for event in evidence.latest.movements:
        there[event.symbol] += (event.last_qty or 0) * (1 if event.side == "buy" else -1)
    here: Counter[str] = Counter()
    for row in evidence.journal.tables["PositionEventRecord"].values():
        here[row["symbol"]] += row["quantity"]
    for symbol in sorted(there.keys() | here.keys()):
        found.cases += 1
        if evidence.at_rest and here[symbol] != there[symbol]:
            found.problems.append(
                f"{symbol}: moved by {here[symbol]} without an order, by the journal; expected {there[symbol]}"
            )


def _compare_history(found: Finding, evidence: Evidence, order_id: str, orders: list[Order]) -> None:
    entries = evidence.journal.history["ExecutionStateRecord"].get((order_id,), ())
    for entry in {entry.at.turn: entry for entry in entries}.values():  # a turn is one: what it ends with counts
        said = entry.facts["cum_qty"]
        most = sum(order.ever_filled(entry.committed_ns) for order in orders)
        if said > most:
            found.problems.append(
                f"{order_id}: the log said at {entry.committed_ns} that {said} had filled; expected at most {most}"
            )


def _unheard(evidence: Evidence, order: Order) -> int:
    """What busts and corrections that the journal has not heard of changed."""
    heard, name = evidence.journal.heard, order.client_order_id
    return sum(step.d_filled for step in order.steps if step.surprise and heard(name, step) is None)


def the_log_is_unbroken(evidence: Evidence, _: Bounds) -> Finding:
    """I19.  A case is one turn: numbered without a gap, bound to the turn before it by its hash, of no older epoch."""
    found = Finding(name="I19", title="the log is gapless and its hash chain intact")
    found.cases = evidence.journal.turns
    found.problems += evidence.journal.chain_problems
    return found


def everything_is_explained(evidence: Evidence, _: Bounds) -> Finding:
    """I29.  A case is one order of ours at the exchange, or one execution on either side.

    An order has a row in ``order_intents`` with a cause and a reason; at rest also the controls that it passed, when it
    was sent, and, as far as the exchange answered, when it was acknowledged (accepted) or ended (rejected).  Every
    execution in the journal is in the exchange's record; at rest the reverse holds as well.  Both agree in kind, and
    trades and corrections in quantity and price: what a bust prints as these varies (FIX 4.4 volume 4, J.1.a).
    """
    found = Finding(name="I29", title="every order and every fill is explained")
    for order in evidence.ours:
        found.cases += 1
        lacking = _lacking(evidence, order)
        if lacking:
            found.problems.append(f"{order.client_order_id}: expected {', '.join(lacking)}")
    _compare_executions(found, evidence)
    for stray in (stray for stray in evidence.record.strays if is_ours(stray.client_order_id)):
        found.problems.append(f"{stray.client_order_id}: {stray.kind} at {stray.ts_ns}; expected its receipt before")
    return found


def _lacking(evidence: Evidence, order: Order) -> list[str]:
    row = evidence.journal.intent_rows.get(order.client_order_id)
    if row is None:
        return ["an intent"]
    wanted = {"cause": "a cause", "reason": "a reason"}
    if evidence.at_rest:
        wanted |= {"checks": "the controls that it passed", "sent_ns": "the time it was sent"}
        wanted |= {
            "accepted": {"acknowledged_ns": "the time of its acknowledgement"},
            "rejected": {"terminal_ns": "the time of its rejection"},
        }.get(order.answer, {})
    return [words for column, words in wanted.items() if not row[column]]


def _compare_executions(found: Finding, evidence: Evidence) -> None:
    journal = evidence.journal.executions
    truth = {(e.client_order_id, e.exec_id): e for e in _own(evidence.latest)}
    answers = {key for key, row in journal.items() if row["exec_type"] == "order_status"}  # what was asked, and no news
    for key in sorted(truth.keys() | journal.keys() - answers):
        found.cases += 1
        at_exchange, row = truth.get(key), journal.get(key)
        name = f"{key[0]} {key[1]}"
        if at_exchange is None:
            found.problems.append(f"{name}: an execution in the journal; expected the exchange to have it")
        elif row is None:
            if evidence.at_rest:
                found.problems.append(f"{name}: {at_exchange.kind} at the exchange; expected it in executions")
        elif row["exec_type"] != at_exchange.kind:
            found.problems.append(f"{name}: {row['exec_type']} in the journal; expected {at_exchange.kind}")
        elif at_exchange.kind != "trade_cancel":
            told = row["last_qty"], from_float(row["last_px"])
            if told != (at_exchange.quantity, at_exchange.price):
                found.problems.append(
                    f"{name}: {told[0]} at {told[1]} in the journal; expected {at_exchange.quantity} at "
                    f"{at_exchange.price}"
                )


def _own(record: ExchangeRecord) -> list[Execution]:
    return [execution for execution in record.executions if is_ours(execution.client_order_id)]


def every_group_has_a_certified_outcome(evidence: Evidence, _: Bounds) -> Finding:
    """OUTCOME.  A case is one group of the journal.

    It ended hedged (each leg's position, by the exchange's fills, is its target, or less where units of it went without
    an order and no short is uncovered by that), flat (each is 0), or halted (and a CRITICAL alert of the group was
    raised, not of its exposure alone).  What went without an order counts whenever it was noted: of longs and shorts
    that expire against each other the exchange notes nothing.  While running, groups that are open or have fills to
    hear of are left out.
    """
    found = Finding(name="OUTCOME", title="every group ended hedged, flat, or halted with an alert")
    left_out = 0
    for group in evidence.groups:
        if not evidence.at_rest and (group.row.outcome == "open" or not _all_heard(evidence, group)):
            left_out += 1
            continue
        found.cases += 1
        problem = _wrong_outcome(evidence, group)
        if problem:
            found.problems.append(f"{group.group.group_id}: {problem}")
    if left_out:
        found.notes.append(f"{left_out} groups are still open or have fills to hear of")
    return found


def _may_be_missing(group: GroupOrders, held: dict[str, int]) -> frozenset[str]:
    """Legs of which units went without an order, where that leaves no short uncovered: it needs no repair."""
    if exposed(group.group, held, held):
        return frozenset()
    return frozenset(move.leg_id for move in group.moves if move.quantity < 0)


def _all_heard(evidence: Evidence, group: GroupOrders) -> bool:
    return all(
        evidence.journal.heard(order.client_order_id, step) is not None
        for order in group.orders
        for step in order.steps
        if step.kind in ("fill", "busted", "corrected")
    )


def _wrong_outcome(evidence: Evidence, group: GroupOrders) -> str:
    outcome, group_id = group.row.outcome, group.group.group_id
    if outcome not in OUTCOMES:
        return f"ended {outcome}; expected hedged, flat or halted"
    if outcome == "halted":
        called = any(
            alert["group_id"] == group_id and alert["severity"] == "CRITICAL" and alert["kind"] not in EXPOSURE_ALERTS
            for alert in evidence.journal.alerts
        )
        return "" if called else "halted; expected a CRITICAL alert that says so"
    held = group.held(group.final(), until_ns=FOREVER_NS)
    wanted = {leg.leg_id: leg.target_qty if outcome == "hedged" else 0 for leg in group.group.legs}
    gone = _may_be_missing(group, held) if outcome == "hedged" else frozenset()
    wrong = [
        f"{key} holds {held[key]}, expected {wanted[key]}"
        for key in held
        if held[key] != wanted[key] and not (key in gone and held[key] < wanted[key])
    ]
    return f"{outcome}, but {'; '.join(wrong)}" if wrong else ""
