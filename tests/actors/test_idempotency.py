"""S9: an event has its effects once, however often it comes, and whatever dies in between."""

from __future__ import annotations

from msgspec.structs import replace
from world import LONG, SHORT, World, bull_put

from domain.execution import ExecType, ExecutionReport
from domain.groups import GroupOutcome, Role
from messages.identity import input_id
from messages.orders import SubmitOrder
from storage.tables import EXECUTIONS, PROCESSED_EVENTS


def a_fill(world: World) -> ExecutionReport:
    """Ten longs fill at the exchange while the cell hears nothing; the report of it."""
    world.sizes[LONG] = 0
    world.show()
    world.submit(bull_put(quantity=10))
    world.deaf = True
    world.quote(LONG, 20_000, 20_500, 100)
    world.deaf = False
    (fill,) = [report for report in world.exchange.executions() if report.exec_type is ExecType.TRADE]
    return fill


class TestIdempotency:
    def test_a_fill_that_comes_twice_counts_once_and_sells_once(self) -> None:
        world = World()
        fill = a_fill(world)
        world.take([fill, fill])
        world.take([fill])
        assert [order.quantity for order in world.orders(Role.RISK)] == [10]
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
        assert world.acted("S9") >= 2

    def test_a_fill_that_came_before_a_crash_is_known_after_it(self) -> None:
        world = World()
        fill = a_fill(world)
        world.mute = True
        world.take([fill])
        before = world.group()
        world.die()
        released = world.cell.run([fill])
        assert not released.requests
        assert world.group().intents == before.intents
        assert world.group().execution_states == before.execution_states
        assert len(world.journal.rows(EXECUTIONS)) == 1

    def test_an_event_without_an_id_gets_the_same_one_from_its_content_every_time(self) -> None:
        world = World()
        fill = replace(a_fill(world), exec_id="")
        assert input_id(fill) == input_id(replace(fill))
        assert input_id(fill) != input_id(replace(fill, cum_qty=9))
        world.take([fill, fill])
        world.die()
        world.link_up()
        world.take([fill])
        assert sum(row.event_id == input_id(fill) for row in world.journal.rows(PROCESSED_EVENTS)) == 1
        assert world.position(SHORT) == -10

    def test_the_same_plan_and_the_same_order_twice_are_one(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10))
        first = world.received[0]
        assert isinstance(first, SubmitOrder)
        world.take(world.send(first))  # the broker deduplicates by our id, and says so
        world.submit(bull_put(quantity=10))
        world.advance(5_000, fresh=True)
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
        assert world.group().group.outcome is GroupOutcome.HEDGED
