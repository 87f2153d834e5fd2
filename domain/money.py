"""Prices and amounts as whole numbers, so that no order is ever wrong by a rounding.

A *price* is an ``int`` in ten-thousandths of a currency unit (1.25 is 12_500).  An *amount* of money has the same unit:
price x quantity x multiplier.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from math import gcd
from typing import Final

PRICE_SCALE = 10_000
_EXACT: Final = Context(prec=80, traps=[Inexact, InvalidOperation, Overflow])
_MAX_DIGITS: Final = 14  # before the point: what is larger does not fit into 64 bits as ten-thousandths
PRICE_LIMIT: Final = 10**_MAX_DIGITS * PRICE_SCALE  # every price is below it


def parse_price(value: object) -> int:
    """The price written in ``value`` (a decimal string, an int or a float).

    Raises ``ValueError`` for NaN, infinities, words, anything finer than a ten-thousandth, and 10^14 or more.
    """
    text = str(value).strip()
    try:
        if isinstance(value, bool) or "_" in text or not text.isascii():
            raise InvalidOperation
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a price") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a price")
    if number == 0:
        return 0
    if number.adjusted() >= _MAX_DIGITS:
        raise ValueError(f"{value!r} is too large for a price: write less than 10^{_MAX_DIGITS}")
    try:
        return int(_EXACT.multiply(number, PRICE_SCALE).to_integral_exact(context=_EXACT))
    except Inexact:
        raise ValueError(f"{value!r} is finer than a ten-thousandth of the currency") from None


def to_decimal(price: int) -> Decimal:
    """The price or amount as a plain decimal, for people and for SQL columns."""
    return (Decimal(price) / PRICE_SCALE).normalize() + Decimal(0)


def to_float(price: int) -> float:
    """The price as a JSON number: exact in print for every price below 10^11."""
    return price / PRICE_SCALE


def from_float(value: float) -> int:
    """The price that :func:`to_float` printed."""
    return round(value * PRICE_SCALE)


def round_down(price: int, tick: int) -> int:
    """The nearest multiple of ``tick`` at or below ``price``."""
    return price // tick * tick


def round_up(price: int, tick: int) -> int:
    """The nearest multiple of ``tick`` at or above ``price``."""
    return -(-price // tick) * tick


def common_tick(prices: list[int], candidates: tuple[int, ...]) -> int:
    """The largest of ``candidates`` that divides every price; the smallest candidate when none does."""
    step = gcd(*prices) if prices else 0
    return next((c for c in sorted(candidates, reverse=True) if step % c == 0), min(candidates))
