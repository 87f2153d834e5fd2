"""How often the gateway looks by itself: soon while something waits, seldom while nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_door import LONG, Clock, Door, door, order

from actors.broker_session import RECONNECT_MS
from actors.gateway import BUSY_MS, IDLE_MS
from actors.machine import running_on
from brokers.port import LinkDown
from decisions.gateway.lanes import WINDOW_MS
from domain.execution import Side
from domain.groups import Role


class Hand(Clock):
    """A clock in milliseconds."""

    @property
    def ms(self) -> int:
        return self.ns // 10**6

    @ms.setter
    def ms(self, ms: int) -> None:
        self.ns = ms * 10**6


@pytest.fixture
def hand() -> Iterator[Hand]:
    machine = Hand()
    with running_on(machine):
        yield machine


def looks(gateway: Door, hand: Hand, times: int) -> list[int]:
    """How long it rests, this often."""
    gateway.timers.clear()
    for _ in range(times):
        hand.ms = gateway.look_ms
        gateway.on_wakeup(gateway.look_ms)
    return list(gateway.timers)


def test_an_idle_gateway_looks_ten_times_a_second_which_is_how_late_a_kill_file_is_seen(
    tmp_path: Path, hand: Hand
) -> None:
    assert IDLE_MS <= 100
    with door(tmp_path) as gateway:
        looks(gateway, hand, 1)
        assert looks(gateway, hand, 5) == [IDLE_MS] * 5
        gateway.trading.kill_file.touch()
        looks(gateway, hand, 1)
        assert gateway.trading.killed


def test_orders_that_wait_for_tokens_wake_it_when_the_first_token_is_back(tmp_path: Path, hand: Hand) -> None:
    with door(tmp_path, orders_per_second=3, reserved_tokens=1) as gateway:
        hand.settle(gateway)
        looks(gateway, hand, 1)
        began, resting = hand.ms, gateway.look_ms
        gateway.hear(*(order(LONG, Side.BUY, ordinal=number) for number in range(5)))
        assert len(gateway.sent) == 2
        assert gateway.look_ms == resting, "the token is back much later"
        while len(gateway.sent) < 4:
            assert hand.ms < began + WINDOW_MS
            looks(gateway, hand, 1)
        assert hand.ms == began + WINDOW_MS, "not a millisecond later"


def test_a_hedge_that_waits_for_a_token_which_is_soon_back_wakes_it_although_it_was_to_rest(
    tmp_path: Path, hand: Hand
) -> None:
    with door(tmp_path, orders_per_second=2, reserved_tokens=1) as gateway:
        hand.settle(gateway)
        gateway.hear(order(LONG, Side.BUY, role=Role.HEDGE), order(LONG, Side.BUY, role=Role.HEDGE, ordinal=1))
        back = hand.ms + WINDOW_MS
        hand.ms = back - 7
        gateway.on_wakeup(gateway.look_ms)
        resting = gateway.look_ms
        gateway.hear(order(LONG, Side.BUY, role=Role.HEDGE, ordinal=2))
        assert gateway.look_ms == back < resting
        gateway.on_wakeup(resting)
        assert gateway.look_ms == back, "the timer of before means nothing any more"
        assert len(gateway.sent) == 2
        hand.ms = back
        gateway.on_wakeup(back)
        assert len(gateway.sent) == 3


def test_bytes_that_wait_for_room_are_tried_again_soon(tmp_path: Path, hand: Hand) -> None:
    with door(tmp_path) as gateway:
        gateway.broker.has_unsent = True
        looks(gateway, hand, 1)
        assert looks(gateway, hand, 3) == [BUSY_MS] * 3
        gateway.broker.has_unsent = False
        looks(gateway, hand, 1)
        assert gateway.timers[-1] == IDLE_MS


def test_without_a_broker_it_looks_when_it_is_time_to_connect_again(tmp_path: Path, hand: Hand) -> None:
    with door(tmp_path) as gateway:
        looks(gateway, hand, 1)
        gateway.hears(LinkDown(1, "gone"))
        assert gateway.timers[-1] == RECONNECT_MS[0]
