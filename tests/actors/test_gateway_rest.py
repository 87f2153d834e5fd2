"""How often the gateway looks by itself: soon while something waits, seldom while nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_door import LONG, Door, door, order

from actors.gateway import BUSY_FOR_MS, BUSY_MS, IDLE_MS
from actors.machine import Machine, running_on
from brokers.port import LinkDown
from domain.execution import Side


class Hand(Machine):
    """A machine whose clock the test moves."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def monotonic_ns(self) -> int:
        return self.ms * 10**6


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
        hand.ms += BUSY_FOR_MS
        looks(gateway, hand, 1)
        assert looks(gateway, hand, 5) == [IDLE_MS] * 5
        gateway.trading.kill_file.touch()
        looks(gateway, hand, 1)
        assert gateway.trading.killed


def test_orders_that_wait_for_tokens_wake_it_soon_although_it_was_to_rest(tmp_path: Path, hand: Hand) -> None:
    with door(tmp_path, orders_per_second=3, reserved_tokens=1) as gateway:
        hand.ms += 10 * BUSY_FOR_MS
        looks(gateway, hand, 1)
        resting = gateway.look_ms
        gateway.hear(*(order(LONG, Side.BUY, ordinal=number) for number in range(5)))
        assert len(gateway.sent) == 2
        assert gateway.look_ms == hand.ms + BUSY_MS < resting
        sent = len(gateway.sent)
        gateway.on_wakeup(resting)
        assert gateway.look_ms == hand.ms + BUSY_MS, "the timer of before means nothing any more"
        assert len(gateway.sent) == sent
        assert set(looks(gateway, hand, 55)) == {BUSY_MS}
        assert len(gateway.sent) == 4


def test_without_a_broker_it_looks_often_so_that_a_link_is_up_as_soon_as_it_can_be(tmp_path: Path, hand: Hand) -> None:
    with door(tmp_path) as gateway:
        hand.ms += 10 * BUSY_FOR_MS
        looks(gateway, hand, 1)
        gateway.hears(LinkDown(1, "gone"))
        assert gateway.timers[-1] == BUSY_MS
