"""How figures are taken: contenders in turn, several rounds, in one run; what counts is the ratio."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import msgspec

from actors.stack_room import call_with_room, with_room

ROOT = Path(__file__).resolve().parent.parent
RIVALS_PYTHON = ROOT / ".venv/bench/bin/python"  # where `make bench` puts the rivals' libraries
RIVAL_TIMEOUT_S = 300.0

R = TypeVar("R")
Run = Callable[[Path], float | Mapping[str, float]]


class NotHere(Exception):
    """Something that a contender needs is missing on this machine; the message says what."""


class Reach(msgspec.Struct, frozen=True):
    """What a figure should reach: at least, or at most, this."""

    value: float
    at_most: bool = False

    def met(self, value: float) -> bool:
        """Whether it does."""
        return value <= self.value if self.at_most else value >= self.value

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.value:,g}"


class Contender(msgspec.Struct, frozen=True):
    """A program and what it gives; the first one of a figure is ours.

    ``ratio`` is how many times as good as this one ours should be, at least.
    """

    name: str
    run: Run
    ratio: float | None = None


class Figure(msgspec.Struct, frozen=True):
    """One row of the table.  ``more_is_better``: rates; else times and sizes.

    A run that gives several numbers names them; ``reach`` is by those names, ``""`` for a run that gives one.  Rivals
    that give one number are compared with the first of ours.
    """

    key: str
    title: str
    unit: str
    more_is_better: bool
    contenders: tuple[Contender, ...]
    reach: Mapping[str, Reach] = {}
    rounds: int = 0  # 0: as many as are asked for


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The rounds of one contender; ``ratio`` is how many times as good ours is, ``missing`` why there are none."""

    key: str
    title: str
    unit: str
    name: str
    ours: bool
    part: str = ""
    rounds: tuple[float, ...] = ()
    ratio: float | None = None
    reach: str = ""
    met: bool | None = None
    missing: str = ""

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.rounds)


def measure(figure: Figure, rounds: int, told: Callable[[str], None]) -> list[Measured]:
    """Run the contenders of a figure in turn, several times over.  The journals lie on a real disk."""
    results: dict[str, list[dict[str, float]]] = {contender.name: [] for contender in figure.contenders}
    missing: dict[str, str] = {}
    rounds = figure.rounds or rounds
    for number in range(rounds):
        for contender in figure.contenders:
            if contender.name in missing:
                continue
            told(f"{figure.key} {contender.name}, round {number + 1} of {rounds}")
            gc.unfreeze()  # what a cell has frozen of an earlier round is over
            gc.collect()
            with tempfile.TemporaryDirectory(prefix="legkeeper-bench-", dir="/var/tmp") as place:
                try:
                    found = with_room(contender.run)(Path(place) / "cell-0.db")
                except NotHere as reason:
                    missing[contender.name] = str(reason)
                    continue
            results[contender.name].append(dict(found) if isinstance(found, Mapping) else {"": found})
    return judged(figure, results, missing)


def judged(figure: Figure, results: Mapping[str, list[dict[str, float]]], missing: Mapping[str, str]) -> list[Measured]:
    """The rows of a figure: medians, ratios round by round, and whether they reach what they should."""
    rows: list[Measured] = []
    first = results[figure.contenders[0].name]
    main = next(iter(first[0])) if first else ""
    for contender in figure.contenders:
        common: dict[str, Any] = {
            "key": figure.key, "title": figure.title, "unit": figure.unit, "name": contender.name,
            "ours": contender is figure.contenders[0],
        }  # fmt: skip
        if contender.name in missing:
            rows.append(Measured(**common, missing=missing[contender.name]))
            continue
        for part in results[contender.name][0]:
            values = tuple(found[part] for found in results[contender.name])
            if common["ours"]:
                reach = figure.reach.get(part)
                met = reach.met(median(values)) if reach else None
                row = Measured(**common, part=part, rounds=values, reach=str(reach or ""), met=met)
            else:
                against = [found.get(part, found[main]) for found in first]
                ratio = median(a / b if figure.more_is_better else b / a for a, b in zip(against, values, strict=True))
                met = ratio >= contender.ratio if contender.ratio is not None else None
                wanted = f"≥ {contender.ratio:,.3g} x" if contender.ratio is not None else ""
                row = Measured(**common, part=part, rounds=values, ratio=ratio, reach=wanted, met=met)
            rows.append(row)
    return rows


def in_a_process_of_its_own(what: Callable[..., R], path: Path, *arguments: int) -> R:
    """The same in a new process, whose memory nothing else has grown, and whose stack has room."""
    with get_context("spawn").Pool(1) as pool:
        found: R = pool.apply(call_with_room, (what, path, *arguments))
        return found


def rival(name: str, path: Path, groups: int, size: int, most: int) -> float:
    """A run of one of ``benchmarks.rivals``.  Raises :class:`NotHere` when its library is not installed."""
    python = os.environ.get("BENCH_PYTHON", "") or (str(RIVALS_PYTHON) if RIVALS_PYTHON.exists() else sys.executable)
    done = subprocess.run(
        [python, "-m", "benchmarks.rivals", name, str(path), str(groups), str(size), str(most)],
        cwd=ROOT, capture_output=True, text=True, timeout=RIVAL_TIMEOUT_S, check=False,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise NotHere(f"it failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    answer: dict[str, Any] = json.loads(lines[-1])
    if "missing" in answer:
        raise NotHere(f"not installed here ({answer['missing']}); 'make bench' installs it where it can be had")
    return float(answer["value"])
