"""A change of an order in place passes the same controls as a new order with its terms, in the real gateway."""

from __future__ import annotations

from pathlib import Path

from gateway_door import LONG, SHORT, door, order
from msgspec.structs import replace

from domain.execution import OrdType, Side
from domain.groups import Role
from messages.orders import ModifyOrder

STOP = order(
    SHORT, Side.BUY, 10, 10_500, role=Role.STOP_LIMIT, order_type=OrdType.STOP_LIMIT, trigger_price=10_000
)  # fmt: skip
SMALLER = ModifyOrder(
    client_order_id=STOP.client_order_id, venue_order_id="", request_id=f"{STOP.client_order_id}/m1", quantity=5,
    order_type=OrdType.STOP_LIMIT, price=10_500, trigger_price=10_000, epoch=1,
)  # fmt: skip


def test_a_change_that_passes_the_controls_reaches_the_broker(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.hear(STOP)
        gateway.works(STOP)
        gateway.hear(SMALLER)
        assert gateway.broker.taken == [STOP, SMALLER]


def test_a_change_to_terms_that_no_order_may_have_does_not_leave_and_is_counted(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.hear(STOP)
        gateway.works(STOP)
        gateway.hear(replace(SMALLER, order_type=OrdType.LIMIT, price=90_000, trigger_price=0))
        gateway.hear(replace(SMALLER, quantity=2_000, request_id="m2"))
        assert gateway.broker.taken == [STOP]
        assert (gateway.refused_by("E2"), gateway.refused_by("E17")) == (1, 1)


def test_a_change_of_an_order_that_this_gateway_did_not_send_does_not_leave(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.hear(replace(SMALLER, client_order_id=order(LONG, Side.SELL, role=Role.CLOSE).client_order_id))
        assert gateway.broker.taken == []
        assert gateway.refused_by("E3") == 1


def test_a_change_that_waits_when_the_link_goes_down_does_not_leave_later(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.hear(STOP)
        gateway.works(STOP)
        gateway.lose_link()
        gateway.hear(SMALLER)
        gateway.go_live()
        assert gateway.broker.taken == [STOP]
