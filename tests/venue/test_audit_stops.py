"""Stop-losses and deadlines: every planted violation of I8 and I27 is caught."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_story import SECOND, Story, enter, guard
from msgspec.structs import replace

from domain.calendar import calendar
from domain.groups import GroupOutcome
from messages.records import HedgeRecord, HedgeStatus, StopStatus


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


def guarded(story: Story, after_s: float = 0) -> None:
    """A certified spread whose short leg gets its stop-loss so much later."""
    story.plan(stop_trigger=20_000)
    enter(story)
    story.wait(after_s)
    guard(story)


def test_I8_a_stop_in_time_and_of_the_right_size(story: Story) -> None:
    guarded(story, 20)
    assert story.failed() == set()
    assert story.findings()["I8"].cases == 2


def test_I8_a_position_that_is_without_its_stop_too_long(story: Story) -> None:
    guarded(story, 31)
    assert story.failed() == {"I8"}
    assert "g1/short: 10 units without a stop for 31.0" in story.findings()["I8"].problems[0]


@pytest.mark.parametrize(("after_s", "failed"), [(29, False), (31, True)])
def test_I8_a_stop_that_stays_for_more_than_is_left_of_its_position(story: Story, after_s: int, failed: bool) -> None:
    guarded(story)
    story.move("short", 4, heard=4)
    story.wait(after_s)
    story.cancel(next(order for order in story.intents if order[11] == "S"))
    problems = story.findings()["I8"].problems
    assert any("g1/short: stops for 4 more than is held, for 31.0" in problem for problem in problems) == failed


def test_I8_where_the_broker_has_no_stops_none_is_missed_there(story: Story) -> None:
    story.wire[0]["server_stops"] = False
    story.plan(stop_trigger=20_000)
    enter(story)
    story.wait(60)
    story.cancel(story.send(story.decide("E", "long", 5, slice_no=1)))
    assert "I8" not in story.failed()


@pytest.mark.parametrize(
    ("kind", "told_s", "failed"),
    [("STOP_UNPROTECTED", 10, set()), ("STOP_UNPROTECTED", 31, {"I8"}), ("POSITION_MANUAL", 10, {"I8"})],
)
def test_I8_a_person_who_was_told_in_time_that_the_stop_is_missing_excuses_it(
    story: Story, kind: str, told_s: int, failed: set[str]
) -> None:
    story.plan(stop_trigger=20_000)
    enter(story)
    story.wait(told_s)
    story.alert(kind=kind)
    story.wait(40 - told_s)
    guard(story)
    assert story.failed() == failed


def test_I8_a_stop_that_was_canceled_and_never_came_back(story: Story) -> None:
    guarded(story)
    story.cancel(next(order for order in story.intents if order[11] == "S"))
    story.wait(31)
    story.alert("")
    story.cancel(story.send(story.decide("E", "long", 5, slice_no=1)))
    assert "I8" in story.failed()


def test_I8_a_stop_for_more_than_is_held(story: Story) -> None:
    story.plan(stop_trigger=20_000)
    enter(story)
    guard(story, quantity=11)
    assert story.failed() == {"I8"}
    assert "stops for 11 at" in story.findings()["I8"].problems[0]


def test_I8_a_bust_that_the_stop_could_not_know_of_is_excused(story: Story) -> None:
    story.plan(stop_trigger=20_000)
    story.trade("E", "long", 10)
    short = story.send(story.decide("E", "short", 10))
    exec_id = story.fill(short, 10)
    bust = story.bust(short, exec_id, 10, heard=False)
    guard(story)
    story.hear(short, bust, "trade_cancel", 10, -10, ref=exec_id)
    found = story.findings()["I8"]
    assert found.problems == []
    assert any("excused" in note for note in found.notes)


def triggered(story: Story) -> int:
    """The stop of a certified spread is triggered; when."""
    guarded(story)
    at_ns = story.now
    story.stop_loss(StopStatus.TRIGGERED, triggered_ns=at_ns)
    return at_ns


@pytest.mark.parametrize(("wait_s", "failed"), [(1.9, True), (2.1, False), (61, False), (63, True)])
def test_I27_a_stop_falls_back_in_its_window_only(story: Story, wait_s: float, failed: bool) -> None:
    at_ns = triggered(story)
    story.now = at_ns + round(wait_s * SECOND)
    story.stop_loss(StopStatus.FALLBACK, triggered_ns=at_ns)
    found = story.findings()["I27"]
    assert (bool(found.problems), found.cases) == (failed, 1)


@pytest.mark.parametrize(
    ("hours", "after_s", "failed"),
    [("us_options", 50, False), ("us_options", 61, True), ("always", 50, True)],
)
def test_I27_a_night_is_nobodys_delay(story: Story, hours: str, after_s: int, failed: bool) -> None:
    days = calendar("us_options")
    close_ns = days.standing(days.standing(story.now).next_open_ns).until_ns
    story.wire[0]["calendar"] = hours
    story.now = close_ns - 2 * SECOND
    at_ns = triggered(story)
    story.now = days.standing(close_ns).next_open_ns + after_s * SECOND
    story.stop_loss(StopStatus.FALLBACK, triggered_ns=at_ns)
    found = story.findings()["I27"]
    assert (bool(found.problems), found.cases) == (failed, 1)


def test_I27_a_stop_that_falls_back_twice(story: Story) -> None:
    at_ns = triggered(story)
    for _ in range(2):
        story.wait(3)
        story.stop_loss(StopStatus.FALLBACK, triggered_ns=at_ns)
        story.stop_loss(StopStatus.ARMED, triggered_ns=at_ns)
    assert "fell back twice" in story.findings()["I27"].problems[0]


def hedge(story: Story, ordinal: int = 1, above: str = "") -> HedgeRecord:
    """A hedge that has five seconds."""
    hedge_id = story.hedge("long", 5, ordinal=ordinal, above=above)
    return HedgeRecord(
        hedge_id=hedge_id, group_id="g1", leg_id="long", parent_hedge_id=above, level=2 if above else 1,
        ordinal=ordinal, symbol=story.groups["g1"].group.leg("long").instrument.symbol,
        side=story.groups["g1"].group.leg("long").side, needed_qty=5, filled_qty=0, status=HedgeStatus.WORKING,
        trigger="", opened_ns=story.now, deadline_ns=story.now + 5 * SECOND, closed_ns=0,
    )  # fmt: skip


@pytest.mark.parametrize(("wait_s", "failed"), [(5.1, False), (66, True)])
def test_I27_a_hedge_that_is_given_up_long_after_its_deadline(story: Story, wait_s: float, failed: bool) -> None:
    story.plan()
    record = hedge(story)
    story.commit(record)
    story.wait(wait_s)
    story.commit(replace(record, status=HedgeStatus.SHORT))
    found = story.findings()["I27"]
    assert (bool(found.problems), found.cases) == (failed, 1)


def test_I27_a_hedge_that_hands_on_twice(story: Story) -> None:
    story.plan()
    first = hedge(story)
    hedge(story, 2, first.hedge_id)
    assert story.findings()["I27"].problems == []
    hedge(story, 3, first.hedge_id)
    assert "2 children" in story.findings()["I27"].problems[0]
    story.outcome(GroupOutcome.HEDGED)
