"""What many seeds add up to: the numbers of a run, and of a night."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from simulation import corners
from simulation.faults import CATALOGUE
from simulation.run import TWICE_EVERY, Result

ENOUGH_HITS = 1_000  # of each fault
PER = 1_000  # seeds


class Failed(msgspec.Struct, frozen=True):
    """A seed that broke an invariant."""

    seed: int
    invariant: str
    text: str


class Totals(msgspec.Struct, kw_only=True):
    """Sums over seeds; two of them can be added up."""

    seeds: int = 0
    spared: int = 0  # seeds on which no fault struck
    twice: int = 0  # seeds that ran a second time
    divergences: int = 0  # of those, how many told another story (M2)
    steps: int = 0
    events: int = 0
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    faults: dict[str, int] = {}
    checks: dict[str, int] = {}
    tried: dict[str, dict[str, int]] = {}  # by row and choice (simulation/corners.py): how often
    violations: list[Failed] = []

    def take(self, result: Result) -> None:
        """One more seed."""
        self.add(
            Totals(
                seeds=1,
                spared=int(not result.struck),
                twice=int(result.seed % TWICE_EVERY == 0 and result.violation in ("", "M2")),
                divergences=int(result.violation == "M2"),
                steps=result.steps,
                events=result.events,
                virtual_s=result.virtual_s,
                cpu_s=result.cpu_s,
                faults=result.struck,
                checks=result.checks,
                tried=result.tried,
                violations=[Failed(result.seed, result.violation, result.text)] if result.violation else [],
            )
        )

    def add(self, other: Totals) -> None:
        """All that another one has counted."""
        self.seeds += other.seeds
        self.spared += other.spared
        self.twice += other.twice
        self.divergences += other.divergences
        self.steps += other.steps
        self.events += other.events
        self.virtual_s += other.virtual_s
        self.cpu_s += other.cpu_s
        _sum(self.faults, other.faults)
        _sum(self.checks, other.checks)
        for row, counts in other.tried.items():
            _sum(self.tried.setdefault(row, {}), counts)
        self.violations += other.violations

    def untried(self, *, faults: bool = True, scenarios: bool = True) -> list[str]:
        """Choices that no seed made, and faults that never struck.

        Without ``faults`` those, and what they choose from, are left out; without ``scenarios`` what a scenario draws.
        """
        left = [f"{row}: {choice}" for row, choice, times in self.coverage(faults, scenarios) if not times]
        return left + [f"{name} never struck" for name in CATALOGUE if faults and not self.faults.get(name)]

    def coverage(self, faults: bool = True, scenarios: bool = True) -> list[tuple[str, str, int]]:
        """Every choice that there is: its row, what it is, and how often it was made."""
        tables = (*(corners.SCENARIOS if scenarios else ()), *corners.SCHEDULES, *(corners.FAULTS if faults else ()))
        return list(corners.counted(tables, self.tried))

    def hits(self) -> list[tuple[str, int, float]]:
        """Every fault: its name, how often it struck, and how often in a thousand seeds."""
        seeds = max(1, self.seeds)
        return [(name, hits := self.faults.get(name, 0), hits * PER / seeds) for name in CATALOGUE]

    @property
    def rarest(self) -> tuple[str, int, float]:
        """The fault that struck least."""
        return min(self.hits(), key=lambda row: row[1])

    def numbers(self) -> list[tuple[str, str, str]]:
        """What there is, what is aimed at, and what it came to."""
        name, least, per = self.rarest
        needed = f"{ENOUGH_HITS * PER / per:,.0f} seeds bring {ENOUGH_HITS:,}" if per else "never struck"
        cpu_s = max(self.cpu_s, 1e-9)
        return [
            ("seeds without a violation", "200,000", f"{self.seeds - len(self.violations):,} of {self.seeds:,}"),
            ("hits of the rarest fault", f"{ENOUGH_HITS:,}", f"{least:,} ({name}; {needed})"),
            ("seeds that ran twice and diverged", "0", f"{self.divergences:,} of {self.twice:,}"),
            ("scenarios a second and core", "100", f"{self.seeds / cpu_s:.1f}"),
            ("events a second and core", "20,000", f"{self.events / cpu_s:,.0f}"),
            ("seeds without a fault", "a tenth", f"{self.spared / max(1, self.seeds):.1%}"),
            ("choices and faults never tried", "0", f"{len(self.untried()):,}"),
            ("hours of market time", "", f"{self.virtual_s / 3600:,.1f}"),
        ]


def markdown(header: tuple[str, ...], rows: Iterable[Iterable[object]]) -> list[str]:
    """A table."""
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return [*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows), ""]


def _sum(into: dict[str, int], other: Mapping[str, int]) -> None:
    for name, count in other.items():
        into[name] = into.get(name, 0) + count
