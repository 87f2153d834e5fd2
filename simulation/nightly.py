"""``python -m simulation nightly``: everything that takes hours, step by step, and a summary that grows.

The summary begins with the numbers that are aimed at.  A choice or a fault that no seed of the night tried fails it.
Steps that have been done are not done again: a night that was broken off is gone on with by the same command, and a
fresh one begins in another directory (``--to``).  A step that failed before it told its numbers (who ran it was killed,
or out of memory) is tried again then; one that told what it found would find the same again.  The seeds come last, in
blocks, until the time is up; a night that begins at seeds of its own (``--first``) tries what none before it did.  All
numbers of a night are of the same code: when that has changed since, the night is not gone on with.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console

from simulation.campaign import Summary
from simulation.children import run
from simulation.crashes import PAIRED
from simulation.options import directory_of
from simulation.totals import PER, Totals, markdown
from storage.durable import replace

ROOT: Final = Path(__file__).parent.parent
BLOCK: Final = 2_000  # seeds in a step
CYCLES: Final = 1_000
STEPS: Final = (  # name, and what `python -m simulation` is given
    ("disk", ("disk", "--json")),
    ("crashes", ("crashes", "--json")),
    ("pairs and triples", ("crashes", "--pairs", "--triples", "200", "--json")),
    ("planted bugs", ("mutants", "--json")),
    ("safeguards switched off", ("switch-off", "--json")),
    ("kill campaign", ("kill-campaign", "--cycles", str(CYCLES), "--to", "{to}/kill-campaign", "--json")),
)
out = Console()


class Step(msgspec.Struct, frozen=True):
    """One that was done, or tried: the last lines of what it said are its result."""

    name: str
    words: tuple[str, ...]  # what `python -m simulation` was given
    status: int
    told: bool  # its numbers are in the summary
    seconds: float
    tail: str


class Number(msgspec.Struct, frozen=True):
    """What a step came to, and what is aimed at; "" for nothing."""

    what: str
    aim: str
    count: int


class Night(msgspec.Struct):
    """All that was done so far."""

    began: str
    steps: list[Step] = []
    first_seed: int = 0
    next_seed: int = 0
    totals: Totals = msgspec.field(default_factory=Totals)
    sweeps: dict[str, list[Number]] = {}  # by step
    campaign: Summary | None = None  # of the kills
    code: str = ""  # what ran, by :func:`fingerprint`

    @property
    def latest(self) -> list[Step]:
        """Of each step the last attempt."""
        return list({step.name: step for step in self.steps}.values())

    @property
    def failures(self) -> list[str]:
        """Why this night is no success, in words; empty when it is one."""
        found = [f"{step.name} ended with status {step.status}" for step in self.latest if step.status]
        return found + [f"never tried: {what}" for what in self.totals.untried() if self.totals.seeds]

    def markdown(self) -> str:
        """For a person."""
        failed = [step for step in self.latest if step.status]
        rows = self.totals.numbers() if self.totals.seeds else []
        for name, numbers in self.sweeps.items():
            rows += [(f"{name}: {one.what}", one.aim, f"{one.count:,}") for one in numbers]
        done = ((step.name, step.status, f"{step.seconds / 60:.1f}") for step in self.steps)
        hits = ((name, f"{count:,}", f"{often:,.0f}") for name, count, often in self.totals.hits())
        tried = ((row, choice, f"{times:,}") for row, choice, times in self.totals.coverage())
        lines = [
            f"# Night of {self.began}",
            "",
            f"{len(self.latest)} steps, {len(failed)} of them failed, seeds {self.first_seed} to {self.next_seed}. The"
            f" code's fingerprint is {self.code}.",
            "",
            *markdown(("what", "aim", "tonight"), rows),
            *(f"- {failure}" for failure in self.failures),
            "",
            *markdown(("step", "exit status", "minutes"), done),
            *(markdown(("fault", "hits", f"in {PER:,} seeds"), hits) if self.totals.seeds else ()),
            *(self.campaign.table() if self.campaign else ()),
            *(markdown(("what is drawn", "choice", "times"), tried) if self.totals.seeds else ()),
        ]
        for step in failed:
            command = " ".join(["python", "-m", "simulation", *step.words])
            lines += [f"## {step.name}", "", f"`{command}`", "", "```", step.tail, "```", ""]
        return "\n".join(lines)


def nightly(
    hours: Annotated[float, typer.Option(min=0, help="Begin no step after so long.")] = 8.0,
    to: Annotated[Path, typer.Option(help="Where summary and results go.")] = Path("run/nightly"),
    seeds_only: Annotated[bool, typer.Option(help="Leave out all but the seeds.")] = False,
    first: Annotated[int | None, typer.Option(min=0, help="The first seed of a fresh night; 0 unless told.")] = None,
) -> None:
    """Run everything that takes hours; exit status 1 when anything failed, 2 when the code is not that of before."""
    directory_of(to)
    until = time.monotonic() + hours * 3600
    night = _night(to, first)
    done = {step.name for step in night.steps}
    for step in night.latest:
        if step.status and not step.told and (not seeds_only or step.words[0] == "run") and time.monotonic() < until:
            _do(night, to, step.name, list(step.words))
    for name, words in () if seeds_only else STEPS:
        if name not in done and time.monotonic() < until:
            _do(night, to, name, [word.replace("{to}", str(to)) for word in words])
    while time.monotonic() < until:
        first, last = night.next_seed, night.next_seed + BLOCK
        night.next_seed = last
        _do(night, to, f"seeds {first} to {last}", ["run", "--seeds", f"{first}:{last}", "--json"])
    out.print(night.markdown(), markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1 if night.failures else 0)


def _night(to: Path, first: int | None) -> Night:
    path, code = to / "summary.json", fingerprint()
    if not path.exists():
        seed = first or 0
        return Night(datetime.now(UTC).isoformat(timespec="minutes"), first_seed=seed, next_seed=seed, code=code)
    night = msgspec.json.decode(path.read_bytes(), type=Night)
    if first not in (None, night.first_seed):
        raise typer.BadParameter(
            f"the night in {to} began at seed {night.first_seed}; go on with it without this option, or begin another "
            "one in another directory",
            param_hint="--first",
        )
    if night.code != code:
        raise typer.BadParameter(
            f"the code has changed since the night in {to} began, and its numbers would be of both; begin another "
            "one in another directory",
            param_hint="--to",
        )
    return night


def fingerprint() -> str:
    """Of every source file of the program and the simulator."""
    told = blake2b(digest_size=8)
    rooms = sorted(path.parent for path in ROOT.glob("*/__init__.py"))
    for path in sorted(file for room in rooms for kind in ("py", "sql") for file in room.rglob(f"*.{kind}")):
        told.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return told.hexdigest()


def _do(night: Night, to: Path, name: str, words: list[str]) -> None:
    out.print(f"{name} …", highlight=False)
    began = time.monotonic()
    command = [sys.executable, "-m", "simulation", *words]
    path = to / f"{name.replace(' ', '-')}.log"
    beside = path.with_suffix(".err")
    with path.open("wb") as said, beside.open("wb") as complained:
        status, _ = run(command, stdout=said, stderr=complained)
    text = path.read_text(errors="replace")
    tail = "\n".join([*beside.read_text(errors="replace").splitlines(), *text.splitlines()][-40:])
    told = count(night, name, words[0], text)
    night.steps.append(Step(name, tuple(words), status, told, time.monotonic() - began, tail))
    replace(to / "summary.json", msgspec.json.format(msgspec.json.encode(night)) + b"\n")
    (to / "summary.md").write_text(night.markdown())


class Seeds(msgspec.Struct):
    """Of what ``run --json`` prints."""

    totals: Totals


class Disked(msgspec.Struct):
    """Of what ``disk --json`` prints."""

    outcomes: list[Outcome]
    turns_lost_with_NORMAL: dict[int, int]  # noqa: N815 - so many turns -> in so many power cuts
    violations: list[msgspec.Raw]

    def numbers(self) -> Iterator[Number]:
        """By sweep and outcome, and what NORMAL loses."""
        for one in self.outcomes:
            yield Number(f"{one.kind}, {one.outcome}", "", one.cases)
        yield Number(
            "power cuts with NORMAL", "", sum(one.cases for one in self.outcomes if one.kind == "power_normal")
        )
        yield Number("of them lost acknowledged turns", "", sum(self.turns_lost_with_NORMAL.values()))
        yield Number("turns that NORMAL lost at most", "", max(self.turns_lost_with_NORMAL, default=0))
        yield Number("violations", "0", len(self.violations))


class Outcome(msgspec.Struct):
    """A row of the disk sweep's table."""

    kind: str
    outcome: str
    cases: int


class Swept(msgspec.Struct):
    """Of what ``crashes --json`` prints: by story, how many runs of each kind, and single ones there can be."""

    runs: dict[str, dict[str, int]]
    possible: dict[str, int]
    failures: list[msgspec.Raw]

    def numbers(self) -> Iterator[Number]:
        """Sums over the stories."""
        aims = {"single": f"{sum(self.possible.values()):,}"}
        for kind in sorted({kind for counts in self.runs.values() for kind in counts}):
            runs = sum(counts.get(kind, 0) for counts in self.runs.values())
            yield Number(f"{kind} runs", aims.get(kind, ""), runs)
        if paired := sum("pair" in counts for counts in self.runs.values()):
            yield Number("stories with pairs", str(PAIRED), paired)
        yield Number("violations", "0", len(self.failures))


class Hunted(msgspec.Struct):
    """Of what ``mutants --json`` prints."""

    mutants: list[msgspec.Raw]
    survivors: list[str]

    def numbers(self) -> Iterator[Number]:
        """How many were caught."""
        yield Number("bugs", "50", len(self.mutants))
        yield Number("killed", f"{len(self.mutants):,}", len(self.mutants) - len(self.survivors))
        yield Number("survivors", "0", len(self.survivors))


class SwitchedOff(msgspec.Struct):
    """Of what ``switch-off --json`` prints."""

    switched_off: dict[str, str]  # -> the test that noticed it
    missed: list[str]

    def numbers(self) -> Iterator[Number]:
        """How many of them a test noticed."""
        yield Number("switched off", "", len(self.switched_off))
        yield Number("not noticed", "0", len(self.missed))


class Killed(Summary):
    """What ``kill-campaign --json`` prints."""

    def numbers(self) -> Iterator[Number]:
        """The cycles, and how often what was drawn for them struck."""
        yield Number("cycles", f"{CYCLES:,}", self.cycles)
        yield Number("groups", "", self.groups)
        yield Number("faults tried", "", sum(self.faults.values()))
        yield Number("faults that struck", "", sum(self.struck.values()))
        yield Number("violations", "0", len(self.violations))


TOLD: Final = {  # by command
    "disk": Disked,
    "crashes": Swept,
    "mutants": Hunted,
    "switch-off": SwitchedOff,
    "kill-campaign": Killed,
}


def count(night: Night, name: str, command: str, text: str) -> bool:
    """Take the numbers of a step into the summary; says whether there were any: without, it broke off."""
    try:
        if command == "run":
            night.totals.add(msgspec.json.decode(text, type=Seeds).totals)
            return True
        told: Disked | Swept | Hunted | SwitchedOff | Killed = msgspec.json.decode(text, type=TOLD[command])
    except msgspec.DecodeError:
        return False
    night.sweeps[name] = list(told.numbers())
    if isinstance(told, Killed):
        night.campaign = told
    return True
