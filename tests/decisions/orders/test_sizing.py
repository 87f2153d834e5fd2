"""E1, E2 and the cells: repairs are cut to what one order may carry and cost, and all is placed; new risk never is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from order_cases import GROUP, NOW, a_leg, a_parent, at, bust, canceled, intents, option, submits, trade

from config.schema import Config, ControlsConfig
from decisions.effects import Effects, Moment
from decisions.gateway.controls import Controls
from decisions.gateway.ledger import Ledger
from decisions.groups import stop_loss
from decisions.groups.stop_loss import open_record
from decisions.orders.child_order import submit_request
from decisions.orders.news import hear
from decisions.orders.prices import Price, Pricing
from decisions.orders.sizing import collar, largest_repair, repair_price
from decisions.orders.slots import slots
from decisions.orders.working import Parent, work
from domain.execution import OrdType, Side
from domain.groups import ENTRY_ROLES, Role
from domain.slices import MAX_SLICES
from messages.group import ProtectPosition, StartStop
from messages.orders import Outcome, SubmitResult
from messages.records import IntentRecord

LOTS = option(lot_size=5, freeze_qty=23)  # 20 at most
REPAIRS = [role for role in Role if role not in ENTRY_ROLES]


def by(**controls: Any) -> Moment:
    return at(config=Config(controls=ControlsConfig(**controls)))


def worked(parent: Parent, moment: Moment) -> tuple[Parent, list[int]]:
    effects = Effects()
    parent = work(parent, moment, effects)
    return parent, [order.quantity for order in submits(effects)]


def newest(parent: Parent, slice_no: int) -> IntentRecord:
    return max((o.intent for o in parent.orders.values() if o.intent.slice == slice_no), key=lambda i: i.attempt)


@pytest.mark.parametrize(
    ("price", "controls", "expected"),
    [
        (20_000, {}, 20),
        (20_000, {"max_order_qty": 19}, 15),
        (20_000, {"max_order_qty": 4}, 5),
        (20_000, {"max_order_notional": 3_000}, 15),
        (20_000, {"max_order_notional": 2_999}, 10),
        (20_000, {"max_order_notional": 1}, 5),
        (20_000, {"max_order_qty": 10, "max_order_notional": 3_000}, 10),
        (0, {"max_order_notional": 1}, 20),
    ],
)
def test_the_largest_repair_is_whole_lots_within_every_limit_and_never_less_than_one(
    price: int, controls: dict[str, Any], expected: int
) -> None:
    assert largest_repair(LOTS, price, ControlsConfig(**controls)) == expected


def test_where_the_exchange_takes_nothing_nothing_is_the_largest() -> None:
    assert largest_repair(replace(LOTS, freeze_qty=None), 20_000, ControlsConfig()) == 0


@given(
    price=st.integers(0, 200).map(lambda ticks: ticks * 500),
    most=st.integers(1, 30),
    amount=st.integers(1, 30_000),
    attempt_at_market=st.booleans(),
)
def test_the_gateway_and_the_cells_measure_alike(price: int, most: int, amount: int, attempt_at_market: bool) -> None:
    """What a cell cuts passes E1, or is one lot; and a lot more would not pass, or not fit."""
    config = ControlsConfig(max_order_qty=most, max_order_notional=amount, price_collar_pct=1e6)
    price = price or 500
    moment = replace(at(config=Config(controls=config)), quotes={
        LOTS.symbol: replace(at().quotes[LOTS.symbol], bid=price, ask=price)
    })  # fmt: skip
    pricing = replace(a_parent().pricing, attempts=1, last_is_market=attempt_at_market)
    effects = Effects()
    work(a_parent(200, role=Role.HEDGE, instrument=LOTS, pricing=pricing), moment, effects)
    controls = Controls(config)
    controls.learn([LOTS])

    def refusal(quantity: int) -> str:
        order = replace(submit_request(intents(effects)[0], moment, resend=False), quantity=quantity, parent_qty=200)
        return controls.judge(order, moment.quotes, Ledger(), now_ns=NOW, killed=False).reason

    largest = submits(effects)[0].quantity
    assert largest == LOTS.lot_size or not refusal(largest)
    assert largest == LOTS.max_order_qty or refusal(largest + LOTS.lot_size).startswith("E1: ")


@pytest.mark.parametrize("role", REPAIRS)
def test_e1_a_repair_is_cut_and_nothing_of_it_is_lost(role: Role) -> None:
    parent, placed = worked(a_parent(10, role=role), by(max_order_qty=4))
    assert placed == [4, 4, 2]
    assert (parent.live, parent.abandoned) == (10, 0)


@pytest.mark.parametrize("role", sorted(ENTRY_ROLES, key=str))
def test_e1_new_risk_that_is_too_large_is_not_cut(role: Role) -> None:
    assert worked(a_parent(10, role=role), by(max_order_qty=4))[1] == [10]


def test_e1_a_later_attempt_is_cut_by_its_own_price_and_the_rest_goes_into_another_slice() -> None:
    parent, placed = worked(a_parent(10, role=Role.HEDGE), by(max_order_notional=2_050))  # at 2.05 all of it
    assert placed == [10]
    parent = hear(parent, [canceled(newest(parent, 0))], at(), Effects())
    parent, placed = worked(parent, by(max_order_notional=2_050))  # the second attempt costs 2.10
    assert placed == [9, 1]
    assert [(slot.number, slot.attempts, slot.quantity) for slot in slots(parent.orders.values())] == [
        (0, 2, 9),
        (1, 1, 1),
    ]


def test_e1_what_was_cut_off_is_given_up_by_its_own_slice_only() -> None:
    """Slice 0 was for ten, and is for three since they lowered the limit: giving it up gives up three."""
    parent, _ = worked(a_parent(10, role=Role.HEDGE), at())
    tight = by(max_order_qty=3)
    for _ in range(2):
        parent = hear(parent, [canceled(newest(parent, 0))], at(), Effects())
        parent, _ = worked(parent, tight)
    parent = hear(parent, [canceled(newest(parent, 0))], at(), Effects())
    assert [slot.quantity for slot in slots(parent.orders.values())] == [3, 3, 3, 1]
    assert (parent.live, parent.abandoned) == (7, 3)
    parent = hear(parent, [canceled(newest(parent, 1))], at(), Effects())
    assert (parent.live, parent.abandoned) == (4, 3), "slice 1 has attempts left"
    parent, placed = worked(parent, tight)
    assert placed == [3]


def test_a_bust_does_not_make_a_slice_smaller() -> None:
    """Protection that a bust takes away is a hedge's business at once, also after a later attempt filled the rest."""
    parent, _ = worked(a_parent(10), at())
    first = newest(parent, 0)
    parent = hear(parent, [trade(first, 4, 4, "T1")], at(), Effects())
    parent = hear(parent, [canceled(first, cum=4)], at(), Effects())
    parent, placed = worked(parent, at())
    assert placed == [6]
    parent = hear(parent, [trade(newest(parent, 0), 6, 6, "T2")], at(), Effects())
    parent = hear(parent, [bust(first, "T1", 0)], at(), Effects())
    assert (parent.filled, parent.abandoned) == (6, 4)


def test_e1_so_many_orders_that_no_ids_could_number_them_are_not_cut_and_the_refusals_end() -> None:
    need = MAX_SLICES + 1
    parent = a_parent(need, role=Role.HEDGE, instrument=option(freeze_qty=need))
    for number in range(1, 60):
        moment = replace(by(max_order_qty=1), at_ns=NOW + number * 60 * 10**9)
        parent, placed = worked(parent, moment)
        if not placed:
            break
        assert placed == [need]
        last = newest(parent, 0)
        refusal = SubmitResult(
            client_order_id=last.client_order_id, outcome=Outcome.REFUSED, ts_ns=moment.at_ns, reason="E1: too many"
        )
        parent = hear(parent, [refusal], moment, Effects())
    assert (parent.live, parent.abandoned) == (0, need)
    assert worked(a_parent(need - 1, role=Role.HEDGE), by(max_order_qty=1))[1] == [1] * MAX_SLICES


def test_e1_a_stop_loss_is_cut_by_its_execution_price() -> None:
    leg = a_leg(1, Side.SELL, stop_trigger=25_000)  # it exits at 2.55 at worst
    moment = by(max_order_notional=4 * 255)
    record = open_record(leg, group_id=GROUP, quantity=10, moment=moment)
    state, _ = stop_loss.start(StartStop(leg=leg, record=record), moment)
    state, effects = stop_loss.decide(state, ProtectPosition(10, 10), moment)
    assert [(order.quantity, order.order_type) for order in submits(effects)] == [
        (4, OrdType.STOP_LIMIT), (4, OrdType.STOP_LIMIT), (2, OrdType.STOP_LIMIT)
    ]  # fmt: skip
    assert state.limit.live == 10


# The mid is 2.025 and the collar 0.10; ticks are 0.05.
@pytest.mark.parametrize(
    ("side", "wanted", "expected"),
    [(Side.BUY, 21_500, 21_000), (Side.BUY, 21_000, 21_000), (Side.BUY, 20_500, 20_500),
     (Side.SELL, 18_500, 19_500), (Side.SELL, 20_000, 20_000)],
)  # fmt: skip
def test_a_repair_concedes_no_more_than_the_collar_lets_it(side: Side, wanted: int, expected: int) -> None:
    controls = ControlsConfig(price_collar_pct=2.0, price_collar_floor=0.1)
    priced = Price(OrdType.LIMIT, wanted, 20_250)
    assert repair_price(priced, side, option(), controls).price == expected
    market = Price(OrdType.MARKET, 0, 20_250)
    assert repair_price(market, side, option(), controls) == market
    blind = Price(OrdType.LIMIT, wanted, 0)
    assert repair_price(blind, side, option(), controls) == blind


@given(
    side=st.sampled_from(Side), mid=st.integers(2_000, 10**6), ticks=st.integers(1, 10_000),
    pct=st.floats(0.5, 50.0), floor=st.floats(0.1, 5.0),
)  # fmt: skip
def test_no_price_of_a_repair_is_refused_by_the_collar(
    side: Side, mid: int, ticks: int, pct: float, floor: float
) -> None:
    controls, tick = ControlsConfig(price_collar_pct=pct, price_collar_floor=floor), option().tick_size
    limit = repair_price(Price(OrdType.LIMIT, ticks * tick, mid), side, option(), controls).price
    assert limit % tick == 0
    assert side.sign * (limit - mid) <= collar(mid, controls)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.STOP_LIMIT])
def test_only_repairs_are_priced_within_the_collar(role: Role) -> None:
    moment = by(price_collar_pct=0.1, price_collar_floor=0.1)
    effects = Effects()
    work(a_parent(role=role, pricing=Pricing(base_pct=20.0, attempts=3)), moment, effects)
    (order,) = submits(effects)
    quote = moment.quote(order.symbol)
    assert quote is not None
    within = order.price - quote.mid <= collar(quote.mid, moment.config.controls)
    assert within is (role not in ENTRY_ROLES)
