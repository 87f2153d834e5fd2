"""The worst that a plan can come to while it is being filled (S6).

A *prefix* is what every leg holds at some moment.  Protection fills in any amount, every long by itself; a short fills
only up to what the filled longs cover (:func:`domain.coverage.covered`, the rule by which risk is released).  Only when
every long and every covered short is complete may the naked rest of a plan follow that allows one.

There is no need to visit every prefix.  In one scenario the loss is a sum over the legs, so it is linear wherever the
cover is.  Legs protect each other only within a *family*: one underlying, right and multiplier.  Within it, the cover
of the first k shorts is the smallest, over expiries t, of the shorts that end before t plus the longs that end at t or
later; its kinks lie where the longs of a run of expiries add up to whole shorts.  Such a system of runs is totally
unimodular (every row is consecutive ones), so every corner is a whole multiple of the greatest common divisor of the
family's targets, and the worst prefix is a corner.  A family of an iron condor has two, however many slices it is in.
Losses of different underlyings are added, each in its own worst scenario: they need not move together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import product
from math import ceil, gcd, prod
from typing import Final

import msgspec

from domain.coverage import covered
from domain.execution import Side
from domain.groups import Group, Leg

MAX_CORNERS: Final = 4_096  # per family; beyond, each leg is taken at its own worst, which is never too little

Losses = Mapping[str, Sequence[float]]  # by leg id: what one unit loses in each scenario (an amount)
Choice = tuple[str, int, int]  # a leg, and the least and the most that it holds
Corner = tuple[Choice, ...]


class WorstCase(msgspec.Struct, frozen=True, kw_only=True):
    """The largest loss: how much, in which scenario of each underlying, and holding what of each leg."""

    loss: int  # an amount, rounded up, never negative
    scenarios: tuple[tuple[str, str], ...]  # underlying and the scenario's name
    prefix: tuple[tuple[str, int], ...]  # leg id and quantity, in the order of the legs

    @property
    def scenario(self) -> str:
        """The scenarios in words."""
        if len(self.scenarios) == 1:
            return self.scenarios[0][1]
        return "; ".join(f"{underlying}: {name}" for underlying, name in self.scenarios)


class Prefixes(msgspec.Struct, frozen=True):
    """The corners of all reachable prefixes: in turn, every family may be at any corner of its own."""

    entering: tuple[tuple[str, tuple[Corner, ...]], ...]  # underlying and the corners of one family
    naked: tuple[tuple[str, tuple[Corner, ...]], ...]  # the same, once the naked rest may fill; else empty


def prefixes(group: Group) -> Prefixes:
    """Every corner that matters; the same for all prices."""
    families: dict[tuple[object, ...], list[Leg]] = defaultdict(list)
    for leg in group.legs:
        instrument = leg.instrument
        families[instrument.underlying, instrument.right, instrument.multiplier].append(leg)
    entering = tuple((legs[0].instrument.underlying, _corners(legs)) for legs in families.values())
    naked = tuple((legs[0].instrument.underlying, (_naked(legs),)) for legs in families.values())
    return Prefixes(entering, naked if group.allow_naked else ())


def worst_case(group: Group, losses: Losses, names: Sequence[str]) -> WorstCase:
    """The worst of all reachable prefixes in all scenarios; ``names`` are the scenarios'."""
    reachable = prefixes(group)
    stages = [_worst_of(families, losses, len(names)) for families in (reachable.entering, reachable.naked) if families]
    loss, scenarios, held = max(stages, key=lambda stage: stage[0])
    return WorstCase(
        loss=max(0, ceil(round(loss, 3))),  # what floats add in the last digits is no loss
        scenarios=tuple((underlying, names[index]) for underlying, index in scenarios.items()),
        prefix=tuple((leg.leg_id, held[leg.leg_id]) for leg in group.legs),
    )


def _worst_of(
    families: Sequence[tuple[str, tuple[Corner, ...]]], losses: Losses, count: int
) -> tuple[float, dict[str, int], dict[str, int]]:
    """The largest loss, each underlying's scenario, and what is held."""
    of_underlying: dict[str, list[tuple[Corner, ...]]] = defaultdict(list)
    for underlying, corners in families:
        of_underlying[underlying].append(corners)
    total = 0.0
    scenarios: dict[str, int] = {}
    held: dict[str, int] = {}
    for underlying, members in of_underlying.items():
        tables = [[_losses_at(corner, losses, count) for corner in corners] for corners in members]
        sums = [sum(map(max, at)) for at in zip(*(zip(*table, strict=True) for table in tables), strict=True)]
        scenario = sums.index(max(sums))
        total += sums[scenario]
        scenarios[underlying] = scenario
        for corners, table in zip(members, tables, strict=True):
            worst = [row[scenario] for row in table]
            for leg_id, least, most in corners[worst.index(max(worst))]:
                held[leg_id] = most if losses[leg_id][scenario] > 0 else least
    return total, scenarios, held


def _losses_at(corner: Corner, losses: Losses, count: int) -> list[float]:
    """What this corner loses in each scenario."""
    totals = [0.0] * count
    for leg_id, least, most in corner:
        if most:
            both = zip(totals, losses[leg_id], strict=True)
            totals = [total + loss * (most if loss > 0 else least) for total, loss in both]
    return totals


def _corners(legs: Sequence[Leg]) -> tuple[Corner, ...]:
    longs = [leg for leg in legs if leg.side is Side.BUY]
    targets = {leg.leg_id: leg.target_qty for leg in legs}
    step = gcd(*targets.values())
    if prod(leg.target_qty // step + 1 for leg in longs) > MAX_CORNERS:
        return (tuple((leg.leg_id, 0, leg.target_qty) for leg in legs),)
    found = []
    for quantities in product(*(range(0, leg.target_qty + 1, step) for leg in longs)):
        held = {leg.leg_id: quantity for leg, quantity in zip(longs, quantities, strict=True)}
        released = covered(legs, held, targets)
        found.append(
            tuple((leg_id, quantity, quantity) for leg_id, quantity in held.items())
            + tuple((leg_id, 0, quantity) for leg_id, quantity in released.items())
        )
    return tuple(found)


def _naked(legs: Sequence[Leg]) -> Corner:
    targets = {leg.leg_id: leg.target_qty for leg in legs}
    released = covered(legs, targets, targets)
    return tuple((leg.leg_id, released.get(leg.leg_id, leg.target_qty), leg.target_qty) for leg in legs)
