"""I25, E12: orders of ours that could trade with each other, as the exchange saw them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audit_story import Story, amended

from domain.execution import OrdType, Side
from domain.groups import Role
from messages.records import ControlAction, StopStatus


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    told.plan()
    yield told
    told.journal.close()


def said(story: Story) -> list[str]:
    """What is said of crossings: what the later order did."""
    problems = [problem for problem in story.findings()["I25"].problems if ": E12: " in problem]
    return [problem.rpartition(", at ")[0].partition("works: ")[2] for problem in problems]


def entry(story: Story, side: Side = Side.SELL, **terms: Any) -> str:
    """An entry of the short leg, sold unless told otherwise."""
    return story.decide("E", "short", 5, side=side, **terms)


def exit_(story: Story, **terms: Any) -> str:
    """A repair that buys the short leg back."""
    return story.decide("C", "short", 5, **terms)


@pytest.mark.parametrize(
    ("terms", "crosses"),
    [
        ({"price": 12_600}, True),
        ({"price": 12_500}, True),
        ({"price": 12_400}, False),
        ({"price": 0, "order_type": OrdType.MARKET}, True),
        ({"price": 12_600, "side": Side.SELL}, False),
    ],
)
def test_an_entry_that_could_trade_with_one_that_works(story: Story, terms: dict[str, Any], crosses: bool) -> None:
    story.send(entry(story))
    story.send(entry(story, **{"side": Side.BUY, "slice_no": 1, **terms}))
    assert said(story) == ["expected no entry that does"] * crosses


@pytest.mark.parametrize("end", [Story.cancel, lambda story, order: story.fill(order, 5)])
def test_what_has_ended_when_the_next_one_arrives_is_in_nobodys_way(story: Story, end: Any) -> None:
    end(story, story.send(entry(story)))
    story.send(entry(story, Side.BUY, slice_no=1))
    assert said(story) == []


def test_what_works_with_a_part_filled_is_in_the_way(story: Story) -> None:
    story.fill(story.send(entry(story)), 2)
    story.send(entry(story, Side.BUY, slice_no=1))
    assert said(story) == ["expected no entry that does"]


def test_a_person_may_let_an_entry_pass(story: Story) -> None:
    story.send(entry(story))
    order = entry(story, Side.BUY, slice_no=1)
    story.control(f"use/{order}/E12", ControlAction.USED)
    story.send(order)
    assert said(story) == []


def repaired(story: Story, *, held_s: float | None, canceled: bool = True, pid: int = 1) -> list[str]:
    """What is said of a repair that met a working entry, after it had waited."""
    story.send(working := entry(story))
    order = exit_(story)
    if held_s is not None:
        story.line("held", client_order_id=order, pid=pid)
        story.line("cancel", client_order_id=working if canceled else order, request_id=f"{working}/x1")
        story.wait(held_s)
    story.send(order)
    return said(story)


def test_a_repair_that_waited_for_the_entry_in_its_way_may_leave(story: Story) -> None:
    assert repaired(story, held_s=1.0) == []


@pytest.mark.parametrize(
    ("how", "wrong"),
    [
        ({"held_s": None}, "it waited not at all; expected 1000 ms"),
        ({"held_s": 0.5}, "it waited 501 ms; expected 1000 ms"),
        ({"held_s": 1.0, "pid": 2}, "it waited not at all; expected 1000 ms"),
        ({"held_s": 1.0, "canceled": False}, "expected that entry to have been canceled"),
        ({"held_s": 1.9, "canceled": False}, "expected that entry to have been canceled"),
    ],
)
def test_a_repair_that_did_not_do_what_it_could(story: Story, how: dict[str, Any], wrong: str) -> None:
    assert repaired(story, **how) == [wrong]


def test_a_repair_that_waited_twice_as_long_while_tokens_were_left(story: Story) -> None:
    assert repaired(story, held_s=2.0, canceled=False) == ["expected that entry to have been canceled"]


@pytest.mark.parametrize(
    ("between", "before_s", "wrong"),
    [("CLOSE", 0.5, 0), ("CLOSE", 1.05, 0), ("PROTECTION", 0.5, 1), ("PROTECTION", 1.05, 1), ("CLOSE", 1.5, 1)],
)
def test_a_repair_that_took_the_last_token_before_any_cancel_could_leave(
    story: Story, between: str, before_s: float, wrong: int
) -> None:
    story.limit(orders_per_second=3, reserved_tokens=1)
    story.send(entry(story))
    order = exit_(story)
    story.line("held", client_order_id=order)
    story.wait(2 - before_s)
    for _ in range(1 if before_s < 1 else 2):
        story.line("query")
    story.line("submit", client_order_id=story.decide("E", "long", 1), role=between, resend=True)
    story.wait(before_s)
    story.send(order)
    assert len(said(story)) == wrong


def test_who_waited_for_another_repair_need_not_have_it_canceled(story: Story) -> None:
    story.send(story.decide("H", "short", 5, ordinal=1))
    order = exit_(story)
    story.line("held", client_order_id=order)
    story.wait(1)
    story.send(order)
    assert said(story) == []


def test_the_one_that_left_later_is_charged_whichever_arrives_first(story: Story) -> None:
    first, second = entry(story), entry(story, Side.BUY, slice_no=1)
    story.leave(first)
    story.leave(second)
    story.send(second)
    story.send(first)
    (problem,) = [problem for problem in story.findings()["I25"].problems if ": E12: " in problem]
    assert problem.startswith(f"{second}: E12: could trade with {first}, which works")


def stop(story: Story) -> str:
    """A stop-loss of the short leg, 5 units."""
    terms: dict[str, Any] = {"order_type": OrdType.STOP_LIMIT, "price": 20_100, "trigger_price": 20_000}
    return story.send(story.decide("S", "short", 5, role=Role.STOP_LIMIT, **terms))


@pytest.mark.parametrize("known", [None, "before", "after"])
def test_a_stop_is_in_the_way_once_it_is_awake_and_its_cell_knows(story: Story, known: str | None) -> None:
    order = stop(story)
    if known:
        story.event("triggered", order)
    if known == "before":
        story.stop_loss(StopStatus.TRIGGERED, 5, triggered_ns=story.now)
    later = entry(story)
    if known == "after":
        story.stop_loss(StopStatus.TRIGGERED, 5, triggered_ns=story.now)
    story.send(later)
    assert said(story) == ["expected no entry that does"] * (known == "before")


@pytest.mark.parametrize(
    ("changes", "crosses"), [({"price": 12_500}, True), ({"price": 12_300}, False), ({"qty": 4}, False)]
)
def test_a_change_in_place_may_not_meet_what_works(story: Story, changes: dict[str, Any], crosses: bool) -> None:
    story.send(changing := entry(story, Side.BUY, price=12_200))
    story.send(entry(story, slice_no=1))
    amended(story, changing)
    story.line("modify", client_order_id=changing, request_id="m1", role="PROTECTION")
    shown = {name: value / 10_000 if name == "price" else value for name, value in changes.items()}
    story.event("replaced", changing, request_id="m1", **shown)
    assert said(story) == ["expected no entry that does"] * crosses
