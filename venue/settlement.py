"""What becomes of an option position when it is exercised, assigned, or expires, as movements of the account.

European contracts settle in cash and American ones in shares, which fits US index and share options.  At expiry
whatever is at least a cent in the money is exercised by exception (OCC, since 2008).
"""

from __future__ import annotations

import msgspec

from domain.instruments import Instrument, Right
from venue.truth import Kind

EXERCISED_FROM = 100  # a cent


class Movement(msgspec.Struct, frozen=True):
    """``quantity`` of ``symbol`` (signed: what the account gains) at ``price``, and why."""

    kind: Kind
    symbol: str
    quantity: int
    price: int
    option: str = ""  # of shares that an option turned into: that option


def intrinsic(option: Instrument, spot: int) -> int:
    """What one unit of an option is worth when exercised at ``spot``; never negative."""
    return max(0, spot - option.strike if option.right is Right.CALL else option.strike - spot)


def at_expiry(option: Instrument, held: int, spot: int) -> list[Movement]:
    """What ends the position ``held`` (signed) when the underlying closes at ``spot``."""
    worth = intrinsic(option, spot)
    if worth < EXERCISED_FROM:
        return [Movement("expired", option.symbol, -held, 0)]
    if option.style == "european":
        return [Movement(_kind(held), option.symbol, -held, worth)]
    return in_shares(option, held)


def in_shares(option: Instrument, held: int) -> list[Movement]:
    """Exercise of ``held`` (signed) against shares at the strike: a call's holder receives them, a put's delivers."""
    shares = held * option.multiplier * (1 if option.right is Right.CALL else -1)
    return [
        Movement(_kind(held), option.symbol, -held, 0),
        Movement(_kind(held), option.underlying, shares, option.strike, option.symbol),
    ]


def _kind(held: int) -> Kind:
    return "exercised" if held > 0 else "assigned"
