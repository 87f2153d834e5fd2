"""``python -m simulation mutants``: plant one bug after the other, and see which invariant notices it, and when (M3).

Every bug is planted in a forked process of its own and dies with it.  A bug that survives is the important finding: it
shows what the simulator cannot see.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from simulation import children
from simulation.mutants.catalogue import BUGS, Mutant, catalogue
from simulation.options import bug_of
from simulation.run import Result, be_quiet, run_seed
from simulation.shrink import Budget
from simulation.stored import Stored, shorter, whole
from venue.audit.invariants import CHECKS

ELSEWHERE = {
    "I21": "(one run recovers in one way: `crashes --pairs` compares two, and `switch-off I21` names the tests)",
}  # invariants that no run breaks by itself, and where they are broken instead


class Order(msgspec.Struct, frozen=True):
    """What is to be done about each bug."""

    seeds: tuple[int, int]  # those that are tried, the last one not included
    budget_s: float  # and for how many seconds of the processor, until the first violation
    rate_seeds: int  # then so many more, for the hit rate
    shrink_runs: int  # and so many to make the tape short; 0: leave it


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


def chase(mutant: Mutant, order: Order) -> Catch:
    """Plant a bug in this process, and look for it.  It stays planted: call it in a process that ends."""
    be_quiet()
    mutant.plant()
    first: Result | None = None
    noticed: Counter[str] = Counter()
    tried = hits = 0
    until_s = time.process_time() + order.budget_s
    for seed in range(*order.seeds):
        if first is None and time.process_time() > until_s:
            break
        if first is not None and tried >= first.seed - order.seeds[0] + 1 + order.rate_seeds:
            break
        result = run_seed(seed, aim=mutant.aim)
        tried += 1
        broken = {result.violation, *result.also} - {""}
        noticed.update(sorted(broken))
        if broken & {*mutant.breaks}:
            hits += 1
            first = first or result
    short = None
    if first and order.shrink_runs:
        short = shorter(whole(first, planted=mutant.name), Budget(order.shrink_runs))
    return Catch(
        mutant=mutant.name,
        about=mutant.about,
        breaks=mutant.breaks,
        aimed=bool(mutant.aim),
        seed=first.seed if first else -1,
        tried=tried,
        invariant=first.violation if first else "",
        text=first.text if first else "",
        rate=hits / max(1, tried),
        noticed=dict(noticed),
        short=short,
    )


def catches(names: Sequence[str], order: Order, workers: int) -> Iterator[Catch]:
    """Every bug in a forked process of its own."""
    return children.each(lambda name: chase(catalogue(BUGS)[name], order), names, workers)


def matrix(found: Sequence[Catch]) -> dict[str, list[str]]:
    """For every invariant the bugs that it noticed."""
    rows: dict[str, list[str]] = {name: [] for name in CHECKS if name.startswith("I")}
    for catch in found:
        for invariant in catch.noticed:
            rows.setdefault(invariant, []).append(catch.mutant)
    return rows


def command(
    names: Annotated[list[str] | None, typer.Argument(help="Only these; all without any.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="At most so many seeds each.")] = 20_000,
    budget_s: Annotated[
        float, typer.Option(help="At most so many seconds of the processor each, until the first violation.")
    ] = 60.0,
    rate_seeds: Annotated[int, typer.Option(min=0, help="So many seeds more, for the hit rate.")] = 200,
    shrink_runs: Annotated[
        int, typer.Option(min=0, help="At most so many runs to make the tape short; 0 leaves it.")
    ] = 1_000,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Store each short tape here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")] = False,
) -> None:
    """Plant bugs and see them caught; exit status 1 when one survives."""
    wanted = [bug_of(name, BUGS).name for name in names] if names else list(catalogue(BUGS))
    out, err = Console(), Console(stderr=True)
    order = Order((0, seeds), budget_s, rate_seeds, shrink_runs)
    found = []
    for catch in catches(wanted, order, workers):
        found.append(catch)
        if to is not None and catch.short is not None:
            catch.short.write(to / f"{catch.mutant}.json")
        what = f"SURVIVED {catch.tried} seeds" if catch.survived else f"seed {catch.seed}: {catch.invariant}"
        err.print(f"{len(found)}/{len(wanted)} {catch.mutant}: {what}: {catch.text}", markup=False, soft_wrap=True)
    survivors = [catch.mutant for catch in found if catch.survived]
    if as_json:
        document = {"mutants": found, "survivors": survivors, "invariants": matrix(found)}
        out.print_json(msgspec.json.encode(document).decode())
    else:
        _tables(out, found)
        out.print(f"{len(found)} bugs, {len(survivors)} survived: {', '.join(survivors) or 'none'}")
    raise typer.Exit(1 if survivors else 0)


def _tables(out: Console, found: Sequence[Catch]) -> None:
    table = Table("bug", "breaks", "first seed", "noticed by", "hit rate", "short tape", title="Planted bugs")
    for catch in found:
        noticed = ", ".join(f"{name} {count}" for name, count in Counter(catch.noticed).most_common(3))
        seed = f"none of {catch.tried}" if catch.survived else str(catch.seed)
        short = str(catch.short.length) if catch.short else ""
        table.add_row(catch.mutant, " ".join(catch.breaks), seed, noticed, f"{catch.rate:.1%}", short)
    out.print(table)
    table = Table("invariant", "bugs that it noticed", title="What notices what (M3)")
    for invariant, mutants in matrix(found).items():
        table.add_row(invariant, ", ".join(mutants) or ELSEWHERE.get(invariant, "-"))
    out.print(table)
