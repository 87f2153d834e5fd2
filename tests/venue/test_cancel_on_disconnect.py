"""Cancel on disconnect at the exchange (E13): who is due, when, and what of it."""

from __future__ import annotations

from venue.dead_man import DeadMan

MS = 1_000_000


def test_entries_of_a_client_that_stays_away_are_due_once() -> None:
    watch = DeadMan()
    watch.logged_in("us", 1_000)
    watch.entry("us", "entry")
    watch.left("us", 0)
    assert list(watch.due(999 * MS)) == []
    assert list(watch.due(1_000 * MS)) == ["entry"]
    assert list(watch.due(2_000 * MS)) == []


def test_who_comes_back_in_time_loses_nothing() -> None:
    watch = DeadMan()
    watch.logged_in("us", 1_000)
    watch.entry("us", "entry")
    watch.left("us", 0)
    watch.logged_in("us", 1_000)
    assert list(watch.due(5_000 * MS)) == []
    watch.left("us", 5_000 * MS)
    assert list(watch.due(6_000 * MS)) == ["entry"]


def test_a_second_session_keeps_the_first_ones_entries_and_others_are_others() -> None:
    watch = DeadMan()
    for client, window in (("us", 1_000), ("us", 1_000), ("them", 0)):
        watch.logged_in(client, window)
        watch.entry(client, client)
    watch.left("us", 0)
    watch.left("them", 0)
    assert list(watch.due(9_000 * MS)) == []
    watch.left("us", 9_000 * MS)
    assert list(watch.due(10_000 * MS)) == ["us"]
