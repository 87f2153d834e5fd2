"""Orders meet quotes: matching, partial fills, stops, market orders, cancels, modifies, duplicates, time."""

from __future__ import annotations

import pytest
from house import CALL, PUT, SECOND, START, House, option, types

from domain.execution import ExecType, OrdStatus, OrdType, Side, TimeInForce
from domain.instruments import Instrument
from domain.quotes import Quote

# --- limit orders ---


def test_an_incoming_limit_order_trades_at_the_touch_not_at_its_limit() -> None:
    house = House()
    house.quote(10_000, 10_500)
    reply = house.submit("a", price=11_000)
    assert types(reply.reports) == [ExecType.NEW, ExecType.TRADE]
    new, trade = reply.reports
    assert (new.ord_status, new.cum_qty, new.leaves_qty) == (OrdStatus.NEW, 0, 5)
    assert (trade.ord_status, trade.cum_qty, trade.leaves_qty) == (OrdStatus.FILLED, 5, 0)
    assert (trade.last_qty, trade.last_px, trade.avg_px, trade.order_qty) == (5, 10_500, 10_500, 5)
    assert reply.accepted
    assert reply.venue_order_id == trade.venue_order_id != ""


def test_a_limit_order_that_does_not_reach_the_touch_rests_and_trades_at_its_limit_when_the_touch_comes() -> None:
    house = House()
    house.quote(10_000, 11_500)
    assert types(house.submit("a", price=11_000).reports) == [ExecType.NEW]
    assert house.quote(10_000, 11_500) == []
    (trade,) = house.quote(10_000, 10_500)
    assert (trade.last_px, trade.last_qty, trade.ord_status) == (11_000, 5, OrdStatus.FILLED)


def test_a_touch_equal_to_the_limit_trades() -> None:
    house = House()
    house.submit("a", side=Side.SELL, price=10_000)
    (trade,) = house.quote(10_000, 11_000)
    assert (trade.last_px, trade.side) == (10_000, Side.SELL)


def test_an_order_takes_no_more_than_is_displayed_and_waits_for_the_next_quote() -> None:
    house = House()
    house.quote(10_000, 10_500, ask_size=2)
    first = house.submit("a", quantity=5, price=11_000).reports[-1]
    assert (first.ord_status, first.cum_qty, first.leaves_qty) == (OrdStatus.PARTIALLY_FILLED, 2, 3)
    assert house.submit("b", quantity=1, price=11_000).reports[-1].exec_type is ExecType.NEW, "the size is used up"
    trades = house.quote(10_000, 10_500, ask_size=3)
    assert [(t.client_order_id, t.last_qty, t.last_px) for t in trades] == [("a", 3, 11_000)]
    assert trades[0].avg_px == (2 * 10_500 + 3 * 11_000) // 5
    assert [t.client_order_id for t in house.quote(10_000, 10_500, ask_size=3)] == ["b"]


def test_displayed_size_is_taken_in_whole_lots_only() -> None:
    lots = House(_in_lots(75))
    lots.quote(10_000, 10_500, ask_size=149)
    trade = lots.submit("a", quantity=150).reports[-1]
    assert (trade.last_qty, trade.leaves_qty) == (75, 75)


def test_the_best_price_trades_first_then_who_came_first() -> None:
    house = House()
    house.submit("late", quantity=1, price=10_500)
    house.submit("best", quantity=1, price=11_000)
    house.submit("later", quantity=1, price=10_500)
    assert [t.client_order_id for t in house.quote(9_000, 9_500, ask_size=2)] == ["best", "late"]
    assert [t.client_order_id for t in house.quote(9_000, 9_500, ask_size=2)] == ["later"]


def test_own_orders_never_trade_with_each_other() -> None:
    house = House()
    house.submit("buy", price=11_000)
    assert types(house.submit("sell", side=Side.SELL, price=10_000).reports) == [ExecType.NEW]


def test_an_ioc_order_takes_what_is_there_and_cancels_the_rest_in_a_report_of_its_own() -> None:
    house = House()
    house.quote(10_000, 10_500, ask_size=2)
    reports = house.submit("a", time_in_force=TimeInForce.IOC).reports
    assert types(reports) == [ExecType.NEW, ExecType.TRADE, ExecType.CANCELED]
    assert (reports[-1].ord_status, reports[-1].cum_qty, reports[-1].leaves_qty) == (OrdStatus.CANCELED, 2, 0)
    assert house.quote(10_000, 10_500) == []


# --- market orders ---


def test_a_market_order_trades_at_any_price_and_its_rest_at_the_next_touch() -> None:
    house = House()
    house.quote(10_000, 10_500, ask_size=2)
    trade = house.submit("a", order_type=OrdType.MARKET, price=0).reports[-1]
    assert (trade.last_px, trade.last_qty) == (10_500, 2)
    (rest,) = house.quote(10_000, 90_000)
    assert (rest.last_px, rest.last_qty, rest.ord_status) == (90_000, 3, OrdStatus.FILLED)


def test_a_market_order_waits_for_a_quote() -> None:
    house = House()
    assert types(house.submit("a", side=Side.SELL, order_type=OrdType.MARKET, price=0).reports) == [ExecType.NEW]
    assert house.quote(0, 10_500, bid_size=0) == []
    assert types(house.quote(10_000, 10_500)) == [ExecType.TRADE]


def test_an_ioc_market_order_without_a_quote_is_canceled() -> None:
    reports = House().submit("a", order_type=OrdType.MARKET, price=0, time_in_force=TimeInForce.IOC).reports
    assert types(reports) == [ExecType.NEW, ExecType.CANCELED]


@pytest.mark.parametrize(
    ("side", "gone", "back", "limit"),
    [(Side.BUY, (10_000, 12_000), (9_000, 11_500), 11_500), (Side.SELL, (8_000, 12_000), (9_500, 12_000), 9_500)],
)
def test_a_protected_market_order_becomes_a_limit_and_its_rest_rests(
    side: Side, gone: tuple[int, int], back: tuple[int, int], limit: int
) -> None:
    house = House(market_protection_pct=5.0)
    house.quote(10_000, 11_000, bid_size=2, ask_size=2)
    trade = house.submit("a", side=side, order_type=OrdType.MARKET, price=0).reports[-1]
    assert trade.leaves_qty == 3
    assert house.quote(*gone) == [], "beyond the protection"
    (rest,) = house.quote(*back)
    assert rest.last_px == limit


# --- stops ---


@pytest.mark.parametrize(("side", "before", "after"), [(Side.BUY, 11_000, 12_000), (Side.SELL, 13_000, 12_000)])
def test_a_stop_waits_until_the_mid_reaches_its_trigger_and_then_acts_as_a_limit(
    side: Side, before: int, after: int
) -> None:
    house = House()
    house.quote(before - 500, before + 500)
    limit = 12_500 if side is Side.BUY else 11_500
    reply = house.submit("s", side=side, order_type=OrdType.STOP_LIMIT, price=limit, trigger_price=12_000)
    assert types(reply.reports) == [ExecType.NEW]
    assert house.quote(before - 500, before + 500) == []
    triggered, trade = house.quote(after - 500, after + 500)
    assert (triggered.exec_type, triggered.ord_status, triggered.cum_qty) == (ExecType.TRIGGERED, OrdStatus.NEW, 0)
    assert (trade.exec_type, trade.ord_status, trade.last_px) == (ExecType.TRADE, OrdStatus.FILLED, limit)


def test_a_gap_through_the_stop_limit_triggers_and_leaves_the_order_resting() -> None:
    house = House()
    house.quote(20_000, 20_500)
    house.submit("s", side=Side.SELL, order_type=OrdType.STOP_LIMIT, price=17_500, trigger_price=18_000)
    assert types(house.quote(10_000, 10_500)) == [ExecType.TRIGGERED]
    assert house.quote(17_000, 18_000) == []
    (trade,) = house.quote(17_500, 18_000)
    assert trade.last_px == 17_500


def test_a_stop_whose_trigger_is_reached_already_triggers_at_once() -> None:
    house = House()
    house.quote(11_500, 12_500)
    reply = house.submit("s", order_type=OrdType.STOP_LIMIT, price=13_000, trigger_price=12_000)
    assert types(reply.reports) == [ExecType.NEW, ExecType.TRIGGERED, ExecType.TRADE]


def test_a_one_sided_quote_triggers_nothing() -> None:
    house = House()
    house.submit("s", side=Side.SELL, order_type=OrdType.STOP_LIMIT, price=10_000, trigger_price=12_000)
    assert house.quote(0, 500, bid_size=0) == []


def test_an_ioc_stop_waits_for_its_trigger_and_is_immediate_from_then_on() -> None:
    house = House()
    house.quote(10_000, 10_500)
    house.submit("s", order_type=OrdType.STOP_LIMIT, price=12_500, trigger_price=12_000, time_in_force=TimeInForce.IOC)
    assert types(house.quote(11_500, 12_500, ask_size=1)) == [ExecType.TRIGGERED, ExecType.TRADE, ExecType.CANCELED]


# --- identity ---


def test_a_duplicate_is_refused_with_the_status_of_the_first_order_which_stays_as_it_is() -> None:
    house = House()
    house.quote(10_000, 10_500, ask_size=2)
    first = house.submit("a")
    again = house.submit("a", quantity=9)
    assert (again.accepted, again.venue_order_id) == (False, first.venue_order_id)
    assert again.reason == "duplicate client order id: the first order is partially_filled"
    (report,) = again.reports
    assert (report.exec_type, report.ord_status) == (ExecType.REJECTED, OrdStatus.PARTIALLY_FILLED)
    assert (report.order_qty, report.cum_qty, report.leaves_qty) == (5, 2, 3)
    assert len(house.exchange.orders(house.now)) == 1
    assert house.quote(10_000, 10_500)[-1].ord_status is OrdStatus.FILLED


def test_a_house_that_does_not_deduplicate_takes_the_same_id_twice() -> None:
    house = House(deduplicate=False)
    house.submit("a")
    assert house.submit("a").accepted
    trades = house.quote(9_000, 9_500)
    assert [t.client_order_id for t in trades] == ["a", "a"]
    assert house.held() == {CALL: 10}


def test_a_cancel_in_a_house_that_does_not_deduplicate_finds_the_order_that_still_works() -> None:
    house = House(deduplicate=False)
    house.submit("a", price=10_000)
    house.submit("a", price=11_000)
    house.quote(10_000, 10_500)
    assert house.cancel("a").accepted
    assert types(house.reports)[-1] is ExecType.CANCELED


def test_exec_ids_and_times_grow_strictly_also_within_one_instant() -> None:
    house = House()
    house.quote(10_000, 10_500, ask_size=1)
    house.submit("a")
    house.now -= SECOND
    house.submit("b")
    house.cancel("b")
    ids, times = [r.exec_id for r in house.reports], [r.ts_ns for r in house.reports]
    assert len(ids) > 3
    assert ids == sorted(set(ids))
    assert times == sorted(set(times))
    assert [e.ts_ns for e in house.truth] == sorted({e.ts_ns for e in house.truth})


def test_everything_is_recorded_before_it_is_told() -> None:
    house = House()
    house.quote(10_000, 10_500, ask_size=1)
    reply = house.submit("a")
    assert house.kinds() == ["order_received", "accepted", "fill"]
    assert [(e.ts_ns, e.exec_id) for e in house.truth[1:]] == [(r.ts_ns, r.exec_id) for r in reply.reports]
    fill = house.truth[-1]
    assert (fill.side, fill.qty, fill.price, fill.last_px, fill.cum_qty, fill.leaves_qty) == ("buy", 5, 1.1, 1.05, 1, 4)


# --- queries ---


def test_orders_lists_every_order_of_the_session_without_news() -> None:
    house = House()
    house.quote(10_000, 10_500, ask_size=2)
    house.submit("a")
    house.submit("bad", quantity=0)
    house.submit("c", price=10_000)
    house.cancel("c")
    answer = house.exchange.orders(house.now)
    assert [(r.client_order_id, r.ord_status, r.cum_qty, r.leaves_qty) for r in answer] == [
        ("a", OrdStatus.PARTIALLY_FILLED, 2, 3),
        ("bad", OrdStatus.REJECTED, 0, 0),
        ("c", OrdStatus.CANCELED, 0, 0),
    ]
    assert {r.exec_type for r in answer} == {ExecType.ORDER_STATUS}
    assert {r.exec_id for r in answer} == {""}
    assert all(r.ts_ns >= house.reports[-1].ts_ns for r in answer)


def test_executions_lists_every_trade_as_it_was_reported() -> None:
    house = House()
    house.quote(10_000, 10_500, ask_size=2)
    house.submit("a")
    house.quote(10_000, 10_500)
    assert house.exchange.executions() == [r for r in house.reports if r.exec_type is ExecType.TRADE]


def test_the_last_quote_of_each_symbol_can_be_asked_for() -> None:
    house = House()
    house.quote(1, 2)
    house.quote(10_000, 10_500)
    assert house.exchange.last_quote[CALL] == Quote(CALL, START, 10_000, 10, 10_500, 10)
    assert PUT not in house.exchange.last_quote


def test_a_quote_of_an_unlisted_symbol_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="'NOPE', which is not listed"):
        House().quote(1, 2, symbol="NOPE")


# --- the session ---


def test_day_orders_expire_at_the_close_and_nothing_trades_after_it() -> None:
    house = House(session_open_ns=START, session_close_ns=START + 10 * SECOND)
    house.submit("a")
    house.submit("s", order_type=OrdType.STOP_LIMIT, price=13_000, trigger_price=12_000)
    assert house.wait(9.999) == []
    expired = house.wait(0.001)
    assert [(r.exec_type, r.ord_status, r.leaves_qty) for r in expired] == [
        (ExecType.EXPIRED, OrdStatus.EXPIRED, 0)
    ] * 2
    assert house.quote(9_000, 9_500) == []
    assert house.submit("b").reason == "session closed"


def test_a_quote_after_the_close_expires_the_orders_instead_of_filling_them() -> None:
    house = House(session_close_ns=START + 10 * SECOND)
    house.submit("a")
    house.now += 10 * SECOND
    assert types(house.quote(9_000, 9_500)) == [ExecType.EXPIRED]


def test_a_cancel_that_is_due_after_the_close_is_too_late() -> None:
    house = House(session_close_ns=START + 10 * SECOND, cancel_latency_ns=4 * SECOND)
    house.submit("in time")
    house.submit("late")
    house.wait(5)
    house.cancel("in time")
    house.wait(2)
    house.cancel("late")
    assert [(r.client_order_id, r.exec_type) for r in house.wait(60)] == [
        ("in time", ExecType.CANCELED),
        ("late", ExecType.EXPIRED),
        ("late", ExecType.CANCEL_REJECT),
    ]


def test_quotes_before_the_open_are_shown_and_meet_orders_from_the_open_on() -> None:
    house = House(session_open_ns=START + SECOND)
    house.quote(10_000, 10_500)
    assert house.submit("early").reason == "session closed"
    house.wait(1)
    assert house.submit("a").reports[-1].last_px == 10_500


def _in_lots(lot: int) -> Instrument:
    return option(100, lot_size=lot, freeze_qty=1_800, multiplier=1)
