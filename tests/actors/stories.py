"""Plans of every shape, and what a market does to them: shared by the tests that make up their own stories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from world import CHAIN, World, call, leg, put

from domain.execution import ExecType, Side
from domain.groups import Plan, PlanLeg, PlanStop, Policy

SHAPES: Mapping[str, Sequence[PlanLeg]] = {
    "bull_put": (leg(put(90), "buy"), leg(put(95), "sell")),
    "bear_call": (leg(call(110), "buy"), leg(call(105), "sell")),
    "iron_condor": (leg(put(90), "buy"), leg(put(95), "sell"), leg(call(110), "buy"), leg(call(105), "sell")),
    "butterfly": (leg(put(90), "buy"), leg(put(100), "sell"), leg(call(110), "buy"), leg(call(100), "sell")),
    "long_call": (leg(call(120), "buy"),),
    "naked_call": (leg(call(120), "sell"),),
    "jade_lizard": (leg(put(90), "sell"), leg(call(110), "buy"), leg(call(105), "sell")),
    "front_ratio": (leg(call(100), "buy"), leg(call(105), "sell", 2)),
}
NAKED = frozenset({"naked_call", "jade_lizard", "front_ratio"})
QUANTITIES = (1, 2, 5, 10, 60, 120)  # beyond the freeze quantity of 50, too
SIZES = (1, 3, 20, 200)  # what the market shows at a time
BIDS = (500, 10_000, 20_000, 22_000, 30_000)
SYMBOLS = tuple(instrument.symbol for instrument in CHAIN)


def plan(group_id: str, shape: str, quantity: int, policy: Policy, legs: Sequence[PlanLeg], stop: int = 0) -> Plan:
    """A plan of a shape with its legs in this order; ``stop`` triggers a stop-loss on its first short leg."""
    shorts = [leg for leg in legs if leg.side is Side.SELL]
    return Plan(
        group_id=group_id,
        quantity=quantity,
        legs=tuple(legs),
        strategy=shape,
        policy=policy,
        allow_naked=shape in NAKED,
        stops=(PlanStop(leg_id=shorts[0].leg_id, trigger_price=stop),) if stop and shorts else (),
    )


def bust_one(world: World, number: int) -> bool:
    """Bust one of the trades so far; ``False`` when that one cannot be busted any more."""
    trades = [report for report in world.exchange.executions() if report.exec_type is ExecType.TRADE]
    if not trades:
        return False
    try:
        world.take(world.exchange.bust(trades[number % len(trades)].exec_id, world.now_ns))
    except ValueError:  # busted before
        return False
    return True


def heal(world: World, minutes: int = 2) -> None:
    """End all faults: the link is whole, the markets are deep, and time passes."""
    world.deaf = world.mute = False
    world.sizes = dict.fromkeys(world.sizes, 200)
    world.restart()
    for _ in range(minutes * 5):
        world.advance(12_000, step_ms=500, fresh=True)
        world.snapshot()
