"""Each safeguard switched off: one planted bug for every user pain R, pre-trade control E and safeguard S.

The name of such a bug is the id.  Its tests are those whose names carry the id, ``test_<id>_…``; one of them must fail
(``python -m simulation switch-off``).
"""

from __future__ import annotations

from typing import Final

from simulation.mutants.catalogue import Mutant
from simulation.mutants.planting import Plant, without


def _off(requirement: str, about: str, plant: Plant) -> Mutant:
    return Mutant(requirement, about, (requirement,), plant)


def _without_control(name: str, about: str) -> Mutant:
    return _off(name, about, without("decisions.controls:CONTROLS", lambda row: row.name == name))


MUTANTS: Final = (
    _without_control("E1", "no limit on the quantity and the money of an order"),
    _without_control("E2", "no price collar"),
)
