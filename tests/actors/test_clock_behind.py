"""A broker whose clock reads much earlier than the journal: another exchange, or another day of the embedded one."""

from __future__ import annotations

from world import World, bull_put

from messages.market import Tick
from messages.operator import CommandRefused, GroupAccepted
from messages.records import EscalationRecord

S = 1_000_000_000


def alerts(world: World) -> list[EscalationRecord]:
    return [alert for alert in world.journal.open_escalations() if alert.kind == "CLOCK_BEHIND"]


def test_s12_a_clock_that_runs_back_moves_no_deadline_stops_new_risk_and_calls_a_person_once() -> None:
    world = World()
    for seconds in (3_600, 3_599):
        world.take([Tick(world.now_ns - seconds * S)])
    (alert,) = alerts(world)
    assert "3600 s behind" in alert.text
    world.submit(bull_put(quantity=10))
    (refused,) = [answer for _, answer in world.replies if isinstance(answer, CommandRefused)]
    assert "the broker's clock is far behind the journal's" in refused.problems[0]
    assert not world.received


def test_a_clock_that_has_caught_up_allows_it_again() -> None:
    world = World()
    world.take([Tick(world.now_ns - 3_600 * S)])
    world.take([Tick(world.now_ns)])
    world.submit(bull_put(quantity=10))
    assert isinstance(world.replies[-1][1], GroupAccepted)
    assert world.received


def test_a_tick_that_is_a_little_late_changes_nothing() -> None:
    world = World()
    world.take([Tick(world.now_ns - 60 * S)])
    world.submit(bull_put(quantity=10))
    assert isinstance(world.replies[-1][1], GroupAccepted)
    assert not alerts(world)
