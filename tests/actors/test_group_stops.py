"""A stop-loss on the whole group: judged on all legs, flat with the shorts first, restart-proof."""

from __future__ import annotations

import pytest
from edge import Edge
from msgspec.structs import replace
from world import LONG, SHORT, World, bull_put

from config.schema import Config, OrdersConfig
from domain.execution import Side
from domain.groups import GroupOutcome, GroupStatus, PlanGroupStop, TriggerOn
from messages.records import GroupStopRecord, StopStatus
from storage.tables import GROUP_STOPS


def guarded(max_loss: int = 1_000 * 10_000, judged_on: TriggerOn = TriggerOn.MID, **more: object) -> World:
    """Ten bull puts, bought at the ask of 2.05 and sold at the bid of 2.00: 50 are lost at the mid from the start."""
    world = World(replaces=True, **more)  # type: ignore[arg-type]
    world.watch = Edge(world)
    world.submit(replace(bull_put(quantity=10), stop=PlanGroupStop(max_loss=max_loss, judged_on=judged_on)))
    assert world.group().group.outcome is GroupOutcome.HEDGED
    return world


def stop_of(world: World) -> GroupStopRecord:
    (record,) = world.journal.rows(GROUP_STOPS)
    assert isinstance(record, GroupStopRecord)
    return record


def move(world: World, bid: int, ask: int, symbol: str = SHORT, size: int = 100) -> None:
    world.quote(symbol, bid, ask, size)
    world.advance(100)


def test_it_is_armed_by_the_first_fill_and_keeps_the_group_hedged_not_completed() -> None:
    world = guarded()
    assert stop_of(world).status is StopStatus.ARMED
    assert world.group().group.status is GroupStatus.HEDGED


def test_a_loss_below_the_most_changes_nothing_and_one_at_it_flattens_the_group_shorts_first() -> None:
    world = guarded()
    move(world, 29_000, 29_450)  # mid 2.9225 on a short sold at 2.00: 922.50 and the 25 of the long are lost
    assert stop_of(world).status is StopStatus.ARMED
    before = len(world.received)
    move(world, 29_500, 30_000)
    assert stop_of(world).triggered_ns == world.now_ns
    assert stop_of(world).loss == 1_000 * 10_000
    world.advance(1_000, fresh=True)
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert world.group().group.status is GroupStatus.COMPLETED
    assert "stop-loss of the group" in world.group().group.reason
    closes = [order for order in world.orders() if order in world.received[before:]]
    assert [order.side for order in closes] == [Side.BUY, Side.SELL]
    assert stop_of(world).status is StopStatus.DONE
    assert world.kinds().count("GROUP_STOPPED") == 1


def test_the_mark_takes_the_side_that_closing_would_pay() -> None:
    world = guarded(judged_on=TriggerOn.MARK)
    move(world, 29_000, 29_450)  # ask 2.945: 945 and 50 for the long, which is worth its bid
    assert stop_of(world).status is StopStatus.ARMED
    move(world, 29_000, 29_500)
    assert (stop_of(world).status, stop_of(world).loss) == (StopStatus.DONE, 1_000 * 10_000)


@pytest.mark.parametrize(
    ("bid", "ask"),
    [(0, 60_000), (60_000, 0), (60_000, 50_000), (10_000, 100_000), (0, 0)],
    ids=["no bid", "no ask", "crossed", "absurdly wide", "nothing"],
)
def test_garbage_never_triggers_it_and_a_person_is_told_when_it_stays_blind(bid: int, ask: int) -> None:
    world = guarded()
    move(world, bid, ask, size=0)
    world.advance(9_000, step_ms=1_000)
    assert (stop_of(world).status, "STOP_BLIND" in world.kinds()) == (StopStatus.ARMED, False)
    world.advance(3_000, step_ms=1_000)
    assert world.kinds().count("STOP_BLIND") == 1
    move(world, 30_000, 30_500)
    assert stop_of(world).status in (StopStatus.TRIGGERED, StopStatus.DONE)


def test_a_stale_quote_never_triggers_it() -> None:
    world = guarded(config=Config(orders=OrdersConfig(quote_max_age_ms=1_000)))
    world.deaf = False
    tick = replace(world.tick(), quotes=())
    world.quote(SHORT, 60_000, 60_500, 0)  # the exchange has it; our side never hears of it
    for _ in range(30):
        world.now_ns += 1_000_000_000
        world.take([replace(tick, broker_time_ns=world.now_ns)])
    assert stop_of(world).status is StopStatus.ARMED
    assert "STOP_BLIND" in world.kinds()


def test_it_survives_a_restart_at_any_time() -> None:
    world = guarded()
    world.restart()
    world.advance(100)
    assert stop_of(world).status is StopStatus.ARMED
    world.mute = True
    move(world, 32_000, 32_500)
    assert stop_of(world).status is StopStatus.TRIGGERED
    world.mute = False
    world.restart()
    world.advance(15_000, fresh=True)
    world.snapshot()
    world.advance(5_000, fresh=True)
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)
    assert world.group().group.outcome is GroupOutcome.FLAT


def test_a_group_that_ends_by_other_means_releases_it() -> None:
    world = World()
    plan = replace(bull_put(quantity=10, stop=25_000), stop=PlanGroupStop(max_loss=50_000 * 10_000))
    world.submit(plan)
    move(world, 24_500, 25_500)
    world.advance(1_000, fresh=True)
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert stop_of(world).status is StopStatus.RELEASED
