"""``python -m simulation crashes``: power cuts at every point of the built-in stories, one, two or three."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from simulation.crash_sweep import (
    Crashed,
    again,
    each,
    followed,
    run_job,
    run_pairs,
    run_story,
    share,
    singles,
    triples,
)
from simulation.crashing import Crash, parse
from simulation.options import scenarios_of
from simulation.run import be_quiet
from simulation.scenarios import STORIES
from simulation.story import Story, tell

J = TypeVar("J")
PAIRED = 5  # so many of the shortest stories are swept in pairs
out, err = Console(), Console(stderr=True)


class Sweep(msgspec.Struct, kw_only=True):
    """What was tried, and what failed."""

    points: dict[str, int]  # by story: where a crash may come
    runs: dict[str, dict[str, int]]  # by story: how many with one crash, two, three
    possible: dict[str, int]  # by story: how many single crashes there are
    failures: list[Crashed]


def crashes(
    scenario: Annotated[str, typer.Option(help="Only these built-in scenarios, comma separated.")] = "",
    pairs: Annotated[bool, typer.Option("--pairs", help="Also a second crash in each recovery.")] = False,
    pairs_most: Annotated[int, typer.Option(help="Of each recovery at most so many second crashes; 0: all.")] = 0,
    firsts_most: Annotated[int, typer.Option(help="At most so many first crashes of a story; 0: all.")] = 0,
    triples_count: Annotated[int, typer.Option("--triples", help="So many triples of each story, sampled.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the sampling.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    at: Annotated[str, typer.Option(help="Only this: the crashes of one run, as a failure's line tells them.")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="With --at: tell the whole story.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
) -> None:
    """Cut the power at every point of the built-in stories; exit status 1 when an invariant was violated."""
    be_quiet()
    names = scenarios_of(scenario) or list(STORIES)
    if at:
        raise typer.Exit(_once(names, at, explain))
    if explain:
        raise typer.BadParameter("--explain tells one run: name its --scenario and, with --at, its crashes, or 'none'")
    sweep = Sweep(points={}, runs={name: {} for name in names}, possible={}, failures=[])
    cleans = [run_story(name) for name in names]
    for clean in cleans:
        sweep.points[clean.story] = len(clean.points)
        sweep.possible[clean.story] = len(singles(clean))
        for line in _count(sweep, "clean", [clean]):
            err.print(line, markup=False, highlight=False, soft_wrap=True)
    able = [clean for clean in cleans if not clean.violation]
    jobs = [(clean.story, crash) for clean in able for crash in share(singles(clean), firsts_most)]
    _go(sweep, "single", run_job, jobs, workers)
    if pairs:
        shortest = sorted(able, key=lambda clean: len(clean.points))[:PAIRED]
        jobs = [(clean.story, crash) for clean in shortest for crash in share(followed(clean), firsts_most)]
        _go(sweep, "pair", partial(run_pairs, pairs_most), jobs, workers)
    if triples_count:
        chunks = [(clean, chunk) for clean in able for chunk in range(0, triples_count, 10)]
        _go(sweep, "triple", partial(_some_triples, triples_count, seed), chunks, workers)
    if as_json:
        out.print_json(msgspec.json.encode(sweep).decode())
    else:
        out.print(_table(sweep))
    raise typer.Exit(1 if sweep.failures else 0)


def _once(names: Sequence[str], at: str, explain: bool) -> int:
    try:
        cuts: tuple[Crash, ...] = () if at == "none" else parse(at)
    except ValueError as error:
        raise typer.BadParameter(f"--at: {error}, or 'none'") from error
    if len(names) != 1:
        raise typer.BadParameter("--at needs the one --scenario that it is about")
    stories: list[Story] = []
    run = run_story(names[0], cuts, look=lambda world: stories.append(Story(world)) if explain else None)
    if len(cuts) > 1 and not run.violation:
        run = again(run_story(names[0], cuts[:-1]), names[0], cuts)
    for story in stories:
        tell(out, story, 0)
    for happened in run.happened:
        out.print(f"crashed at {happened}", markup=False, highlight=False)
    out.print(f"{run.violation or 'no violation'} {run.text}".rstrip(), markup=False, soft_wrap=True)
    if len(run.happened) < len(cuts):
        raise typer.BadParameter(f"--at: only {len(run.happened)} of {len(cuts)} crashes came: the run ended before")
    return 1 if run.violation else 0


def _some_triples(count: int, seed: int, chunk: tuple[Crashed, int]) -> list[Crashed]:
    clean, first = chunk
    return list(triples(clean, min(10, count - first), seed * 1_000_003 + first))


def _go(sweep: Sweep, kind: str, work: Callable[[J], Crashed | list[Crashed]], jobs: Sequence[J], workers: int) -> None:
    bar = Progress(TextColumn(kind), MofNCompleteColumn(), TimeRemainingColumn(), console=err, transient=True)
    with bar:
        task = bar.add_task(kind, total=len(jobs))
        for result in each(work, jobs, workers):
            bar.advance(task)
            for line in _count(sweep, kind, result if isinstance(result, list) else [result]):
                bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _count(sweep: Sweep, kind: str, results: Iterable[Crashed]) -> list[str]:
    lines = []
    for result in results:
        counts = sweep.runs[result.story]
        counts[kind] = counts.get(kind, 0) + 1
        if result.violation:
            sweep.failures.append(msgspec.structs.replace(result, points=()))
            again = f"python -m simulation crashes --scenario {result.story} --at {result.name or 'none'} --explain"
            lines.append(f"{result.violation}: {result.text}; again with: {again}")
    return lines


def _table(sweep: Sweep) -> Table:
    failed = Counter(failure.story for failure in sweep.failures)
    table = Table("story", "points", "single", "pairs", "triples", "violations", title="Power cuts")
    for name, counts in sweep.runs.items():
        table.add_row(
            name, str(sweep.points[name]), f"{counts.get('single', 0)} of {sweep.possible[name]}",
            str(counts.get("pair", 0)), str(counts.get("triple", 0)), str(failed[name]),
        )  # fmt: skip
    return table
