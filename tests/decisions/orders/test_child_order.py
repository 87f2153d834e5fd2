"""One child order: how each piece of news changes what is recorded of it, and whether it can still trade."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from order_cases import NOW, a_parent, alerts, at, bust, canceled, intents, new, report, submits, trade

from config.schema import BrokerConfig, Config
from decisions.effects import MS, Effects
from decisions.orders.child_order import (
    TERMINAL,
    ChildOrder,
    Fate,
    join,
    new_child,
    on_absence,
    on_cancel_result,
    on_sent,
    on_submit_result,
    submit_request,
    write_down,
)
from decisions.orders.order_changes import must_cancel
from decisions.orders.working import work
from domain.execution import ExecType, OrdStatus
from domain.groups import Role
from messages.orders import CancelResult, ForgetOrder, OrderSent, Outcome, SubmitResult
from messages.records import (
    ExecutionRecord,
    ExecutionStateRecord,
    IntentRecord,
    IntentStatus,
    RejectedEventRecord,
    Severity,
)


def fresh(role: Role = Role.PROTECTION) -> ChildOrder:
    effects = Effects()
    work(a_parent(10, role=role), at(), effects)
    (intent,) = intents(effects)
    return new_child(intent)


def heard(order: ChildOrder, *reports: object) -> tuple[ChildOrder, Effects]:
    effects = Effects()
    for one in reports:
        before, order = order, join(order, one, at(), effects)  # type: ignore[arg-type]
        write_down(before, order, at(), effects)
    return order, effects


def result(order: ChildOrder, outcome: Outcome) -> SubmitResult:
    return SubmitResult(
        client_order_id=order.intent.client_order_id, outcome=outcome, ts_ns=NOW + 1, venue_order_id="V1", reason="why"
    )


ORDER = fresh()


class TestReports:
    def test_a_fill_writes_the_fill_the_knowledge_and_the_intent(self) -> None:
        order, effects = heard(ORDER, trade(ORDER, 10, 10))
        kinds = [type(record) for record in effects.records]
        assert kinds == [ExecutionRecord, IntentRecord, ExecutionStateRecord]
        assert (order.filled, order.live, order.fate) == (10, 0, Fate.ENDED)
        assert order.intent.status is IntentStatus.FILLED
        assert order.intent.terminal_ns == NOW

    def test_a_duplicate_writes_nothing_and_gives_the_same_object(self) -> None:
        order, _ = heard(ORDER, new(ORDER), trade(ORDER, 4, 4))
        again, effects = heard(order, trade(ORDER, 4, 4))
        assert again is order
        assert not effects.records

    def test_a_late_report_is_recorded_and_its_fill_still_counts(self) -> None:
        first, last = trade(ORDER, 4, 4, ts_ns=NOW + 1), trade(ORDER, 6, 10, ts_ns=NOW + 2)
        order, effects = heard(ORDER, last, first)
        assert order.filled == 10
        (late,) = [record for record in effects.records if isinstance(record, RejectedEventRecord)]
        assert (late.current, late.incoming) == ("filled", "trade/partially_filled")
        assert late.reason == "late trade: the order is already filled"
        assert len([record for record in effects.records if isinstance(record, ExecutionRecord)]) == 2

    @pytest.mark.parametrize(("status", "ended"), TERMINAL.items())
    def test_every_end_at_the_broker_is_an_end_of_the_intent(self, status: OrdStatus, ended: IntentStatus) -> None:
        one = trade(ORDER, 10, 10) if status is OrdStatus.FILLED else report(ORDER, ExecType(status.value), status)
        order, _ = heard(ORDER, one)
        assert (order.intent.status, order.fate) == (ended, Fate.ENDED)

    @pytest.mark.parametrize("end", [OrdStatus.CANCELED, OrdStatus.EXPIRED, OrdStatus.REJECTED])
    def test_a_fill_revives_an_ended_order_with_an_alert(self, end: OrdStatus) -> None:
        order, _ = heard(ORDER, report(ORDER, ExecType(end.value), end))
        assert order.fate is Fate.ENDED
        order, effects = heard(order, trade(ORDER, 10, 10))
        assert order.filled == 10
        (alert,) = alerts(effects)
        assert (alert.severity, alert.kind) == (Severity.WARNING, "ORDER_REVIVAL")

    def test_a_bust_opens_the_order_again(self) -> None:
        order, _ = heard(ORDER, trade(ORDER, 10, 10, exec_id="t"))
        order, _ = heard(order, bust(ORDER, "t", 0))
        assert (order.filled, order.live, order.fate) == (0, 10, Fate.LIVE)
        assert (order.intent.status, order.intent.terminal_ns) == (IntentStatus.LIVE, 0)
        order, _ = heard(order, canceled(ORDER, ts_ns=NOW + 9))
        assert order.fate is Fate.ENDED

    def test_a_cancel_that_counts_fills_which_nobody_told_is_no_end_yet(self) -> None:
        order, _ = heard(ORDER, canceled(ORDER, cum=4))
        assert (order.filled, order.live, order.fate) == (0, 4, Fate.LIVE)
        order, _ = heard(order, trade(ORDER, 4, 4))
        assert (order.filled, order.live, order.fate) == (4, 0, Fate.ENDED)

    def test_a_bust_in_the_words_of_an_earlier_one_leaves_that_one_s_record_as_it_is(self) -> None:
        """Without exec ids it is one execution, since the first of them; an answer to a query tells of the second."""
        order = ORDER
        for kind, cum, at_ns in ((ExecType.TRADE, 4, 1), (ExecType.TRADE_CANCEL, 0, 2), (ExecType.TRADE, 10, 3)):
            told = {"last_qty": cum, "last_px": 20_000, "avg_px": 20_000 if cum else 0} if cum else {}
            status = OrdStatus.FILLED if cum == 10 else OrdStatus.NEW
            said = report(ORDER, kind, status, cum_qty=cum, exec_id="", ts_ns=NOW + at_ns, **told)
            order, effects = heard(order, said)
            assert [type(record) for record in effects.records].count(ExecutionRecord) == 1
        again = report(ORDER, ExecType.TRADE_CANCEL, OrdStatus.CANCELED, cum_qty=0, exec_id="", ts_ns=NOW + 9)
        order, effects = heard(order, again)
        assert (order.filled, order.live) == (0, 10)
        assert not [record for record in effects.records if isinstance(record, ExecutionRecord)]

    def test_an_end_stays_one_while_a_fill_is_missing_that_the_broker_counts(self) -> None:
        """I14: a late fill of which only a refused cancel told; what is missing counts as live all the same."""
        order, _ = heard(heard(ORDER, new(ORDER))[0], canceled(ORDER))
        too_late = report(ORDER, ExecType.CANCEL_REJECT, OrdStatus.CANCELED, cum_qty=4, ts_ns=NOW + 9)
        order, _ = heard(order, too_late)
        assert (order.intent.status, order.live, order.fate) == (IntentStatus.CANCELED, 4, Fate.LIVE)
        order, _ = heard(order, trade(ORDER, 4, 4))
        assert (order.intent.status, order.live, order.fate) == (IntentStatus.CANCELED, 0, Fate.ENDED)


class TestAnswersOfTheGateway:
    def test_sent_is_noted_once_with_the_controls_that_it_passed(self) -> None:
        sent = OrderSent(client_order_id=ORDER.intent.client_order_id, ts_ns=NOW + 5, checks="E1 E2")
        order = on_sent(ORDER, sent)
        assert (order.intent.status, order.intent.sent_ns, order.intent.checks) == (IntentStatus.SENT, NOW + 5, "E1 E2")
        assert on_sent(order, sent) == order

    def test_accepted_is_live(self) -> None:
        effects = Effects()
        order = on_submit_result(ORDER, result(ORDER, Outcome.ACCEPTED), at(), effects)
        assert (order.intent.status, order.intent.broker_order_id) == (IntentStatus.LIVE, "V1")
        assert order.live == 10

    def test_refused_is_the_end(self) -> None:
        effects = Effects()
        order = on_submit_result(ORDER, result(ORDER, Outcome.REFUSED), at(), effects)
        assert (order.intent.status, order.fate, order.live) == (IntentStatus.REFUSED, Fate.ENDED, 0)
        assert order.intent.reason.endswith("; refused: why")

    def test_a_refused_copy_of_an_order_that_the_broker_has_says_nothing(self) -> None:
        order, _ = heard(ORDER, new(ORDER))
        assert on_submit_result(order, result(order, Outcome.REFUSED), at(), Effects()) is order

    def test_unknown_counts_as_live_and_is_told(self) -> None:
        effects = Effects()
        order = on_submit_result(ORDER, result(ORDER, Outcome.UNKNOWN), at(), effects)
        assert (order.intent.status, order.fate, order.live) == (IntentStatus.UNRESOLVED, Fate.LIVE, 10)
        assert [alert.kind for alert in alerts(effects)] == ["ORDER_UNRESOLVED"]

    @pytest.mark.parametrize("outcome", Outcome)
    def test_nothing_is_said_of_an_ended_order(self, outcome: Outcome) -> None:
        order, _ = heard(ORDER, canceled(ORDER))
        assert on_submit_result(order, result(order, outcome), at(), Effects()) is order

    def test_r14_a_refused_order_whose_cancel_is_rejected_ended_when_it_was_refused(self) -> None:
        refused = on_submit_result(ORDER, result(ORDER, Outcome.REFUSED), at(), Effects())
        told = report(ORDER, ExecType.CANCEL_REJECT, OrdStatus.REJECTED, order_qty=0, request_id="c1")
        order, _ = heard(refused, told)
        assert order.intent.terminal_ns == refused.intent.terminal_ns == NOW

    @pytest.mark.parametrize("status", [IntentStatus.REFUSED, IntentStatus.VOID])
    def test_a_report_revives_what_we_had_ended_ourselves(self, status: IntentStatus) -> None:
        order = replace(ORDER, intent=replace(ORDER.intent, status=status))
        assert order.fate is Fate.ENDED
        order, _ = heard(order, new(ORDER))
        assert (order.fate, order.live, order.intent.status) == (Fate.LIVE, 10, IntentStatus.LIVE)


class TestAbsence:
    HORIZON_NS = 2_000 * MS

    def absent(self, order: ChildOrder, times: int, **moment: Any) -> tuple[ChildOrder, Effects]:
        effects = Effects()
        for number in range(times):
            wanted = moment.get("wanted", True)
            facts = {name: value for name, value in moment.items() if name != "wanted"}
            as_of_ns = NOW + (number + 1) * self.HORIZON_NS
            order = on_absence(order, as_of_ns, 10, at(2_000 + number, **facts), effects, wanted=wanted)
        return order, effects

    @pytest.mark.parametrize(("late_ns", "counts"), [(-1, 0), (0, 1)])
    def test_it_is_evidence_only_well_after_the_order(self, late_ns: int, counts: int) -> None:
        moment = at(deduplicates=False)
        order = on_absence(ORDER, NOW + self.HORIZON_NS + late_ns, 10, moment, Effects(), wanted=True)
        assert order.absences == counts

    @pytest.mark.parametrize("cum", [10, 4], ids=["filled", "in part"])
    def test_l2_of_what_the_lists_have_dropped_the_last_count_is_the_answer(self, cum: int) -> None:
        """Without exec ids a trade after a bust waits for an answer, which no list of another session gives."""
        order = ORDER
        for kind, count, at_ns in ((ExecType.TRADE, 5, 1), (ExecType.TRADE_CANCEL, 0, 2), (ExecType.TRADE, cum, 3)):
            told = {"last_qty": count, "last_px": 20_000, "avg_px": 20_000} if count else {}
            status = OrdStatus.FILLED if count == 10 else OrdStatus.PARTIALLY_FILLED
            order, _ = heard(order, report(ORDER, kind, status, cum_qty=count, exec_id="", ts_ns=NOW + at_ns, **told))
        assert (order.filled, order.live) == (0, 10)
        config = Config(broker=BrokerConfig(calendar="us_options"))
        for number in (0, 1):  # while the next session is open
            as_of_ns = NOW + 32 * 3_600_000 * MS + number * self.HORIZON_NS
            order = on_absence(order, as_of_ns, 10, at(as_of_ns / MS, config=config), Effects(), wanted=True)
            assert order.filled == (0, cum)[number], "one list may lag"
        assert (order.fate, order.live) == ((Fate.ENDED, 0) if cum == 10 else (Fate.LIVE, 10 - cum))

    def test_where_ids_are_deduplicated_the_same_order_is_sent_again(self) -> None:
        _, effects = self.absent(ORDER, 1)
        (copy,) = submits(effects)
        assert copy == replace(submit_request(ORDER.intent, at(), resend=True))

    def test_a_copy_that_may_still_be_under_way_is_not_void_although_new_risk_has_become_forbidden(self) -> None:
        order, _ = self.absent(ORDER, 1)
        for late_ns in (1, 2, self.HORIZON_NS - 1):
            as_of_ns = NOW + self.HORIZON_NS + late_ns
            order = on_absence(order, as_of_ns, 10, at(2_500, may_open=False), Effects(), wanted=True)
        assert (order.fate, order.absences) == (Fate.LIVE, 0)

    def test_what_was_sent_again_is_void_after_two_looks_at_the_copy(self) -> None:
        """The first copy was lost, the second works: a list that lags leaves it out of one snapshot (I15)."""
        order, _ = self.absent(ORDER, 1)
        for looks in (1, 2):
            as_of_ns = order.resent_ns + looks * self.HORIZON_NS
            order = on_absence(order, as_of_ns, 10, at(9_000, may_open=False), Effects(), wanted=False)
            assert (order.intent.status is IntentStatus.VOID) == (looks == 2)

    @pytest.mark.parametrize("rebuilt", [False, True])
    def test_a_copy_that_left_late_is_not_void_before_it_may_have_arrived(self, rebuilt: bool) -> None:
        """It waited in its lane for its turn; what is durable tells when it left, also after a crash."""
        order = on_sent(ORDER, OrderSent(client_order_id=ORDER.intent.client_order_id, ts_ns=NOW, checks="E1"))
        order, _ = self.absent(order, 1)
        left_ns = NOW + 3 * self.HORIZON_NS
        order = on_sent(order, OrderSent(client_order_id=ORDER.intent.client_order_id, ts_ns=left_ns, checks="E1"))
        if rebuilt:
            order = new_child(order.intent)
        for late_ns in (0, self.HORIZON_NS - 1):
            order = on_absence(order, left_ns + late_ns, 10, at(may_open=False), Effects(), wanted=True)
        assert order.fate is Fate.LIVE
        for looks in (1, 2):
            as_of_ns = left_ns + looks * self.HORIZON_NS
            assert order.fate is Fate.LIVE, "one look at the copy that may have arrived is not two"
            order = on_absence(order, as_of_ns, 10, at(may_open=False), Effects(), wanted=True)
        assert order.intent.status is IntentStatus.VOID

    def test_a_copy_that_leaves_after_another_was_acknowledged_moves_no_time(self) -> None:
        order = on_sent(ORDER, OrderSent(client_order_id=ORDER.intent.client_order_id, ts_ns=NOW, checks="E1"))
        order, _ = heard(order, new(ORDER))
        again = OrderSent(client_order_id=ORDER.intent.client_order_id, ts_ns=NOW + 5, checks="E1")
        assert on_sent(order, again) == order

    def test_the_refusal_of_one_copy_says_nothing_about_the_other(self) -> None:
        refusal = SubmitResult(client_order_id=ORDER.intent.client_order_id, outcome=Outcome.REFUSED, ts_ns=NOW)
        once = on_submit_result(ORDER, refusal, at(), Effects())
        twice = on_submit_result(self.absent(ORDER, 1)[0], refusal, at(), Effects())
        assert [order.intent.status for order in (once, twice)] == [IntentStatus.REFUSED, IntentStatus.UNRESOLVED]

    def test_the_refusal_of_a_copy_does_not_end_what_an_answer_had_taken(self) -> None:
        effects = Effects()
        taken = on_submit_result(ORDER, result(ORDER, Outcome.ACCEPTED), at(), effects)
        order = on_submit_result(taken, result(ORDER, Outcome.REFUSED), at(), effects)
        assert (order.intent.status, order.fate, order.live) == (IntentStatus.UNRESOLVED, Fate.LIVE, 10)
        assert not effects.requests, "the gateway is not told to forget it"

    def test_a_copy_that_the_broker_refuses_is_not_sent_once_more_and_its_absence_ends_it(self) -> None:
        refusal = SubmitResult(
            client_order_id=ORDER.intent.client_order_id, outcome=Outcome.REFUSED, ts_ns=NOW, left=True
        )
        order = on_submit_result(self.absent(ORDER, 1)[0], refusal, at(2_100), Effects())
        effects, resent_ns = Effects(), order.resent_ns
        early = on_absence(order, resent_ns + self.HORIZON_NS - 1, 10, at(5_000), effects, wanted=True)
        assert (early.fate, effects.requests) == (Fate.LIVE, []), "the copy may still be under way"
        order = on_absence(order, resent_ns + self.HORIZON_NS, 10, at(5_000), effects, wanted=True)
        assert (order.fate, order.intent.status) == (Fate.ENDED, IntentStatus.VOID)
        assert submits(effects) == []

    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_elsewhere_it_is_void_after_the_second_absence(self, times: int) -> None:
        order, effects = self.absent(ORDER, times, deduplicates=False)
        assert (order.intent.status is IntentStatus.VOID) == (times >= 2)
        assert (order.fate is Fate.ENDED) == (times >= 2)
        assert [type(request) for request in effects.requests] == [ForgetOrder] * (times >= 2)

    @pytest.mark.parametrize(("later_ms", "times"), [(0, 1), (5, 1), (1_999, 1), (2_000, 2), (12_000, 2)])
    def test_two_snapshots_are_two_absences_only_when_the_horizon_lies_between_them(
        self, later_ms: int, times: int
    ) -> None:
        """One list that lags leaves the order out of both (R7, I15)."""
        order, first_ns = ORDER, NOW + 5_000 * MS
        for as_of_ns in (first_ns, first_ns + later_ms * MS):
            order = on_absence(order, as_of_ns, 10, at(2_000, deduplicates=False), Effects(), wanted=True)
        assert (order.absences, order.intent.status is IntentStatus.VOID) == (times, times == 2)

    def test_many_snapshots_close_together_do_not_put_the_second_absence_off(self) -> None:
        order, first_ns = ORDER, NOW + 5_000 * MS
        for late_ms in range(0, 2_500, 500):
            as_of_ns = first_ns + late_ms * MS
            order = on_absence(order, as_of_ns, 10, at(2_000, deduplicates=False), Effects(), wanted=True)
            assert (order.fate is Fate.ENDED) == (late_ms >= 2_000)

    @pytest.mark.parametrize("role", Role)
    @pytest.mark.parametrize(("may_open", "wanted"), [(False, True), (True, False), (False, False)])
    def test_what_is_not_wanted_and_an_entry_that_may_not_be_is_never_sent_again(
        self, role: Role, may_open: bool, wanted: bool
    ) -> None:
        order, effects = self.absent(fresh(role), 2, may_open=may_open, wanted=wanted)
        again = wanted and (may_open or role not in (Role.PROTECTION, Role.RISK))
        assert bool(submits(effects)) == again
        assert (order.intent.status is IntentStatus.VOID) == (not again)

    def test_an_order_that_the_broker_had_confirmed_is_never_void(self) -> None:
        known, _ = heard(ORDER, new(ORDER))
        order, effects = self.absent(known, 5)
        assert (order.fate, order.live) == (Fate.LIVE, 10)
        assert {alert.kind for alert in alerts(effects)} == {"ORDER_MISSING"}
        assert not effects.requests

    TAKEN = SubmitResult(client_order_id=ORDER.intent.client_order_id, outcome=Outcome.ACCEPTED, ts_ns=NOW)
    UNKNOWN = CancelResult(
        client_order_id=ORDER.intent.client_order_id, request_id="r", outcome=Outcome.REFUSED, ts_ns=NOW,
        unknown_order=True,
    )  # fmt: skip

    @pytest.mark.parametrize("times", [0, 1, 2, 3])
    @pytest.mark.parametrize("deduplicates", [False, True])
    def test_what_only_an_answer_took_is_void_once_it_is_absent_twice_and_unknown_to_its_cancel(
        self, times: int, deduplicates: bool
    ) -> None:
        taken = on_submit_result(ORDER, self.TAKEN, at(), Effects())
        order, effects = self.absent(taken, times, deduplicates=deduplicates)
        assert (order.fate, order.has_vanished, effects.requests) == (Fate.LIVE, times >= 2, [])
        assert {alert.kind for alert in alerts(effects)} == ({"ORDER_MISSING"} if times >= 2 else set())
        assert must_cancel(order, at(), Effects()) == (times >= 2)
        order = on_cancel_result(order, self.UNKNOWN, at(3_000), effects)
        assert (order.fate is Fate.ENDED) == (order.intent.status is IntentStatus.VOID) == (times >= 2)
        assert [type(request) for request in effects.requests] == [ForgetOrder] * (times >= 2)

    def test_a_cancel_that_is_refused_otherwise_proves_nothing(self) -> None:
        taken = on_submit_result(ORDER, self.TAKEN, at(), Effects())
        order, _ = self.absent(taken, 2)
        for outcome in Outcome:
            answer = replace(self.UNKNOWN, outcome=outcome, unknown_order=False)
            assert on_cancel_result(order, answer, at(), Effects()) is order

    def test_unknown_order_proves_nothing_of_what_the_broker_has_shown_or_nobody_took(self) -> None:
        shown, _ = heard(on_submit_result(ORDER, self.TAKEN, at(), Effects()), new(ORDER))
        for known in (shown, ORDER):
            order, _ = self.absent(known, 5)
            assert not order.has_vanished
            assert on_cancel_result(order, self.UNKNOWN, at(), Effects()) is order

    def test_what_is_taken_when_it_is_sent_again_has_been_seen(self) -> None:
        order, _ = self.absent(ORDER, 2)
        assert not on_submit_result(order, self.TAKEN, at(), Effects()).has_vanished

    def test_a_report_revives_what_was_void(self) -> None:
        order, _ = self.absent(on_submit_result(ORDER, self.TAKEN, at(), Effects()), 2)
        order = on_cancel_result(order, self.UNKNOWN, at(), Effects())
        assert heard(order, new(ORDER))[0].fate is Fate.LIVE

    def test_a_report_starts_the_count_again(self) -> None:
        order, _ = self.absent(ORDER, 1, deduplicates=False)
        order, _ = heard(order, new(ORDER))
        assert order.absences == 0

    def test_an_ended_order_is_left_alone(self) -> None:
        known, _ = heard(ORDER, canceled(ORDER))
        order, effects = self.absent(known, 3)
        assert order.intent == known.intent
        assert not effects.requests
        assert not effects.records


@settings(deadline=None)
@given(
    st.permutations([new(ORDER), trade(ORDER, 4, 4), trade(ORDER, 3, 7, ts_ns=NOW + 2), canceled(ORDER, 7, NOW + 3)])
)
def test_in_any_order_of_arrival_the_end_is_the_same(reports: list[object]) -> None:
    order, effects = heard(ORDER, *reports)
    assert (order.filled, order.live, order.fate) == (7, 0, Fate.ENDED)
    assert order.intent.status is IntentStatus.CANCELED
    written = [record for record in effects.records if isinstance(record, ExecutionStateRecord)]
    assert written[-1].knowledge == order.state
