"""``python -m benchmarks [NAME …]``: measure this and its rivals side by side.

Every figure runs its contenders in turn, several rounds, in one run; compare the ratios, not the times of two machines.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from benchmarks.figures import figures
from benchmarks.measuring import ROOT, Measured, measure
from benchmarks.report import machine, markdown, table, write_into

out = Console(width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True)


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Only these figures, such as B2.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Less work and fewer rounds: within two minutes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
    to: Annotated[Path | None, typer.Option(help="Write the JSON document to this file as well.")] = None,
    readme: Annotated[bool, typer.Option("--readme", help="Put the table into README.md as well.")] = False,
) -> None:
    """Measure; prints medians, the least and the most, how many times as good ours is, and what should be reached."""
    logging.getLogger("Thespian").setLevel(logging.CRITICAL)
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


if __name__ == "__main__":
    typer.run(main)
