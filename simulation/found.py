"""``python -m simulation found``: what seeds have found, as the stored tapes tell it (``docs/found-bugs.md``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

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
ABOUT_THEIR_DAY: Final = """These tapes failed where they were made, and no more once it was mended. Today's world draws
otherwise: on them its code does not fail without the mend either.
"""
ABOUT_UNTOLD: Final = (
    "Commits name these seeds. Nothing replays the first three; of the others another seed tells the story.\n"
)


class Untold(NamedTuple):
    """A seed that a commit names and that no stored tape carries."""

    seed: int
    commit: str
    what: str
    instead: str


_DEMO: Final = "a nasty demo, of real processes: nothing replays it; `tests/decisions/orders/test_child_order.py`"
_CAMPAIGN: Final = "the kill campaign, of real processes: nothing replays it; `tests/brokers/test_wire_record.py`"
OF_THEIR_DAY: Final = {
    "arrived-after-its-absence": "`tests/brokers/test_link.py`",
    "batch-before-a-lost-one": "`overtaken-is-taken`, planted; `tests/actors/test_window.py`",
    "bust-of-an-exit-unheard": "`tests/venue/test_audit_quantities.py`",
    "filled-up-by-a-late-fill": "`tests/decisions/groups/test_group_levels.py`",
    "storm-of-refused-slices": "`rearm-storm`, planted; `tests/actors/test_stop_losses.py`",
}
UNTOLD: Final = (
    Untold(110, "4d834fc", "an entry was void a quarter of a second after its copy had left", _DEMO),
    Untold(205, "c895fb0", "the refusal of one copy of an order ended it, and the other copy was taken", _DEMO),
    Untold(5300, "009414c", "half a line that a full disk took made the wire record unreadable", _CAMPAIGN),
    Untold(107, "fd3a3c6", "a thousand stop orders within five seconds", "the same as 7: `storm-of-refused-slices`"),
    Untold(
        759,
        "d23fc13",
        "a repair left before the cancel it waited for",
        "the same as 124: `repair-before-the-cancel-it-waited-for`",
    ),
    Untold(2161, "02b91db", "a cell never learned the instruments", "the same as 2194: `batch-before-a-lost-one`"),
    Untold(
        100789,
        "d063e9c",
        "a short that was busted at the close was waited for for ever",
        "the same as 100268: `expired-before-whole`",
    ),
    Untold(
        4403513,
        "0e8e844",
        "a command came before what starts a process",
        "the same as 4400900: `command-before-the-start`",
    ),
    Untold(
        4809739,
        "caada6a",
        "one order more than max_open_orders left",
        "the same as 4805374: `a-list-leaves-an-open-order-out`",
    ),
)


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
    yield from (f"## On the code of their day only: {len(OF_THEIR_DAY)}", "", ABOUT_THEIR_DAY)
    yield from markdown(
        ("tape", "what notices such a bug today"), [(f"`{name}`", by) for name, by in OF_THEIR_DAY.items()]
    )
    yield from (f"## Seeds without a tape of their own: {len(UNTOLD)}", "", ABOUT_UNTOLD)
    yield from markdown(("seed", "commit", "what was wrong", "instead"), UNTOLD)


def _row(name: str, stored: Stored) -> tuple[str, ...]:
    return str(stored.seed), stored.violation, stored.mended.replace("|", "/"), f"`{name}`"
