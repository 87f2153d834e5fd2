"""The entries of a group that was given up are canceled, whatever becomes of a single request (R13, R25, L1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from world import LONG, World, bull_put

from config.schema import Config, OrdersConfig
from decisions.groups import leg as leg_core
from decisions.orders import bookkeeping
from domain.execution import ExecType
from domain.groups import GroupOutcome, Mode
from messages.market import BrokerSilent
from messages.operator import CancelGroup
from messages.records import IntentRecord, IntentStatus

CANCELS = 3
CONFIG = Config(orders=OrdersConfig(max_cancels=CANCELS))
PATIENCE_MS = 5_000


def _raise(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a planted bug")


def resting(size: int = 0) -> World:
    """A group whose protection is at the exchange, and rests."""
    world = World(config=CONFIG, size=size)
    world.submit(bull_put())
    return world


def forgotten_order(world: World) -> None:
    """The broker has an order of the group that its journal does not know of."""
    entry = world.orders()[0]
    (report,) = (r for r in world.heard if r.exec_type is ExecType.NEW and r.client_order_id == entry.client_order_id)
    tag = entry.client_order_id[:-7]
    world.take([replace(report, client_order_id=f"{tag}E900001", exec_id="forgotten")])
    assert world.group().group.mode is Mode.LEFT


def bug(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group cannot be handled at all."""
    with monkeypatch.context() as planted:
        planted.setattr(leg_core, "start", _raise)
        planted.setattr(leg_core, "decide", _raise)
        world.take([CancelGroup("bp")])
    assert world.group().group.outcome is GroupOutcome.HALTED


def entry_of(world: World) -> IntentRecord:
    return world.group().intents[0]


def at_work(world: World) -> int:
    """Units of the group's entry that may still trade, by the exchange's word."""
    return sum(order.leaves_qty for order in world.exchange.orders(world.now_ns))


def time_passes(world: World) -> None:
    world.advance(PATIENCE_MS)


def a_new_process(world: World) -> None:
    world.restart()
    world.advance(PATIENCE_MS)


def a_new_session(world: World) -> None:
    world.take([BrokerSilent("the link is down", link_down=True)])
    world.advance(PATIENCE_MS)
    world.link_up()
    world.advance(PATIENCE_MS)


@pytest.mark.parametrize("then", [time_passes, a_new_process, a_new_session])
def test_the_cancel_of_an_entry_is_asked_for_again_when_it_was_lost(then: Callable[[World], None]) -> None:
    world = resting()
    world.mute = True
    forgotten_order(world)
    assert [lost.client_order_id for lost in world.lost] == [entry_of(world).client_order_id]
    world.mute = False
    then(world)
    assert at_work(world) == 0, "a person was told that it is being canceled, and it worked on"
    assert entry_of(world).status is IntentStatus.CANCELED
    assert len(world.cancels()) == 1
    assert "CANCEL_STUCK" not in world.kinds()


def test_so_it_is_for_a_group_that_a_bug_gave_up(monkeypatch: pytest.MonkeyPatch) -> None:
    world = resting()
    world.mute = True
    bug(world, monkeypatch)
    world.mute = False
    time_passes(world)
    assert at_work(world) == 0
    assert entry_of(world).status is IntentStatus.CANCELED


def test_a_cancel_that_cannot_leave_is_not_counted_as_one_that_the_broker_does_not_carry_out() -> None:
    world = resting()
    world.take([BrokerSilent("the link is down", link_down=True)])
    world.mute = True
    forgotten_order(world)
    world.advance(60_000)
    assert len(world.lost) == 1
    assert "CANCEL_STUCK" not in world.kinds()


def test_r25_of_a_cancel_that_the_broker_never_carries_out_a_person_is_told_and_it_is_no_storm() -> None:
    world = resting()
    world.mute = True
    forgotten_order(world)
    world.advance(60_000)
    assert len(world.escalations("CANCEL_STUCK")) == 1
    assert CANCELS < len(world.lost) <= 20
    world.mute = False
    world.advance(15_000)
    assert at_work(world) == 0


@pytest.mark.parametrize("deduplicates", [True, False])
def test_an_entry_that_never_reached_the_broker_is_void_and_asked_for_no_more(deduplicates: bool) -> None:
    world = World(config=CONFIG, size=0, deduplicates=deduplicates)
    other = resting()
    world.mute = True
    world.submit(bull_put())
    report = next(r for r in other.heard if r.exec_type is ExecType.NEW)
    world.take([replace(report, client_order_id=f"{report.client_order_id[:-7]}E900001")])
    assert world.group().group.mode is Mode.LEFT
    world.mute = False
    world.restart()
    for _ in range(4):
        world.advance(5_000)
        world.snapshot()
    assert entry_of(world).status is IntentStatus.VOID
    asked = len(world.cancels())
    world.advance(60_000)
    assert len(world.cancels()) == asked
    assert not world.orders(), "nothing is placed for a group that is left to a person"
    assert world.position(LONG) == 0
    assert not [parked for parked in world.rejected() if parked.incoming == "OrderAbsent"]


def test_when_not_even_a_cancel_can_be_decided_a_person_is_told_to_do_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = resting()
    monkeypatch.setattr(bookkeeping, "request_cancel", _raise)
    bug(world, monkeypatch)
    (alert,) = world.escalations("CANCEL_STUCK")
    assert "cancel them at the broker" in alert.text


def test_news_that_cannot_be_written_down_keeps_no_entry_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    world = resting()
    world.mute = True
    forgotten_order(world)
    monkeypatch.setattr(bookkeeping, "join", _raise)
    world.mute = False
    world.snapshot()
    world.advance(PATIENCE_MS)
    assert at_work(world) == 0
