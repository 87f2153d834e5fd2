"""What a process tells the Metrics actor: everything that it has counted since it started."""

from __future__ import annotations

import msgspec


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """A counter or a gauge; ``labels`` are the values of the labels that the catalogue names, in its order."""

    name: str
    labels: tuple[str, ...]
    value: float


class Spread(msgspec.Struct, frozen=True, array_like=True):
    """A histogram: how many observations fell into each bucket (the last is +Inf), and their sum."""

    name: str
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    total: float


class Report(msgspec.Struct, frozen=True, array_like=True):
    """All of it."""

    samples: tuple[Sample, ...]
    spreads: tuple[Spread, ...]
