"""``python -m benchmarks [NAME …]``: measure this and its rivals side by side.

Every figure runs its contenders in turn, several rounds, in one run; compare the ratios, not the times of two machines.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Measured, figures, measure

out, err = Console(), Console(stderr=True)


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Only these figures, such as B2.")] = None,
    quick: Annotated[bool, typer.Option(help="Less work and fewer rounds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
    to: Annotated[Path | None, typer.Option(help="Write the JSON document to this file as well.")] = None,
) -> None:
    """Measure; prints medians, the least and the most, and how many times as good ours is."""
    logging.getLogger("Thespian").setLevel(logging.CRITICAL)
    known = figures(quick=quick)
    wanted = {name.upper() for name in names or ()}
    unknown = wanted - {figure.key.upper() for figure in known}
    if unknown:
        known_keys = ", ".join(figure.key for figure in known)
        raise typer.BadParameter(f"there is no figure {', '.join(sorted(unknown))}; those that exist are {known_keys}")
    results: list[Measured] = []
    with err.status("benchmarks") as status:
        for figure in known:
            if not wanted or figure.key.upper() in wanted:
                results += measure(figure, 2 if quick else 5, status.update)
    document = msgspec.json.encode({"machine": machine(), "figures": results})
    if to is not None:
        to.write_bytes(document)
    if as_json:
        sys.stdout.write(document.decode() + "\n")
    else:
        out.print(table(results))


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {"python": platform.python_version(), "kernel": platform.release(), "cores": os.cpu_count()}


def table(results: list[Measured]) -> Table:
    """The results for people."""
    found = Table("figure", "what", "who", "median", "least - most", "unit", "ours is … times as good")
    before = ""
    for row in results:
        first = row.key != before
        before = row.key
        found.add_row(
            row.key if first else "", row.title if first else "", row.name, number(row.median),
            f"{number(min(row.rounds))} - {number(max(row.rounds))}", row.unit, "" if first else f"{row.ratio:.2f}",
        )  # fmt: skip
    return found


def number(value: float) -> str:
    """Three significant digits or whole numbers."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    typer.run(main)
