"""Without its gateway the system leaves its stops at the broker and none of its entries (E13)."""

from __future__ import annotations

from pathlib import Path

from evidence import positions
from msgspec.structs import replace
from system import Bench, bench, id_in_cell, is_alive, plan, stop, wait_for

from domain.groups import Plan, PlanStop, group_part, group_tag, tag_kind

SHORT = "LEGK  260220C00515000"
CHEAP = 500  # nobody sells the protection at this price: the entry rests


def events(where: Bench, group_id: str, kind: str) -> list[str]:
    """The letters of the orders of a group to which this happened at the exchange."""
    return [
        tag_kind(event.client_order_id)
        for event in where.truth()
        if event.kind == kind and group_part(event.client_order_id) == group_tag(group_id)
    ]


def resting_plan(group_id: str) -> Plan:
    """A group whose protection is bid for at a price at which nobody sells."""
    wanted = plan(group_id)
    legs = tuple(replace(leg, limit_price=CHEAP if leg.leg_id == "wing" else 0) for leg in wanted.legs)
    return replace(wanted, legs=legs)


def test_e13_a_gateway_that_only_hangs_leaves_its_stops_and_is_killed_before_its_entries_work_on_for_long(
    tmp_path: Path,
) -> None:
    """Its connection stays open, so the exchange notices nothing: the watchdog has to end it."""
    guarded, resting = id_in_cell(1, "guarded"), id_in_cell(0, "resting")
    stops = (PlanStop(leg_id="short", trigger_price=30_0000),)
    with bench(tmp_path, {"heartbeat_timeout_ms": 3_000}) as where, where.steering() as hand:
        system = where.start(  # of the exchange's time, so that no successor is quick enough to log in before
            LEGKEEPER_ORDERS_WORKING_TIMEOUT_MS="3600000", LEGKEEPER_BROKER_CANCEL_ON_DISCONNECT_MS="1"
        )
        system.wait_until_open()
        system.submit(plan(guarded, stops=stops), resting_plan(resting))
        wait_for(lambda: "S" in events(where, guarded, "accepted"), "the stop-loss to work")
        wait_for(lambda: events(where, resting, "accepted"), "the entry to rest")
        pid, before = system.pid_of("gateway"), len(where.truth())
        stop(pid)
        hand.pin(SHORT, 30_0500, 30_1000)  # a gap beyond its limit would need us
        wait_for(lambda: positions(where, guarded)[SHORT] == 0, "the stop at the exchange to buy the short back")
        wait_for(lambda: events(where, resting, "canceled"), "the exchange to cancel the entry")
        assert not is_alive(pid)
        since = where.truth()[before:]
        ended = next(number for number, event in enumerate(since) if event.kind == "canceled")
        assert [event.client_order_id for event in since[:ended] if event.kind == "fill"], "while it hung"
        assert not [event for event in since[:ended] if event.kind == "order_received"]
        assert set(events(where, resting, "canceled")) == {"E"}
        assert "S" not in events(where, guarded, "canceled")
        system.wait_until_replaced("gateway", pid)
        system.wait_until_open()
        wait_for(lambda: len(events(where, resting, "accepted")) > 1, "the entry to be placed again")
        system.stop()


def test_e13_a_system_that_is_gone_leaves_its_stops_and_none_of_its_entries(tmp_path: Path) -> None:
    guarded, resting = id_in_cell(1, "guarded"), id_in_cell(0, "resting")
    stops = (PlanStop(leg_id="short", trigger_price=90_0000),)
    with bench(tmp_path) as where:
        system = where.start(
            LEGKEEPER_ORDERS_WORKING_TIMEOUT_MS="3600000", LEGKEEPER_BROKER_CANCEL_ON_DISCONNECT_MS="2000"
        )
        system.wait_until_open()
        system.submit(plan(guarded, stops=stops))
        wait_for(lambda: "S" in events(where, guarded, "accepted"), "the stop-loss to work")
        system.submit(resting_plan(resting))
        wait_for(lambda: events(where, resting, "accepted"), "the entry to rest")
        assert events(where, resting, "canceled") == []
        system.stop()
        wait_for(lambda: events(where, resting, "canceled"), "the exchange to cancel the entry")
        assert set(events(where, resting, "canceled")) == {"E"}
        assert "S" not in events(where, guarded, "canceled")
