"""The journal's books: every planted violation of I12, I19, I29 and OUTCOME fails that check and no other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_story import UNEVENTFUL, UNSHOWN, Story, amended, enter, eventful
from msgspec.structs import replace

from domain.groups import GroupOutcome
from venue.audit import CHECKS


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


def test_an_eventful_clean_run_passes_every_check_and_every_check_looked_at_something(story: Story) -> None:
    eventful(story)
    found = story.findings(empty=False)
    assert {name: finding.problems for name, finding in found.items()} == {name: [] for name in CHECKS}
    assert {name for name in found if not found[name].cases} == UNSHOWN


def test_a_check_that_looked_at_nothing_fails_unless_it_may_be_empty(story: Story) -> None:
    story.plan()
    enter(story)
    assert story.failed(empty=False) == UNEVENTFUL
    assert story.failed(empty=True) == set()


def test_a_journal_without_any_group_fails_every_check(story: Story) -> None:
    assert story.failed(empty=False) == set(CHECKS) - UNSHOWN - {"I24"}, "that it was opened is a fact"


def test_I12_the_journal_counts_less_than_filled_at_rest(story: Story) -> None:
    story.plan()
    enter(story)
    order = next(iter(story.intents))
    story.commit(story.state(order, 9))
    assert story.failed() == {"I11", "I12", "I13", "I14"}
    assert "I12" not in story.failed(at_rest=False)


def test_I12_the_journal_counts_more_than_filled(story: Story) -> None:
    story.plan()
    enter(story)
    order = next(iter(story.intents))
    story.commit(story.state(order, 11))
    assert story.failed() == {"I11", "I12"}
    assert story.failed(at_rest=False) == {"I11", "I12"}


def test_I12_a_bust_that_the_journal_heard_of_and_did_not_count(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    story.bust(order, story.fill(order, 10), 10)
    story.commit(story.state(order, 10))
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I11", "I12"}
    assert story.failed(at_rest=False) == {"I11", "I12"}


def test_I12_a_bust_that_the_journal_has_not_heard_of_is_no_failure_while_running(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    story.bust(order, story.fill(order, 10), 10, heard=False)
    assert story.failed(at_rest=False) == set()
    assert "I12" in story.failed()


def test_I12_the_log_once_counted_more_than_filled(story: Story) -> None:
    story.plan()
    enter(story)
    order = next(iter(story.intents))
    story.commit(story.state(order, 11))
    story.commit(story.state(order, 10))
    assert story.failed() == {"I11", "I12", "I13"}


def test_I29_a_fill_that_the_journal_never_heard_of(story: Story) -> None:
    story.plan()
    enter(story)
    closing = story.send(story.decide("C", "long", 10))
    story.fill(closing, 10, heard=False)
    story.commit(story.state(closing, 10))
    story.trade("C", "short", 10)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I11", "I29"}
    assert story.failed(at_rest=False) == {"I11"}


def test_I29_an_execution_that_the_exchange_does_not_know(story: Story) -> None:
    story.plan()
    enter(story)
    story.hear(next(iter(story.intents)), "E999", "trade_cancel", 0, 0)
    assert story.failed() == {"I29"}
    assert story.failed(at_rest=False) == {"I29"}


@pytest.mark.parametrize("told", [{"last_qty": 9}, {"last_px": 1.26}])
def test_I29_an_execution_of_another_size_or_price(story: Story, told: dict[str, object]) -> None:
    story.plan()
    enter(story)
    story.trade("C", "short", 10)
    long = story.send(story.decide("C", "long", 10))
    story.fill(long, 10)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == set()
    story.events[-1] = replace(story.events[-1], **told)
    assert "I29" in story.failed()
    assert story.failed() - {"I12", "OUTCOME"} == {"I29"}


@pytest.mark.parametrize("lacking", ["cause", "reason", "checks", "sent_ns", "acknowledged_ns"])
def test_I29_an_order_that_lacks_a_part_of_its_explanation(story: Story, lacking: str) -> None:
    story.plan()
    enter(story)
    order = next(iter(story.intents))
    amended(story, order, **{lacking: 0 if lacking.endswith("_ns") else ""})
    assert story.failed() == {"I29"}


def test_I29_a_rejected_order_needs_its_end_but_no_acknowledgement(story: Story) -> None:
    story.plan()
    order = story.decide("E", "long", 10)
    story.reject(order)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == set()
    amended(story, order, terminal_ns=0)
    assert story.failed() == {"I29"}


def test_I19_a_turn_that_was_changed_and_one_that_is_missing(story: Story) -> None:
    story.plan()
    enter(story)
    story.journal.close()
    assert story.failed() == set()
    conn = sqlite3.connect(story.directory / "cell-0.db")
    conn.execute("DROP TRIGGER turns_are_never_changed")
    conn.execute("UPDATE turns SET epoch = 9 WHERE turn = (SELECT max(turn) FROM turns)")
    conn.commit()
    conn.close()
    assert story.failed() == {"I17", "I19"}


@pytest.mark.parametrize("outcome", [GroupOutcome.OPEN, GroupOutcome.FLAT, GroupOutcome.HALTED])
def test_OUTCOME_a_group_that_ended_otherwise_than_it_says(story: Story, outcome: GroupOutcome) -> None:
    story.plan()
    enter(story)
    story.outcome(outcome)
    assert story.failed() == {"OUTCOME"}


@pytest.mark.parametrize(("kind", "passed"), [("GROUP_HALTED", True), ("UNHEDGED_EXPOSURE", False)])
def test_OUTCOME_who_was_called_for_an_exposure_has_not_heard_of_a_halt(story: Story, kind: str, passed: bool) -> None:
    story.plan()
    enter(story)
    story.alert(kind=kind)
    story.outcome(GroupOutcome.HALTED)
    assert story.findings()["OUTCOME"].passed is passed


def test_OUTCOME_a_hedged_group_holds_its_targets(story: Story) -> None:
    story.plan()
    story.trade("E", "long", 10)
    story.trade("E", "short", 9)
    story.outcome(GroupOutcome.HEDGED)
    found = story.findings()
    assert {name for name in found if not found[name].passed} == {"OUTCOME"}
    assert found["OUTCOME"].problems == ["g1: hedged, but short holds 9, expected 10"]


def test_OUTCOME_a_short_that_the_broker_closed_leaves_a_group_hedged(story: Story) -> None:
    story.plan()
    enter(story)
    story.move("short", 4)
    assert story.failed() == set()


def test_while_running_open_groups_and_fills_to_hear_of_are_no_failures(story: Story) -> None:
    story.plan()
    enter(story)
    story.plan("g2")
    order = story.send(story.decide("E", "long", 10, group_id="g2"), heard=False)
    story.fill(order, 5, heard=False)
    assert story.failed(at_rest=False) == set()
    assert story.failed() == {"I12", "I29", "OUTCOME"}


def test_protection_that_another_hand_sold_may_be_bought_again_and_counts_as_lost_until_then(story: Story) -> None:
    story.plan()
    enter(story)
    story.move("long", -4)
    assert story.failed() == {"OUTCOME", "I24"}, "hedged no more, and exposed"
    story.hedge("long", 4)
    story.trade("H", "long", 4, ordinal=1)
    assert story.failed() == set()
    assert "largest uncovered quantity 4" in story.findings()["I6"].notes[0]
    story.hedge("long", 1, ordinal=11)
    story.trade("H", "long", 1, ordinal=11)
    assert {"I4", "I5", "OUTCOME"} <= story.failed(), "what was lost may be bought again once"


def test_I12_a_position_that_moved_otherwise_than_the_journal_says(story: Story) -> None:
    story.plan()
    enter(story)
    story.move("long", 4, heard=3)
    found = story.findings()["I12"]
    assert found.problems[0].endswith("moved by 3 without an order, by the journal; expected 4")
    assert story.findings(at_rest=False)["I12"].problems == []


def test_what_went_is_gone_from_its_group_although_the_exchange_noted_nothing_after_it(story: Story) -> None:
    """As when a long and a short of two groups expire against each other; whether the journal may say so I12 judges."""
    story.plan()
    enter(story)
    story.move("long", -10, noted=False)
    story.move("short", 10, noted=False)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I12"}
    assert [problem.rpartition(" ")[2] for problem in story.findings()["I12"].problems] == ["0", "0"]
