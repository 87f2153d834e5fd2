"""Which longs protect which shorts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.coverage import covered, pairings, protects, uncovered
from domain.execution import Side
from domain.groups import Leg, Role
from domain.instruments import Instrument, Right

EXPIRIES = ["2026-01-16", "2026-02-20", "2026-03-20"]


def option(
    strike: int = 100, expiry: str = EXPIRIES[0], right: Right | None = Right.CALL, underlying: str = "ACME",
    multiplier: int = 100,
) -> Instrument:  # fmt: skip
    return Instrument(
        symbol=f"{underlying}-{expiry}-{right}-{strike}-{multiplier}",
        underlying=underlying,
        right=right,
        strike=strike * 10_000,
        expiry=expiry,
        multiplier=multiplier,
        lot_size=1,
        tick_size=100,
        freeze_qty=100,
    )


def leg(index: int, side: Side, quantity: int, instrument: Instrument) -> Leg:
    return Leg(
        leg_id=f"leg{index}",
        index=index,
        instrument=instrument,
        side=side,
        role=Role.PROTECTION if side is Side.BUY else Role.RISK,
        score=0,
        target_qty=quantity,
        limit_price=0,
    )


@pytest.mark.parametrize(
    ("long", "short", "expected"),
    [
        (option(110), option(100), True),
        (option(90), option(100), True),
        (option(110, EXPIRIES[1]), option(100, EXPIRIES[0]), True),
        (option(110, EXPIRIES[0]), option(100, EXPIRIES[1]), False),
        (option(110, right=Right.PUT), option(100), False),
        (option(110, underlying="OTHER"), option(100), False),
        (option(110, multiplier=10), option(100), False),
        (option(right=None, expiry=""), option(right=None, expiry=""), False),
    ],
    ids=["higher strike", "lower strike", "later", "sooner", "other right", "other underlying", "other size", "shares"],
)
def test_a_long_protects_a_short_of_its_kind_that_expires_no_later(
    long: Instrument, short: Instrument, expected: bool
) -> None:
    assert protects(long, short) is expected


@dataclass(frozen=True)
class Book:
    legs: list[Leg]

    @property
    def target(self) -> dict[str, int]:
        return {leg.leg_id: leg.target_qty for leg in self.legs}


@st.composite
def books(draw: st.DrawFn) -> Book:
    number = draw(st.integers(1, 6))
    return Book(
        [
            leg(
                index,
                draw(st.sampled_from(Side)),
                draw(st.integers(0, 5)),
                option(100 + index, draw(st.sampled_from(EXPIRIES)), draw(st.sampled_from(Right))),
            )
            for index in range(number)
        ]
    )


@given(books())
def test_no_unit_protects_twice_and_no_short_is_protected_beyond_its_size(book: Book) -> None:
    legs = {leg.leg_id: leg for leg in book.legs}
    used = dict.fromkeys(legs, 0)
    for pair in pairings(book.legs, book.target, book.target):
        assert protects(legs[pair.long_id].instrument, legs[pair.short_id].instrument)
        assert (legs[pair.long_id].side, legs[pair.short_id].side) == (Side.BUY, Side.SELL)
        used[pair.long_id] += pair.quantity
        used[pair.short_id] += pair.quantity
    assert all(used[leg_id] <= legs[leg_id].target_qty for leg_id in legs)


@given(books(), st.randoms(use_true_random=False))
def test_the_order_of_the_legs_never_changes_how_much_is_protected(book: Book, random: object) -> None:
    total = sum(covered(book.legs, book.target, book.target).values())
    shuffled = list(book.legs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sum(covered(shuffled, book.target, book.target).values()) == total


@given(books())
def test_nothing_is_left_that_could_still_protect(book: Book) -> None:
    """As many units are protected as any way of pairing could: a bare short faces no spare long of its kind."""
    pairs = pairings(book.legs, book.target, book.target)
    spare = dict(book.target)
    for pair in pairs:
        spare[pair.long_id] -= pair.quantity
    bare = uncovered(book.legs, book.target, book.target)
    for long in (leg for leg in book.legs if leg.side is Side.BUY and spare[leg.leg_id]):
        for short in (leg for leg in book.legs if leg.side is Side.SELL and bare[leg.leg_id]):
            assert not protects(long.instrument, short.instrument)


@given(books())
def test_covered_and_uncovered_make_up_every_short(book: Book) -> None:
    shorts = {leg.leg_id: leg.target_qty for leg in book.legs if leg.side is Side.SELL}
    some, rest = covered(book.legs, book.target, book.target), uncovered(book.legs, book.target, book.target)
    assert {leg_id: some[leg_id] + rest[leg_id] for leg_id in some} == shorts


def test_a_longer_long_is_kept_for_the_later_short() -> None:
    legs = [
        leg(0, Side.BUY, 1, option(110, EXPIRIES[1])),
        leg(1, Side.BUY, 1, option(110, EXPIRIES[0])),
        leg(2, Side.SELL, 1, option(100, EXPIRIES[0])),
        leg(3, Side.SELL, 1, option(100, EXPIRIES[1])),
    ]
    target = {leg.leg_id: leg.target_qty for leg in legs}
    assert covered(legs, target, target) == {"leg2": 1, "leg3": 1}


def test_only_what_is_filled_protects() -> None:
    legs = [leg(0, Side.BUY, 10, option(110)), leg(1, Side.SELL, 10, option(100))]
    assert covered(legs, {"leg0": 4}, {"leg1": 10}) == {"leg1": 4}
    assert uncovered(legs, {"leg0": 4}, {"leg1": 10}) == {"leg1": 6}
    assert uncovered(legs, {"leg0": -3}, {"leg1": -2}) == {"leg1": 0}
