"""What the command lines take, from text; what is no such thing is refused by its option's name."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

import typer

from simulation.faults import CATALOGUE
from simulation.mutants.catalogue import MODULES, Mutant, UnknownMutant, named
from simulation.scenarios import STORIES

SCENARIO: Final = "Only these built-in scenarios, comma separated; else the seed draws its own."

TAPE: Final = "A stored tape (tests/seeds/…json) or a seed's number."
LINES: Final = "Only so many lines of the story, from its end; 0: all of them."
PLANT: Final = "Plant this bug (docs/planted-bugs.md has them); seeds are aimed at where it shows."


def seeds_of(text: str) -> tuple[int, int]:
    """``FIRST:LAST``, the last one not included."""
    first, _, last = text.partition(":")
    if not (first.isdigit() and last.isdigit()):
        raise typer.BadParameter(f"--seeds {text!r}: give FIRST:LAST, such as 0:1000")
    if int(first) >= int(last):
        raise typer.BadParameter(f"--seeds {text!r} are none: the last one is not included")
    return int(first), int(last)


def faults_of(text: str) -> frozenset[str] | None:
    """Names of faults; ``None``: nothing was said."""
    if not text:
        return None
    names = frozenset() if text == "none" else frozenset(text.split(","))
    _known("--faults", names, CATALOGUE)
    return names


def scenarios_of(text: str) -> tuple[str, ...]:
    """Names of built-in scenarios."""
    names = tuple(text.split(",")) if text else ()
    _known("--scenario", set(names), STORIES)
    return names


def directory_of(path: Path) -> Path:
    """One that can be written to, which is made where it is not there: what takes hours must not end for want of it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"--to {path}: {error.strerror}") from None
    if not os.access(path, os.W_OK):
        raise typer.BadParameter(f"--to {path}: nothing can be written there")
    return path


def file_of(path: Path) -> Path:
    """One that can be written, in a directory that is made where it is not there."""
    if path.is_dir():
        raise typer.BadParameter(f"--to {path}: this is a directory; name the file")
    directory_of(path.parent)
    was_there = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise typer.BadParameter(f"--to {path}: {error.strerror}") from None
    if not was_there:
        path.unlink()
    return path


def bug_of(name: str, modules: Iterable[str] = MODULES) -> Mutant:
    """The planted bug of this name."""
    try:
        return named(name, modules)
    except UnknownMutant as error:
        raise typer.BadParameter(str(error)) from None


def _known(option: str, names: AbstractSet[str], there_are: Collection[str]) -> None:
    unknown = sorted(names - {*there_are})
    if unknown:
        raise typer.BadParameter(f"{option}: {', '.join(unknown)} unknown; there are {', '.join(there_are)}")
