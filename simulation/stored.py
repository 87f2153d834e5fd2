"""Tapes that failed once, made short and kept: ``tests/seeds/<name>.json``.

Of a tape only the choices that are not 0 are written: a short story is a short file.  They are written by their labels,
so that the story outlives a world that learns to draw something else in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from simulation.run import Result, run_tape
from simulation.shrink import Budget, Choice, Choices, shrink
from simulation.tape import Tape
from simulation.world import World

FoundIn = Literal["", "legkeeper", "exchange", "audit", "simulator"]


class Stored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of them.  ``planted``: the bug that made it fail, where the program itself never did."""

    seed: int
    scenario: str = ""  # of the built-in ones; "": the tape has drawn it
    violation: str  # the invariant that it broke
    text: str  # how
    mended: str = ""  # what was wrong
    found_in: FoundIn = ""  # and where
    planted: str = ""
    choices: dict[str, dict[int, int]]  # label -> how many of it came before -> what was drawn; 0 everywhere else

    def tape(self) -> Tape:
        """What was drawn."""
        return Tape(told=self.choices)

    def again(self, look: Callable[[World], object] = lambda _world: None) -> Result:
        """Run it once more; ``look`` may listen."""
        return run_tape(self.tape(), look=look, scenario=self.scenario)

    @property
    def length(self) -> int:
        """How many choices are not 0."""
        return sum(map(len, self.choices.values()))

    def write(self, path: Path) -> None:
        """Keep it; raises ``OSError``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")


def read(path: Path) -> Stored:
    """What is kept there; raises ``OSError`` and ``msgspec.DecodeError``."""
    return msgspec.json.decode(path.read_bytes(), type=Stored)


def whole(failed: Result, *, mended: str = "", planted: str = "") -> Stored:
    """The tape of a run that failed, as it is."""
    tape = Tape(recorded=failed.draws)
    run_tape(tape, scenario=failed.scenario)
    return Stored(
        seed=failed.seed,
        scenario=failed.scenario,
        violation=failed.violation,
        text=failed.text,
        mended=mended,
        planted=planted,
        choices=_by_label(_drawn(tape)),
    )


def shorter(stored: Stored, budget: Budget) -> Stored:
    """The same story with fewer and smaller choices, as far as the same invariant breaks within ``budget``."""

    def again(choices: Choices) -> Choices | None:
        tape = Tape(told=_by_label(choices))
        return _drawn(tape) if run_tape(tape, scenario=stored.scenario).violation == stored.violation else None

    tape = stored.tape()
    run_tape(tape, scenario=stored.scenario)
    short = replace(stored, choices=_by_label(shrink(_drawn(tape), again, budget)))
    return replace(short, text=short.again().text)


def _drawn(tape: Tape) -> Choices:
    """What a run drew that is not 0, in its order."""
    times: Counter[str] = Counter()
    found = []
    for label, number in zip(tape.labels, tape.drawn, strict=True):
        if number:
            found.append(Choice(label, times[label], number))
        times[label] += 1
    return tuple(found)


def _by_label(choices: Choices) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    for label, nth, number in choices:
        found.setdefault(label, {})[nth] = number
    return found
