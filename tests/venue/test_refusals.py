"""Every reason for which the exchange refuses an order, seen from outside."""

from __future__ import annotations

from typing import Any

import pytest
from house import CALL_100, PUT_100, SECOND, SHARES, START, STOCK, House, option

from domain.execution import ExecType, OrdStatus, OrdType, Side
from venue.refusals import CHECKS

STOP = {"order_type": OrdType.STOP_LIMIT, "price": 13_000, "trigger_price": 12_000}

REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("unknown symbol", {"symbol": "ZZZ"}, "unknown symbol 'ZZZ'"),
    ("no quantity", {"quantity": 0}, "quantity 0 is not positive"),
    ("negative quantity", {"quantity": -5}, "quantity -5 is not positive"),
    (
        "above the freeze quantity",
        {"quantity": 51},
        "quantity 51 is above the freeze quantity: 50 is the largest order",
    ),
    ("no price", {"price": 0}, "price 0 is not positive"),
    ("negative price", {"price": -500}, "price -0.05 is not positive"),
    ("price off tick", {"price": 10_250}, "price 1.025 is off the tick of 0.05"),
    ("stop without a trigger", STOP | {"trigger_price": 0}, "trigger price 0 is not positive"),
    ("trigger off tick", STOP | {"trigger_price": 12_001}, "trigger price 1.2001 is off the tick of 0.05"),
    ("stop without a price", STOP | {"price": 0}, "price 0 is not positive"),
]


@pytest.mark.parametrize(("facts", "reason"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_refusal_says_why_and_ends_the_order(facts: dict[str, Any], reason: str) -> None:
    house = House()
    house.quote(10_000, 10_500)
    reply = house.submit("a", **facts)
    (report,) = reply.reports
    assert (reply.accepted, reply.reason, report.text) == (False, reason, reason)
    assert (report.exec_type, report.ord_status, report.cum_qty, report.leaves_qty) == (
        ExecType.REJECTED,
        OrdStatus.REJECTED,
        0,
        0,
    )
    assert house.kinds() == ["order_received", "rejected"]
    assert house.truth[-1].reason == reason
    assert house.held() == {}
    assert house.submit("a").reason == "duplicate client order id: the first order is rejected"


@pytest.mark.parametrize(("quantity", "accepted"), [(75, True), (74, False), (1_800, True), (1_875, False)])
def test_only_whole_lots_up_to_the_freeze_quantity_are_taken(quantity: int, accepted: bool) -> None:
    house = House(option(100, lot_size=75, freeze_qty=1_800, multiplier=1))
    assert house.submit("a", quantity=quantity).accepted is accepted


@pytest.mark.parametrize(("inclusive", "largest"), [(True, 50), (False, 49)])
def test_the_freeze_quantity_is_the_largest_order_or_just_above_it(inclusive: bool, largest: int) -> None:
    house = House(option(100, freeze_inclusive=inclusive))
    assert house.submit("a", quantity=largest).accepted
    assert "freeze" in house.submit("b", quantity=largest + 1).reason


def test_without_a_known_freeze_quantity_nothing_is_taken() -> None:
    assert "freeze quantity is unknown" in House(option(100, freeze_qty=None)).submit("a").reason


@pytest.mark.parametrize(("price", "accepted"), [(12_000, True), (12_500, False), (8_000, True), (7_500, False)])
def test_a_limit_outside_the_band_around_the_mid_is_refused(price: int, accepted: bool) -> None:
    house = House(price_band_pct=20.0)
    house.quote(9_500, 10_500)
    reply = house.submit("a", price=price)
    assert reply.accepted is accepted
    assert accepted or reply.reason == f"price {price / 10_000} is outside the band of 20 % around 1"


def test_without_a_two_sided_quote_there_is_no_band() -> None:
    assert House(price_band_pct=1.0).submit("a", price=90_000).accepted


def test_a_market_order_has_no_price_to_be_outside_the_band() -> None:
    house = House(price_band_pct=1.0)
    house.quote(9_500, 10_500)
    assert house.submit("a", order_type=OrdType.MARKET, price=0).accepted


def test_a_contract_that_expired_on_an_earlier_day_is_refused() -> None:
    dead = option(100, expiry="2026-01-02")
    reason = House(dead).submit("a", symbol=dead.symbol).reason
    assert reason == "expired contract: last day was 2026-01-02"


def test_a_contract_trades_until_the_close_of_its_last_day() -> None:
    today = option(100, expiry="2026-01-05")
    house = House(today, session_close_ns=START + 10 * SECOND)
    house.wait(9)
    assert house.submit("a", symbol=today.symbol).accepted


@pytest.mark.parametrize(("offset", "accepted"), [(-1, False), (0, True), (9, True), (10, False)])
def test_orders_are_taken_from_the_open_until_just_before_the_close(offset: int, accepted: bool) -> None:
    house = House(session_open_ns=START, session_close_ns=START + 10 * SECOND)
    house.now += offset * SECOND
    reply = house.submit("a")
    assert reply.accepted is accepted
    assert accepted or reply.reason == "session closed"


def test_more_orders_than_the_rate_allows_are_refused_until_a_second_has_passed() -> None:
    house = House(orders_per_second=2)
    assert house.submit("a").accepted
    house.now += SECOND // 2
    assert house.modify("a", price=10_500).accepted
    assert house.submit("b").reason == "rate limit: 2 orders per second"
    assert house.modify("a", price=10_000).reason == "rate limit: 2 orders per second"
    assert house.cancel("a").accepted, "cancels are never throttled"
    house.now += SECOND // 2
    assert house.submit("c").accepted
    assert not house.submit("d").accepted


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("x" * 20, ""),
        ("x" * 21, "client order id too long: 21 characters, at most 20"),
        ("", "client order id is empty"),
    ],
)
def test_a_tag_has_a_length(tag: str, reason: str) -> None:
    assert House(max_tag_length=20).submit(tag).reason == reason


def test_a_protected_market_order_needs_a_price_to_be_protected_from() -> None:
    house = House(market_protection_pct=5.0)
    house.quote(0, 10_500, bid_size=0)
    reply = house.submit("a", side=Side.SELL, order_type=OrdType.MARKET, price=0)
    assert reply.reason == "no price to protect a market order from"
    assert house.submit("b", side=Side.BUY, order_type=OrdType.MARKET, price=0).accepted


# --- margin ---


def test_an_uncovered_short_beyond_the_funds_is_refused_with_figures() -> None:
    house = House(margin_check=True, cash=20_000_000)  # 2,000
    house.quote(990_000, 1_000_000, symbol=SHARES)
    house.quote(20_000, 20_500)
    reply = house.submit("a", side=Side.SELL, quantity=1, price=20_000)
    premium, reg_t = 2.025, 0.20 * 99.5 - 0.5
    assert reply.reason == f"insufficient margin: needs {100 * (premium + reg_t):g}, has 2000"


def test_the_same_short_is_taken_once_a_long_covers_it_but_not_before_that_has_filled() -> None:
    cheap = option(105)
    house = House(STOCK, CALL_100, cheap, margin_check=True, cash=8_000_000)  # 800: the width of 500, and a premium
    house.quote(990_000, 1_000_000, symbol=SHARES)
    house.quote(20_000, 20_500)
    house.quote(10_000, 10_500, symbol=cheap.symbol, ask_size=0)
    house.submit("long", symbol=cheap.symbol, quantity=1, price=10_500)
    assert "insufficient margin" in house.submit("early", side=Side.SELL, quantity=1, price=20_000).reason
    house.quote(10_000, 10_500, symbol=cheap.symbol)
    assert house.submit("short", side=Side.SELL, quantity=1, price=20_000).reason == ""


def test_a_premium_beyond_the_cash_is_refused_and_so_is_a_modify_to_it() -> None:
    house = House(margin_check=True, cash=2_000_000)  # 200
    assert house.submit("a", quantity=1, price=20_000).accepted
    assert house.submit("b", quantity=1, price=500).reason == "insufficient margin: needs 205, has 200"
    assert house.modify("a", quantity=2, price=20_000).reason == "insufficient margin: needs 400, has 200"
    assert house.modify("a", quantity=1, price=19_500).accepted


def test_buying_back_a_short_is_never_refused_for_want_of_margin() -> None:
    house = House(margin_check=True, cash=25_000_000)
    house.quote(990_000, 1_000_000, symbol=SHARES)
    house.quote(20_000, 20_500)
    house.submit("short", side=Side.SELL, quantity=1, price=20_000)
    house.quote(1_290_000, 1_300_000, symbol=SHARES)
    house.quote(300_000, 305_000)
    assert "insufficient margin" in house.submit("more", side=Side.SELL, quantity=1, price=300_000).reason
    assert house.submit("back", quantity=1, price=305_000).reason == ""
    assert house.held() == {}


def test_working_sells_of_one_long_count_only_once_as_closing() -> None:
    house = House(STOCK, PUT_100, margin_check=True, cash=1_000_000)
    house.quote(990_000, 1_000_000, symbol=SHARES)
    house.quote(500, 1_000, symbol=PUT_100.symbol)
    house.submit("long", symbol=PUT_100.symbol, quantity=1, price=1_000)
    assert house.submit("close", symbol=PUT_100.symbol, side=Side.SELL, quantity=1, price=2_000).accepted
    assert (
        "insufficient" in house.submit("twice", symbol=PUT_100.symbol, side=Side.SELL, quantity=1, price=2_000).reason
    )


def test_the_table_of_checks_is_tested_row_by_row() -> None:
    assert [check.__name__ for check in CHECKS] == [
        "_tag",
        "_session",
        "_expired",
        "_positive",
        "_lots",
        "_freeze",
        "_limit_price",
        "_trigger_price",
        "_band",
        "_protection",
    ]
