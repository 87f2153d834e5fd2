"""S4, E17: what has expired is not traded; its news is waited for, and missed when it is late."""

from __future__ import annotations

from second_look import SecondLook, hedged_world, world_with_shares
from world import LONG, SHORT, World, bull_put

from decisions.effects import MS
from domain.groups import GroupOutcome, Mode, Role
from messages.operator import CancelGroup
from messages.records import HedgeStatus, PositionKind, Severity

LONG_AFTER_MS = 12 * 86_400_000  # its last day is eleven days away
PATIENCE_MS = 60_000


def expires(world: World) -> None:
    """The last day ends, and the account is settled; nobody has told the cell."""
    world.now_ns += LONG_AFTER_MS * MS
    world.take([*world.exchange.advance(world.now_ns), world.tick()])
    assert world.position(SHORT) == world.position(LONG) == 0


def test_a_group_that_is_closed_after_its_expiry_waits_for_the_news_and_ends_with_it() -> None:
    world = hedged_world()
    look = SecondLook(world)
    look.looks(1)
    expires(world)
    asked = len(world.received)
    world.take([CancelGroup("bp")])
    world.advance(PATIENCE_MS // 2, fresh=True)
    group = world.group().group
    assert (group.mode, group.outcome) == (Mode.FLATTENING, GroupOutcome.OPEN)
    look.looks(1)
    assert {event.kind for event in look.events()} == {PositionKind.EXPIRY}
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert len(world.received) == asked, "nothing of it can be traded"
    assert not world.group().hedges


def test_a_person_is_called_once_when_the_news_does_not_come_in_time_and_the_group_stays_open() -> None:
    world = hedged_world()
    expires(world)
    asked = len(world.received)
    world.take([CancelGroup("bp")])
    world.advance(3 * PATIENCE_MS, step_ms=500)
    world.restart()
    world.advance(5_000)
    assert len(world.received) == asked
    assert world.group().group.outcome is GroupOutcome.OPEN
    alerts = world.escalations("EXPIRY_UNTOLD")
    assert {(alert.severity, alert.symbol, alert.quantity) for alert in alerts} == {
        (Severity.CRITICAL, LONG, 10), (Severity.CRITICAL, SHORT, 10)
    }  # fmt: skip
    assert any(
        f"-10 {SHORT} expired on 2021-01-15, and 60 s after it should have been settled" in a.text for a in alerts
    )
    assert not world.escalations("IMMEDIATE_MANUAL_HEDGE") + world.escalations("GROUP_HALTED")


def test_a_hedged_group_that_rests_is_woken_by_its_expiry_and_missed_too() -> None:
    world = hedged_world()
    world.now_ns += 11 * 86_400_000 * MS - PATIENCE_MS * MS
    world.take([world.tick()])
    world.advance(86_400_000 + 3 * PATIENCE_MS, step_ms=10_000)
    assert len(world.escalations("EXPIRY_UNTOLD")) == 2


def test_a_hedge_at_work_on_what_expires_is_let_go_instead_of_calling_a_person() -> None:
    """What is missing of an expired long can be bought by nobody, not even by hand."""
    world = world_with_shares()
    look = SecondLook(world)
    world.sizes[LONG] = 3
    world.show([LONG])
    world.submit(bull_put())
    world.sizes[LONG] = 0
    world.show([LONG])
    while not world.orders(Role.HEDGE):
        world.advance(500)
    world.advance(500)
    look.looks(1)
    assert world.group().hedges[0].status is HedgeStatus.WORKING
    expires(world)
    asked = len(world.received)
    world.advance(PATIENCE_MS // 2)
    assert len(world.received) == asked
    assert all(hedge.status is not HedgeStatus.WORKING for hedge in world.group().hedges)
    assert not world.escalations("IMMEDIATE_MANUAL_HEDGE")
    look.looks(1)
    assert world.group().group.outcome is GroupOutcome.FLAT
