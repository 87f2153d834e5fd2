"""S8, S9: what brokers do to reports, through cell, desk, group, leg and journal: fills count once, and what they left
uncovered is hedged or closed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from world import LONG, SHORT, World, bull_put

from brokers.corrections import in_fix_words
from brokers.port import Corrections
from domain.execution import ExecType, ExecutionReport, OrdStatus, Side
from domain.groups import GroupOutcome, Plan, PlanLeg, Role
from messages.orders import OrderSent, Outcome, SubmitOrder, SubmitResult
from messages.records import ExecutionStateRecord, IntentStatus
from storage.tables import EXECUTIONS


class Entry:
    """A single long leg whose one order is sent, and whose reports a test makes up."""

    def __init__(self, quantity: int = 10) -> None:
        self.world = World(size=0)
        leg = PlanLeg(leg_id="only", symbol=LONG, side=Side.BUY, limit_price=20_500)
        self.world.mute = True
        self.world.submit(Plan(group_id="bp", quantity=quantity, legs=(leg,)))
        (order,) = self.world.lost
        assert isinstance(order, SubmitOrder)
        self.order, self.at = order, 0

    def says(self, kind: ExecType, status: OrdStatus, cum: int = 0, last: int = 0, **more: object) -> ExecutionReport:
        """What the broker says next."""
        self.at += 1
        over = status in (OrdStatus.FILLED, OrdStatus.CANCELED)
        report = ExecutionReport(
            client_order_id=self.order.client_order_id, exec_type=kind, ord_status=status, exec_id=f"x{self.at}",
            ts_ns=self.world.now_ns + self.at, order_qty=10, cum_qty=cum, leaves_qty=0 if over else 10 - cum,
            last_qty=last, last_px=20_500 if last else 0, symbol=LONG, side=Side.BUY,
        )  # fmt: skip
        return replace(report, **more)

    def hear(self, *reports: ExecutionReport) -> None:
        for report in reports:
            self.world.take([report])

    @property
    def state(self) -> ExecutionStateRecord:
        known = {row.client_order_id: row for row in self.world.group().execution_states}
        return known[self.order.client_order_id]

    @property
    def status(self) -> IntentStatus:
        known = {row.client_order_id: row for row in self.world.group().intents}
        return known[self.order.client_order_id].status


TRADE, FILLED, PART = ExecType.TRADE, OrdStatus.FILLED, OrdStatus.PARTIALLY_FILLED


def test_s9_a_fill_before_every_acknowledgement_counts_and_the_late_acknowledgement_moves_nothing_back() -> None:
    entry = Entry()
    new = entry.says(ExecType.NEW, OrdStatus.NEW)
    entry.hear(entry.says(TRADE, FILLED, 10, 10), new)
    order_id = entry.order.client_order_id
    entry.world.take([
        SubmitResult(client_order_id=order_id, outcome=Outcome.ACCEPTED, ts_ns=entry.world.now_ns),
        OrderSent(client_order_id=order_id, ts_ns=entry.world.now_ns, checks="late"),
    ])  # fmt: skip
    assert (entry.state.cum_qty, entry.status) == (10, IntentStatus.FILLED)
    assert entry.world.group().group.outcome is GroupOutcome.HEDGED
    assert [row.reason for row in entry.world.rejected()] == ["late new: the order is already filled"]


def test_s8_a_fill_after_the_cancel_was_confirmed_counts_and_is_told() -> None:
    entry = Entry()
    entry.hear(entry.says(ExecType.NEW, OrdStatus.NEW), entry.says(ExecType.CANCELED, OrdStatus.CANCELED))
    assert entry.status is IntentStatus.CANCELED
    entry.hear(entry.says(TRADE, OrdStatus.CANCELED, 4, 4))
    assert entry.state.cum_qty == 4
    assert "ORDER_REVIVAL" in entry.world.kinds()


def test_s8_a_filled_order_that_shrinks_leaves_the_group_to_obtain_the_rest() -> None:
    entry = Entry()
    fill = entry.says(TRADE, FILLED, 10, 10)
    entry.hear(fill)
    assert entry.world.group().group.outcome is GroupOutcome.HEDGED
    entry.hear(entry.says(ExecType.TRADE_CORRECT, PART, 7, 7, exec_ref_id=fill.exec_id))
    assert entry.state.cum_qty == 7
    assert entry.world.group().group.outcome is GroupOutcome.OPEN


def test_s8_a_pending_cancel_that_prints_everything_filled_is_not_the_end_before_the_fill_is_seen() -> None:
    entry = Entry()
    fill = entry.says(TRADE, FILLED, 10, 10)
    entry.hear(
        entry.says(ExecType.NEW, OrdStatus.NEW), entry.says(ExecType.PENDING_CANCEL, OrdStatus.PENDING_CANCEL, 10)
    )
    assert (entry.state.cum_qty, entry.status) == (0, IntentStatus.LIVE)
    assert len(entry.world.lost) == 1, "what may have filled unseen is not ordered again"
    entry.hear(fill)
    assert entry.state.cum_qty == 10
    assert entry.world.group().group.outcome is GroupOutcome.HEDGED


@pytest.mark.parametrize("reverse", [False, True])
def test_s9_busts_and_corrections_chained_by_reference_count_once_in_any_order(reverse: bool) -> None:
    entry = Entry()
    fill = entry.says(TRADE, FILLED, 10, 10)
    first = entry.says(ExecType.TRADE_CORRECT, PART, 8, 8, exec_ref_id=fill.exec_id)
    second = entry.says(ExecType.TRADE_CORRECT, PART, 6, 6, exec_ref_id=first.exec_id)
    bust = entry.says(ExecType.TRADE_CANCEL, OrdStatus.NEW, 0, exec_ref_id=second.exec_id)
    chain = [fill, first, second, bust]
    for told in (chain[:2], chain[:3], chain):
        again = Entry()
        again.hear(*(reversed(told) if reverse else told))
        assert again.state.cum_qty == {2: 8, 3: 6, 4: 0}[len(told)]


def test_s9_a_corrected_execution_under_a_revised_id_is_the_same_execution() -> None:
    entry = Entry()
    first = entry.says(TRADE, FILLED, 10, 10, exec_id="0000e0d5.5b9d1c2a.01.01")
    second = entry.says(TRADE, FILLED, 10, 10, exec_id="0000e0d5.5b9d1c2a.01.02", last_px=20_450)
    entry.hear(*(in_fix_words(report, Corrections.REVISION) for report in (first, second, first, second)))
    assert (entry.state.cum_qty, entry.state.avg_px) == (10, 20_450)
    kinds = [row.exec_type for row in entry.world.journal.rows(EXECUTIONS)]
    assert sorted(kinds) == ["trade", "trade_correct"]
    assert entry.world.group().group.outcome is GroupOutcome.HEDGED
    assert not entry.world.orders(Role.HEDGE)


def test_s9_a_report_sent_again_after_a_gap_is_the_same_report_though_its_time_of_sending_is_another() -> None:
    """PossDup: the execution id is the same; what the session layer stamps is not the execution's."""
    entry = Entry()
    fill = entry.says(TRADE, PART, 4, 4)
    entry.hear(fill, replace(fill, ts_ns=fill.ts_ns + 5), fill)
    assert entry.state.cum_qty == 4
    assert len(entry.world.journal.rows(EXECUTIONS)) == 1


def test_s9_an_order_that_the_broker_may_have_seen_before_is_answered_with_the_first_ones_state() -> None:
    """PossResend (FIX 4.4, F.1.b): the refusal of the copy carries the state of the first order, and ends nothing."""
    world = World(size=0)
    world.submit(bull_put(quantity=10))
    (order,) = world.orders()
    world.take(world.send_late(replace(order, resend=True)))
    (intent,) = (row for row in world.group().intents if row.client_order_id == order.client_order_id)
    assert intent.status is IntentStatus.LIVE
    assert len([r for r in world.exchange.orders(world.now_ns) if r.symbol in (LONG, SHORT)]) == 1
