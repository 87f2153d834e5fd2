"""E14: whatever is lost, late, stale or restarted, the reconciler takes no trade of ours for a change without an order.

Every seed is one world; an assignment in the middle of it is found in full, and nothing else is.
"""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace
from second_look import SecondLook, world_with_shares
from world import SHORT, UNDERLYING, bull_put

from decisions.effects import MS
from messages.operator import CancelGroup
from messages.orders import Snapshot
from messages.positions import BrokerView

LAG_MS = 1_000


def peek(look: SecondLook, chance: random.Random, kept: list[Snapshot]) -> None:
    """A look at a snapshot that may be stale, incomplete, or one that came before."""
    told = look.snapshot()
    kept.append(told)
    fault = chance.random()
    if fault < 0.3:  # its content is older than it says
        told = replace(told, as_of_ns=told.as_of_ns + chance.randint(0, LAG_MS - 1) * MS)
    elif fault < 0.4:
        told = chance.choice(kept)
    elif fault < 0.5 and told.orders:  # an order is missing from it
        told = replace(told, orders=told.orders[:-1])
    elif fault < 0.6:  # this once, it has no positions at all
        told = replace(told, positions=(), activities=())
    found = look.reconciler.look(BrokerView(told, (), LAG_MS * MS), look.library())
    if found is not None:
        look.world.take(found.findings)


@pytest.mark.parametrize("seed", range(25))
def test_only_what_no_order_caused_is_found_and_all_of_it(seed: int) -> None:
    chance = random.Random(seed)
    world = world_with_shares(size=chance.choice([2, 5, 100]))
    look = SecondLook(world)
    kept: list[Snapshot] = []
    assigned, plans = 0, [bull_put(f"g{n}", chance.choice([3, 10])) for n in range(3)]
    for step in range(40):
        world.mute, world.deaf = chance.random() < 0.1, chance.random() < 0.15
        if plans and chance.random() < 0.2:
            world.submit(plans.pop())
        if chance.random() < 0.08:
            world.restart()
        if chance.random() < 0.1:
            look.again()
        if chance.random() < 0.05:
            world.take([CancelGroup("g2")])
        short = -world.position(SHORT)
        if step > 20 and short > 0 and not assigned:
            assigned = chance.randint(1, short)
            world.exchange.assign(SHORT, assigned, world.now_ns)
        peek(look, chance, kept)
        if chance.random() < 0.3:
            world.snapshot()
        world.advance(chance.choice([100, 500, 3_000]), fresh=chance.random() < 0.7)
    world.mute = world.deaf = False
    for _ in range(4):
        world.snapshot()
        world.advance(4_000, fresh=True)
        found = look.look(lag_ms=LAG_MS)
    moved = dict.fromkeys((SHORT, UNDERLYING), 0)
    for event in look.events():
        moved[event.symbol] = moved.get(event.symbol, 0) + event.quantity
    assert moved == {SHORT: assigned, UNDERLYING: 100 * assigned}
    assert all(not one.difference for one in found.comparison.symbols)
