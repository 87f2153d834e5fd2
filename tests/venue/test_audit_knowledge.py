"""What is known of orders: every planted violation of I13, I14 and I15 is caught."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_story import Story, amended, enter
from msgspec.structs import replace

from domain.execution import OrdStatus
from domain.retold import Told
from messages.records import IntentStatus


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


@pytest.mark.parametrize("register", ["described", "venue", "reported", "phase"])
def test_I13_a_snapshot_that_is_older_than_what_is_known(story: Story, register: str) -> None:
    story.plan()
    enter(story)
    order = next(iter(story.intents))
    state = story.state(order, 10)
    value = "V1" if register == "venue" else 10
    newer = replace(state.knowledge, **{register: (story.now, 1, value)})
    older = replace(state.knowledge, **{register: (story.now - 1, 9, value)})
    story.commit(replace(state, knowledge=newer))
    assert story.failed() == set()
    story.commit(replace(state, knowledge=older))
    assert story.failed() == {"I13"}


@pytest.mark.parametrize(
    ("by", "filled", "fails"),
    [("X/new/#1", 4, False), ("X/new/#1", 0, True), ("", 4, True), ("X/trade_cancel/#trade_cancel/0@0", 4, True)],
)
def test_I13_a_count_by_a_repetition_is_outdone_by_an_earlier_fill_only(
    story: Story, by: str, filled: int, fails: bool
) -> None:
    story.plan()
    enter(story)
    order = next(iter(story.intents))
    state = story.state(order, 10)
    late = Told(by, story.now, 1, cum_qty=0)
    heard = replace(state.knowledge, told=(late,) if by else (), reported=(late.ts_ns, late.rank, 0))
    story.commit(replace(state, knowledge=heard))
    story.commit(replace(state, knowledge=replace(heard, reported=(late.ts_ns - 1, 9, filled))))
    assert ("I13" in story.failed()) is fails


@pytest.mark.parametrize(("more", "fails"), [({}, True), ({"venue_order_id": "V1"}, False)])
def test_I13_a_repetition_of_what_was_heard_is_no_news_unless_it_says_more(
    story: Story, more: dict[str, str], fails: bool
) -> None:
    story.plan()
    enter(story)
    state = story.state(next(iter(story.intents)), 10)
    word = Told("X/new/#1", story.now, 1, order_qty=10, cum_qty=0)
    story.commit(replace(state, knowledge=replace(state.knowledge, told=(word,))))
    again = word._replace(ts_ns=word.ts_ns + 1, **more)  # type: ignore[arg-type]
    story.commit(replace(state, knowledge=replace(state.knowledge, told=(again,))))
    assert ("I13" in story.failed()) is fails


def test_I13_an_execution_that_was_forgotten(story: Story) -> None:
    story.plan()
    enter(story)
    state = story.state(next(iter(story.intents)), 10)
    story.commit(replace(state, knowledge=replace(state.knowledge, executions=())))
    found = story.findings()["I13"]
    assert "forgot E" in found.problems[0]


def test_I13_a_quantity_falls_with_a_bust_and_never_by_itself(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    story.bust(order, story.fill(order, 4), 4)
    story.fill(order, 3)
    assert "I13" not in story.failed()
    story.commit(story.state(order, 2))
    assert "I13" in story.failed()


def test_I14_an_ended_order_that_works_again(story: Story) -> None:
    story.plan()
    enter(story)
    order = next(iter(story.intents))
    state = story.state(order, 10)
    story.commit(state)
    assert story.failed() == set()
    story.commit(replace(state, ord_status=OrdStatus.NEW))
    assert story.failed() == {"I14"}


def test_I14_an_end_changes_into_another_only_with_fills(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    story.fill(order, 4)
    story.commit(replace(story.state(order, 4), ord_status=OrdStatus.CANCELED))
    story.fill(order, 6)
    assert "I14" not in story.failed(), "a late fill"
    story.commit(replace(story.state(order, 10), ord_status=OrdStatus.EXPIRED))
    assert "I14" in story.failed()


@pytest.mark.parametrize("quantity", [5, 6])
def test_I14_an_ended_order_is_filled_as_soon_as_the_exchange_has_filled_it_and_not_before(
    story: Story, quantity: int
) -> None:
    """A refused cancel may say so before any fill is told."""
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    story.fill(order, 4)
    story.commit(replace(story.state(order, 4), ord_status=OrdStatus.CANCELED))
    amended(story, order, status=IntentStatus.CANCELED)
    story.fill(order, quantity, heard=False)
    story.commit(replace(story.state(order, 4), ord_status=OrdStatus.FILLED))
    amended(story, order, status=IntentStatus.FILLED)
    problems = story.findings()["I14"].problems
    assert len(problems) == (0 if quantity == 6 else 2)


def test_I14_an_ended_intent_that_works_again(story: Story) -> None:
    story.plan()
    enter(story)
    order = next(iter(story.intents))
    amended(story, order, status=IntentStatus.FILLED)
    assert story.failed() == set()
    amended(story, order, status=IntentStatus.LIVE)
    assert story.failed() == {"I14"}


@pytest.mark.parametrize("was", [IntentStatus.REFUSED, IntentStatus.VOID])
@pytest.mark.parametrize(("now", "same"), [(IntentStatus.REJECTED, True), (IntentStatus.EXPIRED, False)])
def test_I14_a_late_refusal_of_what_is_known_not_to_be_there_is_no_other_end(
    story: Story, was: IntentStatus, now: IntentStatus, same: bool
) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    amended(story, order, status=was)
    amended(story, order, status=now)
    assert ("I14" not in story.failed()) == same


def test_I14_a_bust_lets_a_filled_order_work_again(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    exec_id = story.fill(order, 10)
    amended(story, order, status=IntentStatus.FILLED)
    story.bust(order, exec_id, 10)
    amended(story, order, status=IntentStatus.LIVE)
    found = story.findings()["I14"]
    assert (found.status, found.cases) == ("ok", 2)


def doubted(story: Story) -> str:
    """An order of which nobody knows whether it arrived."""
    story.plan()
    order = story.decide("E", "long", 10)
    amended(story, order, status=IntentStatus.UNRESOLVED)
    return order


def test_I15_void_after_the_horizon_when_the_exchange_never_took_it(story: Story) -> None:
    order = doubted(story)
    story.wait(4.5)
    amended(story, order, status=IntentStatus.VOID)
    assert (story.findings()["I15"].status, story.findings()["I15"].cases) == ("ok", 1)


@pytest.mark.parametrize("after_s", [1, 3])
def test_I15_void_before_two_absences_can_have_been_found(story: Story, after_s: int) -> None:
    order = doubted(story)
    story.wait(after_s)
    amended(story, order, status=IntentStatus.VOID)
    assert "expected two absences, each 2 s after what came before" in story.findings()["I15"].problems[0]


@pytest.mark.parametrize("status", [IntentStatus.VOID, IntentStatus.REFUSED])
def test_I15_given_up_although_the_exchange_took_it(story: Story, status: IntentStatus) -> None:
    order = doubted(story)
    story.wait(5)
    story.send(order, heard=False)
    amended(story, order, status=status)
    assert "but the exchange took it" in story.findings()["I15"].problems[0]


def test_I15_canceled_in_the_journal_while_it_works_at_the_exchange(story: Story) -> None:
    order = doubted(story)
    story.send(order, heard=False)
    amended(story, order, status=IntentStatus.CANCELED)
    story.cancel(order)
    assert "had not ended at the exchange by then" in story.findings()["I15"].problems[0]


@pytest.mark.parametrize("end", [IntentStatus.REJECTED, IntentStatus.EXPIRED])
@pytest.mark.parametrize(
    ("turned_away", "taken", "status"), [(True, False, "ok"), (False, False, "FAIL"), (True, True, "FAIL")]
)
def test_I15_rejected_by_a_front_end_that_let_nothing_through(
    story: Story, end: IntentStatus, turned_away: bool, taken: bool, status: str
) -> None:
    order = doubted(story)
    if turned_away:
        story.event("turned_away", order, venue_order_id="")
    if taken:
        story.send(order, heard=False)
    amended(story, order, status=end)
    assert story.findings()["I15"].status == status
