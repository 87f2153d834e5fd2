"""``python -m simulation mutants``: plant one bug after the other, and see which invariant notices it, and when (M3).

Every bug is planted in a forked process of its own and dies with it.  A bug that survives is the important finding: it
shows what the simulator cannot see.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from simulation import children
from simulation.hunt_report import Catch, document, matrix, show, show_catalogue, survivors
from simulation.mutants.catalogue import BUGS, Mutant, catalogue
from simulation.options import bug_of, directory_of
from simulation.run import Result, be_quiet, run_seed
from simulation.shrink import Budget
from simulation.stored import shorter, whole


class Order(msgspec.Struct, frozen=True):
    """What is to be done about each bug."""

    seeds: tuple[int, int]  # those that are tried, the last one not included
    budget_s: float  # and for how many seconds of the processor, until the first violation; ``inf``: all seeds
    rate_seeds: int  # then so many more, for the hit rate
    shrink_runs: int  # and so many to make the tape short; 0: leave it


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


def command(
    names: Annotated[list[str] | None, typer.Argument(help="Only these; all without any.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="At most so many seeds each.")] = 20_000,
    budget_s: Annotated[
        float, typer.Option(help="At most so many seconds of the processor each, until the first violation.")
    ] = math.inf,
    rate_seeds: Annotated[int, typer.Option(min=0, help="So many seeds more, for the hit rate.")] = 20,
    shrink_runs: Annotated[
        int, typer.Option(min=0, help="At most so many runs to make the tape short; 0 leaves it.")
    ] = 40,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Store each short tape here.")] = None,
    only_list: Annotated[bool, typer.Option("--list", help="Plant nothing; say which bugs there are.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="The tables as a document.")] = False,
) -> None:
    """Plant bugs and see them caught; exit status 1 when one survives."""
    out, err = Console(), Console(stderr=True)
    if only_list:
        show_catalogue(out, [bug_of(name) for name in names] if names else catalogue().values())
        return
    wanted = [bug_of(name, BUGS).name for name in names] if names else list(catalogue(BUGS))
    if to is not None:
        directory_of(to)
    order = Order((0, seeds), budget_s, rate_seeds, shrink_runs)
    found = []
    for catch in catches(wanted, order, workers):
        found.append(catch)
        if to is not None and catch.short is not None:
            catch.short.write(to / f"{catch.mutant}.json")
        what = f"SURVIVED {catch.tried} seeds" if catch.survived else f"seed {catch.seed}: {catch.invariant}"
        err.print(f"{len(found)}/{len(wanted)} {catch.mutant}: {what}: {catch.text}", markup=False, soft_wrap=True)
    found.sort(key=lambda catch: wanted.index(catch.mutant))
    if as_json:
        told = {"mutants": found, "survivors": survivors(found), "invariants": matrix(found)}
        out.print_json(msgspec.json.encode(told).decode())
    elif as_markdown:
        words = ["python -m simulation mutants", *(names or ())]
        words += [f"--seeds {seeds} --rate-seeds {rate_seeds} --shrink-runs {shrink_runs} --markdown"]
        out.print(document(found, " ".join(words)), markup=False, highlight=False, soft_wrap=True, emoji=False)
    else:
        show(out, found)
    raise typer.Exit(1 if survivors(found) else 0)
