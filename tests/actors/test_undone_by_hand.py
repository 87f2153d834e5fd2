"""R13, R21, I6: what a person trades by hand and undoes again changes no group, and leaves no short uncovered."""

from __future__ import annotations

from typing import Any

import pytest
from second_look import SecondLook, hedged_world
from world import LONG, SHORT, World, bull_put

from decisions.groups import leg as leg_core
from domain.groups import GroupOutcome, Mode, Policy, Role
from messages.operator import CancelGroup
from messages.orders import ActivityKind
from messages.records import Severity


def by_hand(world: World, symbol: str, quantity: int) -> None:
    world.exchange.intervene(ActivityKind.MANUAL, symbol, quantity, 0, world.now_ns)


def settle(world: World, look: SecondLook) -> None:
    """Long enough for a difference to be found and acted on."""
    look.looks()
    for _ in range(5):
        world.advance(2_000, fresh=True)
    assert not any(one.difference for one in look.looks().comparison.symbols)


def _raise(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a planted bug")


@pytest.mark.parametrize("silent", [False, True], ids=["told", "silent"])
@pytest.mark.parametrize("crash", ["none", "cell", "reconciler"])
def test_a_short_sold_by_hand_and_bought_back_is_not_taken_from_the_group(crash: str, silent: bool) -> None:
    world = hedged_world()
    look = SecondLook(world)
    look.silent_about_activities = silent
    look.looks(1)
    by_hand(world, SHORT, -4)
    settle(world, look)
    if crash == "cell":
        world.restart()
    if crash == "reconciler":
        look.again()
    by_hand(world, SHORT, 4)
    settle(world, look)
    assert [(event.group_id, event.quantity) for event in look.events()] == [("", -4), ("", 4)]
    sold, back = sorted(world.escalations("FOREIGN_POSITION"), key=lambda alert: alert.severity.value)
    assert (sold.severity, back.severity) == (Severity.CRITICAL, Severity.WARNING)
    assert "+0 is left" in back.text
    world.take([CancelGroup("bp")])
    settle(world, look)
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert (world.position(LONG), world.position(SHORT)) == (0, 0), "no short stands naked"


def test_more_than_was_sold_by_hand_is_bought_and_the_letters_come_twice() -> None:
    world = hedged_world()
    look = SecondLook(world)
    by_hand(world, SHORT, -4)
    look.looks()
    by_hand(world, SHORT, 6)
    world.advance(1_000)
    found = look.look()
    world.take(found.findings)
    world.take(reversed(found.findings))
    assert sorted((event.group_id, event.quantity) for event in look.events()) == [("", -4), ("", 4), ("bp", 2)]
    settle(world, look)
    world.take([CancelGroup("bp")])
    settle(world, look)
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)


@pytest.mark.parametrize("silent", [False, True], ids=["told", "silent"])
@pytest.mark.parametrize("policy", [Policy.COMPLETE, Policy.FLATTEN])
def test_protection_bought_by_hand_and_sold_again_is_not_taken_from_the_group(policy: Policy, silent: bool) -> None:
    world = hedged_world(bull_put(policy=policy))
    look = SecondLook(world)
    look.silent_about_activities = silent
    look.looks(1)
    by_hand(world, LONG, 4)
    settle(world, look)
    by_hand(world, LONG, -4)
    settle(world, look)
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert not world.orders(Role.HEDGE) and not world.orders(Role.CLOSE)
    by_hand(world, LONG, -4)
    settle(world, look)
    left = 10 if policy is Policy.COMPLETE else 0
    assert (world.position(LONG), world.position(SHORT)) == (left, -left), "what is the group's is its to act on"


def test_what_a_person_closes_of_a_group_that_was_given_up_is_not_taken_from_an_older_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = hedged_world()
    look = SecondLook(world)
    world.submit(bull_put("young"))
    settle(world, look)
    with monkeypatch.context() as planted:
        planted.setattr(leg_core, "start", _raise)
        planted.setattr(leg_core, "decide", _raise)
        world.take([CancelGroup("young")])
    assert world.group("young").group.outcome is GroupOutcome.HALTED
    by_hand(world, SHORT, 10)
    by_hand(world, LONG, -10)
    settle(world, look)
    assert {event.group_id for event in look.events()} == {"young"}
    old = world.group("bp").group
    assert (old.outcome, old.mode) == (GroupOutcome.HEDGED, Mode.ENTERING)
    assert {key for key, units in look.library().held().items() if units} == {("bp", "buyP90"), ("bp", "sellP95")}
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
