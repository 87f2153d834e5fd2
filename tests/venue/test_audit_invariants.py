"""Every check fails on a violation that was planted for it, and on nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audit_story import SECOND, Story, amended, enter, eventful
from msgspec.structs import replace

from domain.execution import OrdType, Side
from domain.groups import GroupOutcome
from messages.records import Severity
from venue.audit import CHECKS, Bounds
from venue.audit.journal import Journal, Need, Position


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


def test_an_eventful_clean_run_passes_every_check_and_every_check_looked_at_something(story: Story) -> None:
    eventful(story)
    found = story.findings(empty=False)
    assert {name: finding.problems for name, finding in found.items()} == {name: [] for name in CHECKS}
    assert all(finding.cases > 0 for finding in found.values())


def test_a_check_that_looked_at_nothing_fails_unless_it_may_be_empty(story: Story) -> None:
    story.plan()
    enter(story)
    assert story.failed(empty=False) == {"I5", "I9"}
    assert story.failed(empty=True) == set()


def test_a_journal_without_any_group_fails_every_check(story: Story) -> None:
    assert story.failed(empty=False) == set(CHECKS)


# --- I1, I2, I30 ---


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
    assert story.failed() == {"I2"}


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
    assert {name for name in found if not found[name].passed} == {"I30"}
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


# --- I3, I4, I5, I9 ---


def test_I3_a_second_attempt_while_the_first_still_works(story: Story) -> None:
    story.plan()
    first = story.send(story.decide("E", "long", 5))
    story.fill(first, 2)
    second = story.send(story.decide("E", "long", 3, attempt=2))
    story.cancel(second)
    story.fill(first, 3)
    story.trade("E", "long", 5, slice_no=1)
    story.trade("E", "short", 10)
    story.outcome(GroupOutcome.HEDGED)
    found = story.findings()
    assert {name for name in found if not found[name].passed} == {"I3"}
    assert any("expected it ended" in problem for problem in found["I3"].problems)


def test_I3_a_second_attempt_that_is_larger_than_the_rest_of_its_slot(story: Story) -> None:
    story.plan()
    first = story.send(story.decide("E", "long", 5))
    story.fill(first, 2)
    story.cancel(first)
    story.cancel(story.send(story.decide("E", "long", 5, attempt=2)))
    story.outcome(GroupOutcome.HALTED)
    story.alert()
    found = story.findings()
    assert {name for name in found if not found[name].passed} == {"I3"}
    assert "filled and open in its slot 7" in found["I3"].problems[0]


def test_I3_an_attempt_that_arrives_after_the_next_one(story: Story) -> None:
    story.plan()
    first, second = story.decide("E", "long", 5), story.decide("E", "long", 5, attempt=2)
    story.cancel(story.send(second))
    story.cancel(story.send(first))
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I3"}


def test_I3_a_repeated_id_that_the_exchange_took_for_a_second_order(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 5))
    story.send(order)
    for number in ("V1", "V2"):
        story.event("canceled", order, venue_order_id=number)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I3"}


def test_I3_a_correction_after_the_end_is_the_exchanges_own_doing_until_it_is_known(story: Story) -> None:
    story.plan()
    first = story.send(story.decide("E", "long", 5))
    exec_id = story.fill(first, 2)
    story.cancel(first)
    corrected = story.correct(first, exec_id, 5, 3, heard=False)
    second = story.send(story.decide("E", "long", 3, attempt=2))
    story.hear(first, corrected, "trade_correct", 5, 3, ref=exec_id)
    story.cancel(second)
    story.outcome(GroupOutcome.HALTED)
    story.alert()
    found = story.findings()
    assert all(finding.passed for finding in found.values())
    assert any("excused" in note for note in found["I3"].notes)
    story.cancel(story.send(story.decide("E", "long", 3, attempt=3)))
    assert story.failed() == {"I3"}


def test_I4_slices_that_together_exceed_the_target(story: Story) -> None:
    story.plan()
    story.trade("E", "long", 10)
    story.cancel(story.send(story.decide("E", "long", 1, slice_no=1)))
    story.trade("E", "short", 10)
    story.outcome(GroupOutcome.HEDGED)
    assert story.failed() == {"I4"}


def test_I4_a_hedge_on_top_of_a_working_entry(story: Story) -> None:
    story.plan()
    entry = story.send(story.decide("E", "long", 10))
    story.hedge("long", 4)
    story.cancel(story.send(story.decide("H", "long", 4, ordinal=1)))
    story.fill(entry, 10)
    story.trade("E", "short", 10)
    story.outcome(GroupOutcome.HEDGED)
    assert story.failed() == {"I4"}


def test_I4_what_was_busted_may_be_bought_again(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    story.bust(order, story.fill(order, 10), 10)
    story.trade("E", "long", 10, attempt=2)
    story.trade("E", "short", 10)
    story.outcome(GroupOutcome.HEDGED)
    assert story.failed() == set()


def test_I5_a_hedge_that_works_more_than_is_needed(story: Story) -> None:
    story.plan()
    story.trade("E", "long", 4)
    story.hedge("long", 3)
    story.trade("H", "long", 3, ordinal=1)
    story.cancel(story.send(story.decide("H", "long", 3, slice_no=1, ordinal=1)))
    story.alert()
    story.outcome(GroupOutcome.HALTED)
    assert story.failed() == {"I5"}


def test_I5_a_chain_that_together_works_more_than_its_first_hedge_needed(story: Story) -> None:
    story.plan()
    root = story.hedge("long", 5)
    story.trade("H", "long", 3, ordinal=1)
    story.hedge("long", 5, ordinal=2, above=root)
    story.cancel(story.send(story.decide("H", "long", 5, ordinal=2)))
    story.alert()
    story.outcome(GroupOutcome.HALTED)
    found = story.findings()
    assert {name for name in found if not found[name].passed} == {"I5"}
    assert "in its chain 8" in found["I5"].problems[0]


def test_I5_a_child_hedge_that_works_more_than_it_needs_itself(story: Story) -> None:
    story.plan()
    root = story.hedge("long", 10)
    story.hedge("long", 3, ordinal=2, above=root)
    story.cancel(story.send(story.decide("H", "long", 5, ordinal=2)))
    story.outcome(GroupOutcome.FLAT)
    found = story.findings()
    assert {name for name in found if not found[name].passed} == {"I5"}
    assert "in its hedge 5" in found["I5"].problems[0]


def test_I5_a_need_that_shrank_allows_less_from_then_on(story: Story) -> None:
    story.plan()
    story.hedge("long", 5)
    story.hedge("long", 3)
    story.cancel(story.send(story.decide("H", "long", 5, ordinal=1)))
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I5"}


def test_I5_what_a_hedge_needed_in_a_turn_is_the_most_of_that_turn_and_of_what_stood_before() -> None:
    journal = Journal()
    places = {(1, 0): 7, (3, 0): 4, (3, 5): 6, (5, 0): 2}
    journal.needs["h"] = [Need(Position(*place), quantity) for place, quantity in places.items()]
    assert [journal.needed("h", turn) for turn in range(7)] == [None, 7, 7, 7, 6, 6, 2]


def test_I5_a_hedge_order_of_a_hedge_that_the_log_does_not_know(story: Story) -> None:
    story.plan()
    story.cancel(story.send(story.decide("H", "long", 3, ordinal=1)))
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I5"}


def test_I5_a_raised_need_allows_more_from_then_on(story: Story) -> None:
    story.plan()
    story.hedge("long", 3)
    story.trade("H", "long", 3, ordinal=1)
    story.hedge("long", 5)
    story.trade("H", "long", 2, slice_no=1, ordinal=1)
    story.alert()
    story.outcome(GroupOutcome.HALTED)
    assert story.failed() == set()


def test_I5_a_late_fill_of_an_ended_entry_is_excused_and_listed(story: Story) -> None:
    story.plan(target=5)
    entry = story.send(story.decide("E", "long", 5))
    story.cancel(entry)
    story.hedge("long", 5)
    story.trade("H", "long", 5, ordinal=1)
    story.fill(entry, 5)
    story.alert()
    story.outcome(GroupOutcome.HALTED)
    found = story.findings()
    assert all(finding.passed for finding in found.values())
    assert any("excused" in note for note in found["I5"].notes)


@pytest.mark.parametrize("kind", ["C", "S"])
def test_I9_more_leaves_than_was_opened(story: Story, kind: str) -> None:
    story.plan()
    story.trade("E", "long", 4)
    story.trade(kind, "long", 5)
    story.trade("E", "long", 1, slice_no=1)
    story.outcome(GroupOutcome.FLAT)
    found = story.findings()
    assert {name for name in found if not found[name].passed} == {"I9"}
    assert "expected at most 0" in found["I9"].problems[0]


def test_I9_a_hedge_against_its_leg_counts_as_an_exit(story: Story) -> None:
    story.plan()
    story.trade("E", "long", 4)
    story.hedge("long", 5)
    story.trade("H", "long", 5, ordinal=1, side=Side.SELL)
    story.trade("E", "long", 1, slice_no=1)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I9"}


def test_I9_a_bust_of_what_was_closed_is_excused(story: Story) -> None:
    story.plan()
    entry = story.send(story.decide("E", "long", 4))
    exec_id = story.fill(entry, 4)
    story.trade("C", "long", 4)
    story.bust(entry, exec_id, 4)
    story.trade("E", "long", 2, slice_no=1)
    story.alert()
    story.outcome(GroupOutcome.HALTED)
    found = story.findings()
    assert all(finding.passed for finding in found.values())
    assert len(found["I9"].notes) == 1
    assert "excused" in found["I9"].notes[0]


# --- I6, I7 ---


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
    assert story.failed() == {"I7"}


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
    assert story.failed() == {"I7"}


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


# --- I12, I19, I29, OUTCOME ---


def test_I12_the_journal_counts_less_than_filled_at_rest(story: Story) -> None:
    story.plan()
    enter(story)
    order = next(iter(story.intents))
    story.commit(story.state(order, 9))
    assert story.failed() == {"I12"}
    assert story.failed(at_rest=False) == set()


def test_I12_the_journal_counts_more_than_filled(story: Story) -> None:
    story.plan()
    enter(story)
    order = next(iter(story.intents))
    story.commit(story.state(order, 11))
    assert story.failed() == {"I12"}
    assert story.failed(at_rest=False) == {"I12"}


def test_I12_a_bust_that_the_journal_heard_of_and_did_not_count(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    story.bust(order, story.fill(order, 10), 10)
    story.commit(story.state(order, 10))
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I12"}
    assert story.failed(at_rest=False) == {"I12"}


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
    assert story.failed() == {"I12"}


def test_I29_a_fill_that_the_journal_never_heard_of(story: Story) -> None:
    story.plan()
    enter(story)
    closing = story.send(story.decide("C", "long", 10))
    story.fill(closing, 10, heard=False)
    story.commit(story.state(closing, 10))
    story.trade("C", "short", 10)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I29"}
    assert story.failed(at_rest=False) == set()


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
    assert story.failed() == {"I19"}


@pytest.mark.parametrize("outcome", [GroupOutcome.OPEN, GroupOutcome.FLAT, GroupOutcome.HALTED])
def test_OUTCOME_a_group_that_ended_otherwise_than_it_says(story: Story, outcome: GroupOutcome) -> None:
    story.plan()
    enter(story)
    story.outcome(outcome)
    assert story.failed() == {"OUTCOME"}


def test_OUTCOME_a_hedged_group_holds_its_targets(story: Story) -> None:
    story.plan()
    story.trade("E", "long", 10)
    story.trade("E", "short", 9)
    story.outcome(GroupOutcome.HEDGED)
    found = story.findings()
    assert {name for name in found if not found[name].passed} == {"OUTCOME"}
    assert found["OUTCOME"].problems == ["g1: hedged, but short holds 9, expected 10"]


def test_while_running_open_groups_and_fills_to_hear_of_are_no_failures(story: Story) -> None:
    story.plan()
    enter(story)
    story.plan("g2")
    order = story.send(story.decide("E", "long", 10, group_id="g2"), heard=False)
    story.fill(order, 5, heard=False)
    assert story.failed(at_rest=False) == set()
    assert story.failed() == {"I12", "I29", "OUTCOME"}


def test_a_stop_limit_order_keeps_its_trigger(story: Story) -> None:
    story.plan()
    enter(story)
    stop = story.decide("S", "short", 10, order_type=OrdType.STOP_LIMIT, trigger_price=20_000)
    story.send(stop)
    assert story.failed() == set()
    story.events[-2] = replace(story.events[-2], trigger_price=2.1)
    assert story.failed() == {"I30"}
