"""``python -m simulation``: run seeds, replay stored tapes, tell a failing run as a story."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from simulation import aims, children, hunt, switch_off
from simulation.campaign import kill_campaign
from simulation.crashes import crashes
from simulation.disk.command import disk
from simulation.faults import CATALOGUE
from simulation.found import found
from simulation.nightly import nightly
from simulation.options import LINES, PLANT, SCENARIO, TAPE, bug_of, faults_of, file_of, scenarios_of, seeds_of
from simulation.run import Job, Result, be_quiet, run_seed, run_tape
from simulation.shrink import Budget
from simulation.stored import Stored, read, shorter, whole
from simulation.story import LAST, Story, tell
from simulation.tape import Tape
from simulation.totals import PER, Totals
from simulation.world import World

CHUNK = 16  # seeds a process: a second of work
SHOWN = 10  # of the seeds that failed, at the end of a run
app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=__doc__)
out, err = Console(), Console(stderr=True)
app.command("switch-off")(switch_off.command)
app.command("mutants")(hunt.command)
app.command()(crashes)
app.command()(disk)
app.command()(found)
app.command()(kill_campaign)
app.command()(nightly)


class Document(msgspec.Struct, kw_only=True):
    """What ``run --json`` prints."""

    seeds: tuple[int, int]  # the last one not included
    planted: str  # the bug; "": none
    totals: Totals
    untried: list[str]


@app.command()
def run(
    seeds: Annotated[str, typer.Option(help="FIRST:LAST, the last one not included.")] = "0:1000",
    faults: Annotated[str, typer.Option(help="Only these, comma separated; 'none' for none.")] = "",
    scenario: Annotated[str, typer.Option(help=SCENARIO)] = "",
    plant: Annotated[str, typer.Option(help=PLANT)] = "",
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")] = False,
    every_corner: Annotated[bool, typer.Option(help="Fail also when a choice or a fault was never tried.")] = False,
    corners: Annotated[bool, typer.Option(help="Tell also how often each choice was made.")] = False,
    keep_going: Annotated[bool, typer.Option(help="Also after a violation.")] = True,
) -> None:
    """Run seeds; exit status 1 when an invariant was violated in any."""
    first, last = seeds_of(seeds)
    job = _job(faults, scenario, plant, err)
    totals = Totals()
    bar = Progress(TextColumn("seeds"), MofNCompleteColumn(), TimeRemainingColumn(), console=err, transient=True)
    with bar:
        task = bar.add_task("seeds", total=last - first)
        for result in _results(range(first, last), job, workers):
            bar.advance(task)
            totals.take(result)
            if result.violation:
                line = f"seed {result.seed}: {result.violation}: {result.text}"
                bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
                if not keep_going:
                    break
    drawn = {"faults": job.only is None, "scenarios": not job.scenarios}
    untried = totals.untried(**drawn)
    if as_json:
        document = Document(seeds=(first, last), planted=plant, totals=totals, untried=untried)
        out.print_json(msgspec.json.encode(document).decode())
    else:
        _tables(totals)
        if corners:
            _corners(totals.coverage(**drawn))
        if corners or every_corner:
            for line in untried:
                out.print(f"never tried: {line}", markup=False)
        _failures(totals, {"--faults": faults, "--scenario": scenario, "--plant": plant})
    raise typer.Exit(1 if totals.violations or (every_corner and untried) else 0)


@app.command()
def replay(
    tape: Annotated[str, typer.Argument(help=TAPE)],
    explain: Annotated[bool, typer.Option("--explain", help="Tell the whole story.")] = False,
    last: Annotated[int, typer.Option(min=0, help=LINES)] = LAST,
    faults: Annotated[str, typer.Option(help="Those that the seed was run with, comma separated.")] = "",
    scenario: Annotated[str, typer.Option(help=SCENARIO)] = "",
    plant: Annotated[str, typer.Option(help=PLANT)] = "",
    no_plant: Annotated[
        bool, typer.Option("--no-plant", help="Not even the bug that the tape is stored with.")
    ] = False,
) -> None:
    """Run one tape again, with the bug that it is stored with; exit status 1 when it fails."""
    be_quiet()
    stories: list[Story] = []

    def look(world: World) -> None:
        if explain:
            stories.append(Story(world))

    if no_plant and plant:
        raise typer.BadParameter("either --plant or --no-plant")
    if tape.isdigit():
        job = _job(faults, scenario, plant, out)
        result = run_tape(Tape(int(tape), aim=job.aim), int(tape), job.only, look, job.scenario(int(tape)))
    else:
        stored = _stored(tape, faults, scenario)
        planted = "" if no_plant else plant or stored.planted
        _plant(planted, out)
        result = stored.again(look)
        if planted == stored.planted and planted and result.violation != stored.violation:
            out.print(f"the planted bug does not break {stored.violation} on this tape any more", soft_wrap=True)
    _conclude(stories, last, result)
    raise typer.Exit(1 if result.violation else 0)


@app.command()
def shrink(
    tape: Annotated[str, typer.Argument(help=f"One that fails: {TAPE}")],
    to: Annotated[Path | None, typer.Option(help="Store the short tape here.")] = None,
    faults: Annotated[str, typer.Option(help="Those that the seed was run with, comma separated.")] = "",
    scenario: Annotated[str, typer.Option(help=SCENARIO)] = "",
    plant: Annotated[str, typer.Option(help=PLANT)] = "",
    budget: Annotated[int, typer.Option(min=0, help="At most so many runs.")] = 5_000,
    seconds: Annotated[float, typer.Option(min=0, help="None of them begins after so long.")] = 300.0,
    last: Annotated[int, typer.Option(min=0, help=LINES)] = LAST,
    mended: Annotated[str, typer.Option(help="What was wrong, to be stored with it.")] = "",
) -> None:
    """Make a failing tape short, tell its story, and store it."""
    be_quiet()
    to = file_of(to) if to else None
    seed = int(tape) if tape.isdigit() else None
    long = _again(_stored(tape, faults, scenario), plant) if seed is None else _of_a_seed(seed, faults, scenario, plant)
    purse = Budget(budget, seconds)
    with err.status("shrinking"):
        short = shorter(replace(long, mended=mended or long.mended), purse)
    stories: list[Story] = []
    result = short.again(lambda world: stories.append(Story(world)))
    _conclude(stories, last, result)
    left = "; the budget is spent, a larger one may find fewer" if purse.is_spent else ""
    out.print(
        f"{long.length} choices that are not 0 became {short.length} in {purse.used:,} runs{left}", soft_wrap=True
    )
    if to is None:
        out.print("not stored: --to says where", soft_wrap=True)
    else:
        short.write(to)
        out.print(f"stored in {to}", markup=False, soft_wrap=True)


def _of_a_seed(seed: int, faults: str, scenario: str, plant: str) -> Stored:
    job = _job(faults, scenario, plant, out)
    only = {} if job.only is None else aims.only(*sorted(job.only))  # a recorded tape knows of no option
    aim = {**job.aim, **only}
    result = run_seed(seed, aim=aim, scenario=job.scenario(seed))
    if not result.violation:
        raise typer.BadParameter(f"seed {seed} does not fail")
    return whole(result, planted=plant)


def _again(stored: Stored, plant: str) -> Stored:
    stored = replace(stored, planted=plant or stored.planted)
    _plant(stored.planted, out)
    if stored.again().violation != stored.violation:
        raise typer.BadParameter(f"this tape does not break {stored.violation} (any more)")
    return stored


def _job(faults: str, scenario: str, plant: str, told: Console) -> Job:
    return Job(only=faults_of(faults), scenarios=scenarios_of(scenario), aim=_plant(plant, told))


def _plant(name: str, told: Console) -> aims.Aim:
    """Plant a bug in this process, which stays there and in all that it forks; what its seeds are aimed at."""
    if not name:
        return {}
    bug = bug_of(name)
    bug.plant()
    told.print(f"planted {name}, which is to break {', '.join(bug.breaks)}: {bug.about}", markup=False, soft_wrap=True)
    return dict(bug.aim)


def _conclude(stories: Iterable[Story], last: int, result: Result) -> None:
    for story in stories:
        tell(out, story, last)
    out.print(f"{result.violation or 'no violation'} {result.text}".rstrip(), markup=False, soft_wrap=True)


def _results(seeds: range, job: Job, workers: int) -> Iterator[Result]:
    be_quiet()
    if workers <= 1:
        yield from map(job, seeds)
        return
    yield from children.each(job, seeds, workers, chunk=CHUNK)


def _stored(name: str, faults: str, scenario: str) -> Stored:
    if faults or scenario:
        raise typer.BadParameter("a stored tape has its own faults and scenario: --faults and --scenario are for seeds")
    try:
        return read(Path(name))
    except OSError as error:
        raise typer.BadParameter(f"{name} is neither a seed's number nor a file to be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise typer.BadParameter(f"{name} is no stored tape: {error}") from None


def _tables(totals: Totals) -> None:
    table = Table("fault", "hits", f"in {PER:,} seeds", "what it does", title="Faults")
    table.columns[0].no_wrap = True  # its ids are what --faults takes
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


def _failures(totals: Totals, options: Mapping[str, str]) -> None:
    """At the end, where they are seen: the first of the seeds that failed, and how to have the story of one."""
    for failed in totals.violations[:SHOWN]:
        out.print(f"seed {failed.seed}: {failed.invariant}: {failed.text}", markup=False, soft_wrap=True)
    if totals.violations:
        given = "".join(f" {name} {value}" for name, value in options.items() if value)
        out.print(
            f"{len(totals.violations):,} of {totals.seeds:,} seeds failed; the story of the first: "
            f"python -m simulation replay {totals.violations[0].seed}{given} --explain",
            markup=False, soft_wrap=True,
        )  # fmt: skip


def _corners(rows: list[tuple[str, str, int]]) -> None:
    table = Table("what is drawn", "choice", "times", title="Corners")
    for row, choice, times in rows:
        table.add_row(Text(row), Text(choice), str(times))
    out.print(table)


if __name__ == "__main__":
    children.unwind_when_stopped()
    app()
