"""Where a hunt is aimed: what its seeds do not draw (the ``aim`` of :class:`simulation.tape.Tape`).

A bug that shows only when a commit fails is looked for where commits fail; everything else is still the seed's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.groups import Policy, TriggerOn
from simulation.faults import CATALOGUE, CROWDS, LEVELS
from simulation.tape import UNIT

Aim = Mapping[str, Any]


def only(*names: str, level: float = 1.0) -> dict[str, Any]:
    """These faults and no others, at a ``level`` of what they may be at most; fair weather without any."""
    if unknown := set(names) - CATALOGUE.keys():
        raise LookupError(f"no faults are called {', '.join(sorted(unknown))}")
    if not names:
        return {"any faults": 0}
    switches = {f"{name} is on": int(name in names) for name in CATALOGUE}
    rates = {label: drawn for name in names for label, drawn in at_level(name, level).items()}
    return {"any faults": 1, "so many families of faults": 0, "one fault in so many": min(CROWDS), **switches, **rates}


def at_level(name: str, level: float) -> dict[str, Any]:
    """This fault, when it is on, at a ``level`` of what it may be at most."""
    return {f"rate of {name}": LEVELS.index(level) - 1}


def certain(name: str) -> dict[str, Any]:
    """Where this fault may strike, it does."""
    return {name: UNIT - 1}


def one_group(shape: str, quantity: int) -> dict[str, Any]:
    """One group of this shape and size."""
    return {"groups": 1, "shape": shape, "quantity": quantity}


MANY: Final = {"groups": 3, "quantity": 60}  # three groups of three slices a leg
PACED: Final = {"requests a second, and the reserve": (3, 1)}
AT_ONCE: Final = {"requests a second, and the reserve": (200, 40)}
DOUBLES: Final = {"ids are deduplicated": False}  # a second copy becomes a second order
# a leg gives its three slices up one by one, and hedges follow
FALLS_SHORT: Final = {
    "groups": 1,
    "quantity": 60,
    "attempts": 1,
    "policy": Policy.COMPLETE,
}
# a spread that comes at once in many trades, of which some are taken back when it is whole
BUSTED_LATER: Final = {
    **one_group("bull_put", 25), "size": 2, "policy": Policy.COMPLETE, "and is changed after, ms": 4_000,
    "under fire for, ms": 16_000, "submit at, ms": 400, "controls": {},
    "limits of so many legs, and by how much above the mid": (0, 0),
}  # fmt: skip
GUARDED: Final = {
    "groups": 1, "shape": "bull_put", "quantity": 5, "stop-loss trigger": 21_500, "trigger on": TriggerOn.LAST,
    "stops at the broker": True,
}  # fmt: skip
# a naked put waits at its limit, and meanwhile a call spread is held
WAITS_NAKED: Final = {
    **one_group("jade_lizard", 10), **AT_ONCE, "legs in the opposite order": False, "stop-loss trigger": 0,
    "limits of so many legs, and by how much above the mid": (1, -3_000), "an entry works for, ms": 30_000,
    "entry patience, ms": 40_000,
}  # fmt: skip
# entries at a price that nobody offers, which work for as long as they may
RESTS: Final = {
    "shape": "long_call",
    "quantity": 2,
    "limits of so many legs, and by how much above the mid": (1, -3_000),
    "an entry works for, ms": 30_000,
    "entry patience, ms": 40_000,
    "under fire for, ms": 16_000,
}
KILLED: Final = {
    **certain("F.operator.kill_switch"), "submit at, ms": 1_000, "kill switch at, ms": 1_400,
    "and off after, ms": 10_000,
}  # fmt: skip
