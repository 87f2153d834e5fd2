"""What a plan leaves naked excuses no short that it protects: shorts that lack the protection meant for them (I6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from test_coverage import EXPIRIES, Book, books, leg, option

from domain.coverage import covered, lacking, uncovered
from domain.execution import Side
from domain.groups import Group, Leg, Policy
from domain.instruments import Right
from venue.audit.exposure import bare as audited

Units = Mapping[str, int]


def ids(book: Book, side: Side) -> list[str]:
    return [leg.leg_id for leg in book.legs if leg.side is side]


def bare(book: Book, held: Units) -> int:
    return sum(uncovered(book.legs, held, held).values())


def missed(book: Book, held: Units) -> int:
    return sum(lacking(book.legs, held, book.target).values())


@st.composite
def holdings(draw: st.DrawFn, *, beyond: int = 3) -> tuple[Book, dict[str, int]]:
    """A plan, and any units of its legs: up to so many more than it asks for."""
    book = draw(books())
    return book, {leg.leg_id: draw(st.integers(0, leg.target_qty + beyond)) for leg in book.legs}


@st.composite
def on_the_way(draw: st.DrawFn) -> tuple[Book, dict[str, int]]:
    """What may be held while a plan is entered, in any order of fills, and while its shorts are closed again.

    Longs fill in any amount, and shorts as far as the longs cover them; with all longs there, any rest.  What covers
    nothing any more may have been sold, and what expires by some day may be gone.
    """
    book = draw(books())
    longs, shorts = ids(book, Side.BUY), ids(book, Side.SELL)
    if draw(st.booleans()):
        most = {**book.target}
    else:
        filled = {leg_id: draw(st.integers(0, book.target[leg_id])) for leg_id in longs}
        most = {**filled, **covered(book.legs, filled, book.target)}
    held = {**most, **{leg_id: draw(st.integers(0, most[leg_id])) for leg_id in shorts}}
    over = draw(st.sampled_from(["", *EXPIRIES]))
    return book, {leg.leg_id: held[leg.leg_id] if leg.instrument.expiry > over else 0 for leg in book.legs}


@given(on_the_way())
def test_nothing_lacks_protection_on_the_way_into_a_plan_or_out_of_it(drawn: tuple[Book, dict[str, int]]) -> None:
    assert missed(*drawn) == 0


@given(on_the_way(), st.data())
def test_every_short_that_a_loss_of_longs_bares_is_missed(
    drawn: tuple[Book, dict[str, int]], data: st.DataObject
) -> None:
    book, held = drawn
    left = {key: data.draw(st.integers(0, held[key])) if key in ids(book, Side.BUY) else held[key] for key in held}
    assert missed(book, left) >= bare(book, left) - bare(book, held)


@given(holdings())
def test_never_less_is_missed_than_each_family_has_bare_beyond_what_the_plan_leaves_bare(
    drawn: tuple[Book, dict[str, int]],
) -> None:
    book, held = drawn
    now, planned = (uncovered(book.legs, units, units) for units in (held, book.target))
    beyond: Counter[Right | None] = Counter()
    for leg_id in ids(book, Side.SELL):
        beyond[book.legs[int(leg_id[3:])].instrument.right] += now[leg_id] - planned[leg_id]
    assert missed(book, held) >= sum(units for units in beyond.values() if units > 0)
    assert missed(book, held) <= bare(book, held)


@given(holdings(), st.data())
def test_a_long_more_is_never_worse_and_a_short_more_never_better(
    drawn: tuple[Book, dict[str, int]], data: st.DataObject
) -> None:
    book, held = drawn
    assume(book.legs)
    one = data.draw(st.sampled_from(book.legs))
    more = {**held, one.leg_id: held[one.leg_id] + 1}
    if one.side is Side.BUY:
        assert missed(book, more) <= missed(book, held)
    else:
        assert missed(book, more) >= missed(book, held)


@given(holdings(beyond=0), st.randoms(use_true_random=False))
def test_the_order_of_the_legs_never_changes_how_much_is_missed(
    drawn: tuple[Book, dict[str, int]], random: object
) -> None:
    book, held = drawn
    shuffled = list(book.legs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert missed(Book(shuffled), held) == missed(book, held)


@given(holdings())
def test_where_a_plan_leaves_nothing_bare_all_that_is_bare_is_missed(drawn: tuple[Book, dict[str, int]]) -> None:
    book, held = drawn
    assume(not bare(book, book.target))
    assert lacking(book.legs, held, book.target) == uncovered(book.legs, held, held)


def call(index: int, side: Side, strike: int, quantity: int = 10, expiry: str = EXPIRIES[0]) -> Leg:
    return leg(index, side, quantity, option(strike, expiry))


BUY, SELL = Side.BUY, Side.SELL
JADE = [leg(0, SELL, 10, option(90, right=Right.PUT)), call(1, BUY, 110), call(2, SELL, 105)]
RATIO = [call(0, BUY, 100), call(1, SELL, 105, 20)]
LADDER = [call(0, BUY, 100), call(1, SELL, 105), call(2, SELL, 110)]
STRANGLE = [leg(0, SELL, 10, option(90, right=Right.PUT)), call(1, SELL, 110)]
CALENDARS = [call(0, BUY, 100), call(1, SELL, 105), call(2, SELL, 105, expiry=EXPIRIES[1])]
LATER = [call(0, BUY, 100, expiry=EXPIRIES[1]), call(1, SELL, 105), call(2, SELL, 105, expiry=EXPIRIES[1])]


@pytest.mark.parametrize(
    ("legs", "held", "expected"),
    [
        (JADE, (10, 10, 10), 0),
        (JADE, (10, 0, 0), 0),
        (JADE, (10, 0, 10), 10),  # the put is what the plan leaves bare: it lends the calls nothing,
        (JADE, (0, 0, 10), 10),  # whether it is there or not
        (JADE, (4, 7, 10), 3),
        (JADE, (12, 10, 10), 2),  # more puts than planned
        (RATIO, (10, 20), 0),
        (RATIO, (10, 10), 0),
        (RATIO, (0, 20), 10),
        (RATIO, (0, 10), 10),  # the naked rest comes last: these ten were to be covered
        (RATIO, (4, 20), 6),
        (RATIO, (4, 4), 0),
        (RATIO, (10, 23), 3),
        (LADDER, (10, 10, 10), 0),
        (LADDER, (10, 10, 0), 0),
        (LADDER, (10, 0, 10), 0),  # which of the two is the covered one is a matter of counting
        (LADDER, (0, 10, 10), 10),
        (LADDER, (0, 10, 0), 10),
        (LADDER, (0, 0, 10), 10),  # the long would cover these
        (STRANGLE, (10, 10), 0),
        (STRANGLE, (10, 12), 2),
        (STRANGLE, (0, 12), 2),  # the puts that are gone are no excuse
        (CALENDARS, (0, 0, 10), 0),  # what the long never protected, when it has expired with its short
        (CALENDARS, (0, 10, 10), 10),
        (CALENDARS, (0, 10, 0), 10),
        (LATER, (10, 10, 10), 0),
        (LATER, (10, 0, 10), 0),
        (LATER, (0, 0, 10), 10),
    ],
)  # fmt: skip
def test_what_is_naked_by_plan_excuses_nothing_else(legs: list[Leg], held: tuple[int, ...], expected: int) -> None:
    book = Book(legs)
    assert missed(book, {f"leg{index}": units for index, units in enumerate(held)}) == expected


def test_it_is_told_of_the_leg_that_lacks_it() -> None:
    assert lacking(JADE, {"leg0": 10, "leg1": 4, "leg2": 10}, Book(JADE).target) == {"leg0": 0, "leg2": 6}
    assert lacking(JADE, {"leg0": -1, "leg1": -2, "leg2": 3}, Book(JADE).target) == {"leg0": 0, "leg2": 3}


@given(holdings())
def test_the_audit_counts_what_is_bare_by_itself_and_finds_as_much(drawn: tuple[Book, dict[str, int]]) -> None:
    book, held = drawn
    group = Group(group_id="g", strategy="", policy=Policy.COMPLETE, allow_naked=False, legs=tuple(book.legs))
    assert audited(group, held, held) == bare(book, held)
