"""What left for the broker: every planted violation of I1, I18 and I26 in the wire record is caught."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_story import Story, enter

from domain.groups import GroupOutcome
from venue.audit import EvidenceError


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


def test_I1_an_order_that_arrived_without_having_left(story: Story) -> None:
    story.plan()
    enter(story)
    assert story.failed() == set()
    story.wire.pop()
    assert "expected it in the wire record" in story.findings()["I1"].problems[0]


def test_I18_an_order_of_an_older_epoch_after_one_of_a_newer(story: Story) -> None:
    story.plan()
    enter(story)
    story.wire[1]["epoch"] = 2
    found = story.findings()["I18"]
    assert found.cases == 2
    assert "of epoch 2 left" in found.problems[0], "the journal knows no such epoch"
    assert "of epoch 1 left" in found.problems[1]


def test_I18_the_kill_switchs_own_cancels_are_of_no_epoch(story: Story) -> None:
    story.plan()
    enter(story)
    story.line("cancel", client_order_id=next(iter(story.intents)), request_id="k", epoch=0)
    assert story.failed() == set()
    assert story.findings()["I18"].cases == 2


def working(story: Story) -> str:
    """An entry works, and the kill switch is turned."""
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    story.kill()
    return order


def test_I26_entries_end_in_time_after_a_kill(story: Story) -> None:
    order = working(story)
    story.wait(29)
    story.cancel(order)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == set()
    assert story.findings()["I26"].cases == 2


def test_I26_an_entry_that_works_on_after_a_kill(story: Story) -> None:
    order = working(story)
    story.wait(31)
    story.cancel(order)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == {"I26"}
    assert "expected its end by" in story.findings()["I26"].problems[0]


def test_I26_an_entry_may_work_on_when_the_switch_was_off_again_in_time(story: Story) -> None:
    order = working(story)
    story.wait(20)
    story.kill(on=False)
    story.wait(20)
    story.cancel(order)
    assert "I26" not in story.failed()


def test_I26_new_risk_that_leaves_while_killed(story: Story) -> None:
    working(story)
    story.send(story.decide("E", "long", 10, slice_no=1))
    found = story.findings()
    assert "an entry left at" in found["I26"].problems[0]
    assert "E9: an entry left while killed" in found["I25"].problems[0]


def test_I26_a_gateway_that_has_heard_no_clock_yet_is_killed_at_the_latest_time_that_was_known(story: Story) -> None:
    story.plan()
    enter(story)
    story.kill()
    story.wire[-1]["ts_ns"] = 0
    assert story.failed() == set()


def test_I26_new_risk_that_arrives_long_after_the_kill(story: Story) -> None:
    story.plan()
    order = story.decide("E", "long", 10)
    story.leave(order)
    story.kill()
    story.wait(6)
    story.send(order)
    story.wait(1)
    story.cancel(order)
    found = story.findings()
    assert "expected no entry" in found["I26"].problems[0]
    assert found["I25"].problems == []


def test_I26_a_gateway_that_comes_back_without_the_switch(story: Story) -> None:
    story.cancel(working(story))
    story.outcome(GroupOutcome.FLAT)
    story.line("start", killed=True)
    assert story.failed() == set()
    story.line("start", killed=False)
    assert story.failed() == {"I26"}


def restarted(story: Story, *, unwritten: bool, blind: bool) -> set[str]:
    """A gateway comes back without the switch; whether its file could be written, and whether it read its journal."""
    story.cancel(working(story))
    story.outcome(GroupOutcome.FLAT)
    next(line for line in story.wire if line["kind"] == "kill")["unwritten"] = unwritten
    story.line("start", killed=False, blind=blind, controls=story.wire[0]["controls"])
    return story.failed()


@pytest.mark.parametrize(
    ("unwritten", "blind", "failed"),
    [(True, True, set()), (True, False, {"I26"}), (False, True, {"I26"}), (False, False, {"I26"})],
)
def test_I26_only_a_gateway_without_its_journal_may_miss_a_switch_that_only_the_journal_knows(
    story: Story, unwritten: bool, blind: bool, failed: set[str]
) -> None:
    assert restarted(story, unwritten=unwritten, blind=blind) == failed


def test_I26_a_switch_whose_file_was_written_after_all_is_to_be_found(story: Story) -> None:
    story.cancel(working(story))
    story.outcome(GroupOutcome.FLAT)
    next(line for line in story.wire if line["kind"] == "kill")["unwritten"] = True
    story.line("kill", on=True)
    story.line("start", killed=False, blind=True)
    assert story.failed() == {"I26"}


@pytest.mark.parametrize("blind", [False, True])
def test_I26_a_switch_that_the_disk_took_no_word_of_ends_with_its_gateway(story: Story, blind: bool) -> None:
    story.cancel(working(story))
    story.outcome(GroupOutcome.FLAT)
    next(line for line in story.wire if line["kind"] == "kill").update(unwritten=True, unsaved=True)
    story.line("start", killed=False, blind=blind, controls=story.wire[0]["controls"])
    assert story.failed() == set()
    story.plan("g2")
    story.send(story.decide("E", "long", 10, group_id="g2"))
    assert not {"I25", "I26"} & story.failed(), "nobody that has started since could know of it"


def test_I26_until_its_gateway_dies_a_switch_that_no_disk_took_holds_like_any_other(story: Story) -> None:
    story.cancel(working(story))
    story.outcome(GroupOutcome.FLAT)
    next(line for line in story.wire if line["kind"] == "kill").update(unwritten=True, unsaved=True)
    story.plan("g2")
    story.send(story.decide("E", "long", 10, group_id="g2"))
    assert {"I25", "I26"} <= story.failed()


def test_I26_a_switch_that_the_journal_took_later_is_to_be_found(story: Story) -> None:
    story.cancel(working(story))
    story.outcome(GroupOutcome.FLAT)
    next(line for line in story.wire if line["kind"] == "kill").update(unwritten=True, unsaved=True)
    story.line("kill", on=True, unwritten=True)
    story.line("start", killed=False)
    assert story.failed() == {"I26"}


def test_I26_a_gateway_that_could_not_know_lets_nothing_new_out_all_the_same(story: Story) -> None:
    assert restarted(story, unwritten=True, blind=True) == set()
    story.plan("g2")
    story.send(story.decide("E", "long", 10, group_id="g2"))
    assert "I26" in story.failed()


def test_I26_a_kill_before_the_gateway_knows_the_time_is_of_the_latest_time_known(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    story.line("start")
    story.kill()
    story.wire[-1]["ts_ns"] = 0  # the gateway has just started, and has not heard of the exchange
    story.wait(10)
    story.cancel(order)
    story.outcome(GroupOutcome.FLAT)
    assert story.failed() == set()


def test_a_torn_last_line_is_left_out_and_any_other_is_one_clear_error(story: Story) -> None:
    story.plan()
    enter(story)
    story.findings()
    path = story.directory / "wire.jsonl"
    whole = path.read_bytes()
    story.write_truth = lambda: None  # type: ignore[method-assign]
    path.write_bytes(whole + b'{"kind":"sub')
    assert story.failed() == set()
    path.write_bytes(b"{}\n" + whole)
    with pytest.raises(EvidenceError, match=r"wire.jsonl, line 1: not a line of a wire record"):
        story.findings()


def test_without_a_wire_record_its_checks_are_empty_and_say_why(story: Story) -> None:
    story.plan()
    enter(story)
    story.findings()
    (story.directory / "wire.jsonl").unlink()
    story.write_truth = lambda: None  # type: ignore[method-assign]
    found = story.findings(empty=False)
    for name in ("I18", "I25", "I26"):
        assert found[name].status == "EMPTY"
        assert any("no wire record" in note for note in found[name].notes)
