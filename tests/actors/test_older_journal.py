"""An older copy of a journal is put back (F.storage, R12): whatever it has forgotten, nothing is done twice unseen.

The orders that the lost part of the journal placed are at the broker, under ids that the cell makes again: it finds
them in the first snapshot, calls a person, and joins what it then sends with what is there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
import pytest
from world import DEEP_POCKETS, LONG, SHORT, World, bull_put, call, leg

from domain.groups import GroupOutcome, Mode, Plan
from messages.operator import CancelGroup
from messages.orders import SubmitOrder
from messages.records import Severity
from storage.memory import MemoryJournal
from venue.rules import Rules

QUANTITY, SIZE, PATIENCE_S = 40, 30, 40
CONDOR = Plan(
    group_id="bp",
    quantity=QUANTITY,
    legs=(leg(LONG, "buy"), leg(SHORT, "sell"), leg(call(105), "sell"), leg(call(110), "buy")),
    strategy="iron_condor",
)


def a_world(*, deduplicates: bool) -> World:
    rules = Rules(cash=DEEP_POCKETS, deduplicate=deduplicates)
    return World(deduplicates=deduplicates, rules=rules, size=SIZE)


def whole(world: World) -> None:
    world.submit(bull_put())


def in_part(world: World) -> None:
    world.submit(CONDOR)
    for _ in range(5):
        world.advance(1_000)


def canceled(world: World) -> None:
    world.submit(bull_put())
    world.take([CancelGroup("bp")])
    world.advance(1_000)


def put_back(world: World, turns: int) -> None:
    """The cell dies, and its successor finds a journal that ends after so many turns."""
    kept = world.journal.turns()[:turns]
    world.journal.crash()
    world.journal = MemoryJournal.of(kept)
    world.cell = world.new_cell()
    world.link_up()


def told(world: World) -> bool:
    return any(alert.severity is Severity.CRITICAL and not alert.acknowledged_ns for alert in world.alerts)


@pytest.mark.parametrize("story", [whole, in_part, canceled])
@pytest.mark.parametrize("deduplicates", [True, False])
def test_whatever_an_older_journal_has_forgotten_nothing_is_done_twice_and_a_person_is_called(
    story: Callable[[World], None], deduplicates: bool
) -> None:
    begin = partial(a_world, deduplicates=deduplicates)
    first = begin()
    story(first)
    length = len(first.journal.turns())
    assert length > 3
    for turns in range(1, length):
        world = begin()
        story(world)
        world.alerts.clear()
        put_back(world, turns)
        for _ in range(PATIENCE_S):
            world.advance(1_000)
        held = {symbol: world.position(symbol) for symbol in (LONG, SHORT, call(105), call(110))}
        assert 0 <= held[LONG] <= QUANTITY and 0 <= held[call(110)] <= QUANTITY, (turns, held)
        assert -held[LONG] <= held[SHORT] <= 0 and -held[call(110)] <= held[call(105)] <= 0, (turns, held)
        assert told(world) or world.group().group.reason == first.group().group.reason, (turns, world.kinds())


def test_a_group_with_forgotten_orders_is_left_to_a_person_for_good() -> None:
    world = a_world(deduplicates=False)
    whole(world)
    put_back(world, 2)
    world.restart()
    record = world.group().group
    assert (record.outcome, record.mode) == (GroupOutcome.HALTED, Mode.LEFT)
    (alert,) = world.escalations("GROUP_GIVEN_UP")
    assert "is at the broker, and not in its journal" in alert.text
    received = len(world.received)
    for _ in range(PATIENCE_S):
        world.advance(1_000)
    assert not [request for request in world.received[received:] if isinstance(request, SubmitOrder)]
    world.take([CancelGroup("bp")])
    assert "was given up; close what it holds at the broker" in str(world.replies[-1])


def test_an_order_of_another_cells_group_of_that_name_leaves_nothing() -> None:
    world = a_world(deduplicates=True)
    whole(world)
    theirs = world.heard[0]
    world.take([msgspec.structs.replace(theirs, client_order_id=f"LK1{theirs.client_order_id[3:]}")])
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert world.escalations("FOREIGN_ORDER") and not world.escalations("GROUP_GIVEN_UP")
