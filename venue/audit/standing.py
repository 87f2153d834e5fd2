"""What stands stopped, and the new risk that left all the same: E8, E11, E18.

A stop is in force from the moment at which its record was written.  The gateway's journal and the wire record carry the
same clock of one process, so that a line of a later time than the record's turn left after it; one of the same time may
have left before, and is not charged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from domain.calendar import FOREVER_NS
from domain.strategies import strategy_of
from venue.audit.authority import is_entry
from venue.audit.cases import MILLISECOND_NS
from venue.audit.evidence import Evidence, Finding
from venue.audit.journal import Entry
from venue.audit.wire import Line

OPERATOR, LOSS = "trading/operator", "trading/E11"
STATES = {"reducing", "halted"}
REPEAT, OF_STRATEGY = "repeat/", "repeat/strategy/"


class Stop(NamedTuple):
    """Something that a record of the gateway's stopped, after one time and before another."""

    control: str
    subject: str
    after_ns: int
    before_ns: int

    def forbids(self, evidence: Evidence, line: Line) -> bool:
        """Whether it forbids what this line sends."""
        if not self.after_ns < line.ts_ns < self.before_ns:
            return False
        if self.subject in (OPERATOR, LOSS):
            return self.subject == OPERATOR or not _lets_losses_pass(evidence, line.ts_ns)
        if self.subject.startswith(OF_STRATEGY):
            return _strategy(evidence, line) == self.subject.removeprefix(OF_STRATEGY)
        return f"{REPEAT}{line.symbol}/{line.side}" == self.subject


def stopped(found: Finding, evidence: Evidence) -> Counter[str]:
    """How often each control was judged: one entry that left, by the stops that there ever were.

    What repeats itself is stopped where it leaves first; what is sent again may work already.
    """
    judged: Counter[str] = Counter()
    stops = list(_stops(evidence))
    for line in evidence.wire.lines:
        if not line.new_risk:
            continue
        again = evidence.wire.submits[line.client_order_id][0] is not line
        for control in ("E8", "E11"):
            judged[control] += not (again and control == "E8")
        for stop in stops:
            if not (again and stop.control == "E8") and stop.forbids(evidence, line):
                found.problems.append(
                    f"{line.client_order_id}: {stop.control}: new risk left at {line.ts_ns}; expected none, since "
                    f"{stop.subject} was stopped by {stop.after_ns}"
                )
    return judged


def _stops(evidence: Evidence) -> Iterator[Stop]:
    for (subject,), entries in evidence.journal.history["ControlRecord"].items():
        control = {OPERATOR: "trading state", LOSS: "E11"}.get(subject, "E8" if subject.startswith(REPEAT) else "")
        for entry, then in zip(entries, [*entries[1:], None], strict=True):
            if control and entry.facts["action"] in STATES | {"disabled"}:
                until_ns = entry.facts["until_ns"] or FOREVER_NS
                end_ns = then.facts["at_ns"] if then is not None else FOREVER_NS
                yield Stop(control, subject, entry.committed_ns, min(until_ns, end_ns))


def _lets_losses_pass(evidence: Evidence, at_ns: int) -> bool:
    """Whether a person's override of E11 may have been in force."""
    return any(
        entry.facts["at_ns"] <= at_ns < entry.facts["until_ns"]
        for entry in evidence.journal.history["ControlRecord"].get(("override/E11/*",), ())
    )


def _strategy(evidence: Evidence, line: Line) -> str:
    intent = evidence.journal.intents.get(line.client_order_id)
    return strategy_of(intent.group_id) if intent is not None else ""


class Applied(NamedTuple):
    """A strategy opened a group: when, and by which gateway an entry of it left first."""

    group_id: str
    ts_ns: int
    pid: int


def applications(found: Finding, evidence: Evidence) -> int:
    """E8.  A case is one entry of a strategy's group as it leaves first: the group is among the last few.

    What an earlier gateway let out and could not write down any more is not known to its successor.
    """
    cases = 0
    applied: dict[str, list[Applied]] = {}
    names: frozenset[str] = frozenset()
    for line in evidence.wire.lines:
        names = frozenset(line.strategies) if line.kind == "start" else names
        name = _strategy(evidence, line) if line.new_risk else ""
        if name not in names or evidence.wire.submits[line.client_order_id][0] is not line:
            continue
        cases += 1
        group_id = evidence.journal.intents[line.client_order_id].group_id
        limits = evidence.wire.limits[line.client_order_id]
        since_ns = max(
            line.ts_ns - limits["repeat_window_ms"] * MILLISECOND_NS, _enabled_ns(evidence, name, line.ts_ns)
        )
        recent = [one for one in applied.get(name, ()) if one.ts_ns > since_ns and _is_known(evidence, name, one, line)]
        if any(one.group_id == group_id for one in recent):
            continue
        applied.setdefault(name, []).append(Applied(group_id, line.ts_ns, line.pid))
        if len(recent) >= limits["strategy_limit"]:
            found.problems.append(
                f"{line.client_order_id}: E8: opens group {len(recent) + 1} of strategy {name} within its window; "
                f"expected at most {limits['strategy_limit']}"
            )
    return cases


def _enabled_ns(evidence: Evidence, name: str, by_ns: int) -> int:
    told = evidence.journal.history["ControlRecord"].get((OF_STRATEGY + name,), ())
    times = (entry.facts["at_ns"] for entry in told if entry.facts["action"] == "enabled")
    return max((at_ns for at_ns in times if at_ns <= by_ns), default=0)


def _is_known(evidence: Evidence, name: str, one: Applied, line: Line) -> bool:
    return one.pid == line.pid or any(
        (entry.facts["group_id"], entry.facts["at_ns"]) == (one.group_id, one.ts_ns)
        for (subject,), entries in evidence.journal.history["ControlRecord"].items()
        if subject.startswith(f"applied/{name}/")
        for entry in entries
    )


def frozen(found: Finding, evidence: Evidence) -> int:
    """E18.  A case is one entry that left: an alert that its own cell kept did not freeze new risk.

    It froze when the log held it, unacknowledged, before the decision, and an earlier turn of the cell was later than
    the alert may wait.
    """
    waits_ns = max((start.freeze_after_ms for start in evidence.wire.starts), default=0) * MILLISECOND_NS
    alerts = [entries for key, entries in evidence.journal.history["EscalationRecord"].items() if _may_freeze(entries)]
    cases = 0
    for order_id, intent in evidence.journal.intents.items():
        if not waits_ns or not is_entry(order_id) or order_id not in evidence.wire.submits:
            continue
        cases += 1
        for entries in alerts:
            before = [e for e in entries if e.cell == intent.cell and e.at.turn < intent.position.turn]
            if not before or not _waits(before[-1]):
                continue
            froze_ns = before[-1].facts["raised_ns"] + waits_ns
            if evidence.journal.clock_before(intent.cell, intent.position.turn) >= froze_ns:
                found.problems.append(
                    f"{order_id}: E18: decided in turn {intent.position.turn}; expected none while "
                    f"{before[-1].facts['escalation_id']} waits, since {froze_ns}"
                )
    return cases


def _may_freeze(entries: list[Entry]) -> bool:
    return any(map(_waits, entries))


def _waits(entry: Entry) -> bool:
    facts = entry.facts
    return facts["severity"] == "CRITICAL" and bool(facts["raised_ns"]) and not facts["acknowledged_ns"]
