"""What a plan would become, worked out without sending anything.  Pure; :mod:`cli.market` brings the market."""

from __future__ import annotations

from typing import Any

import msgspec

from cli.market import Market
from config.schema import Config
from decisions.gateway.session import MarketHours, restricted_legs
from decisions.groups.margining import MarginJudgement, MarginRequirement, judge, required
from decisions.groups.validation import PlanRefused, validate
from domain.calendar import calendar
from domain.execution import Side
from domain.groups import Group, Leg, Plan, client_order_id, parent_tag
from domain.margin.strategy import MarginReport, MarginUnknown
from domain.margin.worst_case import WorstCase
from domain.money import to_float
from domain.rollout import Realm, realm_of_cell
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
    """A dry run's result.

    ``required`` is ``None`` when a price is missing; ``margin_unknown`` then says which.  ``judgement`` is ``None``
    when that is so, or the broker did not tell its funds.
    """

    group: Group
    realm: Realm
    cell: int
    at_ns: int
    legs: tuple[PlannedLeg, ...]
    premium: int | None
    required: MarginRequirement | None
    judgement: MarginJudgement | None
    margin_unknown: str

    @property
    def margin(self) -> MarginReport | None:
        """The strategy-based figures."""
        return None if self.required is None else self.required.strategy


def preview(plan: Plan, market: Market, config: Config, cell: int) -> Preview:
    """The priority order, slices with their order ids, margin, and premium at the touch.

    ``cell`` is where the group would go, and ``config`` the view of its realm.

    Raises ``PlanRefused`` when the plan cannot be worked.
    """
    group = validate(plan, market.instruments, calendar(config.broker.calendar).day(market.ts_ns))
    barred = restricted_legs(group, config)
    closed = MarketHours(config.broker.calendar).at(market.ts_ns).text
    if barred or closed:
        raise PlanRefused([*barred, *([f"new risk is not allowed at the moment: {closed}"] if closed else [])])
    legs = tuple(_planned(leg, group.group_id, cell, market) for leg in group.legs)
    needed, judgement, unknown = _margin(group, legs, market, config)
    return Preview(
        group=group,
        realm=realm_of_cell(cell),
        cell=cell,
        at_ns=market.ts_ns,
        legs=legs,
        premium=sum(leg.premium for leg in legs) if all(leg.touch for leg in legs) else None,
        required=needed,
        judgement=judgement,
        margin_unknown=unknown,
    )


def as_json(result: Preview) -> dict[str, Any]:
    """The preview as plain values; money is in currency units."""
    margin = result.margin
    return {
        "group_id": result.group.group_id,
        "strategy": result.group.strategy,
        "policy": result.group.policy.value,
        "realm": result.realm.value,
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
        "worst_case": None if result.required is None else _required_json(result.required),
        "judgement": None if result.judgement is None else _judgement_json(result.judgement),
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


def _margin(
    group: Group, legs: tuple[PlannedLeg, ...], market: Market, config: Config
) -> tuple[MarginRequirement | None, MarginJudgement | None, str]:
    prices = {planned.leg.instrument.symbol: planned.price for planned in legs}
    days = calendar(config.broker.calendar)
    try:
        needed = required(group, prices, market.quotes, market.ts_ns, config.margin, days)
    except MarginUnknown as unknown:
        return None, None, str(unknown)
    return needed, judge(needed, market.funds, config.margin) if market.funds else None, ""


def _required_json(needed: MarginRequirement) -> dict[str, Any]:
    return {
        "requirement": to_float(needed.requirement),
        "basis": needed.basis,
        "shocks": _worst_json(needed.worst),
        "span": _worst_json(needed.span),
    }


def _worst_json(worst: WorstCase | None) -> dict[str, Any] | None:
    if worst is None:
        return None
    return {"loss": to_float(worst.loss), "scenario": worst.scenario, "prefix": dict(worst.prefix)}


def _judgement_json(judgement: MarginJudgement) -> dict[str, Any]:
    return {
        "allowed": judgement.allowed,
        "text": judgement.text,
        "available": to_float(judgement.available),
        "used": to_float(judgement.used),
        "use_pct": round(judgement.use_pct, 4),
        "max_use_pct": judgement.max_use_pct,
    }


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
