"""Tapes that failed once, made short and kept: ``tests/seeds/<name>.json``.

Of a tape only the choices that are not 0 are written: a short story is a short file.  They are written by their labels,
so that the story outlives a world that learns to draw something else in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from simulation.run import Result, run_tape
from simulation.shrink import shrink
from simulation.tape import Tape
from simulation.world import World


class Stored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of them.  ``planted``: the bug that made it fail, where the program itself never did."""

    seed: int
    scenario: str = ""  # of the built-in ones; "": the tape has drawn it
    violation: str  # the invariant that it broke
    text: str  # how
    mended: str = ""  # what was wrong
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


def _by_label(tape: Tape) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    times: Counter[str] = Counter()
    for label, drawn in zip(tape.labels, tape.drawn, strict=True):
        if drawn:
            found.setdefault(label, {})[times[label]] = drawn
        times[label] += 1
    return found


def shortened(failed: Result, budget: int, *, mended: str = "", planted: str = "") -> Stored:
    """The tape of a run that failed, cut and set to 0 as far as the same invariant breaks, in ``budget`` more runs."""

    def still_fails(draws: Sequence[int]) -> bool:
        return run_tape(Tape(recorded=draws), scenario=failed.scenario).violation == failed.violation

    draws = shrink(failed.draws, still_fails, budget)
    tape = Tape(recorded=draws)
    final = run_tape(tape, scenario=failed.scenario)
    return Stored(
        seed=failed.seed,
        scenario=failed.scenario,
        violation=final.violation,
        text=final.text,
        mended=mended,
        planted=planted,
        choices=_by_label(tape),
    )
