"""The gateway's ledger: what is committed, what is open, and what is forgotten."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from gateway_cases import (
    ENTRY_PARENT,
    NOW,
    PARENT,
    SECOND,
    a_report,
    acknowledged,
    an_answer,
    an_entry,
    an_order,
    canceled,
    listed,
    traded,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from decisions.gateway.ledger import Ledger, OpenOrder, same_payload
from domain.execution import ExecType, ExecutionReport, OrdStatus, Side
from domain.groups import Role
from domain.orders import OrderState, merge
from messages.orders import Outcome, Proof, Snapshot, SubmitOrder, SubmitResult, WorkingOrder

ORDER = an_order()
ID = ORDER.client_order_id


def ledger_with(*orders: SubmitOrder) -> Ledger:
    ledger = Ledger()
    for order in orders:
        ledger.sent(order)
    return ledger


def snapshot(*orders: ExecutionReport, executions: tuple[ExecutionReport, ...] = ()) -> Snapshot:
    return Snapshot(as_of_ns=NOW + 2 * SECOND, session=1, orders=orders, executions=executions, positions=())


def test_a_sent_order_is_known_and_its_whole_quantity_is_committed_before_any_answer() -> None:
    ledger = ledger_with(ORDER)
    assert ledger.knows(ID)
    assert ledger.payload(ID) == ORDER
    assert ledger.committed(PARENT) == 10


def test_nothing_is_known_of_an_order_that_was_never_seen() -> None:
    ledger = Ledger()
    ledger.answered(an_answer("LK-nobody", Outcome.ACCEPTED))
    assert not ledger.knows("LK-nobody")
    assert ledger.payload("LK-nobody") is None
    assert (ledger.committed("LK-nobody"), ledger.committed_by("LK-nobody")) == (0, 0)


COMMITTED_AFTER: list[tuple[str, list[ExecutionReport], int, int]] = [
    ("acknowledged", [acknowledged(ID)], 10, 10),
    ("partly filled", [traded(ID, 4, 4)], 10, 6),
    ("filled", [traded(ID, 10, 10)], 10, 0),
    ("canceled unfilled", [canceled(ID)], 0, 0),
    ("canceled with its fill seen", [traded(ID, 4, 4), canceled(ID, 4)], 4, 0),
    ("canceled with a fill that we have not seen", [canceled(ID, 4)], 4, 4),
    ("filled after the cancel was confirmed", [canceled(ID), traded(ID, 10, 10)], 10, 0),
    ("rejected by the broker", [a_report(ID, ExecType.REJECTED, OrdStatus.REJECTED)], 0, 0),
    ("overfilled", [traded(ID, 10, 10), traded(ID, 2, 12)], 12, 0),
    ("the same fill twice", [traded(ID, 4, 4), traded(ID, 4, 4)], 10, 6),
]


@pytest.mark.parametrize(
    ("reports", "committed", "live"), [row[1:] for row in COMMITTED_AFTER], ids=[row[0] for row in COMMITTED_AFTER]
)
def test_filled_and_what_may_still_fill_are_committed(
    reports: list[ExecutionReport], committed: int, live: int
) -> None:
    ledger = ledger_with(ORDER)
    for report in reports:
        ledger.follow(report)
    assert (ledger.committed(PARENT), ledger.committed_by(ID)) == (committed, committed)
    assert ledger.live_orders == (1 if live else 0)


def test_a_definitive_refusal_counts_nothing_and_an_unknown_fate_counts_as_live() -> None:
    refused, unknown = an_order(0), an_order(1)
    ledger = ledger_with(refused, unknown)
    ledger.answered(an_answer(refused.client_order_id, Outcome.REFUSED))
    ledger.answered(an_answer(unknown.client_order_id, Outcome.UNKNOWN))
    assert ledger.committed_by(refused.client_order_id) == 0
    assert ledger.committed(PARENT) == ledger.committed_by(unknown.client_order_id) == 10
    assert ledger.knows(refused.client_order_id)


@pytest.mark.parametrize("evidence_first", [True, False])
def test_a_refusal_says_nothing_against_evidence_that_the_broker_has_the_order(evidence_first: bool) -> None:
    ledger = ledger_with(ORDER)
    if evidence_first:
        ledger.follow(acknowledged(ID))
    ledger.answered(an_answer(ID, Outcome.REFUSED))
    if not evidence_first:
        ledger.follow(acknowledged(ID))
    assert ledger.committed(PARENT) == 10


def test_a_refusal_of_a_second_copy_says_nothing_about_the_accepted_first() -> None:
    ledger = ledger_with(ORDER)
    ledger.answered(an_answer(ID, Outcome.ACCEPTED, "v-1"))
    ledger.sent(replace(ORDER, resend=True))
    ledger.answered(an_answer(ID, Outcome.REFUSED))
    assert ledger.committed(PARENT) == 10
    assert [order.venue_order_id for order in ledger.open_orders()] == ["v-1"]


def test_an_order_sent_again_after_a_refusal_counts_as_live_once() -> None:
    ledger = ledger_with(ORDER)
    ledger.answered(an_answer(ID, Outcome.REFUSED))
    ledger.sent(replace(ORDER, resend=True))
    assert ledger.committed(PARENT) == 10
    ledger.sent(replace(ORDER, resend=True))
    assert ledger.committed(PARENT) == 10


def test_open_orders_are_those_that_the_broker_works_or_may_be_working() -> None:
    working, unseen, ended, missing = (an_order(number) for number in range(4))
    ledger = ledger_with(working, unseen, ended, missing)
    ledger.follow(traded(working.client_order_id, 4, 4))
    ledger.follow(traded(ended.client_order_id, 10, 10))
    ledger.follow(canceled(missing.client_order_id, 4))  # over at the broker: there is nothing to cancel
    assert ledger.open_orders() == [
        OpenOrder(
            working.client_order_id, f"v-{working.client_order_id}", Role.HEDGE, working.symbol, Side.BUY, live_qty=6
        ),
        OpenOrder(unseen.client_order_id, "", Role.HEDGE, unseen.symbol, Side.BUY, live_qty=10),
    ]


def test_open_entries_are_new_risk_only() -> None:
    protection = an_entry(1, role=Role.PROTECTION)
    ledger = ledger_with(an_order(), an_entry(), protection)
    found = [order.client_order_id for order in ledger.open_entries()]
    assert found == [an_entry().client_order_id, protection.client_order_id]


def test_after_a_restart_the_snapshot_tells_what_is_committed_to_whom() -> None:
    entry, foreign = an_entry(), "manual-7"
    ledger = Ledger()
    ledger.load(
        snapshot(
            listed(ID, OrdStatus.PARTIALLY_FILLED, cum_qty=4),
            listed(entry.client_order_id),
            listed(foreign, order_qty=3),
            executions=(traded(ID, 4, 4), traded("unlisted", 1, 1)),
        )
    )
    assert ledger.committed(PARENT) == 10
    assert ledger.committed(ENTRY_PARENT) == 10
    assert ledger.knows(foreign)
    assert not ledger.knows("unlisted")
    assert ledger.payload(ID) is None
    assert [(o.client_order_id, o.role, o.live_qty) for o in ledger.open_orders()] == [
        (ID, None, 6),
        (entry.client_order_id, None, 10),
        (foreign, None, 3),
    ]
    assert [order.client_order_id for order in ledger.open_entries()] == [entry.client_order_id]


def test_absence_from_a_snapshot_changes_nothing() -> None:
    ledger = ledger_with(ORDER)
    ledger.load(snapshot())
    assert ledger.committed(PARENT) == 10
    assert len(ledger.open_orders()) == 1


@pytest.mark.parametrize(
    "report",
    [
        listed(ID, OrdStatus.REJECTED, order_qty=0),
        a_report(ID, ExecType.CANCEL_REJECT, OrdStatus.REJECTED, order_qty=0),
    ],
    ids=["unknown order", "nothing to cancel"],
)
def test_a_report_without_quantity_does_not_make_an_order_known(report: ExecutionReport) -> None:
    ledger = Ledger()
    ledger.follow(report)
    assert not ledger.knows(ID)


def test_what_is_proven_not_to_be_there_does_not_count_whatever_an_answer_said_until_a_report_shows_it() -> None:
    ledger = ledger_with(ORDER)
    ledger.answered(SubmitResult(client_order_id=ID, outcome=Outcome.ACCEPTED, ts_ns=1))
    ledger.answered(SubmitResult(client_order_id=ID, outcome=Outcome.REFUSED, ts_ns=1))
    assert ledger.committed(PARENT) == 10
    ledger.forgotten(ID)
    assert ledger.committed(PARENT) == 0
    ledger.follow(acknowledged(ID))
    assert ledger.committed(PARENT) == 10


def test_a_refusal_that_a_cell_tells_does_not_end_what_an_answer_had_taken() -> None:
    ledger = ledger_with(ORDER)
    ledger.answered(SubmitResult(client_order_id=ID, outcome=Outcome.ACCEPTED, ts_ns=1))
    ledger.forgotten(ID, Proof.REFUSED)
    assert ledger.committed(PARENT) == 10
    ledger.forgotten(ID, Proof.VOID)
    assert ledger.committed(PARENT) == 0


def test_that_an_order_has_outlived_its_session_is_older_than_what_the_broker_has_shown_since() -> None:
    ledger = ledger_with(ORDER)
    ledger.follow(acknowledged(ID))
    ledger.forgotten(ID, Proof.OUTLIVED, NOW + SECOND)
    assert not ledger.may_trade(ID)
    ledger.load(snapshot(listed(ID)))
    assert ledger.may_trade(ID)
    ledger.forgotten(ID, Proof.OUTLIVED, NOW + SECOND)
    assert ledger.may_trade(ID), "told again by a cell that was started again"


def test_what_the_broker_says_has_expired_keeps_the_fills_that_are_not_told_yet() -> None:
    ledger = ledger_with(ORDER)
    ledger.follow(a_report(ID, ExecType.EXPIRED, OrdStatus.EXPIRED, cum_qty=4))
    assert ledger.committed(PARENT) == 4
    ledger.forgotten(ID, Proof.OUTLIVED, NOW + SECOND)
    assert ledger.committed(PARENT) == 4


def test_reports_without_an_id_are_passed_over() -> None:
    ledger = Ledger()
    ledger.follow(listed("", order_qty=3))
    assert ledger.open_orders() == []
    assert ledger.live_orders == 0


def test_an_order_seen_first_without_its_size_gets_it_when_it_is_sent() -> None:
    ledger = Ledger()
    ledger.follow(traded(ID, 4, 4, order_qty=0))
    assert ledger.committed(PARENT) == 4
    ledger.sent(ORDER)
    assert ledger.committed(PARENT) == 10


def test_an_order_belongs_to_the_parent_that_it_was_sent_for() -> None:
    ledger = Ledger()
    ledger.follow(acknowledged("untagged"))
    assert ledger.committed("untagged") == 10
    ledger.sent(an_order(client_order_id="untagged"))
    assert (ledger.committed("untagged"), ledger.committed(PARENT)) == (0, 10)
    ledger.follow(canceled("untagged"))
    assert ledger.committed(PARENT) == 0


def test_a_parent_keeps_its_other_orders_when_one_turns_out_not_to_be_its_own() -> None:
    ledger = Ledger(keep=2)
    mine, moved = an_order(0), replace(an_order(1), parent_id=ENTRY_PARENT)
    ledger.follow(acknowledged(mine.client_order_id))
    ledger.follow(acknowledged(moved.client_order_id))
    assert ledger.committed(PARENT) == 20
    ledger.sent(moved)
    assert (ledger.committed(PARENT), ledger.committed(ENTRY_PARENT)) == (10, 10)
    ledger.follow(traded(mine.client_order_id, 10, 10))
    ledger.follow(acknowledged("newcomer"))  # one too many: what is quiet now is forgotten
    assert not ledger.knows(mine.client_order_id)
    assert ledger.committed(ENTRY_PARENT) == 10


def test_epoch_and_resend_mark_are_not_part_of_an_orders_meaning() -> None:
    again = replace(ORDER, epoch=9, resend=True)
    assert same_payload(ORDER, again)
    assert not same_payload(ORDER, replace(again, price=100_500))
    assert ledger_with(ORDER).contradiction(again) == ""


def test_a_copy_that_is_sent_again_when_its_parent_has_been_raised_is_the_same_order() -> None:
    raised = replace(ORDER, resend=True, parent_qty=ORDER.parent_qty + 202)
    assert same_payload(ORDER, raised)
    assert ledger_with(ORDER).contradiction(raised) == ""


def test_a_contradiction_names_every_difference() -> None:
    ledger = ledger_with(ORDER)
    assert (
        ledger.contradiction(replace(ORDER, quantity=15, price=100_500))
        == "quantity 15, not 10, price 100500, not 100000"
    )
    assert Ledger().contradiction(ORDER) == ""


def test_what_only_the_broker_told_us_is_compared_by_what_can_never_change() -> None:
    ledger = Ledger()
    ledger.follow(acknowledged(ID))
    assert ledger.contradiction(replace(ORDER, quantity=15)) == ""  # it may have been replaced since
    assert "symbol" in ledger.contradiction(replace(ORDER, symbol="OTHER"))
    assert "side" in ledger.contradiction(replace(ORDER, side=Side.SELL))


def test_past_its_bound_the_longest_quiet_parents_are_forgotten_and_live_ones_never() -> None:
    ledger = Ledger(keep=4)
    parents = [f"parent-{number}" for number in range(6)]
    orders = [an_order(client_order_id=f"order-{parent}", parent_id=parent) for parent in parents]
    ledger.sent(orders[0])  # stays live
    for order in orders[1:]:
        ledger.sent(order)
        ledger.follow(traded(order.client_order_id, 10, 10))
    assert [ledger.knows(order.client_order_id) for order in orders] == [True, False, False, True, True, True]
    assert [ledger.committed(parent) for parent in parents] == [10, 0, 0, 10, 10, 10]


def test_a_parent_with_a_live_order_is_forgotten_in_no_part() -> None:
    ledger = Ledger(keep=2)
    for number in range(5):
        ledger.sent(an_order(number))
    for number in range(4):
        ledger.follow(traded(an_order(number).client_order_id, 10, 10))
    assert ledger.knows(an_order(0).client_order_id)
    assert ledger.committed(PARENT) == 50
    ledger.follow(traded(an_order(4).client_order_id, 10, 10))
    assert not ledger.knows(an_order(0).client_order_id)
    assert ledger.committed(PARENT) == 0


def test_a_snapshot_does_not_bring_back_what_was_forgotten_but_shows_every_working_order() -> None:
    ledger = Ledger(keep=2)
    for number in range(3):
        order = an_order(client_order_id=f"order-{number}", parent_id=f"parent-{number}")
        ledger.sent(order)
        ledger.follow(traded(order.client_order_id, 10, 10))
    ledger.load(snapshot(listed("order-0", OrdStatus.FILLED, cum_qty=10), listed("order-9")))
    assert not ledger.knows("order-0")
    assert ledger.knows("order-9")


def test_what_a_full_ledger_left_alone_is_looked_at_again_when_its_cell_says_that_it_works() -> None:
    ledger, ended = Ledger(keep=1), listed(ID, OrdStatus.CANCELED)
    for number in range(4):
        ledger.load(replace(snapshot(listed("order-0"), ended), as_of_ns=NOW + number * 12 * SECOND))
    ledger.presented(
        WorkingOrder(
            parent_id=PARENT, symbol=ORDER.symbol, side=ORDER.side, order_type=None, price=0, trigger_price=0,
            state=OrderState.new(ID, 10),
        )
    )  # fmt: skip
    assert ledger.committed(PARENT) == 10
    ledger.load(replace(snapshot(listed("order-0"), ended), as_of_ns=NOW + 48 * SECOND))
    assert ledger.committed(PARENT) == 0


def events_of(order: SubmitOrder) -> list[ExecutionReport]:
    name = order.client_order_id
    return [acknowledged(name), traded(name, 3, 3), traded(name, 4, 7), traded(name, 3, 10), canceled(name, 7)]


@given(
    st.integers(0, 2**32),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 4)), max_size=40),
)
def test_the_kept_sums_are_what_a_scan_over_all_orders_would_give(seed: int, steps: list[tuple[int, int, int]]) -> None:
    orders = [an_order(slice_no, parent_id=parent) for slice_no in range(3) for parent in (PARENT, ENTRY_PARENT)]
    ledger = ledger_with(*orders)
    states = {order.client_order_id: OrderState.new(order.client_order_id, 10) for order in orders}
    random.Random(seed).shuffle(steps)
    for slice_no, which, what in steps:
        order = orders[slice_no * 2 + which]
        report = events_of(order)[what]
        ledger.follow(report)
        states[order.client_order_id] = merge(states[order.client_order_id], report).state
        scan: Counter[str] = Counter()
        for other in orders:
            state = states[other.client_order_id]
            scan[other.parent_id] += state.cum_qty + state.live_qty
        assert [ledger.committed(parent) for parent in (PARENT, ENTRY_PARENT)] == [scan[PARENT], scan[ENTRY_PARENT]]
        assert {o.client_order_id for o in ledger.open_orders()} == {
            name for name, state in states.items() if state.leaves_qty > 0
        }
        assert ledger.live_orders == sum(state.live_qty > 0 for state in states.values())
