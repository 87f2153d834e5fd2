"""A cancel that is never confirmed: the order counts as live, and its group takes no new risk (R4, R25)."""

from __future__ import annotations

from pathlib import Path

import msgspec
from gateway_door import LONG as LONG_LEG
from gateway_door import SHORT as SHORT_LEG
from gateway_door import order, paced_door
from world import LONG, SHORT, World, bull_put

from config.schema import Config, OrdersConfig
from decisions.effects import Request
from domain.execution import Side
from domain.groups import ENTRY_ROLES, Role
from messages.orders import CancelOrder
from messages.records import IntentStatus

CANCELS = 3
BUY, SELL = order(LONG_LEG, Side.BUY), order(SHORT_LEG, Side.SELL)


def test_r25_new_risk_never_takes_the_last_tokens_from_hedges_and_cancels(tmp_path: Path) -> None:
    with paced_door(tmp_path, orders_per_second=3, reserved_tokens=2) as gateway:
        hedge = order(LONG_LEG, Side.BUY, role=Role.HEDGE)
        cancel = CancelOrder(client_order_id=BUY.client_order_id, venue_order_id="", request_id="c", epoch=1)
        gateway.hear(BUY, SELL)
        gateway.hear(cancel, hedge)
        assert gateway.broker.taken == [BUY, hedge, cancel], (
            "one entry, and what saves money as soon as it is asked for"
        )


class Deaf(World):
    """A world whose exchange never hears a cancel."""

    def send(self, request: Request) -> list[msgspec.Struct]:
        if isinstance(request, CancelOrder):
            self.received.append(request)
            return []
        return super().send(request)


def test_r25_a_stuck_cancel_is_unresolved_and_its_group_only_reduces() -> None:
    world = Deaf(config=Config(orders=OrdersConfig(working_timeout_ms=1_000, max_cancels=CANCELS)), size=4)
    world.submit(bull_put())
    world.advance(1_000)
    resting = [intent for intent in world.live() if intent.role in ENTRY_ROLES]
    world.advance(60_000)
    assert "CANCEL_STUCK" in world.kinds()
    stuck = [i for i in world.group().intents if i.status is IntentStatus.UNRESOLVED]
    assert stuck and {i.client_order_id for i in stuck} <= {i.client_order_id for i in resting}
    before = len([order for order in world.orders() if order.role in ENTRY_ROLES])
    world.advance(60_000, fresh=False)
    assert len([order for order in world.orders() if order.role in ENTRY_ROLES]) == before
    held, live = world.position(LONG), sum(i.quantity for i in stuck)
    assert -world.position(SHORT) <= held <= 10 and live > 0, "what is stuck counts as live, and nothing replaces it"
