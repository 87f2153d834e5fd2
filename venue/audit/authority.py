"""Checks of who may act, and when: halted groups (I10), epochs (I17), the gate (I22), restarts (I24)."""

from __future__ import annotations

from collections.abc import Sequence

from domain.groups import tag_kind
from venue.audit.evidence import ENTRY, SECOND_NS, Bounds, Evidence, Finding, well_formed
from venue.audit.exposure import exposed_at_the_end
from venue.audit.fold import RECONCILED
from venue.audit.journal import GATEWAY, Entry, Epoch, Intent, owner


def is_entry(client_order_id: str) -> bool:
    """Whether the order takes new risk: the id says that an entry placed it."""
    return well_formed(client_order_id) and tag_kind(client_order_id) == ENTRY


def halted_groups_only_reduce(evidence: Evidence, bounds: Bounds) -> Finding:
    """I10.  A case is one order that was decided, or first received, when its group did not enter any more.

    A group does not enter once a record of it says so: another mode, flat, halted, or quarantine.  No entry is decided
    after that record, and one that had been decided before reaches the exchange at most ``in_flight_s`` later.
    """
    found = Finding(name="I10", title="a halted group only reduces and cancels")
    stops = {
        key[0]: stop for key, entries in evidence.journal.history["GroupRecord"].items() if (stop := _stop(entries))
    }
    for order_id, intent in evidence.journal.intents.items():
        stop = stops.get(intent.group_id)
        if stop is None or not _after(intent, stop):
            continue
        found.cases += 1
        if is_entry(order_id) and not _withdrawn(evidence, order_id, intent):
            found.problems.append(
                f"{order_id}: decided in turn {intent.position.turn}; expected no entry of {intent.group_id} after "
                f"turn {stop.at.turn} ({_state(stop)})"
            )
    for order in evidence.ours:
        known = evidence.intent(order)
        stop = stops.get(known.group_id) if known else None
        late = order.received_ns - stop.committed_ns if stop else 0
        if stop is None or late <= 0:
            continue
        found.cases += 1
        if is_entry(order.client_order_id) and late > bounds.in_flight_s * SECOND_NS:
            found.problems.append(
                f"{order.client_order_id}: an entry received {late / SECOND_NS:.3f} s after {_state(stop)}; "
                f"expected at most {bounds.in_flight_s:g} s"
            )
    return found


def _withdrawn(evidence: Evidence, order_id: str, intent: Intent) -> bool:
    """Whether the turn that decided the order asked for its end as well: one turn leaves as one."""
    entries = evidence.journal.history["IntentRecord"][order_id,]
    return any(e.at.turn == intent.position.turn and e.facts["cancel_requests"] for e in entries)


def _stop(entries: Sequence[Entry]) -> Entry | None:
    """The record after which the group never enters again; ``None`` while it still may."""
    last = None
    for entry in reversed(entries):
        facts = entry.facts
        if facts["mode"] == "entering" and facts["outcome"] in ("open", "hedged") and not facts["quarantined"]:
            break
        last = entry
    return last


def _state(stop: Entry) -> str:
    facts = stop.facts
    return "quarantined" if facts["quarantined"] else facts["mode"] if facts["outcome"] == "open" else facts["outcome"]


def _after(intent: Intent, stop: Entry) -> bool:
    return intent.cell == stop.cell and intent.position > stop.at


def one_epoch_at_a_time(evidence: Evidence, bounds: Bounds) -> Finding:
    """I17.  A case is one turn of a journal, or one order received.

    Each turn was written under the epoch that was the newest of its journal when it was written: an epoch begins after
    the last turn of the one before it, and no turn of the older one follows.  At the exchange no order comes over a
    connection later than ``on_old_wire_s`` after one has come over a newer connection.
    """
    found = Finding(name="I17", title="one epoch writes, and one session sends, at a time")
    epochs = {cell: [e for e in evidence.journal.epochs if e.cell == cell] for cell in evidence.journal.cells}
    for cell, turn, epoch in evidence.journal.turn_epochs:
        found.cases += 1
        began = [e.epoch for e in epochs[cell] if e.after_turn < turn]
        if not began or max(began) != epoch:
            newest = max(began, default=0)
            found.problems.append(f"{owner(cell)}: turn {turn} is of epoch {epoch}; expected {newest}")
    newest_session, since_ns = 0, 0
    for send in evidence.record.sends:
        found.cases += send.session > 0
        late = send.ts_ns - since_ns > bounds.on_old_wire_s * SECOND_NS
        if 0 < send.session < newest_session and late:
            found.problems.append(
                f"{send.client_order_id}: received over session {send.session} at {send.ts_ns}; expected "
                f"{newest_session} or newer"
            )
        if send.session > newest_session:
            newest_session, since_ns = send.session, send.ts_ns
    return found


def nothing_new_before_reconciled(evidence: Evidence, _: Bounds) -> Finding:
    """I22.  A case is one entry that was decided.

    Earlier in the log of its cell, and in the same epoch, stands the record of a snapshot that opened the gate.
    """
    found = Finding(name="I22", title="no new risk before the cell has compared itself with the broker")
    opened: dict[tuple[int, int], Entry] = {}
    for (event_id, _cell), entries in evidence.journal.history["ProcessedEventRecord"].items():
        for entry in entries:
            if event_id.startswith(RECONCILED):
                first = opened.setdefault((entry.cell, entry.epoch), entry)
                opened[entry.cell, entry.epoch] = min(first, entry, key=lambda e: e.at)
    for order_id, intent in evidence.journal.intents.items():
        if not is_entry(order_id):
            continue
        found.cases += 1
        gate = opened.get((intent.cell, intent.epoch))
        if gate is None or gate.at > intent.position:
            found.problems.append(
                f"{order_id}: decided in turn {intent.position.turn} of epoch {intent.epoch}; expected RECONCILED "
                "before"
            )
    return found


def restarts_are_bounded(evidence: Evidence, bounds: Bounds) -> Finding:
    """I24.  A case is one process that opened a journal, or one group that is exposed when the record ends.

    No cell was started more often than its budget allows (``restarts`` in ``restart_period_s`` of the machine's clock,
    and the first start), unless a CRITICAL alert without a group says that something was given up.  What is exposed at
    the end is known to a person: a CRITICAL alert of the group.
    """
    found = Finding(name="I24", title="restarts stay within their budget; what stays exposed is known to a person")
    halted = any(a["severity"] == "CRITICAL" and not a["group_id"] for a in evidence.journal.alerts)
    for cell in evidence.journal.cells:
        openings = starts([epoch for epoch in evidence.journal.epochs if epoch.cell == cell], cell)
        found.cases += len(openings)
        most = _densest(openings, bounds)
        if most > bounds.restarts + 1 and not halted:
            found.problems.append(
                f"{owner(cell)}: opened {most} times within {bounds.restart_period_s:g} s; expected at most "
                f"{bounds.restarts + 1}, or a halt"
            )
    for group_id, span in exposed_at_the_end(evidence):
        found.cases += 1
        if not any(a["severity"] == "CRITICAL" and a["group_id"] == group_id for a in evidence.journal.alerts):
            found.problems.append(f"{group_id}: {span.peak} units uncovered at the end; expected a CRITICAL alert")
    return found


def starts(openings: Sequence[Epoch], cell: int) -> Sequence[Epoch]:
    """Without what a gateway whose disk had failed opened again; a cell never does that."""
    if cell != GATEWAY:
        return openings
    pids = [0, *(epoch.pid for epoch in openings)]
    return [epoch for before, epoch in zip(pids, openings, strict=False) if epoch.pid != before]


def _densest(openings: Sequence[Epoch], bounds: Bounds) -> int:
    times = sorted(epoch.opened_host_ns for epoch in openings)
    period = round(bounds.restart_period_s * SECOND_NS)
    return max((sum(start <= time < start + period for time in times) for start in times), default=0)
