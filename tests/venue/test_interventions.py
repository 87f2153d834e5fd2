"""Busts, corrections, assignments and expiries: what the exchange does without being asked."""

from __future__ import annotations

import pytest
from house import CALL, CALL_100, PUT, SECOND, SHARES, START, STOCK, House, option
from msgspec.structs import replace

from domain.execution import ExecType, OrdStatus, OrdType, Side
from domain.instruments import Right
from domain.money import PRICE_SCALE
from messages.orders import ActivityKind
from venue.rules import Rules

CASH = Rules().cash


@pytest.fixture
def house() -> House:
    """An order for 5 that has filled 2 at 1.05, then 3 at 1.10."""
    house = House()
    house.quote(10_000, 10_500, ask_size=2)
    house.submit("a", quantity=5, price=11_000)
    house.quote(10_000, 10_500, ask_size=3)
    return house


def test_a_bust_takes_the_trade_out_of_the_order_the_position_and_the_cash(house: House) -> None:
    first, second = house.exchange.executions()
    (busted,) = house.bust(first.exec_id)
    assert (busted.exec_type, busted.exec_ref_id) == (ExecType.TRADE_CANCEL, first.exec_id)
    assert (busted.cum_qty, busted.leaves_qty, busted.avg_px) == (3, 0, 11_000)
    assert (busted.last_qty, busted.last_px) == (0, 0), "as FIX J.1.a has it"
    assert busted.exec_id > second.exec_id
    assert house.held() == {CALL: 3}
    assert house.exchange.positions()[0].avg_px == 11_000
    assert house.exchange.cash == CASH - 3 * 11_000 * 100
    assert house.exchange.executions()[-1] == busted
    event = house.truth[-1]
    assert (event.kind, event.exec_ref_id, event.last_qty, event.last_px) == ("busted", first.exec_id, 2, 1.05)


def test_a_filled_order_that_is_busted_is_canceled_and_does_not_work_again(house: House) -> None:
    (busted,) = house.bust(house.exchange.executions()[0].exec_id)
    assert busted.ord_status is OrdStatus.CANCELED
    assert house.quote(10_000, 10_500) == []
    assert house.status("a").ord_status is OrdStatus.CANCELED


def test_what_is_busted_from_a_working_order_may_trade_again() -> None:
    house = House()
    house.quote(10_000, 10_500, ask_size=2)
    trade = house.submit("a", quantity=5, price=11_000).reports[-1]
    (busted,) = house.bust(trade.exec_id)
    assert (busted.ord_status, busted.cum_qty, busted.leaves_qty) == (OrdStatus.NEW, 0, 5)
    assert house.quote(10_000, 10_500)[-1].last_qty == 5


def test_a_correction_gives_the_trade_another_quantity_and_price(house: House) -> None:
    first = house.exchange.executions()[0]
    (corrected,) = house.correct(first.exec_id, 1, 10_000)
    assert (corrected.exec_type, corrected.exec_ref_id) == (ExecType.TRADE_CORRECT, first.exec_id)
    assert (corrected.last_qty, corrected.last_px) == (1, 10_000)
    assert (corrected.cum_qty, corrected.leaves_qty, corrected.avg_px) == (4, 0, 10_750)
    assert house.held() == {CALL: 4}
    assert house.exchange.cash == CASH - (10_000 + 33_000) * 100


def test_a_second_correction_refers_to_the_last_one_whichever_id_names_the_trade(house: House) -> None:
    first = house.exchange.executions()[0]
    (one,) = house.correct(first.exec_id, 2, 10_000)
    (two,) = house.correct(first.exec_id, 2, 9_500)
    (three,) = house.bust(one.exec_id)
    assert [one.exec_ref_id, two.exec_ref_id, three.exec_ref_id] == [first.exec_id, one.exec_id, two.exec_id]
    assert {event.exec_ref_id for event in house.truth[-3:]} == {first.exec_id}


def test_a_correction_can_complete_a_working_order_and_restore_a_filled_one(house: House) -> None:
    house.submit("b", quantity=3, price=9_000)
    (trade,) = house.quote(8_500, 9_000, ask_size=1)
    (corrected,) = house.correct(trade.exec_id, 3, 9_000)
    assert (corrected.ord_status, corrected.leaves_qty) == (OrdStatus.FILLED, 0)
    assert house.quote(8_500, 9_000) == []
    smaller, full = (house.correct(trade.exec_id, n, 9_000)[0].ord_status for n in (2, 3))
    assert (smaller, full) == (OrdStatus.CANCELED, OrdStatus.FILLED)


def test_impossible_busts_and_corrections_are_errors_that_say_why(house: House) -> None:
    first = house.exchange.executions()[0].exec_id
    with pytest.raises(ValueError, match="no trade has the exec id 'X9'"):
        house.bust("X9")
    with pytest.raises(ValueError, match="no trade has the exec id"):
        house.correct("X9", 1, 10_000)
    with pytest.raises(ValueError, match="both must be positive; else bust it"):
        house.correct(first, 0, 10_000)
    with pytest.raises(ValueError, match="3 is more than the order for 5 leaves room for"):
        house.correct(first, 3, 10_000)
    house.bust(first)
    with pytest.raises(ValueError, match="busted already"):
        house.bust(first)
    with pytest.raises(ValueError, match="busted already"):
        house.correct(first, 1, 10_000)


def test_the_average_price_of_a_position_follows_adds_keeps_on_reductions_and_starts_anew_across_zero() -> None:
    house = House()
    seen = []
    for number, (side, quantity, price) in enumerate(
        [
            (Side.BUY, 2, 10_000),
            (Side.BUY, 2, 11_000),
            (Side.SELL, 1, 20_000),
            (Side.SELL, 5, 12_000),
            (Side.BUY, 2, 9_000),
        ]
    ):
        house.quote(price, price)
        house.submit(f"o{number}", side=side, quantity=quantity, price=price)
        seen.append([(p.quantity, p.avg_px) for p in house.exchange.positions()])
    assert seen == [[(2, 10_000)], [(4, 10_500)], [(3, 10_500)], [(-2, 12_000)], []]


# --- assignment and expiry ---


@pytest.mark.parametrize(("symbol", "shares"), [(CALL, -300), (PUT, 300)])
def test_an_early_assignment_turns_a_short_option_into_shares_at_the_strike_without_a_report(
    symbol: str, shares: int
) -> None:
    house = House()
    house.quote(10_000, 10_500, symbol=symbol)
    house.submit("a", symbol=symbol, side=Side.SELL, quantity=5, price=10_000)
    cash = house.exchange.cash
    assert house.exchange.assign(symbol, 3, house.now) == []
    assert house.held() == {symbol: -2, SHARES: shares}
    assert {p.symbol: p.avg_px for p in house.exchange.positions()}[SHARES] == 100 * PRICE_SCALE
    assert house.exchange.cash == cash - shares * 100 * PRICE_SCALE
    options, stock = house.truth[-2:]
    assert [(e.kind, e.symbol, e.side, e.last_qty, e.last_px) for e in (options, stock)] == [
        ("assigned", symbol, "buy", 3, 0.0),
        ("assigned", SHARES, "buy" if shares > 0 else "sell", 300, 100.0),
    ]


def test_an_assignment_is_told_as_activities_with_the_option_that_the_shares_came_from() -> None:
    house = House()
    house.quote(10_000, 10_500)
    house.submit("a", side=Side.SELL, quantity=5, price=10_000)
    assert house.exchange.activities() == []
    house.exchange.assign(CALL, 3, house.now)
    option_away, shares = house.exchange.activities()
    kinds = {option_away.kind, shares.kind}
    assert kinds == {ActivityKind.ASSIGNMENT}
    assert (option_away.symbol, option_away.quantity, option_away.price, option_away.option) == (CALL, 3, 0, "")
    assert (shares.symbol, shares.quantity, shares.price, shares.option) == (SHARES, -300, 100 * PRICE_SCALE, CALL)
    assert option_away.activity_id != shares.activity_id


@pytest.mark.parametrize(
    ("kind", "told", "quantity"),
    [
        (ActivityKind.LIQUIDATION, "liquidated", 2),
        (ActivityKind.MANUAL, "manual", 4),
        (ActivityKind.MANUAL, "manual", -4),
        (ActivityKind.CORPORATE, "corporate", -1),
    ],
)
def test_the_broker_and_other_hands_change_a_position_as_an_activity_and_no_report(
    kind: ActivityKind, told: str, quantity: int
) -> None:
    house = House()
    house.quote(10_000, 10_500)
    house.submit("a", side=Side.SELL, quantity=3, price=10_000)
    cash = house.exchange.cash
    assert house.exchange.intervene(kind, CALL, quantity, 10_500, house.now) == []
    assert house.held().get(CALL, 0) == quantity - 3
    assert house.exchange.cash == cash - quantity * 10_500 * 100
    (activity,) = house.exchange.activities()
    assert (activity.kind, activity.quantity, activity.price) == (kind, quantity, 10_500)
    assert (house.truth[-1].kind, house.truth[-1].last_qty) == (told, abs(quantity))


def test_an_intervention_without_a_price_is_at_the_last_one() -> None:
    house = House()
    house.quote(10_000, 11_000)
    house.exchange.intervene(ActivityKind.MANUAL, CALL, 1, 0, house.now)
    assert house.exchange.activities()[0].price == 10_500


@pytest.mark.parametrize(
    ("kind", "symbol", "quantity", "why"),
    [
        (ActivityKind.LIQUIDATION, CALL, 1, "cannot do a liquidation of 1 of .* the account holds 0"),
        (ActivityKind.MANUAL, CALL, 0, "cannot do a manual of 0"),
        (ActivityKind.MANUAL, "NOPE", 1, "'NOPE' is not listed"),
        (ActivityKind.ASSIGNMENT, CALL, 1, "assignment: only corporate, liquidation, manual come from outside"),
    ],
)
def test_an_impossible_intervention_says_why(kind: ActivityKind, symbol: str, quantity: int, why: str) -> None:
    house = House()
    with pytest.raises(ValueError, match=why):
        house.exchange.intervene(kind, symbol, quantity, 10_000, house.now)
    assert house.truth == []


def test_what_cannot_be_assigned_is_an_error_that_says_why() -> None:
    european = option(110, style="european")
    house = House(STOCK, CALL_100, european)
    with pytest.raises(ValueError, match="the account is short 0"):
        house.exchange.assign(CALL, 1, house.now)
    for symbol in (european.symbol, SHARES, "NOPE"):
        with pytest.raises(ValueError, match="not a listed American option"):
            house.exchange.assign(symbol, 1, house.now)
    with pytest.raises(ValueError, match="'ACME' is not listed"):
        House(CALL_100).exchange.assign(CALL, 1, START)


def _at_expiry(held: int, spot: int, style: str, right: Right = Right.CALL) -> House:
    contract = option(100, right, style=style, expiry="2026-01-05")
    house = House(STOCK, contract, session_close_ns=START + 10 * SECOND)
    house.quote(10_000, 10_000, symbol=contract.symbol)
    house.submit(
        "a", symbol=contract.symbol, side=Side.BUY if held > 0 else Side.SELL, quantity=abs(held), price=10_000
    )
    house.quote(spot, spot, symbol=SHARES)
    house.wait(10)
    return house


@pytest.mark.parametrize(
    ("held", "spot", "right", "kind", "shares"),
    [
        (2, 1_000_100, Right.CALL, "exercised", 200),
        (-2, 1_000_100, Right.CALL, "assigned", -200),
        (2, 999_900, Right.PUT, "exercised", -200),
        (-2, 999_900, Right.PUT, "assigned", 200),
        (2, 1_000_099, Right.CALL, "expired", 0),
        (-2, 1_000_000, Right.PUT, "expired", 0),
    ],
)
def test_an_american_option_a_cent_in_the_money_becomes_shares_at_expiry(
    held: int, spot: int, right: Right, kind: str, shares: int
) -> None:
    house = _at_expiry(held, spot, "american", right)
    assert house.held() == ({SHARES: shares} if shares else {})
    assert house.truth[-1].kind == kind
    assert house.exchange.cash == CASH - held * 10_000 * 100 - shares * 100 * PRICE_SCALE


def test_a_european_option_in_the_money_is_settled_in_cash_at_expiry() -> None:
    house = _at_expiry(-2, 1_030_000, "european")
    assert house.held() == {}
    assert house.exchange.cash == CASH + 2 * 10_000 * 100 - 2 * 30_000 * 100
    assert (house.truth[-1].kind, house.truth[-1].last_px) == ("assigned", 3.0)


def test_nobody_trades_an_option_that_has_expired() -> None:
    house = _at_expiry(2, 1_030_000, "american")
    expired = option(100, Right.CALL, style="american", expiry="2026-01-05").symbol
    with pytest.raises(ValueError, match="has expired: nobody trades it any more"):
        house.exchange.intervene(ActivityKind.MANUAL, expired, 2, 10_000, house.now)


def test_an_option_expires_once() -> None:
    house = _at_expiry(2, 1_030_000, "american")
    events = len(house.truth)
    house.wait(60)
    assert len(house.truth) == events


@pytest.mark.parametrize(("spot", "kind"), [(1_000_100, "assigned"), (1_000_099, "expired")])
def test_what_a_bust_after_the_expiry_leaves_of_the_contract_is_settled_too(spot: int, kind: str) -> None:
    house = _at_expiry(2, spot, "american")
    house.quote(2_000_000, 2_000_100, symbol=SHARES)  # what shares cost since is nothing to a contract that has ended
    trade = house.exchange.executions()[0]
    house.bust(trade.exec_id)
    assert house.held() == {}
    assert kind in {event.kind for event in house.truth[-2:]}
    assert house.exchange.cash == CASH, "the shares went back at the strike"
    assert sum(activity.quantity for activity in house.exchange.activities() if activity.symbol != SHARES) == 0


def test_what_a_correction_after_the_expiry_leaves_of_the_contract_is_settled_too() -> None:
    house = _at_expiry(-2, 1_030_000, "european")
    trade = house.exchange.executions()[0]
    house.correct(trade.exec_id, 1, trade.last_px)
    assert house.held() == {}
    assert house.exchange.cash == CASH + 10_000 * 100 - 30_000 * 100


def test_without_a_price_of_the_underlying_a_position_stays_on_the_books() -> None:
    today = option(100, expiry="2026-01-05")
    house = House(today, session_close_ns=START + SECOND)
    house.quote(10_000, 10_500, symbol=today.symbol)
    house.submit("a", symbol=today.symbol)
    house.wait(1)
    assert house.held() == {today.symbol: 5}


def test_in_a_house_that_never_closes_a_contract_dies_at_midnight_utc_after_its_last_day() -> None:
    today = option(100, expiry="2026-01-05")
    house = House(STOCK, today)
    house.submit("a", symbol=today.symbol)
    assert house.wait(9.5 * 3_600 - 1) == []
    assert [r.exec_type for r in house.wait(1)] == [ExecType.EXPIRED]
    assert "expired contract" in house.submit("b", symbol=today.symbol).reason


# --- trades with nobody who was displayed, and a stricter house ---


def test_an_order_that_somebody_meets_fills_at_its_limit_and_is_too_late_to_cancel(house: House) -> None:
    house.quote(10_000, 10_500, ask_size=0)
    house.submit("b", quantity=5, price=10_000)
    (first,) = house.exchange.meet("b", 2, house.now)
    assert (first.last_qty, first.last_px, first.leaves_qty) == (2, 10_000, 3)
    (last,) = house.exchange.meet("b", 0, house.now)
    assert (last.last_qty, last.ord_status) == (3, OrdStatus.FILLED)
    assert house.cancel("b").reason == "too late: the order is filled"
    assert house.held() == {CALL: 10}


def test_a_stop_that_somebody_meets_is_triggered_first(house: House) -> None:
    house.submit("b", quantity=1, order_type=OrdType.STOP_LIMIT, price=20_000, trigger_price=19_000)
    told = house.exchange.meet("b", 0, house.now)
    assert [report.exec_type for report in told] == [ExecType.TRIGGERED, ExecType.TRADE]


@pytest.mark.parametrize("order_id", ["nobody", "a", "halted"])
def test_what_cannot_trade_is_met_by_nobody(house: House, order_id: str) -> None:
    if order_id == "halted":
        house.quote(10_000, 10_500, ask_size=0)
        house.submit(order_id, quantity=1, price=10_000)
        house.exchange.halt("a volatility halt", house.now)
    with pytest.raises((KeyError, ValueError), match=order_id):
        house.exchange.meet(order_id, 0, house.now)


def test_a_house_that_becomes_strict_refuses_what_is_new_and_keeps_what_works(house: House) -> None:
    house.quote(10_000, 10_500, ask_size=0)
    house.submit("b", quantity=1, price=10_000)
    rules = Rules()
    house.exchange.be_strict(replace(rules, margin_check=True, withheld=2 * rules.cash))
    assert "insufficient margin" in house.submit("c", quantity=1, price=10_000).reason
    assert house.submit("out", side=Side.SELL, quantity=5, price=11_000).accepted, "it needs no more than before"
    house.exchange.be_strict(replace(rules, price_band_pct=1.0))
    assert "outside the band" in house.submit("d", quantity=1, price=9_000).reason
    house.exchange.be_strict(rules)
    assert house.submit("e", quantity=1, price=9_000).accepted
    assert house.status("b").ord_status is OrdStatus.NEW
