"""The exchange by its calendar: sessions day after day, expiry in its time zone, halts, and late assignments."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from house import CALL, SHARES, STOCK, House, option

from domain.execution import ExecType, OrdType, Side
from domain.instruments import Right
from domain.money import PRICE_SCALE
from messages.orders import ActivityKind
from venue.rules import Rules


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def go_to(house: House, text: str) -> None:
    house.now = at(text)
    house.wait(0)


def test_orders_are_taken_in_the_sessions_of_the_calendar_and_expire_at_each_close() -> None:
    house = House(calendar="us_options")  # it is 2026-01-05 09:30 in New York
    house.quote(10_000, 10_500)
    for day in ("05", "06"):
        go_to(house, f"2026-01-{day}T14:30")
        house.submit(f"rests {day}", price=9_000)
        house.reports.clear()
        go_to(house, f"2026-01-{day}T21:00")
        assert [report.exec_type for report in house.reports] == [ExecType.EXPIRED]
        assert house.submit(f"late {day}").reason == "session closed"
    go_to(house, "2026-01-10T15:00")  # a Saturday
    assert house.submit("saturday").reason == "session closed"


@pytest.mark.parametrize(
    ("calendar", "alive", "dead"),
    [
        ("us_options", "2026-01-09T20:59:59", "2026-01-09T21:00"),
        ("nse", "2026-01-09T09:59:59", "2026-01-09T10:00"),
        ("always", "2026-01-09T23:59:59", "2026-01-10T00:00"),
    ],
)
def test_a_contract_is_exercised_at_the_close_of_its_exchange(calendar: str, alive: str, dead: str) -> None:
    house = House(calendar=calendar)
    go_to(house, "2026-01-06T15:00" if calendar != "nse" else "2026-01-06T06:00")
    house.quote(10_000, 10_500)
    house.submit("a", quantity=2, order_type=OrdType.MARKET)
    house.quote(1_030_000, 1_030_000, symbol=SHARES)
    go_to(house, alive)
    assert house.held() == {CALL: 2}
    go_to(house, dead)
    assert house.held() == {SHARES: 200}
    assert [a.kind for a in house.exchange.activities()] == [ActivityKind.EXERCISE] * 2


def test_a_european_stock_option_at_nse_is_settled_in_shares() -> None:
    contract = option(
        100, Right.PUT, style="european", settlement="physical", multiplier=1, lot_size=500, freeze_qty=9000
    )
    house = House(STOCK, contract, calendar="nse")
    go_to(house, "2026-01-06T06:00")
    house.quote(10_000, 10_500, 1_000, 1_000, symbol=contract.symbol)
    house.submit("a", symbol=contract.symbol, side=Side.SELL, quantity=500, price=10_000)
    house.quote(950_000, 950_000, symbol=SHARES)
    go_to(house, "2026-01-09T10:00")
    assert house.held() == {SHARES: 500}
    assert house.exchange.activities()[-1].price == 100 * PRICE_SCALE


def test_an_expiry_that_the_calendar_does_not_cover_settles_nothing() -> None:
    leap = option(100, expiry="2031-01-17")
    house = House(STOCK, leap, calendar="us_options")
    house.quote(10_000, 10_500, symbol=leap.symbol)
    house.submit("a", symbol=leap.symbol, quantity=2)
    go_to(house, "2031-02-01T15:00")
    assert house.held() == {leap.symbol: 2}


def test_a_late_assignment_is_told_the_next_morning_as_a_position_and_an_activity_and_never_as_a_report() -> None:
    house = House(calendar="us_options")
    house.quote(10_000, 10_500)
    house.submit("a", side=Side.SELL, quantity=5, price=10_000)
    go_to(house, "2026-01-05T20:00")
    house.exchange.assign(CALL, 3, house.now, late=True)
    house.reports.clear()
    go_to(house, "2026-01-06T13:29:59")
    assert house.held() == {CALL: -5}
    assert house.exchange.activities() == []
    go_to(house, "2026-01-06T13:30")
    assert house.held() == {CALL: -2, SHARES: -300}
    assert [(a.kind, a.symbol, a.quantity) for a in house.exchange.activities()] == [
        (ActivityKind.ASSIGNMENT, CALL, 3),
        (ActivityKind.ASSIGNMENT, SHARES, -300),
    ]
    assert house.reports == []
    assert house.truth[-1].kind == "assigned"


def test_what_was_bought_back_before_it_was_told_is_not_assigned() -> None:
    house = House(assign_after_ms=60_000)
    house.quote(10_000, 10_500)
    house.submit("a", side=Side.SELL, quantity=5, price=10_000)
    house.exchange.assign(CALL, 5, house.now, late=True)
    house.quote(10_000, 10_500)
    house.submit("b", quantity=4, price=10_500)
    house.wait(59)
    assert house.held() == {CALL: -1}
    house.wait(1)
    assert house.held() == {SHARES: -100}


def test_a_nasty_house_assigns_what_is_sold_short_by_chance_and_the_same_seed_does_the_same() -> None:
    def story(seed: int) -> list[int]:
        house = House(assign_early=0.5, assign_seed=seed)
        house.quote(10_000, 10_500, 1_000, 1_000)
        for number in range(10):
            house.submit(f"s{number}", side=Side.SELL, quantity=1, price=10_000)
        house.wait(61)
        return [activity.quantity for activity in house.exchange.activities()]

    assert story(1) == story(1)
    assert len(story(1)) in range(2, 20)


def test_a_halt_holds_orders_back_lets_cancels_through_and_ends_with_the_quotes_that_there_are() -> None:
    house = House()
    house.quote(10_000, 10_500)
    house.submit("rests", price=10_000)
    house.submit("gone", price=9_000)
    house.exchange.halt("circuit breaker", house.now)
    house.quote(9_500, 10_000)
    assert house.submit("new").reason == "trading is halted: circuit breaker"
    assert house.cancel("gone").accepted
    assert house.held() == {}
    reports = house.exchange.halt("", house.now)
    assert [(r.client_order_id, r.exec_type) for r in reports] == [("rests", ExecType.TRADE)]
    assert house.submit("again").accepted


def test_a_list_that_changes_overnight_judges_new_orders_by_the_new_limits() -> None:
    house = House()
    house.quote(10_000, 10_500, 100, 100)
    assert house.submit("a", quantity=50).accepted
    house.exchange.relist([option(100, freeze_qty=20, lot_size=10)], house.now)
    assert "not in whole lots of 10" in house.submit("b", quantity=15).reason
    assert "above the freeze quantity" in house.submit("c", quantity=30).reason
    assert house.submit("d", quantity=20).accepted
    with pytest.raises(ValueError, match="is not listed"):
        house.exchange.relist([option(250)], house.now)


def test_rules_name_what_is_wrong_with_them() -> None:
    with pytest.raises(ValueError, match="no calendar is called 'lse'"):
        Rules(calendar="lse")
    with pytest.raises(ValueError, match=r"assign_early is 1\.5; give a chance"):
        Rules(assign_early=1.5)
