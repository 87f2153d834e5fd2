"""Timers that ring twice or never (F: lost, duplicate timers) neither double nor end what an actor does by itself."""

from __future__ import annotations

from actors.alarms import OVERDUE_MS, Alarms


def test_an_alarm_counts_once() -> None:
    alarms = Alarms()
    alarm = alarms.set("look", 100)
    assert alarms.rings(alarm)
    assert not alarms.rings(alarm)
    assert alarms.overdue(10_000) == []


def test_one_that_was_set_again_is_the_only_one_that_counts() -> None:
    alarms = Alarms()
    first, second = alarms.set("look", 100), alarms.set("look", 200)
    assert not alarms.rings(first)
    assert alarms.rings(second)


def test_one_that_never_rang_is_overdue_once_and_rings_no_more() -> None:
    alarms = Alarms()
    lost, other = alarms.set("look", 100), alarms.set(("restart", ("cell-0",)), 5_000)
    assert alarms.overdue(100 + OVERDUE_MS) == []
    assert alarms.overdue(101 + OVERDUE_MS) == ["look"]
    assert alarms.overdue(101 + OVERDUE_MS) == []
    assert not alarms.rings(lost)
    assert alarms.rings(other)
