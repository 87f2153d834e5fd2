"""Options that are about to expire: what will become of them, told before it happens (S4).

A watch begins when a group holds an option whose last day is near and ends with the position.  It is a level, worked
out anew from journals, quotes and the broker's clock at every look, so that a crash cannot lose it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from config.schema import ReconciliationConfig
from decisions.positions.library import Library
from decisions.positions.position_changes import spot_of
from domain.calendar import Calendar, death_ns
from domain.groups import Leg
from domain.money import to_decimal
from domain.quotes import Quote
from domain.settlement import exercised_by_exception, underlying_units
from messages.positions import PositionIssue
from messages.records import GroupRecord, PositionKind, Severity

HOUR_NS = 3_600 * 10**9


class ExpiryNotice(msgspec.Struct, frozen=True, kw_only=True):
    """One leg under watch; ``shares`` is what it would turn into, ``spot`` 0 when nobody quotes the underlying."""

    group_id: str
    leg_id: str
    symbol: str
    held: int
    expiry: str
    spot: int
    outcome: PositionKind
    shares: int
    pin: bool
    issue: PositionIssue


def watch_expiries(
    library: Library, quotes: Mapping[str, Quote], as_of_ns: int, config: ReconciliationConfig, calendar: Calendar
) -> tuple[ExpiryNotice, ...]:
    """Every held option whose last day ends within the warning time, with its prediction."""
    held, found = library.held(), []
    for record in library.groups():
        for leg in record.group.legs:
            units = held.get((record.group_id, leg.leg_id), 0)
            near = leg.instrument.expiry and _is_near(leg, as_of_ns, config.expiry_warning_hours, calendar)
            if units and near:
                found.append(_notice(record, leg, units, spot_of(leg.instrument, quotes), config))
    return tuple(found)


def _is_near(leg: Leg, as_of_ns: int, hours: int, calendar: Calendar) -> bool:
    return as_of_ns >= death_ns(calendar, leg.instrument.expiry) - hours * HOUR_NS


def _notice(record: GroupRecord, leg: Leg, units: int, spot: int, config: ReconciliationConfig) -> ExpiryNotice:
    option = leg.instrument
    exercised = PositionKind.EXERCISE if units > 0 else PositionKind.ASSIGNMENT
    outcome = exercised if spot and exercised_by_exception(option, spot) else PositionKind.EXPIRY
    outcome = outcome if spot else PositionKind.UNEXPLAINED
    shares = underlying_units(option, units) if outcome is exercised and not option.settles_in_cash else 0
    pin = spot > 0 and abs(spot - option.strike) * 100 <= config.pin_risk_pct * option.strike
    return ExpiryNotice(
        group_id=record.group_id,
        leg_id=leg.leg_id,
        symbol=option.symbol,
        held=units,
        expiry=option.expiry,
        spot=spot,
        outcome=outcome,
        shares=shares,
        pin=pin,
        issue=_issue(record, leg, units, spot, outcome, shares, pin=pin),
    )


def _issue(
    record: GroupRecord, leg: Leg, units: int, spot: int, outcome: PositionKind, shares: int, *, pin: bool
) -> PositionIssue:
    option = leg.instrument
    name = f"{units:+d} {option.symbol.strip()} of group {record.group_id}, last day {option.expiry}"
    if outcome is PositionKind.UNEXPLAINED:
        text = f"{name}: the price of {option.underlying} is not known, so that nobody can say whether it is exercised"
    elif outcome is PositionKind.EXPIRY:
        text = f"{name}: out of the money at {to_decimal(spot)}, it will expire worthless"
    elif shares:
        text = f"{name}: in the money at {to_decimal(spot)}; {outcome.value} will bring {shares:+d} {option.underlying}"
    else:
        text = f"{name}: in the money at {to_decimal(spot)}; {outcome.value} in cash"
    if pin:
        text += f"; the price is near the strike {to_decimal(option.strike)} (pin risk): the outcome may still turn"
    loud = pin or shares or outcome is PositionKind.UNEXPLAINED
    if loud:
        text += "; close or roll the leg before its last day ends if you do not want that"
    return PositionIssue(
        issue_id=f"EXPIRY_NEAR/{record.group_id}/{leg.leg_id}/{outcome.value}" + ("/pin" if pin else ""),
        cell=record.cell,
        group_id=record.group_id,
        severity=Severity.WARNING if loud else Severity.INFO,
        kind="EXPIRY_NEAR",
        symbol=option.symbol,
        quantity=units,
        text=text,
        safeguard="S4",
    )
