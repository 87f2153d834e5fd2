"""How a safeguard is switched off: a planted bug whose name begins with the id of what it breaks."""

from __future__ import annotations

from typing import Final

from simulation.mutants.catalogue import Mutant
from simulation.mutants.planting import Plant, edit, returns

NOTHING: Final = "None"
RELEASE_AT_ONCE: Final = returns(
    "decisions.groups.group_levels:_allowed_risk", "{leg.leg_id: leg.target_qty for leg in group.legs}"
)
FORGET_INTENTS: Final = edit("decisions.orders.working:place", ("effects.records.append(intent)", "pass"))


def off(name: str, about: str, plant: Plant) -> Mutant:
    """``name``: the id, and after a blank the part of the safeguard, where it has several."""
    return Mutant(name, about, (name.partition(" ")[0],), plant)
