"""Tapes that failed once, made short and kept: ``tests/seeds/<name>.json``.

Of a tape only the choices that are not 0 are written, by their places: a short story is a short file.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from simulation.run import Result, run_tape
from simulation.shrink import shrink
from simulation.tape import Tape


class Stored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of them.  ``planted``: the bug that made it fail, where the program itself never did."""

    seed: int
    violation: str  # the invariant that it broke
    text: str  # how
    mended: str = ""  # what was wrong
    planted: str = ""
    choices: dict[int, int]  # place on the tape -> what was drawn there; 0 everywhere else

    def tape(self) -> Tape:
        """To run it again."""
        draws = [0] * (max(self.choices, default=-1) + 1)
        for place, drawn in self.choices.items():
            draws[place] = drawn
        return Tape(recorded=draws)

    def write(self, path: Path) -> None:
        """Keep it; raises ``OSError``."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")


def read(path: Path) -> Stored:
    """What is kept there; raises ``OSError`` and ``msgspec.DecodeError``."""
    return msgspec.json.decode(path.read_bytes(), type=Stored)


def shortened(failed: Result, budget: int, *, mended: str = "", planted: str = "") -> Stored:
    """The tape of a run that failed, cut and set to 0 as far as the same invariant breaks, in ``budget`` more runs."""
    draws = shrink(failed.draws, lambda some: run_tape(Tape(recorded=some)).violation == failed.violation, budget)
    final = run_tape(Tape(recorded=draws))
    return Stored(
        seed=failed.seed,
        violation=final.violation,
        text=final.text,
        mended=mended,
        planted=planted,
        choices={place: drawn for place, drawn in enumerate(draws) if drawn},
    )
