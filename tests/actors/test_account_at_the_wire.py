"""The controls over the whole account, judged by what the broker sees: exposure, the day's loss, margin and premium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gateway_door import CHAIN, DAY_NS, LONG, NOW_NS, SHORT, door, lets_out, order, put, refuses, report
from msgspec.structs import replace

from domain.calendar import FOREVER_NS
from domain.execution import ExecType, OrdType, Side
from domain.groups import Role
from domain.quotes import Quote
from domain.trading import TradingState
from messages.market import Funds
from messages.orders import InstrumentList, Position, SubmitOrder
from messages.supervision import CellState, Hello

BUY = order(LONG, Side.BUY)
SELL = order(SHORT, Side.SELL)


def test_e5_what_is_short_and_what_is_being_sold_stay_within_the_limit_of_their_underlying(tmp_path: Path) -> None:
    with door(tmp_path, max_short_units_underlying=10) as gateway:
        gateway.snapshot(positions=(Position(SHORT.symbol, -4, 1_0000), Position(LONG.symbol, 20, 1_0000)))
        lets_out(gateway, order(put(100), Side.SELL, 6))
        refuses(gateway, order(put(105), Side.SELL, 1), "E5")
        lets_out(gateway, order(SHORT, Side.BUY, 4, role=Role.CLOSE, ordinal=9))
        lets_out(gateway, BUY)


def test_e5_what_is_short_and_what_is_being_sold_stay_within_the_limit_of_the_account(tmp_path: Path) -> None:
    with door(tmp_path, max_short_units=10) as gateway:
        lets_out(gateway, order(SHORT, Side.SELL, 10))
        refuses(gateway, order(put(105), Side.SELL, 1), "E5")
        gateway.ends(gateway.sent[0])
        lets_out(gateway, order(put(105), Side.SELL, 1, attempt=2))


def test_e5_what_is_held_excuses_one_sale_of_it_and_no_second(tmp_path: Path) -> None:
    with door(tmp_path, max_short_units=10, max_short_units_underlying=10) as gateway:
        gateway.snapshot(positions=(Position(SHORT.symbol, 20, 1_0000),))
        lets_out(gateway, order(SHORT, Side.SELL, 20, group_id="one"))
        refuses(gateway, order(SHORT, Side.SELL, 11, group_id="two"), "E5")
        lets_out(gateway, order(SHORT, Side.SELL, 10, group_id="three"))


def test_e5_working_entries_together_stay_within_the_limit(tmp_path: Path) -> None:
    with door(tmp_path, max_working_notional=1_000) as gateway:
        lets_out(gateway, order(LONG, Side.BUY, 6))
        refuses(gateway, order(SHORT, Side.SELL, 5), "E5")
        lets_out(gateway, order(SHORT, Side.SELL, 4, attempt=2))


def market(quantity: int, **terms: Any) -> SubmitOrder:
    """An entry that buys at the market, where the ask is 1.01."""
    return order(LONG, Side.BUY, quantity, price=0, order_type=OrdType.MARKET, **terms)


@pytest.mark.parametrize(("limit", "control"), [("max_working_notional", "E5"), ("max_day_premium", "E20")])
def test_e5_e20_a_market_order_that_works_counts_with_what_it_would_cost_now(
    tmp_path: Path, limit: str, control: str
) -> None:
    settings: dict[str, Any] = {limit: 1_000}
    with door(tmp_path, **settings) as gateway:
        lets_out(gateway, market(6))
        refuses(gateway, market(4, group_id="other"), control)
        gateway.quotes(bid=4_900, ask=5_000)
        lets_out(gateway, market(4, group_id="another"))
    with door(tmp_path, **settings) as gateway:
        gateway.snapshot(orders=(report(market(6), ExecType.ORDER_STATUS, 0, NOW_NS),))
        refuses(gateway, market(4, group_id="a new gateway knows no price"), control)


def test_e11_beyond_the_loss_of_a_day_only_repairs_leave_until_the_next_day(tmp_path: Path) -> None:
    with door(tmp_path, max_loss=100) as gateway:
        lets_out(gateway, BUY)
        gateway.fills(BUY)
        lets_out(gateway, SELL)
        gateway.quotes(bid=500, ask=1_500)
        gateway.passes(1_000)
        assert gateway.states == [] or gateway.states[-1].state is TradingState.ACTIVE, "90.00 are lost"
        gateway.quotes(bid=0, ask=0)
        gateway.passes(6_000)
        assert gateway.states[-1].state is TradingState.ACTIVE, "its last bid is what it is worth"
    with door(tmp_path, max_loss=80) as gateway:
        gateway.quotes(bid=500, ask=1_500)
        bought = report(BUY, ExecType.TRADE, 1, NOW_NS, last_qty=1, last_px=BUY.price)
        working = report(SELL, ExecType.ORDER_STATUS, 0, NOW_NS)
        gateway.snapshot(orders=(working,), executions=(bought,), positions=(Position(LONG.symbol, 1, 1_0000),))
        gateway.passes(1_000)
        assert gateway.states[-1].state is TradingState.REDUCING
        assert gateway.states[-1].reason.startswith("E11: 90.00 were lost today")
        assert SELL.client_order_id in gateway.canceled
        refuses(gateway, order(LONG, Side.BUY, attempt=2), "E11")
        lets_out(gateway, order(LONG, Side.SELL, role=Role.CLOSE))
        assert [a.kind for a in gateway.alerts] == ["LOSS_LIMIT"]
    with door(tmp_path, max_loss=80) as gateway:
        refuses(gateway, order(LONG, Side.BUY, attempt=3), "E11")
        gateway.passes(DAY_NS // 10**6)
        gateway.quotes()
        lets_out(gateway, order(LONG, Side.BUY, attempt=4))


def test_e11_what_was_held_before_the_day_is_measured_from_its_first_price_whatever_restarts(tmp_path: Path) -> None:
    held = (Position(LONG.symbol, 1, 50_0000),)
    with door(tmp_path, max_loss=80) as gateway:
        gateway.snapshot(positions=held)
        gateway.passes(1_000)
        lets_out(gateway, BUY)
    with door(tmp_path, max_loss=80) as gateway:
        gateway.quotes(bid=500, ask=1_500)
        gateway.snapshot(positions=held)
        gateway.passes(1_000)
        refuses(gateway, order(LONG, Side.BUY, attempt=2), "E11")


def test_e11_without_a_quote_a_long_is_worth_nothing_and_it_is_said(tmp_path: Path) -> None:
    with door(tmp_path, max_loss=80) as gateway:
        unquoted = replace(put(60), symbol="XYZ   210115P00060000")
        gateway.hears(InstrumentList((*CHAIN, unquoted)))
        gateway.snapshot(positions=(Position(unquoted.symbol, 1, 1_0000),))
        assert unquoted.symbol in gateway.broker.subscribed
        gateway.passes(1_000)
        lets_out(gateway, BUY)
        gateway.passes(6_000)
        assert unquoted.symbol in refuses(gateway, order(LONG, Side.BUY, attempt=2), "E11")


def test_e20_what_has_left_since_the_broker_counted_is_counted_here(tmp_path: Path) -> None:
    with door(tmp_path, max_margin_use_pct=90.0) as gateway:
        gateway.hears(Funds(available=20_000 * 10_000, used=0, ts_ns=gateway.now_ns))
        lets_out(gateway, order(SHORT, Side.SELL, 1))  # 9,500 at worst
        refuses(gateway, order(put(100), Side.SELL, 1), "E20")
        lets_out(gateway, order(SHORT, Side.BUY, 1, role=Role.CLOSE, price=9_000))


def test_e20_protection_that_is_held_makes_a_spread_cheap(tmp_path: Path) -> None:
    with door(tmp_path, max_margin_use_pct=90.0) as gateway:
        gateway.snapshot(positions=(Position(LONG.symbol, 10, 1_0000),))
        gateway.hears(Funds(available=6_000 * 10_000, used=0, ts_ns=gateway.now_ns))
        lets_out(gateway, order(SHORT, Side.SELL, 10))
        refuses(gateway, order(SHORT, Side.SELL, 1, attempt=2), "E20")


def test_e20_premium_is_capped_for_an_order_and_for_a_day(tmp_path: Path) -> None:
    with door(tmp_path, max_order_premium=500, max_day_premium=800) as gateway:
        refuses(gateway, order(LONG, Side.BUY, 6), "E20")
        lets_out(gateway, bought := order(LONG, Side.BUY, 5, attempt=2))
        gateway.fills(bought)
        lets_out(gateway, working := order(put(85), Side.BUY, 3))
        refuses(gateway, order(put(80), Side.BUY, 1), "E20")
        gateway.ends(working)
        lets_out(gateway, order(put(80), Side.BUY, 3, attempt=2))
    with door(tmp_path, max_order_premium=500, max_day_premium=800) as gateway:
        paid = report(bought, ExecType.TRADE, 5, NOW_NS, last_qty=5, last_px=bought.price)
        gateway.snapshot(executions=(paid,), positions=(Position(LONG.symbol, 5, 1_0000),))
        refuses(gateway, order(put(80), Side.BUY, 4, attempt=3), "E20")


HOUR_MS = 3_600_000


def test_e20_the_premium_of_a_day_is_that_of_the_exchanges_day(tmp_path: Path) -> None:
    late = NOW_NS - 11 * HOUR_MS * 10**6  # the same date in UTC, and 22:30 of the day before in New York
    with door(tmp_path, calendar="us_options", max_day_premium=800) as gateway:
        paid = report(BUY, ExecType.TRADE, 1, late, last_qty=1, last_px=5_0000)
        gateway.snapshot(executions=(paid,))
        lets_out(gateway, bought := order(LONG, Side.BUY, 5, attempt=2))
        gateway.fills(bought)
        refuses(gateway, order(put(85), Side.BUY, 4), "E20")


def test_e11_the_day_whose_loss_stopped_new_risk_ends_at_midnight_on_the_exchanges_clocks(tmp_path: Path) -> None:
    with door(tmp_path, calendar="us_options", max_loss=80) as gateway:
        bought = report(BUY, ExecType.TRADE, 1, NOW_NS, last_qty=1, last_px=BUY.price)
        gateway.quotes(bid=500, ask=1_500)
        gateway.snapshot(executions=(bought,), positions=(Position(LONG.symbol, 1, 1_0000),))
        gateway.passes(1_000)
        gateway.passes(10 * HOUR_MS)  # 00:30 UTC, 19:30 in New York
        assert gateway.states[-1].state is TradingState.REDUCING
        gateway.passes(5 * HOUR_MS)
        assert [told.state for told in gateway.states[-2:]] == [TradingState.REDUCING, TradingState.ACTIVE]


def test_e20_uncovered_units_of_all_cells_together_stop_new_risk_after_a_while(tmp_path: Path) -> None:
    with door(tmp_path, naked_window_units=10, naked_window_ms=1_000) as gateway:
        gateway.on_hello(Hello(1, 1, frozenset()), "other")
        gateway.on_cell_state(CellState(0, 1, 6, FOREVER_NS), "cell")
        gateway.on_cell_state(CellState(1, 1, 5, FOREVER_NS), "other")
        lets_out(gateway, BUY)
        gateway.passes(1_100)
        refuses(gateway, SELL, "E20")
        lets_out(gateway, order(LONG, Side.BUY, role=Role.HEDGE))
        gateway.on_cell_state(CellState(1, 1, 0, FOREVER_NS), "other")
        lets_out(gateway, replace(SELL, client_order_id=order(SHORT, Side.SELL, attempt=2).client_order_id))


def test_e20_the_word_of_an_older_incarnation_of_a_cell_comes_too_late(tmp_path: Path) -> None:
    with door(tmp_path, naked_window_units=10, naked_window_ms=1_000) as gateway:
        gateway.on_cell_state(CellState(0, 1, 11, FOREVER_NS), "cell")
        gateway.on_hello(Hello(0, 2, frozenset()), "cell again")
        gateway.passes(1_100)
        assert gateway.door.account.watch.naked_too_long(gateway.now_ns), "the last word of the one before stands"
        gateway.on_cell_state(CellState(0, 2, 0, FOREVER_NS), "cell again")
        gateway.on_cell_state(CellState(0, 1, 11, FOREVER_NS), "cell")
        gateway.passes(1_100)
        assert gateway.door.account.watch.naked_too_long(gateway.now_ns) == ""


def test_quotes_of_a_symbol_are_asked_for_as_long_as_it_is_held(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.hears(Quote("XYZ", gateway.now_ns, 1, 1, 2, 1))
        gateway.snapshot(positions=(Position("XYZ", 100, 1_0000),))
        assert "XYZ" in gateway.broker.subscribed
        gateway.snapshot()
        assert "XYZ" not in gateway.broker.subscribed


def again(sent: SubmitOrder) -> SubmitOrder:
    """The order as a cell sends it after a restart: it may have left before, or not."""
    return replace(sent, resend=True)


@pytest.mark.parametrize(
    ("limits", "sent", "control"),
    [
        ({"max_short_units": 4}, order(SHORT, Side.SELL, 5), "E5"),
        ({"max_working_notional": 400}, order(LONG, Side.BUY, 5), "E5"),
        ({"max_order_premium": 400}, order(LONG, Side.BUY, 5), "E20"),
    ],
)
def test_e5_e20_what_is_sent_again_and_never_left_is_judged_like_what_is_new(
    tmp_path: Path, limits: dict[str, Any], sent: SubmitOrder, control: str
) -> None:
    with door(tmp_path, **limits) as gateway:
        refuses(gateway, again(sent), control)


def test_e12_what_is_sent_again_and_never_left_may_not_meet_an_order_of_ours(tmp_path: Path) -> None:
    with door(tmp_path, cross_wait_ms=60_000) as gateway:
        lets_out(gateway, working := order(LONG, Side.BUY))
        refuses(gateway, again(order(LONG, Side.SELL, group_id="other")), "E12")
        assert gateway.hear(again(order(LONG, Side.SELL, role=Role.CLOSE))) == []
        assert gateway.sent == [working], "a repair waits"


def test_e5_what_is_sent_again_and_may_trade_already_is_not_counted_twice(tmp_path: Path) -> None:
    with door(tmp_path, max_short_units=5, max_open_orders=1) as gateway:
        lets_out(gateway, sent := order(SHORT, Side.SELL, 5))
        lets_out(gateway, again(sent))
