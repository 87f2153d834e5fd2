"""L1 and the invariants of the edge over whole random minutes: everything fails at once, then it heals.

Every seed is one world: up to three groups of any shape, thin and moving markets, lost and late messages, crashes,
polls, busts, cancels.  ``python -m pytest tests/actors/test_hostile_minutes.py -k seed17`` tells one seed again.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from edge import Edge
from msgspec.structs import replace
from stories import BIDS, QUANTITIES, SHAPES, SIZES, SYMBOLS, bust_one, heal, plan
from world import DEEP_POCKETS, World

from decisions.effects import MS
from domain.groups import GroupOutcome, Plan, PlanGroupStop, Policy, Role, TriggerOn
from domain.money import PRICE_SCALE
from messages.operator import CancelGroup
from storage.tables import GROUPS
from venue.rules import Rules

SEEDS = range(60)


def a_plan(chance: random.Random, number: int) -> Plan:
    shape = chance.choice(sorted(SHAPES))
    stop = chance.choice([0, 0, 0, 21_000, 22_000, 30_000])
    legs = chance.sample(SHAPES[shape], len(SHAPES[shape]))
    made = plan(f"{shape}-{number}", shape, chance.choice(QUANTITIES), chance.choice(list(Policy)), legs, stop)
    on = chance.choice([TriggerOn.LAST, *TriggerOn])
    group_stop = PlanGroupStop(max_loss=chance.choice([50, 5_000, 50_000]) * PRICE_SCALE)
    return replace(
        made,
        stops=tuple(replace(each, trigger_on=on) for each in made.stops),
        stop=chance.choice([None, None, group_stop]),
    )


def hostile(seed: int) -> tuple[World, Edge, list[Plan]]:
    """A minute or so in which anything may happen."""
    chance = random.Random(seed)
    world = World(
        size=chance.choice(SIZES),
        rules=Rules(
            cash=DEEP_POCKETS,
            cancel_latency_ns=chance.choice([0, 5 * MS, 200 * MS]),
            market_protection_pct=chance.choice([0.0, 0.0, 5.0]),
        ),
        replaces=chance.choice([True, False]),
        rests=chance.choice([True, False]),
        server_stops=chance.choice([True, True, False]),
    )
    world.watch = edge = Edge(world)
    plans = [a_plan(chance, number) for number in range(chance.randint(1, 3))]
    waiting = list(plans)
    for _ in range(chance.randint(20, 90)):
        if waiting and chance.random() < 0.2:
            world.submit(waiting.pop())
        disturb(world, chance, plans)
        world.advance(chance.choice([100, 100, 500, 3_000]), fresh=chance.random() < 0.8)
    world.deaf = world.mute = False
    for each in waiting:
        world.submit(each)
    heal(world)
    return world, edge, plans


def disturb(world: World, chance: random.Random, plans: list[Plan]) -> None:
    """At most one fault."""
    fault = chance.random()
    if fault < 0.05:
        world.deaf = not world.deaf
    elif fault < 0.08:
        world.mute = not world.mute
    elif fault < 0.12:
        world.deaf = world.mute = False
        world.restart()
    elif fault < 0.16:
        world.snapshot()
    elif fault < 0.18:
        bust_one(world, chance.randrange(1_000))
    elif fault < 0.20:
        world.take([CancelGroup(chance.choice(plans).group_id)])
    elif fault < 0.28:
        bid = chance.choice(BIDS)
        world.quote(chance.choice(SYMBOLS), bid, bid + chance.choice([500, 2_000]), chance.choice([1, 5, 100]))


def held(world: World, group_id: str) -> Counter[str]:
    """What the exchange says that the group holds, by leg; flat legs are left out."""
    intents = {intent.client_order_id: intent for intent in world.group(group_id).intents}
    net: Counter[str] = Counter()
    for order in world.exchange.orders(world.now_ns):
        if intent := intents.get(order.client_order_id):
            net[intent.leg_id] += intent.side.sign * order.cum_qty
    return Counter({leg_id: quantity for leg_id, quantity in net.items() if quantity})


def planned(world: World, group_id: str) -> Counter[str]:
    legs = world.group(group_id).group.group.legs
    return Counter({leg.leg_id: leg.side.sign * leg.target_qty for leg in legs})


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed{seed}")
def test_after_a_hostile_minute_every_group_is_certified_as_the_exchange_sees_it(seed: int) -> None:
    world, edge, plans = hostile(seed)
    for each in plans:
        rows = world.group(each.group_id)
        outcome, holds = rows.group.outcome, held(world, each.group_id)
        assert outcome is not GroupOutcome.OPEN, f"seed {seed}: {rows.group}"
        if outcome is GroupOutcome.HEDGED:
            assert holds == planned(world, each.group_id), f"seed {seed}: {each.group_id} is not hedged"
        if outcome is GroupOutcome.FLAT:
            assert not holds, f"seed {seed}: {each.group_id} is not flat"
        if outcome is GroupOutcome.HALTED:
            alerts = [a for a in world.escalations("GROUP_HALTED") if a.group_id == each.group_id]
            assert alerts, f"seed {seed}: {each.group_id} is halted and nobody was told"
        assert rows.group.crashes == 0, f"seed {seed}: {rows.group.reason}"
        live = [i.client_order_id for i in world.live(each.group_id) if i.role is not Role.STOP_LIMIT]
        assert not live, f"seed {seed}: {live} are live"
        known = {state.client_order_id: state.cum_qty for state in rows.execution_states}
        told = {order.client_order_id: order.cum_qty for order in world.exchange.orders(world.now_ns)}
        ours = {i.client_order_id for i in rows.intents}
        assert all(known[key] == cum for key, cum in told.items() if key in ours), f"seed {seed}: J is not B"
    assert "FOREIGN_ORDER" not in world.kinds(), f"seed {seed}"
    assert edge.watched > 0


def test_one_seed_tells_one_story() -> None:
    first, second = hostile(4)[0], hostile(4)[0]
    assert first.truth == second.truth
    assert first.journal.head == second.journal.head


def test_the_seeds_reach_every_outcome_and_every_kind_of_repair() -> None:
    outcomes: Counter[GroupOutcome] = Counter()
    roles: Counter[Role] = Counter()
    for seed in range(12):
        world, _, _ = hostile(seed)
        outcomes.update(group.outcome for group in world.journal.rows(GROUPS))
        roles.update(order.role for order in world.orders())
    assert {GroupOutcome.HEDGED, GroupOutcome.FLAT} <= set(outcomes)
    assert {Role.PROTECTION, Role.RISK, Role.HEDGE, Role.CLOSE, Role.STOP_LIMIT} <= set(roles)
