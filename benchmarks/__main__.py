"""``python -m benchmarks [NAME …]``: measure this and its rivals side by side.

Every figure runs its contenders in turn, several rounds, in one run; compare the ratios, not the times of two machines.
Three names are no figures: ``scaling`` measures how cost grows (docs/scaling.md), ``stages`` says where each
microsecond of B1 goes (ARCHITECTURE.md), and ``gate`` is the regression gate.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from benchmarks import scaling, stages
from benchmarks.figures import figures
from benchmarks.gate import GATES, passes
from benchmarks.measuring import ROOT, Measured, measure
from benchmarks.report import BEGIN, END, machine, markdown, measured_on, table, write_into

out = Console(width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True)


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Only these figures, such as B2.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Less work and fewer rounds: within two minutes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
    to: Annotated[Path | None, typer.Option(help="Write the JSON document to this file as well.")] = None,
    readme: Annotated[
        bool, typer.Option("--readme", help="Put the tables into README.md, or of 'scaling' into docs/scaling.md.")
    ] = False,
) -> None:
    """Measure; prints medians, the least and the most, how many times as good ours is, and what should be reached.

    \b
    Besides figures there are 'scaling' (how cost grows), 'stages' (where each microsecond of B1 and B8 goes) and 'gate'
    (ratios with bounds; exit status 1 beyond one).
    """
    logging.getLogger("Thespian").setLevel(logging.CRITICAL)
    if names == ["scaling"]:
        scale(quick=quick, as_json=as_json, write=readme)
        return
    if names == ["stages"]:
        way(quick=quick, as_json=as_json)
        return
    if names == ["gate"]:
        raise typer.Exit(0 if judge() else 1)
    known = figures(quick=quick)
    wanted = {name.upper() for name in names or ()}
    unknown = wanted - {figure.key.upper() for figure in known}
    if unknown:
        known_keys = ", ".join(figure.key for figure in known)
        raise typer.BadParameter(f"there is no figure {', '.join(sorted(unknown))}; those that exist are {known_keys}")
    where, results = machine(), list[Measured]()
    with err.status("benchmarks") as status:
        for figure in known:
            if not wanted or figure.key.upper() in wanted:
                results += measure(figure, 2 if quick else 5, status.update)
    document = msgspec.json.encode({"machine": where, "quick": quick, "figures": results})
    if to is not None:
        to.write_bytes(document)
    if as_json:
        sys.stdout.write(document.decode() + "\n")
    else:
        out.print(table(results))
    if readme:
        write_into(ROOT / "README.md", markdown(results, where))


def scale(*, quick: bool, as_json: bool, write: bool) -> None:
    """Measure how cost grows."""
    where = machine()
    with err.status("benchmarks") as status:
        curves = scaling.measure(quick, 1 if quick else 3, status.update)
    if as_json:
        sys.stdout.write(msgspec.json.encode({"machine": where, "quick": quick, "curves": curves}).decode() + "\n")
    text = "\n\n".join([measured_on(where), *(curve.markdown() for curve in curves)])
    if write:
        write_into(ROOT / "docs/scaling.md", f"{BEGIN}\n{text}\n{END}")
    if not as_json:
        out.print(text, markup=False, highlight=False)


def way(*, quick: bool, as_json: bool) -> None:
    """Measure the stages of B1 and B8."""
    where, (idle, samples) = machine(), (50, 30) if quick else (1_000, 300)
    with (
        err.status("benchmarks: stages"),
        tempfile.TemporaryDirectory(prefix="legkeeper-bench-", dir="/var/tmp") as place,
    ):
        found = stages.stages(Path(place) / "journal", idle, samples)
    if as_json:
        sys.stdout.write(msgspec.json.encode({"machine": where, "quick": quick, "stages": found}).decode() + "\n")
    else:
        out.print("\n\n".join(one.markdown() for one in found), markup=False, highlight=False)


def judge() -> bool:
    """Run the regression gate."""
    found = [passes(gate) for gate in GATES]
    for one in found:
        out.print(f"{one}{'' if one.ok else ': TOO MUCH'}", markup=False, highlight=False)
    return all(one.ok for one in found)


if __name__ == "__main__":
    typer.run(main)
