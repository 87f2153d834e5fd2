"""What a group choked on is parked; what it told is not lost with it (S9, R21)."""

from __future__ import annotations

from typing import Any

import pytest
from second_look import SecondLook, hedged_world
from world import LONG, SHORT, World, bull_put

from decisions.groups import group as group_core
from decisions.groups import leg as leg_core
from domain.groups import GroupOutcome, Mode
from messages.group import CloseGroup
from messages.operator import CancelGroup, CommandDone, CommandRefused
from messages.orders import ActivityKind
from messages.positions import PositionsMoved
from messages.records import PositionKind


class Chokes:
    """Until it is ``over``, the group raises on each letter of this kind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type, times: int = 2) -> None:
        self.left = times
        decide = group_core.decide

        def broken(state: Any, message: Any, moment: Any) -> Any:
            if isinstance(message, kind) and self.left:
                self.left -= 1
                raise RuntimeError("a planted bug")
            return decide(state, message, moment)

        monkeypatch.setattr(group_core, "decide", broken)


def liquidated(world: World) -> SecondLook:
    """The broker liquidates a part of the protection, and the reconciler finds it out."""
    look = SecondLook(world)
    look.looks()
    world.exchange.intervene(ActivityKind.LIQUIDATION, LONG, -4, 0, world.now_ns)
    look.looks()
    return look


def test_r21_a_loss_that_a_group_choked_on_is_known_to_it_once_it_is_quarantined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It went on as hedged, with four shorts naked: later losses came under the number of the parked one, and were
    taken for its repetitions."""
    world = hedged_world()
    choked = Chokes(monkeypatch, PositionsMoved)
    look = liquidated(world)
    assert (choked.left, world.group().group.quarantined) == (0, True)
    assert [parked.incoming for parked in world.rejected()] == ["PositionsMoved"]
    assert [(event.quantity, event.kind) for event in look.events()] == [(-4, PositionKind.LIQUIDATION)]
    assert len(world.escalations("POSITION_LIQUIDATION")) == 1
    world.advance(5_000, fresh=True)
    assert world.position(LONG) + world.position(SHORT) >= 0
    assert world.group().group.outcome is GroupOutcome.HALTED
    world.exchange.intervene(ActivityKind.LIQUIDATION, LONG, -1, 0, world.now_ns)
    found = look.looks().comparison.balance(LONG)
    assert found.difference == 0, "a later loss was lost with it"


def test_r21_a_loss_that_its_group_was_given_up_over_is_known_to_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    world = hedged_world()
    choked = Chokes(monkeypatch, PositionsMoved)
    start = leg_core.start

    def broken(message: Any, moment: Any) -> Any:
        if not choked.left:  # the quarantined one cannot be rebuilt
            raise RuntimeError("another planted bug")
        return start(message, moment)

    monkeypatch.setattr(leg_core, "start", broken)
    look = liquidated(world)
    assert world.group().group.outcome is GroupOutcome.HALTED
    assert len(world.escalations("GROUP_GIVEN_UP")) == 1
    assert [event.quantity for event in look.events()] == [-4]
    assert look.looks().comparison.balance(LONG).difference == 0


@pytest.mark.parametrize(("times", "answer"), [(1, CommandDone), (2, CommandRefused)])
def test_a_person_whose_cancel_was_parked_is_told_that_nothing_comes_of_it(
    monkeypatch: pytest.MonkeyPatch, times: int, answer: type
) -> None:
    world = World()
    world.submit(bull_put())
    Chokes(monkeypatch, CloseGroup, times)
    world.replies.clear()
    world.take([CancelGroup("bp")])
    ((command, told),) = world.replies
    assert (command, type(told)) == ("cancel:bp", answer)
    world.take([CancelGroup("bp")])
    assert world.group().group.mode is Mode.FLATTENING
    world.advance(5_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)
