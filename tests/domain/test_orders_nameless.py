"""Brokers without exec ids: a fill is known by the quantity that it brought the order to, and never by a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.orders import OrderState, merge
from domain.report_ids import event_id

WHOLE = 40
INTENT = OrderState.new("X", WHOLE)
E = ExecType


def report(kind: ExecType, cum: int, ts_ns: int, **fields: object) -> ExecutionReport:
    status = OrdStatus.FILLED if cum == WHOLE else OrdStatus.PARTIALLY_FILLED
    told: dict[str, object] = {"exec_id": "", "order_qty": WHOLE, "cum_qty": cum, "leaves_qty": WHOLE - cum}
    return ExecutionReport(client_order_id="X", exec_type=kind, ord_status=status, ts_ns=ts_ns, **(told | fields))  # type: ignore[arg-type]


def fold(*reports: ExecutionReport) -> OrderState:
    """As a cell folds them: what has been taken before is not taken again, then the join."""
    state, seen = INTENT, set()
    for one in reports:
        if event_id(one) not in seen:
            seen.add(event_id(one))
            state = merge(state, one).state
    return state


def joined(*reports: ExecutionReport) -> OrderState:
    """The join alone, as for what stands in snapshots."""
    state = INTENT
    for one in reports:
        state = merge(state, one).state
    return state


fills = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 500)), min_size=1, max_size=4)


def told(filled: list[tuple[int, int]], *, ids: bool) -> list[ExecutionReport]:
    cum, found = 0, []
    for number, (qty, px) in enumerate(filled, 1):
        cum += qty
        exec_id = f"t{number}" if ids else ("", "0")[number % 2]
        found.append(report(E.TRADE, cum, number, exec_id=exec_id, last_qty=qty, last_px=px))
    return found


@given(st.data(), fills, st.booleans())
def test_any_repetition_restamping_and_reordering_fills_the_order_once(
    data: st.DataObject, filled: list[tuple[int, int]], ids: bool
) -> None:
    once = told(filled, ids=ids)
    copies = data.draw(st.lists(st.tuples(st.sampled_from(once), st.integers(1, 1_000)), max_size=6))
    restamped = [replace(copy, ts_ns=copy.ts_ns + late) for copy, late in copies]
    shuffled = data.draw(st.permutations(once + restamped))
    for folding in (fold, joined):
        state = folding(*shuffled)
        assert state.cum_qty == sum(qty for qty, _ in filled)
        assert state.notional == sum(qty * px for qty, px in filled)
        assert not state.has_anomaly
    assert joined(*shuffled).executions == joined(*once).executions


@given(st.data(), fills, st.integers(0, 3), fills)
def test_a_bust_that_names_no_trade_leaves_what_it_says_and_later_fills_count_by_an_answer_to_a_query(
    data: st.DataObject, before: list[tuple[int, int]], left: int, after: list[tuple[int, int]]
) -> None:
    first = told(before, ids=False)
    left = min(left, first[-1].cum_qty)
    bust = report(E.TRADE_CANCEL, left, 100, avg_px=77 if left else 0)
    later, cum = [], left
    for number, (qty, _) in enumerate(after):
        cum += qty
        later.append(report(E.TRADE, cum, 200 + number, last_qty=qty, last_px=1_000 + number))
    every = [*first, bust, *later]
    copies = data.draw(st.lists(st.tuples(st.sampled_from(every), st.integers(1, 1_000)), max_size=6))
    restamped = [replace(copy, ts_ns=copy.ts_ns + late) for copy, late in copies]
    state = joined(*data.draw(st.permutations(every + restamped)))
    assert (state.cum_qty, state.missing_qty, state.notional) == (left, cum - left, left * 77)
    asked = merge(state, report(E.ORDER_STATUS, cum, 5_000, avg_px=99)).state
    assert (asked.cum_qty, asked.missing_qty, asked.notional) == (cum, 0, cum * 99)


def test_a_repeat_under_a_new_time_is_the_same_event_and_a_duplicate() -> None:
    first = report(E.TRADE, 6, 5, last_qty=6, last_px=100)
    again = replace(first, ts_ns=9_000)
    assert event_id(first) == event_id(again)
    assert joined(first, again).cum_qty == 6
    assert event_id(first) != event_id(report(E.TRADE, 12, 5, last_qty=6, last_px=100))


def test_a_lost_fill_shows_as_missing_and_is_not_made_up() -> None:
    state = joined(report(E.TRADE, 10, 2, last_qty=6, last_px=100))
    assert (state.cum_qty, state.missing_qty) == (6, 4)
    whole = merge(state, report(E.TRADE, 4, 1, last_qty=4, last_px=90)).state
    assert (whole.cum_qty, whole.missing_qty, whole.notional) == (10, 0, 960)


@pytest.mark.parametrize("kind", [E.TRADE_CANCEL, E.TRADE_CORRECT])
def test_without_an_average_what_is_left_keeps_the_price_that_it_had(kind: ExecType) -> None:
    state = joined(report(E.TRADE, 10, 1, last_qty=10, last_px=120), report(kind, 4, 2))
    assert (state.cum_qty, state.notional, state.reported_cum_qty) == (4, 480, 4)


@given(st.data(), st.lists(st.sampled_from([2, 3, -1]), min_size=1, max_size=8))
def test_whatever_is_traded_and_busted_in_the_same_words_is_known_once_the_broker_was_asked(
    data: st.DataObject, steps: list[int]
) -> None:
    """-1 takes the last trade back; every trade is at one price, so that contents collide."""
    filled: list[int] = []
    every = []
    for number, step in enumerate(steps, 1):
        if step > 0:
            filled.append(step)
            every.append(report(E.TRADE, sum(filled), number, last_qty=step, last_px=50))
        elif filled:
            filled.pop()
            every.append(report(E.TRADE_CANCEL, sum(filled), number, avg_px=50 if filled else 0))
    copies = data.draw(st.lists(st.tuples(st.sampled_from(every), st.integers(1, 100)), max_size=6)) if every else []
    answer = report(E.ORDER_STATUS, sum(filled), 90, avg_px=50 if filled else 0)
    told = [*every, *(replace(copy, ts_ns=copy.ts_ns + late) for copy, late in copies), answer]
    state = joined(*data.draw(st.permutations(told)))
    assert (state.cum_qty, state.notional, state.missing_qty) == (sum(filled), 50 * sum(filled), 0)
