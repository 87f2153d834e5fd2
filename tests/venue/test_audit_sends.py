"""What was sent: every planted violation of I1, I2 and I30 fails that check and no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audit_story import SECOND, Story, amended, enter
from msgspec.structs import replace

from domain.execution import OrdType, Side
from domain.groups import GroupOutcome


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


def test_I1_an_intent_that_was_committed_after_the_send(story: Story) -> None:
    story.plan()
    early = story.now - 1
    enter(story)
    at = next(i for i, event in enumerate(story.events) if event.kind == "order_received")
    story.events[at] = replace(story.events[at], ts_ns=early)
    assert story.failed() == {"I1"}


def test_I1_a_decision_that_claims_to_be_later_than_the_send(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10, decided_ns=story.now + 60 * SECOND))
    story.fill(order, 10)
    story.trade("E", "short", 10)
    story.outcome(GroupOutcome.HEDGED)
    assert story.failed() == {"I1"}


def test_I1_a_decision_in_time_that_was_committed_too_late(story: Story) -> None:
    story.plan()
    early = story.now
    story.wait(1)
    order = story.send(story.decide("E", "long", 10, decided_ns=early))
    story.cancel(order)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == set()
    at = next(i for i, event in enumerate(story.events) if event.kind == "order_received")
    story.events[at] = replace(story.events[at], ts_ns=early + 1)
    assert story.failed() == {"I1"}


def test_I1_a_repeated_send_counts_as_a_send(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    before = story.findings()["I1"].cases
    story.resend(order)
    assert story.findings()["I1"].cases == before + 1


def test_I2_an_order_without_any_intent_is_also_an_unexplained_send(story: Story) -> None:
    story.plan()
    enter(story)
    ghost = story.intents[story.decide("C", "long", 1)]
    order = ghost.client_order_id[:-1] + "9"
    story.intents[order] = replace(ghost, client_order_id=order)
    story.send(order, heard=False)
    story.cancel(order)
    found = story.findings()
    assert {name for name in found if not found[name].passed} == {"I1", "I2", "I29"}
    assert order in found["I2"].problems[0]


def test_I2_an_intent_in_the_journal_of_another_cell(story: Story) -> None:
    story.plan()
    enter(story)
    story.journal.close()
    (story.directory / "cell-0.db").rename(story.directory / "cell-1.db")
    assert story.failed() == {"I2", "I18"}


@pytest.mark.parametrize(
    "sent",
    [
        {"price": 1.3},
        {"qty": 9},
        {"side": "sell"},
        {"symbol": "ACME"},
        {"order_type": "market"},
        {"trigger_price": 1.0},
    ],
)
def test_I30_a_send_that_differs_from_its_intent(story: Story, sent: dict[str, Any]) -> None:
    story.plan()
    order = story.decide("E", "long", 10)
    story.send(order, **sent)
    story.cancel(order)
    story.outcome(GroupOutcome.FLAT)
    found = story.findings()
    assert {name for name in found if not found[name].passed} - {"I25"} == {"I30"}
    assert order in found["I30"].problems[0]


def test_I30_a_repeated_send_that_differs_from_its_intent(story: Story) -> None:
    story.plan()
    enter(story)
    order = next(iter(story.intents))
    story.event("order_received", order, venue_order_id="", price=9.0)
    story.event("rejected", order, venue_order_id="", price=9.0)
    assert story.failed() == {"I30"}


def test_I30_a_replacement_needs_a_record_of_the_intent_with_its_terms(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    amended(story, order, price=13_000)
    story.event("replaced", order)
    story.fill(order, 10)
    story.trade("E", "short", 10)
    story.outcome(GroupOutcome.HEDGED)
    assert story.failed() == set()
    story.event("replaced", order, price=1.4)
    assert story.failed() == {"I30"}


def test_I30_an_intent_that_does_not_fit_the_plan(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10, side=Side.SELL))
    story.cancel(order)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I30"}


def test_a_stop_limit_order_keeps_its_trigger(story: Story) -> None:
    story.plan()
    enter(story)
    stop = story.decide("S", "short", 10, order_type=OrdType.STOP_LIMIT, trigger_price=20_000)
    story.send(stop)
    assert story.failed() == set()
    story.events[-2] = replace(story.events[-2], trigger_price=2.1)
    assert story.failed() == {"I30"}
