"""Checks that the journal is its own log: by executions (I11), table by table (I20), and by its inbox (I23)."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from domain.money import from_float
from venue.audit.evidence import Bounds, Evidence, Finding
from venue.audit.journal import Entry, Row, owner
from venue.audit.knowledge import counted_last
from venue.audit.layout import LAYOUTS, PACKED, PRICES

LEVEL = "#"  # in the place of the execution that an amendment changes
RECONCILED = "reconciled/"  # these rows of the inbox are no messages: they say when a gate opened


def repeated_executions_change_nothing(evidence: Evidence, _: Bounds) -> Finding:
    """I11.  A case is one order of which the log holds a state.

    The executions in the log, each exec id taken once, however often it was recorded, add up to the filled quantity of
    the order's last state: trades, less busts, with corrections in the place of what they correct.  So do those that
    were recorded by each earlier turn, to the state that it recorded: what a status says has filled is no execution.
    Less than that counts only where the broker itself had counted so much with the last of them.
    """
    found = Finding(name="I11", title="what was told twice counts once")
    recorded: dict[str, dict[str, list[Entry]]] = {}
    for (order_id, exec_id), entries in evidence.journal.history["ExecutionRecord"].items():
        recorded.setdefault(order_id, {})[exec_id] = entries
    for (order_id,), states in evidence.journal.history["ExecutionStateRecord"].items():
        found.cases += 1
        executions = recorded.get(order_id, {})
        for state, after in zip_longest(states, states[1:]):
            if after is not None and after.at.turn == state.at.turn:
                continue  # not how the turn left it
            said, total = state.facts["cum_qty"], counted(_by(executions, state.at.turn))
            denied = said < total and said in counted_last(state.facts["knowledge"])
            if said != total and not denied:
                found.problems.append(
                    f"{order_id}: filled {said} in the log as of turn {state.at.turn}; expected {total}, its "
                    "executions taken once"
                )
    return found


def _by(executions: dict[str, list[Entry]], turn: int) -> dict[str, Row]:
    """Each execution as it was known at the end of this turn."""
    known = {exec_id: [e for e in entries if e.at.turn <= turn] for exec_id, entries in executions.items()}
    return {exec_id: entries[-1].facts for exec_id, entries in known.items() if entries}


def counted(executions: dict[str, Row]) -> int:
    """Units that a set of executions amounts to: each trade once, by its latest correction, or not at all if busted."""
    levels = [e for e in executions.values() if e["exec_ref_id"] == LEVEL]
    if levels:  # a broker without exec ids: so much was left at the last of them, and trades with one come on top
        last = max(levels, key=lambda e: (e["ts_ns"], -e["last_qty"], e["exec_id"]))
        left: int = last["last_qty"]
        named = {k: e for k, e in executions.items() if k[:1] != LEVEL and f"/{LEVEL}" not in k}
        since = {k: e for k, e in named.items() if e["ts_ns"] > last["ts_ns"]}
        return max(0, left) + counted(since)
    executions = _once_each(executions)
    ends: dict[str, Row] = {}
    for execution in sorted(executions.values(), key=lambda e: (e["exec_type"] == "trade_cancel", e["ts_ns"])):
        if execution["exec_type"] != "trade" or execution["exec_id"] not in ends:
            ends[_root(execution, executions)] = execution
    return sum(end["last_qty"] for root, end in ends.items() if root and end["exec_type"] != "trade_cancel")


def _once_each(executions: dict[str, Row]) -> dict[str, Row]:
    """Trades known by the quantity that they brought the order to, each for the units that no other has filled."""
    spans = []
    for key, one in executions.items():
        cum_qty = key[1:].partition("/")[0]
        if one["exec_type"] == "trade" and key[:1] == LEVEL and cum_qty.isdecimal():
            spans.append((int(cum_qty) - one["last_qty"], -int(cum_qty), key))
    full_to: int | None = None
    found = dict(executions)
    for start, minus_end, key in sorted(spans):
        begins = start if full_to is None else max(start, full_to)
        found[key] = {**found[key], "last_qty": max(0, -minus_end - begins)}
        full_to = -minus_end if full_to is None else max(full_to, -minus_end)
    return found


def _root(execution: Row, executions: dict[str, Row]) -> str:
    """The trade that a correction or a bust is about, in the end; of a ring of references, which is nobody's, ""."""
    name: str = execution["exec_id"]
    passed: set[str] = set()
    while name in executions and executions[name]["exec_type"] != "trade":
        if name in passed:
            return ""
        passed.add(name)
        name = executions[name]["exec_ref_id"]
    return name


def the_tables_are_the_log_folded(evidence: Evidence, _: Bounds) -> Finding:
    """I20, its first half.  A case is one row of a table, or one key of the log.

    Every table holds, under each key, the last record of the log with that key, field by field, and nothing else: what
    was remembered is what was lived through.  That the same seed ends in the same digest needs a second run.
    """
    found = Finding(name="I20", title="the tables are the log folded")
    for name, layout in LAYOUTS.items():
        table, history = evidence.journal.tables[name], evidence.journal.history[name]
        for key in sorted(table.keys() | history.keys()):
            found.cases += 1
            wrong = _difference(table.get(key), history.get(key))
            if wrong:
                found.problems.append(f"{layout.table} {'/'.join(map(str, key))}: {wrong}")
    found.notes.append("that the same seed ends in the same digest: not shown by one run's records")
    return found


def _difference(row: Row | None, entries: list[Entry] | None) -> str:
    if row is None:
        return "in the log; expected its row"
    if entries is None:
        return "a row that the log does not know; expected none"
    for field, value in entries[-1].facts.items():
        held = row[PACKED.get(field, field)]
        if _plain(field, held) != _plain_logged(value):
            return f"{field} is {held!r}; expected {value!r}, of turn {entries[-1].at.turn}"
    return ""


def _plain(field: str, held: Any) -> Any:
    return from_float(held) if field in PRICES else held


def _plain_logged(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def every_message_takes_effect_once(evidence: Evidence, _: Bounds) -> Finding:
    """I23.  A case is one message id in the inbox of a cell.

    The log recorded it once: the inbox row is written by the transaction of the effects, so a second row would be a
    second effect.  What concerns two cells (the delivery of an alert that both raised) is in both inboxes, once each.
    """
    found = Finding(name="I23", title="every message takes effect once")
    for (event_id, cell), entries in evidence.journal.history["ProcessedEventRecord"].items():
        if event_id.startswith(RECONCILED):
            continue
        found.cases += 1
        if len(entries) > 1:
            turns = ", ".join(str(entry.at.turn) for entry in entries)
            found.problems.append(f"{event_id}: taken in turns {turns} of {owner(cell)}; expected once")
    return found
