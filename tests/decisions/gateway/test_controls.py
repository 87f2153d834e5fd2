"""The gateway's controls: each lets the right order through, refuses the wrong one, and stands exactly at its limit.

The price collar (E2) has a file of its own.
"""

from __future__ import annotations

from typing import Any

import pytest
from controls_cases import (
    CONFIG,
    ENTRY_CHECKS,
    MARKET,
    REPAIR_CHECKS,
    STOP,
    instrument,
    judge,
    ledger_of,
    quote,
    refused_by,
)
from gateway_cases import (
    ENTRY_PARENT,
    INSTRUMENT,
    NOW,
    PARENT,
    QUOTE,
    SECOND,
    SYMBOL,
    acknowledged,
    an_answer,
    an_entry,
    an_order,
    canceled,
    traded,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from decisions.gateway.controls import CONTROLS, Controls, Judgement
from decisions.gateway.ledger import Ledger
from domain.execution import OrdType, Side
from domain.groups import Role
from domain.quotes import Quote
from messages.orders import ModifyOrder, Outcome, SubmitOrder


def test_a_good_order_passes_every_control_that_applies_to_it_and_the_checks_say_which() -> None:
    assert judge(an_entry()) == Judgement(True, "", ENTRY_CHECKS)
    assert judge(an_order()) == Judgement(True, "", REPAIR_CHECKS)


def test_a_control_that_spares_repairs_says_why() -> None:
    assert {control.name for control in CONTROLS if control.spares_repairs} == {"E9", "E5"}
    assert all(len(control.spares_repairs) > 20 for control in CONTROLS if control.spares_repairs)


ROLES = [role for role in Role if role is not Role.STOP_LIMIT]


@pytest.mark.parametrize("role", ROLES)
def test_no_role_is_above_the_hard_limits(role: Role) -> None:
    assert judge(an_order(role=role)).allowed
    assert refused_by("E17", judge(an_order(role=role, symbol="OTHER")))
    assert refused_by("E17", judge(an_order(role=role, quantity=11)))
    assert refused_by("E2", judge(an_order(role=role, price=120_500)))
    assert refused_by("E1", judge(an_order(role=role, quantity=105)))
    assert refused_by("E6", judge(an_order(role=role, parent_qty=9)))


# E1


@pytest.mark.parametrize(("quantity", "allowed"), [(495, True), (500, True), (505, False), (1_000, False)])
def test_e1_an_order_is_at_most_the_largest_quantity(quantity: int, allowed: bool) -> None:
    order = an_order(quantity=quantity, parent_qty=quantity, price=500)
    judgement = judge(order)
    assert judgement.allowed or refused_by("E1", judgement)
    assert judgement.allowed is allowed


@pytest.mark.parametrize(("price", "allowed"), [(100_000, True), (100_500, False)])
def test_e1_price_times_quantity_times_multiplier_is_at_most_the_largest_notional(price: int, allowed: bool) -> None:
    judgement = judge(an_order(quantity=100, price=price))  # 100 x 10.00 x 100 = 100,000
    assert judgement.allowed or refused_by("E1", judgement)
    assert judgement.allowed is allowed


@pytest.mark.parametrize(("quantity", "allowed"), [(100, True), (105, False)])
def test_e1_a_market_order_is_valued_at_the_reference(quantity: int, allowed: bool) -> None:
    judgement = judge(an_entry(quantity=quantity, parent_qty=500, **MARKET))
    assert judgement.allowed or refused_by("E1", judgement)
    assert judgement.allowed is allowed


def test_e1_an_absurd_passive_price_is_refused_too() -> None:
    assert refused_by("E1", judge(an_order(side=Side.SELL, price=10**15)))


# E3


def test_e3_an_id_that_is_known_with_another_meaning_is_refused() -> None:
    ledger = ledger_of(an_order())
    for changes in ({"quantity": 15}, {"price": 100_500}, {"side": Side.SELL}, {"parent_id": ENTRY_PARENT}):
        changed = replace(an_order(), **changes)
        assert refused_by("E3", judge(changed, ledger=ledger))
        assert refused_by("E3", judge(replace(changed, resend=True), ledger=ledger))


def test_e3_the_same_order_again_is_neither_sent_nor_refused() -> None:
    ledger = ledger_of(an_order())
    assert judge(replace(an_order(), epoch=2), ledger=ledger) == Judgement(False, "", "E7 E3", duplicate=True)


def test_e3_a_copy_of_a_live_order_is_never_refused_whatever_has_changed_since() -> None:
    ledger = ledger_of(an_entry())
    judgement = judge(an_entry(), ledger=ledger, killed=True, quote=None, instruments=())
    assert judgement.duplicate
    assert judgement.reason == ""


def test_e3_a_resend_of_the_same_order_passes() -> None:
    ledger = ledger_of(an_order())
    assert judge(replace(an_order(), resend=True), ledger=ledger).allowed


def test_e3_an_order_that_only_the_broker_told_us_about_is_a_duplicate_unless_it_contradicts() -> None:
    ledger = Ledger()
    ledger.follow(acknowledged(an_order().client_order_id))
    assert judge(an_order(), ledger=ledger).duplicate
    assert refused_by("E3", judge(an_order(side=Side.SELL), ledger=ledger))


def test_e3_a_twin_under_its_own_id_is_not_a_duplicate() -> None:
    assert judge(an_order(1), ledger=ledger_of(an_order(0))).allowed


# E5


def test_e5_new_risk_stops_at_the_largest_number_of_open_orders_and_repairs_do_not() -> None:
    ledger = ledger_of(an_order(0), an_order(1))
    assert judge(an_entry(9), ledger=ledger).allowed
    ledger.sent(an_order(2))
    assert refused_by("E5", judge(an_entry(9), ledger=ledger))
    assert judge(an_order(9), ledger=ledger).allowed
    ledger.follow(canceled(an_order(2).client_order_id))
    assert judge(an_entry(9), ledger=ledger).allowed


# E6


@pytest.mark.parametrize(("quantity", "allowed"), [(85, True), (90, True), (95, False)])
def test_e6_children_together_are_at_most_the_parent(quantity: int, allowed: bool) -> None:
    judgement = judge(an_order(1, quantity=quantity), ledger=ledger_of(an_order(0)))
    assert judgement.allowed or refused_by("E6", judgement)
    assert judgement.allowed is allowed


def test_e6_counts_fills_and_unknown_fates_but_not_definitive_refusals() -> None:
    filled, unknown, refused = (an_order(number, quantity=30) for number in range(3))
    ledger = ledger_of(filled, unknown, refused)
    ledger.follow(traded(filled.client_order_id, 30, 30, order_qty=30))
    ledger.answered(an_answer(unknown.client_order_id, Outcome.UNKNOWN))
    assert refused_by("E6", judge(an_order(3, quantity=40), ledger=ledger))
    ledger.answered(an_answer(refused.client_order_id, Outcome.REFUSED))
    assert judge(an_order(3, quantity=40), ledger=ledger).allowed
    assert refused_by("E6", judge(an_order(3, quantity=45), ledger=ledger))


def test_e6_a_resend_is_counted_already() -> None:
    order = an_order(quantity=100)
    assert judge(replace(order, resend=True), ledger=ledger_of(order)).allowed


def test_e6_a_resend_after_a_refusal_counts_anew() -> None:
    order, rival = an_order(0, quantity=50), an_order(1, quantity=55)
    ledger = ledger_of(order)
    ledger.answered(an_answer(order.client_order_id, Outcome.REFUSED))
    ledger.sent(rival)
    assert refused_by("E6", judge(replace(order, resend=True), ledger=ledger))


def test_e6_parents_do_not_mix() -> None:
    assert judge(an_entry(quantity=100), ledger=ledger_of(an_order(quantity=100))).allowed


@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["live", "filled", "canceled", "refused"])), max_size=20))
def test_e6_whatever_happens_no_more_is_ever_committed_than_the_parent_asked_for(fates: list[tuple[int, str]]) -> None:
    ledger = Ledger()
    for number, (lots, fate) in enumerate(fates):
        order = an_order(number, quantity=lots * 5)
        before = ledger.committed(PARENT)
        judgement = judge(order, ledger=ledger)
        assert judgement.allowed is (before + order.quantity <= order.parent_qty)
        if judgement.allowed:
            ledger.sent(order)
            name, size = order.client_order_id, order.quantity
            if fate == "filled":
                ledger.follow(traded(name, size, size, order_qty=size))
            elif fate == "canceled":
                ledger.follow(canceled(name, order_qty=size))
            elif fate == "refused":
                ledger.answered(an_answer(name, Outcome.REFUSED))
        assert ledger.committed(PARENT) <= 100


# E9


@pytest.mark.parametrize("role", ROLES)
def test_e9_while_killed_only_repairs_leave(role: Role) -> None:
    judgement = judge(an_order(role=role), killed=True)
    assert judgement.allowed is (role not in (Role.PROTECTION, Role.RISK))
    assert judgement.allowed or refused_by("E9", judgement)


def test_e9_a_resent_entry_is_new_risk_as_well() -> None:
    assert refused_by("E9", judge(an_entry(resend=True), ledger=ledger_of(an_entry()), killed=True))


# E17


def test_e17_an_unknown_instrument_is_refused_and_the_newest_list_is_the_whole_truth() -> None:
    assert refused_by("E17", judge(an_order(), instruments=()))
    controls = Controls(CONFIG)
    controls.learn([INSTRUMENT])
    controls.learn([instrument(symbol="OTHER")])
    judgement = controls.judge(an_order(), {SYMBOL: QUOTE}, Ledger(), now_ns=NOW, killed=False)
    assert refused_by("E17", judgement)


@pytest.mark.parametrize(
    ("quantity", "allowed"),
    [(5, True), (10, True), (4, False), (6, False), (0, False), (-5, False), (-(10**12), False)],
)
def test_e17_only_whole_lots_of_at_least_one(quantity: int, allowed: bool) -> None:
    judgement = judge(an_order(quantity=quantity))
    assert judgement.allowed or refused_by("E17", judgement)
    assert judgement.allowed is allowed


@pytest.mark.parametrize(("price", "allowed"), [(99_500, True), (99_501, False), (99_999, False)])
def test_e17_prices_are_on_tick(price: int, allowed: bool) -> None:
    judgement = judge(an_order(price=price))
    assert judgement.allowed or refused_by("E17", judgement)
    assert judgement.allowed is allowed


def test_e17_triggers_are_on_tick() -> None:
    assert judge(an_order(**STOP)).allowed
    assert refused_by("E17", judge(an_order(**{**STOP, "trigger_price": 99_999})))


FREEZE = [
    (50, True, 50, True),
    (50, True, 55, False),
    (50, False, 45, True),
    (50, False, 50, False),
    (52, True, 50, True),
]


@pytest.mark.parametrize(("freeze_qty", "inclusive", "quantity", "allowed"), FREEZE)
def test_e17_the_freeze_quantity_is_inclusive_or_not_as_the_broker_says(
    freeze_qty: int, inclusive: bool, quantity: int, allowed: bool
) -> None:
    frozen = instrument(freeze_qty=freeze_qty, freeze_inclusive=inclusive)
    judgement = judge(an_order(quantity=quantity), instruments=[frozen])
    assert judgement.allowed or refused_by("E17", judgement)
    assert judgement.allowed is allowed


def test_e17_an_unknown_freeze_quantity_is_refused() -> None:
    judgement = judge(an_order(), instruments=[instrument(freeze_qty=None)])
    assert refused_by("E17", judgement)
    assert "not known" in judgement.reason


LAST_MOMENT = 1_768_607_999 * SECOND + 999_999_999  # 2026-01-16 23:59:59.999999999 UTC


@pytest.mark.parametrize(("now_ns", "allowed"), [(LAST_MOMENT, True), (LAST_MOMENT + 1, False)])
def test_e17_a_contract_trades_through_its_last_day_by_the_brokers_clock(now_ns: int, allowed: bool) -> None:
    judgement = judge(an_order(), now_ns=now_ns, quote=quote(ts_ns=now_ns))
    assert judgement.allowed or refused_by("E17", judgement)
    assert judgement.allowed is allowed


@pytest.mark.parametrize("broken", [{"lot_size": 0}, {"tick_size": 0}, {"multiplier": 0}, {"tick_size": -500}])
def test_e17_an_instrument_that_makes_no_sense_is_refused_not_divided_by(broken: dict[str, int]) -> None:
    assert refused_by("E17", judge(an_order(), instruments=[instrument(**broken)]))


@given(
    st.builds(
        an_order,
        role=st.sampled_from(Role),
        side=st.sampled_from(Side),
        order_type=st.sampled_from(OrdType),
        quantity=st.integers(-(2**63), 2**63),
        price=st.integers(-(2**63), 2**63),
        trigger_price=st.integers(-(2**63), 2**63),
        parent_qty=st.integers(-(2**63), 2**63),
        resend=st.booleans(),
    ),
    st.sampled_from([QUOTE, None]),
    st.booleans(),
)
def test_absurd_orders_are_judged_not_crashed_on(order: SubmitOrder, seen: Quote | None, killed: bool) -> None:
    judgement = judge(order, quote=seen, killed=killed)
    assert judgement.allowed is (judgement.reason == "")
    if judgement.allowed:
        assert 0 < order.quantity <= order.parent_qty
        assert (order.price > 0) is (order.order_type is not OrdType.MARKET)


# Changes in place


def change(**terms: Any) -> Judgement:
    """Judge a change of a stop that was sent, to other terms."""
    order = replace(an_order(**STOP), **terms)
    request = ModifyOrder(
        client_order_id=order.client_order_id,
        venue_order_id="",
        request_id="m1",
        order_type=order.order_type,
        quantity=order.quantity,
        price=order.price,
        trigger_price=order.trigger_price,
        epoch=1,
    )
    controls = Controls(CONFIG)
    controls.learn([INSTRUMENT])
    return controls.judge_change(request, {SYMBOL: QUOTE}, ledger_of(an_order(**STOP)), now_ns=NOW, killed=True)


def test_a_change_in_place_passes_what_a_new_order_with_its_terms_would() -> None:
    assert change(quantity=5).allowed
    assert change(**MARKET, trigger_price=0).allowed
    assert change(order_type=OrdType.LIMIT, price=120_000, trigger_price=0).allowed
    assert refused_by("E2", change(order_type=OrdType.LIMIT, price=120_500, trigger_price=0))
    assert refused_by("E2", change(**MARKET))
    assert refused_by("E17", change(quantity=7))
    assert refused_by("E6", change(quantity=105, price=50_000, trigger_price=50_000))


def test_a_change_of_an_order_that_this_gateway_did_not_send_is_refused() -> None:
    request = ModifyOrder(
        client_order_id="LK0JPRGHQVMH001001", venue_order_id="", request_id="m1", order_type=OrdType.MARKET, quantity=5,
        price=0, trigger_price=0, epoch=1,
    )  # fmt: skip
    controls = Controls(CONFIG)
    controls.learn([INSTRUMENT])
    judged = controls.judge_change(request, {SYMBOL: QUOTE}, Ledger(), now_ns=NOW, killed=False)
    assert not judged.allowed
    assert judged.reason.startswith("E3: ")
