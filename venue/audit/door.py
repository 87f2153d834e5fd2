"""Checks of what left for the broker: whose epoch it was of (I18), and the kill switch (I26)."""

from __future__ import annotations

from domain.groups import cell_of
from venue.audit.authority import is_entry
from venue.audit.evidence import SECOND_NS, Bounds, Evidence, Finding
from venue.audit.orders import Order
from venue.audit.wire import Killed

NO_RECORD = "there is no wire record (wire.jsonl) in the journal directory"


def nothing_of_an_older_epoch_leaves(evidence: Evidence, _: Bounds) -> Finding:
    """I18.  A case is one order, cancel or change that left under an epoch of its cell.

    The epochs of one cell never go back in the order in which its requests left, and none is newer than the journal.
    The cancels of the kill switch are the gateway's own and are of no epoch.
    """
    found = Finding(name="I18", title="nothing of an older epoch leaves after a newer one")
    newest: dict[int, int] = {}
    opened = {
        cell: max((e.epoch for e in evidence.journal.epochs if e.cell == cell), default=0)
        for cell in evidence.journal.cells
    }
    for line in evidence.wire.leaving:
        cell = cell_of(line.client_order_id)
        if cell is None or not line.epoch:
            continue
        found.cases += 1
        if not newest.get(cell, 0) <= line.epoch <= opened.get(cell, 0):
            found.problems.append(
                f"{line.client_order_id}: a {line.kind} of epoch {line.epoch} left at {line.ts_ns}; expected "
                f"{newest.get(cell, 0)} to {opened.get(cell, 0)}"
            )
        newest[cell] = max(newest.get(cell, 0), line.epoch)
    if not evidence.wire.present:
        found.notes.append(NO_RECORD)
    return found


def after_kill_no_new_risk(evidence: Evidence, bounds: Bounds) -> Finding:
    """I26.  A case is one turn of the kill switch, one request that left or gateway that started while it was on, or
    one entry that worked at the exchange when it was turned on.

    No entry leaves while it is on, none arrives later than ``in_flight_s`` after it, every entry that worked then has
    ended ``killed_s`` later (or the switch was off by then), and a gateway that starts meanwhile finds it on, unless
    only its journal knew (there was no room for the switch's file), and that cannot be read yet.
    """
    found = Finding(name="I26", title="after kill: no new risk, every entry ends, a crash changes nothing")
    for killed in evidence.wire.kills():
        found.cases += 1 + len(killed.within)
        unwritten = killed.first.unwritten
        for line in killed.within:
            if line.new_risk:
                found.problems.append(
                    f"{line.client_order_id}: an entry left at {line.ts_ns} while killed; expected none"
                )
            if line.on or line.killed:
                unwritten = line.unwritten
            if line.kind == "start" and not line.killed and not (line.blind and unwritten):
                found.problems.append(f"a gateway started at {line.host_ns} without the kill switch; expected it on")
        for order in (order for order in evidence.ours if is_entry(order.client_order_id)):
            _check_entry(found, evidence, order, killed, bounds)
    if not evidence.wire.present:
        found.notes.append(NO_RECORD)
    return found


def _check_entry(found: Finding, evidence: Evidence, order: Order, killed: Killed, bounds: Bounds) -> None:
    start_ns = killed.first.ts_ns
    end_ns = killed.last.ts_ns if killed.last else evidence.record.last_ns
    if start_ns + bounds.in_flight_s * SECOND_NS < order.received_ns < end_ns:
        found.cases += 1
        found.problems.append(
            f"{order.client_order_id}: received at {order.received_ns}, killed since {start_ns}; expected no entry"
        )
    if order.received_ns > start_ns or order.ended_by(start_ns):
        return
    found.cases += 1
    deadline_ns = start_ns + round(bounds.killed_s * SECOND_NS)
    if deadline_ns < end_ns and not order.ended_by(deadline_ns):
        found.problems.append(
            f"{order.client_order_id}: worked when killed at {start_ns}; expected its end by {deadline_ns}"
        )
