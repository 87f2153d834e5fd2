"""How shorts are protected: every planted violation of I6 and I7 fails that check and no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_story import Story, enter, leg
from msgspec.structs import replace

from domain.execution import Side
from domain.groups import GroupOutcome
from domain.instruments import Right
from messages.records import Severity
from venue.audit import CHECKS, Bounds
from venue.audit.evidence import load


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


def exposed(story: Story, seconds: float, *, alert_after: float | None = None) -> None:
    """The long is closed ``seconds`` before the short."""
    story.plan()
    enter(story)
    story.trade("C", "long", 10)
    if alert_after is not None:
        story.wait(alert_after)
        story.alert()
    story.wait(seconds - (alert_after or 0))
    story.trade("C", "short", 10)
    story.outcome(GroupOutcome.FLAT)


def test_I6_a_short_that_stays_uncovered_too_long_without_an_alert(story: Story) -> None:
    exposed(story, 20)
    found = story.findings()
    assert {name for name in found if not found[name].passed} == {"I6"}
    assert "up to 10 units uncovered for 20.0" in found["I6"].problems[0]


def test_I6_a_brief_exposure_needs_no_alert_and_is_told(story: Story) -> None:
    exposed(story, 10)
    found = story.findings()["I6"]
    assert found.passed
    assert found.notes[0].startswith("largest uncovered quantity 10, longest uncovered time 10.0")
    assert story.failed(bounds=Bounds(uncovered_s=5)) == {"I6"}
    assert story.failed(bounds=Bounds(uncovered_qty=9)) == {"I6"}


@pytest.mark.parametrize(
    ("heard_after", "seconds", "failed"),
    [(0, 14.9, set()), (0, 16, {"I6"}), (20, 34, set()), (20, 36, {"I6"}), (30, 38, set()), (30, 40, {"I6"})],
)
def test_I6_what_a_bust_uncovers_may_go_unheard_for_two_polls_and_is_timed_from_when_it_was_heard(
    story: Story, heard_after: float, seconds: float, failed: set[str]
) -> None:
    story.plan()
    long = story.send(story.decide("E", "long", 10))
    exec_id = story.fill(long, 10)
    story.trade("E", "short", 10)
    bust = story.bust(long, exec_id, 10, heard=False)
    story.wait(heard_after)
    story.hear(long, bust, "trade_cancel", 10, -10, ref=exec_id)
    story.wait(seconds - heard_after)
    story.trade("C", "short", 10)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == failed


def test_I6_an_alert_in_time_makes_it_right_and_a_late_one_does_not(story: Story) -> None:
    exposed(story, 30, alert_after=14)
    assert story.failed() == set()
    assert story.failed(bounds=Bounds(uncovered_s=13)) == {"I6"}


def test_I6_an_earlier_alert_that_nobody_has_acknowledged_still_stands(story: Story) -> None:
    story.alert()
    exposed(story, 30)
    assert story.failed() == set()


def test_I6_an_alert_that_was_acknowledged_before_does_not_count(story: Story) -> None:
    story.alert(acknowledged_ns=story.now + 1)
    exposed(story, 30)
    assert story.failed() == {"I6"}


def test_I6_a_warning_is_not_enough(story: Story) -> None:
    story.alert(severity=Severity.WARNING)
    exposed(story, 30)
    assert story.failed() == {"I6"}


def test_I6_exposure_that_never_ends_lasts_until_the_end_of_the_record(story: Story) -> None:
    story.plan()
    enter(story)
    story.trade("C", "long", 10)
    story.wait(16)
    story.event("cancel_received", next(iter(story.intents)))
    assert "I6" in story.failed()


def test_I6_a_naked_rest_that_the_plan_allows_is_no_exposure(story: Story) -> None:
    story.plan(allow_naked=True, long=False)
    story.trade("E", "short", 10)
    story.outcome(GroupOutcome.HEDGED)
    story.wait(60)
    story.trade("C", "short", 10)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == set()


@pytest.mark.parametrize("sold", [0, 10], ids=["not sold yet", "sold"])
def test_I6_a_naked_leg_excuses_no_short_that_lost_its_protection(story: Story, sold: int) -> None:
    story.plan(allow_naked=True)
    group = story.groups["g1"].group
    naked = leg("naked", 2, 110, Side.SELL, 10)
    naked = replace(naked, instrument=replace(naked.instrument, symbol="ACME  260109C00110000", right=Right.CALL))
    story.groups["g1"] = replace(story.groups["g1"], group=replace(group, legs=(*group.legs, naked)))
    enter(story)
    if sold:
        story.trade("E", "naked", sold)
    story.trade("C", "long", 10)
    story.wait(20)
    story.trade("C", "short", 10)
    if sold:
        story.trade("C", "naked", sold)
    story.outcome(GroupOutcome.FLAT)
    found = story.findings()
    assert {name for name in found if not found[name].passed} == {"I6"}
    assert "up to 10 units uncovered for 20.0" in found["I6"].problems[0]


def test_I7_a_short_that_is_sent_before_its_protection_has_filled(story: Story) -> None:
    story.plan()
    long = story.send(story.decide("E", "long", 10))
    short = story.send(story.decide("E", "short", 10))
    story.fill(long, 10)
    story.fill(short, 10)
    story.outcome(GroupOutcome.HEDGED)
    found = story.findings()
    assert {name for name in found if not found[name].passed} == {"I7"}
    assert "10 of 10 short units uncovered" in found["I7"].problems[0]


def test_I7_a_later_bust_does_not_excuse_what_was_sent_before_it(story: Story) -> None:
    story.plan()
    long = story.send(story.decide("E", "long", 10))
    story.cancel(story.send(story.decide("E", "short", 10)))
    story.bust(long, story.fill(long, 10), 10)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I7"}


def test_I7_shorts_that_work_together_count_together(story: Story) -> None:
    story.plan()
    story.trade("E", "long", 6)
    one = story.send(story.decide("E", "short", 6))
    two = story.send(story.decide("E", "short", 4, slice_no=1))
    story.trade("E", "long", 4, slice_no=1)
    story.fill(one, 6)
    story.fill(two, 4)
    story.outcome(GroupOutcome.HEDGED)
    found = story.findings()
    assert {name for name in found if not found[name].passed} == {"I7"}
    assert found["I7"].cases == 2
    assert len(found["I7"].problems) == 1


def test_I7_a_bust_that_was_known_does_not_excuse_and_one_that_was_not_does(story: Story) -> None:
    story.plan()
    long = story.send(story.decide("E", "long", 10))
    exec_id = story.fill(long, 10)
    bust = story.bust(long, exec_id, 10, heard=False)
    story.cancel(story.send(story.decide("E", "short", 10)))
    story.hear(long, bust, "trade_cancel", 10, -10, ref=exec_id)
    story.outcome(GroupOutcome.FLAT)
    found = story.findings()
    assert all(finding.passed for finding in found.values())
    assert any("excused" in note for note in found["I7"].notes)
    story.cancel(story.send(story.decide("E", "short", 10, attempt=2)))
    assert story.failed() == {"I7", "I10"}


def test_I7_a_stop_that_sold_the_protection_excuses_only_until_it_is_known(story: Story) -> None:
    story.plan()
    story.trade("E", "long", 10)
    stop = story.send(story.decide("S", "long", 10))
    exec_id = story.fill(stop, 10, heard=False)
    story.cancel(story.send(story.decide("E", "short", 10)))
    story.hear(stop, exec_id, "trade", 10, 10)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == set()
    story.cancel(story.send(story.decide("E", "short", 10, attempt=2)))
    assert story.failed() == {"I7", "I10"}


def test_I7_a_naked_plan_fills_its_protection_first(story: Story) -> None:
    story.plan(allow_naked=True)
    story.groups["g1"] = replace(
        story.groups["g1"],
        group=replace(
            story.groups["g1"].group,
            legs=(replace(story.groups["g1"].group.legs[0], target_qty=4), story.groups["g1"].group.legs[1]),
        ),
    )
    story.trade("E", "long", 4)
    story.trade("E", "short", 4)
    story.trade("E", "short", 6, slice_no=1)
    story.outcome(GroupOutcome.HEDGED)
    assert story.failed() == set()


def test_I7_a_naked_part_before_the_covered_one(story: Story) -> None:
    story.plan(allow_naked=True)
    group = story.groups["g1"].group
    legs = (replace(group.legs[0], target_qty=4), group.legs[1])
    story.groups["g1"] = replace(story.groups["g1"], group=replace(group, legs=legs))
    short = story.send(story.decide("E", "short", 6))
    story.trade("E", "long", 4)
    story.fill(short, 6)
    story.trade("E", "short", 4, slice_no=1)
    story.outcome(GroupOutcome.HEDGED)
    assert story.failed() == {"I7"}


def ladder(story: Story) -> None:
    """Ten longs protect ten shorts, and twenty may stand naked beside them."""
    story.plan(allow_naked=True)
    group = story.groups["g1"].group
    naked = leg("naked", 2, 110, Side.SELL, 20)
    story.groups["g1"] = replace(story.groups["g1"], group=replace(group, legs=(*group.legs, naked)))
    story.trade("E", "long", 10)


@pytest.mark.parametrize(("again", "failed"), [("short", set()), ("naked", {"I7"})])
def test_I7_what_a_bust_took_of_the_covered_part_may_be_sold_again_beside_what_is_naked_already(
    story: Story, again: str, failed: set[str]
) -> None:
    ladder(story)
    short = story.send(story.decide("E", "short", 10))
    exec_id = story.fill(short, 10)
    story.trade("E", "naked", 8)
    story.bust(short, exec_id, 10)
    story.trade("E", again, 4, slice_no=1)
    story.outcome(GroupOutcome.HEDGED)
    assert story.failed() & {"I7"} == failed


@pytest.mark.parametrize(("more", "failed"), [(("naked", 20), set()), (("short", 1), {"I7"})])
def test_I7_the_naked_part_is_not_charged_with_what_another_order_has_filled_too_much(
    story: Story, more: tuple[str, int], failed: set[str]
) -> None:
    ladder(story)
    canceled = story.send(story.decide("E", "short", 1))
    story.cancel(canceled)
    story.trade("E", "short", 10, slice_no=1)
    story.fill(canceled, 1)
    story.trade("E", *more, slice_no=2)
    story.outcome(GroupOutcome.HEDGED)
    assert story.failed() & {"I7"} == failed


def overnight(story: Story, *, before_s: float, night_s: float, after_s: float, alert_after_s: float = 0) -> list[str]:
    """What I6 says of an exposure over a night that a clock leaps over; the alert comes so long after the night."""
    story.plan()
    enter(story)
    story.trade("C", "long", 10)
    story.wait(before_s)
    since_ns = story.now
    story.wait(night_s)
    until_ns = story.now
    if alert_after_s:
        story.wait(alert_after_s)
        story.alert()
    story.wait(after_s - alert_after_s)
    story.trade("C", "short", 10)
    story.write_truth()
    evidence = load(story.truth, story.directory)
    evidence.leaps = [(since_ns, until_ns)]
    return CHECKS["I6"](evidence, Bounds()).problems


def test_I6_a_night_that_takes_no_time_counts_none_and_what_is_beside_it_counts(story: Story) -> None:
    assert overnight(story, before_s=7, night_s=60_000, after_s=7) == []


def test_I6_an_exposure_that_nobody_ends_in_the_morning(story: Story) -> None:
    (problem,) = overnight(story, before_s=7, night_s=60_000, after_s=9)
    assert "up to 10 units uncovered for 16.0" in problem
    assert problem.endswith("expected a CRITICAL alert within 15 s")


@pytest.mark.parametrize(("alert_after_s", "problems"), [(6, 0), (10, 1)])
def test_I6_an_alert_in_the_morning_is_in_time_by_the_time_that_passed(
    story: Story, alert_after_s: float, problems: int
) -> None:
    found = overnight(story, before_s=7, night_s=60_000, after_s=20, alert_after_s=alert_after_s)
    assert len(found) == problems


def test_I6_what_an_order_had_filled_counts_when_positions_move_before_its_last_event(story: Story) -> None:
    """As when contracts expire with a close half filled, and the exchange ends that order a moment later."""
    story.plan()
    enter(story)
    closing = story.send(story.decide("C", "short", 10))
    story.fill(closing, 5)
    story.trade("C", "long", 5)
    story.move("short", 5)
    story.move("long", -5)
    story.wait(0.1)
    story.cancel(closing)
    story.wait(60)
    story.outcome(GroupOutcome.FLAT)
    assert not story.failed() & {"I6", "I24"}
