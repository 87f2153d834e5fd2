"""What a plan would become, worked out without sending anything.  Pure; :mod:`cli.market` brings the market."""

from __future__ import annotations

from typing import Any

import msgspec

from cli.market import Market
from config.schema import Config
from decisions.validation import validate
from domain.execution import Side
from domain.groups import Group, Leg, Plan, client_order_id, parent_tag
from domain.margin import MarginReport, MarginUnknown, estimate
from domain.money import to_float
from domain.plans import home_cell
from domain.slices import slices

FIRST_ATTEMPT = 1
AMOUNTS = ("requirement", "net", "premium_paid", "premium_received", "covered", "naked")


class PlannedOrder(msgspec.Struct, frozen=True):
    """One child order, if the leg is released as a whole."""

    client_order_id: str
    quantity: int


class PlannedLeg(msgspec.Struct, frozen=True, kw_only=True):
    """One leg in the order of work.  ``price`` is its limit, or the touch; 0 when nobody quotes that side."""

    leg: Leg
    parent_id: str
    orders: tuple[PlannedOrder, ...]
    touch: int
    price: int
    premium: int  # at the touch: negative is paid, positive is received


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A dry run's result.  ``margin`` is ``None`` when a price is missing; ``margin_unknown`` then says which."""

    group: Group
    cell: int
    at_ns: int
    legs: tuple[PlannedLeg, ...]
    premium: int | None
    margin: MarginReport | None
    margin_unknown: str


def preview(plan: Plan, market: Market, config: Config) -> Preview:
    """The priority order, slices with their order ids, margin, and premium at the touch.

    Raises ``PlanRefused`` when the plan cannot be worked.
    """
    group = validate(plan, market.instruments, market.today)
    cell = home_cell(group.group_id, config.system.cells)
    legs = tuple(_planned(leg, group.group_id, cell, market) for leg in group.legs)
    margin, unknown = _margin(group, legs, market)
    return Preview(
        group=group,
        cell=cell,
        at_ns=market.ts_ns,
        legs=legs,
        premium=sum(leg.premium for leg in legs) if all(leg.touch for leg in legs) else None,
        margin=margin,
        margin_unknown=unknown,
    )


def as_json(result: Preview) -> dict[str, Any]:
    """The preview as plain values; money is in currency units."""
    margin = result.margin
    return {
        "group_id": result.group.group_id,
        "strategy": result.group.strategy,
        "policy": result.group.policy.value,
        "cell": result.cell,
        "broker_time_ns": result.at_ns,
        "legs": [_leg_json(planned) for planned in result.legs],
        "premium": None if result.premium is None else to_float(result.premium),
        "margin": None
        if margin is None
        else {name: to_float(getattr(margin, name)) for name in AMOUNTS}
        | {
            "items": [
                {"what": item.what, "legs": item.leg_ids, "amount": to_float(item.amount)} for item in margin.items
            ]
        },
        "margin_unknown": result.margin_unknown,
    }


def _planned(leg: Leg, group_id: str, cell: int, market: Market) -> PlannedLeg:
    parent = parent_tag(cell, group_id, "E", leg.index, 0)
    quote = market.quotes.get(leg.instrument.symbol)
    touch = 0 if quote is None else quote.ask if leg.side is Side.BUY else quote.bid
    return PlannedLeg(
        leg=leg,
        parent_id=parent,
        orders=tuple(
            PlannedOrder(client_order_id(parent, number, FIRST_ATTEMPT), quantity)
            for number, quantity in enumerate(slices(leg.target_qty, leg.instrument))
        ),
        touch=touch,
        price=leg.limit_price or touch,
        premium=-leg.side.sign * touch * leg.target_qty * leg.instrument.multiplier,
    )


def _margin(group: Group, legs: tuple[PlannedLeg, ...], market: Market) -> tuple[MarginReport | None, str]:
    prices = {planned.leg.instrument.symbol: planned.price for planned in legs}
    underlyings = {leg.instrument.underlying for leg in group.legs}
    try:
        return estimate(group, prices, {name: market.spot(name) for name in underlyings}), ""
    except MarginUnknown as unknown:
        return None, str(unknown)


def _leg_json(planned: PlannedLeg) -> dict[str, Any]:
    leg = planned.leg
    return {
        "leg_id": leg.leg_id,
        "index": leg.index,
        "symbol": leg.instrument.symbol,
        "side": leg.side.value,
        "role": leg.role.value,
        "score": leg.score,
        "quantity": leg.target_qty,
        "limit_price": to_float(leg.limit_price),
        "stop_trigger": to_float(leg.stop_trigger),
        "touch": to_float(planned.touch),
        "premium": to_float(planned.premium),
        "parent_id": planned.parent_id,
        "orders": [{"client_order_id": order.client_order_id, "quantity": order.quantity} for order in planned.orders],
    }
