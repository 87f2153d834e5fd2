"""A change of an order in place passes the same controls as a new order with its terms, in the real gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway_door import LONG, SHORT, Door, door, order, put, report
from msgspec.structs import replace

from domain.calendar import FOREVER_NS
from domain.execution import ExecType, OrdType, Side
from domain.groups import Role
from domain.trading import TradingState
from messages.controls import SetTradingState
from messages.orders import ModifyOrder, ModifyResult, Outcome, Position, SubmitOrder
from messages.supervision import CellState

STOP = order(
    SHORT, Side.BUY, 10, 10_500, role=Role.STOP_LIMIT, order_type=OrdType.STOP_LIMIT, trigger_price=10_000
)  # fmt: skip
SMALLER = ModifyOrder(
    client_order_id=STOP.client_order_id, venue_order_id="", request_id=f"{STOP.client_order_id}/m1", quantity=5,
    order_type=OrdType.STOP_LIMIT, price=10_500, trigger_price=10_000, epoch=1,
)  # fmt: skip


def test_a_change_that_passes_the_controls_reaches_the_broker(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.hear(STOP)
        gateway.works(STOP)
        gateway.hear(SMALLER)
        assert gateway.broker.taken == [STOP, SMALLER]


def test_a_change_to_terms_that_no_order_may_have_does_not_leave_and_is_counted(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.hear(STOP)
        gateway.works(STOP)
        gateway.hear(replace(SMALLER, order_type=OrdType.LIMIT, price=90_000, trigger_price=0))
        gateway.hear(replace(SMALLER, quantity=2_000, request_id="m2"))
        assert gateway.broker.taken == [STOP]
        assert (gateway.refused_by("E2"), gateway.refused_by("E17")) == (1, 1)


def test_a_change_of_an_order_that_this_gateway_did_not_send_does_not_leave(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.hear(replace(SMALLER, client_order_id=order(LONG, Side.SELL, role=Role.CLOSE).client_order_id))
        assert gateway.broker.taken == []
        assert gateway.refused_by("E3") == 1


def test_a_change_that_waits_when_the_link_goes_down_does_not_leave_later(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.hear(STOP)
        gateway.works(STOP)
        gateway.lose_link()
        gateway.hear(SMALLER)
        gateway.go_live()
        assert gateway.broker.taken == [STOP]


# What raises risk passes what an order does


def change(working: SubmitOrder, number: int = 1, **terms: Any) -> ModifyOrder:
    """Other terms for an order."""
    kept = {"quantity": working.quantity, "price": working.price, "order_type": working.order_type}
    return ModifyOrder(
        client_order_id=working.client_order_id,
        venue_order_id="",
        request_id=f"{working.client_order_id}/m{number}",
        trigger_price=0,
        epoch=1,
        **{**kept, **terms},
    )


def works(gateway: Door, made: SubmitOrder) -> SubmitOrder:
    """It has left and rests."""
    gateway.hear(made)
    gateway.works(made)
    assert gateway.sent[-1] == made
    return made


def refuses(gateway: Door, asked: ModifyOrder, control: str) -> None:
    """The broker never sees this change, and it is counted."""
    before = gateway.refused_by(control)
    gateway.hear(asked)
    assert asked not in gateway.broker.taken
    assert gateway.refused_by(control) == before + 1


def lets_out(gateway: Door, asked: ModifyOrder) -> None:
    """The broker sees it."""
    gateway.hear(asked)
    assert gateway.broker.taken[-1] == asked


def replaced(gateway: Door, asked: ModifyOrder, working: SubmitOrder) -> None:
    """The broker has changed the order."""
    told = report(replace(working, quantity=asked.quantity), ExecType.REPLACED, 0, gateway.now_ns)
    gateway.hears(replace(told, request_id=asked.request_id))


def test_e5_a_change_that_sells_more_is_judged_like_an_order_and_one_that_sells_less_is_not(tmp_path: Path) -> None:
    with door(tmp_path, max_short_units=5) as gateway:
        short = works(gateway, order(SHORT, Side.SELL, 5))
        refuses(gateway, change(short, quantity=6), "E5")
        lets_out(gateway, less := change(short, 2, quantity=3))
        replaced(gateway, less, short)
        lets_out(gateway, change(short, 3, quantity=5))
        refuses(gateway, change(short, 4, quantity=6), "E5")
        assert gateway.refusals(order(put(100), Side.SELL, 1))[0].startswith("E5: 5 units")


def test_e5_what_a_change_on_its_way_adds_counts_at_once(tmp_path: Path) -> None:
    with door(tmp_path, max_short_units=5) as gateway:
        short = works(gateway, order(SHORT, Side.SELL, 2))
        lets_out(gateway, more := change(short, quantity=5))
        assert gateway.refusals(order(put(100), Side.SELL, 1))[0].startswith("E5: 5 units")
        refused = ModifyResult(
            client_order_id=short.client_order_id, request_id=more.request_id, outcome=Outcome.REFUSED, ts_ns=0
        )
        gateway.hears(refused)
        assert gateway.refusals(order(put(100), Side.SELL, 3, attempt=2)) == []


def test_e5_a_change_opens_no_order_and_so_fits_where_no_other_does(tmp_path: Path) -> None:
    with door(tmp_path, max_open_orders=1) as gateway:
        bought = works(gateway, order(LONG, Side.BUY, 5))
        lets_out(gateway, change(bought, price=9_500))


def test_e8_an_entry_that_was_disabled_is_not_changed(tmp_path: Path) -> None:
    with door(tmp_path, repeat_limit=1) as gateway:
        made = [works(gateway, order(LONG, Side.BUY, group_id=f"g{number}")) for number in range(3)]
        for each in made[:2]:
            gateway.fills(each)
        refuses(gateway, change(made[2], price=1_0500), "E8")


def test_e20_a_change_pays_no_more_premium_than_an_order_may(tmp_path: Path) -> None:
    with door(tmp_path, max_order_premium=500, max_day_premium=800) as gateway:
        bought = works(gateway, order(LONG, Side.BUY, 5))
        refuses(gateway, change(bought, price=1_0500), "E20")
        works(gateway, order(put(85), Side.BUY, 3, 9_500))
        lets_out(gateway, change(bought, 2, price=9_500))


def test_e20_while_too_much_stands_uncovered_no_entry_is_changed_for_more(tmp_path: Path) -> None:
    with door(tmp_path, naked_window_units=0, naked_window_ms=1) as gateway:
        bought = works(gateway, order(LONG, Side.BUY, 5))
        gateway.on_cell_state(CellState(0, 1, 5, FOREVER_NS), "cell")
        gateway.passes(100)
        refuses(gateway, change(bought, price=1_0500), "E20")
        lets_out(gateway, change(bought, 2, quantity=4))


def test_a_halt_keeps_back_a_change_of_an_entry_and_of_a_repair_that_proves_no_reduction(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        exit_ = works(gateway, order(SHORT, Side.BUY, 4, role=Role.CLOSE))
        bare = works(gateway, order(LONG, Side.BUY, 4, role=Role.HEDGE))
        entry = works(gateway, order(put(100), Side.BUY, 1))
        gateway.snapshot(positions=(Position(SHORT.symbol, -4, 1_0000),))
        gateway.told(SetTradingState(TradingState.HALTED, "investigation", "maria"))
        refuses(gateway, change(entry, price=1_0500), "trading-state")
        refuses(gateway, change(bare, price=1_0500), "trading-state")
        lets_out(gateway, change(exit_, price=1_0500))


def test_e12_no_change_makes_two_orders_of_ours_meet(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        bought = works(gateway, order(LONG, Side.BUY, 1, 9_000))
        sold = works(gateway, order(LONG, Side.SELL, 1, 1_1000, group_id="other"))
        refuses(gateway, change(bought, price=1_1000), "E12")
        refuses(gateway, change(sold, price=9_000), "E12")
        lets_out(gateway, change(bought, 2, price=1_0500))


def test_e12_a_repair_whose_new_terms_could_meet_an_order_of_ours_is_sent_back(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        works(gateway, order(LONG, Side.BUY, 1, 9_000))
        exit_ = works(gateway, order(LONG, Side.SELL, 1, 1_1000, role=Role.CLOSE, group_id="other"))
        refuses(gateway, change(exit_, price=0, order_type=OrdType.MARKET), "E12")
        lets_out(gateway, change(exit_, 2, price=1_0500))


def test_e12_an_order_counts_with_both_prices_until_the_broker_has_told_which_it_has(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        bought = works(gateway, order(LONG, Side.BUY, 1, 1_0000))
        sells = [order(LONG, Side.SELL, 1, 1_0000, group_id="other", attempt=attempt) for attempt in range(1, 5)]
        lets_out(gateway, lower := change(bought, price=9_500))
        assert gateway.refusals(sells[0])[0].startswith("E12"), "it may still have its old price"
        replaced(gateway, lower, bought)
        lets_out(gateway, higher := change(bought, 2, price=1_0500))
        assert gateway.refusals(sells[1])[0].startswith("E12"), "it may have its new price already"
        replaced(gateway, higher, bought)
        assert gateway.refusals(sells[2])[0].startswith("E12")
        lets_out(gateway, back := change(bought, 3, price=9_500))
        replaced(gateway, back, bought)
        assert gateway.refusals(sells[3]) == []
