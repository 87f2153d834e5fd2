"""A received market order says how low its contract was quoted before, as far as it was lower than all since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from house import CALL_105, SECOND, START, House
from hypothesis import given
from hypothesis import strategies as st

from domain.execution import OrdType
from venue.lows import KEPT_NS, Low, Lows
from venue.truth import TruthEvent, TruthFile, read_truth


def arrived(mids: list[int], **terms: Any) -> TruthEvent:
    """The receipt of an order after quotes around these middles (0: of one side), a second apart."""
    house = House()
    for mid in mids:
        house.quote(mid - 500 if mid else 0, mid + 500)
        house.wait(1)
    house.submit("a", **{"order_type": OrdType.MARKET, "price": 0, **terms})
    return next(event for event in house.truth if event.kind == "order_received")


def low(seconds: int, middle: float) -> Low:
    return Low(START + seconds * SECOND, middle)


def test_each_step_says_until_when_it_was_quoted() -> None:
    assert arrived([13_000, 9_000, 11_000, 10_000, 12_000]).lows == (low(2, 0.9), low(4, 1.0))


def test_what_is_quoted_now_hides_what_was_higher() -> None:
    assert arrived([13_000, 12_000]).lows == arrived([12_000]).lows == ()


def test_a_side_without_a_quote_has_no_middle() -> None:
    assert arrived([12_000, 0, 13_000]).lows == (low(1, 1.2),)
    assert arrived([12_000, 13_000, 0]).lows == (low(1, 1.2), low(2, 1.3))


def test_only_a_market_order_is_measured_so_and_by_its_own_contract() -> None:
    assert arrived([9_000, 12_000], order_type=OrdType.LIMIT, price=11_000).lows == ()
    assert arrived([9_000, 12_000], symbol=CALL_105.symbol).lows == ()
    assert arrived([9_000, 12_000], symbol="unheard of").lows == ()


def test_it_stands_in_the_record(tmp_path: Path) -> None:
    event = arrived([9_000, 12_000])
    with TruthFile(tmp_path / "truth.jsonl") as truth:
        truth.write(event)
    assert list(read_truth(tmp_path / "truth.jsonl")) == [event]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 12))
def test_the_lowest_since_any_moment_follows_from_the_steps(mids: list[int], since: int) -> None:
    lows = Lows()
    for at, mid in enumerate(mids[:-1], start=1):
        lows.end(mid * 10_000, at)
    steps = [step.middle for step in lows.below(mids[-1] * 10_000) if step.until_ns >= since]
    assert min([*steps, mids[-1]]) == min(mids[max(0, since - 1) :] or mids[-1:])


def test_what_is_long_past_is_let_go() -> None:
    lows = Lows()
    lows.end(10_000, START)
    lows.end(20_000, START + KEPT_NS + 1)
    assert lows.below(0) == (Low(START + KEPT_NS + 1, 2.0),)
