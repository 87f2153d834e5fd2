"""When quotes are due, and how the last ones are kept fresh."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from domain.quotes import Quote
from venue.feed import SECOND_NS, Feed, VenueClock, held


def q(symbol: str, seconds: float, bid: int = 1) -> Quote:
    return Quote(symbol, round(seconds * SECOND_NS), bid, 1, bid + 1, 1)


def test_the_clock_starts_where_it_is_told_and_runs_at_its_speed() -> None:
    clock = VenueClock(start_ns=1000 * SECOND_NS, started_s=5.0, speed=60)
    assert clock.at(5.0) == 1000 * SECOND_NS
    assert clock.at(6.5) == 1090 * SECOND_NS


def test_quotes_up_to_the_start_are_warm_and_only_the_last_of_each_symbol_counts() -> None:
    feed = Feed([q("A", 1), q("B", 1), q("A", 2), q("A", 4)], start_ns=3 * SECOND_NS)
    assert feed.warm == [q("B", 1), q("A", 2)]
    assert feed.take(10 * SECOND_NS, 10) == [q("A", 4)]


@given(st.lists(st.integers(0, 20), max_size=30), st.integers(1, 5))
def test_nothing_is_handed_out_early_and_nothing_is_left_behind(seconds: list[int], limit: int) -> None:
    day = [q("A", s) for s in sorted(seconds)]
    feed = Feed(day, start_ns=-1)
    taken: list[Quote] = []
    for now in range(21):
        while feed.due(now * SECOND_NS):
            some = feed.take(now * SECOND_NS, limit)
            assert 0 < len(some) <= limit
            assert all(one.ts_ns <= now * SECOND_NS for one in some)
            taken += some
        assert not feed.take(now * SECOND_NS, limit)
    assert taken == day


def test_held_quotes_are_repeated_each_second_in_gaps_and_after_the_end() -> None:
    quotes = held([q("A", 0)], [q("B", 2.5)], start_ns=0, every_ns=SECOND_NS)
    assert list(islice(quotes, 7)) == [q("A", 1), q("A", 2), q("B", 2.5), q("A", 3), q("A", 4), q("B", 4), q("A", 5)]


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 99)), max_size=25))
def test_a_held_feed_is_in_order_of_time_and_keeps_every_quote_of_the_day(day: list[tuple[str, int]]) -> None:
    quotes = [q(symbol, tenths / 10, bid=n + 1) for n, (symbol, tenths) in enumerate(sorted(day, key=lambda x: x[1]))]
    feed = Feed(quotes, start_ns=0, hold_ns=SECOND_NS)
    taken = feed.take(15 * SECOND_NS, 1000)
    assert [t.ts_ns for t in taken] == sorted(t.ts_ns for t in taken)
    assert [t for t in taken if t in quotes] == quotes
    for symbol, last in {quote.symbol: quote for quote in quotes}.items():
        newest = max((t for t in taken if t.symbol == symbol), key=lambda t: t.ts_ns)
        assert newest.bid == last.bid
        assert newest.ts_ns > 13 * SECOND_NS


def test_an_empty_day_with_hold_ends_at_once() -> None:
    assert not Feed([], start_ns=0, hold_ns=SECOND_NS).due(99 * SECOND_NS)
