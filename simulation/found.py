"""``python -m simulation found``: what seeds have found, as the stored tapes tell it (``docs/found-bugs.md``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import typer

from simulation.stored import FoundIn, Stored, read
from simulation.totals import markdown

KEPT: Final = Path(__file__).parent.parent / "tests" / "seeds"
HEAD: Final = """# What the simulator has found

Defects that seeds have shown, and in what. Each was mended, and its tape is run with every change; a seed tells its
story only on the code of its day. `python -m simulation found` prints this page from `tests/seeds/`.
"""
ABOUT: Final[dict[FoundIn, str]] = {
    "legkeeper": "Bugs of legkeeper itself, which could have cost money.",
    "exchange": "Bugs of the embedded exchange: no house answers so.",
    "audit": "Bugs of the audit: it found fault with what was right.",
    "simulator": "Bugs of the simulator and of its own judges.",
}


def found() -> None:
    """Print what seeds have found, as a page."""
    typer.echo("\n".join(page()))


def page() -> Iterator[str]:
    """The page, line by line."""
    mended = [(path.stem, stored) for path in sorted(KEPT.glob("*.json")) if (stored := read(path)).mended]
    yield HEAD
    for where, about in ABOUT.items():
        rows = [_row(name, stored) for name, stored in mended if stored.found_in == where]
        yield from (f"## {where.capitalize()}: {len(rows)}", "", about, "")
        yield from markdown(("seed", "broke", "what was wrong", "tape"), rows)


def _row(name: str, stored: Stored) -> tuple[str, ...]:
    return str(stored.seed), stored.violation, stored.mended.replace("|", "/"), f"`{name}`"
