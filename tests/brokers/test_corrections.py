"""A corrected execution is brought into FIX's words, whatever the broker's own are."""

from __future__ import annotations

from itertools import permutations

import pytest
from msgspec.structs import replace

from brokers.corrections import in_fix_words
from brokers.port import Corrections, Heartbeat
from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.orders import OrderState, merge
from messages.orders import Snapshot

ID = "LK0JPRGHQVME001001"


def execution(exec_id: str, quantity: int, price: int, ts_ns: int, kind: ExecType = ExecType.TRADE) -> ExecutionReport:
    return ExecutionReport(
        client_order_id=ID, exec_type=kind, ord_status=OrdStatus.PARTIALLY_FILLED, exec_id=exec_id, ts_ns=ts_ns,
        order_qty=200, cum_qty=quantity, leaves_qty=200 - quantity, last_qty=quantity, last_px=price,
    )  # fmt: skip


FIRST, SECOND, THIRD = (
    execution("0000e0d5.5b9d1c2a.01.01", 100, 12_500, 1),
    execution("0000e0d5.5b9d1c2a.01.02", 100, 12_600, 2),
    execution("0000e0d5.5b9d1c2a.01.03", 90, 12_600, 3),
)


def state_after(*reports: ExecutionReport) -> OrderState:
    state = OrderState.new(ID, 200)
    for report in reports:
        state = merge(state, in_fix_words(report, Corrections.REVISION)).state
    return state


def test_the_first_execution_is_a_trade_and_its_revision_a_correction_of_it() -> None:
    assert in_fix_words(FIRST, Corrections.REVISION) == FIRST
    second = in_fix_words(SECOND, Corrections.REVISION)
    assert (second.exec_type, second.exec_ref_id) == (ExecType.TRADE_CORRECT, FIRST.exec_id)


def test_a_corrected_execution_of_100_is_100_and_not_200() -> None:
    state = state_after(FIRST, SECOND)
    assert (state.cum_qty, state.avg_px, state.has_anomaly) == (100, 12_600, False)


@pytest.mark.parametrize("reports", list(permutations((FIRST, SECOND, THIRD))))
def test_the_last_revision_counts_in_whatever_order_they_come_and_nothing_is_disputed(
    reports: tuple[ExecutionReport, ...],
) -> None:
    state = state_after(*reports, *reports)
    assert (state.cum_qty, state.avg_px, state.has_anomaly) == (90, 12_600, False)
    assert state == state_after(FIRST, SECOND, THIRD)


@pytest.mark.parametrize("seen", [(SECOND,), (THIRD,), (FIRST, THIRD), (SECOND, THIRD), (THIRD, FIRST)])
def test_a_revision_whose_forerunners_were_never_seen_counts_once(seen: tuple[ExecutionReport, ...]) -> None:
    assert state_after(*seen).cum_qty == max(seen, key=lambda report: report.exec_id).last_qty


def test_another_execution_of_the_same_order_is_another_trade() -> None:
    other = replace(execution("0000e0d5.5b9d1c2b.01.01", 50, 12_500, 4), cum_qty=150, leaves_qty=50)
    assert state_after(FIRST, SECOND, other).cum_qty == 150


def test_a_snapshot_is_read_the_same_way() -> None:
    snapshot = Snapshot(as_of_ns=5, session=1, orders=(), executions=(FIRST, SECOND), positions=())
    kinds = [report.exec_type for report in in_fix_words(snapshot, Corrections.REVISION).executions]
    assert kinds == [ExecType.TRADE, ExecType.TRADE_CORRECT]


@pytest.mark.parametrize("exec_id", ["", "0", "7", "E0000000012", "a.b", "a.", "x.1"])
def test_other_ids_are_left_alone(exec_id: str) -> None:
    report = execution(exec_id, 100, 12_500, 1)
    assert in_fix_words(report, Corrections.REVISION) is report


def test_where_corrections_name_what_they_change_nothing_is_touched() -> None:
    assert in_fix_words(SECOND, Corrections.REFERENCE) is SECOND
    beat = Heartbeat(1)
    assert in_fix_words(beat, Corrections.REVISION) is beat
