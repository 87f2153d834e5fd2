"""Contracts whose limits change overnight: the broker's newest list decides how orders are cut, not the plan's day.

A lot that changed can leave an odd rest that no order can carry.  It is given up at once, so that a person is called
instead of an order being refused again and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from msgspec.structs import replace

from decisions.effects import Effects, Moment
from domain.groups import GroupOutcome
from domain.instruments import Instrument
from domain.market_rules import RuleUnknown, freeze_qty
from messages.records import GroupRecord, Severity

KEPT = frozenset({GroupOutcome.OPEN, GroupOutcome.HEDGED})  # these hold something
LIMITS = (("lot_size", "lot"), ("freeze_qty", "freeze quantity"), ("tick_size", "tick"))


def complete(instruments: Iterable[Instrument], calendar: str, today: date) -> tuple[Instrument, ...]:
    """The list with NSE's freeze quantities where the broker does not state them and the dated table does (R17)."""
    if calendar != "nse":
        return tuple(instruments)
    return tuple(_completed(instrument, today) for instrument in instruments)


def _completed(instrument: Instrument, today: date) -> Instrument:
    if instrument.freeze_qty is not None or not instrument.is_option:
        return instrument
    try:
        return replace(instrument, freeze_qty=freeze_qty(instrument.underlying, today))
    except RuleUnknown:
        return instrument


def tell_changes(
    groups: Iterable[GroupRecord], listed: Mapping[str, Instrument], moment: Moment, effects: Effects
) -> None:
    """A person should know when a contract that a group holds is not what it was; once per group and change."""
    for record in groups:
        if record.outcome not in KEPT:
            continue
        for leg in record.group.legs:
            now, before = listed.get(leg.instrument.symbol), leg.instrument
            if now is None:
                text = f"{before.symbol} is not listed any more: no order in it can leave; close it by hand"
                _tell(record, before.symbol, "unlisted", text, moment, effects)
                continue
            changed = [(name, getattr(before, key), getattr(now, key)) for key, name in LIMITS]
            told = ", ".join(f"{name} {was} is now {is_now}" for name, was, is_now in changed if was != is_now)
            if told:
                text = f"{before.symbol}: {told}; orders of this group follow the new limits{_odd(leg.target_qty, now)}"
                _tell(record, before.symbol, told, text, moment, effects)


def _odd(target_qty: int, now: Instrument) -> str:
    odd = target_qty % now.lot_size if now.lot_size > 0 else 0
    if not odd:
        return ""
    return f"; {odd} of its {target_qty} units are less than a lot, and can only expire or be closed by hand"


def _tell(record: GroupRecord, symbol: str, subject: str, text: str, moment: Moment, effects: Effects) -> None:
    effects.alert(
        moment,
        Severity.WARNING,
        "CONTRACT_CHANGED",
        text,
        group_id=record.group_id,
        symbol=symbol,
        subject=f"{symbol}/{subject}",
    )
