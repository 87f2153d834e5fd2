"""S9, S10, I1, I16, R8: what is decided is durable as a whole before anything of it leaves, or it never was.

The journal's commit is made to fail, and the cell to die, at every turn of a group's life, before and after the point
at which the commit becomes durable.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from world import LONG, SHORT, World, bull_put

from domain.execution import ExecType
from domain.groups import GroupOutcome, Role
from messages.orders import SubmitOrder
from messages.records import IntentStatus
from storage.port import CommitUnknown
from storage.tables import EXECUTIONS, INTENTS, PROCESSED_EVENTS

ENDS = {GroupOutcome.HEDGED, GroupOutcome.FLAT, GroupOutcome.HALTED}


class Fragile(World):
    """A world whose cell dies with its ``nth`` commit and comes back at once; ``durable``: the commit survived."""

    def __init__(self, nth: int, *, durable: bool) -> None:
        self.deaths = 0
        super().__init__(size=4)
        self.journal.fail_commit(nth, durable=durable)

    def take(self, inputs: Iterable[msgspec.Struct]) -> None:
        try:
            super().take(inputs)
        except CommitUnknown:
            self.deaths += 1
            self.restart()

    def settle(self) -> None:
        """Time passes, sizes are shown, and the broker is polled."""
        for _ in range(4):
            self.advance(6_000, step_ms=200, fresh=True)
            self.snapshot()


def life(world: World) -> None:
    """A group is entered in slices, one fill is busted, and its stop-loss is triggered."""
    world.submit(bull_put(quantity=10, stop=30_000))
    world.advance(2_000, fresh=True)
    trade = next((r for r in world.exchange.executions() if r.exec_type is ExecType.TRADE), None)
    if trade is not None:
        world.take(world.exchange.bust(trade.exec_id, world.now_ns))
    world.advance(3_000, fresh=True)
    world.quote(SHORT, 31_000, 31_500)
    world.advance(3_000, fresh=True)


def turns_of_a_life() -> int:
    world = World(size=4)
    before = len(world.journal.turns())
    life(world)
    return len(world.journal.turns()) - before


TURNS = turns_of_a_life()


class TestPersistenceAtomicity:
    @pytest.mark.parametrize("durable", [False, True], ids=["lost", "durable"])
    def test_r8_a_death_at_any_commit_leaves_every_broker_order_claimed_and_the_group_whole(
        self, durable: bool
    ) -> None:
        assert TURNS >= 15
        for nth in range(1, TURNS + 1):
            world = Fragile(nth, durable=durable)
            life(world)
            if "bp" not in {row.group_id for row in world.journal.rows(INTENTS)}:
                world.submit(bull_put(quantity=10, stop=30_000))  # its acceptance was lost with the commit
            world.settle()
            assert world.deaths == 1, f"commit {nth} was never reached"
            group = world.group()
            assert group.group.outcome in ENDS, f"commit {nth}: {group.group}"
            intents = {intent.client_order_id for intent in group.intents}
            at_broker = {order.client_order_id: order for order in world.exchange.orders(world.now_ns)}
            assert at_broker.keys() <= intents, f"commit {nth}: the broker has orders that nobody claims"
            known = {state.client_order_id: state.cum_qty for state in group.execution_states}
            assert {k: o.cum_qty for k, o in at_broker.items() if o.cum_qty} == {k: q for k, q in known.items() if q}
            assert world.position(LONG) + world.position(SHORT) >= 0, f"commit {nth}: naked"

    def test_nothing_of_a_commit_that_failed_leaves(self) -> None:
        for durable in (False, True):
            world = World()
            world.journal.fail_commit(1, durable=durable)
            with pytest.raises(CommitUnknown):
                world.submit(bull_put(quantity=10))
            assert not world.received
            assert not world.replies

    def test_an_intent_is_in_the_journal_before_its_order_is_at_the_exchange(self) -> None:
        seen: list[IntentStatus] = []

        def look(request: object) -> None:
            if isinstance(request, SubmitOrder):
                (intent,) = [i for i in world.group().intents if i.client_order_id == request.client_order_id]
                assert (intent.symbol, intent.side, intent.quantity) == (request.symbol, request.side, request.quantity)
                assert (intent.price, intent.order_type, intent.slice >= 0) == (request.price, request.order_type, True)
                seen.append(intent.status)

        world = World(size=4, watch=look)
        world.submit(bull_put(quantity=10))
        world.advance(2_000, fresh=True)
        assert len(seen) >= 4
        assert set(seen) == {IntentStatus.INTENT_PERSISTED}

    @pytest.mark.parametrize("durable", [False, True], ids=["lost", "durable"])
    def test_a_fill_its_inbox_row_and_the_order_that_it_releases_are_written_together_or_not_at_all(
        self, durable: bool
    ) -> None:
        world = World()
        world.sizes[LONG] = 0
        world.show()
        world.submit(bull_put(quantity=10))
        world.journal.fail_commit(1, durable=durable)
        with pytest.raises(CommitUnknown):
            world.quote(LONG, 20_000, 20_500, 100)
        fills = len(world.journal.rows(EXECUTIONS))
        risk = [intent for intent in world.journal.rows(INTENTS) if intent.role is Role.RISK]
        inbox = [row for row in world.journal.rows(PROCESSED_EVENTS) if row.kind == "ExecutionReport"]
        assert (fills, len(risk), len(inbox) - durable) == ((1, 1, 1) if durable else (0, 0, 1))
        world.restart()
        world.advance(2_100, fresh=True)
        world.snapshot()  # by now its absence is evidence
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
