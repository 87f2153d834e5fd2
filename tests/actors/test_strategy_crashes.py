"""A strategy's cell may die at any turn of its life: it neither enters twice nor forgets a position (S9, S10, I24)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trader import Trader, rules
from world import bull_put, put

from decisions.strategies import strategy as strategy_core
from domain.execution import ExecType
from domain.groups import GroupOutcome
from domain.strategies import Exit, Standing, StrategyStatus
from messages.operator import CommandDone, CommandRefused, OperateStrategy
from messages.strategy import LookAtStrategy, RunStrategy
from storage.port import CommitUnknown


def entered(world: Trader) -> list[str]:
    """The groups of the strategy that bought anything, by the exchange's own books."""
    traded = {report.client_order_id[3:11] for report in world.exchange.executions()}
    return sorted(traded)


def surviving(world: Trader, act: Callable[[], None]) -> int:
    """Do it; a commit whose fate is unknown ends the cell, and the next one takes over.  How often that was."""
    try:
        act()
    except CommitUnknown:
        world.restart()
        return 1
    return 0


def live(world: Trader, *, die_at: int = 0, durable: bool = False) -> int:
    """Enter, be threatened, roll, reach the profit target; the cell dies at its ``die_at``-th commit."""
    if die_at:
        world.journal.fail_commit(die_at, durable=durable)
    deaths = 0
    for spot in (100.0, 96.0, 100.0):
        deaths += surviving(world, lambda spot=spot: world.move(spot))  # type: ignore[misc]
        for _ in range(12):
            deaths += surviving(world, lambda: world.advance(1_000, step_ms=250, fresh=True))
            deaths += surviving(world, world.snapshot)
    return deaths


ROLLED = rules(retry_ms=500, adjust_within_pct=20.0)


def judge(world: Trader) -> None:
    """However it went: one vertical at a time, at most two of them, and nothing left in the end."""
    record, verticals = world.strategy(), world.verticals()
    assert world.positions() == {}
    assert record.status is StrategyStatus.FLAT
    done = [v for v in verticals if v.entered_ns]
    assert [v.exit for v in done] == [Exit.ADJUSTMENT, Exit.PROFIT_TARGET]
    assert len(entered(world)) == 2
    assert done[0].closed_ns <= done[1].decided_ns
    brought = sum(
        -r.side.sign * r.last_qty * r.last_px * 100 for r in world.exchange.executions() if r.side is not None
    )
    assert record.realised == sum(v.realised for v in verticals) == brought
    assert record.crashes == 0


def commits() -> int:
    world = Trader(ROLLED)
    before = len(world.journal.turns())
    assert live(world) == 0
    judge(world)
    return len(world.journal.turns()) - before


@pytest.mark.parametrize("durable", [False, True], ids=["lost", "durable"])
def test_the_cell_may_die_at_every_single_commit_of_a_strategys_life(durable: bool) -> None:
    for die_at in range(1, commits() + 1):
        world = Trader(ROLLED)
        assert live(world, die_at=die_at, durable=durable) == 1, f"commit {die_at} never came"
        judge(world)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=2, max_size=5), st.sampled_from((3, 7, 100)))
def test_it_may_die_again_and_again_with_thin_markets(deaths: list[tuple[int, bool]], size: int) -> None:
    world = Trader(ROLLED, size=size)
    waiting = list(deaths)
    for spot in (100.0, 96.0, 100.0):
        surviving(world, lambda spot=spot: world.move(spot))  # type: ignore[misc]
        for _ in range(20):
            if waiting and world.journal._fail_in <= 0:
                nth, durable = waiting.pop()
                world.journal.fail_commit(nth, durable=durable)
            surviving(world, lambda: world.advance(1_000, step_ms=200, fresh=True))
            surviving(world, world.snapshot)
            held = world.positions()
            assert sum(held.values()) >= 0, "a short without its long"
    judge(world)


class Sabotage:
    """Makes the strategy's decision raise whenever ``when`` says so, after it has decided, as a bug would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, when: Callable[[Any, Any], bool], times: int) -> None:
        self.left = times
        decide = strategy_core.decide

        def broken(state: Any, message: Any, moment: Any) -> Any:
            result = decide(state, message, moment)
            if self.left and when(state, message):
                self.left -= 1
                raise RuntimeError("a planted bug")
            return result

        monkeypatch.setattr(strategy_core, "decide", broken)


def looking(status: StrategyStatus) -> Callable[[Any, Any], bool]:
    return lambda state, message: isinstance(message, LookAtStrategy) and state.record.status is status


class TestAStrategyThatRaises:
    @pytest.mark.parametrize("status", StrategyStatus)
    def test_once_is_rebuilt_and_goes_on_as_if_nothing_had_happened(
        self, monkeypatch: pytest.MonkeyPatch, status: StrategyStatus
    ) -> None:
        sabotage = Sabotage(monkeypatch, looking(status), 1)
        world = Trader(ROLLED)
        live(world)
        assert sabotage.left == 0
        assert world.strategy().crashes == 1
        assert world.positions() == {} and len(entered(world)) == 2

    @pytest.mark.parametrize("status", [StrategyStatus.OPEN, StrategyStatus.CLOSING])
    def test_twice_is_disabled_with_an_alert_and_its_group_stays_protected(
        self, monkeypatch: pytest.MonkeyPatch, status: StrategyStatus
    ) -> None:
        Sabotage(monkeypatch, looking(status), 2)
        world = Trader(rules())
        world.advance(1_000)
        world.move(104.0)
        world.advance(2_000)
        record = world.strategy()
        assert (record.standing, record.status, record.crashes) == (Standing.DISABLED, status, 2)
        assert world.kinds().count("STRATEGY_DISABLED") == 1
        assert "'cancel weekly.1' closes it" in world.escalations("STRATEGY_DISABLED")[0].text
        # its group is worked by its own actors: what a bust takes from it is made good
        bust = next(r for r in world.exchange.executions() if r.symbol == put(90) and r.exec_type is ExecType.TRADE)
        world.take(world.exchange.bust(bust.exec_id, world.now_ns))
        world.advance(10_000, fresh=True)
        assert sum(world.positions().values()) >= 0
        # a restart does not wake it, a person does, and it goes on where it was
        world.restart()
        world.advance(2_000)
        assert world.strategy().standing is Standing.DISABLED
        world.take([OperateStrategy("weekly", True)])
        assert isinstance(world.replies[-1][1], CommandDone)
        world.advance(10_000, fresh=True)
        assert world.positions() == {} and world.strategy().crashes == 0

    def test_a_disabled_ones_position_is_closed_by_a_stop(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Sabotage(monkeypatch, looking(StrategyStatus.OPEN), 2)
        world = Trader(rules())
        world.advance(1_000)
        world.take([OperateStrategy("weekly", False)])
        assert isinstance(world.replies[-1][1], CommandDone)
        world.advance(2_000)
        assert world.positions() == {}
        assert world.group("weekly.1").group.outcome is GroupOutcome.FLAT

    def test_a_command_that_it_raises_on_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Sabotage(monkeypatch, lambda _, message: isinstance(message, RunStrategy), 1)
        world = Trader(rules())
        world.advance(1_000)
        world.take([OperateStrategy("weekly", False)])
        answer = world.replies[-1][1]
        assert isinstance(answer, CommandRefused) and "a planted bug" in answer.problems[0]
        assert world.strategy().standing is Standing.ACTIVE

    def test_other_groups_of_the_cell_never_notice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Sabotage(monkeypatch, lambda *_: True, 10)
        world = Trader(rules())
        world.advance(200)
        world.submit(bull_put("mine"))
        world.advance(2_000)
        assert world.group("mine").group.outcome is GroupOutcome.HEDGED
        assert world.group("mine").group.crashes == 0
        assert world.strategy().standing is Standing.DISABLED

    def test_one_that_cannot_even_be_rebuilt_is_disabled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: Any) -> Any:
            raise RuntimeError("a planted bug")

        monkeypatch.setattr(strategy_core, "start", broken)
        world = Trader(rules())
        world.advance(1_000)
        assert world.strategy().standing is Standing.DISABLED
        assert len(world.escalations("STRATEGY_DISABLED")) == 1
