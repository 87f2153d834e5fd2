"""The transition table: complete, and saying of each real-world row what its comment says."""

from __future__ import annotations

from itertools import product

import pytest

from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.order_table import FACTS, TRANSITIONS, Verdict
from domain.orders import OrderState, merge

S, E, V = OrdStatus, ExecType, Verdict


def report(kind: ExecType, status: OrdStatus, ts_ns: int, **told: object) -> ExecutionReport:
    fields: dict[str, object] = {"exec_id": f"{kind.value}-{ts_ns}", "order_qty": 10, "cum_qty": 0, "leaves_qty": 10}
    return ExecutionReport(
        client_order_id="X",
        exec_type=kind,
        ord_status=status,
        ts_ns=ts_ns,
        **(fields | told),  # type: ignore[arg-type]
    )


NEW = report(E.NEW, S.NEW, 1)
PART = report(E.TRADE, S.PARTIALLY_FILLED, 2, last_qty=4, cum_qty=4, exec_id="t1")
REST = report(E.TRADE, S.FILLED, 3, last_qty=6, cum_qty=10, exec_id="t2")
WITNESSES: dict[OrdStatus, list[ExecutionReport]] = {
    S.PENDING_NEW: [],
    S.NEW: [NEW],
    S.PARTIALLY_FILLED: [NEW, PART],
    S.FILLED: [NEW, PART, REST],
    S.DONE_FOR_DAY: [NEW, report(E.DONE_FOR_DAY, S.DONE_FOR_DAY, 3)],
    S.STOPPED: [NEW, report(E.STOPPED, S.STOPPED, 3)],
    S.SUSPENDED: [NEW, report(E.SUSPENDED, S.SUSPENDED, 3)],
    S.CALCULATED: [NEW, report(E.CALCULATED, S.CALCULATED, 3)],
    S.PENDING_CANCEL: [NEW, report(E.PENDING_CANCEL, S.PENDING_CANCEL, 3, request_id="Y")],
    S.PENDING_REPLACE: [NEW, report(E.PENDING_REPLACE, S.PENDING_REPLACE, 3, request_id="Y")],
    S.CANCELED: [NEW, report(E.CANCELED, S.CANCELED, 3)],
    S.EXPIRED: [NEW, report(E.EXPIRED, S.EXPIRED, 3)],
    S.REJECTED: [report(E.REJECTED, S.REJECTED, 3)],
}
NATURAL_STATUS = {
    E.PENDING_NEW: S.PENDING_NEW,
    E.DONE_FOR_DAY: S.DONE_FOR_DAY,
    E.CANCELED: S.CANCELED,
    E.PENDING_CANCEL: S.PENDING_CANCEL,
    E.STOPPED: S.STOPPED,
    E.REJECTED: S.REJECTED,
    E.SUSPENDED: S.SUSPENDED,
    E.CALCULATED: S.CALCULATED,
    E.EXPIRED: S.EXPIRED,
    E.PENDING_REPLACE: S.PENDING_REPLACE,
    E.TRADE: S.PARTIALLY_FILLED,
}


def witness(status: OrdStatus) -> OrderState:
    state = OrderState.new("X", 10)
    for known in WITNESSES[status]:
        state = merge(state, known).state
    assert state.ord_status is status
    return state


def test_the_table_answers_every_pair_of_status_and_report() -> None:
    assert set(TRANSITIONS) == set(product(OrdStatus, ExecType))
    assert len(TRANSITIONS) == 13 * 19


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[S.NEW, E.NEW] = V.ANOMALY  # type: ignore[index]


def test_every_kind_of_report_has_its_facts() -> None:
    assert set(FACTS) == set(ExecType)
    assert {kind for kind, facts in FACTS.items() if facts.executes} == {E.TRADE, E.TRADE_CORRECT, E.TRADE_CANCEL}


def test_duplicates_are_found_in_the_state_and_not_in_the_table() -> None:
    assert set(TRANSITIONS.values()) == set(Verdict) - {V.DUPLICATE}


@pytest.mark.parametrize("status", OrdStatus, ids=lambda status: status.value)
@pytest.mark.parametrize("kind", ExecType, ids=lambda kind: kind.value)
def test_merging_gives_the_verdict_that_the_table_names(status: OrdStatus, kind: ExecType) -> None:
    state = witness(status)
    told: dict[str, object] = {"request_id": "Z", "exec_id": "unseen"}
    if FACTS[kind].executes:
        told |= {"last_qty": 3, "exec_ref_id": "" if kind is E.TRADE else "t1"}
    if status is S.FILLED and kind is E.TRADE_CANCEL:
        told["cum_qty"] = 6
    if status is S.FILLED and kind is E.TRADE:
        told["order_qty"] = 13  # room for one more fill: an overfill would be an anomaly for another reason
    merged = merge(state, report(kind, NATURAL_STATUS.get(kind, S.NEW), 9, **told))
    expected = TRANSITIONS[status, kind]
    assert merged.verdict is expected or (expected is V.EXPECTED and merged.verdict is V.DUPLICATE)
    assert (merged.verdict is V.DUPLICATE) <= (merged.state is state)
    assert bool(merged.reason) == (merged.verdict not in (V.EXPECTED, V.DUPLICATE))


BEGINNINGS = [
    (status, kind)
    for status, kind in product(OrdStatus, (E.NEW, E.PENDING_NEW, E.TRIGGERED))
    if TRANSITIONS[status, kind] is V.REGRESSION
]


@pytest.mark.parametrize(("status", "kind"), BEGINNINGS, ids=lambda word: word.value)
def test_a_late_beginning_never_moves_the_status_back(status: OrdStatus, kind: ExecType) -> None:
    printed = S.PENDING_NEW if status is S.NEW else S.NEW
    merged = merge(witness(status), report(kind, printed, 99))
    assert (merged.state.ord_status, merged.verdict) == (status, V.REGRESSION)


@pytest.mark.parametrize(
    ("status", "kind", "verdict"),
    [
        (S.PENDING_NEW, E.PENDING_CANCEL, V.EXPECTED),  # B.1.d
        (S.NEW, E.REJECTED, V.EXPECTED),  # A.1.a, by the exchange
        (S.PENDING_CANCEL, E.NEW, V.EXPECTED),  # B.1.d
        (S.PENDING_CANCEL, E.TRADE, V.EXPECTED),  # B.1.b
        (S.FILLED, E.REPLACED, V.EXPECTED),  # G.1.c
        (S.FILLED, E.TRADE_CANCEL, V.EXPECTED),  # J.1.a
        (S.DONE_FOR_DAY, E.RESTATED, V.EXPECTED),  # H.1.a
        (S.STOPPED, E.TRADE, V.EXPECTED),  # L.1.a
        (S.CANCELED, E.TRADE_CANCEL, V.EXPECTED),  # J.1.b
        (S.CANCELED, E.CANCEL_REJECT, V.EXPECTED),  # too late to cancel
        (S.PARTIALLY_FILLED, E.NEW, V.REGRESSION),
        (S.FILLED, E.TRADE, V.REGRESSION),
        (S.FILLED, E.CANCELED, V.REGRESSION),
        (S.CANCELED, E.TRADE, V.REVIVAL),
        (S.EXPIRED, E.TRADE, V.REVIVAL),
        (S.REJECTED, E.TRADE, V.REVIVAL),
        (S.PARTIALLY_FILLED, E.REJECTED, V.ANOMALY),
        (S.CANCELED, E.REJECTED, V.ANOMALY),
        (S.REJECTED, E.TRADE_CANCEL, V.ANOMALY),
    ],
)
def test_the_rows_that_matter_say(status: OrdStatus, kind: ExecType, verdict: Verdict) -> None:
    assert TRANSITIONS[status, kind] is verdict
