"""``python -m simulation switch-off``: each safeguard is switched off in turn, and one of its tests must fail."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from simulation.children import run
from simulation.mutants.catalogue import SWITCHES, Mutant, catalogue
from simulation.planting import ROOT, VARIABLE

# The names that the sources give to the tests of these safeguards; they carry no id.
CLASSES: Final = {
    "S1": "TestMultiLegGroup",
    "S5": "TestMargin",
    "S8": "TestEventOrdering",
    "S9": "TestIdempotency",
    "S10": "TestPersistenceAtomicity",
    "S11": "TestRecursiveHedge",
    "S12": "TestBrokerTimestamps",
}
MUTANTS: Final = tuple(catalogue(SWITCHES).values())
TESTS: Final = ROOT / "tests"
NOBODY: Final = "nobody"
_FAILED: Final = re.compile(r"^FAILED (\S+?)(?:\[.*)?(?: - .*)?$", re.MULTILINE)
out, err = Console(), Console(stderr=True)


class Outcome(NamedTuple):
    """What came of one planted bug.  ``caught_by``: the first test that failed; "" when none did."""

    mutant: Mutant
    caught_by: str
    seconds: float
    said: str


def ids_of(mutants: Iterable[Mutant]) -> list[str]:
    """The requirements that these bugs break, each once."""
    return list(dict.fromkeys(requirement for mutant in mutants for requirement in mutant.breaks))


def pattern(requirement: str) -> str:
    """What pytest's ``-k`` selects the tests of a requirement by."""
    words = [f"test_{requirement.lower()}_", *filter(None, [CLASSES.get(requirement)])]
    return " or ".join(words)


def files_with(requirements: Sequence[str]) -> list[str]:
    """The test files that have tests of these requirements: those without processes first, because they are quick."""
    words = [re.escape(word) for one in requirements for word in pattern(one).split(" or ")]
    found = [path for path in sorted(TESTS.rglob("test_*.py")) if re.search("|".join(words), path.read_text())]
    found.sort(key=lambda path: (path.parent.name == "processes", path.parent.name != "actors"))
    return [str(path.relative_to(ROOT)) for path in found]


def pytest(requirements: Sequence[str], plant: str = "") -> tuple[int, str]:
    """Run the tests of these requirements until one fails; the exit status, and what was said."""
    files = files_with(requirements)
    if not files:
        return 5, "there is no such test"
    chosen = " or ".join(map(pattern, requirements))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rf", "--tb=line", "-p", "no:cacheprovider"]
    command += ["-p", "simulation.planting", "-k", chosen, *files]
    environment = {**os.environ, VARIABLE: plant}
    options: dict[str, Any] = {"cwd": ROOT, "env": environment, "stderr": subprocess.STDOUT}
    return run(command, ask=signal.SIGINT, stdout=subprocess.PIPE, **options)  # which lets its fixtures end


def switch_off(mutant: Mutant) -> Outcome:
    """Plant this bug, and see which of its tests fails.  A run that breaks down has caught nothing."""
    began = time.monotonic()
    _, said = pytest(mutant.breaks, mutant.name)
    failed = _FAILED.search(said)
    return Outcome(mutant, failed.group(1) if failed else "", time.monotonic() - began, said)


def command(
    ids: Annotated[
        list[str] | None, typer.Argument(help="R1, E2 … or one part, 'E8 memory'; all when none is named.")
    ] = None,
    sound: Annotated[bool, typer.Option(help="First see that the tests pass while nothing is switched off.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
) -> None:
    """Switch each safeguard off and see that a test by its id fails; exit status 1 when one is not caught."""
    wanted = {each.upper() for each in ids or ()}
    chosen = [mutant for mutant in MUTANTS if not wanted or wanted & {mutant.name.upper(), *mutant.breaks}]
    unknown = wanted - {mutant.name.upper() for mutant in chosen} - set(ids_of(chosen))
    if unknown:
        raise typer.BadParameter(
            f"nothing switches {', '.join(sorted(unknown))} off; there are {', '.join(ids_of(MUTANTS))}"
        )
    if sound:
        status, said = pytest(ids_of(chosen))
        if status:
            err.print(said, markup=False)
            raise typer.Exit(1)
    outcomes = []
    for mutant in chosen:
        outcome = switch_off(mutant)
        outcomes.append(outcome)
        err.print(
            f"{mutant.name}: {outcome.caught_by or NOBODY} ({outcome.seconds:.0f} s)", markup=False, soft_wrap=True
        )
        if not outcome.caught_by:
            err.print(outcome.said[-2_000:], markup=False, soft_wrap=True)
    missed = [outcome.mutant.name for outcome in outcomes if not outcome.caught_by]
    if as_json:
        found = {outcome.mutant.name: outcome.caught_by for outcome in outcomes}
        out.print_json(msgspec.json.encode({"switched_off": found, "missed": missed}).decode())
    else:
        out.print(_table(outcomes))
        out.print(f"{len(outcomes)} switched off, {len(missed)} not noticed{': ' if missed else ''}{', '.join(missed)}")
    raise typer.Exit(1 if missed else 0)


def _table(outcomes: Iterable[Outcome]) -> Table:
    table = Table("id", "switched off", "caught by", "s", title="Safeguards switched off")
    for outcome in outcomes:
        caught = outcome.caught_by.rpartition("::")[2] or NOBODY
        table.add_row(outcome.mutant.name, outcome.mutant.about, caught, f"{outcome.seconds:.0f}")
    return table
