"""``python -m simulation disk``: the production journal on a disk that fails, in child processes.

apsw brings an SQLite library of its own, which must never be in one process with another library's connection to the
same file; the children open none, and their disks are in memory.
"""

from __future__ import annotations

import os
from collections import Counter
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from simulation import children
from simulation.run import be_quiet

if TYPE_CHECKING:
    from simulation.disk.sweep import Bench, Case, Verdict

KINDS = {
    "power": "a power cut at every call, synchronous=FULL",
    "power_normal": "the same with synchronous=NORMAL, which may lose turns, but nothing else",
    "full": "a disk that is full at every size",
    "sync": "every sync fails once",
    "rot": "a bit flips",
}
out, err = Console(), Console(stderr=True)
_benches: list[Bench] = []  # one, in a child


def disk(
    turns: Annotated[int, typer.Option(help="Of the recorded life.")] = 24,
    variants: Annotated[int, typer.Option(help="Ways in which a power cut leaves what was not synced, per call.")] = 4,
    every: Annotated[int, typer.Option(help="Only every so-manyth call, size and sync.")] = 1,
    only: Annotated[str, typer.Option(help=f"Only these, comma separated: {', '.join(KINDS)}.")] = "",
    case: Annotated[str, typer.Option(help="Only this one, as a failure's line tells it: KIND:NUMBER:VARIANT.")] = "",
    workers: Annotated[int, typer.Option(help="Processes.")] = os.cpu_count() or 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
) -> None:
    """Have the disk under a journal fail in every place; exit status 1 when anything acknowledged was lost."""
    kinds = only.split(",") if only else list(KINDS)
    if set(kinds) - KINDS.keys():
        raise typer.BadParameter(f"--only: there are {', '.join(KINDS)}")
    try:
        import apsw  # noqa: F401, PLC0415 - only the tests' requirements have it
    except ImportError:
        err.print("apsw is not installed: pip install -r requirements-dev.lock")
        raise typer.Exit(2) from None
    be_quiet()
    verdicts = _sweep(kinds, case, turns, variants, every, workers)
    counts = Counter((each.case.kind, each.outcome) for each in verdicts)
    lost = Counter(each.lost for each in verdicts if each.case.kind == "power_normal" and each.lost)
    wrong = [each for each in verdicts if each.wrong]
    if as_json:
        found = [{"kind": kind, "outcome": outcome, "cases": n} for (kind, outcome), n in sorted(counts.items())]
        document = {"outcomes": found, "turns_lost_with_NORMAL": lost, "violations": wrong}
        out.print_json(msgspec.json.encode(document).decode())
    else:
        out.print(_table(counts))
        share = sum(lost.values()) / max(1, sum(n for (kind, _), n in counts.items() if kind == "power_normal"))
        out.print(f"NORMAL lost acknowledged turns in {share:.0%} of the power cuts, at most {max(lost, default=0)}.")
    raise typer.Exit(1 if wrong else 0)


def _sweep(kinds: list[str], case: str, turns: int, variants: int, every: int, workers: int) -> list[Verdict]:
    found: list[Verdict] = []
    bar = Progress(TextColumn("disk"), MofNCompleteColumn(), TimeRemainingColumn(), console=err, transient=True)
    with bar, children.workers(max(1, workers), _begin, (turns,)) as pool:
        cases = [each for each in pool.apply(_cases, (variants, every)) if each.kind in kinds]
        if case:
            cases = [each for each in pool.apply(_cases, (max(variants, 100), 1)) if str(each) == case]
            if not cases:
                raise typer.BadParameter(f"--case: there is no {case} with {turns} turns")
        task = bar.add_task("disk", total=len(cases))
        for verdict in pool.imap_unordered(_run, cases, chunksize=8):
            bar.advance(task)
            found.append(verdict)
            if verdict.wrong:
                again = f"python -m simulation disk --turns {turns} --case {verdict.case}"
                bar.console.print(
                    f"{verdict.wrong}; again with: {again}", markup=False, highlight=False, soft_wrap=True
                )
        pool.close()
        pool.join()
    return found


def _begin(turns: int) -> None:
    from simulation.disk.sweep import Bench  # noqa: PLC0415 - in a child only

    bench = Bench(turns, 2)
    _benches[:] = [bench]
    Finalize(None, bench.close, exitpriority=1)  # a pool's child ends without atexit


def _cases(variants: int, every: int) -> list[Case]:
    return list(_benches[0].cases(variants, every))


def _run(case: Case) -> Verdict:
    return _benches[0].run(case)


def _table(counts: Counter[tuple[str, str]]) -> Table:
    table = Table("what", "outcome", "cases", title="The journal on a failing disk")
    for (kind, outcome), cases in sorted(counts.items()):
        table.add_row(KINDS[kind], outcome, str(cases))
    return table
