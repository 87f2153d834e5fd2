"""The audit of orders that were told without exec ids: by the exchange's numbers, and no blinder for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_story import Story

from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.report_ids import execution_id
from venue.audit.nameless import Untold
from venue.truth import TruthEvent

PX = 12_500


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


def nameless(story: Story) -> str:
    story.plan()
    return story.send(story.decide("E", "long", 10), nameless=True)


def test_fills_that_the_journal_knows_by_their_quantities_are_the_exchange_s(story: Story) -> None:
    order = nameless(story)
    story.fill(order, 4, heard=False)
    story.hear(order, f"#4/4@{PX}", "trade", 4, 4)
    story.fill(order, 6, heard=False)
    story.hear(order, f"#10/6@{PX}", "trade", 6, 6)
    assert not story.failed() & {"I11", "I12", "I29"}


def test_I12_a_fill_that_counts_again_under_a_later_time(story: Story) -> None:
    order = nameless(story)
    story.fill(order, 4, heard=False)
    story.hear(order, f"#4/4@{PX}", "trade", 4, 4)
    story.hear(order, f"#4/4@{PX}/2", "trade", 4, 4)
    assert {"I12", "I29"} <= story.failed()


def test_I12_a_fill_that_nobody_heard_of(story: Story) -> None:
    order = nameless(story)
    story.fill(order, 4, heard=False)
    assert {"I12", "I29"} <= story.failed()
    assert "I12" not in story.failed(at_rest=False)


def test_the_exchange_s_own_ids_are_not_what_the_journal_can_know(story: Story) -> None:
    order = nameless(story)
    story.fill(order, 4)
    assert "I29" in story.failed()


def event(kind: str, number: int, quantity: int, px: float, ref: str = "") -> TruthEvent:
    return TruthEvent(kind=kind, ts_ns=number, exec_id=f"E{number}", exec_ref_id=ref, last_qty=quantity, last_px=px)  # type: ignore[arg-type]


def report(kind: ExecType, cum: int, qty: int, px: int, avg_px: int) -> ExecutionReport:
    return ExecutionReport(
        client_order_id="X", exec_type=kind, ord_status=OrdStatus.NEW, exec_id="", ts_ns=1, order_qty=10, cum_qty=cum,
        leaves_qty=10 - cum, last_qty=qty, last_px=px, avg_px=avg_px,
    )  # fmt: skip


def test_the_audit_s_arithmetic_and_the_system_s_come_to_the_same_ids() -> None:
    untold = Untold()
    told = [
        untold.told(event("fill", 1, 4, 1.25)),
        untold.told(event("fill", 2, 3, 1.26)),
        untold.told(event("corrected", 3, 2, 1.25, ref="E2")),
        untold.told(event("busted", 4, 4, 1.25, ref="E1")),
    ]
    heard = [
        report(ExecType.TRADE, 4, 4, 12_500, 12_500),
        report(ExecType.TRADE, 7, 3, 12_600, 12_543),
        report(ExecType.TRADE_CORRECT, 6, 2, 12_500, 12_500),
        report(ExecType.TRADE_CANCEL, 2, 0, 0, 12_500),
    ]
    assert [one.exec_id for one in told] == [execution_id(one) for one in heard]
    assert told[-1][1:] == (2, 12_500)


@pytest.mark.parametrize("answered", [False, True])
def test_I3_a_late_fill_in_the_words_of_one_before_a_bust_is_known_by_an_answer_only(
    story: Story, answered: bool
) -> None:
    order = nameless(story)
    story.fill(order, 4, heard=False)
    story.hear(order, f"#4/4@{PX}", "trade", 4, 4)
    busted = story.fill(order, 6, heard=False)
    story.hear(order, f"#10/6@{PX}", "trade", 6, 6)
    story.bust(order, busted, 6, heard=False)
    story.hear(order, f"#trade_cancel/4@{PX}", "trade_cancel", 6, -6)
    if answered:  # it is: the next attempt is decided in full knowledge of it
        story.fill(order, 6, heard=False)
        story.hear(order, "#order_status", "order_status", 10, 6)
        story.send(story.decide("E", "long", 6, attempt=2))
    else:
        story.send(story.decide("E", "long", 6, attempt=2))
        story.fill(order, 6, heard=False)
    assert ("I3" in story.failed()) is answered
