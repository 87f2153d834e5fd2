"""What becomes of an option when it is exercised, assigned, or expires.

At expiry whatever is at least a cent in the money is exercised by exception (OCC, since June 2008).  Cash settlement
moves money; physical settlement moves the underlying: a long call and a short put receive it, a short call and a
long put give it, quantity x multiplier at the strike (NSE stock options since October 2019; US share options).
"""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec

from domain.calendar import Calendar
from domain.instruments import Instrument, Right

EXERCISED_FROM: Final = 100  # a cent, in ten-thousandths


class Delivery(msgspec.Struct, frozen=True):
    """What the end of an option position does to the account: signed underlying units gained, and at what price.

    ``exercised`` False: it expired worthless.  ``cash_per_unit`` is what a unit of the option is worth when it is
    settled in cash, 0 otherwise.
    """

    exercised: bool
    underlying: str = ""
    quantity: int = 0
    price: int = 0
    cash_per_unit: int = 0


def intrinsic(option: Instrument, spot: int) -> int:
    """What one unit of an option is worth when exercised at ``spot``; never negative."""
    return max(0, spot - option.strike if option.right is Right.CALL else option.strike - spot)


def in_the_money(option: Instrument, spot: int) -> bool:
    """Whether a call's strike lies below ``spot``, or a put's above it."""
    return option.is_option and intrinsic(option, spot) > 0


def exercised_by_exception(option: Instrument, spot: int) -> bool:
    """Whether an option is exercised at its expiry without anybody's instruction."""
    return option.is_option and intrinsic(option, spot) >= EXERCISED_FROM


def underlying_units(option: Instrument, held: int) -> int:
    """Signed units of the underlying that exercise of ``held`` (signed) brings: shares received are positive."""
    return held * option.multiplier * (1 if option.right is Right.CALL else -1)


def at_expiry(option: Instrument, held: int, spot: int) -> Delivery:
    """What the end of the position ``held`` (signed) brings when the underlying closes at ``spot``."""
    if not exercised_by_exception(option, spot):
        return Delivery(exercised=False)
    if option.settles_in_cash:
        return Delivery(exercised=True, cash_per_unit=intrinsic(option, spot))
    return on_exercise(option, held)


def on_exercise(option: Instrument, held: int) -> Delivery:
    """Exercise of ``held`` (signed) against the underlying at the strike."""
    return Delivery(
        exercised=True, underlying=option.underlying, quantity=underlying_units(option, held), price=option.strike
    )


def expiry_ns(option: Instrument, calendar: Calendar) -> int:
    """The instant from which the option is dead; raises ``CalendarUnknown``, and ``ValueError`` for an underlying."""
    if not option.expiry:
        raise ValueError(f"{option.symbol} never expires")
    return calendar.expiry_ns(date.fromisoformat(option.expiry))
