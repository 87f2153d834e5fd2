"""``python -m simulation``: run seeds, replay stored tapes, tell a failing run as a story."""

from __future__ import annotations

import os
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from simulation import aims, hunt, switch_off
from simulation.campaign import kill_campaign
from simulation.crashes import crashes
from simulation.disk.command import disk
from simulation.faults import CATALOGUE
from simulation.nightly import nightly
from simulation.run import Result, run_seed, run_tape
from simulation.stored import read, shortened
from simulation.story import Story
from simulation.tape import Tape
from simulation.totals import PER, Totals

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=__doc__)
out, err = Console(), Console(stderr=True)
app.command("switch-off")(switch_off.command)
app.command("mutants")(hunt.command)
app.command()(crashes)
app.command()(disk)
app.command()(kill_campaign)
app.command()(nightly)


class Document(msgspec.Struct, kw_only=True):
    """What ``run --json`` prints."""

    seeds: tuple[int, int]  # the last one not included
    totals: Totals
    untried: list[str]


@app.command()
def run(
    seeds: Annotated[str, typer.Option(help="FIRST:LAST, the last one not included.")] = "0:1000",
    faults: Annotated[str, typer.Option(help="Only these, comma separated; 'none' for none.")] = "",
    workers: Annotated[int, typer.Option(help="Processes.")] = os.cpu_count() or 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")] = False,
    every_corner: Annotated[bool, typer.Option(help="Fail also when a choice or a fault was never tried.")] = False,
    keep_going: Annotated[bool, typer.Option(help="Also after a violation.")] = True,
) -> None:
    """Run seeds; exit status 1 when an invariant was violated in any."""
    first, last = _range(seeds)
    only = _only(faults)
    totals = Totals()
    bar = Progress(TextColumn("seeds"), MofNCompleteColumn(), TimeRemainingColumn(), console=err, transient=True)
    with bar:
        task = bar.add_task("seeds", total=last - first)
        for result in _results(range(first, last), only, workers):
            bar.advance(task)
            totals.take(result)
            if result.violation:
                line = f"seed {result.seed}: {result.violation}: {result.text}"
                bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
                if not keep_going:
                    break
    untried = totals.untried(faults=only is None)
    if as_json:
        out.print_json(msgspec.json.encode(Document(seeds=(first, last), totals=totals, untried=untried)).decode())
    else:
        _tables(totals)
        for line in untried:
            out.print(f"never tried: {line}", markup=False)
    raise typer.Exit(1 if totals.violations or (every_corner and untried) else 0)


@app.command()
def replay(
    tape: Annotated[str, typer.Argument(help="A stored tape (tests/seeds/…json) or a seed's number.")],
    explain: Annotated[bool, typer.Option("--explain", help="Tell the whole story.")] = False,
    last: Annotated[int, typer.Option(help="Only so many lines of it, from the end.")] = 200,
) -> None:
    """Run one tape again; exit status 1 when it still fails."""
    _quiet()
    found = Tape(int(tape)) if tape.isdigit() else _stored(Path(tape))
    stories: list[Story] = []
    result = run_tape(found, look=lambda world: stories.append(Story(world)) if explain else None)
    for story in stories:
        for line in story.lines[-last:]:
            out.print(line, markup=False, highlight=False)
    out.print(f"{result.violation or 'no violation'} {result.text}", markup=False)
    raise typer.Exit(1 if result.violation else 0)


@app.command()
def shrink(
    seed: Annotated[int, typer.Argument(help="A seed that fails.")],
    to: Annotated[Path | None, typer.Option(help="Store the tape here.")] = None,
    faults: Annotated[str, typer.Option(help="Those that it was run with, comma separated.")] = "",
    budget: Annotated[int, typer.Option(help="How many runs it may take.")] = 400,
    mended: Annotated[str, typer.Option(help="What was wrong, to be stored with it.")] = "",
) -> None:
    """Make a failing seed's tape short, and store it."""
    _quiet()
    only = _only(faults)
    result = run_seed(seed, aim=None if only is None else aims.only(*only))
    if not result.violation:
        raise typer.BadParameter(f"seed {seed} does not fail")
    short = shortened(result, budget, mended=mended)
    out.print(f"{len(result.draws)} choices became {short.length} that are not 0", markup=False)
    out.print(f"{short.violation}: {short.text}", markup=False)
    if to is not None:
        short.write(to)


def _results(seeds: range, only: frozenset[str] | None, workers: int) -> Iterator[Result]:
    _quiet()
    if workers <= 1:
        yield from (run_seed(seed, only) for seed in seeds)
        return
    with get_context("fork").Pool(workers) as pool:
        yield from pool.imap_unordered(_Job(only), seeds, chunksize=4)


class _Job:
    """What a worker does with a seed."""

    def __init__(self, only: frozenset[str] | None) -> None:
        self.only = only

    def __call__(self, seed: int) -> Result:
        return run_seed(seed, self.only)


def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition(":")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise typer.BadParameter(f"--seeds {text!r}: give FIRST:LAST, such as 0:1000")
    return int(first), int(last)


def _only(text: str) -> frozenset[str] | None:
    if not text:
        return None
    names = frozenset() if text == "none" else frozenset(text.split(","))
    unknown = names - CATALOGUE.keys()
    if unknown:
        raise typer.BadParameter(f"--faults: {', '.join(sorted(unknown))} unknown; there are {', '.join(CATALOGUE)}")
    return names


def _stored(path: Path) -> Tape:
    try:
        return read(path).tape()
    except (OSError, msgspec.DecodeError) as error:
        raise typer.BadParameter(f"{path} is no stored tape: {error}") from None


def _tables(totals: Totals) -> None:
    table = Table("fault", "hits", f"in {PER:,} seeds", "what it does", title="Faults")
    for name, hits, often in totals.hits():
        table.add_row(name, str(hits), f"{often:,.0f}", CATALOGUE[name].about)
    out.print(table)
    table = Table("invariant", "checks", title="Invariants")
    for name, count in sorted(totals.checks.items()):
        table.add_row(name, str(count))
    out.print(table)
    table = Table("what", "aim", "here", title="Numbers")
    for row in totals.numbers():
        table.add_row(*row)
    out.print(table)


if __name__ == "__main__":
    app()
