"""What was found is told: every stored tape says what was wrong and in what, and the page in the docs is of today."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulation.found import KEPT, OF_THEIR_DAY, UNTOLD, page
from simulation.stored import read

PAGE = Path(__file__).resolve().parents[2] / "docs" / "found-bugs.md"


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.json")), ids=lambda path: path.stem)
def test_a_stored_tape_says_what_was_wrong_and_in_what_or_which_bug_was_planted(path: Path) -> None:
    stored = read(path)
    assert bool(stored.mended) == bool(stored.found_in)
    assert bool(stored.mended) != bool(stored.planted)


def test_only_what_is_stored_can_be_of_its_day_and_only_what_is_not_can_be_untold() -> None:
    stored = {path.stem: read(path) for path in KEPT.glob("*.json")}
    assert {name for name, tape in stored.items() if tape.mended} >= OF_THEIR_DAY.keys()
    assert not {tape.seed for tape in stored.values() if tape.mended} & {seed.seed for seed in UNTOLD}


def test_the_page_is_of_today() -> None:
    assert PAGE.read_text().rstrip().splitlines() == "\n".join(page()).rstrip().splitlines(), (
        "python -m simulation found > docs/found-bugs.md"
    )
