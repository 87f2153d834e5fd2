"""R21: the judge of whose units went goes by the exchange's record and the journals' rows, and not by our own rule."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from messages.records import PositionEventRecord, PositionKind
from simulation.attribution import Attribution
from venue.truth import TruthEvent

SYMBOL, HERE, THERE = "XYZ", Path("cell-0.db"), Path("cell-1.db")
TAGS = {"old": "O", "young": "Y"}
Row = tuple[str, int]  # group ("": nobody), units


class Book:
    """An account of which group ``old`` is short ten."""

    def __init__(self) -> None:
        self.judge, self.now, self.rows = Attribution(), 1, 0
        self.filled("O", -10)

    def filled(self, tag: str, units: int) -> None:
        self.now += 1
        self.judge.on_fill(tag, self.now, SYMBOL, units)

    def moved(self, units: int) -> None:
        self.now += 1
        side: Literal["buy", "sell"] = "buy" if units > 0 else "sell"
        self.judge.on_move(
            TruthEvent(kind="manual", ts_ns=self.now, symbol=SYMBOL, side=side, last_qty=abs(units)),
        )

    def booked(
        self,
        *rows: Row,
        path: Path = HERE,
        at: int = 0,
        kind: PositionKind = PositionKind.MANUAL,
        tags: dict[str, str] = TAGS,
    ) -> list[str]:
        """What is wrong with these rows of one turn."""
        records = []
        for group_id, units in rows:
            self.rows += 1
            records.append(
                PositionEventRecord(
                    event_id=f"{group_id}/{self.rows}", group_id=group_id, leg_id="leg" if group_id else "",
                    symbol=SYMBOL, quantity=units, kind=kind, evidence="", activity_id="", price=0,
                    ts_ns=at or self.now,
                )
            )  # fmt: skip
        return [text for holds, text in self.judge.on_commit(path, records, tags) if not holds]


@pytest.mark.parametrize(
    ("nobodys", "moved", "rows", "wrong"),
    [
        (0, 4, [("old", 4)], False),
        (0, 4, [("", 4)], True),  # the group had them
        (0, 14, [("old", 10), ("", 4)], False),
        (0, 14, [("old", 8), ("", 6)], True),
        (-4, 4, [("", 4)], False),
        (-4, 4, [("old", 4)], True),  # nobody had them
        (-4, 6, [("", 4), ("old", 2)], False),
        (-4, 6, [("", 2), ("old", 4)], True),
        (-4, 6, [("", 6)], True),
        (0, -4, [("", -4)], False),
    ],
)
def test_whose_units_went(nobodys: int, moved: int, rows: list[Row], wrong: bool) -> None:
    book = Book()
    if nobodys:
        book.moved(nobodys)
        assert not book.booked(("", nobodys))
    book.moved(moved)
    assert bool(book.booked(*rows)) == wrong


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("nobodys", [0, -4])
def test_letters_of_one_look_become_durable_one_by_one_in_any_order(order: tuple[int, int], nobodys: int) -> None:
    book = Book()
    if nobodys:
        book.moved(nobodys)
        assert not book.booked(("", nobodys))
    book.moved(14)
    letters = [("", 4), ("old", 10)]
    for number in order:
        assert not book.booked(letters[number], path=(HERE, THERE)[number])


def test_what_came_and_went_in_one_look_is_nobodys_though_a_group_has_such_units() -> None:
    book = Book()
    book.moved(4)
    book.moved(-4)
    assert not book.booked(("", 4), ("", -4))


def test_what_a_group_got_only_afterwards_is_not_what_went() -> None:
    book = Book()
    book.moved(-3)
    then = book.now
    book.filled("Y", 5)
    assert not book.booked(("", -3), at=then)
    book.moved(-3)
    assert book.booked(("", -3), at=book.now)


def test_a_letter_on_its_way_does_not_know_of_what_became_nobodys_since() -> None:
    book = Book()
    book.moved(2)
    then = book.now
    book.moved(-4)
    assert not book.booked(("", -4))
    assert not book.booked(("old", 2), path=THERE, at=then)


def test_an_expiry_is_settled_net_and_a_group_whose_orders_are_forgotten_is_not_asked() -> None:
    book = Book()
    book.moved(4)
    assert not book.booked(("", 4), kind=PositionKind.EXPIRY)
    book.moved(4)
    assert not book.booked(("", 4), tags={"young": "Y"})


def test_a_trade_by_hand_that_is_told_with_the_contracts_end_is_anybodys() -> None:
    book = Book()
    book.filled("Y", 30)
    book.moved(4)
    assert book.booked(("", 4)), "the one that is short has lost four"
    book.moved(4)
    records = [
        PositionEventRecord(
            event_id=f"one look/{kind.name}", group_id="", leg_id="", symbol=SYMBOL, quantity=units, kind=kind,
            evidence="", activity_id="", price=0, ts_ns=book.now,
        )
        for kind, units in ((PositionKind.MANUAL, 4), (PositionKind.EXPIRY, -8))
    ]  # fmt: skip
    assert all(holds for holds, _ in book.judge.on_commit(HERE, records, TAGS))


def test_what_an_older_copy_does_not_know_is_booked_again() -> None:
    book = Book()
    book.moved(-4)
    assert not book.booked(("", -4))
    book.judge.on_older(HERE, [])
    assert not book.booked(("", -4))
    book.moved(4)
    assert not book.booked(("", 4))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_orders_that_a_journal_has_forgotten_are_told_like_trades_by_hand_letter_by_letter(
    order: tuple[int, int],
) -> None:
    book = Book()
    book.judge.on_stray(SYMBOL, 14)
    for number in order:
        assert not book.booked([("", 4), ("old", 10)][number], path=(HERE, THERE)[number])
    book.filled("O", -10)
    book.now += 1
    assert book.booked(("", 1)), "and nothing else is excused"
