"""What goes back and forth on an order, by reports without exec ids that are repeated under new times."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.orders import OrderState, merge
from domain.report_ids import event_id

E, S = ExecType, OrdStatus
INTENT = OrderState.new("X", 10)
SHOWN = {E.NEW: S.NEW, E.REPLACED: S.NEW, E.RESTATED: S.NEW, E.SUSPENDED: S.SUSPENDED, E.CANCELED: S.CANCELED}


def said(kind: ExecType, ts_ns: int, qty: int = 10, cum: int = 0, **fields: object) -> ExecutionReport:
    told: dict[str, object] = {"exec_id": "", "order_qty": qty, "cum_qty": cum, "leaves_qty": max(0, qty - cum)}
    told |= {"ord_status": SHOWN.get(kind, S.PARTIALLY_FILLED)} | fields
    return ExecutionReport(client_order_id="X", exec_type=kind, ts_ns=ts_ns, **told)  # type: ignore[arg-type]


def joined(*reports: ExecutionReport) -> OrderState:
    state = INTENT
    for report in reports:
        state = merge(state, report).state
    return state


@st.composite
def stories(draw: st.DrawFn) -> list[ExecutionReport]:
    """What a broker says once of an order, at times that grow, no two of them with one content."""
    found: dict[str, ExecutionReport] = {}
    for ts_ns in range(1, draw(st.integers(1, 7)) + 1):
        kind = draw(st.sampled_from([E.TRADE, E.ORDER_STATUS, *SHOWN]))
        qty, cum, number = draw(st.integers(5, 12)), draw(st.integers(0, 5)), draw(st.integers(1, 2))
        last = {"last_qty": 1, "last_px": ts_ns} if kind is E.TRADE else {}
        report = said(kind, ts_ns * 10, qty, cum, venue_order_id=f"V{number}", **last)
        found.setdefault(event_id(report), report)
    return list(found.values())


@given(st.data(), stories())
def test_no_order_of_arrival_and_no_repetition_under_a_later_time_changes_anything(
    data: st.DataObject, once: list[ExecutionReport]
) -> None:
    repeatable = [report for report in once if report.exec_type is not E.ORDER_STATUS]
    copies = data.draw(st.lists(st.sampled_from(repeatable), max_size=6)) if repeatable else []
    restamped = [replace(copy, ts_ns=copy.ts_ns + data.draw(st.integers(0, 200))) for copy in copies]
    told = joined(*data.draw(st.permutations(once + restamped)))
    assert told == joined(*once)
    assert msgspec.msgpack.encode(told) == msgspec.msgpack.encode(joined(*once))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=OrderState) == told


@given(stories(), st.data())
def test_a_repetition_of_what_was_heard_leaves_the_very_same_state(
    once: list[ExecutionReport], data: st.DataObject
) -> None:
    state = joined(*once)
    again = data.draw(st.sampled_from(once))
    if again.exec_type is not E.ORDER_STATUS:
        assert merge(state, replace(again, ts_ns=again.ts_ns + 1_000)).state is state


@pytest.mark.parametrize("old", [said(E.NEW, 90), said(E.TRADE, 90, cum=1, last_qty=1, last_px=5)])
def test_a_late_copy_of_a_report_that_was_lost_does_not_hide_that_fills_are_missing(old: ExecutionReport) -> None:
    """An order that is over with fills that we have not seen must not be replaced in full (R10)."""
    over = joined(said(E.CANCELED, 50, cum=6))
    assert (over.missing_qty, over.is_settled) == (6, False)
    after = merge(over, old).state
    assert after.reported_cum_qty == 6
    assert not after.is_settled


def test_a_bust_lowers_the_count_and_an_answer_to_a_query_is_the_last_word() -> None:
    bust = said(E.TRADE_CANCEL, 60, cum=2, avg_px=5)
    state = joined(said(E.TRADE, 50, cum=6, last_qty=6, last_px=5), bust)
    assert (state.reported_cum_qty, state.cum_qty) == (2, 2)
    asked = merge(state, said(E.ORDER_STATUS, 70, cum=0, ord_status=S.NEW)).state
    assert asked.reported_cum_qty == 0


def test_a_trade_that_was_lost_and_is_repeated_after_a_bust_does_not_come_on_top() -> None:
    first = said(E.TRADE, 10, cum=1, last_qty=1, last_px=5)
    second = said(E.TRADE, 20, cum=8, last_qty=7, last_px=5)
    bust = said(E.TRADE_CANCEL, 30, cum=7, avg_px=5)
    assert joined(second, bust, replace(first, ts_ns=90)).cum_qty == 7
    later = said(E.TRADE, 40, cum=9, last_qty=2, last_px=5)
    state = joined(second, bust, later, replace(first, ts_ns=90))
    assert (state.cum_qty, state.missing_qty) == (7, 2)


def test_a_trade_that_was_lost_and_is_repeated_after_a_bust_of_as_much_does_not_come_on_top() -> None:
    """It begins where the bust has left the order; nothing tells it from a new trade, and the broker is asked."""
    first, second = (said(E.TRADE, at_ns, cum=at_ns, last_qty=1, last_px=5) for at_ns in (1, 2))
    bust, late = said(E.TRADE_CANCEL, 30, cum=2, avg_px=5), said(E.TRADE, 90, cum=3, last_qty=1, last_px=5)
    for told in ((first, second, bust, late), (late, bust, second, first)):
        state = joined(*told)
        assert (state.cum_qty, state.missing_qty, state.is_settled) == (2, 1, False)
        asked = merge(state, said(E.ORDER_STATUS, 100, cum=2, avg_px=5)).state
        assert (asked.cum_qty, asked.missing_qty) == (2, 0)


def test_a_trade_without_exec_id_and_count_does_not_come_on_top_of_a_bust_either() -> None:
    bust = said(E.TRADE_CANCEL, 30, cum=2, avg_px=5)
    uncounted = said(E.TRADE, 90, cum=0, last_qty=3, last_px=5)
    assert joined(said(E.TRADE, 10, cum=6, last_qty=6, last_px=5), bust, uncounted).cum_qty == 2


def test_what_an_older_release_wrote_is_read_and_goes_on() -> None:
    state = joined(said(E.NEW, 10, exec_id="E1"))
    older = msgspec.msgpack.encode(msgspec.to_builtins(state)[:12])
    read = msgspec.msgpack.decode(older, type=OrderState)
    assert read == state
    assert merge(read, said(E.TRADE, 20, cum=1, last_qty=1, last_px=5)).state.cum_qty == 1


def test_a_trade_that_says_what_one_before_a_bust_said_is_known_by_the_next_answer_to_a_query() -> None:
    """Nothing tells it from a late copy, so it counts as that until the broker is asked; then it is what is left.

    So is what is traded later, with the next answer.
    """
    first = said(E.TRADE, 10, cum=4, last_qty=4, last_px=5)
    bust = said(E.TRADE_CANCEL, 20, cum=0)
    again, later = replace(first, ts_ns=30), said(E.TRADE, 50, cum=6, last_qty=2, last_px=9)
    told = joined(first, bust, again)
    assert (told.cum_qty, told.live_qty) == (0, 10)
    asked = said(E.ORDER_STATUS, 40, cum=4, avg_px=5)
    assert (joined(first, bust, again, asked).cum_qty, joined(first, bust, again, asked).notional) == (4, 20)
    whole = joined(first, bust, again, asked, later)
    assert (whole.cum_qty, whole.notional, whole.missing_qty) == (4, 20, 2)
    assert joined(asked, later, again, bust, first) == whole


def test_a_bust_that_says_what_an_earlier_one_said_is_known_by_the_next_answer_to_a_query() -> None:
    trade, bust = said(E.TRADE, 10, cum=4, last_qty=4, last_px=5), said(E.TRADE_CANCEL, 20, cum=0)
    other = said(E.TRADE, 30, cum=10, last_qty=10, last_px=6)
    told = joined(trade, bust, other, replace(bust, ts_ns=40))
    assert (told.cum_qty, told.missing_qty) == (0, 10)
    assert merge(told, said(E.ORDER_STATUS, 50, cum=0, ord_status=S.NEW)).state.cum_qty == 0


def test_an_answer_to_a_query_takes_no_fill_away_that_no_bust_has_touched() -> None:
    state = joined(said(E.TRADE, 10, cum=4, last_qty=4, last_px=5), said(E.ORDER_STATUS, 50, cum=0, ord_status=S.NEW))
    assert state.cum_qty == 4


def test_a_lost_trade_that_is_told_again_after_a_bust_fills_no_unit_that_another_has_filled() -> None:
    """Left are 4 by the bust, and 20 by the broker's count; a trade of before it, heard now, is no overfill."""
    bust, whole = said(E.TRADE_CANCEL, 30, 20, cum=4, avg_px=5), said(E.TRADE, 40, 20, cum=20, last_qty=16, last_px=6)
    late = said(E.TRADE, 90, 20, cum=6, last_qty=2, last_px=5)
    for told in ((bust, whole, late), (late, whole, bust), (whole, bust, late)):
        state = joined(*told)
        assert (state.cum_qty, state.missing_qty, state.is_filled, state.has_anomaly) == (4, 16, True, False)
        asked = merge(state, said(E.ORDER_STATUS, 100, 20, cum=20, avg_px=6)).state
        assert (asked.cum_qty, asked.missing_qty, asked.has_anomaly) == (20, 0, False)


def test_two_trades_of_the_same_units_show_that_one_was_taken_back_though_nobody_has_heard_of_a_bust() -> None:
    first, again = said(E.TRADE, 10, cum=4, last_qty=4, last_px=5), said(E.TRADE, 20, cum=6, last_qty=6, last_px=7)
    state = joined(first, again)
    assert (state.cum_qty, state.count.amended) == (6, True)
    assert joined(again, first) == state
    asked = merge(state, said(E.ORDER_STATUS, 30, cum=2, avg_px=7)).state
    assert (asked.cum_qty, asked.notional) == (2, 14)


@pytest.mark.parametrize("ts_ns", [10, 20, 30])
@pytest.mark.parametrize("first", [True, False])
def test_a_copy_that_leaves_out_the_quantity_and_the_name_takes_back_neither(ts_ns: int, first: bool) -> None:
    """An execution without id is known by its own numbers, and a copy of it may print 0 and nothing for the rest."""
    trade = said(E.TRADE, 20, 12, 3, last_qty=3, last_px=500, venue_order_id="V1")
    copy = replace(trade, ts_ns=ts_ns, order_qty=0, venue_order_id="")
    assert event_id(trade) == event_id(copy)
    state = joined(copy, trade) if first else joined(trade, copy)
    assert (state.order_qty, state.venue_order_id, state.cum_qty) == (12, "V1", 3)
    assert state.told == joined(trade).told
