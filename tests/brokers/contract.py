"""The contract that every broker adapter is held to: what the port promises, and whatever the adapter declares.

A broker's test module imports :class:`BrokerContract`, derives a ``Test...`` class from it, and provides a fixture
``harness`` that can do what :class:`contract_desk.Harness` lists.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from contract_account import AccountContract
from contract_desk import ASK, BID, IDS, Desk, Fault, Harness, listed, traded

from brokers.port import Heartbeat, LinkDown, LinkUp
from domain.execution import ExecType, ExecutionReport, OrdStatus, OrdType
from domain.groups import Role
from domain.quotes import Quote
from messages.orders import (
    CancelResult,
    InstrumentList,
    ModifyResult,
    Outcome,
    Snapshot,
    SubmitResult,
)

MILLISECOND_NS = 1_000_000


class BrokerContract(AccountContract):
    """Derive from this in a test module of the broker.  Each test leaves the broker without working orders."""

    @pytest.fixture
    def desk(self, harness: Harness) -> Iterator[Desk]:
        harness.move(BID, ASK)
        desk = Desk(harness.adapter())
        desk.log_in()
        yield desk
        desk.adapter.close()

    # --- sessions and the clock ---

    def test_a_session_begins_with_link_up_and_the_brokers_time(self, desk: Desk) -> None:
        assert isinstance(desk.events[0], LinkUp)
        assert desk.events[0].ts_ns > 0

    def test_heartbeats_come_by_themselves_and_the_clock_never_runs_backwards(self, desk: Desk) -> None:
        desk.heartbeats(4)
        beats = [beat.ts_ns for beat in desk.all(Heartbeat)]
        assert beats == sorted(set(beats))
        assert beats[0] >= desk.all(LinkUp)[0].ts_ns

    def test_every_report_is_stamped_by_the_same_clock(self, desk: Desk, harness: Harness) -> None:
        desk.heartbeats(1)
        earlier = desk.all(Heartbeat)[-1].ts_ns
        order = self.order(harness, price=ASK)
        result = self.send(desk, order)
        trade = desk.report(order, ExecType.TRADE)
        desk.heartbeats(2)
        assert earlier <= result.ts_ns <= desk.all(Heartbeat)[-1].ts_ns
        assert earlier <= trade.ts_ns <= desk.all(Heartbeat)[-1].ts_ns

    def test_connecting_twice_is_one_session_and_closing_twice_is_safe(self, desk: Desk) -> None:
        desk.adapter.connect()
        desk.heartbeats(2)
        assert len(desk.all(LinkUp)) == 1
        desk.adapter.close()
        desk.adapter.close()
        desk.pump()
        assert desk.adapter.fileno() == -1
        assert len(desk.all(LinkDown)) == 1

    # --- the declared capabilities ---

    def test_the_same_client_order_id_twice_is_one_order(self, desk: Desk, harness: Harness) -> None:
        if not desk.adapter.capabilities.deduplicates_client_order_ids:
            pytest.skip("not declared: deduplicates_client_order_ids")
        order = self.order(harness, price=ASK)
        first = self.send(desk, order)
        desk.report(order, ExecType.TRADE)
        desk.events.clear()
        second = self.send(desk, msgspec.structs.replace(order, resend=True))
        assert (second.outcome, second.venue_order_id) == (Outcome.ACCEPTED, first.venue_order_id)
        snapshot = desk.snapshot()
        assert [report.ord_status for report in listed(snapshot, order)] == [OrdStatus.FILLED]
        assert traded(snapshot, order) == harness.lot
        assert all(r.exec_type is ExecType.ORDER_STATUS for r in desk.all(ExecutionReport)), "a resend is no news"

    def test_our_id_comes_back_whole_up_to_the_declared_length(self, desk: Desk, harness: Harness) -> None:
        if not desk.adapter.capabilities.echoes_client_order_id:
            pytest.skip("not declared: echoes_client_order_id")
        longest = IDS.fresh().ljust(desk.adapter.capabilities.max_client_order_id_length, "x")
        order = self.order(harness, client_order_id=longest, price=ASK)
        assert self.send(desk, order).outcome is Outcome.ACCEPTED
        assert desk.report(order, ExecType.TRADE).client_order_id == longest
        snapshot = desk.snapshot()
        assert len(listed(snapshot, order)) == 1
        assert traded(snapshot, order) == harness.lot

    def test_an_id_beyond_the_declared_length_is_refused_and_never_cut_short(
        self, desk: Desk, harness: Harness
    ) -> None:
        length = desk.adapter.capabilities.max_client_order_id_length
        order = self.order(harness, client_order_id=IDS.fresh().ljust(length + 1, "x"))
        assert self.send(desk, order).outcome is Outcome.REFUSED
        shortened = msgspec.structs.replace(order, client_order_id=order.client_order_id[:length])
        assert not listed(desk.snapshot(), shortened)

    def test_a_modify_changes_the_order_in_place(self, desk: Desk, harness: Harness) -> None:
        if not desk.adapter.capabilities.replace_in_place:
            pytest.skip("not declared: replace_in_place")
        order = self.order(harness)
        placed = self.send(desk, order)
        change = self.modify_of(order, ASK)
        desk.adapter.modify(change)
        result = desk.next(ModifyResult, lambda r: r.request_id == change.request_id)
        assert result.outcome is Outcome.ACCEPTED
        assert desk.report(order, ExecType.REPLACED).request_id == change.request_id
        assert desk.report(order, ExecType.TRADE).venue_order_id == placed.venue_order_id
        assert len(listed(desk.snapshot(), order)) == 1

    def test_a_stop_waits_at_the_broker_and_works_while_nobody_is_connected(self, desk: Desk, harness: Harness) -> None:
        if not desk.adapter.capabilities.server_side_stops:
            pytest.skip("not declared: server_side_stops")
        stop = self.order(
            harness, order_type=OrdType.STOP_LIMIT, trigger_price=ASK + 1000, price=ASK + 3000, role=Role.STOP_LIMIT
        )
        assert self.send(desk, stop).outcome is Outcome.ACCEPTED
        assert traded(desk.snapshot(), stop) == 0
        desk.adapter.close()
        harness.move(BID + 2000, ASK + 2000)
        desk.log_in()
        snapshot = desk.snapshot()
        assert [report.ord_status for report in listed(snapshot, stop)] == [OrdStatus.FILLED]
        assert traded(snapshot, stop) == harness.lot

    def test_what_is_older_than_the_declared_lag_is_in_every_snapshot(self, desk: Desk, harness: Harness) -> None:
        order = self.order(harness, price=ASK)
        self.send(desk, order)
        done = desk.report(order, ExecType.TRADE)
        lag_ns = desk.adapter.capabilities.snapshot_lag_ms * MILLISECOND_NS
        desk.until(lambda: bool(desk.all(Heartbeat)) and desk.all(Heartbeat)[-1].ts_ns > done.ts_ns + lag_ns, "the lag")
        snapshot = desk.snapshot()
        assert snapshot.as_of_ns >= done.ts_ns + lag_ns
        assert [report.ord_status for report in listed(snapshot, order)] == [OrdStatus.FILLED]
        assert [report.exec_type for report in listed(snapshot, order)] == [ExecType.ORDER_STATUS]
        assert done.exec_id in {report.exec_id for report in snapshot.executions}
        held = {position.symbol: position.quantity for position in snapshot.positions}
        bought = sum(
            report.last_qty * (report.side.sign if report.side else 0)
            for report in snapshot.executions
            if report.symbol == harness.symbol
        )
        assert held[harness.symbol] == bought

    def test_a_market_order_does_not_turn_into_a_resting_limit(self, desk: Desk, harness: Harness) -> None:
        if desk.adapter.capabilities.market_orders_rest:
            pytest.skip("declared: market_orders_rest")
        harness.move(BID, ASK, size=harness.lot)
        order = self.order(harness, order_type=OrdType.MARKET, price=0, quantity=2 * harness.lot)
        self.send(desk, order)
        desk.report(order, ExecType.TRADE)
        harness.move(5 * BID, 5 * ASK)
        last = desk.next(ExecutionReport, lambda r: r.client_order_id == order.client_order_id and r.leaves_qty == 0)
        assert (last.ord_status, last.last_px) == (OrdStatus.FILLED, 5 * ASK)

    # --- accepted, refused, unknown ---

    def test_a_definitive_no_is_refused_with_the_reason(self, desk: Desk, harness: Harness) -> None:
        order = self.order(harness, symbol="NO SUCH THING")
        result = self.send(desk, order)
        assert (result.outcome, result.reason != "") == (Outcome.REFUSED, True)
        assert all(report.leaves_qty == 0 for report in listed(desk.snapshot(), order))

    def test_a_cancel_is_answered_and_then_confirmed_by_a_report(self, desk: Desk, harness: Harness) -> None:
        order = self.order(harness)
        self.send(desk, order)
        request = self.cancel_of(order)
        desk.adapter.cancel(request)
        answer = desk.next(CancelResult, lambda r: r.request_id == request.request_id)
        assert (answer.outcome, answer.client_order_id) == (Outcome.ACCEPTED, order.client_order_id)
        canceled = desk.report(order, ExecType.CANCELED)
        assert (canceled.request_id, canceled.leaves_qty) == (request.request_id, 0)

    def test_a_cancel_of_a_filled_order_is_refused(self, desk: Desk, harness: Harness) -> None:
        order = self.order(harness, price=ASK)
        self.send(desk, order)
        desk.report(order, ExecType.TRADE)
        request = self.cancel_of(order)
        desk.adapter.cancel(request)
        answer = desk.next(CancelResult)
        assert (answer.outcome, answer.unknown_order) == (Outcome.REFUSED, False)
        assert listed(desk.snapshot(), order)[0].ord_status is OrdStatus.FILLED

    def test_a_cancel_of_an_order_that_the_broker_does_not_know_says_so(self, desk: Desk, harness: Harness) -> None:
        desk.adapter.cancel(self.cancel_of(self.order(harness)))
        answer = desk.next(CancelResult)
        assert (answer.outcome, answer.unknown_order) == (Outcome.REFUSED, True)

    def test_a_modify_of_an_order_that_the_broker_does_not_know_is_refused(self, desk: Desk, harness: Harness) -> None:
        desk.adapter.modify(self.modify_of(self.order(harness), ASK))
        assert desk.next(ModifyResult).outcome is Outcome.REFUSED

    def test_without_a_session_every_request_is_unknown_and_queries_stay_silent(self, harness: Harness) -> None:
        desk = Desk(harness.adapter())
        order = self.order(harness)
        desk.adapter.submit(order)
        desk.adapter.cancel(self.cancel_of(order))
        desk.adapter.modify(self.modify_of(order, ASK))
        desk.adapter.request_snapshot()
        desk.adapter.request_instruments()
        desk.adapter.request_account()
        desk.pump()
        assert [type(event) for event in desk.events] == [SubmitResult, CancelResult, ModifyResult]
        outcomes = (
            [r.outcome for r in desk.all(SubmitResult)]
            + [r.outcome for r in desk.all(CancelResult)]
            + [r.outcome for r in desk.all(ModifyResult)]
        )
        assert outcomes == [Outcome.UNKNOWN] * 3
        desk.log_in()
        assert not listed(desk.snapshot(), order)
        desk.adapter.close()

    def test_a_lost_acknowledgement_is_unknown_and_a_query_or_a_resend_finds_the_order(self, harness: Harness) -> None:
        desk = self.other_desk(harness, answer_timeout_s=0.15)
        order = self.order(harness)
        with harness.fault(Fault.LOSE_ACKS):
            assert self.send(desk, order).outcome is Outcome.UNKNOWN
        found = listed(desk.snapshot(), order)
        assert desk.all(ExecutionReport) == []
        assert [report.ord_status for report in found] == [OrdStatus.NEW]
        if desk.adapter.capabilities.deduplicates_client_order_ids:
            desk.events.clear()
            again = self.send(desk, msgspec.structs.replace(order, resend=True))
            assert (again.outcome, again.venue_order_id) == (Outcome.ACCEPTED, found[0].venue_order_id)
        desk.adapter.close()

    def test_a_lost_request_is_unknown_and_the_same_id_can_be_sent_again(self, harness: Harness) -> None:
        desk = self.other_desk(harness, answer_timeout_s=0.15)
        order = self.order(harness)
        with harness.fault(Fault.LOSE_REQUESTS):
            assert self.send(desk, order).outcome is Outcome.UNKNOWN
        assert not listed(desk.snapshot(), order)
        desk.events.clear()
        assert self.send(desk, order).outcome is Outcome.ACCEPTED
        desk.adapter.close()

    def test_a_late_answer_does_not_give_a_second_result_nor_hide_the_reports(self, harness: Harness) -> None:
        harness.move(BID, ASK)
        desk = self.other_desk(harness, answer_timeout_s=0.05)
        order = self.order(harness, price=ASK)
        with harness.fault(Fault.ANSWER_LATE):
            assert self.send(desk, order).outcome is Outcome.UNKNOWN
        desk.heartbeats(6)  # by then the answer has come
        assert [r.outcome for r in desk.all(SubmitResult)] == [Outcome.UNKNOWN]
        assert desk.report(order, ExecType.TRADE).cum_qty == harness.lot
        later = self.order(harness)
        assert self.send(desk, later).outcome is Outcome.ACCEPTED
        desk.adapter.close()

    def test_an_unanswered_query_is_silent_and_the_next_one_is_answered(self, harness: Harness) -> None:
        desk = self.other_desk(harness, answer_timeout_s=0.1)
        with harness.fault(Fault.LOSE_REQUESTS):
            desk.adapter.request_snapshot()
            desk.heartbeats(3)
        assert desk.all(Snapshot) == []
        assert desk.snapshot().session == desk.all(LinkUp)[-1].session
        desk.adapter.close()

    # --- reports ---

    def test_duplicated_reports_keep_their_exec_id_and_are_passed_on(self, desk: Desk, harness: Harness) -> None:
        order = self.order(harness, price=ASK)
        with harness.fault(Fault.DUPLICATE_REPORTS):
            self.send(desk, order)

            def trades() -> list[ExecutionReport]:
                return [r for r in desk.all(ExecutionReport) if r.exec_type is ExecType.TRADE]

            desk.until(lambda: len(trades()) == 2, "two reports of one trade")
        assert trades()[0] == trades()[1]
        assert traded(desk.snapshot(), order) == harness.lot

    def test_dropped_reports_are_found_by_a_snapshot(self, desk: Desk, harness: Harness) -> None:
        order = self.order(harness, price=ASK)
        with harness.fault(Fault.DROP_REPORTS):
            assert self.send(desk, order).outcome is Outcome.ACCEPTED
            snapshot = desk.snapshot()
        assert desk.all(ExecutionReport) == []
        assert traded(snapshot, order) == harness.lot

    # --- the link ---

    def test_a_broken_link_makes_everything_in_flight_unknown_and_then_says_so(
        self, desk: Desk, harness: Harness
    ) -> None:
        with harness.fault(Fault.LOSE_REQUESTS):
            orders = [self.order(harness) for _ in range(3)]
            for order in orders:
                desk.adapter.submit(order)
            desk.adapter.cancel(self.cancel_of(orders[0]))
            desk.adapter.modify(self.modify_of(orders[1], ASK))
            desk.adapter.request_snapshot()
            desk.heartbeats(1)
            desk.events.clear()
            harness.break_links()
            desk.next(LinkDown)
        told = [event for event in desk.events if not isinstance(event, Heartbeat | Quote)]
        assert [type(event) for event in told] == [SubmitResult] * 3 + [CancelResult, ModifyResult, LinkDown]
        assert [r.client_order_id for r in desk.all(SubmitResult)] == [order.client_order_id for order in orders]
        assert all(
            event.outcome is Outcome.UNKNOWN
            for event in told
            if isinstance(event, SubmitResult | CancelResult | ModifyResult)
        )
        assert desk.adapter.fileno() == -1

    def test_the_next_session_is_higher_and_its_snapshot_has_what_happened_meanwhile(
        self, desk: Desk, harness: Harness
    ) -> None:
        order = self.order(harness, price=ASK - 500)
        self.send(desk, order)
        first = desk.all(LinkUp)[0].session
        harness.break_links()
        desk.next(LinkDown)
        harness.move(BID - 1500, ASK - 1500)
        assert desk.log_in().session > first
        snapshot = desk.snapshot()
        assert snapshot.session > first
        assert [report.ord_status for report in listed(snapshot, order)] == [OrdStatus.FILLED]
        assert traded(snapshot, order) == harness.lot

    def test_silence_is_a_broken_link(self, harness: Harness) -> None:
        desk = self.other_desk(harness, silence_timeout_s=0.4)
        order = self.order(harness)
        with harness.frozen():
            desk.adapter.submit(order)
            desk.next(LinkDown)
        assert [type(event) for event in desk.events[-2:]] == [SubmitResult, LinkDown]
        assert desk.result(order).outcome is Outcome.UNKNOWN
        desk.log_in()
        desk.snapshot()
        desk.adapter.close()

    def test_nothing_blocks_while_the_broker_reads_nothing_and_what_was_left_arrives_later(
        self, desk: Desk, harness: Harness
    ) -> None:
        slowest = 0.0

        def timed(call: Callable[[], object]) -> None:
            nonlocal slowest
            began = time.monotonic()
            call()
            slowest = max(slowest, time.monotonic() - began)

        bulk = frozenset(f"NO SUCH SYMBOL {n}" for n in range(8000))  # about 150 KB a time, 9 MB in all
        order = self.order(harness)
        with harness.frozen():
            for _ in range(60):
                timed(lambda: desk.adapter.subscribe(bulk))
                timed(desk.adapter.pump)
            timed(lambda: desk.adapter.submit(order))
            timed(desk.adapter.pump)
        assert slowest < 1.0, "a blocked call would have waited for the broker for ever"
        assert desk.result(order).outcome is Outcome.ACCEPTED

    # --- quotes and instruments ---

    def test_a_subscription_gives_the_last_quote_at_once_and_then_every_newest(
        self, desk: Desk, harness: Harness
    ) -> None:
        desk.adapter.subscribe(frozenset({harness.symbol}))
        first = desk.next(Quote)
        assert (first.symbol, first.bid, first.ask) == (harness.symbol, BID, ASK)
        for step in range(1, 20):
            harness.move(BID + step * 100, ASK + step * 100)
        desk.next(Quote, lambda quote: quote.bid == BID + 1900)
        bids = [quote.bid for quote in desk.all(Quote)]
        assert bids == sorted(bids)
        assert {quote.symbol for quote in desk.all(Quote)} == {harness.symbol}

    def test_after_the_subscription_ends_no_quotes_come(self, desk: Desk, harness: Harness) -> None:
        desk.adapter.subscribe(frozenset({harness.symbol}))
        desk.next(Quote)
        desk.adapter.subscribe(frozenset())
        desk.snapshot()
        desk.events.clear()
        harness.move(BID + 500, ASK + 500)
        desk.heartbeats(2)
        assert desk.all(Quote) == []

    def test_a_subscription_outlives_the_session(self, desk: Desk, harness: Harness) -> None:
        desk.adapter.subscribe(frozenset({harness.symbol}))
        desk.next(Quote)
        harness.break_links()
        desk.next(LinkDown)
        desk.events.clear()
        desk.log_in()
        assert desk.next(Quote).symbol == harness.symbol

    def test_the_instrument_list_has_what_can_be_traded(self, desk: Desk, harness: Harness) -> None:
        desk.adapter.request_instruments()
        instruments = {i.symbol: i for i in desk.next(InstrumentList).instruments}
        assert instruments[harness.symbol].lot_size == harness.lot
