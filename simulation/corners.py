"""All that a scenario or a fault may choose from, listed: what no seed came to is known too, and fails a night (M1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from simulation import base, faults, house, operator, sessions, settings, strategies, strikes, workload
from simulation.tape import Corners

Tried = Mapping[str, Mapping[str, int]]  # by row and choice: how often

SCENARIOS: Final[tuple[Corners, ...]] = (workload.CORNERS, settings.CORNERS, strategies.CORNERS)
SCHEDULES: Final[tuple[Corners, ...]] = (base.CORNERS,)
FAULTS: Final[tuple[Corners, ...]] = tuple(
    room.OF_FAULTS for room in (faults, workload, sessions, strikes, operator, house)
)


def counted(tables: tuple[Corners, ...], tried: Tried) -> Iterator[tuple[str, str, int]]:
    """Every row and every choice of these tables, and how often it was tried."""
    for table in tables:
        for row, choices in table.items():
            for choice in dict.fromkeys(map(str, choices)):
                yield row, choice, tried.get(row, {}).get(choice, 0)
