"""I25, E5 and E20: what works together, as the exchange saw it when each entry arrived."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audit_story import Story

from domain.execution import OrdType, Side
from messages.records import ControlAction

DAY_S = 86_400


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    told.plan(target=50)
    yield told
    told.journal.close()


def said(story: Story) -> list[str]:
    """What is said of sums."""
    problems = story.findings()["I25"].problems
    return [
        problem.partition(": ")[2].rpartition(", at ")[0]
        for problem in problems
        if ": E5: " in problem or ": E20" in problem
    ]


def entry(story: Story, leg: str = "long", quantity: int = 5, slice_no: int = 0, **terms: Any) -> str:
    """An entry: the long leg is bought, the short one sold, at 1.25."""
    return story.send(story.decide("E", leg, quantity, slice_no=slice_no, **terms))


def test_E5_as_many_orders_as_may_be_open(story: Story) -> None:
    story.limit(max_open_orders=2)
    first = entry(story)
    entry(story, slice_no=1)
    assert said(story) == []
    story.cancel(first)
    entry(story, slice_no=2)
    assert said(story) == [], "what has ended is not open"
    entry(story, slice_no=3)
    assert said(story) == ["E5: 2 orders of ours work; expected fewer than 2"]


def test_E5_a_repair_may_be_one_order_too_many(story: Story) -> None:
    story.limit(max_open_orders=1)
    entry(story)
    story.send(story.decide("H", "long", 5, ordinal=1))
    assert said(story) == []


def test_E5_a_person_may_let_an_order_pass(story: Story) -> None:
    story.limit(max_open_orders=1)
    entry(story)
    order = story.decide("E", "long", 5, slice_no=1)
    story.control(f"use/{order}/E5", ControlAction.USED)
    story.send(order)
    assert said(story) == []


def test_E5_what_is_short_and_what_is_being_sold(story: Story) -> None:
    story.limit(max_short_units_underlying=10)
    sold = entry(story, "short", 6)
    story.fill(sold, 4)
    entry(story, "short", 4, slice_no=1)
    assert said(story) == []
    entry(story, "short", 1, slice_no=2)
    assert said(story) == ["E5: 11 units of ACME are short or being sold; expected at most 10"]


def test_E5_what_is_short_of_the_account(story: Story) -> None:
    story.limit(max_short_units=10)
    entry(story, "short", 11)
    assert said(story) == ["E5: 11 units of the account are short or being sold; expected at most 10"]


@pytest.mark.parametrize("heard", [True, False])
def test_E5_a_sale_that_was_bought_back_is_short_no_more(story: Story, heard: bool) -> None:
    story.limit(max_short_units_underlying=10)
    story.trade("E", "short", 10)
    story.fill(story.send(story.decide("C", "short", 3)), 3, heard=heard)
    entry(story, "short", 3, slice_no=1)
    assert said(story) == []
    entry(story, "short", 1, slice_no=2)
    assert len(said(story)) == 1


@pytest.mark.parametrize("heard", [True, False])
def test_E5_what_is_held_covers_its_own_sale_until_its_cell_has_heard_that_a_repair_sold_it(
    story: Story, heard: bool
) -> None:
    story.limit(max_short_units_underlying=10)
    story.trade("E", "long", 10)
    story.fill(story.send(story.decide("C", "long", 10)), 10, heard=heard)
    story.plan("g2", target=50)
    entry(story, "long", 11, group_id="g2", side=Side.SELL)
    assert len(said(story)) == heard


@pytest.mark.parametrize("surprise", ["late", "bust"])
def test_E5_what_nobody_need_have_heard_of_is_not_counted(story: Story, surprise: str) -> None:
    story.limit(max_short_units_underlying=10)
    if surprise == "late":
        sold = entry(story, "short", 5)
        story.cancel(sold)
        story.fill(sold, 5, heard=False)
    else:
        bought = story.send(story.decide("H", "short", 5, side=Side.BUY, ordinal=1))
        story.bust(bought, story.fill(bought, 5), 5, heard=False)
    entry(story, "short", 10, slice_no=1)
    assert said(story) == []


def test_E5_units_that_came_without_an_order_cover_a_sale(story: Story) -> None:
    story.limit(max_short_units_underlying=10)
    story.move("short", 5)
    entry(story, "short", 15)
    assert said(story) == []


def test_E5_the_money_of_entries_that_work(story: Story) -> None:
    story.limit(max_working_notional=1_250)
    story.fill(entry(story, quantity=6), 2)
    entry(story, "short", 6)
    assert said(story) == []
    entry(story, "short", 1, slice_no=1)
    assert said(story) == ["E5: 1375.00 of entries work; expected at most 1250"]


def test_E5_a_market_order_costs_the_lowest_middle_that_its_sender_can_have_seen(story: Story) -> None:
    story.limit(max_working_notional=1_250)
    entry(story, quantity=10, price=0, order_type=OrdType.MARKET)
    assert said(story) == []
    entry(story, quantity=1, price=0, order_type=OrdType.MARKET, slice_no=1)
    assert said(story) == [], "what its sender cannot have known the price of counts nothing when it works"
    entry(story, quantity=11, price=0, order_type=OrdType.MARKET, slice_no=2)
    assert said(story) == ["E5: 1375.00 of entries work; expected at most 1250"]


@pytest.mark.parametrize("wait_s", [0, 1])
def test_an_entry_that_was_overtaken_was_judged_before_the_others_left(story: Story, wait_s: int) -> None:
    story.limit(max_open_orders=1)
    first, second = story.decide("E", "long", 5), story.decide("E", "long", 5, slice_no=1)
    story.leave(first)
    story.wait(wait_s)
    story.leave(second)
    story.send(second)
    story.send(first)
    charged = [problem.partition(":")[0] for problem in story.findings()["I25"].problems if ": E5: " in problem]
    assert charged == [second] * (not wait_s), "who left in the same instant knew of the first"


@pytest.mark.parametrize("wait_s", [0, 1])
def test_E5_what_left_in_the_same_instant_counts_whole_whatever_has_become_of_it(story: Story, wait_s: int) -> None:
    story.limit(max_working_notional=1_250, max_day_premium=1_250)
    at_market: dict[str, Any] = {"price": 0, "order_type": OrdType.MARKET}
    first = story.decide("E", "long", 6, **at_market)
    second = story.decide("E", "long", 5, slice_no=1, **at_market)
    story.leave(first)
    story.wait(wait_s)
    story.leave(second)
    story.fill(story.send(first), 6, heard=False)
    story.send(second)
    assert [problem[:7] for problem in said(story)] == ["E5: 137", "E20: 13"] * (not wait_s)


@pytest.mark.parametrize("heard", [True, False])
def test_E20_what_a_market_order_cost_counts_once_it_is_known(story: Story, heard: bool) -> None:
    story.limit(max_day_premium=1_250)
    story.fill(entry(story, quantity=6, price=0, order_type=OrdType.MARKET), 6, heard=heard)
    entry(story, slice_no=1)
    assert len(said(story)) == heard


@pytest.mark.parametrize(("change", "wrong"), [({"qty": 7}, 1), ({"price": 1.5}, 1), ({"qty": 4}, 0)])
def test_E5_a_change_that_asks_for_more(story: Story, change: dict[str, Any], wrong: int) -> None:
    story.limit(max_working_notional=625)
    order = entry(story)
    story.line("modify", client_order_id=order, request_id="m1", role="PROTECTION")
    story.event("replaced", order, request_id="m1", **change)
    assert len(said(story)) == wrong


def test_E20_the_premium_of_an_order(story: Story) -> None:
    story.limit(max_order_premium=1_250)
    entry(story, quantity=10)
    entry(story, "short", 20)
    assert said(story) == []
    entry(story, quantity=11, slice_no=1)
    assert said(story) == ["E20: 1375.00 of premium; expected at most 1250"]


@pytest.mark.parametrize(("wait_s", "wrong"), [(0, 1), (DAY_S, 0)])
def test_E20_the_premium_of_a_day(story: Story, wait_s: int, wrong: int) -> None:
    story.limit(max_day_premium=1_250)
    story.trade("E", "long", 6)
    story.wait(wait_s)
    entry(story, slice_no=1)
    wire = said(story)
    assert wire == ["E20: 1375.00 of premium are paid or being paid on this day; expected at most 1250"] * wrong


def test_E20_a_fill_that_nobody_need_have_heard_of_has_cost_nothing_yet(story: Story) -> None:
    story.limit(max_day_premium=1_250)
    late = entry(story, quantity=6)
    story.cancel(late)
    story.fill(late, 6, heard=False)
    entry(story, slice_no=1)
    assert said(story) == []
