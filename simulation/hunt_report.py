"""What a hunt for planted bugs has found: tables for a terminal, and the document ``docs/planted-bugs.md``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from simulation.mutants.catalogue import Mutant
from simulation.stored import Stored
from simulation.totals import markdown
from venue.audit.invariants import CHECKS

LIVENESS: Final = tuple(f"L{number}" for number in range(1, 6))
ELSEWHERE: Final = {
    "I21": "(one run recovers in one way: `crashes --pairs` compares two, and `switch-off I21` names the tests)",
}  # invariants that no run breaks by itself, and where they are broken instead
OFTENEST: Final = 4  # so many invariants are named that notice a bug
COLUMNS: Final = ("bug", "breaks", "aimed", "first seed", "noticed by", "hit rate", "short tape")


class Catch(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one bug.  ``seed`` -1: it survived ``tried`` seeds, whatever else they may have shown: only what
    the bug is said to break kills it."""

    mutant: str
    about: str
    breaks: tuple[str, ...]
    aimed: bool  # its seeds do not draw everything
    seed: int
    tried: int
    invariant: str
    text: str
    rate: float  # of the seeds that were run, how many noticed it by what it is said to break
    noticed: dict[str, int]  # how many runs broke each invariant, also unexpected ones; one run may break several
    short: Stored | None  # the short tape

    @property
    def survived(self) -> bool:
        """No invariant noticed it that it is said to break."""
        return self.seed < 0

    @property
    def row(self) -> tuple[str, ...]:
        """Its :data:`COLUMNS`."""
        noticed = ", ".join(f"{name} {count}" for name, count in Counter(self.noticed).most_common(OFTENEST))
        seed = f"none of {self.tried}" if self.survived else str(self.seed)
        short = str(self.short.length) if self.short else "–"
        rate = f"{self.rate:.1%} of {self.tried}"
        return self.mutant, " ".join(self.breaks), "yes" if self.aimed else "", seed, noticed, rate, short


def matrix(found: Sequence[Catch]) -> dict[str, list[str]]:
    """For every invariant the bugs that it noticed."""
    rows: dict[str, list[str]] = {name: [] for name in (*(one for one in CHECKS if one.startswith("I")), *LIVENESS)}
    for catch in found:
        for invariant in catch.noticed:
            rows.setdefault(invariant, []).append(catch.mutant)
    return rows


def survivors(found: Sequence[Catch]) -> list[str]:
    """The bugs that nothing noticed."""
    return [catch.mutant for catch in found if catch.survived]


def show_catalogue(out: Console, bugs: Iterable[Mutant]) -> None:
    """Print which planted bugs there are."""
    table = Table("bug", "breaks", "what it does", title="Planted bugs")
    for bug in bugs:
        table.add_row(bug.name, " ".join(bug.breaks), bug.about)
    out.print(table)


def show(out: Console, found: Sequence[Catch]) -> None:
    """Print two tables, and how many survived."""
    table = Table(*COLUMNS, title="Planted bugs")
    for catch in found:
        table.add_row(*catch.row)
    out.print(table)
    table = Table("invariant", "bugs that it noticed", title="What notices what (M3)")
    for invariant, names in matrix(found).items():
        table.add_row(invariant, ", ".join(names) or ELSEWHERE.get(invariant, "-"))
    out.print(table)
    out.print(_verdict(found))


def document(found: Sequence[Catch], command: str) -> str:
    """The same in Markdown; ``command`` is what was asked for."""
    return "\n".join(_lines(found, command))


def _lines(found: Sequence[Catch], command: str) -> Iterator[str]:
    yield from (
        "# Planted bugs, as measured",
        "",
        f"`{command}`: {_verdict(found)}.",
        "",
        "Each was hunted until the first seed at which an invariant noticed it that it is said to break (*breaks*);",
        "what else its runs broke is counted beside it. *Aimed*: its seeds do not draw everything",
        "(`simulation/aims.py`; see [simulation.md](simulation.md)). *Noticed by*: in how many of the runs. *Hit",
        "rate*: of all that were run. *Short tape*: how many choices are not 0 on the tape of the first seed, made",
        "short; – where it was left as it was.",
        "",
    )
    name, breaks, *others = COLUMNS
    rows = ((f"`{catch.row[0]}`", catch.about, *catch.row[1:]) for catch in found)
    yield from markdown((name, "what it does", breaks, *others), rows)
    yield from ("## What each invariant noticed (M3)", "")
    told = ((one, ", ".join(f"`{each}`" for each in names)) for one, names in matrix(found).items())
    yield from markdown(("invariant", "broken by"), ((one, names or ELSEWHERE.get(one, "–")) for one, names in told))


def _verdict(found: Sequence[Catch]) -> str:
    left = survivors(found)
    return f"{len(found)} bugs, {len(left)} survived: {', '.join(left) or 'none'}"
