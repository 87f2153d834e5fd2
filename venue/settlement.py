"""The end of an option position as movements of the account; the rules are those of :mod:`domain.settlement`."""

from __future__ import annotations

import msgspec

from domain.instruments import Instrument
from domain.settlement import at_expiry, on_exercise
from venue.truth import Kind


class Movement(msgspec.Struct, frozen=True):
    """``quantity`` of ``symbol`` (signed: what the account gains) at ``price``, and why."""

    kind: Kind
    symbol: str
    quantity: int
    price: int
    option: str = ""  # of shares that an option turned into: that option


def ended(option: Instrument, held: int, spot: int) -> list[Movement]:
    """What ends the position ``held`` (signed) when the underlying closes at ``spot``."""
    end = at_expiry(option, held, spot)
    if not end.exercised:
        return [Movement("expired", option.symbol, -held, 0)]
    if not end.underlying:
        return [Movement(_kind(held), option.symbol, -held, end.cash_per_unit)]
    return in_shares(option, held)


def in_shares(option: Instrument, held: int) -> list[Movement]:
    """Exercise of ``held`` (signed) against shares at the strike."""
    delivery = on_exercise(option, held)
    return [
        Movement(_kind(held), option.symbol, -held, 0),
        Movement(_kind(held), delivery.underlying, delivery.quantity, delivery.price, option.symbol),
    ]


def _kind(held: int) -> Kind:
    return "exercised" if held > 0 else "assigned"
