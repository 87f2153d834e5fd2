"""A snapshot that says the same again: it costs the journal no row, and hides nothing."""

from __future__ import annotations

from world import SHORT, World, bull_put

from domain.groups import GroupOutcome
from messages.records import ExecutionStateRecord

POLL_MS = 12_000
TRIGGER = 25_000


def states_written(world: World, polls: int) -> int:
    """How many rows of what is known of an order were written in so many polls."""
    before = len(world.journal.turns())
    for _ in range(polls):
        world.advance(POLL_MS)
        world.snapshot()
    new = world.journal.turns()[before:]
    return sum(isinstance(r, ExecutionStateRecord) for turn in new for r in turn.records())


def ended(stop: int = 0) -> World:
    world = World(size=200)
    world.submit(bull_put(quantity=10, stop=stop))
    world.advance(1_000, fresh=True)
    assert world.group().group.outcome is GroupOutcome.HEDGED
    return world


def test_orders_that_every_snapshot_lists_do_not_fill_the_journal() -> None:
    world = ended()
    first = states_written(world, 2)
    assert first <= 2 * len(world.exchange.orders(world.now_ns))
    assert states_written(world, 20) == 0


def test_a_fill_that_was_never_told_is_found_by_the_next_snapshot_among_all_that_says_the_same() -> None:
    world = ended(stop=TRIGGER)
    states_written(world, 3)
    held = {state.client_order_id: state.cum_qty for state in world.group().execution_states}
    world.deaf = True
    world.quote(SHORT, TRIGGER, TRIGGER + 500, 4)
    world.deaf = False
    told = {order.client_order_id: order.cum_qty for order in world.exchange.orders(world.now_ns)}
    assert told != held
    world.snapshot()
    known = {state.client_order_id: state.cum_qty for state in world.group().execution_states}
    assert told.items() <= known.items(), "and the group has acted on it since"
