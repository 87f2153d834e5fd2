"""An order that waits in the gateway's lane is not void, however many snapshots leave it out (I15, R7)."""

from __future__ import annotations

from typing import Any

import pytest
from world import World, bull_put

from decisions.groups import group as group_core
from domain.groups import GroupOutcome, Role
from messages.group import Review
from messages.market import session_number
from messages.orders import SubmitOrder
from messages.records import IntentRecord, IntentStatus


def waiting() -> World:
    """A bull put whose first order a gateway holds back, at a broker that makes a second order of a second copy."""
    world = World(deduplicates=False)
    world.session = session_number(1, 0)
    world.link_up()
    world.mute = True
    world.submit(bull_put())
    return world


def first_order(world: World) -> IntentRecord:
    return next(intent for intent in world.group().intents if intent.role is Role.PROTECTION)


def crash_once(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """The group is rebuilt from its records."""
    decide = group_core.decide

    def broken(state: Any, message: Any, moment: Any) -> Any:
        if isinstance(message, Review):
            monkeypatch.setattr(group_core, "decide", decide)
            raise RuntimeError("a planted bug")
        return decide(state, message, moment)

    monkeypatch.setattr(group_core, "decide", broken)
    while not world.group().group.crashes:
        world.advance(100)


def polls(world: World, times: int = 3) -> None:
    """So many polls, each well after the horizon of the one before."""
    for _ in range(times):
        world.advance(world.config.orders.absence_horizon_ms)
        world.snapshot()


@pytest.mark.parametrize("crashes", [False, True], ids=["as it was", "rebuilt meanwhile"])
def test_no_snapshot_proves_its_absence_and_it_is_taken_when_it_comes(
    monkeypatch: pytest.MonkeyPatch, crashes: bool
) -> None:
    world = waiting()
    if crashes:
        crash_once(monkeypatch, world)
    polls(world)
    assert first_order(world).status is IntentStatus.INTENT_PERSISTED
    world.mute = False
    (held,) = (request for request in world.lost if isinstance(request, SubmitOrder))
    world.take(world.send(held))
    world.advance(1_000)
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert [intent.attempt for intent in world.group().intents] == [1, 1]


@pytest.mark.parametrize("crashes", [False, True], ids=["as it was", "rebuilt meanwhile"])
def test_the_next_gateway_does_not_have_it_and_two_snapshots_void_it(
    monkeypatch: pytest.MonkeyPatch, crashes: bool
) -> None:
    world = waiting()
    if crashes:
        crash_once(monkeypatch, world)
    polls(world)
    world.session = session_number(2, 0)
    world.link_up()
    polls(world)
    assert first_order(world).status is IntentStatus.VOID
