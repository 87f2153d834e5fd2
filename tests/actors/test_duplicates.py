"""S9: every input may come twice, at once or after a restart, and has its effects once."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from stories import SHAPES, plan
from world import LONG, World, bull_put

from domain.execution import ExecType
from domain.groups import GroupOutcome, Policy
from messages.market import BrokerSilent
from messages.operator import Acknowledge, CancelGroup, CommandRefused, KillSwitch
from messages.orders import CancelResult, Outcome
from messages.supervision import AlertDelivered
from storage.tables import EXECUTIONS, PROCESSED_EVENTS


class Stutter(World):
    """A world in which every message reaches the cell twice in one turn."""

    def take(self, inputs: Iterable[msgspec.Struct]) -> None:
        super().take([message for message in inputs for _ in range(2)])


class Single(World):
    """A world in which every message is a turn of its own, ``times`` over."""

    times = 1

    def take(self, inputs: Iterable[msgspec.Struct]) -> None:
        for message in list(inputs):
            for _ in range(self.times):
                super().take([message])


class SingleStutter(Single):
    times = 2


def story(world: World) -> World:
    world.submit(plan("g", "iron_condor", 10, Policy.COMPLETE, SHAPES["iron_condor"], stop=30_000))
    world.advance(500, fresh=True)
    world.snapshot()
    world.sizes[LONG] = 0
    world.advance(12_000, fresh=True)
    world.sizes[LONG] = 50
    world.advance(3_000, fresh=True)
    world.take([BrokerSilent("no clock"), KillSwitch(on=True), KillSwitch(on=False)])
    world.snapshot()
    trade = next(r for r in world.exchange.executions() if r.exec_type is ExecType.TRADE)
    world.take(world.exchange.bust(trade.exec_id, world.now_ns))
    world.advance(5_000, fresh=True)
    world.take([CancelGroup("g")])
    world.advance(5_000, fresh=True)
    return world


@pytest.mark.parametrize(("once", "twice"), [(World, Stutter), (Single, SingleStutter)])
def test_a_story_told_twice_over_gives_the_same_orders_rows_and_alerts(once: type[World], twice: type[World]) -> None:
    plain, doubled = story(once(size=4)), story(twice(size=4))
    assert plain.group("g").group.outcome is GroupOutcome.FLAT
    assert doubled.received == plain.received
    for name in ("intents", "execution_states", "hedges", "stops"):
        assert [(type(row), getattr(row, "status", None)) for row in getattr(doubled.group("g"), name)] == [
            (type(row), getattr(row, "status", None)) for row in getattr(plain.group("g"), name)
        ]
    assert doubled.group("g").execution_states == plain.group("g").execution_states
    assert len(doubled.journal.rows(EXECUTIONS)) == len(plain.journal.rows(EXECUTIONS))
    assert {alert.escalation_id for alert in doubled.alerts} == {alert.escalation_id for alert in plain.alerts}
    assert doubled.group("g").group.crashes == 0


def test_reports_and_answers_of_before_a_restart_are_known_after_it() -> None:
    world = World(size=4)
    world.submit(bull_put(quantity=10))
    world.advance(1_000, fresh=True)
    inbox = {row.event_id for row in world.journal.rows(PROCESSED_EVENTS)}
    heard = list(world.heard)
    world.die()
    turns = len(world.journal.turns())
    world.take([])
    world.cell.run([])
    world.cell.run(heard)
    assert {row.event_id for row in world.journal.rows(PROCESSED_EVENTS)} == inbox
    assert len(world.journal.turns()) <= turns + 1  # the levels that the restored actors write anew


def test_an_event_and_its_effects_are_in_one_turn() -> None:
    world = World()
    world.sizes[LONG] = 0
    world.show()
    world.submit(bull_put(quantity=10))
    before = len(world.journal.turns())
    world.deaf = True
    world.sizes[LONG] = 100
    world.show()
    world.deaf = False
    trades = [r for r in world.exchange.executions() if r.exec_type is ExecType.TRADE]
    released = world.cell.run(trades)
    assert len(world.journal.turns()) == before + 1
    assert len(released.requests) == 1
    assert len(world.journal.rows(EXECUTIONS)) == len(trades) == 1


@pytest.mark.parametrize(
    "message",
    [
        KillSwitch(on=False),
        AlertDelivered("NOTHING", 0),
        CancelResult(client_order_id="LK0", request_id="r", outcome=Outcome.ACCEPTED, ts_ns=1),
    ],
)
def test_a_message_that_means_nothing_changes_nothing(message: msgspec.Struct) -> None:
    world = World()
    world.submit(bull_put(quantity=10))
    before = world.group()
    world.take([message, message])
    assert world.group() == before


def test_an_acknowledgement_given_twice_is_refused_the_second_time() -> None:
    world = World()
    world.take([BrokerSilent("no clock")])
    (alert,) = world.alerts
    world.take([Acknowledge(alert.escalation_id, "ada")])
    world.take([Acknowledge(alert.escalation_id, "bob")])
    assert world.escalations("BROKER_SILENT")[0].acknowledged_by == "ada"
    assert len([answer for _, answer in world.replies if isinstance(answer, CommandRefused)]) <= 1
