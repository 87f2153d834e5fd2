"""The order as a join of reports: the plain cases of S8 and S9, statuses, anomalies and identities."""

from __future__ import annotations

import msgspec
import pytest

from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.order_table import RequestState, Verdict
from domain.orders import Merged, OrderState, merge
from domain.report_ids import event_id

S, E, V = OrdStatus, ExecType, Verdict


def report(kind: ExecType, status: OrdStatus, ts_ns: int, **told: object) -> ExecutionReport:
    fields: dict[str, object] = {"exec_id": f"{kind.value}-{ts_ns}", "order_qty": 10, "cum_qty": 0, "leaves_qty": 0}
    return ExecutionReport(
        client_order_id="X",
        exec_type=kind,
        ord_status=status,
        ts_ns=ts_ns,
        **(fields | told),  # type: ignore[arg-type]
    )


def trade(exec_id: str, qty: int, cum: int, ts_ns: int, px: int = 100, order_qty: int = 10) -> ExecutionReport:
    status = S.FILLED if cum >= order_qty else S.PARTIALLY_FILLED
    return report(E.TRADE, status, ts_ns, exec_id=exec_id, last_qty=qty, last_px=px, cum_qty=cum, order_qty=order_qty)


def amend(kind: ExecType, exec_id: str, ref: str, qty: int, cum: int, ts_ns: int, px: int = 100) -> ExecutionReport:
    return report(
        kind,
        S.FILLED if cum >= 10 else S.PARTIALLY_FILLED,
        ts_ns,
        exec_id=exec_id,
        exec_ref_id=ref,
        last_qty=qty,
        last_px=px,
        cum_qty=cum,
    )


def status_answer(status: OrdStatus, ts_ns: int, cum: int = 0, order_qty: int = 10) -> ExecutionReport:
    return report(E.ORDER_STATUS, status, ts_ns, exec_id="0", cum_qty=cum, order_qty=order_qty)


NEW = report(E.NEW, S.NEW, 1)
INTENT = OrderState.new("X", 10)


def replay(*reports: ExecutionReport) -> OrderState:
    state = INTENT
    for one in reports:
        state = merge(state, one).state
    return state


def last(*reports: ExecutionReport) -> Merged:
    return merge(replay(*reports[:-1]), reports[-1])


class TestOrderJoinOrdering:
    """The plain cases of S8."""

    def test_a_late_partial_after_filled_keeps_the_status_and_its_new_fill_counts(self) -> None:
        early, final = trade("t1", 4, 4, 2), trade("t2", 6, 10, 3)
        filled = replay(NEW, final)
        assert (filled.ord_status, filled.cum_qty, filled.missing_qty, filled.live_qty) == (S.FILLED, 6, 4, 4)
        merged = merge(filled, early)
        assert merged.verdict is V.REGRESSION
        assert merged.reason == "late trade: the order is already filled"
        assert (merged.state.ord_status, merged.state.cum_qty, merged.state.live_qty) == (S.FILLED, 10, 0)
        assert merged.state == replay(NEW, early, final)

    def test_a_late_partial_that_is_known_already_is_a_duplicate(self) -> None:
        early, final = trade("t1", 4, 4, 2), trade("t2", 6, 10, 3)
        filled = replay(NEW, early, final)
        merged = merge(filled, early)
        assert (merged.verdict, merged.reason) == (V.DUPLICATE, "")
        assert merged.state is filled

    def test_filled_before_new_stays_filled(self) -> None:
        merged = last(trade("t1", 10, 10, 2), NEW)
        assert (merged.state.ord_status, merged.state.cum_qty) == (S.FILLED, 10)
        assert (merged.verdict, merged.reason) == (V.REGRESSION, "late new: the order is already filled")

    def test_a_fill_after_canceled_is_accepted_and_flagged(self) -> None:
        merged = last(NEW, report(E.CANCELED, S.CANCELED, 2), trade("t1", 10, 10, 3))
        assert (merged.verdict, merged.reason) == (V.REVIVAL, "trade of an order that was canceled")
        assert (merged.state.ord_status, merged.state.cum_qty) == (S.FILLED, 10)
        partly = last(NEW, report(E.CANCELED, S.CANCELED, 2), trade("t1", 4, 4, 3)).state
        assert (partly.ord_status, partly.cum_qty, partly.leaves_qty, partly.is_terminal) == (S.CANCELED, 4, 0, True)

    def test_a_fill_after_rejected_is_accepted_and_flagged(self) -> None:
        merged = last(report(E.REJECTED, S.REJECTED, 2), trade("t1", 10, 10, 3))
        assert merged.verdict is V.REVIVAL
        assert (merged.state.ord_status, merged.state.cum_qty, merged.state.has_anomaly) == (S.FILLED, 10, True)

    def test_a_duplicate_is_a_no_op(self) -> None:
        for known in (NEW, trade("t1", 4, 4, 2), report(E.CANCELED, S.CANCELED, 3, cum_qty=4)):
            state = replay(NEW, known)
            merged = merge(state, known)
            assert merged.state is state
            assert merged.verdict is V.DUPLICATE

    def test_a_late_fill_that_the_broker_had_counted_before_it_canceled_is_late_and_no_revival(self) -> None:
        canceled = report(E.CANCELED, S.CANCELED, 5, cum_qty=4)
        before = replay(NEW, canceled)
        assert (before.missing_qty, before.live_qty, before.is_terminal, before.is_settled) == (4, 4, True, False)
        merged = merge(before, trade("t1", 4, 4, 2))
        assert merged.verdict is V.REGRESSION
        assert (merged.state.ord_status, merged.state.live_qty, merged.state.is_settled) == (S.CANCELED, 0, True)

    def test_the_completing_fill_of_an_order_known_to_be_filled_is_expected(self) -> None:
        merged = last(NEW, status_answer(S.FILLED, 3, cum=10), trade("t1", 10, 10, 2))
        assert merged.verdict is V.EXPECTED
        assert merged.state.is_settled


class TestOrderJoinStatus:
    def test_at_intent_nothing_is_known(self) -> None:
        assert INTENT.ord_status is S.PENDING_NEW
        assert (INTENT.order_qty, INTENT.leaves_qty, INTENT.live_qty, INTENT.avg_px) == (10, 10, 10, 0)
        assert not (INTENT.is_acknowledged or INTENT.is_terminal or INTENT.has_anomaly or INTENT.is_settled)

    def test_a_reject_of_a_duplicate_leaves_the_order_alone(self) -> None:
        state = replay(NEW, trade("t1", 4, 4, 2))
        duplicate = report(E.REJECTED, S.PARTIALLY_FILLED, 3, order_qty=15)
        merged = merge(state, duplicate)
        assert merged.state is state
        assert merged.verdict is V.DUPLICATE

    def test_a_query_answered_with_unknown_order_is_no_evidence(self) -> None:
        merged = merge(INTENT, status_answer(S.REJECTED, 5, order_qty=0))
        assert merged.state is INTENT
        assert merged.state.live_qty == 10

    def test_a_query_answered_with_rejected_ends_the_order(self) -> None:
        state = replay(status_answer(S.REJECTED, 5))
        assert (state.ord_status, state.live_qty, state.is_settled) == (S.REJECTED, 0, True)

    def test_a_cancel_reject_for_an_unknown_order_does_not_end_it(self) -> None:
        state = replay(report(E.CANCEL_REJECT, S.REJECTED, 5, order_qty=0, request_id="Y"))
        assert (state.ord_status, state.live_qty) == (S.PENDING_NEW, 10)

    def test_a_cancel_reject_can_tell_that_the_order_is_over(self) -> None:
        state = replay(NEW, report(E.CANCEL_REJECT, S.EXPIRED, 5, order_qty=0, request_id="Y"))
        assert (state.ord_status, state.live_qty) == (S.EXPIRED, 0)

    def test_a_query_carries_the_count_but_no_fill(self) -> None:
        state = replay(NEW, status_answer(S.PARTIALLY_FILLED, 3, cum=6))
        assert (state.cum_qty, state.reported_cum_qty, state.missing_qty) == (0, 6, 6)
        assert (state.leaves_qty, state.live_qty, state.ord_status) == (4, 10, S.PARTIALLY_FILLED)

    def test_an_older_answer_never_overwrites_newer_knowledge(self) -> None:
        state = replay(NEW, trade("t1", 4, 4, 5))
        merged = merge(state, status_answer(S.NEW, 3, cum=0))
        assert msgspec.structs.replace(merged.state, asked=state.asked) == state

    def test_a_pending_cancel_ends_with_the_answer_to_that_request_only(self) -> None:
        pending = [report(E.PENDING_CANCEL, S.PENDING_CANCEL, ts, request_id=f"C{ts}") for ts in (2, 3)]
        refused = [report(E.CANCEL_REJECT, S.NEW, ts + 2, order_qty=0, request_id=f"C{ts}") for ts in (2, 3)]
        assert replay(NEW, *pending).ord_status is S.PENDING_CANCEL
        assert replay(NEW, *pending, refused[0]).ord_status is S.PENDING_CANCEL
        assert replay(NEW, *pending, *refused).ord_status is S.NEW
        assert replay(NEW, *refused, *pending).ord_status is S.NEW

    def test_an_answer_counts_even_when_its_clock_is_behind(self) -> None:
        pending = report(E.PENDING_CANCEL, S.PENDING_CANCEL, 5, request_id="C")
        refused = report(E.CANCEL_REJECT, S.NEW, 3, order_qty=0, request_id="C")
        assert replay(NEW, pending, refused).ord_status is S.NEW

    def test_a_pending_cancel_outranks_a_pending_replace(self) -> None:
        replacing = report(E.PENDING_REPLACE, S.PENDING_REPLACE, 2, request_id="R")
        canceling = report(E.PENDING_CANCEL, S.PENDING_CANCEL, 3, request_id="C")
        assert replay(NEW, canceling, replacing).ord_status is S.PENDING_CANCEL
        assert replay(NEW, replacing).pending is RequestState.PENDING_REPLACE

    def test_a_pending_cancel_without_a_request_id_lasts_until_a_later_word(self) -> None:
        nameless = report(E.PENDING_CANCEL, S.PENDING_CANCEL, 3)
        assert replay(NEW, nameless).ord_status is S.PENDING_CANCEL
        refused = report(E.CANCEL_REJECT, S.NEW, 4, order_qty=0)
        assert replay(NEW, nameless, refused).ord_status is S.NEW
        assert replay(NEW, refused, nameless).ord_status is S.NEW

    def test_an_end_hides_what_was_pending(self) -> None:
        state = replay(
            NEW, report(E.PENDING_CANCEL, S.PENDING_CANCEL, 2, request_id="C"), report(E.EXPIRED, S.EXPIRED, 3)
        )
        assert (state.ord_status, state.leaves_qty) == (S.EXPIRED, 0)

    def test_a_filled_order_with_a_replace_in_flight_is_not_terminal(self) -> None:
        filled = replay(NEW, trade("t1", 10, 10, 2))
        assert filled.is_terminal
        growing = merge(filled, report(E.PENDING_REPLACE, S.PENDING_REPLACE, 3, cum_qty=10, request_id="R")).state
        assert (growing.ord_status, growing.is_terminal, growing.leaves_qty) == (S.PENDING_REPLACE, False, 0)
        grown = merge(growing, report(E.REPLACED, S.PARTIALLY_FILLED, 4, order_qty=12, cum_qty=10, request_id="R"))
        assert (grown.verdict, grown.state.ord_status, grown.state.live_qty) == (V.EXPECTED, S.PARTIALLY_FILLED, 2)

    def test_a_fill_tells_of_a_replace_that_was_lost(self) -> None:
        state = replay(NEW, trade("t1", 10, 10, 3, order_qty=12))
        assert (state.order_qty, state.live_qty, state.has_anomaly) == (12, 2, False)

    def test_a_trigger_is_remembered(self) -> None:
        state = replay(report(E.TRIGGERED, S.NEW, 2))
        assert (state.triggered, state.ord_status) == (True, S.NEW)
        assert not INTENT.triggered

    def test_phases_come_and_go_by_broker_time(self) -> None:
        done = report(E.DONE_FOR_DAY, S.DONE_FOR_DAY, 3)
        renewed = report(E.RESTATED, S.NEW, 4)
        assert replay(NEW, done).ord_status is S.DONE_FOR_DAY
        assert replay(NEW, done, renewed).ord_status is S.NEW
        assert replay(NEW, renewed, done) == replay(NEW, done, renewed)

    def test_a_filled_order_is_no_longer_stopped_but_may_be_done_for_the_day(self) -> None:
        guaranteed = report(E.STOPPED, S.STOPPED, 3)
        traded = report(E.TRADE, S.STOPPED, 4, last_qty=10, cum_qty=10)
        assert replay(NEW, guaranteed, traded).ord_status is S.FILLED
        assert replay(NEW, traded, report(E.DONE_FOR_DAY, S.DONE_FOR_DAY, 5, cum_qty=10)).ord_status is S.DONE_FOR_DAY

    def test_the_venue_order_id_is_the_newest_one(self) -> None:
        first = report(E.NEW, S.NEW, 1, venue_order_id="v1")
        second = report(E.REPLACED, S.NEW, 2, venue_order_id="v2", request_id="R")
        assert replay(first).venue_order_id == "v1"
        assert replay(second, first).venue_order_id == "v2"
        assert replay(first, report(E.TRADE, S.PARTIALLY_FILLED, 3, last_qty=1, cum_qty=1)).venue_order_id == "v1"

    def test_a_report_about_another_order_is_refused(self) -> None:
        with pytest.raises(ValueError, match="report about 'X' cannot be merged into order 'other'"):
            merge(OrderState.new("other", 10), NEW)


class TestOrderJoinAnomalies:
    def test_an_overfill_counts_and_is_flagged(self) -> None:
        merged = last(NEW, trade("t1", 8, 8, 2), trade("t2", 4, 12, 3))
        assert (merged.verdict, merged.reason) == (V.ANOMALY, "overfilled: 12 of 10")
        assert (merged.state.cum_qty, merged.state.has_anomaly, merged.state.live_qty) == (12, True, 0)

    @pytest.mark.parametrize("qty", [0, -5])
    def test_a_fill_without_quantity_counts_for_nothing_and_is_flagged(self, qty: int) -> None:
        merged = last(NEW, trade("t1", 4, 4, 2), trade("t2", qty, 4, 3))
        assert merged.verdict is V.ANOMALY
        assert (merged.state.cum_qty, merged.state.has_anomaly) == (4, True)

    def test_two_contents_under_one_exec_id_keep_the_same_one_in_any_order(self) -> None:
        small, large = trade("t1", 3, 3, 2), trade("t1", 5, 5, 2)
        merged = last(NEW, small, large)
        assert (merged.verdict, merged.reason) == (V.ANOMALY, "two contents under one exec_id: t1")
        assert merged.state == replay(NEW, large, small)
        assert (merged.state.cum_qty, merged.state.conflicts) == (5, ("t1",))

    def test_conflicts_are_kept_in_the_order_of_their_ids(self) -> None:
        twice = [trade(name, qty, qty, 2) for name in ("t2", "t1") for qty in (1, 2)]
        assert replay(*twice).conflicts == ("t1", "t2")

    def test_a_reject_of_an_order_with_fills_is_an_anomaly(self) -> None:
        merged = last(NEW, trade("t1", 4, 4, 2), report(E.REJECTED, S.REJECTED, 3))
        assert merged.verdict is V.ANOMALY
        assert merged.reason == "rejected contradicts an order that is partially_filled"
        assert merged.state.has_anomaly

    def test_an_anomaly_that_is_cleared_up_by_a_late_report_does_not_stay(self) -> None:
        first, corrected, again = (
            trade("t1", 8, 8, 2),
            amend(E.TRADE_CORRECT, "c1", "t1", 7, 7, 3),
            amend(E.TRADE_CORRECT, "c2", "c1", 6, 6, 4),
        )
        gap = replay(NEW, first, again)
        assert gap.has_anomaly  # c2 names a report that we have not seen: it stands beside t1 for now
        assert not merge(gap, corrected).state.has_anomaly


class TestEventId:
    def test_it_is_the_exec_id_where_there_is_one(self) -> None:
        assert event_id(trade("t1", 1, 1, 2)) == event_id(trade("t1", 9, 9, 8)) == "X/trade/t1"

    def test_it_is_the_content_where_there_is_none(self) -> None:
        nameless = trade("", 1, 1, 2)
        assert event_id(nameless) == event_id(trade("", 1, 1, 2))
        assert event_id(nameless) != event_id(trade("", 1, 2, 3))

    def test_answers_to_queries_are_known_by_their_content(self) -> None:
        first, second = status_answer(S.NEW, 2), status_answer(S.NEW, 3)
        assert event_id(first) != event_id(second)
        reused = msgspec.structs.replace(first, exec_id="t1")
        assert event_id(reused) != event_id(msgspec.structs.replace(second, exec_id="t1"))

    def test_a_number_used_again_for_another_kind_of_report_is_another_event(self) -> None:
        assert event_id(trade("7", 1, 1, 2)) != event_id(report(E.CANCELED, S.CANCELED, 3, exec_id="7"))

    def test_a_nameless_fill_counts_once_however_often_it_comes(self) -> None:
        state = replay(NEW, trade("", 3, 3, 2), trade("0", 3, 6, 3), trade("", 3, 3, 2))
        assert (state.cum_qty, state.has_anomaly) == (6, False)


def test_an_average_exactly_between_two_prices_goes_to_the_even_one() -> None:
    assert replay(trade("a", 1, 1, 1, px=100), trade("b", 1, 2, 2, px=101)).avg_px == 100
    assert replay(trade("a", 1, 1, 1, px=101), trade("b", 1, 2, 2, px=102)).avg_px == 102
