"""The trading state of the whole system: how much it may do."""

from __future__ import annotations

from enum import Enum


class TradingState(Enum):
    """From the freest to the strictest."""

    ACTIVE = "active"  # new risk may be taken
    REDUCING = "reducing"  # only orders that reduce or protect
    HALTED = "halted"  # nothing new: cancels, and reductions that the broker's positions prove


STRICTNESS = {state: rank for rank, state in enumerate(TradingState)}


def strictest(*states: TradingState) -> TradingState:
    """The one that allows least; ACTIVE of none."""
    return max(states, key=STRICTNESS.__getitem__, default=TradingState.ACTIVE)
