"""Every pre-trade control, judged by what the broker sees: switched off, its test fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gateway_door import (
    DAY_NS,
    LONG,
    NOW_NS,
    SHORT,
    Clock,
    Door,
    door,
    lets_out,
    order,
    paced_door,
    put,
    refuses,
    report,
)
from msgspec.structs import replace

from actors.machine import running_on
from decisions.effects import MS
from decisions.gateway.repeats import strategy_subject, subject_of
from domain.execution import ExecType, OrdType, Side
from domain.groups import Role
from domain.instruments import Instrument
from domain.strategies import StrategyRules, strategy_group_id
from domain.trading import TradingState
from domain.verticals import VerticalKind
from messages.controls import EnableControl, OverrideControl, SetTradingState
from messages.operator import CommandDone, CommandRefused, KillSwitch
from messages.orders import Outcome, Position, SubmitOrder
from messages.records import ControlAction, Severity

BUY = order(LONG, Side.BUY)
SELL = order(SHORT, Side.SELL)


def test_e1_an_order_beyond_the_most_units_or_the_most_money_does_not_leave(tmp_path: Path) -> None:
    with door(tmp_path, max_order_qty=10, max_order_notional=500) as gateway:
        refuses(gateway, order(LONG, Side.BUY, 11), "E1")
        refuses(gateway, order(LONG, Side.BUY, 6, ordinal=1), "E1")
        refuses(gateway, order(LONG, Side.BUY, 6, role=Role.HEDGE, ordinal=2), "E1")
        lets_out(gateway, order(LONG, Side.BUY, 5, ordinal=3))


@pytest.mark.parametrize("price", [0, -5_000, 50_0000], ids=["missing", "negative", "far away"])
def test_e2_a_price_that_is_missing_or_far_from_the_market_does_not_leave(tmp_path: Path, price: int) -> None:
    with door(tmp_path) as gateway:
        refuses(gateway, order(LONG, Side.BUY, price=price), "E2")


def test_e2_without_a_fresh_quote_no_entry_leaves_and_a_repair_does(tmp_path: Path) -> None:
    with door(tmp_path, reference_max_age_ms=1_000) as gateway:
        gateway.passes(2_000)
        refuses(gateway, BUY, "E2")
        lets_out(gateway, order(LONG, Side.BUY, role=Role.HEDGE))


def test_e3_an_id_is_one_order_for_ever(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        lets_out(gateway, BUY)
        assert gateway.hear(BUY) == [], "a copy is neither sent nor answered"
        gateway.hear(replace(BUY, quantity=2))
        assert gateway.sent == [BUY]
        assert gateway.refused_by("E3") == 1


def test_e5_too_many_open_orders_stop_entries_and_no_repair(tmp_path: Path) -> None:
    with door(tmp_path, max_open_orders=1) as gateway:
        lets_out(gateway, BUY)
        refuses(gateway, SELL, "E5")
        lets_out(gateway, order(LONG, Side.BUY, role=Role.HEDGE))


def test_e6_the_children_of_a_parent_never_exceed_it(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        lets_out(gateway, replace(BUY, quantity=3, parent_qty=5))
        refuses(gateway, replace(order(LONG, Side.BUY, 3, slice_no=1), parent_qty=5), "E6")


def test_e7_the_last_tokens_are_for_repairs_and_cancels(tmp_path: Path) -> None:
    with paced_door(tmp_path, orders_per_second=3, reserved_tokens=2) as gateway:
        hedge = order(LONG, Side.BUY, role=Role.HEDGE)
        gateway.hear(BUY, SELL)
        assert gateway.sent == [BUY], "the second entry waits"
        gateway.hear(hedge)
        assert gateway.sent == [BUY, hedge]


def trade(gateway: Door, times: int, instrument: Instrument = LONG, role: Role | None = None) -> list[SubmitOrder]:
    """So many parent orders of one symbol trade, one after the other."""
    made = [order(instrument, Side.BUY, group_id=f"g{n}", role=role) for n in range(times)]
    for each in made:
        lets_out(gateway, each)
        gateway.fills(each)
    return made


def test_e8_what_is_executed_again_and_again_is_disabled_until_a_person_enables_it(tmp_path: Path) -> None:
    with door(tmp_path, repeat_limit=3) as gateway:
        made = trade(gateway, 3)
        late = order(LONG, Side.BUY, group_id="late")
        lets_out(gateway, late)
        lets_out(gateway, works := order(LONG, Side.BUY, group_id="working"))
        gateway.fills(late)
        assert gateway.canceled == [works.client_order_id], "what works of it is canceled"
        refuses(gateway, order(LONG, Side.BUY, group_id="more"), "E8")
        lets_out(gateway, SELL)
        assert [(a.kind, a.severity) for a in gateway.alerts] == [("REPEATED_EXECUTION", Severity.CRITICAL)]
    subject = subject_of(LONG.symbol, Side.BUY)
    with door(tmp_path, repeat_limit=3) as gateway:
        refuses(gateway, order(LONG, Side.BUY, group_id="restart"), "E8")
        assert isinstance(gateway.told(EnableControl("something else", "why", "maria")), CommandRefused)
        gateway.passes(1_000)
        assert isinstance(gateway.told(EnableControl(subject, "meant it", "maria")), CommandDone)
        lets_out(gateway, order(LONG, Side.BUY, group_id="again"))
        told = [report(o, ExecType.TRADE, 1, NOW_NS, last_qty=1, last_px=o.price) for o in [*made, late]]
        gateway.snapshot(executions=tuple(told))
        lets_out(gateway, order(LONG, Side.BUY, group_id="and again"))


def test_e8_a_restart_in_the_middle_counts_on_from_the_brokers_own_record(tmp_path: Path) -> None:
    with door(tmp_path, repeat_limit=3) as gateway:
        made = trade(gateway, 3)
    with door(tmp_path, repeat_limit=3) as gateway:
        told = [report(o, ExecType.TRADE, 1, NOW_NS, last_qty=1, last_px=o.price) for o in made]
        gateway.snapshot(executions=tuple(told))
        lets_out(gateway, fourth := order(LONG, Side.BUY, group_id="fourth"))
        gateway.fills(fourth)
        refuses(gateway, order(LONG, Side.BUY, group_id="fifth"), "E8")


def test_e8_slices_and_slow_trading_are_no_repetition(tmp_path: Path) -> None:
    with door(tmp_path, repeat_limit=3, repeat_window_ms=1_000) as gateway:
        for number in range(6):
            lets_out(gateway, part := order(LONG, Side.BUY, slice_no=number))
            gateway.fills(part)
        for number in range(6):
            gateway.passes(400)
            lets_out(gateway, slow := order(SHORT, Side.BUY, group_id=f"s{number}"))
            gateway.fills(slow)
        assert gateway.alerts == []


def test_e8_repairs_are_alerted_and_never_disabled(tmp_path: Path) -> None:
    with door(tmp_path, repeat_limit=3) as gateway:
        trade(gateway, 5, role=Role.HEDGE)
        assert [a.kind for a in gateway.alerts] == ["REPEATED_EXECUTION"]
        lets_out(gateway, BUY)


WEEKLY = StrategyRules(name="weekly", kind=VerticalKind.BULL_PUT, underlying="XYZ", quantity=1)
MONTHLY = replace(WEEKLY, name="monthly")


def opened(number: int, name: str = "weekly", **changes: Any) -> SubmitOrder:
    """An entry of a strategy's group; each is of another contract."""
    group_id = strategy_group_id(name, number, (1,))
    return order(put(80 + 5 * (number % 8)), Side.BUY, group_id=group_id, **changes)


def test_e8_a_strategy_that_is_applied_again_and_again_is_disabled_until_a_person_enables_it(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"strategies": (WEEKLY, MONTHLY), "strategy_limit": 3}
    with door(tmp_path, **settings) as gateway:
        for number in range(3):
            lets_out(gateway, opened(number))
            gateway.works(opened(number))
        lets_out(gateway, opened(0, slice_no=1))
        assert gateway.canceled == []
        said = refuses(gateway, opened(3), "E8")
        assert "strategy weekly was applied 3 times within 60 s (controls.strategy_limit = 3)" in said
        gateway.passes(20)
        assert set(gateway.canceled) == {opened(n).client_order_id for n in range(3)} | {
            opened(0, slice_no=1).client_order_id
        }, "what works of it is canceled"
        assert [(a.kind, a.severity) for a in gateway.alerts] == [("REPEATED_EXECUTION", Severity.CRITICAL)]
        lets_out(gateway, opened(1, role=Role.HEDGE))
        lets_out(gateway, opened(4, "monthly"))
        lets_out(gateway, order(put(115), Side.BUY, group_id="weekly"))
    with door(tmp_path, **settings) as gateway:
        gateway.snapshot(orders=(report(opened(2), ExecType.ORDER_STATUS, 0, NOW_NS),))
        assert gateway.canceled == [opened(2).client_order_id], "and again by the next gateway"
        refuses(gateway, opened(5), "E8")
        gateway.passes(1_000)
        assert isinstance(gateway.told(EnableControl(strategy_subject("weekly"), "meant it", "maria")), CommandDone)
        lets_out(gateway, opened(6))


def test_e8_applications_are_counted_over_a_restart_and_forgotten_after_the_window(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"strategies": (WEEKLY,), "strategy_limit": 2, "repeat_window_ms": 1_000}
    with door(tmp_path, **settings) as gateway:
        lets_out(gateway, opened(0))
    with door(tmp_path, **settings) as gateway:
        gateway.passes(600)
        lets_out(gateway, opened(1))
        gateway.passes(600)
        lets_out(gateway, opened(2))
        refuses(gateway, opened(3), "E8")
        kept = {r.subject for r in gateway.journaled() if r.subject.startswith("applied/")}
        assert len(kept) == 2, "no more than a window may hold"


def test_e9_the_kill_switch_cancels_entries_and_stops_new_ones_with_every_disk_and_the_link_down(
    tmp_path: Path,
) -> None:
    with door(tmp_path) as gateway:
        lets_out(gateway, SELL)
        gateway.memory._give_up("the disk is gone")
        answer = gateway.told(KillSwitch(on=True))
        assert isinstance(answer, CommandDone) and "1 working entries" in answer.text
        assert gateway.canceled == [SELL.client_order_id]
        gateway.refusals(BUY)
        assert gateway.sent == [SELL]
        gateway.lose_link()
        gateway.told(KillSwitch(on=True))
        assert (tmp_path / "KILL").exists()


def test_r24_the_kill_switch_names_what_is_not_ours_and_does_not_touch_it(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        foreign = replace(report(SELL, ExecType.ORDER_STATUS, 0, NOW_NS), client_order_id="somebody-else")
        lets_out(gateway, SELL)
        gateway.snapshot(orders=(foreign, report(SELL, ExecType.ORDER_STATUS, 0, NOW_NS)))
        asked = gateway.broker.polls
        answer = gateway.told(KillSwitch(on=True))
        assert gateway.broker.polls == asked + 1, "only the broker can say that no entry works any more"
        assert "not ours and not touched: 1 orders (somebody-else)" in answer.text
        assert gateway.canceled == [SELL.client_order_id]
        assert gateway.state() == "killed, not verified yet"
        gateway.passes(2_000)
        gateway.snapshot(orders=(foreign, report(SELL, ExecType.CANCELED, 0, NOW_NS)))
        assert gateway.state() == "killed, verified: no entry works"


def test_r24_one_look_of_a_gateway_that_was_started_does_not_prove_that_no_entry_works(tmp_path: Path) -> None:
    """A list that lags leaves out what the gateway before it sent."""
    with door(tmp_path) as before:
        lets_out(before, SELL)
        before.told(KillSwitch(on=True))
    with door(tmp_path) as gateway:
        assert gateway.state() == "killed, not verified yet"
        gateway.passes(1_000)
        gateway.snapshot(orders=(report(SELL, ExecType.ORDER_STATUS, 0, gateway.now_ns),))
        assert gateway.canceled == [SELL.client_order_id]
        assert gateway.state() == "killed, 1 entries still work"
        gateway.ends(SELL)
        gateway.passes(1_000)
        gateway.snapshot()
        assert gateway.state() == "killed, verified: no entry works"


def override(control: str, symbol: str = "", by: str = "maria") -> OverrideControl:
    return OverrideControl(control, symbol, "wide market", by, 60_000)


def test_e10_an_override_is_authorised_journaled_at_every_use_survives_a_restart_and_ends(tmp_path: Path) -> None:
    far = [order(LONG, Side.BUY, price=50_0000, attempt=attempt) for attempt in range(1, 5)]
    settings: dict[str, Any] = {"authorized": ("maria",)}
    with door(tmp_path, **settings) as gateway:
        refuses(gateway, far[0], "E2")
        assert isinstance(gateway.told(override("E2", LONG.symbol)), CommandDone)
        lets_out(gateway, far[1])
        used = [r for r in gateway.journaled() if r.action is ControlAction.USED]
        assert [(r.subject, r.by) for r in used] == [(f"use/{far[1].client_order_id}/E2", "maria")]
        refuses(gateway, order(SHORT, Side.BUY, price=50_0000), "E2")
    with door(tmp_path, **settings) as gateway:
        lets_out(gateway, far[2])
        gateway.passes(60_000)
        gateway.quotes()
        refuses(gateway, far[3], "E2")


@pytest.mark.parametrize("control", ["E3", "E4", "E6", "E7", "E9", "E17"])
def test_e10_hard_controls_cannot_be_overridden(tmp_path: Path, control: str) -> None:
    with door(tmp_path, authorized=("maria",)) as gateway:
        assert isinstance(gateway.told(override(control)), CommandRefused)


def test_e10_nobody_may_who_is_not_named_and_not_for_ever(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        assert isinstance(gateway.told(override("E2")), CommandRefused)
    with door(tmp_path, authorized=("maria",), max_override_ms=30_000) as gateway:
        assert isinstance(gateway.told(override("E2", by="mallory")), CommandRefused)
        assert isinstance(gateway.told(override("E2")), CommandRefused)
        refuses(gateway, order(LONG, Side.BUY, price=50_0000), "E2")


def test_e10_who_is_not_named_any_more_takes_his_overrides_with_him(tmp_path: Path) -> None:
    far = [order(LONG, Side.BUY, price=50_0000, attempt=attempt) for attempt in range(1, 4)]
    with door(tmp_path, authorized=("maria",)) as gateway:
        gateway.told(override("E2"))
        lets_out(gateway, far[0])
    with door(tmp_path, authorized=("ada",)) as gateway:
        refuses(gateway, far[1], "E2")
        assert isinstance(gateway.told(override("E2", by="ada")), CommandDone)
        lets_out(gateway, far[2])


def test_e10_no_override_makes_sense_of_a_price_that_is_none(tmp_path: Path) -> None:
    with door(tmp_path, authorized=("maria",)) as gateway:
        gateway.told(override("E2"))
        refuses(gateway, order(LONG, Side.BUY, price=0), "E2")


@pytest.mark.parametrize("price", [1_0000, 9_500], ids=["same price", "lower"])
def test_e12_an_entry_that_could_trade_with_an_order_of_ours_does_not_leave(tmp_path: Path, price: int) -> None:
    with door(tmp_path) as gateway:
        lets_out(gateway, BUY)
        refuses(gateway, order(LONG, Side.SELL, price=price, group_id="other"), "E12")
        lets_out(gateway, order(LONG, Side.SELL, price=1_0500, group_id="other", attempt=2))


def test_e12_a_repair_waits_until_the_entry_in_its_way_is_gone(tmp_path: Path) -> None:
    with door(tmp_path, cross_wait_ms=60_000) as gateway:
        exit_ = order(LONG, Side.SELL, role=Role.CLOSE, order_type=OrdType.MARKET, price=0)
        lets_out(gateway, BUY)
        gateway.works(BUY)
        assert gateway.hear(exit_) == []
        assert gateway.canceled == [BUY.client_order_id]
        assert gateway.sent == [BUY], "the cancel is not confirmed yet"
        gateway.ends(BUY)
        assert gateway.sent == [BUY, exit_]


def test_e12_no_entry_leaves_that_a_waiting_repair_would_have_to_wait_for(tmp_path: Path) -> None:
    with door(tmp_path, cross_wait_ms=60_000) as gateway:
        exit_ = order(LONG, Side.SELL, role=Role.CLOSE)
        lets_out(gateway, BUY)
        assert gateway.hear(exit_) == []
        refuses(gateway, order(LONG, Side.BUY, group_id="other"), "E12")
        lets_out(gateway, order(LONG, Side.BUY, price=9_500, group_id="below"))
        gateway.ends(BUY)
        assert gateway.sent[-1] == exit_


def test_e12_a_repair_does_not_wait_for_ever(tmp_path: Path) -> None:
    with door(tmp_path, cross_wait_ms=1) as gateway:
        exit_ = order(LONG, Side.SELL, role=Role.CLOSE, order_type=OrdType.MARKET, price=0)
        lets_out(gateway, BUY)
        gateway.hear(exit_)
        while exit_ not in gateway.sent:
            gateway.passes(20)
        assert gateway.canceled == [BUY.client_order_id]


def test_e12_an_entry_that_is_found_in_the_way_when_a_repair_has_waited_is_canceled_first(tmp_path: Path) -> None:
    clock = Clock()
    with running_on(clock), door(tmp_path) as gateway:
        exit_ = order(LONG, Side.SELL, role=Role.CLOSE, order_type=OrdType.MARKET, price=0)
        lets_out(gateway, BUY)
        gateway.hear(exit_)
        second = order(LONG, Side.SELL, role=Role.CLOSE, order_type=OrdType.MARKET, price=0, group_id="second")
        gateway.hear(second)
        late = order(LONG, Side.BUY, group_id="late")
        clock.ns += gateway.config.controls.cross_wait_ms * MS
        gateway.door.ledger.sent(late)
        while not {exit_.client_order_id, second.client_order_id} <= {sent.client_order_id for sent in gateway.sent}:
            gateway.passes(20)
        left = [request.client_order_id for request in gateway.broker.taken]
        assert left.index(late.client_order_id) < left.index(exit_.client_order_id)
        assert left.index(late.client_order_id) < left.index(second.client_order_id)


def test_e12_a_resting_stop_is_in_nobodys_way(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        stop = order(
            SHORT, Side.BUY, role=Role.STOP_LIMIT, order_type=OrdType.STOP_LIMIT, price=3_0000, trigger_price=2_9000
        )
        lets_out(gateway, stop)
        lets_out(gateway, SELL)


def test_e13_a_gateway_that_comes_back_cancels_the_entries_that_may_not_work_and_no_stop(tmp_path: Path) -> None:
    stop = order(
        SHORT, Side.BUY, role=Role.STOP_LIMIT, order_type=OrdType.STOP_LIMIT, price=3_0000, trigger_price=2_9000
    )
    with door(tmp_path) as gateway:
        lets_out(gateway, SELL)
        lets_out(gateway, stop)
    (tmp_path / "KILL").touch()
    with door(tmp_path) as gateway:
        gateway.snapshot(orders=tuple(report(o, ExecType.ORDER_STATUS, 0, NOW_NS) for o in (SELL, stop)))
        assert set(gateway.canceled) == {SELL.client_order_id}


def test_e17_what_is_no_instrument_or_has_expired_does_not_leave(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        refuses(gateway, order(put(85, underlying="ZZZ"), Side.BUY), "E17")
        gateway.now_ns += 12 * DAY_NS
        gateway.quotes()
        gateway.passes(100)
        refuses(gateway, BUY, "E17")


def test_a_halt_lets_out_cancels_and_what_the_brokers_positions_prove_to_reduce(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.snapshot(positions=(Position(SHORT.symbol, -5, 1_0000),))
        gateway.told(SetTradingState(TradingState.HALTED, "investigation", "maria"))
        assert gateway.refusals(order(LONG, Side.BUY, 5, role=Role.HEDGE))[0].startswith("trading-state: halted")
        lets_out(gateway, order(SHORT, Side.BUY, 4, role=Role.CLOSE))
        assert "1 would" in gateway.refusals(order(SHORT, Side.BUY, 2, role=Role.CLOSE, ordinal=1))[0]
        assert gateway.hear(BUY) == [Outcome.REFUSED]
