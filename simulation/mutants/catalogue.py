"""The planted bugs by name, and by the requirement that each breaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from simulation.mutants.planting import Plant

SWITCHES: Final = ("safeguards", "pains", "controls")  # each of their bugs switches one safeguard off
# those that the simulator must see (simulation/hunt.py)
BUGS: Final = ("orders", "hedging", "recovery", "positions", "gateway", "limits", "strategies")
MODULES: Final = (*SWITCHES, *BUGS)  # each has MUTANTS
NEAR: Final = 5  # names that are told of one that is misspelt


class Mutant(NamedTuple):
    """A bug that somebody could have written.  ``about``: what it does; ``breaks``: the ids that must notice it.

    ``aim``: what a seed of a hunt does not draw (simulation/aims.py), where the bug shows in such circumstances only.
    """

    name: str
    about: str
    breaks: tuple[str, ...]
    plant: Plant
    aim: Mapping[str, Any] = MappingProxyType({})


class UnknownMutant(LookupError):
    """There is no planted bug of this name."""


def catalogue(modules: Iterable[str] = MODULES) -> Mapping[str, Mutant]:
    """All planted bugs by name; of these modules only, where some are named."""
    found: dict[str, Mutant] = {}
    for module in modules:
        for mutant in import_module(f"simulation.mutants.{module}").MUTANTS:
            if mutant.name in found:
                raise ValueError(f"two planted bugs are called {mutant.name}")
            found[mutant.name] = mutant
    return found


def named(name: str, modules: Iterable[str] = MODULES) -> Mutant:
    """The planted bug of this name; :class:`UnknownMutant`, which tells the names that are near it."""
    found = catalogue(modules)
    if name not in found:
        near = [one for one in found if name and name in one] or get_close_matches(name, found, NEAR)
        told = f"near it: {', '.join(near)}; " if near else ""
        raise UnknownMutant(f"no planted bug is called {name!r}; {told}`python -m simulation mutants --list` has all")
    return found[name]
