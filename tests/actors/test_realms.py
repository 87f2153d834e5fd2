"""What was made for one realm never leaves through the gateway of the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gateway_door import LONG, Door, order
from msgspec.structs import replace

from config.schema import ControlsConfig
from domain.execution import Side
from domain.groups import client_order_id, parent_tag
from domain.rollout import Realm
from messages import wire
from messages.orders import CancelOrder, ModifyOrder, SubmitOrder
from messages.supervision import EventBatch, Hello, OrderBatch


def on_paper(live: SubmitOrder) -> SubmitOrder:
    """The same order as a paper cell would make it."""
    parent = parent_tag(25, "g", "E", 0, 0)
    return replace(live, client_order_id=client_order_id(parent, 0, 1), parent_id=parent)


LIVE = order(LONG, Side.BUY)
PAPER = on_paper(LIVE)
CANCEL = CancelOrder(client_order_id=PAPER.client_order_id, venue_order_id="", request_id="c", epoch=1)
MODIFY = ModifyOrder(
    client_order_id=PAPER.client_order_id,
    venue_order_id="",
    request_id="m",
    order_type=PAPER.order_type,
    quantity=1,
    price=1_0000,
    trigger_price=0,
    epoch=1,
)


class Post(Door):
    """A door that keeps to whom it tells what."""

    def __init__(self, journal_dir: Path, controls: ControlsConfig) -> None:
        super().__init__(journal_dir, controls)
        self.letters: list[tuple[Any, EventBatch]] = []

    def send(self, target: Any, message: Any) -> None:
        if isinstance(message, EventBatch):
            self.letters.append((target, message))
        super().send(target, message)


@pytest.fixture
def gateway(tmp_path: Path) -> Any:
    made = Post(tmp_path, ControlsConfig())
    made.go_live()
    yield made
    made.on_exit()


@pytest.mark.parametrize("request_", [PAPER, replace(PAPER, resend=True), CANCEL, MODIFY])
def test_nothing_of_paper_leaves_through_the_live_gateway_and_a_person_is_called(gateway: Post, request_: Any) -> None:
    gateway.hear(request_)
    assert gateway.broker.taken == []
    (trouble,) = gateway.troubles
    assert (trouble.kind, trouble.severity) == ("WRONG_REALM", "CRITICAL")
    assert PAPER.client_order_id in trouble.text
    assert gateway.refused_by("realm") == 1
    gateway.hear(LIVE)
    assert gateway.sent == [LIVE]


def test_a_paper_gateway_lets_paper_out_and_nothing_live(tmp_path: Path) -> None:
    made = Post(tmp_path, ControlsConfig())
    made.realm = made.cells.realm = Realm.PAPER
    try:
        made.on_hello(Hello(25, 1, frozenset()), "paper cell")
        made.go_live()  # the harness calls as cell 0, which is not heard here
        made.on_order_batch(OrderBatch(25, 1, 1, 1, wire.pack((PAPER, LIVE))), "paper cell")
        assert made.sent == [PAPER]
        assert [LIVE.client_order_id in trouble.text for trouble in made.troubles] == [False, True]
    finally:
        made.on_exit()


def test_a_cell_of_the_other_realm_is_not_heard(gateway: Post) -> None:
    gateway.on_hello(Hello(25, 1, frozenset()), "paper cell")
    assert gateway.cells.depths().keys() == {0}
    assert len(gateway.troubles) == 1


def test_a_listener_for_quotes_is_told_no_order(gateway: Post) -> None:
    gateway.on_hello(Hello(-1, 1, frozenset({LONG.symbol})), "paper exchange")
    gateway.hear(LIVE)
    gateway.fills(LIVE)
    gateway.quotes(9_800, 10_000)
    gateway.passes(100)
    told = {
        target: b"".join(message.events for to, message in gateway.letters if to == target)
        for target in ("cell", "paper exchange")
    }
    assert LIVE.client_order_id.encode() in told["cell"]
    assert LIVE.client_order_id.encode() not in told["paper exchange"]
    assert LONG.symbol.encode() in told["paper exchange"]


def test_an_order_of_the_other_realm_at_the_broker_is_foreign_to_the_first_cell(gateway: Post) -> None:
    assert gateway.cells.home_of(PAPER.client_order_id) == gateway.cells.home_of("somebody-elses") == 0
