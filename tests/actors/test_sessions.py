"""The session in the running cell: nothing hammers a closed market, and hedges go out at the opening (E4, R14)."""

from __future__ import annotations

from datetime import UTC, datetime

from world import LONG, SHORT, World, bull_put

from config.schema import BrokerConfig, Config, ControlsConfig
from domain.groups import GroupOutcome, Role
from messages.market import MarketStatus
from messages.operator import CancelGroup, CommandDone, CommandRefused, GroupAccepted
from venue.rules import Rules

US = Config(broker=BrokerConfig(calendar="us_options"))
HOUR_MS = 3_600_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def go_to(world: World, text: str) -> None:
    """Let the exchange's clock reach this moment, with fresh quotes."""
    world.now_ns = at(text)
    world.take([*world.exchange.advance(world.now_ns), world.tick()])
    world.show()
    world.take([world.funds(), world.tick()])


def test_e4_new_risk_is_refused_outside_of_the_session_with_the_reason_and_the_next_opening() -> None:
    world = World(config=US)
    go_to(world, "2021-01-04T21:00")  # 16:00 in New York
    world.submit(bull_put())
    (_, answer) = world.replies[-1]
    assert isinstance(answer, CommandRefused)
    assert "the us_options session is closed; it opens 2021-01-05 09:30 EST" in answer.problems[0]
    assert world.received == []
    go_to(world, "2021-01-05T14:30")
    world.submit(bull_put())
    assert isinstance(world.replies[-1][1], GroupAccepted)
    assert world.group().group.outcome is GroupOutcome.HEDGED


def test_a_day_that_no_table_covers_takes_no_new_risk() -> None:
    world = World(config=US)
    go_to(world, "2031-03-03T15:00")
    world.submit(bull_put())
    (_, answer) = world.replies[-1]
    assert isinstance(answer, CommandRefused)
    assert "covers 2015 to 2027 and says nothing about 2031-03-03" in answer.problems[0]


def short_of_protection(world: World) -> None:
    """Hedged, and then the exchange busts the protection: the short stands bare."""
    world.submit(bull_put())
    assert world.group().group.outcome is GroupOutcome.HEDGED
    bought = next(e for e in world.exchange.executions() if e.symbol == LONG)
    world.sizes = dict.fromkeys(world.sizes, 0)  # what replaces it finds nobody
    world.show()
    world.take(world.exchange.bust(bought.exec_id, world.now_ns))


def test_r14_a_hedge_waits_for_the_opening_of_a_closed_session_and_a_person_is_told_once() -> None:
    world = World(config=US)
    world.submit(bull_put())
    bought = next(e for e in world.exchange.executions() if e.symbol == LONG)
    go_to(world, "2021-01-04T21:00:01")
    before = len(world.orders())
    world.take(world.exchange.bust(bought.exec_id, world.now_ns))
    world.advance(20_000)
    world.advance(HOUR_MS, step_ms=60_000)
    assert len(world.orders()) == before, "a closed market is not hammered"
    (waits,) = world.escalations("HEDGE_WAITS")
    assert waits.quantity == 10
    assert (
        f"buy 10 {LONG} is needed and cannot be sent: the us_options session is closed; it opens 2021-01-05"
        in waits.text
    )
    assert world.escalations("IMMEDIATE_MANUAL_HEDGE") == []
    go_to(world, "2021-01-05T14:30")
    assert world.position(LONG) == 10
    assert [order.role for order in world.orders()[-1:]] == [Role.HEDGE]
    assert world.group().group.outcome is GroupOutcome.HEDGED


def test_the_time_of_a_hedge_stands_still_while_the_session_is_closed() -> None:
    world = World(config=US)
    go_to(world, "2021-01-04T20:59:58")
    short_of_protection(world)
    world.advance(1_000)
    hedging = len(world.orders(Role.HEDGE))
    assert hedging > 0
    world.advance(1_500)  # the close comes with the hedge under way; the exchange ends its order
    working = world.live()
    world.take(world.exchange.advance(world.now_ns))
    world.advance(HOUR_MS, step_ms=60_000)
    assert world.escalations("IMMEDIATE_MANUAL_HEDGE") == []
    assert len(world.orders(Role.HEDGE)) == hedging, working
    world.sizes = dict.fromkeys(world.sizes, 100)
    go_to(world, "2021-01-05T14:30")
    world.advance(6_000, fresh=True)
    assert world.position(LONG) == 10


def test_a_group_that_is_canceled_in_a_closed_session_is_closed_at_the_opening() -> None:
    world = World(config=US)
    world.submit(bull_put())
    go_to(world, "2021-01-04T22:00")
    before = len(world.orders())
    world.take([CancelGroup("bp")])
    (_, answer) = world.replies[-1]
    assert isinstance(answer, CommandDone)
    assert "once orders may leave: the us_options session is closed" in answer.text
    world.advance(60_000, step_ms=1_000)
    assert len(world.orders()) == before
    go_to(world, "2021-01-05T14:30")
    world.advance(5_000, fresh=True)
    assert world.position(SHORT) == world.position(LONG) == 0
    assert world.group().group.outcome is GroupOutcome.FLAT


def test_a_cell_that_dies_in_a_closed_session_waits_on_and_closes_at_the_opening() -> None:
    world = World(config=US)
    world.submit(bull_put())
    go_to(world, "2021-01-04T22:00")
    world.take([CancelGroup("bp")])
    before = len(world.orders())
    world.restart()
    world.advance(60_000, step_ms=1_000)
    assert len(world.orders()) == before
    go_to(world, "2021-01-05T14:30")
    world.advance(5_000, fresh=True)
    assert world.group().group.outcome is GroupOutcome.FLAT


def test_a_halt_holds_everything_up_until_the_exchange_says_that_it_resumes() -> None:
    world = World()
    world.submit(bull_put())
    bought = next(e for e in world.exchange.executions() if e.symbol == LONG)
    before = len(world.orders())
    world.take([MarketStatus(halted=True, reason="circuit breaker")])
    assert "TRADING_HALTED" in world.kinds()
    world.take(world.exchange.bust(bought.exec_id, world.now_ns))
    world.submit(bull_put("more"))
    (_, answer) = world.replies[-1]
    assert isinstance(answer, CommandRefused)
    assert "the exchange has halted trading: circuit breaker" in answer.problems[0]
    world.advance(20_000)
    assert len(world.orders()) == before
    world.take([MarketStatus(halted=False)])
    world.advance(6_000, fresh=True)
    assert world.position(LONG) == 10


def test_r14_an_exchange_that_is_closed_against_the_calendar_is_asked_a_bounded_number_of_times() -> None:
    """With the calendar 'always': every attempt is capped and spaced, and then a person is called."""
    world = World(rules=Rules(cash=10**15, session_close_ns=at("2021-01-04T15:00")))
    world.submit(bull_put())
    assert world.group().group.outcome is GroupOutcome.HEDGED
    go_to(world, "2021-01-04T15:00:01")
    before = len(world.orders())
    world.take([CancelGroup("bp")])
    world.advance(120_000)
    assert world.escalations("IMMEDIATE_MANUAL_HEDGE")
    asked = world.orders()[before:]
    assert 0 < len(asked) <= 24
    world.advance(600_000, step_ms=1_000)
    assert len(world.orders()) - before == len(asked)


def test_nothing_is_opened_in_what_is_restricted() -> None:
    world = World(config=Config(controls=ControlsConfig(restricted=("xyz",))))
    world.submit(bull_put())
    (_, answer) = world.replies[-1]
    assert isinstance(answer, CommandRefused)
    assert [p for p in answer.problems if "XYZ is restricted (controls.restricted)" in p]
    assert world.received == []
