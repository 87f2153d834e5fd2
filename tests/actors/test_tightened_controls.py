"""A gateway limit that is lowered under a group: new risk is refused by name, repairs leave, the group ends whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateway_door import LONG, NOW_NS, SHORT, Door, door, order, put, report
from msgspec.structs import replace

from domain.calendar import FOREVER_NS
from domain.execution import ExecType, OrdType, Side
from domain.groups import ENTRY_ROLES, GroupOutcome, Role
from messages.orders import CancelOrder, Position
from messages.supervision import CellState
from simulation.scenarios import MID, Scene, Story, a_plan, a_tale, submitted
from simulation.schedule import MS
from simulation.tape import Tape
from simulation.workload import Action
from simulation.world import World
from storage.tables import ESCALATIONS, INTENTS

BOUGHT = [order(LONG, Side.BUY, 4, group_id=f"b{number}") for number in range(3)]
WORKS = order(LONG, Side.BUY, 4, group_id="works")


def _nothing(_gateway: Door) -> None:
    """The limit is enough."""


def _uncovered(gateway: Door) -> None:
    gateway.on_cell_state(CellState(0, 1, 5, FOREVER_NS), "cell")
    gateway.passes(100)


def _lost(gateway: Door) -> None:
    gateway.quotes(bid=500, ask=1_500)
    gateway.passes(6_000)


def _blind(gateway: Door) -> None:
    gateway.passes(100)


# what is lowered, what must have happened for it to bite, and what the refusal says
TIGHTER: dict[str, tuple[dict[str, Any], Callable[[Door], None], str]] = {
    "E1 units": ({"max_order_qty": 1}, _nothing, "E1: 4 units are more than controls.max_order_qty = 1"),
    "E1 notional": ({"max_order_notional": 150}, _nothing, "E1: 400 is more than controls.max_order_notional = 150"),
    "E2 age": ({"reference_max_age_ms": 1}, _blind, "E2: no usable, fresh quote"),
    "E5 orders": ({"max_open_orders": 1}, _nothing, "controls.max_open_orders = 1"),
    "E5 short": ({"max_short_units": 1}, _nothing, "controls.max_short_units = 1"),
    "E5 short of one": ({"max_short_units_underlying": 1}, _nothing, "controls.max_short_units_underlying = 1"),
    "E5 working": ({"max_working_notional": 1}, _nothing, "controls.max_working_notional = 1"),
    "E8": ({"repeat_limit": 1}, _nothing, "(controls.repeat_limit = 1)"),
    "E11": ({"max_loss": 1}, _lost, "controls.max_loss = 1"),
    "E17": ({"restricted": ("XYZ",)}, _nothing, "controls.restricted"),
    "E20 order": ({"max_order_premium": 1}, _nothing, "controls.max_order_premium = 1"),
    "E20 day": ({"max_day_premium": 1}, _nothing, "controls.max_day_premium = 1"),
    "E20 margin": ({"max_margin_use_pct": 0.0}, _nothing, "controls.max_margin_use_pct = 0"),
    "E20 naked": ({"naked_window_units": 0, "naked_window_ms": 1}, _uncovered, "controls.naked_window_units = 0"),
}
SELLS = ("E5 short", "E5 short of one")  # these look at what is sold
CUTS = ("E1 units", "E1 notional")  # these hold for repairs too, which cells cut to a single unit then


@pytest.mark.parametrize("limit", TIGHTER)
def test_a_lowered_limit_refuses_new_risk_by_its_name_and_lets_every_repair_out(tmp_path: Path, limit: str) -> None:
    controls, happens, said = TIGHTER[limit]
    with door(tmp_path) as gateway:
        assert gateway.refusals(*BOUGHT, WORKS) == []
        for each in BOUGHT:
            gateway.fills(each)
    with door(tmp_path, **controls) as gateway:
        gateway.snapshot(
            orders=(report(WORKS, ExecType.ORDER_STATUS, 0, NOW_NS),),
            executions=tuple(report(o, ExecType.TRADE, 4, NOW_NS, last_qty=4, last_px=o.price) for o in BOUGHT),
            positions=(Position(LONG.symbol, 12, 1_0000), Position(put(110).symbol, -3, 1_0000)),
        )
        happens(gateway)
        entry = order(SHORT, Side.SELL, 4) if limit in SELLS else order(LONG, Side.BUY, 4)
        (refusal,) = gateway.refusals(entry)
        assert said in refusal
        size = 1 if limit in CUTS else 8
        repairs = [
            order(put(110), Side.BUY, size, role=Role.HEDGE),
            order(put(115), Side.SELL, size, role=Role.CLOSE),
            order(put(120), Side.BUY, size, role=Role.STOP_LIMIT, order_type=OrdType.STOP_LIMIT, trigger_price=1_0000),
        ]
        assert gateway.refusals(*repairs) == []
        cancel = CancelOrder(client_order_id=WORKS.client_order_id, venue_order_id="", request_id="c", epoch=1)
        gateway.hear(cancel)
        assert gateway.sent == repairs
        assert gateway.broker.taken[-1] == cancel or cancel in gateway.broker.taken


def test_a_narrower_collar_leaves_a_repair_its_market_order(tmp_path: Path) -> None:
    with door(tmp_path, price_collar_pct=0.0, price_collar_floor=0.0) as gateway:
        hedge = order(LONG, Side.BUY, 4, 1_0500, role=Role.HEDGE)
        (refusal,) = gateway.refusals(hedge)
        assert refusal.startswith("E2: buy price 1.05 is more than 0 beyond the mid")
        last = replace(order(LONG, Side.BUY, 4, role=Role.HEDGE, attempt=2), order_type=OrdType.MARKET, price=0)
        assert gateway.refusals(last) == []


LOWERED: dict[str, dict[str, Any]] = {
    **{name: controls for name, (controls, _, _) in TIGHTER.items()},
    "E1 notional": {"max_order_notional": 450},  # a unit is worth some 205
    "E2 collar": {"price_collar_pct": 0.0, "price_collar_floor": 0.0},
    "E7": {"orders_per_second": 2, "reserved_tokens": 1},
    "E12": {"cross_wait_ms": 1},
}
AT_MS = 700  # the condor is half in


def told(*, canceled: bool) -> Story:
    """An iron condor fills unit by unit; it may be canceled, so that all of it has to be closed again."""
    plan = a_plan("g0", "iron_condor", 10)
    late = (Action((AT_MS + 1_500) * MS, "cancel", plan),) if canceled else ()
    return a_tale("", submitted(plan), *late, scenes=(Scene(0, "", MID, 1),), fire_ms=AT_MS + 4_000)


def lowered_when_half_in(controls: dict[str, Any], *, canceled: bool) -> World:
    """The story with these controls from ``AT_MS`` on, run to its end; every oracle and the audit judge it."""
    story = told(canceled=canceled)
    world = World(Tape(), {}, story.scenario, story.market)
    config = story.scenario.config
    lowered = replace(config, controls=replace(config.controls, **controls))
    half: list[dict[str, int]] = []

    def start_again() -> None:
        half.extend(world.oracles.held(tag, record.group) for tag, record in world.oracles.groups.items())
        world.operator.config = lowered
        for process in world.base.find("RootSupervisor"):
            world.base.kill(process)

    world.schedule.at(world.schedule.now_ns + AT_MS * MS, start_again)
    world.run()
    assert 0 < sum(half[0].values()) < 40
    return world


@pytest.mark.parametrize("canceled", [False, True], ids=["goes on", "is canceled"])
@pytest.mark.parametrize("limit", LOWERED)
def test_a_group_that_is_half_in_when_a_limit_is_lowered_ends_hedged_or_flat(limit: str, canceled: bool) -> None:
    world = lowered_when_half_in(LOWERED[limit], canceled=canceled)
    (group,) = world.groups()
    assert group.outcome in (GroupOutcome.HEDGED, GroupOutcome.FLAT), group.reason
    assert group.outcome is GroupOutcome.FLAT or not canceled
    refused = [row for journal in world.journals() for row in journal.rows(INTENTS) if row.status.name == "REFUSED"]
    held_back = [row for row in refused if row.role not in ENTRY_ROLES and "canceled before" not in row.reason]
    assert limit == "E2 collar" or not held_back, held_back
    if group.outcome is GroupOutcome.FLAT and not canceled and limit != "E7":
        assert f"{limit[:3].strip()}: " in group.reason, "the group says what kept it out"


@pytest.mark.parametrize("canceled", [False, True], ids=["goes on", "is canceled"])
def test_e1_is_hard_where_a_single_lot_is_too_large_and_the_group_ends_with_a_person(canceled: bool) -> None:
    world = lowered_when_half_in({"max_order_notional": 100}, canceled=canceled)  # a unit is worth some 200
    (group,) = world.groups()
    assert group.outcome is GroupOutcome.HALTED
    (journal,) = world.journals()
    repairs = [row for row in journal.rows(INTENTS) if row.role not in ENTRY_ROLES]
    assert {(row.quantity, row.status.name) for row in repairs} == {(1, "REFUSED")}
    called = [alert for alert in journal.rows(ESCALATIONS) if alert.kind == "IMMEDIATE_MANUAL_HEDGE"]
    assert called and all(alert.delivered_ns and alert.acknowledged_by for alert in called)
