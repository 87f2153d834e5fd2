"""Journals that were deleted while the broker remembers: an old order must never be taken for a new one."""

from __future__ import annotations

from world import World, bull_put

from messages.operator import CommandRefused
from storage.memory import MemoryJournal


def test_an_id_whose_orders_only_the_broker_remembers_is_not_used_again() -> None:
    world = World()
    world.submit(bull_put(quantity=10))
    sent = len(world.received)
    assert sent
    world.journal = MemoryJournal()
    world.cell = world.new_cell()
    world.link_up()
    world.submit(bull_put(quantity=20))
    (refused,) = [answer for _, answer in world.replies if isinstance(answer, CommandRefused)]
    assert refused.problems == (
        "group 'bp' has orders at the broker that this journal does not know; choose another group_id",
    )
    assert len(world.received) == sent
    world.submit(bull_put("other", quantity=10))
    assert len(world.received) > sent


def test_a_journal_that_was_kept_knows_its_own_orders() -> None:
    world = World()
    world.submit(bull_put(quantity=10))
    world.restart()
    world.submit(bull_put(quantity=10))
    (refused,) = [answer for _, answer in world.replies if isinstance(answer, CommandRefused)]
    assert refused.problems == ("group 'bp' has been submitted before; choose another group_id",)
