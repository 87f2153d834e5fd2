"""A hedged group that a bust opens again ends, whatever stands in the way of what is missing (L1, R13)."""

from __future__ import annotations

import msgspec
from world import LONG, SHORT, World, bull_put

from config.schema import Config, OrdersConfig
from decisions.effects import MS, Request
from domain.groups import ENTRY_ROLES, GroupOutcome, GroupStatus
from messages.orders import SubmitOrder
from messages.records import GroupRecord

PATIENCE_MS = 10_000
WORDS = "E11: 332.50 were lost today"


class LossLimit(World):
    """A world whose gateway, once it is ``shut``, lets no new risk out for the rest of the day."""

    shut = False

    def send(self, request: Request) -> list[msgspec.Struct]:
        if self.shut and isinstance(request, SubmitOrder) and request.role in ENTRY_ROLES:
            return self.refuse(request, WORDS)
        return super().send(request)

    def bust(self, symbol: str) -> None:
        """The broker takes back what the group traded in this contract."""
        trade = next(trade for trade in self.exchange.executions() if trade.symbol == symbol)
        self.take(self.exchange.bust(trade.exec_id, self.now_ns))

    @property
    def record(self) -> GroupRecord:
        return self.group().group


def hedged() -> LossLimit:
    """A group that has been hedged for longer than its patience, before the gate is shut."""
    world = LossLimit(config=Config(orders=OrdersConfig(entry_patience_ms=PATIENCE_MS)))
    world.submit(bull_put())
    world.advance(2 * PATIENCE_MS, fresh=True)
    assert world.record.outcome is GroupOutcome.HEDGED
    world.shut = True
    return world


def test_l1_a_short_that_a_shut_gate_keeps_out_is_waited_for_as_long_as_for_an_entry_and_no_longer() -> None:
    world = hedged()
    world.bust(SHORT)
    world.advance(PATIENCE_MS - 200, fresh=True)
    assert (world.record.outcome, world.position(LONG), world.position(SHORT)) == (GroupOutcome.OPEN, 10, 0)
    world.advance(2_000, fresh=True)
    assert (world.record.outcome, world.record.status) == (GroupOutcome.FLAT, GroupStatus.FAILED)
    assert "opened again" in world.record.reason
    assert WORDS in world.record.reason
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)


def test_l1_a_process_that_dies_meanwhile_neither_forgets_the_patience_nor_begins_it_anew() -> None:
    world = hedged()
    world.bust(SHORT)
    opened_ns = world.now_ns
    for _ in range(4):
        world.advance(PATIENCE_MS // 5, fresh=True)
        world.restart()
        assert world.record.outcome is GroupOutcome.OPEN
    world.advance(PATIENCE_MS // 5 + 500, fresh=True)
    assert world.record.outcome is GroupOutcome.FLAT
    assert world.now_ns - opened_ns <= (PATIENCE_MS + 500) * MS


def test_what_can_be_entered_again_in_time_ends_the_group_hedged() -> None:
    world = hedged()
    world.bust(SHORT)
    world.advance(PATIENCE_MS // 2, fresh=True)
    world.shut = False
    world.advance(2 * PATIENCE_MS, fresh=True)
    assert world.record.outcome is GroupOutcome.HEDGED
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)


def test_protection_that_was_busted_is_hedged_though_the_gate_is_shut() -> None:
    world = hedged()
    world.bust(LONG)
    world.advance(2_000, fresh=True)
    assert world.record.outcome is GroupOutcome.HEDGED
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
