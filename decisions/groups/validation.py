"""From a plan to a group: is it possible, what is each leg for, and in which order are the legs worked?

Scores are those of requirement S1, and the order follows from what each is for:

=====  ==========================================  ==========
score  leg                                         worked
=====  ==========================================  ==========
 +50   a long that offsets a short of the group    first: shorts wait for it
+100   any other long                              second
 -50   a short that the group's longs cover        third
-100   a short of which a part is naked            last
=====  ==========================================  ==========

The score says how much a leg protects by itself (a plain long can never lose more than its premium); the order puts
offsetting hedges before plain longs, because only they hold risk legs up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from math import gcd, lcm

import msgspec

from domain.coverage import protects, uncovered
from domain.execution import Side
from domain.groups import Group, Leg, Plan, PlanLeg, PlanStop, Role, TriggerOn
from domain.instruments import Instrument
from domain.money import round_down, round_up, to_decimal
from domain.plans import shape_problems
from domain.slices import slicing_problem
from domain.symbols import AmbiguousSymbol, resolve

HEDGE, LONG, COVERED_SHORT, NAKED_SHORT = 50, 100, -50, -100
WORKING_ORDER = (HEDGE, LONG, COVERED_SHORT, NAKED_SHORT)


class PlanRefused(Exception):
    """The plan cannot be worked; ``problems`` holds every reason, one sentence each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


def validate(plan: Plan, instruments: Mapping[str, Instrument], today: date) -> Group:
    """The group that ``plan`` describes: legs bound to their instruments, scored, and in the order of work.

    ``instruments`` are those of the broker by symbol; ``today`` is the exchange's date.  Raises :class:`PlanRefused`
    with everything that is wrong at once.
    """
    shape = shape_problems(plan)
    known, unknown = _bound(plan, instruments)
    problems = [
        *shape,
        *unknown,
        *(problem for leg, instrument in known for problem in _leg_problems(plan, leg, instrument, today)),
        *_lot_problems(plan, known),
        *_stop_problems(plan, known),
    ]
    complete = not shape and len(known) == len(plan.legs)
    legs = _legs(plan, known) if complete else ()
    if not plan.allow_naked:
        problems += _naked_problems(legs)
    if problems:
        raise PlanRefused(problems)
    return Group(
        group_id=plan.group_id, strategy=plan.strategy, policy=plan.policy, allow_naked=plan.allow_naked, legs=legs,
max_loss=plan.stop.max_loss if plan.stop else 0,
        judged_on=plan.stop.judged_on if plan.stop else TriggerOn.MID,
    )  # fmt: skip


_Known = list[tuple[PlanLeg, Instrument]]


def _bound(plan: Plan, instruments: Mapping[str, Instrument]) -> tuple[_Known, list[str]]:
    """The legs with the instruments that their symbols mean, and what is wrong with the other symbols."""
    known: _Known = []
    problems = []
    for leg in plan.legs:
        try:
            symbol = resolve(leg.symbol, instruments)
        except AmbiguousSymbol as ambiguous:
            problems.append(f"{leg.leg_id}: {ambiguous}")
            continue
        if symbol in instruments:
            known.append((leg, instruments[symbol]))
            continue
        near = get_close_matches(symbol, instruments.keys(), n=3, cutoff=0.7)
        hint = f"nearest known: {', '.join(near)}" if near else f"the broker lists {len(instruments)} symbols"
        problems.append(f"{leg.leg_id}: the broker does not know {symbol!r}; {hint}")
    return known, problems


def _leg_problems(plan: Plan, leg: PlanLeg, instrument: Instrument, today: date) -> list[str]:
    problems = []
    if instrument.expired(today):
        problems.append(f"{leg.leg_id}: {instrument.symbol} expired on {instrument.expiry}, and today is {today}")
    target = plan.quantity * leg.ratio
    slicing = slicing_problem(round_up(target, instrument.lot_size), instrument) if target > 0 else ""
    if slicing:
        problems.append(f"{leg.leg_id}: {slicing}")
    if leg.limit_price > 0:
        problems += _tick_problems(f"{leg.leg_id}: limit_price", leg.limit_price, instrument)
    return problems


def _tick_problems(what: str, price: int, instrument: Instrument) -> list[str]:
    tick = instrument.tick_size
    if price % tick == 0:
        return []
    near = [to_decimal(near) for near in (round_down(price, tick), round_up(price, tick)) if near]
    return [
        f"{what} {to_decimal(price):f} is no multiple of {instrument.symbol}'s tick {to_decimal(tick):f}; "
        f"nearest: {_either(f'{value:f}' for value in near)}"
    ]


def _lot_problems(plan: Plan, known: _Known) -> list[str]:
    """Legs whose units are not whole lots, with the nearest quantities that suit every leg of the plan (R15)."""
    if plan.quantity <= 0:
        return []
    pairs = [(leg, instrument) for leg, instrument in known if leg.ratio > 0]
    step = lcm(*(instrument.lot_size // gcd(instrument.lot_size, leg.ratio) for leg, instrument in pairs))
    near = _either(
        str(quantity) for quantity in (round_down(plan.quantity, step), round_up(plan.quantity, step)) if quantity
    )
    return [
        f"{leg.leg_id}: quantity {plan.quantity} x ratio {leg.ratio} = {plan.quantity * leg.ratio} units of "
        f"{instrument.symbol} is not whole lots of {instrument.lot_size}; nearest workable quantity: {near}"
        for leg, instrument in pairs
        if plan.quantity * leg.ratio % instrument.lot_size
    ]


def _stop_problems(plan: Plan, known: _Known) -> list[str]:
    legs = {leg.leg_id: (leg, instrument) for leg, instrument in known}
    problems = []
    for stop in plan.stops:
        if stop.leg_id in legs and stop.trigger_price > 0:
            leg, instrument = legs[stop.leg_id]
            problems += _tick_problems(f"the stop on {stop.leg_id}: trigger_price", stop.trigger_price, instrument)
            problems += _wrong_leg(stop, leg, instrument, known)
            problems += _wrong_way(stop, leg)
    return problems


def _wrong_leg(stop: PlanStop, leg: PlanLeg, instrument: Instrument, known: _Known) -> list[str]:
    """A stop that sells what a short relies on would make that short naked."""
    if leg.side is Side.SELL:
        return []
    shorts = [other.leg_id for other, sold in known if other.side is Side.SELL and protects(instrument, sold)]
    if not shorts:
        return []
    return [f"the stop on {stop.leg_id} would sell the protection of {', '.join(shorts)}; put it on the short leg"]


def _wrong_way(stop: PlanStop, leg: PlanLeg) -> list[str]:
    """A stop that the entry price itself has already passed would fire at once."""
    if leg.limit_price <= 0 or (stop.trigger_price - leg.limit_price) * leg.side.sign < 0:
        return []
    where = "below" if leg.side is Side.BUY else "above"
    return [
        f"the stop on {stop.leg_id} would trigger at once: its trigger_price {to_decimal(stop.trigger_price):f} must "
        f"lie {where} the leg's limit_price {to_decimal(leg.limit_price):f}"
    ]


def _naked_problems(legs: tuple[Leg, ...]) -> list[str]:
    return [
        f"{leg_id}: {bare} of its {_target(legs)[leg_id]} units sold are naked: no bought leg of the same underlying "
        "and right that expires no earlier is left for them; add protection, or set allow_naked = true"
        for leg_id, bare in uncovered(legs, _target(legs), _target(legs)).items()
        if bare
    ]


def _legs(plan: Plan, known: _Known) -> tuple[Leg, ...]:
    """The legs in working order; ``index`` is the place in it.  Legs of one score keep the plan's order."""
    stops = {stop.leg_id: stop for stop in plan.stops}
    drafts = tuple(
        Leg(
            leg_id=leg.leg_id,
            index=index,
            instrument=instrument,
            side=leg.side,
            role=Role.PROTECTION if leg.side is Side.BUY else Role.RISK,
            score=0,
            target_qty=plan.quantity * leg.ratio,
            limit_price=leg.limit_price,
            stop_trigger=stops[leg.leg_id].trigger_price if leg.leg_id in stops else 0,
            stop_trigger_on=stops[leg.leg_id].trigger_on if leg.leg_id in stops else TriggerOn.LAST,
        )
        for index, (leg, instrument) in enumerate(known)
    )
    bare = uncovered(drafts, _target(drafts), _target(drafts))
    scored = [msgspec.structs.replace(leg, score=_score(leg, drafts, bare)) for leg in drafts]
    scored.sort(key=lambda leg: WORKING_ORDER.index(leg.score))
    return tuple(msgspec.structs.replace(leg, index=index) for index, leg in enumerate(scored))


def _score(leg: Leg, legs: Iterable[Leg], bare: Mapping[str, int]) -> int:
    if leg.side is Side.SELL:
        return NAKED_SHORT if bare[leg.leg_id] else COVERED_SHORT
    offsets = any(other.side is Side.SELL and protects(leg.instrument, other.instrument) for other in legs)
    return HEDGE if offsets else LONG


def _target(legs: Iterable[Leg]) -> dict[str, int]:
    return {leg.leg_id: leg.target_qty for leg in legs}


def _either(values: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(values))
