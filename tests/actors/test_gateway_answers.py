"""What the gateway has once called "not sent" stays unsent, whatever comes again (I3)."""

from __future__ import annotations

from pathlib import Path

import pytest
from gateway_door import LONG, door, order, paced_door
from msgspec.structs import replace

from config.errors import ConfigError
from config.load import load_config
from domain.execution import Side
from messages.operator import KillSwitch
from messages.orders import CancelOrder, Outcome

ORDER = order(LONG, Side.BUY)
CANCEL = CancelOrder(client_order_id=ORDER.client_order_id, venue_order_id="", request_id="c1", epoch=1)


def test_an_order_that_was_refused_does_not_leave_when_its_batch_comes_again(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.told(KillSwitch(on=True))
        assert gateway.hear(ORDER) == [Outcome.REFUSED]
        gateway.told(KillSwitch(on=False))
        assert gateway.hear(ORDER) == [Outcome.REFUSED]
        assert gateway.hear(replace(ORDER, resend=True)) == [Outcome.REFUSED]
        assert gateway.broker.taken == []


def test_r20_the_broker_is_polled_every_twelve_seconds_of_its_clock_and_that_cannot_be_switched_off(
    tmp_path: Path,
) -> None:
    with door(tmp_path) as gateway:
        before = gateway.broker.polls
        for _ in range(121):
            gateway.passes(100)
        assert gateway.broker.polls == before + 1
        gateway.snapshot()
        for _ in range(121):
            gateway.passes(100)
        assert gateway.broker.polls == before + 2
    for poll_ms in (0, 12_001):
        with pytest.raises(ConfigError, match="poll_ms"):
            load_config(None, {"LEGKEEPER_RECONCILIATION_POLL_MS": str(poll_ms)})


def test_an_order_that_was_canceled_before_it_left_does_not_leave_when_its_batch_comes_again(tmp_path: Path) -> None:
    with paced_door(tmp_path, orders_per_second=2, reserved_tokens=1) as gateway:
        first = order(LONG, Side.BUY, slice_no=1)
        assert gateway.hear(first, ORDER) == []
        assert gateway.broker.taken == [first], "the second one waits for a token"
        assert gateway.hear(CANCEL) == [Outcome.REFUSED]
        assert gateway.hear(ORDER) == [Outcome.REFUSED]
        assert gateway.broker.taken == [first]


def test_a_copy_that_is_withdrawn_says_nothing_about_the_one_that_left(tmp_path: Path) -> None:
    with paced_door(tmp_path, orders_per_second=2, reserved_tokens=1) as gateway:
        assert gateway.hear(ORDER) == []
        assert gateway.hear(ORDER) == [], "the copy waits for a token"
        assert gateway.hear(CANCEL) == [Outcome.UNKNOWN]
        assert gateway.broker.taken == [ORDER]
