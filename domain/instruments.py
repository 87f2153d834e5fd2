"""What can be traded: option contracts and their underlyings, and the limits an exchange puts on orders in them."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Final

import msgspec

from domain.money import PRICE_SCALE

_CENTURY: Final = 20  # OSI years have two digits
_SETTLEMENT_BY_STYLE: Final = {"european": "cash", "american": "physical"}


class Right(Enum):
    """Whether an option buys or sells its underlying (FIX 201 PutOrCall)."""

    CALL = "C"
    PUT = "P"


class Instrument(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One tradable contract and its order limits, as the broker's instrument list states them.

    Quantities are in units of the contract (US options: contracts of ``multiplier`` 100; NSE options: units of
    ``multiplier`` 1 in lots of ``lot_size``).  Prices are in ten-thousandths (:mod:`domain.money`).
    """

    symbol: str
    underlying: str
    right: Right | None  # None: the underlying itself
    strike: int
    expiry: str  # ISO date, in the exchange's calendar; "" for an underlying
    multiplier: int
    lot_size: int
    tick_size: int
    freeze_qty: int | None  # largest order; None: not known, and then no order may be sent (R17)
    freeze_inclusive: bool = True  # may an order be exactly freeze_qty?
    style: str = "american"
    settlement: str = ""  # "cash" or "physical"; "": European in cash and American in shares, as at the US exchanges

    @property
    def is_option(self) -> bool:
        """Whether this is an option, and not an underlying."""
        return self.right is not None

    @property
    def settles_in_cash(self) -> bool:
        """Whether exercise moves money only; else the underlying itself changes hands."""
        return (self.settlement or _SETTLEMENT_BY_STYLE.get(self.style, "physical")) == "cash"

    @property
    def max_order_qty(self) -> int:
        """The largest whole-lot quantity that one order may carry; 0 when the freeze quantity is unknown."""
        if self.freeze_qty is None:
            return 0
        limit = self.freeze_qty if self.freeze_inclusive else self.freeze_qty - 1
        return max(0, limit // self.lot_size * self.lot_size)

    def expired(self, on: date) -> bool:
        """Whether the contract's last day lies before ``on``."""
        return self.expiry != "" and date.fromisoformat(self.expiry) < on


def osi_symbol(root: str, expiry: date, right: Right, strike: int) -> str:
    """The 21-character OSI symbol: root padded to 6, YYMMDD, C or P, strike x 1000 in 8 digits (OCC, 2010).

    Raises ``ValueError`` for a root that is longer than 6 characters or holds blanks, a year that two digits cannot
    tell from one of this century, and a strike that is not positive, finer than a thousandth, or above 99,999.999.
    """
    thousandths, rest = divmod(strike, PRICE_SCALE // 1000)
    if not _is_root(root) or rest or not 0 < thousandths < 10**8 or expiry.year // 100 != _CENTURY:
        raise ValueError(f"no OSI symbol for root {root!r}, expiry {expiry}, strike {strike / PRICE_SCALE}")
    return f"{root:<6}{expiry:%y%m%d}{right.value}{thousandths:08d}"


def parse_osi(symbol: str) -> tuple[str, date, Right, int]:
    """Root, expiry, right and strike of an OSI symbol; the padded and the compact spelling are both read.

    Raises ``ValueError`` when ``symbol`` is neither.
    """
    padded, tail = symbol[:-15], symbol[-15:]
    root, digits = padded.rstrip(" "), tail[:6] + tail[7:]
    spelled = _is_root(root) and padded in (root, f"{root:<6}") and len(tail) == 15 and tail[6] in "CP"
    if not (spelled and digits.isascii() and digits.isdigit() and int(tail[7:]) > 0):
        raise ValueError(f"{symbol!r} is not an OSI option symbol such as 'GOOG  160115C00750000'")
    try:
        expiry = date(_CENTURY * 100 + int(tail[:2]), int(tail[2:4]), int(tail[4:6]))
    except ValueError:
        raise ValueError(f"{symbol!r} names a day that does not exist") from None
    return root, expiry, Right(tail[6]), int(tail[7:]) * (PRICE_SCALE // 1000)


def _is_root(root: str) -> bool:
    return 0 < len(root) <= 6 and root.isascii() and root.isprintable() and " " not in root


def canonical_symbol(symbol: str) -> str:
    """The padded OSI spelling of an option symbol; any other symbol as it is; both without outer blanks."""
    bare = symbol.strip()
    try:
        return osi_symbol(*parse_osi(bare))
    except ValueError:
        return bare
