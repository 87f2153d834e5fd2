"""What the gateway has once called "not sent" stays unsent, whatever comes again (I3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from actors.gateway import BrokerGateway
from brokers.port import BrokerEvent
from config.schema import Config, ControlsConfig, SystemConfig
from domain.execution import OrdType, Side, TimeInForce
from domain.groups import Role, client_order_id, parent_tag
from domain.instruments import Instrument, Right
from domain.quotes import Quote
from messages import wire
from messages.orders import CancelOrder, Outcome, SubmitOrder, SubmitResult
from messages.supervision import EventBatch, EventBatchTaken, Hello, OrderBatch

PARENT = parent_tag(0, "g", "E", 0, 0)
OPTION = Instrument(
    symbol="XYZ   210115P00100000",
    underlying="XYZ",
    right=Right.PUT,
    strike=100_0000,
    expiry="2021-01-15",
    multiplier=100,
    lot_size=1,
    tick_size=500,
    freeze_qty=50,
)
ORDER = SubmitOrder(
    client_order_id=client_order_id(PARENT, 0, 1),
    group_id="g",
    role=Role.PROTECTION,
    symbol=OPTION.symbol,
    side=Side.BUY,
    quantity=1,
    order_type=OrdType.LIMIT,
    time_in_force=TimeInForce.DAY,
    price=1_0000,
    trigger_price=0,
    parent_id=PARENT,
    parent_qty=5,
    epoch=1,
    decided_ns=1,
)
CANCEL = CancelOrder(client_order_id=ORDER.client_order_id, venue_order_id="", request_id="c1", epoch=1)


class Wire:
    """A broker that takes everything and says nothing."""

    def __init__(self) -> None:
        self.taken: list[wire.Request] = []

    def pump(self) -> list[BrokerEvent]:
        return []

    def submit(self, order: SubmitOrder) -> None:
        self.taken.append(order)

    def cancel(self, request: CancelOrder) -> None:
        self.taken.append(request)

    def subscribe(self, symbols: frozenset[str]) -> None:
        """Quotes are not needed."""

    def request_snapshot(self) -> None:
        """Nothing is listed."""

    def request_account(self) -> None:
        """Nobody opens a group here."""


class Door(BrokerGateway):
    """A gateway with a session and one cell, its post and its timer in the test's hands."""

    def __init__(self, journal_dir: Path, controls: ControlsConfig) -> None:
        super().__init__()
        self.posted: list[Any] = []
        self.config = Config(system=SystemConfig(journal_dir=str(journal_dir)), controls=controls)
        self.broker = Wire()
        self.open(self.broker)  # type: ignore[arg-type]  # the part of an adapter that these tests need
        self.door.controls.learn((OPTION,))
        self.cells.on_quote(Quote(OPTION.symbol, 0, 9_900, 10, 10_100, 10))
        self.session.number = 1
        self.batches = 0
        self.on_hello(Hello(0, 1, frozenset()), "cell")
        self.heard()

    def send(self, target: Any, message: Any) -> None:
        self.posted.append(message)

    def hear(self, *requests: wire.Request) -> list[Outcome]:
        """How a batch of the cell is answered."""
        self.batches += 1
        self.on_order_batch(OrderBatch(0, 1, self.batches, wire.pack(requests)), "cell")
        return self.heard()

    def heard(self) -> list[Outcome]:
        """The outcomes in what was posted to the cell, which takes all of it."""
        posted, self.posted = self.posted, []
        outcomes = []
        for batch in posted:
            if isinstance(batch, EventBatch):
                outcomes += [event.outcome for event in wire.events(batch.events) if isinstance(event, SubmitResult)]
                self.cells.taken(EventBatchTaken(batch.gateway, batch.number), "cell")
        return outcomes


def test_an_order_that_was_refused_does_not_leave_when_its_batch_comes_again(tmp_path: Path) -> None:
    door = Door(tmp_path, ControlsConfig())
    door.set_kill_switch(on=True)
    assert door.hear(ORDER) == [Outcome.REFUSED]
    door.set_kill_switch(on=False)
    assert door.hear(ORDER) == [Outcome.REFUSED]
    assert door.hear(replace(ORDER, resend=True)) == [Outcome.REFUSED]
    assert door.broker.taken == []


def test_an_order_that_was_canceled_before_it_left_does_not_leave_when_its_batch_comes_again(tmp_path: Path) -> None:
    door = Door(tmp_path, ControlsConfig(orders_per_second=2, reserved_tokens=1))
    first = replace(ORDER, client_order_id=client_order_id(PARENT, 1, 1))
    assert door.hear(first, ORDER) == []
    assert door.broker.taken == [first], "the second one waits for a token"
    assert door.hear(CANCEL) == [Outcome.REFUSED]
    assert door.hear(ORDER) == [Outcome.REFUSED]
    assert door.broker.taken == [first]


def test_a_copy_that_is_withdrawn_says_nothing_about_the_one_that_left(tmp_path: Path) -> None:
    door = Door(tmp_path, ControlsConfig(orders_per_second=2, reserved_tokens=1))
    assert door.hear(ORDER) == []
    assert door.hear(ORDER) == [], "the copy waits for a token"
    assert door.hear(CANCEL) == [Outcome.UNKNOWN]
    assert door.broker.taken == [ORDER]
