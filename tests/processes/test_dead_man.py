"""Without its gateway the system leaves its stops at the broker and none of its entries (E13)."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace
from system import Bench, bench, id_in_cell, plan, wait_for

from domain.groups import PlanStop, group_part, group_tag, tag_kind

SHORT = "LEGK  260220C00515000"
CHEAP = 500  # nobody sells the protection at this price: the entry rests


def events(where: Bench, group_id: str, kind: str) -> list[str]:
    """The letters of the orders of a group to which this happened at the exchange."""
    return [
        tag_kind(event.client_order_id)
        for event in where.truth()
        if event.kind == kind and group_part(event.client_order_id) == group_tag(group_id)
    ]


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
        wanted = plan(resting)
        legs = tuple(replace(leg, limit_price=CHEAP if leg.leg_id == "wing" else 0) for leg in wanted.legs)
        system.submit(replace(wanted, legs=legs))
        wait_for(lambda: events(where, resting, "accepted"), "the entry to rest")
        assert events(where, resting, "canceled") == []
        system.stop()
        wait_for(lambda: events(where, resting, "canceled"), "the exchange to cancel the entry")
        assert set(events(where, resting, "canceled")) == {"E"}
        assert "S" not in events(where, guarded, "canceled")
