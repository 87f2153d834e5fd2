"""A crash is a rollback: of one group's part of one step, and of nothing else (S9, I16, I23, I24)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import asdict, replace
from thespian.actors import ActorAddress, ActorExitRequest
from world import LONG, SHORT, World, bull_put, call, leg

from actors.hedge import Hedge
from actors.leg import Leg
from actors.order_group import OrderGroup
from actors.shell import GroupActor
from actors.stop_loss import StopLoss
from decisions.groups import group as group_core
from decisions.groups import leg as leg_core
from decisions.orders import bookkeeping
from domain.execution import ExecType, ExecutionReport
from domain.groups import GroupOutcome, Mode, Plan, Role
from messages.group import Bulletin, LegProgressed
from messages.operator import CancelGroup, CommandRefused, SubmitGroup
from messages.orders import SubmitOrder
from storage.port import CommitUnknown, GroupRows

HEDGED = GroupOutcome.HEDGED


def bear_call(group_id: str) -> Plan:
    return Plan(group_id=group_id, quantity=10, legs=(leg(call(110), "buy"), leg(call(105), "sell")))


def actors(world: World, kind: type[GroupActor]) -> list[tuple[ActorAddress, Any]]:
    """The living actors of a kind, with their state."""
    registry = world.cell.system._systemBase.actorRegistry
    return [
        (ref.address, ref.instance.state) for ref in registry.values() if ref is not None and type(ref.instance) is kind
    ]


def _raise(*_: Any) -> Any:
    raise RuntimeError("a planted bug")


class Sabotage:
    """Makes the leg's decision raise for reports of one group; counts how often."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, group_id: str, when: Callable[[int], bool]) -> None:
        self.raised = 0
        decide = leg_core.decide

        def broken(state: Any, message: Any, moment: Any) -> Any:
            told = message.news if isinstance(message, Bulletin) else (message,)
            trade = any(isinstance(one, ExecutionReport) and one.exec_type is ExecType.TRADE for one in told)
            if trade and state.entry.group_id == group_id and when(self.raised):
                self.raised += 1
                decide(state, message, moment)  # it fails after it has decided, as a bug would
                raise RuntimeError("a planted bug")
            return decide(state, message, moment)

        monkeypatch.setattr(leg_core, "decide", broken)


def timeless(rows: GroupRows) -> list[dict[str, Any]]:
    """A group's rows without what tells how much else the exchange had to do: times and its own ids."""
    theirs = ("broker_order_id", "cause")
    tables = (rows.group,), rows.legs, rows.intents, rows.hedges, rows.stops
    return [
        {name: value for name, value in asdict(row).items() if not name.endswith("_ns") and name not in theirs}
        for table in tables
        for row in table
    ]


def two_groups() -> World:
    """Two groups whose first orders are at the exchange and wait for size."""
    world = World(size=0)
    world.take([SubmitGroup(bull_put("bad")), SubmitGroup(bear_call("good"))])
    world.sizes = dict.fromkeys(world.sizes, 100)
    return world


class TestAnActorThatRaises:
    def test_once_is_rolled_back_and_tried_again_as_if_nothing_had_happened(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = two_groups()
        sabotage = Sabotage(monkeypatch, "bad", lambda raised: raised == 0)
        world.show()
        assert sabotage.raised == 1
        assert world.group("bad").group.crashes == 1
        assert not world.group("bad").group.quarantined
        assert world.group("bad").group.outcome is world.group("good").group.outcome is HEDGED
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
        assert not world.rejected()
        assert not world.alerts

    def test_over_several_pieces_of_news_is_told_each_by_itself_and_only_the_poison_is_parked(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = two_groups()
        world.sizes = dict.fromkeys(world.sizes, 4)
        reports = [report for _ in range(2) for report in world._quote(world.prices)]
        fills = [report for report in reports if report.exec_type is ExecType.TRADE and report.symbol == LONG]
        assert [fill.last_qty for fill in fills] == [4, 4]
        decide = leg_core.decide

        def broken(state: Any, message: Any, moment: Any) -> Any:
            told = message.news if isinstance(message, Bulletin) else (message,)
            if fills[0] in told:
                raise RuntimeError("a planted bug")
            return decide(state, message, moment)

        monkeypatch.setattr(leg_core, "decide", broken)
        world.take(reports)
        (parked,) = world.rejected()
        assert (parked.incoming, parked.client_order_id) == ("ExecutionReport", fills[0].client_order_id)
        (order,) = (rows for rows in world.group("bad").execution_states if rows.cum_qty)
        assert order.cum_qty == 4, "what came after the poison was lost with it"
        assert order.knowledge.missing_qty == 4
        assert world.group("good").group.crashes == 0

    def test_what_other_actors_of_the_group_had_asked_for_in_that_step_is_not_released(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = World()
        decide = group_core.decide
        raised: list[LegProgressed] = []

        def broken(state: Any, message: Any, moment: Any) -> Any:
            short_is_out = isinstance(message, LegProgressed) and message.leg_id == "sellP95" and message.entry_live
            if short_is_out and len(raised) < 3:
                raised.append(message)
                raise RuntimeError("a planted bug")
            return decide(state, message, moment)

        monkeypatch.setattr(group_core, "decide", broken)
        world.submit(bull_put(quantity=10))
        assert len(raised) == 3, "once with all the news, twice with the piece that it was"
        assert world.group().group.quarantined
        assert not world.orders(Role.RISK), "an order of a step that was rolled back has left"
        assert not [intent for intent in world.group().intents if intent.role is Role.RISK]

    def test_twice_parks_the_message_and_quarantines_this_group_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = two_groups()
        sabotage = Sabotage(monkeypatch, "bad", lambda raised: raised < 2)
        world.show()
        assert sabotage.raised == 2
        bad, good = world.group("bad").group, world.group("good").group
        assert (bad.quarantined, bad.crashes, bad.mode) == (True, 2, Mode.REDUCING)
        assert (good.quarantined, good.crashes, good.outcome) == (False, 0, HEDGED)
        (parked,) = world.rejected()
        assert (parked.group_id, parked.incoming) == ("bad", "ExecutionReport")
        assert parked.reason.startswith("parked: Leg raised RuntimeError: a planted bug (broken, line ")
        assert parked.client_order_id == world.group("bad").intents[0].client_order_id
        assert [alert.group_id for alert in world.escalations("GROUP_QUARANTINED")] == ["bad"]

    def test_the_other_groups_of_the_turn_commit_as_if_nothing_had_happened(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain, hurt = two_groups(), two_groups()
        plain.show()
        Sabotage(monkeypatch, "bad", lambda _: True)
        hurt.show()
        assert timeless(hurt.group("good")) == timeless(plain.group("good"))

    def test_the_parked_fill_is_found_by_the_next_poll(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = two_groups()
        Sabotage(monkeypatch, "bad", lambda raised: raised < 2)
        world.show()
        assert world.position(LONG) == 10
        monkeypatch.undo()
        world.snapshot()
        world.advance(10_000, fresh=True)
        bad = world.group("bad")
        assert {state.cum_qty for state in bad.execution_states} == {10}
        assert bad.group.outcome is GroupOutcome.HALTED
        assert world.position(SHORT) == 0, "a quarantined group opened risk"

    def test_a_quarantined_group_can_still_be_closed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = two_groups()
        Sabotage(monkeypatch, "bad", lambda raised: raised < 2)
        world.show()
        monkeypatch.undo()
        world.snapshot()
        world.take([CancelGroup("bad")])
        world.advance(5_000, fresh=True)
        assert (world.position(LONG), world.position(SHORT)) == (0, 0)
        assert world.group("bad").group.outcome is GroupOutcome.FLAT

    def test_a_group_that_crashes_again_and_again_is_quarantined_although_every_retry_worked(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = World(size=1)
        failing = [True]

        def every_other(_: int) -> bool:
            failing[0] = not failing[0]
            return failing[0]

        sabotage = Sabotage(monkeypatch, "bp", every_other)
        world.submit(bull_put(quantity=10))
        world.advance(3_000, fresh=True)
        assert sabotage.raised >= world.config.supervision.group_crashes
        assert world.group().group.quarantined
        assert world.group().group.crashes == world.config.supervision.group_crashes + 1

    def test_a_group_that_cannot_be_handled_at_all_is_given_up_to_a_person(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = two_groups()

        monkeypatch.setattr(leg_core, "start", _raise)
        monkeypatch.setattr(leg_core, "decide", _raise)
        world.take([CancelGroup("bad")])
        record = world.group("bad").group
        assert (record.outcome, record.quarantined) == (GroupOutcome.HALTED, True)
        assert record.reason.startswith("given up: Leg raised RuntimeError")
        assert [cancel.client_order_id for cancel in world.cancels()] == [world.orders()[0].client_order_id]
        assert len(world.escalations("GROUP_GIVEN_UP")) == 1
        assert {parked.incoming for parked in world.rejected()} >= {"CloseGroup", "ExecutionReport"}

    def test_news_for_a_group_that_was_given_up_is_parked_and_answered_with_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = two_groups()
        Sabotage(monkeypatch, "bad", lambda _: True)
        monkeypatch.setattr(leg_core, "start", _raise)
        world.show()
        sent, parked = len(world.received), len(world.rejected())
        world.advance(5_000, fresh=True)
        world.snapshot()
        world.take([CancelGroup("bad")])
        assert len(world.received) == sent
        assert len(world.rejected()) > parked
        assert isinstance(world.replies[-1][1], CommandRefused)
        assert "FOREIGN_ORDER" not in world.kinds()

    def test_the_journal_goes_on_knowing_what_becomes_of_its_orders(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = two_groups()
        Sabotage(monkeypatch, "bad", lambda _: True)
        monkeypatch.setattr(leg_core, "start", _raise)
        world.show()
        world.advance(5_000, fresh=True)
        assert world.group("bad").group.outcome is GroupOutcome.HALTED
        filled = {(state.client_order_id, state.cum_qty) for state in world.group("bad").execution_states}
        assert world.live("bad") == []
        assert filled == {
            (order.client_order_id, order.cum_qty)
            for order in world.exchange.orders(world.now_ns)
            if order.client_order_id in {intent.client_order_id for intent in world.group("bad").intents}
        }

    def test_a_report_that_cannot_even_be_written_down_is_parked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = two_groups()
        Sabotage(monkeypatch, "bad", lambda _: True)
        monkeypatch.setattr(leg_core, "start", _raise)
        monkeypatch.setattr(bookkeeping, "join", _raise)
        world.show()
        world.advance(5_000, fresh=True)
        assert world.group("bad").group.outcome is GroupOutcome.HALTED
        assert "ExecutionReport" in {parked.incoming for parked in world.rejected()}
        assert world.group("good").group.outcome is GroupOutcome.HEDGED

    def test_a_plan_that_crashes_its_group_is_refused_and_leaves_no_trace(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = World()
        start = group_core.start

        def broken(*arguments: Any) -> Any:
            start(*arguments)
            raise RuntimeError("a planted bug")

        monkeypatch.setattr(group_core, "start", broken)
        world.submit(bull_put())
        assert world.journal.group("bp") is None
        assert not world.received
        ((_, answer),) = world.replies
        assert "internal error" in str(answer), "whoever asked gets the first answer: there must be no other"


def rebuilt_equal(world: World, victim: ActorAddress) -> None:
    """Kill an actor; its group must come back from the journal with the very levels and progress that it had."""
    ((_, before),) = actors(world, OrderGroup)
    count = len(actors(world, Leg)), len(actors(world, Hedge)), len(actors(world, StopLoss))
    sent = len(world.received)
    world.cell.system.tell(victim, ActorExitRequest())
    world.cell._close_step()
    world.take([world.tick()])
    ((_, after),) = actors(world, OrderGroup)
    assert after.record.crashes == before.record.crashes + 1
    for field in ("legs", "hedges", "stops", "stop_levels", "opened_ns", "rounds", "awaited", "told"):
        assert getattr(after, field) == getattr(before, field), field
    assert replace(after.record, crashes=0, updated_ns=0) == replace(before.record, crashes=0, updated_ns=0)
    assert (len(actors(world, Leg)), len(actors(world, Hedge)), len(actors(world, StopLoss))) == count
    assert len(world.received) == sent


class TestAnActorThatIsKilled:
    def test_a_killed_leg_takes_its_group_with_it_and_the_journal_brings_it_back(self) -> None:
        world = World(size=3)
        world.submit(bull_put(quantity=10))
        for victim, _ in actors(world, Leg):
            rebuilt_equal(world, victim)
            break
        world.advance(3_000, fresh=True)
        assert world.group().group.outcome is HEDGED
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)

    def test_a_killed_hedge_is_brought_back_with_its_level_and_its_deadline(self) -> None:
        world = World(size=3)
        world.submit(bull_put(quantity=10))
        world.sizes[LONG] = 0
        world.show()
        while len(actors(world, Hedge)) < 2:
            world.advance(500)
        hedges = world.group().hedges
        rebuilt_equal(world, actors(world, Hedge)[-1][0])
        assert world.group().hedges == hedges
        world.sizes[LONG] = 100
        world.advance(2_000, fresh=True)
        assert world.group().group.outcome is HEDGED

    def test_a_killed_stop_loss_is_brought_back_armed(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10, stop=30_000))
        assert world.group().group.outcome is HEDGED
        stops = world.group().stops
        rebuilt_equal(world, actors(world, StopLoss)[0][0])
        assert world.group().stops == stops
        assert len(world.orders(Role.STOP_LIMIT)) == 1


class TestACommitThatFails:
    @pytest.mark.parametrize("durable", [True, False])
    @pytest.mark.parametrize("nth", range(1, 8))
    def test_nothing_is_released_and_a_new_cell_carries_on_without_double_orders(self, nth: int, durable: bool) -> None:
        world = World(size=4)
        world.journal.fail_commit(nth, durable=durable)
        with pytest.raises(CommitUnknown):
            world.submit(bull_put(quantity=10))
            world.advance(2_000, fresh=True)
        sent = len(world.received)
        with pytest.raises(CommitUnknown):
            world.cell.run([SubmitGroup(bull_put("other"))])
        assert len(world.received) == sent
        world.restart()
        if world.journal.group("bp") is None:
            world.submit(bull_put(quantity=10))
        for _ in range(3):
            world.advance(5_000, fresh=True)
            world.snapshot()
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
        assert world.group().group.outcome is HEDGED
        received = [request.client_order_id for request in world.received if isinstance(request, SubmitOrder)]
        accepted = [event.client_order_id for event in world.truth if event.kind == "accepted"]
        assert sorted(set(received)) == sorted(accepted), "an id was accepted twice"
        assert world.group().group.crashes == 0

    def test_the_answers_of_a_turn_that_failed_are_not_given(self) -> None:
        world = World()
        world.journal.fail_commit(1, durable=True)
        with pytest.raises(CommitUnknown):
            world.submit(bull_put())
        assert not world.replies
        assert not world.received
