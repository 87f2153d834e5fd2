"""SIGKILL at the moments that matter: around the send, inside of a commit, and during recovery."""

from __future__ import annotations

from pathlib import Path

import pytest
from crash import BEGIN_EPOCH, COMMITTED, INSERTED, Rule
from evidence import finish
from system import Bench, System, bench, cont, id_in_cell, plan, stop, wait_for

from domain.groups import group_tag
from messages.records import IntentStatus
from venue.nasty import Nasty

WARM = id_in_cell(0, "warm")
GROUP = id_in_cell(0, "group")
NEIGHBOUR = id_in_cell(1, "neighbour")
UNANSWERED = (IntentStatus.SENT, IntentStatus.UNRESOLVED)  # the second after a while without an answer


def warmed_up(where: Bench, **environment: str) -> System:
    """A system whose first cell has quotes of everything that the plan trades."""
    system = where.start(**environment)
    system.wait_until_open()
    system.submit(plan(WARM, 2))
    where.wait_until_certified(WARM)
    return system


def wait_for_intents(where: Bench, *statuses: IntentStatus) -> list[str]:
    """The ids of the group's orders, once there are some and all of them are there."""

    def found() -> list[str]:
        intents = where.intents(GROUP)
        return [i.client_order_id for i in intents] if all(i.status in statuses for i in intents) else []

    return wait_for(found, f"all orders of {GROUP} to be {statuses}")


def kill_and_mend(system: System, victim: str) -> None:
    """Kill it; what is not restarted by itself is started again."""
    system.kill(victim)
    if victim == "program":
        system.wait_until_ended()
        wait_for(lambda: not system.bench.left(), "every process to end with its program")
        system.bench.start()


@pytest.mark.parametrize("victim", ["cell-0", "gateway", "program"])
def test_an_order_that_was_recorded_but_not_sent_is_sent_once(tmp_path: Path, victim: str) -> None:
    with bench(tmp_path) as where:
        system = warmed_up(where)
        gateway = system.pid_of("gateway")
        stop(gateway)
        system.submit(plan(GROUP))
        orders = wait_for_intents(where, IntentStatus.INTENT_PERSISTED)
        assert not where.received(GROUP)
        kill_and_mend(system, victim)
        cont(gateway)
        finish(where, WARM, GROUP)
        void = {i.client_order_id for i in where.intents(GROUP) if i.status is IntentStatus.VOID}
        assert void.isdisjoint(where.received(GROUP))
        assert set(orders) <= {*where.received(GROUP), *void}, "neither sent nor proven never to have left"


@pytest.mark.parametrize("victim", ["cell-0", "gateway", "program"])
def test_an_order_whose_acknowledgement_was_lost_is_adopted(tmp_path: Path, victim: str) -> None:
    with bench(tmp_path) as where, where.steering() as hand:
        system = warmed_up(where)
        hand.misbehave(Nasty(lose_ack=1.0))
        system.submit(plan(GROUP))
        wait_for(lambda: where.received(GROUP), "an order to reach the exchange")  # before a snapshot tells of it
        kill_and_mend(system, victim)
        hand.misbehave(Nasty())
        finish(where, WARM, GROUP)


@pytest.mark.parametrize("victim", ["cell-0", "gateway", "program"])
def test_an_order_that_arrives_after_its_sender_has_died_is_not_entered_twice(tmp_path: Path, victim: str) -> None:
    with bench(tmp_path) as where:
        assert where.venue is not None
        system = warmed_up(where)
        with where.venue.frozen():
            system.submit(plan(GROUP))
            wait_for_intents(where, *UNANSWERED)
            kill_and_mend(system, victim)
            assert not where.received(GROUP)
        finish(where, WARM, GROUP)


@pytest.mark.parametrize("moment", [INSERTED, COMMITTED])
def test_a_cell_that_dies_in_the_commit_of_its_first_orders_neither_forgets_nor_repeats_one(
    tmp_path: Path, moment: str
) -> None:
    rule = Rule(notes=str(tmp_path / "deaths"), moment=moment, word="order_intents")
    with bench(tmp_path) as where:
        system = where.start(**rule.environment(tmp_path))
        system.wait_until_open()
        system.submit(plan(GROUP), plan(NEIGHBOUR))
        finish(where, GROUP, NEIGHBOUR)
        assert rule.deaths() == 1
        assert where.epoch(0) == 2
        assert where.epoch(1) == 1


@pytest.mark.parametrize("moment", [INSERTED, COMMITTED])
def test_a_cell_that_dies_in_every_second_commit_about_a_group_still_ends_it(tmp_path: Path, moment: str) -> None:
    rule = Rule(notes=str(tmp_path / "deaths"), moment=moment, word=group_tag(GROUP), every=2, times=8)
    with bench(tmp_path, {"intensity": 50}) as where:
        system = where.start(**rule.environment(tmp_path))
        system.wait_until_open()
        system.submit(plan(GROUP))
        finish(where, GROUP)
        assert rule.deaths() >= 3


@pytest.mark.parametrize("moment", [INSERTED, COMMITTED])
def test_a_plan_is_accepted_once_though_the_cell_dies_before_it_can_answer(tmp_path: Path, moment: str) -> None:
    rule = Rule(notes=str(tmp_path / "deaths"), moment=moment, word="order_groups")
    with bench(tmp_path) as where:
        system = where.start(**rule.environment(tmp_path))
        system.wait_until_open()
        system.submit(plan(GROUP))
        assert rule.deaths() == 1
        finish(where, GROUP)


@pytest.mark.parametrize("word", [BEGIN_EPOCH, "reconciled/"])
def test_a_cell_that_dies_twice_in_its_recovery_recovers_at_the_third_time(tmp_path: Path, word: str) -> None:
    with bench(tmp_path) as where, where.steering() as hand:
        first = warmed_up(where)
        hand.misbehave(Nasty(lose_ack=1.0))
        first.submit(plan(GROUP))
        wait_for(lambda: where.received(GROUP), "an order to reach the exchange")  # before a snapshot tells of it
        first.kill("program")
        first.wait_until_ended()
        hand.misbehave(Nasty())
        rule = Rule(notes=str(tmp_path / "deaths"), moment=INSERTED, word=word, times=2)
        where.start(**rule.environment(tmp_path))
        finish(where, WARM, GROUP)
        assert rule.deaths() == 2


def test_a_cell_that_is_killed_twice_before_the_broker_answers_still_adopts_its_orders(tmp_path: Path) -> None:
    with bench(tmp_path) as where:
        assert where.venue is not None
        system = warmed_up(where)
        with where.venue.frozen():
            system.submit(plan(GROUP))
            wait_for_intents(where, *UNANSWERED)
            for epoch in (2, 3):
                system.wait_until_replaced("cell-0", system.kill("cell-0"))
                assert where.epoch(0) == epoch
                system.wait_for_state("cell-0", "waiting for the broker")
        finish(where, WARM, GROUP)
