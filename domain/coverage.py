"""Which long contracts protect which short ones, and how much of each.

A long protects a short when both are of one underlying and right, the long expires no earlier, and both have one
multiplier: then the pair's loss is bounded by the distance of the strikes (Cboe's rule for spreads: the long must not
expire before the short).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from domain.execution import Side
from domain.groups import Leg
from domain.instruments import Instrument


class Pairing(msgspec.Struct, frozen=True, array_like=True):
    """``quantity`` units of one long leg that protect as many units of one short leg."""

    long_id: str
    short_id: str
    quantity: int


def protects(long: Instrument, short: Instrument) -> bool:
    """Whether a long position in ``long`` bounds the loss of a short one in ``short``."""
    return (
        long.right is not None
        and long.right is short.right
        and long.underlying == short.underlying
        and long.multiplier == short.multiplier
        and long.expiry >= short.expiry
    )


@lru_cache(maxsize=20_000)
def _shields(legs: tuple[Leg, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each short leg in the order of the legs, with the long legs that protect it, the soonest to expire first.

    Kept per group of legs, because a group asks at every look and its legs never change.
    """
    longs = sorted((leg for leg in legs if leg.side is Side.BUY), key=lambda leg: (leg.instrument.expiry, leg.index))
    return tuple(
        (short.leg_id, tuple(long.leg_id for long in longs if protects(long.instrument, short.instrument)))
        for short in legs
        if short.side is Side.SELL
    )


def pairings(legs: Sequence[Leg], long_qty: Mapping[str, int], short_qty: Mapping[str, int]) -> list[Pairing]:
    """Which of the ``long_qty`` units protect which of the ``short_qty`` units (both by leg id).

    Every long unit protects one short unit.  Shorts are served in the order of their legs, each first by the longs
    that expire soonest, so that a longer long is kept for a later short.
    """
    left = dict(long_qty)
    result: list[Pairing] = []
    for short_id, shields in _shields(tuple(legs)):
        wanted = short_qty.get(short_id, 0)
        for long_id in shields:
            if wanted <= 0:
                break
            got = min(left.get(long_id, 0), wanted)
            if got > 0:
                left[long_id] -= got
                wanted -= got
                result.append(Pairing(long_id, short_id, got))
    return result


def covered(legs: Sequence[Leg], long_qty: Mapping[str, int], short_qty: Mapping[str, int]) -> dict[str, int]:
    """For each short leg, how many of its ``short_qty`` units are protected."""
    left = dict(long_qty)
    result = {}
    for short_id, shields in _shields(tuple(legs)):
        wanted = max(0, short_qty.get(short_id, 0))
        open_qty = wanted
        for long_id in shields:
            there = left.get(long_id, 0)
            if there > 0 and open_qty > 0:
                got = there if there < open_qty else open_qty
                left[long_id] = there - got
                open_qty -= got
        result[short_id] = wanted - open_qty
    return result


def used(legs: Sequence[Leg], long_qty: Mapping[str, int], short_qty: Mapping[str, int]) -> dict[str, int]:
    """For each long leg, how many of its ``long_qty`` units protect something."""
    result = {leg.leg_id: 0 for leg in legs if leg.side is Side.BUY}
    for pair in pairings(legs, long_qty, short_qty):
        result[pair.long_id] += pair.quantity
    return result


def uncovered(legs: Sequence[Leg], long_qty: Mapping[str, int], short_qty: Mapping[str, int]) -> dict[str, int]:
    """For each short leg, how many of its ``short_qty`` units nothing protects."""
    return {
        leg_id: max(0, short_qty.get(leg_id, 0)) - got for leg_id, got in covered(legs, long_qty, short_qty).items()
    }


def lacking(legs: Sequence[Leg], held: Mapping[str, int], meant: Mapping[str, int]) -> dict[str, int]:
    """For each short leg, how many units ``held`` nothing protects, though ``meant`` protects them (both by leg id).

    What is held of a short may be naked as far as it would be with every long of ``meant`` there, and no further: a
    naked leg lends its leave to no other, a covered one keeps its need of cover while the naked rest is not sold yet,
    and beyond ``meant`` nothing may be naked.
    """
    shorts = [short_id for short_id, _ in _shields(tuple(legs))]
    naked = uncovered(legs, meant, {key: min(held.get(key, 0), meant.get(key, 0)) for key in shorts})
    return uncovered(legs, held, {key: held.get(key, 0) - naked[key] for key in shorts})
