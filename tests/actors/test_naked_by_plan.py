"""R21, S3, I6: a jade lizard's calls lose their long; the put that its plan leaves naked is no excuse."""

from __future__ import annotations

import pytest
from second_look import SecondLook, world_with_shares
from world import World, call, leg, put

from domain.groups import GroupOutcome, Mode, Plan, PlanLeg, Role
from messages.orders import ActivityKind
from messages.records import Severity

PUT, SHORT, LONG = put(90), call(105), call(110)
FAR = 21_000  # a limit that nobody pays for the put


def entered(*, put_limit: int = 0) -> tuple[World, SecondLook]:
    world = world_with_shares()
    legs: tuple[PlanLeg, ...] = (leg(PUT, "sell", limit=put_limit), leg(SHORT, "sell"), leg(LONG, "buy"))
    world.submit(Plan(group_id="bp", quantity=10, legs=legs, strategy="jade_lizard", allow_naked=True))
    world.advance(100)
    look = SecondLook(world)
    look.looks(1)
    return world, look


def with_put(story: str) -> tuple[World, SecondLook]:
    """The put is held, still waits at its limit, or was assigned."""
    world, look = entered(put_limit=FAR if story == "waits" else 0)
    if story == "assigned":
        world.exchange.assign(PUT, 10, world.now_ns)
        look.looks()
    assert (world.position(PUT), world.position(SHORT), world.position(LONG)) == (
        -10 if story == "held" else 0, -10, 10,
    )  # fmt: skip
    return world, look


def without_long(story: str, kind: ActivityKind) -> World:
    """The same, and somebody closes the long call."""
    world, look = with_put(story)
    world.exchange.intervene(kind, LONG, -10, 0, world.now_ns)
    world.advance(1_000)
    look.look()
    return world


STORIES = pytest.mark.parametrize("story", ["held", "waits", "assigned"])


@STORIES
def test_r21_a_long_call_that_somebody_sold_is_bought_again(story: str) -> None:
    world = without_long(story, ActivityKind.MANUAL)
    assert sum(order.quantity for order in world.orders(Role.HEDGE)) == 10
    world.advance(2_000, fresh=True)
    assert (world.position(SHORT), world.position(LONG), world.cell.uncovered_qty) == (-10, 10, 0)
    (exposure,) = world.group().exposures
    assert (exposure.quantity, exposure.covered_ns > 0) == (10, True)


@STORIES
def test_r21_calls_whose_long_the_house_closed_are_bought_back(story: str) -> None:
    world = without_long(story, ActivityKind.LIQUIDATION)
    world.advance(5_000, fresh=True)
    assert [world.position(symbol) for symbol in (PUT, SHORT, LONG)] == [0, 0, 0]
    ended = world.group().group
    assert (ended.mode, ended.outcome) == (Mode.REDUCING, GroupOutcome.FLAT)
    assert any(alert.severity is Severity.CRITICAL for alert in world.alerts)


@STORIES
def test_s3_calls_without_their_long_are_critical(story: str) -> None:
    world, look = with_put(story)
    look.silent_about_activities = True
    world.mute = True  # nobody can repair it: it stays as it is
    world.exchange.intervene(ActivityKind.LIQUIDATION, LONG, -10, 0, world.now_ns)
    look.looks()
    assert world.escalations("POSITION_MISMATCH")[-1].severity is Severity.CRITICAL


def test_s3_the_put_that_went_with_the_long_call_does_not_make_up_for_it() -> None:
    world, look = entered()
    look.silent_about_activities = True
    world.mute = True
    world.exchange.intervene(ActivityKind.MANUAL, PUT, 10, 0, world.now_ns)
    world.exchange.intervene(ActivityKind.MANUAL, LONG, -10, 0, world.now_ns)
    look.looks()
    assert [alert.severity for alert in world.escalations("POSITION_MISMATCH")] == [Severity.CRITICAL]


def test_a_jade_lizard_as_planned_has_nothing_uncovered_in_any_order_of_fills() -> None:
    for story in ("held", "waits"):
        world, _ = with_put(story)
        assert world.cell.uncovered_qty == 0
        assert not world.group().exposures
        assert not world.alerts
