"""Trades that the broker's own later count denies: what counts, what is in doubt, and what settles it."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.order_table import Verdict
from domain.orders import OrderState, merge

E, S = ExecType, OrdStatus
laws = settings(derandomize=True, deadline=None, max_examples=150)


def told(kind: ExecType, ts_ns: int, cum_qty: int, last_qty: int = 0, **more: object) -> ExecutionReport:
    status = S.CANCELED if kind is E.CANCELED else S.PARTIALLY_FILLED
    fields: dict[str, object] = {"exec_id": f"{kind.value}{ts_ns}", "order_qty": 10, "last_px": 100}
    return ExecutionReport(
        client_order_id="X",
        exec_type=kind,
        ord_status=status,
        ts_ns=ts_ns,
        cum_qty=cum_qty,
        leaves_qty=0,
        last_qty=last_qty,
        **(fields | more),  # type: ignore[arg-type]
    )


def trade(ts_ns: int, qty: int, cum_qty: int, **more: object) -> ExecutionReport:
    return told(E.TRADE, ts_ns, cum_qty, qty, **more)


def correction(ts_ns: int, of: int, qty: int, cum_qty: int) -> ExecutionReport:
    return told(E.TRADE_CORRECT, ts_ns, cum_qty, qty, exec_ref_id=f"trade{of}")


def bust(ts_ns: int, of: int, cum_qty: int) -> ExecutionReport:
    return told(E.TRADE_CANCEL, ts_ns, cum_qty, exec_ref_id=f"trade{of}")


def answer(ts_ns: int, cum_qty: int) -> ExecutionReport:
    return told(E.ORDER_STATUS, ts_ns, cum_qty, exec_id="0")


def canceled(ts_ns: int, cum_qty: int) -> ExecutionReport:
    return told(E.CANCELED, ts_ns, cum_qty)


def replay(*reports: ExecutionReport) -> OrderState:
    state = OrderState.new("X", 10)
    for report in reports:
        state = merge(state, report).state
    return state


# What was heard -> what counts as filled, what may still trade, and what of it is in doubt.
CASES: dict[str, tuple[list[ExecutionReport], tuple[int, int, int]]] = {
    "trades that the broker counts as we do": ([trade(1, 3, 3), trade(2, 4, 7)], (7, 3, 0)),
    "a lost bust, and the order filled all the same": ([trade(1, 3, 3), trade(3, 10, 10)], (10, 0, 0)),
    "a lost bust of an order that works on": ([trade(1, 3, 3), trade(3, 4, 4)], (4, 6, 3)),
    "a lost bust of an order that has ended": ([trade(1, 3, 3), trade(3, 4, 4), canceled(4, 4)], (4, 3, 3)),
    "a lost bust of more than was traded since": ([trade(1, 5, 5), trade(3, 3, 3)], (3, 7, 5)),
    "a lost bust that comes after all": ([trade(1, 3, 3), trade(3, 4, 4), bust(2, 1, 0)], (4, 6, 0)),
    "a lost correction": ([trade(1, 4, 4), trade(3, 3, 5)], (5, 5, 2)),
    "a lost correction that comes after all": ([trade(1, 4, 4), trade(3, 3, 5), correction(2, 1, 2, 2)], (5, 5, 0)),
    "a lost bust behind a bust that was heard": (
        [trade(1, 3, 3), trade(2, 2, 5), bust(3, 1, 2), trade(5, 4, 4)],
        (4, 6, 2),
    ),
    "a bust that was heard, and nothing lost": ([trade(1, 3, 3), bust(2, 1, 0), trade(3, 10, 10)], (10, 0, 0)),
    "one trade under two ids": ([trade(1, 3, 3), trade(2, 3, 3)], (3, 7, 3)),
    "a trade that is told behind a later one": ([trade(2, 3, 3), trade(1, 4, 7)], (7, 3, 0)),
    "a trade after the cancel of its order": ([trade(1, 3, 3), canceled(2, 3), trade(3, 2, 5)], (5, 0, 0)),
    "a trade that was lost": ([trade(1, 3, 3), trade(3, 2, 9)], (5, 5, 0)),
    "a broker that does not say what has filled": ([trade(1, 3, 0), trade(2, 4, 4)], (7, 3, 0)),
    "a count that was told without the order's quantity": ([trade(1, 3, 3), trade(2, 4, 4, order_qty=0)], (7, 3, 0)),
    "a status that shows an older state": ([trade(1, 3, 3), trade(2, 4, 7), answer(3, 3)], (7, 3, 0)),
    "an answer that agrees with the last trade": ([trade(1, 3, 3), trade(3, 4, 4), answer(4, 4)], (4, 6, 0)),
    "an answer that agrees with all trades": ([trade(1, 3, 3), trade(3, 4, 4), answer(4, 7)], (7, 3, 0)),
    "an answer from before the last trade": ([trade(1, 3, 3), answer(2, 4), trade(3, 4, 4)], (4, 6, 3)),
    "an answer of an older state": ([trade(1, 3, 3), trade(3, 4, 4), answer(4, 3)], (4, 6, 3)),
    "an older state of an order that has ended": (
        [trade(1, 3, 3), trade(3, 4, 4), canceled(4, 4), answer(5, 3)],
        (4, 3, 3),
    ),
    "a trade after the doubt was settled": (
        [trade(1, 3, 3), trade(3, 4, 4), answer(4, 4), trade(5, 1, 5)],
        (5, 5, 3),
    ),
    "a trade after all were found to count": (
        [trade(1, 3, 3), trade(3, 4, 4), answer(4, 7), trade(5, 1, 8)],
        (8, 2, 0),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_counts_and_what_is_in_doubt(case: str) -> None:
    heard, expected = CASES[case]
    assert len(heard) <= 5
    for order in permutations(heard):
        state = replay(*order, *order)
        assert (state.cum_qty, state.live_qty, state.doubtful_qty) == expected
        assert state == replay(*heard)


def test_an_order_with_fills_in_doubt_is_not_over() -> None:
    before = replay(trade(1, 3, 3), canceled(2, 3))
    assert before.is_settled
    doubtful = merge(before, trade(3, 4, 4)).state
    assert (doubtful.is_settled, doubtful.ord_status) == (False, S.CANCELED)
    assert merge(doubtful, answer(4, 4)).state.is_settled


def test_an_order_that_cannot_have_filled_more_is_over_whatever_is_in_doubt() -> None:
    state = replay(trade(1, 3, 3), trade(3, 10, 10))
    assert (state.is_settled, state.ord_status, state.count.beyond) == (True, S.FILLED, 3)


def test_a_trade_that_the_count_denies_is_flagged_once_and_says_how_much_counts() -> None:
    before = replay(trade(1, 3, 3))
    merged = merge(before, trade(3, 10, 10))
    assert merged.verdict is Verdict.ANOMALY
    assert "add up to 13, but the broker counted 10" in merged.reason
    assert merge(merged.state, bust(2, 1, 0)).verdict is Verdict.EXPECTED


def test_the_price_of_what_counts_is_the_average_until_the_bust_is_known() -> None:
    dear = trade(1, 3, 3, last_px=400)
    assert replay(dear, trade(3, 6, 6)).notional == (3 * 400 + 6 * 100) * 6 // 9
    assert replay(dear, trade(3, 6, 6), bust(2, 1, 0)).notional == 600


def test_an_execution_that_is_told_again_with_the_count_of_today_is_the_same() -> None:
    again = trade(1, 3, 7)
    assert replay(trade(1, 3, 3), again) == replay(again, trade(1, 3, 3))
    assert replay(trade(1, 3, 3), again).cum_qty == 3


@laws
@given(
    st.lists(st.tuples(st.sampled_from(["trade", "trade", "bust"]), st.integers(0, 4), st.integers(1, 4)), max_size=12),
    st.data(),
)
def test_whatever_busts_are_lost_what_counts_is_what_the_broker_counted_last(
    acts: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    fills: dict[int, int] = {}
    said: list[ExecutionReport] = []
    for ts_ns, (act, which, qty) in enumerate(acts, 1):
        room = 10 - sum(fills.values())
        if act == "trade" and room:
            fills[ts_ns] = min(qty, room)
            said.append(trade(ts_ns, fills[ts_ns], sum(fills.values())))
        elif act == "bust" and which < len(fills):
            of = list(fills)[which]
            del fills[of]
            said.append(bust(ts_ns, of, sum(fills.values())))
    busts = [one for one in said[:-1] if one.exec_type is E.TRADE_CANCEL]
    lost = data.draw(st.lists(st.sampled_from(busts), unique_by=id)) if busts else []
    heard = data.draw(st.permutations([one for one in said if one not in lost]))
    state = replay(*heard)
    assert state.cum_qty == sum(fills.values())
    assert bool(state.count.beyond) == bool(lost)
    assert state.cum_qty + state.live_qty == 10 if said else state.cum_qty == 0
    whole = replay(*heard, *lost)
    assert (whole.cum_qty, whole.count.beyond, whole.doubtful_qty) == (sum(fills.values()), 0, 0)
