"""Cancels and modifies: at once and late, winning and losing their races, and refused."""

from __future__ import annotations

from typing import Any

import pytest
from house import SECOND, House, types

from domain.execution import ExecType, OrdStatus, OrdType, Side

# --- cancels ---


def test_a_cancel_without_latency_takes_effect_at_once() -> None:
    house = House()
    house.submit("a")
    reply = house.cancel("a", "c7")
    (canceled,) = reply.reports
    assert reply.accepted
    assert (canceled.exec_type, canceled.ord_status, canceled.leaves_qty) == (ExecType.CANCELED, OrdStatus.CANCELED, 0)
    assert canceled.request_id == "c7"
    assert house.quote(9_000, 9_500) == []
    assert house.kinds()[-2:] == ["cancel_received", "canceled"]


def test_a_cancel_with_latency_is_pending_first_and_canceled_when_the_clock_gets_there() -> None:
    house = House(cancel_latency_ns=SECOND)
    house.submit("a")
    reply = house.cancel("a")
    assert reply.accepted
    assert [(r.exec_type, r.ord_status) for r in reply.reports] == [(ExecType.PENDING_CANCEL, OrdStatus.PENDING_CANCEL)]
    assert house.wait(0.999) == []
    assert types(house.wait(0.001)) == [ExecType.CANCELED]


def test_a_partial_fill_before_the_cancel_takes_effect_leaves_only_the_rest_to_cancel() -> None:
    house = House(cancel_latency_ns=SECOND)
    house.submit("a")
    house.cancel("a")
    (trade,) = house.quote(9_000, 9_500, ask_size=2)
    assert (trade.ord_status, trade.cum_qty, trade.leaves_qty) == (OrdStatus.PENDING_CANCEL, 2, 3)
    (canceled,) = house.wait(1)
    assert (canceled.exec_type, canceled.cum_qty, canceled.leaves_qty) == (ExecType.CANCELED, 2, 0)


def test_a_fill_that_wins_the_race_has_the_cancel_rejected() -> None:
    house = House(cancel_latency_ns=SECOND)
    house.submit("a")
    house.cancel("a", "c9")
    assert house.quote(9_000, 9_500)[-1].ord_status is OrdStatus.FILLED
    (rejected,) = house.wait(1)
    assert (rejected.exec_type, rejected.ord_status, rejected.cum_qty) == (ExecType.CANCEL_REJECT, OrdStatus.FILLED, 5)
    assert rejected.request_id == "c9"
    assert house.kinds()[-1] == "cancel_rejected"


def test_a_quote_of_the_instant_at_which_the_cancel_is_due_comes_too_late() -> None:
    house = House(cancel_latency_ns=SECOND)
    house.submit("a")
    house.cancel("a")
    house.now += SECOND
    assert types(house.quote(9_000, 9_500)) == [ExecType.CANCELED]


def test_a_second_cancel_while_one_is_pending_is_refused_and_the_same_one_again_changes_nothing() -> None:
    house = House(cancel_latency_ns=SECOND)
    house.submit("a")
    house.cancel("a", "c1")
    again, other = house.cancel("a", "c1"), house.cancel("a", "c2")
    assert (again.accepted, again.reports) == (True, [])
    assert (other.accepted, types(other.reports)) == (False, [ExecType.CANCEL_REJECT])
    assert other.reports[0].ord_status is OrdStatus.PENDING_CANCEL
    assert types(house.wait(2)) == [ExecType.CANCELED]


def test_canceling_what_has_ended_or_never_was_is_refused() -> None:
    house = House()
    house.quote(9_000, 9_500)
    house.submit("a")
    late, never = house.cancel("a"), house.cancel("x")
    assert (late.accepted, late.reason) == (False, "too late: the order is filled")
    assert late.reports[0].ord_status is OrdStatus.FILLED
    assert (never.accepted, never.reason, never.reports) == (False, "unknown order", [])
    assert house.kinds()[-2:] == ["cancel_received", "cancel_rejected"]


# --- modifies ---


def test_a_modify_keeps_the_order_and_what_it_has_filled() -> None:
    house = House()
    house.quote(10_000, 10_500, ask_size=2)
    house.submit("a")
    (replaced,) = house.modify("a", "m3", quantity=8, price=10_000).reports
    assert (replaced.exec_type, replaced.ord_status) == (ExecType.REPLACED, OrdStatus.PARTIALLY_FILLED)
    assert (replaced.order_qty, replaced.cum_qty, replaced.leaves_qty) == (8, 2, 6)
    assert (replaced.client_order_id, replaced.request_id) == ("a", "m3")
    assert house.quote(10_000, 10_500) == []
    (trade,) = house.quote(9_500, 10_000)
    assert (trade.last_qty, trade.ord_status) == (6, OrdStatus.FILLED)


def test_a_modify_to_a_marketable_price_trades_at_the_touch() -> None:
    house = House()
    house.quote(10_000, 12_000)
    house.submit("a", price=10_000)
    reports = house.modify("a", price=12_500).reports
    assert types(reports) == [ExecType.REPLACED, ExecType.TRADE]
    assert reports[-1].last_px == 12_000


def test_a_stop_can_be_turned_into_a_market_order_in_place() -> None:
    house = House()
    house.quote(10_000, 10_500)
    house.submit("s", side=Side.SELL, order_type=OrdType.STOP_LIMIT, price=7_000, trigger_price=8_000)
    reports = house.modify("s", order_type=OrdType.MARKET, price=0).reports
    assert types(reports) == [ExecType.REPLACED, ExecType.TRADE]
    assert reports[-1].last_px == 10_000


def test_a_triggered_stop_stays_triggered_when_its_price_is_changed() -> None:
    house = House()
    house.quote(20_000, 20_500)
    house.submit("s", side=Side.SELL, order_type=OrdType.STOP_LIMIT, price=17_500, trigger_price=18_000)
    house.quote(10_000, 10_500)
    reports = house.modify("s", order_type=OrdType.STOP_LIMIT, price=10_000, trigger_price=18_000).reports
    assert types(reports) == [ExecType.REPLACED, ExecType.TRADE]


def test_a_quantity_at_or_below_what_has_filled_means_stop_executing() -> None:
    house = House()
    house.quote(10_000, 10_500, ask_size=3)
    house.submit("a")
    (replaced,) = house.modify("a", quantity=2).reports
    assert (replaced.ord_status, replaced.order_qty, replaced.cum_qty) == (OrdStatus.FILLED, 3, 3)
    assert house.quote(10_000, 10_500) == []


@pytest.mark.parametrize(
    ("change", "first"),
    [({"quantity": 4}, "a"), ({"quantity": 6}, "b"), ({"price": 11_500}, "a"), ({"price": 10_500}, "b")],
)
def test_time_priority_survives_a_smaller_quantity_only(change: dict[str, Any], first: str) -> None:
    house = House()
    house.submit("a")
    house.submit("b")
    house.modify("a", **change)
    assert house.quote(9_000, 9_500)[0].client_order_id == first


def test_a_price_changed_back_has_lost_its_place() -> None:
    house = House()
    house.submit("a")
    house.submit("b")
    house.modify("a", price=10_500)
    house.modify("a", price=11_000)
    assert house.quote(9_000, 9_500)[0].client_order_id == "b"


def test_a_refused_modify_leaves_the_order_as_it_was() -> None:
    house = House()
    house.submit("a", price=10_000)
    reply = house.modify("a", price=10_250)
    assert not reply.accepted
    assert "off the tick" in reply.reason
    assert (reply.reports[0].exec_type, reply.reports[0].ord_status) == (ExecType.CANCEL_REJECT, OrdStatus.NEW)
    (trade,) = house.quote(9_500, 10_000)
    assert trade.last_px == 10_000


def test_a_modify_of_what_has_ended_is_being_canceled_or_never_was_is_refused() -> None:
    house = House(cancel_latency_ns=SECOND)
    house.submit("a")
    house.cancel("a")
    pending = house.modify("a", price=10_000)
    house.wait(1)
    ended, never = house.modify("a", price=10_000), house.modify("x")
    assert [r.reason for r in (pending, ended, never)] == [
        "a cancel of this order is pending",
        "too late: the order is canceled",
        "unknown order",
    ]
    assert not any(r.accepted for r in (pending, ended, never))
