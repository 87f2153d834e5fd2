"""The journal against its own log: every planted violation of I11, I20 and I23 is caught."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_story import Story, enter

from venue.audit.fold import counted


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


def spoil(story: Story, statement: str) -> None:
    """Change the journal behind the system's back."""
    conn = sqlite3.connect(story.directory / "cell-0.db")
    conn.execute(statement)
    conn.commit()
    conn.close()


def execution(exec_id: str, kind: str, quantity: int = 0, ref: str = "", ts_ns: int = 1) -> dict[str, object]:
    return {"exec_id": exec_id, "exec_type": kind, "last_qty": quantity, "exec_ref_id": ref, "ts_ns": ts_ns}


CORRECTED = execution("b", "trade_correct", 2, "a")


@pytest.mark.parametrize(
    ("executions", "quantity"),
    [
        ([], 0),
        ([execution("a", "trade", 3), execution("b", "trade", 4)], 7),
        ([execution("a", "trade", 3), execution("b", "trade_correct", 2, "a")], 2),
        ([execution("b", "trade_correct", 2, "a"), execution("c", "trade_correct", 1, "b", 2)], 1),
        ([execution("a", "trade", 3), CORRECTED, execution("c", "trade_cancel", 0, "b")], 0),
        ([execution("a", "trade_correct", 2, "b"), execution("b", "trade_correct", 2, "a")], 0),
        ([execution("#4/4@5", "trade", 4), execution("#9/5@5", "trade", 5)], 9),
        ([execution("#4/4@5", "trade", 4), execution("#6/6@7", "trade", 6), execution("#5/1@5", "trade", 1)], 6),
    ],
)  # fmt: skip
def test_a_trade_counts_once_by_its_last_correction_and_not_at_all_when_busted(
    executions: list[dict[str, object]], quantity: int
) -> None:
    for order in (executions, executions[::-1]):
        assert counted({str(one["exec_id"]): one for one in order}) == quantity


def test_I11_an_execution_that_was_heard_twice_and_counted_twice(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    exec_id = story.fill(order, 4)
    story.fill(order, 4)
    assert "I11" not in story.failed()
    story.hear(order, exec_id, "trade", 4, 4)
    assert "I11" in story.failed()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE order_intents SET quantity = 11", "quantity is 11; expected 10"),
        ("UPDATE execution_states SET avg_px = 1.2501", "avg_px is 1.2501; expected 12500"),
        ("UPDATE execution_states SET knowledge = x'9201c0'", "knowledge is None; expected ["),
        ("DELETE FROM executions", "in the log; expected its row"),
        ("INSERT INTO processed_events VALUES ('x', 'Tick', '', 0)", "a row that the log does not know"),
    ],
)
def test_I20_a_table_that_is_not_what_the_log_says(story: Story, statement: str, said: str) -> None:
    story.plan()
    enter(story)
    assert story.failed() == set()
    spoil(story, statement)
    found = story.findings()["I20"]
    assert not found.passed
    assert said in found.problems[0]


def test_I23_a_message_that_took_effect_twice(story: Story) -> None:
    story.plan()
    enter(story)
    story.reconciled()
    story.taken("report/1")
    assert story.failed() == set()
    story.taken("report/1")
    assert story.failed() == {"I23"}
