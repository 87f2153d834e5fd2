"""The rules of a plan that need no market: names, counts, and legs that fit together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b

from domain.groups import Plan, TriggerOn
from domain.instruments import canonical_symbol
from domain.money import PRICE_LIMIT, PRICE_SCALE

GROUP_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LEG_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
MAX_LEGS = 36  # a leg's index is one base-36 digit of its orders' ids
MAX_QUANTITY = 10**9  # of the group and of a ratio: their product still fits into 64 bits
MAX_TEXT = 64  # characters of a strategy's name and of a symbol


def shape_problems(plan: Plan) -> list[str]:
    """Everything that is wrong with ``plan`` in itself, one sentence each; empty when it is well formed."""
    return [*_count_problems(plan), *_leg_problems(plan), *_stop_problems(plan)]


def _count_problems(plan: Plan) -> list[str]:
    problems = []
    if not GROUP_ID.fullmatch(plan.group_id):
        problems.append(f"group_id {_shown(plan.group_id)} must be 1 to 64 letters, digits, '.', '_' or '-'")
    if not _is_name(plan.strategy):
        problems.append(f"strategy {_shown(plan.strategy)} must be 1 to {MAX_TEXT} characters that can be printed")
    if not 0 < plan.quantity <= MAX_QUANTITY:
        problems.append(f"quantity {_shown(plan.quantity)} must be at least 1 and at most {MAX_QUANTITY:,}")
    if not plan.legs:
        problems.append("the plan has no legs; give at least one")
    if len(plan.legs) > MAX_LEGS:
        problems.append(
            f"the plan has {len(plan.legs)} legs; at most {MAX_LEGS} are possible, split it into two groups"
        )
    return problems


def _leg_problems(plan: Plan) -> list[str]:
    problems = []
    for leg in plan.legs:
        if not LEG_ID.fullmatch(leg.leg_id):
            problems.append(f"leg_id {_shown(leg.leg_id)} must be 1 to 32 letters, digits, '.', '_' or '-'")
            continue
        if not _is_name(leg.symbol):
            problems.append(f"{leg.leg_id}: symbol {_shown(leg.symbol)} must be 1 to {MAX_TEXT} printable characters")
        if not 0 < leg.ratio <= MAX_QUANTITY:
            problems.append(
                f"{leg.leg_id}: ratio {_shown(leg.ratio)} must be at least 1; a short leg is side = 'sell', and no "
                f"ratio is above {MAX_QUANTITY:,}"
            )
        if not 0 <= leg.limit_price < PRICE_LIMIT:
            problems.append(
                f"{leg.leg_id}: limit_price must be above 0 and below {PRICE_LIMIT // PRICE_SCALE:,}, or left out to "
                "trade at the touch"
            )
    for leg_id in _repeated(leg.leg_id for leg in plan.legs):
        problems.append(f"leg_id {_shown(leg_id)} is used by more than one leg; give each its own")
    for symbol in _repeated(canonical_symbol(leg.symbol) for leg in plan.legs):
        problems.append(f"symbol {_shown(symbol)} stands in more than one leg; make it one leg, with a larger ratio")
    return problems


def _stop_problems(plan: Plan) -> list[str]:
    known = [leg.leg_id for leg in plan.legs if LEG_ID.fullmatch(leg.leg_id)]
    problems = []
    for stop in plan.stops:
        if stop.leg_id not in known:
            problems.append(f"a stop names leg {_shown(stop.leg_id)}, but the legs are {', '.join(known) or 'none'}")
        if not 0 < stop.trigger_price < PRICE_LIMIT:
            problems.append(
                f"the stop on {stop.leg_id[:MAX_TEXT]} needs a trigger_price above 0 and below "
                f"{PRICE_LIMIT // PRICE_SCALE:,}"
            )
    if plan.stop and not 0 < plan.stop.max_loss < PRICE_LIMIT:
        problems.append(f"stop.max_loss must be an amount above 0 and below {PRICE_LIMIT // PRICE_SCALE:,}")
    if plan.stop and plan.stop.judged_on is TriggerOn.LAST:
        problems.append("stop.judged_on must be 'mid' or 'mark': no broker watches a whole group's last price")
    for leg_id in _repeated(stop.leg_id for stop in plan.stops):
        problems.append(f"leg {_shown(leg_id)} has more than one stop; keep one")
    return problems


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_TEXT and text.isprintable()


def _shown(value: object) -> str:
    """A value as it was given, and not too much of it."""
    text = ascii(value)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def home_cell(group_id: str, cells: int) -> int:
    """Where a new group goes, so that all cells get their share.

    With another number of cells it is another one: a group that is known stays in the cell whose journal knows it.
    """
    return int.from_bytes(blake2b(group_id.encode(), digest_size=8).digest()) % cells
