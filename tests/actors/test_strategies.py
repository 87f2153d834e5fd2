"""Strategies in the running cell: entry, profit target, adjustment, stop, and all that keeps them from it."""

from __future__ import annotations

from typing import Any

import pytest
from trader import DISTANT, Trader, contract, rules
from world import CHAIN, EXPIRY, bull_put, put

from decisions.effects import MS
from domain.execution import Side
from domain.groups import GroupOutcome, Mode, Role
from domain.money import PRICE_SCALE
from domain.quotes import Quote
from domain.strategies import Exit, Standing, StrategyStatus
from domain.verticals import VerticalKind
from messages.market import BrokerUp, Tick
from messages.operator import (
    AskStrategies,
    CancelGroup,
    CommandDone,
    CommandRefused,
    KillSwitch,
    OperateStrategy,
    StrategyList,
)
from messages.orders import InstrumentList
from storage.tables import GROUPS
from venue.rules import Rules

DAY_MS = 86_400_000


def opened(*args: Any, **changes: Any) -> Trader:
    """A world whose strategy holds its vertical."""
    world = Trader(rules(*args, **changes))
    world.advance(1_000)
    assert world.strategy().status is StrategyStatus.OPEN
    return world


def lost_or_won(world: Trader) -> int:
    """What all trades of the account brought, by the exchange's own books; an amount."""
    return sum(
        -report.side.sign * report.last_qty * report.last_px * 100
        for report in world.exchange.executions()
        if report.side is not None
    )


class TestEntry:
    @pytest.mark.parametrize("kind", VerticalKind)
    def test_each_kind_enters_its_vertical_and_knows_its_figures(self, kind: VerticalKind) -> None:
        world = opened(kind)
        short, long = DISTANT[kind]
        assert world.positions() == {contract(kind, short): -10, contract(kind, long): 10}
        record, (vertical,) = world.strategy(), world.verticals()
        assert (record.standing, record.group_id, record.reason) == (Standing.ACTIVE, "weekly.1", "")
        assert (vertical.short_strike, vertical.long_strike) == (short * 10_000, long * 10_000)
        assert vertical.net == lost_or_won(world)
        assert (vertical.net > 0) == kind.for_credit
        assert vertical.max_profit + vertical.max_loss == 50_000 * 10 * 100
        assert vertical.entered_ns > vertical.decided_ns > 0

    @pytest.mark.parametrize("kind", VerticalKind)
    def test_the_long_leg_is_filled_before_the_short_one_is_sent(self, kind: VerticalKind) -> None:
        world = opened(kind)
        assert [order.side for order in world.orders()] == [Side.BUY, Side.SELL]
        assert world.group("weekly.1").group.outcome is GroupOutcome.HEDGED

    def test_it_enters_once_and_then_holds(self) -> None:
        world = opened()
        sent = len(world.received)
        world.advance(30_000, fresh=True)
        assert len(world.received) == sent and len(world.verticals()) == 1

    def test_a_delta_rule_takes_the_nearest_strike_that_is_small_enough(self) -> None:
        world = Trader(rules(short_distance_pct=0.0, short_delta=0.3))
        world.advance(3_000)
        (vertical,) = world.verticals()
        assert (vertical.short_strike, vertical.long_strike) == (950_000, 900_000)

    def test_a_width_in_strikes_counts_those_of_the_chain(self) -> None:
        world = opened(width=0, width_strikes=2)
        assert world.verticals()[0].long_strike == 850_000

    def test_the_groups_live_in_the_strategys_own_cell(self) -> None:
        world = opened()
        assert world.strategy().cell == world.group("weekly.1").group.cell == 0


class TestWaiting:
    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"width": 70_000}, "has no put strike 88 to protect 95"),
            ({"width": 0, "width_strikes": 9}, "strike 9 beside it"),
            ({"short_distance_pct": 50.0}, "no put strike at least 50 % out of the money"),
            ({"min_days": 20}, "lists no put of XYZ that expires 20 to 60 days after 2021-01-04; it lists 2021-01-15"),
            ({"underlying": "ABC"}, "no usable quote of ABC"),
            ({"min_credit": 49_000}, "below min_credit 4.9"),
            ({"enabled": False}, "enabled = false"),
        ],
    )
    def test_it_says_why_it_enters_nothing_and_goes_on_looking(self, changes: dict[str, Any], says: str) -> None:
        world = Trader(rules(**changes))
        world.advance(5_000, fresh=True)
        assert says in world.strategy().reason
        assert world.strategy().status is StrategyStatus.FLAT
        assert not world.received and not world.verticals()

    def test_waiting_writes_nothing_more_once_the_reason_is_told(self) -> None:
        world = Trader(rules(min_credit=49_000))
        world.advance(3_000)
        turns = len(world.journal.turns())
        world.advance(60_000)
        assert len(world.journal.turns()) == turns

    def test_it_enters_when_the_premium_becomes_enough(self) -> None:
        world = Trader(rules(min_credit=20_000))
        world.advance(2_000)
        assert not world.received
        world.quote(put(95), 30_000, 30_500)
        world.advance(2_000)
        assert world.verticals()[0].credit >= 20_000 and world.strategy().status is StrategyStatus.OPEN

    def test_the_kill_switch_keeps_it_out_with_a_reason_and_without_attempts(self) -> None:
        world = Trader(rules(), deduplicates=True)
        world.take([KillSwitch(on=True)])
        world.advance(30_000, fresh=True)
        assert "the kill switch is on" in world.strategy().reason
        assert (world.strategy().tries, world.received) == (0, [])
        world.take([KillSwitch(on=False)])
        world.advance(2_000)
        assert world.strategy().status is StrategyStatus.OPEN

    def test_a_plan_that_is_refused_is_tried_again_later_and_later_until_a_person_is_told(self) -> None:
        world = Trader(rules(retry_ms=1_000, max_tries=3), rules=Rules(cash=100 * PRICE_SCALE))
        world.advance(1_000)
        assert world.strategy().tries == 1
        assert "insufficient margin" in world.strategy().reason
        world.advance(30_000)
        record = world.strategy()
        assert (record.tries, record.standing) == (3, Standing.ENDED)
        first, second, third = (vertical.decided_ns for vertical in world.verticals())
        assert second - first >= 1_000 * MS and third - second >= 2_000 * MS
        assert world.kinds().count("STRATEGY_GAVE_UP") == 1
        assert not world.received

    def test_a_group_that_is_not_entered_is_reversed_and_tried_again(self) -> None:
        world = Trader(rules(retry_ms=1_000, max_tries=2))
        world.sizes[put(95)] = 0
        world.move(100.0)
        world.advance(60_000, fresh=True)
        assert world.positions() == {}
        assert [vertical.exit for vertical in world.verticals()] == [Exit.NOT_ENTERED] * 2
        assert world.strategy().realised == lost_or_won(world) < 0
        assert "STRATEGY_GAVE_UP" in world.kinds()

    def test_a_group_id_that_somebody_else_has_is_passed_over(self) -> None:
        world = Trader(rules(enabled=False))
        world.advance(200)
        world.submit(bull_put("weekly.1", quantity=1))
        world.advance(500, fresh=True)
        assert world.group("weekly.1").group.outcome is GroupOutcome.HEDGED
        world.config = Trader(rules(retry_ms=1_000)).config
        world.restart()
        world.advance(10_000, fresh=True)
        record = world.strategy()
        assert (record.status, record.group_id) == (StrategyStatus.OPEN, "weekly.2")
        assert world.group("weekly.1").group.mode is Mode.ENTERING


BAD_QUOTES = {
    "crossed": lambda q: Quote(q.symbol, q.ts_ns, q.ask + 5_000, 10, q.bid, 10),
    "zero": lambda q: Quote(q.symbol, q.ts_ns, 0, 0, 0, 0),
    "without an ask": lambda q: Quote(q.symbol, q.ts_ns, q.bid, 10, 0, 0),
    "stale": lambda q: Quote(q.symbol, q.ts_ns - 3_600_000 * MS, q.bid, 10, q.ask, 10),
    "negative": lambda q: Quote(q.symbol, q.ts_ns, -5, 10, -1, 10),
}


class TestBadQuotes:
    @pytest.mark.parametrize("bad", BAD_QUOTES)
    @pytest.mark.parametrize("symbol", ["XYZ", put(95), put(90)])
    def test_no_entry_on_a_quote_that_cannot_be_trusted(self, symbol: str, bad: str) -> None:
        world = Trader(rules())
        world.restart()  # the cell forgets the quotes that it had
        honest = world.tick
        world.tick = lambda: _spoiled(honest(), symbol, bad)  # type: ignore[method-assign]
        world.advance(20_000)
        assert not world.received
        assert symbol in world.strategy().reason and "no usable quote" in world.strategy().reason

    @pytest.mark.parametrize("bad", BAD_QUOTES)
    @pytest.mark.parametrize("symbol", ["XYZ", put(95)])
    def test_no_profit_is_seen_in_a_quote_that_cannot_be_trusted(self, symbol: str, bad: str) -> None:
        world = opened(adjust_within_pct=0.0)
        world.move(103.5)
        honest = world.tick
        world.tick = lambda: _spoiled(honest(), symbol, bad)  # type: ignore[method-assign]
        world.advance(10_000)
        assert world.strategy().status is StrategyStatus.OPEN
        assert f"no usable quote of {symbol}" in world.strategy().reason
        world.tick = honest  # type: ignore[method-assign]
        world.advance(2_000)
        assert world.strategy().realised > 0

    def test_quotes_that_would_pay_for_closing_a_short_spread_are_not_believed(self) -> None:
        world = opened()
        world.quote(put(90), 60_000, 60_500, size=0)  # dearer than the 95 put
        world.advance(5_000)
        assert world.strategy().status is StrategyStatus.OPEN
        assert "contradict each other" in world.strategy().reason


def _spoiled(tick: Tick, symbol: str, bad: str) -> Tick:
    return Tick(tick.broker_time_ns, tuple(BAD_QUOTES[bad](q) if q.symbol == symbol else q for q in tick.quotes))


class TestExits:
    def test_at_half_of_the_credit_it_is_closed_shorts_first_and_the_profit_is_told(self) -> None:
        world = opened()
        before = len(world.orders())
        world.move(102.0)
        world.advance(3_000)
        assert len(world.orders()) == before  # 30 % of the credit
        world.move(104.0)
        world.advance(3_000)
        record, (vertical,) = world.strategy(), world.verticals()
        assert world.positions() == {}
        assert vertical.exit is Exit.PROFIT_TARGET
        assert vertical.realised == record.realised == lost_or_won(world) >= vertical.max_profit / 2
        assert (record.status, record.standing, record.verticals) == (StrategyStatus.FLAT, Standing.ENDED, 1)
        assert [order.side for order in world.orders(Role.CLOSE)] == [Side.BUY, Side.SELL]
        assert world.group("weekly.1").group.reason == f"strategy weekly: profit target: {vertical.exit_reason}"

    @pytest.mark.parametrize(("kind", "spot"), [(VerticalKind.BULL_CALL, 112.0), (VerticalKind.BEAR_PUT, 88.0)])
    def test_a_debit_vertical_takes_half_of_its_maximum_profit(self, kind: VerticalKind, spot: float) -> None:
        world = opened(kind)
        world.move(spot)
        world.advance(3_000)
        (vertical,) = world.verticals()
        assert vertical.exit is Exit.PROFIT_TARGET and world.positions() == {}
        assert vertical.realised == lost_or_won(world) >= vertical.max_profit / 2

    def test_with_re_enter_the_next_vertical_follows(self) -> None:
        world = opened(re_enter=True, retry_ms=2_000)
        world.move(104.0)
        world.advance(1_000)
        assert world.positions() == {}
        world.advance(5_000)
        assert world.strategy().group_id == "weekly.2"
        assert world.verticals()[1].short_strike < 104 * 9_500

    def test_a_loss_beyond_the_limit_is_stopped(self) -> None:
        world = opened(stop_loss_pct=100.0, adjust_within_pct=0.0)
        world.move(91.0)
        world.advance(3_000)
        (vertical,) = world.verticals()
        assert vertical.exit is Exit.STOP_LOSS and world.positions() == {}
        assert vertical.realised == lost_or_won(world) < 0

    def test_a_market_that_is_wide_for_a_moment_stops_nothing_out(self) -> None:
        world = opened(stop_loss_pct=100.0, adjust_within_pct=0.0)
        world.quote(put(95), 5_000, 25_000, size=0)
        world.advance(3_000)
        assert world.strategy().status is StrategyStatus.OPEN

    def test_before_expiry_it_is_closed_whatever_it_is_worth(self) -> None:
        world = opened(exit_days_before_expiry=2, exit_time="15:00")
        world.now_ns += 8 * DAY_MS * MS  # 2021-01-12 14:30
        world.move(100.0)
        world.advance(1_000)
        assert world.strategy().status is StrategyStatus.OPEN
        world.now_ns += DAY_MS * MS  # 2021-01-13 14:30
        world.move(100.0)
        world.advance(1_000)
        assert world.strategy().status is StrategyStatus.OPEN
        world.now_ns += 1_800_000 * MS
        world.move(100.0)
        world.advance(3_000)
        assert world.verticals()[0].exit is Exit.EXPIRY and world.positions() == {}
        assert EXPIRY in world.verticals()[0].exit_reason

    def test_a_group_that_is_canceled_by_hand_ends_the_vertical_too(self) -> None:
        world = opened()
        world.take([CancelGroup("weekly.1")])
        world.advance(1_000)
        (vertical,) = world.verticals()
        assert (vertical.exit, world.strategy().status) == (Exit.ELSEWHERE, StrategyStatus.FLAT)
        assert world.strategy().reason == "done: was closed: canceled by the operator"


class TestAdjustment:
    def test_near_the_short_strike_it_is_rolled_further_out_after_it_is_flat(self) -> None:
        world = opened()
        world.move(96.5)
        world.advance(2_000)
        assert world.strategy().group_id == "weekly.1"  # 30 % of the distance is left
        world.move(96.0)
        world.advance(5_000)
        first, second = world.verticals()
        assert first.exit is Exit.ADJUSTMENT and "20 % of the distance at entry" in first.exit_reason
        assert second.rolled_from == "weekly.1" and second.short_strike < first.short_strike
        assert first.closed_ns <= second.decided_ns  # no new risk before the old is flat
        assert world.positions() == {put(90): -10, put(85): 10}
        record = world.strategy()
        assert (record.adjustments, record.status) == (1, StrategyStatus.OPEN)
        assert record.realised == first.realised < 0

    def test_a_bear_call_is_rolled_upward(self) -> None:
        world = opened(VerticalKind.BEAR_CALL)
        world.move(104.0)
        world.advance(5_000)
        assert [vertical.short_strike for vertical in world.verticals()] == [1_050_000, 1_100_000]

    def test_beyond_its_allowance_an_adjustment_only_closes(self) -> None:
        world = opened(max_adjustments=0)
        world.move(96.0)
        world.advance(5_000)
        (vertical,) = world.verticals()
        assert vertical.exit is Exit.ADJUSTMENT and world.positions() == {}
        assert world.strategy().standing is Standing.ENDED

    def test_a_roll_that_the_chain_does_not_allow_ends_flat_with_the_reason(self) -> None:
        chain = [i for i in CHAIN if i.strike >= 900_000]
        world = Trader(rules(retry_ms=1_000, max_tries=3), chain=chain)
        world.advance(1_000)
        world.move(96.0)
        world.advance(20_000)
        assert world.positions() == {} and len(world.verticals()) == 1
        assert world.strategy().standing is Standing.ENDED
        assert "could not be rolled" in world.strategy().reason

    def test_while_the_kill_switch_is_on_the_position_is_closed_and_not_rolled(self) -> None:
        world = opened()
        world.take([KillSwitch(on=True)])
        world.move(96.0)
        world.advance(5_000)
        assert world.positions() == {} and len(world.verticals()) == 1
        assert "the kill switch is on" in world.strategy().reason
        world.take([KillSwitch(on=False)])
        world.advance(3_000)
        assert world.verticals()[1].rolled_from == "weekly.1"

    @pytest.mark.parametrize(("kind", "spot"), [(VerticalKind.BULL_CALL, 104.5), (VerticalKind.BEAR_PUT, 95.5)])
    def test_for_a_debit_vertical_the_short_strike_is_no_threat(self, kind: VerticalKind, spot: float) -> None:
        world = opened(kind, profit_target_pct=100.0)
        world.move(spot)
        world.advance(3_000)
        assert world.strategy().status is StrategyStatus.OPEN


class TestCommands:
    def operate(self, world: Trader, *, run: bool, name: str = "weekly") -> Any:
        world.take([OperateStrategy(name, run)])
        reply_to, answer = world.replies[-1]
        assert reply_to == f"strategy:{name}"
        return answer

    def test_stop_closes_the_position_and_start_enters_again(self) -> None:
        world = opened()
        assert self.operate(world, run=False) == CommandDone(
            "strategy weekly is stopped; group weekly.1 is being closed"
        )
        world.advance(2_000)
        assert world.positions() == {}
        assert (world.strategy().standing, world.verticals()[0].exit) == (Standing.STOPPED, Exit.OPERATOR)
        world.advance(30_000)
        assert len(world.verticals()) == 1
        assert isinstance(self.operate(world, run=True), CommandDone)
        world.advance(2_000)
        assert world.strategy().group_id == "weekly.2"

    def test_a_stop_outlives_the_cell(self) -> None:
        world = opened()
        self.operate(world, run=False)
        world.restart()
        world.advance(5_000)
        world.restart()
        world.advance(5_000)
        assert world.positions() == {} and world.strategy().standing is Standing.STOPPED

    @pytest.mark.parametrize("after_ms", [100, 200, 300])
    def test_a_stop_in_mid_entry_ends_flat(self, after_ms: int) -> None:
        world = Trader(rules(), size=3)
        world.advance(after_ms)
        self.operate(world, run=False)
        world.advance(10_000, fresh=True)
        assert world.positions() == {}
        assert (world.strategy().status, world.strategy().standing) == (StrategyStatus.FLAT, Standing.STOPPED)

    def test_a_stop_while_its_plan_waits_for_quotes_closes_the_group_that_the_next_quotes_open(self) -> None:
        world = Trader(rules())
        world.advance(100)
        assert world.strategy().status is StrategyStatus.ENTERING
        world.die()  # the next cell has no quotes: the plan that it is offered waits
        world.session += 1
        instruments = InstrumentList(tuple(world.exchange.instruments.values()))
        world.take([BrokerUp(world.session), instruments, world.funds(), Tick(world.now_ns, ())])
        world.snapshot()
        world.now_ns += 100 * MS
        world.take([Tick(world.now_ns, ())])
        self.operate(world, run=False)
        assert not world.journal.rows(GROUPS)
        world.advance(10_000, fresh=True)
        assert [record.outcome for record in world.journal.rows(GROUPS)] == [GroupOutcome.FLAT]
        assert world.positions() == {}
        assert (world.strategy().status, world.strategy().standing) == (StrategyStatus.FLAT, Standing.STOPPED)

    def test_an_unknown_name_is_refused_with_those_that_there_are(self) -> None:
        world = opened()
        refused = CommandRefused(("there is no strategy 'weakly'; those of this cell are weekly",))
        assert self.operate(world, run=False, name="weakly") == refused

    def test_one_that_the_configuration_switches_off_cannot_be_started(self) -> None:
        world = Trader(rules(enabled=False))
        answer = self.operate(world, run=True)
        assert isinstance(answer, CommandRefused) and "enabled = false" in answer.problems[0]

    def test_the_list_tells_profit_and_distance_by_the_quotes_of_now(self) -> None:
        world = opened()
        world.move(102.0)
        world.advance(500)
        world.take([AskStrategies("strategies/7")])
        reply_to, answer = world.replies[-1]
        assert reply_to == "strategies/7" and isinstance(answer, StrategyList)
        (row,) = answer.strategies
        assert row.mark is not None and row.vertical is not None
        assert row.mark.distance_pct == 140.0 and 0 < row.mark.pnl < row.vertical.max_profit / 2


class TestLostFromTheFile:
    def test_an_open_vertical_is_watched_and_closed_by_the_rules_it_had(self) -> None:
        world = opened(re_enter=True)
        world.config = Trader().config
        world.restart()
        world.move(104.0)
        world.advance(30_000)
        assert world.positions() == {} and len(world.verticals()) == 1
        assert "not in the configuration any more" in world.strategy().reason


class TestWhatIsLeftOver:
    def test_what_a_kill_in_mid_entry_leaves_covered_is_watched_and_closed(self) -> None:
        world = Trader(rules(), size=3)
        world.advance(300)
        assert 0 < world.position(put(90)) < 10
        world.take([KillSwitch(on=True)])
        world.advance(5_000, fresh=True)
        record = world.strategy()
        assert (record.status, record.standing) == (StrategyStatus.OPEN, Standing.ENDED)
        assert "its group was halted: kill switch" in record.reason
        kept = world.position(put(90))
        assert world.verticals()[0].quantity == kept == -world.position(put(95)) > 0
        world.move(104.0)
        world.advance(10_000, fresh=True)
        assert world.positions() == {}
        assert world.verticals()[0].exit is Exit.PROFIT_TARGET
        assert world.strategy().realised == lost_or_won(world)

    def test_a_position_that_nobody_takes_is_handed_to_a_person_and_nothing_is_entered_on_top(self) -> None:
        world = opened(re_enter=True, retry_ms=1_000)
        world.sizes[put(90)] = 0
        world.move(104.0)
        world.advance(300_000, step_ms=500, fresh=True)
        record = world.strategy()
        assert world.positions() == {put(90): 10}
        assert record.standing is Standing.DISABLED
        (alert,) = world.escalations("STRATEGY_DISABLED")
        assert f"+10 {put(90)}" in alert.text and "'strategies start weekly'" in alert.text
        assert len(world.escalations("GROUP_HALTED")) == 1
        assert world.verticals()[0].exit is Exit.HALTED and len(world.verticals()) == 1
        sent = len(world.received)
        world.advance(60_000, step_ms=500)
        assert len(world.received) == sent

    def test_one_that_is_switched_off_in_the_file_still_closes_what_it_holds(self) -> None:
        world = opened(re_enter=True)
        world.config = Trader(rules(re_enter=True, enabled=False)).config
        world.restart()
        world.move(104.0)
        world.advance(30_000)
        assert world.positions() == {} and len(world.verticals()) == 1
        assert "enabled = false" in world.strategy().reason

    def test_contracts_that_expire_unseen_end_the_strategy_with_a_word(self) -> None:
        world = opened()
        world.now_ns += 30 * DAY_MS * MS
        world.take([Tick(world.now_ns)])
        record = world.strategy()
        assert (record.status, record.standing) == (StrategyStatus.FLAT, Standing.ENDED)
        assert world.verticals()[0].exit is Exit.EXPIRED
        assert "STRATEGY_EXPIRED" in world.kinds()
