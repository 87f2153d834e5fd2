"""I25: one planted violation of every control that the records can judge, and that a correct story passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from audit_story import SECOND, Story, enter, eventful, guard

from domain.calendar import calendar
from domain.execution import OrdType
from venue.lows import Low
from venue.truth import TruthEvent


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


def test_a_clean_run_has_cases_of_every_control(story: Story) -> None:
    eventful(story)
    story.resend(next(order for order in story.intents if order[11] == "H"))
    found = story.findings()["I25"]
    assert found.problems == []
    counts = dict(pair.split() for pair in found.notes[0].partition(";")[0].split(", "))
    judged = {"E1", "E2", "E3", "E5", "E6", "E7", "E8", "E9", "E11", "E12", "E17", "E18", "E20"}
    assert {name for name, count in counts.items() if int(count)} == judged


def entry(**terms: Any) -> Callable[[Story], object]:
    return lambda story: story.send(story.decide("E", "long", **{"quantity": 10, **terms}))


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (entry(quantity=101), "E1: 101 units; expected at most 100"),
        (entry(quantity=50, price=150_000), "E1: worth 75000; expected at most 50000"),
        (entry(price=0), "E2: price 0; expected one above 0"),
        (entry(price=33_000), "E2: 20500 beyond 12500; expected at most 20000"),
        (entry(order_type=OrdType.MARKET), "E2: a market order with price 12500"),
        (entry(quantity=51), "E17: 51 units; expected at most 50 by the freeze quantity"),
        (entry(price=12_550), "E17: price 12550, trigger 0; expected ticks of 100"),
    ],
)
def test_an_order_that_breaks_a_limit(story: Story, plant: Callable[[Story], object], said: str) -> None:
    story.plan()
    plant(story)
    assert any(said in problem for problem in story.findings()["I25"].problems)


def dipped(story: Story, *lows: tuple[float, float]) -> list[str]:
    """What is said of 50 units at the market, decided and arrived at 15.00.

    Quotes of these middles had ended so many seconds after the decision.
    """
    story.wire[0]["controls"]["reference_max_age_ms"] = 10_000
    story.plan()
    terms: dict[str, Any] = {"order_type": OrdType.MARKET, "price": 0, "reference_price": 150_000}
    order = story.decide("E", "long", 50, **terms)
    steps = tuple(Low(story.now + round(s * SECOND), middle) for s, middle in lows)
    story.wait(5)
    story.send(order, bid=14.9, ask=15.1, lows=steps)
    return [problem.partition(": ")[2] for problem in story.findings()["I25"].problems]


def test_E1_a_market_order_may_have_been_measured_while_the_market_was_lower(story: Story) -> None:
    assert dipped(story, (1, 9.9), (2, 14.0)) == []


@pytest.mark.parametrize("lows", [(), ((-1, 9.9),), ((-1, 9.9), (2, 10.1))])
def test_E1_a_market_order_was_at_no_time_so_cheap_since_it_was_decided(
    story: Story, lows: tuple[tuple[float, float], ...]
) -> None:
    (problem,) = dipped(story, *lows)
    assert problem.startswith(f"E1: worth {50500 if len(lows) == 2 else 75000}; expected at most 50000")


def test_E2_a_stop_is_measured_by_its_trigger(story: Story) -> None:
    story.plan(stop_trigger=20_000)
    enter(story)
    order = guard(story)
    assert story.findings()["I25"].problems == []
    story.events = [
        event if event.client_order_id != order else type(event)(**{**facts(event), "price": 3.1})
        for event in story.events
    ]
    assert "E2: 11000 beyond 20000; expected at most 10000" in story.findings()["I25"].problems[0]


def facts(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def test_E2_only_a_repair_may_leave_without_any_quote(story: Story) -> None:
    story.plan()
    story.trade("E", "long", 5)
    story.send(story.decide("E", "long", 5, slice_no=1, reference_price=0), bid=None, ask=None)
    story.hedge("long", 5)
    story.send(story.decide("H", "long", 5, ordinal=1), bid=None, ask=None)
    assert [p.partition(": ")[2][:22] for p in story.findings()["I25"].problems] == ["E2: nothing was quoted"]


def unquoted(story: Story, **terms: Any) -> list[str]:
    """What is said of an entry that left 1 s after it was decided, and found nothing quoted."""
    story.plan()
    order = story.decide("E", "long", 10, **terms)
    story.wait(1)
    story.leave(order)
    story.send(order, bid=None, ask=None)
    return [problem.partition(": ")[2] for problem in story.findings()["I25"].problems]


def test_E2_an_entry_whose_quote_ended_while_it_was_under_way_is_judged_by_that_quote(story: Story) -> None:
    assert unquoted(story) == []


def test_E2_an_entry_whose_quote_ended_may_not_be_dearer_than_that_quote_allowed(story: Story) -> None:
    (problem,) = unquoted(story, price=33_000)
    assert problem.startswith("E2: 20500 beyond 12500; expected at most 20000")


def test_E2_a_quote_that_ended_longer_ago_than_the_gateway_may_go_by_excuses_nothing(story: Story) -> None:
    story.wire[0]["controls"]["reference_max_age_ms"] = 500
    (problem,) = unquoted(story)
    assert problem.startswith("E2: nothing was quoted")


def test_E2_an_order_from_which_the_market_moved_away_is_judged_by_what_it_was_decided_by(story: Story) -> None:
    story.plan()
    story.send(story.decide("E", "long", 5, price=49_000, reference_price=48_500))
    assert story.findings()["I25"].problems == []
    story.send(story.decide("E", "long", 5, slice_no=1, price=59_000, reference_price=48_500))
    assert "E2: 46500 beyond 12500" in story.findings()["I25"].problems[0]


def test_E17_a_contract_that_has_expired(story: Story) -> None:
    story.plan()
    story.wait(30 * 86_400)
    story.send(story.decide("E", "long", 10))
    assert "E17: expired on 2026-01-09" in story.findings()["I25"].problems[0]


def relisted(story: Story, told_s: float, changed_s: float, sent_s: float, **changes: Any) -> list[str]:
    """What is said of an order for 10 at 1.25, of a contract whose listing changes; times from the plan on."""
    story.plan()
    start, symbol = story.now, story.groups["g1"].group.leg("long").instrument.symbol
    listed: dict[str, Any] = {"symbol": symbol, "lot_size": 1, "tick_size": 0.01, "largest_qty": 50}
    changed_ns = start + round(changed_s * SECOND)
    story.events += [
        TruthEvent(kind="listing", ts_ns=start, **listed),
        TruthEvent(kind="list_told", ts_ns=start + round(told_s * SECOND), session=3),
        TruthEvent(kind="listing", ts_ns=changed_ns, **{**listed, **changes}),
    ]
    story.events.sort(key=lambda event: event.ts_ns)
    story.wait(sent_s)
    story.send(story.decide("E", "long", 10), session=3)
    return [problem.partition(": ")[2].rpartition(",")[0] for problem in story.findings()["I25"].problems]


CHANGES = [
    ({"tick_size": 0.1}, "E17: price 12500, trigger 0; expected ticks of 1000"),
    ({"lot_size": 4}, "E17: 10 units; expected whole lots of 4"),
    ({"largest_qty": 5}, "E17: 10 units; expected at most 5 by the freeze quantity"),
    ({"largest_qty": 0}, "E17: 10 units; expected at most 0 by the freeze quantity"),
]


@pytest.mark.parametrize(("changes", "said"), CHANGES)
def test_E17_an_order_that_is_wrong_by_what_its_session_was_told(
    story: Story, changes: dict[str, Any], said: str
) -> None:
    assert relisted(story, 2, 1, 3, **changes) == [said], "the plan was right by the old listing, which was over"


@pytest.mark.parametrize(("changes", "said"), CHANGES)
def test_E17_an_order_that_is_right_by_the_listing_that_its_session_was_told_of(
    story: Story, changes: dict[str, Any], said: str
) -> None:
    assert relisted(story, 1, 2, 3, **changes) == []


@pytest.mark.parametrize(("changes", "said"), CHANGES)
def test_E17_an_order_that_is_right_by_the_listing_before_the_one_that_came_as_its_session_was_told(
    story: Story, changes: dict[str, Any], said: str
) -> None:
    assert relisted(story, 2, 2, 3, **changes) == [], "at one time of the exchange's clock, the list was told first"


def test_E17_an_order_that_its_plan_would_not_have_allowed_and_the_exchange_does(story: Story) -> None:
    story.plan(target=60)
    symbol = story.groups["g1"].group.leg("long").instrument.symbol
    story.events.append(
        TruthEvent(kind="listing", ts_ns=story.now, symbol=symbol, lot_size=1, tick_size=0.01, largest_qty=60)
    )
    story.send(story.decide("E", "long", 60))
    assert [p for p in story.findings()["I25"].problems if "E17" in p] == []


@pytest.mark.parametrize(
    ("beside", "after_s", "wrong"),
    [("close", -1, False), ("close", 4, False), ("close", 6, True), ("open", -1, True), ("open", 0, False)],
)
def test_E17_an_order_that_arrives_between_two_sessions(story: Story, beside: str, after_s: int, wrong: bool) -> None:
    days = calendar("us_options")
    story.wire[0]["calendar"] = "us_options"
    story.plan()
    close_ns = days.standing(days.standing(story.now).next_open_ns).until_ns
    order = story.decide("E", "long", 10)
    story.now = close_ns if beside == "close" else days.standing(close_ns).next_open_ns
    story.wait(after_s)
    story.send(order)
    problems = [problem for problem in story.findings()["I25"].problems if "E17" in problem]
    assert bool(problems) == wrong
    assert all("arrived between two sessions" in problem for problem in problems)


def test_E3_the_same_id_twice_as_a_new_order(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    story.resend(order)
    assert story.findings()["I25"].problems == []
    story.wire[-1]["resend"] = False
    assert "E3: left twice as a new order" in story.findings()["I25"].problems[0]
    story.wire[-1] |= {"resend": True, "quantity": 9}
    assert "E3: left with 2 different contents" in story.findings()["I25"].problems[0]


def test_E6_children_that_exceed_their_parent(story: Story) -> None:
    story.plan()
    story.send(story.decide("E", "long", 6))
    second = story.decide("E", "long", 5, slice_no=1)
    story.leave(second, parent_qty=10)
    story.send(second)
    assert f"{second}: E6: 11 filled and open of its parent; expected 10" in story.findings()["I25"].problems


@pytest.mark.parametrize("overtaken", [False, True])
def test_E6_an_order_that_was_overtaken_is_measured_by_what_its_parent_had_become(
    story: Story, overtaken: bool
) -> None:
    """A link that broke may deliver late what a later one has overtaken, and the parent was raised in between."""
    story.plan()
    first, second = story.decide("E", "long", 6), story.decide("E", "long", 5, slice_no=1)
    left = ((first, 6), (second, 11)) if overtaken else ((second, 11), (first, 6))
    for order, parent_qty in left:
        story.now += SECOND
        story.leave(order, parent_qty=parent_qty)
    story.send(second)
    story.send(first)
    wrong = [problem for problem in story.findings()["I25"].problems if "E6" in problem]
    assert wrong == ([] if overtaken else [f"{first}: E6: 11 filled and open of its parent; expected 6"])


@pytest.mark.parametrize(("role", "most"), [("PROTECTION", 15), ("CLOSE", 20)])
def test_E7_more_requests_in_a_second_than_allowed_with_the_reserve_kept(story: Story, role: str, most: int) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    for number in range(most):
        story.now += SECOND // 100
        story.line("submit", client_order_id=order, role=role, epoch=1, resend=True, quantity=number)
    problems = [problem for problem in story.findings()["I25"].problems if "E7" in problem]
    assert problems == [f"{order}: E7: request {most + 1} of a second; expected {most}"]


def test_E7_a_controls_own_cancels_count_and_so_does_what_left_before_a_restart(story: Story) -> None:
    story.plan()
    order = story.send(story.decide("E", "long", 10))
    for number in range(20):
        story.now += SECOND // 100
        if number == 10:
            story.line("start", controls=story.wire[0]["controls"])
        story.line("cancel", client_order_id=order, request_id=f"{order}/x{number}", epoch=0)
    problems = [problem for problem in story.findings()["I25"].problems if "E7" in problem]
    assert problems == [f"{order}: E7: request 21 of a second; expected 20"]
