"""S5 and S6 in a running cell: a group is opened when its worst case fits into the funds, else refused with figures."""

from __future__ import annotations

from msgspec.structs import replace
from world import LONG, SHORT, World, bull_put, call, leg

from actors.admission import Admission
from actors.turn import OrderIndex
from config.schema import Config, MarginConfig
from domain.groups import GroupOutcome, Plan
from messages.market import Funds, Tick
from messages.operator import CommandRefused, GroupAccepted
from venue.rules import Rules

PRICE = 10_000
WIDTH = 5 * 100 * PRICE  # what one spread of the world's bull put can lose at expiry, premium apart
SPREAD_COST = 500 * 100  # bought at 2.05, sold at 2.00
NEED = WIDTH + SPREAD_COST  # per unit: the strategy-based figure, which is the largest here


def poor(cash: int, **config: object) -> World:
    margin = replace(MarginConfig(span_stock_pct=0.0), **config)
    return World(rules=Rules(cash=cash), config=Config(margin=margin))


def last_reply(world: World) -> object:
    return world.replies[-1][1]


def refusal(world: World) -> str:
    answer = last_reply(world)
    assert isinstance(answer, CommandRefused), answer
    (problem,) = answer.problems
    return problem


def test_a_plan_that_does_not_fit_is_refused_with_figures_and_nothing_is_sent_or_stored() -> None:
    world = poor(10 * NEED)
    world.submit(bull_put())
    problem = refusal(world)
    for part in (
        "insufficient margin: the group needs 5,050 (strategy)",
        "available are 5,050, in use 0",
        "with it 100.0 % would be in use, and 90 % is the limit (margin.max_use_pct)",
        "worst scenario: price ",
        "when filled so far: ",
    ):
        assert part in problem
    assert world.received == []
    assert world.journal.group("bp") is None


def test_the_same_plan_is_opened_when_it_fits() -> None:
    world = poor(-(-10 * NEED * 10 // 9))
    world.submit(bull_put())
    assert last_reply(world) == GroupAccepted("bp")
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
    assert world.group().group.outcome is GroupOutcome.HEDGED


def test_a_group_that_was_refused_may_be_submitted_again_smaller() -> None:
    world = poor(10 * NEED)
    world.submit(bull_put())
    world.submit(bull_put(quantity=5))
    assert last_reply(world) == GroupAccepted("bp")


def test_a_limit_of_use_that_was_tightened_holds_for_the_next_group() -> None:
    for most, opened in ((90.0, True), (40.0, False)):
        world = poor(20 * NEED, max_use_pct=most)
        world.submit(bull_put())
        assert (last_reply(world) == GroupAccepted("bp")) is opened


def test_without_funds_no_group_is_opened_and_with_them_it_is() -> None:
    world = World()
    world.die()
    world.funds = lambda: Funds(available=0, used=0, ts_ns=-(10**18))  # type: ignore[method-assign]
    world.link_up()
    world.submit(bull_put())
    assert refusal(world).startswith("not allowed at the moment: funds are not known yet")
    del world.funds
    world.snapshot()
    world.submit(bull_put())
    assert last_reply(world) == GroupAccepted("bp")


def test_figures_that_are_too_old_are_not_known() -> None:
    world = poor(10**13, funds_max_age_ms=1_000)
    world.advance(1_100)
    world.submit(bull_put())
    assert "funds are not known yet" in refusal(world)


class TestReservation:
    def test_groups_that_are_still_being_filled_count_although_the_broker_does_not_know_of_them(self) -> None:
        world = poor(15 * NEED)
        world.mute = True  # the first group's orders have not reached the broker yet
        world.submit(bull_put("first"))
        world.snapshot()
        world.submit(bull_put("second"))
        assert "available are 2,525, in use 5,050" in refusal(world)

    def test_a_new_incarnation_of_the_cell_reserves_for_the_open_groups_that_it_finds(self) -> None:
        world = poor(15 * NEED)
        world.mute = True
        world.submit(bull_put("first"))
        world.restart()
        world.submit(bull_put("second"))
        assert "in use 5,050" in refusal(world)

    def test_it_reserves_what_the_journal_says_they_were_let_in_with_and_needs_no_quotes_for_it(self) -> None:
        world = poor(15 * NEED)
        world.mute = True
        world.submit(bull_put("first"))
        assert world.group("first").group.group.requirement == 10 * NEED
        world.tick = lambda: Tick(world.now_ns)  # type: ignore[method-assign]
        world.restart()
        world.submit(
            Plan(group_id="bp", quantity=10, legs=(leg(LONG, "buy", limit=20_500), leg(SHORT, "sell", limit=20_000)))
        )
        world.advance(MarginConfig().quote_wait_ms)
        assert "in use 5,050" in refusal(world)

    def test_for_a_group_of_an_earlier_release_it_is_worked_out_anew(self) -> None:
        world = poor(15 * NEED)
        world.mute = True
        world.submit(bull_put("first"))
        record = world.group("first").group
        index, admission = OrderIndex(), Admission()
        index.follow(replace(record, group=replace(record.group, requirement=0)))
        admission.take_funds(world.funds(), index.open)
        second = replace(record.group, group_id="second")
        assert "in use 5,050" in admission.refusal(second, world.cell._moment(""), index)

    def test_what_has_ended_is_counted_once_the_brokers_figures_are_newer_and_then_by_them_alone(self) -> None:
        world = poor(15 * NEED)
        world.submit(bull_put("first"))
        assert world.position(SHORT) == -10
        world.submit(bull_put("second"))
        assert "in use 5,050" in refusal(world)
        world.advance(100)
        world.snapshot()
        world.submit(bull_put("second"))
        assert "in use 5,000" in refusal(world)
        world.submit(bull_put("second", quantity=3))
        assert last_reply(world) == GroupAccepted("second")


class TestQuotes:
    def bare(self) -> World:
        """A world whose cell has heard no quotes."""
        world = World()
        world.tick = lambda: Tick(world.now_ns)  # type: ignore[method-assign]
        world.die()
        world.link_up()
        return world

    def test_a_plan_waits_for_the_first_quotes_of_its_legs_and_asks_for_them(self) -> None:
        world = self.bare()
        world.submit(bull_put())
        assert (world.replies, world.received) == ([], [])
        assert world.cell.symbols == {LONG, SHORT}
        del world.tick
        world.advance(100)
        assert last_reply(world) == GroupAccepted("bp")
        assert len(world.replies) == 1

    def test_it_does_not_wait_for_ever(self) -> None:
        world = self.bare()
        world.submit(bull_put())
        world.advance(MarginConfig().quote_wait_ms)
        assert refusal(world).startswith("not allowed at the moment: its margin is not known: no price for")
        world.advance(1_000)
        assert len(world.replies) == 1

    def test_a_plan_with_limits_is_judged_by_them_when_nobody_quotes(self) -> None:
        world = self.bare()
        legs = (leg(LONG, "buy", limit=20_500), leg(SHORT, "sell", limit=20_000))
        world.submit(Plan(group_id="bp", quantity=10, legs=legs))
        world.advance(MarginConfig().quote_wait_ms)
        assert last_reply(world) == GroupAccepted("bp")

    def test_the_gate_may_close_while_it_waits(self) -> None:
        world = self.bare()
        world.submit(bull_put())
        world.cell.gate = replace(world.cell.gate, killed=True)
        world.advance(100)
        assert "new risk is not allowed" in refusal(world)

    def test_submitting_again_while_it_waits_does_not_begin_the_wait_anew(self) -> None:
        world = self.bare()
        world.submit(bull_put())
        world.advance(MarginConfig().quote_wait_ms - 100)
        world.submit(bull_put())
        assert world.replies == []
        world.advance(100)
        assert "its margin is not known" in refusal(world)


def test_s6_a_naked_group_is_refused_for_a_scenario_although_its_premium_would_pay_for_it_now() -> None:
    """The market is quiet and the short call far away; the shock is what is too dear."""
    far = call(120)
    world = World(
        rules=Rules(cash=20_000 * PRICE), config=Config(margin=MarginConfig(naked_pct=0.0, naked_minimum_pct=0.0))
    )
    world.quote(far, 500, 1_000)
    world.take([world.tick()])
    world.submit(Plan(group_id="naked", quantity=100, legs=(leg(far, "sell"),), allow_naked=True))
    problem = refusal(world)
    assert "(SPAN)" in problem
    assert "worst scenario: extreme move up, when filled so far: 100 sellC120" in problem


def test_what_keeps_a_plan_back_is_counted_as_s5_or_s6_and_a_plan_that_fits_is_not() -> None:
    refused, opened = poor(NEED), poor(10**12)
    for world in (refused, opened):
        world.submit(bull_put())
    assert [refused.acted(name) for name in ("S5", "S6")] == [1, 1], "its margin and its worst case are too much"
    assert [opened.acted(name) for name in ("S5", "S6")] == [0, 0]
