"""A group that a control kept out says which one, and what it found."""

from __future__ import annotations

import msgspec
from world import SHORT, World, bull_put

from config.schema import Config, OrdersConfig
from decisions.effects import Request
from domain.groups import ENTRY_ROLES, GroupOutcome
from messages.orders import SubmitOrder

WORDS = "E2: sell price 2.0 is more than 0.2 beyond the mid 5.0"


class Guarded(World):
    """A world whose gateway lets no entry of the short leg out."""

    def send(self, request: Request) -> list[msgspec.Struct]:
        if isinstance(request, SubmitOrder) and request.symbol == SHORT and request.role in ENTRY_ROLES:
            return self.refuse(request, WORDS)
        return super().send(request)


def test_a_group_that_a_control_kept_out_names_the_control() -> None:
    world = Guarded(config=Config(orders=OrdersConfig(entry_patience_ms=10_000)))
    world.submit(bull_put())
    world.advance(20_000, fresh=True)
    group = world.group().group
    assert group.outcome is GroupOutcome.FLAT
    assert WORDS in group.reason


def test_an_order_that_is_taken_after_all_leaves_nothing_to_name() -> None:
    world = World()
    world.submit(bull_put())
    world.advance(2_000, fresh=True)
    assert "refused" not in world.group().group.reason
