"""``python -m simulation nightly``: everything that takes hours, step by step, and a summary that grows.

Steps that have been done are not done again: a night that was broken off is gone on with by the same command, and a
fresh one begins in another directory (``--to``).  The seeds come last, in blocks, until the time is up.
"""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console

BLOCK: Final = 2_000  # seeds in a step
CYCLES: Final = 1_000
STEPS: Final = (  # name, and what `python -m simulation` is given
    ("disk", ("disk", "--json")),
    ("crashes", ("crashes", "--json")),
    ("pairs and triples", ("crashes", "--pairs", "--triples", "200", "--json")),
    ("safeguards switched off", ("switch-off",)),
    ("kill campaign", ("kill-campaign", "--cycles", str(CYCLES), "--to", "{to}/kill-campaign")),
)
out = Console()


class Step(msgspec.Struct, frozen=True):
    """One that was done: the last lines of what it said are its result."""

    name: str
    command: str
    status: int
    seconds: float
    tail: str


class Night(msgspec.Struct):
    """All that was done so far."""

    began: str
    steps: list[Step] = []
    next_seed: int = 0

    def markdown(self) -> str:
        """For a person."""
        failed = [step for step in self.steps if step.status]
        lines = [
            f"# Night of {self.began}",
            "",
            f"{len(self.steps)} steps, {self.next_seed} seeds, {len(failed)} steps failed.",
            "",
            "| step | exit status | minutes |",
            "|---|---|---|",
            *(f"| {step.name} | {step.status} | {step.seconds / 60:.1f} |" for step in self.steps),
            "",
        ]
        for step in failed:
            lines += [f"## {step.name}", "", f"`{step.command}`", "", "```", step.tail, "```", ""]
        return "\n".join(lines)


def nightly(
    hours: Annotated[float, typer.Option(help="Begin no step after so long.")] = 8.0,
    to: Annotated[Path, typer.Option(help="Where summary and results go.")] = Path("run/nightly"),
    seeds_only: Annotated[bool, typer.Option(help="Leave out all but the seeds.")] = False,
) -> None:
    """Run everything that takes hours; exit status 1 when anything failed."""
    to.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + hours * 3600
    night = _night(to)
    done = {step.name for step in night.steps}
    for name, words in () if seeds_only else STEPS:
        if name not in done and time.monotonic() < until:
            _do(night, to, name, [word.replace("{to}", str(to)) for word in words])
    while time.monotonic() < until:
        first, last = night.next_seed, night.next_seed + BLOCK
        night.next_seed = last
        _do(night, to, f"seeds {first} to {last}", ["run", "--seeds", f"{first}:{last}", "--json"])
    out.print(night.markdown(), markup=False, highlight=False)
    raise typer.Exit(1 if any(step.status for step in night.steps) else 0)


def _night(to: Path) -> Night:
    path = to / "summary.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Night)
    return Night(datetime.now(UTC).isoformat(timespec="minutes"))


def _do(night: Night, to: Path, name: str, words: list[str]) -> None:
    out.print(f"{name} …", highlight=False)
    began = time.monotonic()
    command = [sys.executable, "-m", "simulation", *words]
    log = to / f"{name.replace(' ', '-')}.log"
    with log.open("wb") as file:
        status = subprocess.run(command, check=False, stdout=file, stderr=subprocess.STDOUT).returncode
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
    night.steps.append(Step(name, " ".join(["python", *command[1:]]), status, time.monotonic() - began, tail))
    fresh = to / "summary.new"
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(night)) + b"\n")
    fresh.replace(to / "summary.json")
    (to / "summary.md").write_text(night.markdown())
