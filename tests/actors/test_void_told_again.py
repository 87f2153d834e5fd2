"""What is void counts nowhere, also at a gateway that outlives the cell that was to tell it so (E6)."""

from __future__ import annotations

from typing import Any

import msgspec
from test_outlived_orders import overnight
from world import LONG, SHORT, World, bull_put

from actors.cell_tree import Released
from decisions.effects import Request
from decisions.gateway.ledger import Ledger
from domain.groups import GroupOutcome
from messages.operator import CancelGroup
from messages.orders import ForgetOrder, OrderSent, Proof, SubmitOrder
from messages.records import IntentStatus


class Booked(World):
    """A world with the gateway's books: no more of a parent order may be committed than there is of it."""

    def __init__(self, **rules: Any) -> None:
        self.books = Ledger()
        self.loses = False  # while true, the wire loses every order
        self.refused: list[str] = []
        super().__init__(**rules)

    def carry_out(self, released: Released) -> list[msgspec.Struct]:
        for request in released.requests:
            if isinstance(request, ForgetOrder):
                self.books.forgotten(request.client_order_id, request.proof, request.as_of_ns)
        return super().carry_out(released)

    def send(self, request: Request) -> list[msgspec.Struct]:
        if not isinstance(request, SubmitOrder):
            return super().send(request)
        if self.books.committed(request.parent_id) + request.quantity > request.parent_qty:
            self.refused.append(request.client_order_id)
            return self.refuse(request, "E6: more than its parent")
        self.books.sent(request)
        if self.loses:
            return [OrderSent(client_order_id=request.client_order_id, ts_ns=self.now_ns, checks="test")]
        return super().send(request)


def test_e6_an_order_that_became_void_as_its_cell_died_does_not_keep_its_successor_out() -> None:
    world = Booked(deduplicates=False)
    world.loses = True
    world.submit(bull_put())
    world.loses = False
    world.advance(3_000)
    world.snapshot()
    world.advance(2_000)
    world.cell.run([world.funds(), world.snapshot_message()])  # it dies after this commit, and nothing is released
    assert world.group().intents[0].status is IntentStatus.VOID
    world.die()
    world.link_up()
    for _ in range(4):
        world.advance(1_000)
        world.snapshot()
    assert world.refused == []
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)


def test_e6_an_order_that_became_void_as_its_group_ended_and_its_cell_died_is_told_again() -> None:
    world = Booked(deduplicates=False)
    world.loses = True
    world.submit(bull_put())
    world.take([CancelGroup("bp")])
    while world.group().intents[0].status is not IntentStatus.VOID:  # at the last turn nothing is released
        world.advance(3_000)
        released = world.cell.run([world.funds(), world.snapshot_message()])
        if world.group().intents[0].status is not IntentStatus.VOID:
            world.take(world.carry_out(released))
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert world.books.live_orders == 1
    world.die()
    world.link_up()
    world.advance(3_000)
    world.snapshot()
    assert world.books.live_orders == 0


def test_l2_an_order_that_outlived_its_session_as_its_cell_died_is_told_again() -> None:
    world = overnight()
    told: list[ForgetOrder] = []
    carry_out = world.carry_out

    def dies_once(released: Released) -> list[msgspec.Struct]:
        found = [one for one in released.requests if isinstance(one, ForgetOrder) and one.proof is Proof.OUTLIVED]
        told.extend(found)
        if found and len(told) == 1:  # it dies after this commit, and nothing is released
            world.die()
            world.link_up()
            return []
        return carry_out(released)

    world.carry_out = dies_once  # type: ignore[method-assign]
    world.looks_again()
    assert len(told) == 2
    assert told[0].client_order_id == told[1].client_order_id
