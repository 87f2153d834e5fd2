"""R1, R2, R3: a stop-loss that is changed in place, through the real actors and the exchange."""

from __future__ import annotations

from typing import Any

import pytest
from edge import Edge
from world import DEEP_POCKETS, LONG, SHORT, World, bull_put

from decisions.effects import MS
from domain.execution import OrdType
from domain.groups import GroupOutcome, Role
from messages.orders import ModifyResult, Outcome
from messages.records import IntentRecord, ReplaceStatus, StopStatus, StopWindowRecord
from storage.tables import STOP_WINDOWS
from venue.rules import Rules

TRIGGER = 25_000


def guarded(quantity: int = 10, size: int = 100, *, replaces: bool = True, **rules: Any) -> World:
    """A hedged bull put whose short has a working stop-loss at the exchange; every request is judged at its edge."""
    world = World(rules=Rules(cash=DEEP_POCKETS, **rules), size=size, replaces=replaces)
    world.watch = Edge(world)
    world.submit(bull_put(quantity=quantity, stop=TRIGGER))
    world.advance(500, fresh=True)
    assert world.group().group.outcome is GroupOutcome.HEDGED
    return world


def gap(world: World, size: int = 100) -> None:
    """The market jumps over trigger and limit."""
    world.quote(SHORT, 28_000, 28_500, size)


def stop_intent(world: World) -> IntentRecord:
    (intent,) = (i for i in world.group().intents if i.role is Role.STOP_LIMIT)
    return intent


def working_stop(world: World) -> int:
    """What stop orders the exchange still works."""
    ids = {order.client_order_id for order in world.orders(Role.STOP_LIMIT)}
    return sum(r.leaves_qty for r in world.exchange.orders(world.now_ns) if r.client_order_id in ids)


def windows(world: World) -> list[StopWindowRecord]:
    return world.journal.rows(STOP_WINDOWS)


def bust_half(world: World) -> None:
    """One of the two fills of the short is taken back, and nothing more can be had."""
    short = next(r for r in world.exchange.executions() if r.symbol == SHORT)
    world.sizes[SHORT] = 0
    world.show()
    world.take(world.exchange.bust(short.exec_id, world.now_ns))


def test_r1_a_gap_through_the_limit_is_turned_into_a_market_order_in_place_after_the_brokers_two_seconds() -> None:
    world = guarded()
    gap(world)
    triggered = world.group().stops[0].triggered_ns
    world.now_ns = triggered + 2_000 * MS - 1
    world.take([world.tick()])
    assert not world.changes()
    world.now_ns += 1
    world.take([world.tick()])
    (change,) = world.changes()
    assert (change.order_type, change.quantity, change.price, change.trigger_price) == (OrdType.MARKET, 10, 0, 0)
    assert not world.cancels(world.orders(Role.STOP_LIMIT)[0].client_order_id)
    assert not world.orders(Role.STOP_MARKET)
    assert world.position(SHORT) == 0
    world.advance(1_000, fresh=True)
    assert (world.position(LONG), world.group().group.outcome) == (0, GroupOutcome.FLAT)
    assert world.group().stops[0].status is StopStatus.DONE
    assert "STOP_FELL_BACK" in world.kinds()


def test_r1_the_timer_does_not_run_before_the_trigger() -> None:
    world = guarded()
    world.advance(60_000, step_ms=1_000)
    assert (world.changes(), world.cancels()) == ([], [])


def test_r3_a_smaller_position_shrinks_the_stop_in_place_and_it_is_never_gone() -> None:
    world = guarded(size=5)
    bust_half(world)
    (change,) = world.changes()
    assert (change.order_type, change.quantity, change.trigger_price) == (OrdType.STOP_LIMIT, 5, TRIGGER)
    assert (world.position(SHORT), working_stop(world)) == (-5, 5)
    assert stop_intent(world).replace_status is ReplaceStatus.REPLACED
    assert not [c for c in world.cancels() if c.client_order_id == change.client_order_id]
    assert [event.kind for event in world.truth if event.client_order_id == change.client_order_id][-1] == "replaced"


def test_r3_without_replace_the_window_is_measured_and_the_stop_comes_back() -> None:
    world = guarded(size=5, replaces=False, cancel_latency_ns=300 * MS)
    bust_half(world)
    world.advance(1_000)
    assert (world.position(SHORT), working_stop(world)) == (-5, 5)
    last = windows(world)[-1]
    assert 300 * MS <= last.closed_ns - last.opened_ns <= 400 * MS
    assert "STOP_UNPROTECTED" not in world.kinds()


def test_r3_a_window_beyond_its_bound_calls_a_person_and_the_price_is_watched_here() -> None:
    world = guarded(size=5, replaces=False, cancel_latency_ns=3_600_000 * MS)
    bust_half(world)
    world.advance(2_900)
    assert "STOP_UNPROTECTED" not in world.kinds()
    world.advance(300)
    assert world.kinds().count("STOP_UNPROTECTED") == 1
    assert world.group().stops[0].status is StopStatus.ARMED
    world.quote(SHORT, 26_000, 26_500, 0)
    world.advance(100)
    assert world.group().stops[0].status is StopStatus.TRIGGERED


def test_a_position_that_grows_again_gets_the_rest_of_its_stop_beside_the_one_that_works() -> None:
    world = guarded(size=5)
    bust_half(world)
    world.sizes[SHORT] = 100
    world.advance(3_000, fresh=True)
    assert world.position(SHORT) == -10
    assert working_stop(world) == 10
    assert [order.quantity for order in world.orders(Role.STOP_LIMIT)] == [10, 5]


@pytest.mark.parametrize("fate", [Outcome.REFUSED, Outcome.UNKNOWN, None])
def test_a_change_that_was_refused_or_is_not_answered_ends_in_a_confirmed_cancel_and_a_market_order(
    fate: Outcome | None,
) -> None:
    world = guarded()
    gap(world)
    world.mute = True
    world.advance(2_000)
    world.mute = False
    (lost,) = [request for request in world.lost if request.client_order_id == stop_intent(world).client_order_id]
    if fate is not None:
        told = ModifyResult(
            client_order_id=lost.client_order_id, request_id=f"{lost.client_order_id}/m1", outcome=fate,
            ts_ns=world.now_ns,
        )  # fmt: skip
        world.take([told])
        assert stop_intent(world).replace_status is ReplaceStatus.FAILED
        assert world.cancels(lost.client_order_id)
    world.advance(2_000, fresh=True)
    assert len(world.cancels(lost.client_order_id)) == 1
    assert [order.quantity for order in world.orders(Role.STOP_MARKET)] == [10]
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)


@pytest.mark.parametrize("partial", [1, 4, 9, 10])
def test_a_fill_that_crosses_the_change_is_not_bought_again(partial: int) -> None:
    world = guarded()
    gap(world)
    world.advance(1_900)
    world.deaf = True  # the fill is at the broker; we do not know when we ask for the change
    world.quote(SHORT, 25_000, 25_500, partial)
    world.quote(SHORT, 28_000, 28_500, 0)
    world.deaf = False
    world.advance(200)
    world.sizes[SHORT] = 100
    world.snapshot()
    world.advance(3_000, fresh=True)
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)
    assert sum(e.last_qty or 0 for e in world.truth if e.kind == "fill" and (e.symbol, e.side) == (SHORT, "buy")) == 10


@pytest.mark.parametrize("at_ms", [0, 500, 1_990, 2_000, 2_050])
def test_a_restart_at_any_time_of_the_fallback_in_place_changes_nothing(at_ms: int) -> None:
    world = guarded()
    gap(world, 0)
    world.advance(at_ms, step_ms=10)
    world.restart()
    world.advance(2_500 - at_ms, step_ms=10)
    assert len(world.changes()) == 1
    world.sizes[SHORT] = 100
    world.advance(2_000, fresh=True)
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)
    assert world.group().group.outcome is GroupOutcome.FLAT


def test_a_stop_in_slices_is_turned_slice_by_slice() -> None:
    world = World(size=500, replaces=True)
    world.watch = Edge(world)
    world.submit(bull_put(quantity=120, stop=TRIGGER))
    gap(world, 500)
    world.advance(5_000, fresh=True)
    assert sorted(change.quantity for change in world.changes()) == [20, 50, 50]
    assert (world.position(SHORT), world.position(LONG)) == (0, 0)
