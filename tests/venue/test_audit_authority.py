"""Who may act, and when: every planted violation of I10, I17, I22 and I24 is caught."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_story import SECOND, Story, enter
from msgspec.structs import replace

from domain.groups import GroupOutcome, Mode
from storage.sqlite import open_journal
from venue.audit.authority import starts
from venue.audit.journal import GATEWAY, Epoch


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


def halted(story: Story) -> None:
    """A half-entered group turns round."""
    story.plan()
    story.trade("E", "long", 10)
    story.mode(Mode.FLATTENING)


def test_I10_an_entry_that_was_decided_after_the_halt(story: Story) -> None:
    halted(story)
    story.trade("C", "long", 10)
    story.outcome(GroupOutcome.FLAT)
    found = story.findings()["I10"]
    assert (found.status, found.cases) == ("ok", 2)
    story.decide("E", "short", 10)
    assert story.failed() == {"I10"}


def test_I10_an_entry_that_reaches_the_exchange_long_after_the_halt(story: Story) -> None:
    story.plan()
    story.trade("E", "long", 10)
    soon, late = (story.decide("E", "short", 5, slice_no=n) for n in (0, 1))
    story.mode(Mode.FLATTENING)
    story.send(soon)
    assert story.findings()["I10"].problems == []
    story.wait(6)
    story.send(late)
    found = story.findings()["I10"]
    assert f"{late}: an entry received 6.0" in found.problems[0]


def test_I10_quarantine_halts_and_hedged_does_not(story: Story) -> None:
    story.plan()
    enter(story)
    story.decide("E", "long", 10, slice_no=1)
    assert "I10" not in story.failed()
    story._group(replace(story.groups["g1"], quarantined=True))
    story.decide("E", "long", 10, slice_no=2)
    assert "I10" in story.failed()


def reopened(story: Story) -> None:
    """The cell dies and comes back."""
    story.journal.close()
    story.journal = open_journal(story.directory / "cell-0.db", synchronous="NORMAL", ballast_bytes=0)


def test_I17_a_turn_of_an_epoch_that_was_over(story: Story) -> None:
    story.plan()
    enter(story)
    reopened(story)
    story.plan("g2")
    assert "I17" not in story.failed()
    conn = sqlite3.connect(story.directory / "cell-0.db")
    conn.execute("UPDATE epochs SET after_turn = 0 WHERE epoch = 2")
    conn.commit()
    conn.close()
    found = story.findings()["I17"]
    assert "cell 0: turn 1 is of epoch 1; expected 2" in found.problems


def test_I17_an_order_over_an_older_connection(story: Story) -> None:
    story.plan()
    first, second = (story.decide("E", "long", 5, slice_no=n) for n in (0, 1))
    story.send(first, session=2)
    story.send(second, session=3)
    assert "I17" not in story.failed()
    story.resend(second)
    story.events[-2] = replace(story.events[-2], session=2)
    assert "received over session 2" in story.findings()["I17"].problems[0]


def test_I22_an_entry_that_a_new_epoch_decided_before_it_was_reconciled(story: Story) -> None:
    story.plan()
    story.trade("E", "long", 10)
    reopened(story)
    early = story.decide("E", "short", 5)
    story.reconciled()
    story.decide("E", "short", 5, slice_no=1)
    found = story.findings()["I22"]
    assert (len(found.problems), found.cases) == (1, 3)
    assert found.problems[0].startswith(f"{early}: decided in turn")


def test_I24_a_cell_that_restarts_more_often_than_it_may_needs_a_halt(story: Story) -> None:
    story.plan()
    enter(story)
    for _ in range(10):
        reopened(story)
    assert story.failed() == set()
    reopened(story)
    assert story.failed() == {"I24"}
    story.alert("")
    assert story.failed() == set()


def test_I24_a_gateway_that_opens_its_journal_again_is_not_started_again() -> None:
    openings = [Epoch(GATEWAY, number, 0, pid, number) for number, pid in enumerate([1, 1, 1, 2, 2, 1])]
    assert [epoch.epoch for epoch in starts(openings, GATEWAY)] == [0, 3, 5]
    assert starts(openings, 0) == openings, "a cell never does that"


def test_I24_what_is_exposed_at_the_end_is_known_to_a_person(story: Story) -> None:
    story.plan()
    story.trade("E", "short", 10)
    story.outcome(GroupOutcome.HALTED)
    assert "I24" in story.failed()
    assert story.now > SECOND
    story.alert()
    assert "I24" not in story.failed()
