"""Lots and freeze quantities that change overnight with a position open: no crash, no wrong order, a clear sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from world import CHAIN, LONG, SHORT, World, bull_put, leg

from config.schema import BrokerConfig, Config
from decisions.effects import MS
from decisions.groups.contracts import complete
from domain.calendar import CALENDARS
from domain.execution import Side
from domain.groups import GroupOutcome, Role
from domain.instruments import Instrument
from messages.operator import CancelGroup
from messages.orders import InstrumentList

NIGHT_MS = 18 * 3_600_000


def relot(lot_size: int, freeze_qty: int | None) -> list[Instrument]:
    return [replace(instrument, lot_size=lot_size, freeze_qty=freeze_qty) for instrument in CHAIN]


def morning(world: World, changed: list[Instrument]) -> None:
    """The night passes, and the broker's list of the new session is another one."""
    world.exchange.relist(changed, world.now_ns)
    world.now_ns += NIGHT_MS * MS
    world.take(world.exchange.advance(world.now_ns))
    world.link_up()
    world.show()


def opened(quantity: int, lot_size: int, freeze_qty: int, **told: Any) -> World:
    world = World(chain=relot(lot_size, freeze_qty), size=2_000, **told)
    world.submit(bull_put(quantity=quantity))
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert world.position(SHORT) == -quantity
    return world


def test_a_lower_freeze_quantity_cuts_the_closing_orders_smaller() -> None:
    world = opened(900, 30, 900)
    morning(world, relot(30, 600))
    told = world.escalations("CONTRACT_CHANGED")
    assert {alert.symbol for alert in told} == {LONG, SHORT}
    assert all("freeze quantity 900 is now 600; orders of this group follow the new limits" in a.text for a in told)
    world.take([CancelGroup("bp")])
    world.advance(5_000, fresh=True)
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert sorted(o.quantity for o in world.orders(Role.CLOSE)) == [300, 300, 600, 600]
    assert all(event.kind != "rejected" for event in world.truth)


def test_a_new_lot_leaves_an_odd_rest_that_is_told_to_a_person_after_all_else_was_closed() -> None:
    world = opened(75, 75, 1_800)
    morning(world, relot(65, 1_800))
    (changed, *_) = world.escalations("CONTRACT_CHANGED")
    assert "lot 75 is now 65" in changed.text
    assert "10 of its 75 units are less than a lot, and can only expire or be closed by hand" in changed.text
    world.take([CancelGroup("bp")])
    world.advance(60_000, fresh=True)
    assert [world.position(SHORT), world.position(LONG)] == [-10, 10]
    assert {o.quantity for o in world.orders(Role.CLOSE)} == {65}
    odd = world.escalations("ODD_LOT")
    assert any(f"buy 10 {SHORT} cannot be ordered: lots are 65 now; close them by hand" in alert.text for alert in odd)
    assert world.escalations("IMMEDIATE_MANUAL_HEDGE")
    assert world.group().group.outcome is GroupOutcome.HALTED
    assert all(event.kind != "rejected" for event in world.truth)


def test_a_rest_that_came_by_lots_of_which_we_were_not_told_is_given_to_a_person_too() -> None:
    world = World(chain=relot(2, 1_800), size=2_000)
    world.exchange.relist(relot(1, 1_800), world.now_ns)  # in the middle of the session: no login, no new list
    world.quote(LONG, 20_000, 20_500, size=5)
    world.submit(bull_put(quantity=10))
    assert (world.position(SHORT), world.position(LONG)) == (-4, 5)
    world.take([CancelGroup("bp")])
    world.sizes[LONG] = 2_000
    world.advance(60_000, fresh=True)
    assert (world.position(SHORT), world.position(LONG)) == (0, 1)
    (odd,) = {alert.text for alert in world.escalations("ODD_LOT")}
    assert odd.startswith(f"sell 1 {LONG} cannot be ordered: lots are 2; close them by hand")
    assert world.escalations("IMMEDIATE_MANUAL_HEDGE")
    assert world.group().group.outcome is GroupOutcome.HALTED
    assert all(event.kind != "rejected" for event in world.truth)


def test_a_long_in_larger_lots_waits_for_its_short_to_make_one() -> None:
    chain = [replace(one, lot_size=50 if one.symbol == LONG else 25, freeze_qty=1_800) for one in CHAIN]
    world = World(chain=chain, size=2_000)
    world.submit(bull_put(quantity=100))
    world.quote(SHORT, 20_000, 20_500, size=25)
    world.take([CancelGroup("bp")])
    world.advance(5_000, fresh=True)
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert {o.quantity for o in world.orders(Role.CLOSE, Side.SELL)} == {50}
    assert world.alerts == []


def test_a_group_whose_lots_still_fit_closes_as_if_nothing_had_changed() -> None:
    world = opened(130, 130, 1_300)
    morning(world, relot(65, 1_800))
    world.take([CancelGroup("bp")])
    world.advance(5_000, fresh=True)
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert world.escalations("ODD_LOT") == []


def test_a_freeze_quantity_that_is_not_known_any_more_sends_nothing_and_calls_a_person() -> None:
    world = opened(100, 10, 100)
    morning(world, relot(10, None))
    before = len(world.orders())
    world.take([CancelGroup("bp")])
    world.advance(60_000, fresh=True)
    assert len(world.orders()) == before
    assert any("its freeze quantity is not known any more" in alert.text for alert in world.escalations("ODD_LOT"))
    assert world.group().group.outcome is GroupOutcome.HALTED


def test_a_stop_loss_covers_the_whole_lots_of_the_new_morning() -> None:
    world = World(chain=relot(75, 1_800), size=2_000)
    world.submit(bull_put(quantity=75, stop=40_000))
    assert [o.quantity for o in world.orders(Role.STOP_LIMIT)] == [75]
    stop = world.orders(Role.STOP_LIMIT)[0]
    morning(world, relot(65, 1_800))
    reply = world.exchange.cancel(client_order_id=stop.client_order_id, request_id="night", now_ns=world.now_ns)
    world.take(reply.reports)  # as a day order ends
    world.advance(5_000, fresh=True)
    assert [o.quantity for o in world.orders(Role.STOP_LIMIT)] == [75, 65]
    assert any(f"buy 10 {SHORT} cannot be ordered" in alert.text for alert in world.escalations("ODD_LOT"))
    assert all(event.kind != "rejected" for event in world.truth)


@pytest.mark.parametrize("die", [World.restart, lambda world: None], ids=["after a crash", "without"])
def test_a_hedge_after_the_change_is_cut_by_the_new_limits(die: Callable[[World], None]) -> None:
    world = opened(900, 30, 900)
    morning(world, relot(30, 600))
    die(world)
    bought = next(e for e in world.exchange.executions() if e.symbol == LONG)
    world.take(world.exchange.bust(bought.exec_id, world.now_ns))
    world.advance(5_000, fresh=True)
    assert world.position(LONG) == 900
    assert sorted(o.quantity for o in world.orders(Role.HEDGE)) == [300, 600]


def test_a_contract_that_is_not_listed_any_more_is_told() -> None:
    world = opened(10, 1, 50)
    world.exchange._listed.pop(LONG)
    world.link_up()
    (alert,) = world.escalations("CONTRACT_CHANGED")
    assert f"{LONG} is not listed any more" in alert.text


def test_nse_freeze_quantities_come_from_the_dated_table_where_the_broker_states_none() -> None:
    nifty = replace(CHAIN[0], underlying="NIFTY", freeze_qty=None)
    day = CALENDARS["nse"].day(1_767_600_000 * 10**9)  # 2026-01-05
    (filled,) = complete([nifty], "nse", day)
    assert filled.freeze_qty == 1_800
    assert complete([nifty], "us_options", day) == (nifty,)
    stranger = replace(nifty, underlying="RELIANCE")
    assert complete([stranger], "nse", day) == (stranger,)
    stated = replace(nifty, freeze_qty=900)
    assert complete([stated], "nse", day) == (stated,)
    assert Config(broker=BrokerConfig(calendar="nse")).broker.calendar == "nse"


@pytest.mark.parametrize("freeze_qty", [None, 5], ids=["not known", "less than a lot"])
def test_a_stop_that_cannot_be_placed_any_more_is_watched_and_a_person_is_called(freeze_qty: int | None) -> None:
    world = World(chain=relot(10, 1_800), size=2_000)
    world.submit(bull_put(quantity=100, stop=40_000))
    (stop,) = world.orders(Role.STOP_LIMIT)
    world.exchange.cancel(client_order_id=stop.client_order_id, request_id="night", now_ns=world.now_ns)
    morning(world, relot(10, freeze_qty))
    for _ in range(3):
        world.advance(12_000, fresh=True)
        world.snapshot()
    assert not world.group().group.crashes
    assert world.escalations("STOP_UNPROTECTED")
    assert len(world.orders(Role.STOP_LIMIT)) == 1
    world.quote(SHORT, 60_000, 60_500)
    world.advance(20_000, fresh=True)
    assert world.escalations("STOP_EXIT_SHORT"), "it has fired, and nothing may be sent"
    assert not world.group().group.crashes


def test_a_stop_is_placed_again_when_the_freeze_quantity_is_known_again() -> None:
    world = World(chain=relot(10, 1_800), size=2_000)
    world.submit(bull_put(quantity=100, stop=40_000))
    (stop,) = world.orders(Role.STOP_LIMIT)
    world.exchange.cancel(client_order_id=stop.client_order_id, request_id="night", now_ns=world.now_ns)
    morning(world, relot(10, None))
    world.advance(5_000, fresh=True)
    world.exchange.relist(relot(10, 1_800), world.now_ns)
    world.link_up()
    world.show()
    world.advance(5_000, fresh=True)
    assert len([order for order in world.live() if order.role is Role.STOP_LIMIT]) == 1


def test_r2_what_a_stop_gave_up_is_not_exited_by_it_when_it_can_be_ordered_again_and_its_group_closes_it() -> None:
    world = World(chain=relot(10, 1_800), size=2_000)
    naked = replace(bull_put(quantity=100, stop=40_000), legs=(leg(SHORT, "sell"),), allow_naked=True)
    world.submit(naked)
    (stop,) = world.orders(Role.STOP_LIMIT)
    world.exchange.cancel(client_order_id=stop.client_order_id, request_id="night", now_ns=world.now_ns)
    morning(world, relot(10, None))
    world.quote(SHORT, 60_000, 60_500)
    for _ in range(5):
        world.advance(12_000, fresh=True)
        world.snapshot()
    assert world.escalations("STOP_EXIT_SHORT")
    assert world.group().group.outcome is GroupOutcome.HALTED
    world.exchange.relist(relot(10, 1_800), world.now_ns)
    world.take([InstrumentList(tuple(world.exchange.instruments.values()))])
    world.quote(SHORT, 10_000, 99_000)  # so that the close works for a while
    world.take([CancelGroup("bp")])
    assert [order.role for order in world.live()] == [Role.CLOSE]
    world.advance(8_000)
    world.quote(SHORT, 60_000, 60_500)
    world.advance(12_000, fresh=True)
    assert world.group().group.outcome is GroupOutcome.FLAT
    assert world.position(SHORT) == 0
    assert not world.orders(Role.STOP_MARKET), "beside the close, which worked"
