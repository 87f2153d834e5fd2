"""R4, R7, R23, I22: start-up and recovery are one path, and it never guesses."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec
import pytest
from world import LONG, SHORT, World, bull_put, call

from domain.execution import ExecutionReport, OrdType, Side, TimeInForce
from domain.groups import GroupOutcome, Role
from domain.quotes import Quote
from messages.market import BrokerUp
from messages.orders import InstrumentList, SubmitOrder
from messages.records import IntentStatus


def unsent(*, deduplicates: bool = True) -> World:
    """A world in which the cell died after the commit of its first intent, before anything left."""
    world = World(deduplicates=deduplicates)
    world.mute = True
    world.submit(bull_put(quantity=10))
    (intent,) = world.group().intents
    assert intent.status is IntentStatus.INTENT_PERSISTED
    world.die()
    world.mute = False
    return world


def test_an_intent_that_never_left_is_sent_again_under_the_same_id() -> None:
    world = unsent()
    (before,) = world.group().intents
    world.advance(2_000)
    assert not world.received, "nothing may leave before the session is reconciled"
    world.link_up()
    first = world.received[0]
    assert isinstance(first, SubmitOrder)
    assert (first.client_order_id, first.resend) == (before.client_order_id, True)
    assert (first.symbol, first.quantity, first.price) == (before.symbol, before.quantity, before.price)
    assert world.group().group.outcome is GroupOutcome.HEDGED


def test_an_absence_that_is_too_fresh_is_no_evidence() -> None:
    world = unsent()
    world.advance(1_900)
    world.link_up()
    assert not world.orders()
    world.advance(100)
    world.snapshot()
    assert world.position(LONG) == 10


def test_an_order_that_did_arrive_is_adopted_and_never_doubled() -> None:
    world = World()
    world.deaf = True
    world.submit(bull_put(quantity=10))
    assert world.position(LONG) == 10
    assert not world.group().execution_states, "the cell knows nothing of it"
    world.deaf = False
    world.restart()
    world.advance(5_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
    assert len([event for event in world.truth if event.kind == "order_received"]) == 2


def test_r7_a_broker_that_does_not_deduplicate_gets_a_new_order_only_after_two_absences() -> None:
    world = unsent(deduplicates=False)
    world.advance(2_000)
    world.link_up()
    assert not world.orders()
    world.snapshot()
    world.advance(1_900)
    world.snapshot()
    assert world.group().intents[0].status is IntentStatus.INTENT_PERSISTED, (
        "the same snapshot again is no new evidence, nor is one that may lag as the first did"
    )
    world.advance(100)
    world.snapshot()
    void, again = world.group().intents[:2]
    assert (void.status, again.attempt) == (IntentStatus.VOID, 2)
    assert not any(isinstance(request, SubmitOrder) and request.resend for request in world.received)
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)


def test_a_void_order_that_turns_up_after_all_is_counted_and_its_excess_reversed() -> None:
    world = unsent(deduplicates=False)
    lost = world.lost[0]
    world.advance(2_000)
    world.link_up()
    world.advance(2_000)
    world.snapshot()
    assert world.group().group.outcome is GroupOutcome.HEDGED
    world.show()
    world.take(world.send_late(lost))
    world.advance(5_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
    assert world.group().group.outcome is GroupOutcome.HEDGED


def test_an_order_that_no_intent_explains_is_alerted_and_not_touched() -> None:
    world = World()
    reply = world.exchange.submit(
        client_order_id="somebody-else",
        symbol=call(100),
        side=Side.SELL,
        quantity=3,
        order_type=OrdType.LIMIT,
        time_in_force=TimeInForce.DAY,
        price=90_000,
        trigger_price=0,
        now_ns=world.now_ns,
    )
    world.take(reply.reports)
    world.snapshot()
    world.restart()
    (alert,) = world.escalations("FOREIGN_ORDER")
    assert (alert.symbol, alert.quantity) == (call(100), 3)
    assert "'somebody-else' (sell 3" in alert.text
    assert not world.received


def test_r23_an_order_with_our_prefix_and_no_intent_is_foreign_and_never_taken_for_one_of_ours() -> None:
    world = World()
    world.submit(bull_put(quantity=10))
    (known, _) = world.orders()
    reply = world.exchange.submit(
        client_order_id=known.client_order_id[:-1] + "9",
        symbol=LONG,
        side=Side.BUY,
        quantity=3,
        order_type=OrdType.LIMIT,
        time_in_force=TimeInForce.DAY,
        price=500,
        trigger_price=0,
        now_ns=world.now_ns,
    )
    world.take(reply.reports)
    assert "FOREIGN_ORDER" in world.kinds()
    assert world.group().group.crashes == 0


def test_r23_a_fill_is_known_by_its_tag_although_another_order_looks_the_same() -> None:
    """While the cell is down, somebody buys as much of the same contract as the group wants to."""
    world = World(size=0)
    world.submit(bull_put(quantity=10))
    (ours,) = world.orders()
    world.die()
    world.sizes[LONG] = 10
    theirs = world.exchange.submit(
        client_order_id="somebody-else",
        symbol=ours.symbol,
        side=ours.side,
        quantity=ours.quantity,
        order_type=OrdType.LIMIT,
        time_in_force=TimeInForce.DAY,
        price=30_000,
        trigger_price=0,
        now_ns=world.now_ns,
    )
    assert theirs.accepted
    world.exchange.cancel(client_order_id=ours.client_order_id, request_id="out of the way", now_ns=world.now_ns)
    world.exchange.on_quote(Quote(LONG, world.now_ns, 20_000, 10, 20_500, 10))
    assert world.position(LONG) == 10
    world.link_up()
    assert sum(state.cum_qty for state in world.group().execution_states) == 0
    assert world.orders(Role.RISK) == [], "no short may lean on protection that is somebody else's"
    assert "FOREIGN_ORDER" in world.kinds()


def test_r20_with_most_pushed_events_lost_the_state_converges_within_two_polls() -> None:
    world = World(size=3)
    kept = random.Random(20)
    take = world.take

    def take_some(inputs: Iterable[msgspec.Struct]) -> None:
        take([m for m in inputs if not isinstance(m, ExecutionReport) or kept.random() < 0.2])

    world.take = take_some  # type: ignore[method-assign]
    world.submit(bull_put(quantity=10))
    for _ in range(2):
        world.advance(12_000, fresh=True)
        world.snapshot()
    filled = {state.client_order_id: state.cum_qty for state in world.group().execution_states}
    at_broker = {order.client_order_id: order.cum_qty for order in world.exchange.orders(world.now_ns)}
    assert filled == at_broker
    assert world.position(LONG) == -world.position(SHORT) == 10


@pytest.mark.parametrize("restarts", [1, 3])
def test_i21_recovery_is_idempotent_under_crashes_inside_recovery(restarts: int) -> None:
    world = unsent()
    world.advance(2_000)
    for _ in range(restarts):
        world.take([BrokerUp(world.session + 1), InstrumentList(tuple(world.exchange.instruments.values()))])
        world.mute = True
        world.snapshot()  # the resend is decided, and lost with the cell
        world.die()
        world.mute = False
        world.session += 1
    world.link_up()
    world.snapshot()
    world.advance(5_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert len(world.orders(Role.PROTECTION)) == 1


def test_a_restart_in_mid_entry_carries_on_where_it_was() -> None:
    for cut in range(8):
        world = World(size=3)
        world.submit(bull_put(quantity=10))
        world.advance(100 * cut, fresh=True)
        world.restart()
        world.advance(5_000, fresh=True)
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
        assert world.group().group.outcome is GroupOutcome.HEDGED
        assert sum(order.quantity for order in world.orders(Role.RISK)) == 10


def test_r20_pushed_events_that_are_lost_are_made_good_by_the_poll() -> None:
    world = World(size=3)
    world.submit(bull_put(quantity=10))
    world.deaf = True
    world.advance(1_000, fresh=True)
    world.deaf = False
    world.snapshot()
    world.advance(2_000, fresh=True)
    world.snapshot()
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
    assert world.group().group.outcome is GroupOutcome.HEDGED


def test_an_order_that_is_sent_again_has_its_time_to_work_again() -> None:
    world = unsent()
    world.sizes[LONG] = 0
    world.show()
    world.advance(60_000, step_ms=1_000)
    world.link_up()
    assert [order.resend for order in world.orders()] == [True]
    world.advance(2_900)
    assert not world.cancels(), "it was canceled for the time during which it was nowhere"
    world.advance(200)
    assert len(world.cancels()) == 1
