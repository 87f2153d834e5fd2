"""I25, E8, E11 and E18: new risk that left although something stood stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audit_story import Story

from domain.groups import group_part
from messages.records import ControlAction

STRATEGY = "weekly"


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


def said(story: Story) -> list[str]:
    """Which controls were broken."""
    names = ("E8", "E11", "E18", "trading state")
    problems = (problem.split(": ")[1] for problem in story.findings()["I25"].problems)
    return [name for name in problems if name in names]


def sent(story: Story, kind: str = "E", leg: str = "long", slice_no: int = 0, group_id: str = "g1") -> str:
    """An order of 5 units leaves and arrives."""
    return story.send(story.decide(kind, leg, 5, slice_no=slice_no, group_id=group_id))


def symbol(story: Story, leg: str = "long") -> str:
    return story.groups["g1"].group.leg(leg).instrument.symbol


STOPS = {
    "trading/operator": (ControlAction.HALTED, ControlAction.ACTIVE, "trading state"),
    "trading/E11": (ControlAction.REDUCING, ControlAction.ACTIVE, "E11"),
    "repeat/{long}/buy": (ControlAction.DISABLED, ControlAction.ENABLED, "E8"),
}


@pytest.mark.parametrize("subject", STOPS)
def test_new_risk_leaves_before_a_stop_and_after_its_end_and_not_in_between(story: Story, subject: str) -> None:
    stop, end, control = STOPS[subject]
    story.plan()
    named = subject.format(long=symbol(story))
    sent(story)
    story.control(named, stop)
    sent(story, "H", "short")
    assert said(story) == []
    sent(story, slice_no=1)
    assert said(story) == [control]
    story.control(named, end)
    sent(story, slice_no=2)
    assert said(story) == [control]


def test_what_left_at_the_time_of_a_stop_may_have_left_before_it(story: Story) -> None:
    story.plan()
    order = story.decide("E", "long", 5)
    story.control("trading/operator", ControlAction.REDUCING)
    story.leave(order, ts_ns=story.now)
    story.send(order)
    assert said(story) == []


def test_E11_holds_until_the_day_ends_unless_a_person_overrides_it(story: Story) -> None:
    story.plan()
    story.control("trading/E11", ControlAction.REDUCING, until_ns=story.now + 60 * 10**9)
    story.control("override/E11/*", ControlAction.GRANTED, until_ns=story.now + 10 * 10**9)
    sent(story)
    assert said(story) == []
    story.wait(20)
    sent(story, slice_no=1)
    assert said(story) == ["E11"]
    story.wait(60)
    sent(story, slice_no=2)
    assert said(story) == ["E11"]


def test_E8_is_about_one_symbol_and_one_side_and_about_what_leaves_first(story: Story) -> None:
    story.plan()
    before = sent(story)
    story.control(f"repeat/{symbol(story)}/buy", ControlAction.DISABLED)
    sent(story, leg="short")
    story.resend(before)
    assert said(story) == []


def opens(story: Story, number: int, **line: Any) -> str:
    """A group of the strategy is opened; its first entry."""
    group_id = f"{STRATEGY}.{number}"
    story.plan(group_id)
    order = story.decide("E", "long", 5, group_id=group_id)
    story.leave(order, **line)
    return story.send(order)


@pytest.fixture
def strategic(story: Story) -> Story:
    """A gateway with a strategy of which two groups may be opened in a minute."""
    story.wire[0] |= {"strategies": [STRATEGY]}
    story.limit(strategy_limit=2)
    return story


def test_E8_a_strategy_that_opens_a_group_too_many(strategic: Story) -> None:
    opens(strategic, 0)
    opens(strategic, 1)
    sent(strategic, slice_no=1, group_id=f"{STRATEGY}.0")
    assert said(strategic) == [], "two slices of a group are one application"
    third = opens(strategic, 2)
    (problem,) = [problem for problem in strategic.findings()["I25"].problems if ": E8: " in problem]
    assert group_part(problem) == group_part(third)
    assert problem.endswith("E8: opens group 3 of strategy weekly within its window; expected at most 2")


@pytest.mark.parametrize("how", ["later", "enabled", "somebody else's"])
def test_E8_what_is_no_application_too_many(strategic: Story, how: str) -> None:
    opens(strategic, 0)
    opens(strategic, 1)
    if how == "later":
        strategic.wait(60)
    elif how == "enabled":
        strategic.control(f"repeat/strategy/{STRATEGY}", ControlAction.ENABLED)
    else:
        strategic.wire[0]["strategies"] = ["monthly"]
    opens(strategic, 2)
    assert said(strategic) == []


@pytest.mark.parametrize("noted", [True, False])
def test_E8_a_gateway_that_was_started_again_knows_of_what_was_written_down(strategic: Story, noted: bool) -> None:
    opens(strategic, 0)
    opens(strategic, 1)
    for number in range(2 * noted):
        left = next(line for line in strategic.wire if line.get("client_order_id") == _first(strategic, number))
        strategic.control(
            f"applied/{STRATEGY}/{number}", ControlAction.MARKED, group_id=f"{STRATEGY}.{number}", at_ns=left["ts_ns"]
        )
    strategic.line("start", controls=strategic.wire[0]["controls"], strategies=[STRATEGY])
    strategic.wire[-1]["pid"] = 2
    opens(strategic, 2, pid=2)
    assert said(strategic) == ["E8"] * noted


def _first(story: Story, number: int) -> str:
    return next(order for order, intent in story.intents.items() if intent.group_id == f"{STRATEGY}.{number}")


def alerted(story: Story, waits_s: float, **alert: Any) -> None:
    """A CRITICAL alert has stood for so long, and the cell knows what time it is."""
    story.plan()
    story.alert(**alert)
    story.wait(waits_s)
    story.taken("a tick")


@pytest.mark.parametrize(("waits_s", "frozen"), [(299, False), (300, True)])
def test_E18_an_alert_that_nobody_has_seen_in_time(story: Story, waits_s: float, frozen: bool) -> None:
    alerted(story, waits_s)
    sent(story, "H", "long")
    assert said(story) == []
    sent(story)
    assert said(story) == ["E18"] * frozen


def test_E18_a_person_has_seen_it(story: Story) -> None:
    alerted(story, 300)
    story.alert(acknowledged_ns=story.now)
    sent(story)
    assert said(story) == []


def test_E18_the_turn_that_learns_the_time_may_still_decide(story: Story) -> None:
    story.plan()
    story.alert()
    story.wait(300)
    sent(story)
    assert said(story) == []


def test_E18_what_was_decided_and_did_not_leave_is_no_new_risk(story: Story) -> None:
    alerted(story, 300)
    story.decide("E", "long", 5)
    assert said(story) == []
