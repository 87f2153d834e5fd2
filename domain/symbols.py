"""NSE option symbols, and how a symbol that somebody wrote becomes an instrument of the broker.

Kite's spelling: monthly ``NIFTY26JAN26000CE`` = root, YY, MMM, strike, CE or PE; weekly ``NIFTY2610626000CE`` = root,
YY, M, DD, strike, CE or PE with M = 1-9, O, N, D.  The week of the monthly expiry has the monthly spelling only.

A weekly symbol can often be cut in more than one place, so that parsing alone may be ambiguous: the broker's
instrument list is authoritative (:func:`resolve`), and :func:`parse_nse` refuses what it cannot know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from fractions import Fraction
from typing import Final

import msgspec

from domain.calendar import CalendarUnknown
from domain.instruments import Instrument, Right, canonical_symbol, parse_osi
from domain.market_rules import INDICES, monthly_expiry
from domain.money import PRICE_SCALE, to_decimal

_CENTURY: Final = 2_000
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKLY_MONTHS: Final = "123456789OND"
_RIGHTS: Final = {"CE": Right.CALL, "PE": Right.PUT}
_STRIKE: Final = r"([1-9]\d*(?:\.\d*[1-9])?|0\.\d*[1-9])"
_MONTHLY: Final = re.compile(rf"([A-Z0-9&-]+?)(\d\d)({'|'.join(_MONTHS)}){_STRIKE}(CE|PE)")
_WEEKLY_TAIL: Final = re.compile(rf"(\d\d)([1-9OND])(\d\d){_STRIKE}(CE|PE)")
_ROOT: Final = re.compile(r"[A-Z0-9&-]*[A-Z&-][A-Z0-9&-]*")  # it holds a letter


class Contract(msgspec.Struct, frozen=True, order=True):
    """What an option symbol says; strike in ten-thousandths."""

    root: str
    expiry: date
    strike: int
    right: str  # C or P

    def __str__(self) -> str:
        return f"{self.root} {self.expiry} {to_decimal(self.strike):f} {self.right}"


class AmbiguousSymbol(ValueError):
    """A symbol that can be read in more than one way; the message lists them."""


def nse_symbol(root: str, expiry: date, right: Right, strike: int) -> str:
    """The symbol of an NSE option; monthly when ``expiry`` is its month's monthly expiry, else weekly.

    Raises ``ValueError`` for a root that is not NSE's, another century, or a strike that is not positive, and
    :class:`CalendarUnknown` for a month whose expiry the table does not know.
    """
    if not _ROOT.fullmatch(root) or expiry.year // 100 * 100 != _CENTURY or strike <= 0:
        raise ValueError(f"no NSE symbol for root {root!r}, expiry {expiry}, strike {strike / PRICE_SCALE}")
    price = f"{to_decimal(strike):f}"
    kind = next(name for name, meant in _RIGHTS.items() if meant is right)
    if expiry == monthly_expiry(expiry.year, expiry.month):
        return f"{root}{expiry:%y}{_MONTHS[expiry.month - 1]}{price}{kind}"
    return f"{root}{expiry:%y}{_WEEKLY_MONTHS[expiry.month - 1]}{expiry:%d}{price}{kind}"


def nse_readings(symbol: str) -> list[Contract]:
    """Every contract that ``symbol`` can spell, whether or not it exists; empty when it is no NSE spelling."""
    return sorted({*_monthly_readings(symbol), *_weekly_readings(symbol)})


def parse_nse(symbol: str, roots: Iterable[str] = INDICES) -> Contract:
    """The one contract that ``symbol`` spells.

    Readings whose root is among ``roots`` (underlyings that are known to exist) are preferred.  Raises
    :class:`AmbiguousSymbol` when more than one reading is left, ``ValueError`` when there is none.
    """
    readings = nse_readings(symbol)
    if not readings:
        raise ValueError(f"{symbol!r} is not an NSE option symbol such as 'NIFTY26JAN26000CE' or 'NIFTY2610626000CE'")
    known = [reading for reading in readings if reading.root in set(roots)] or readings
    if len(known) > 1:
        ways = "; ".join(map(str, known))
        raise AmbiguousSymbol(f"{symbol!r} can be read in {len(known)} ways ({ways}); use the broker's instrument list")
    return known[0]


def _monthly_readings(symbol: str) -> Iterator[Contract]:
    match = _MONTHLY.fullmatch(symbol)
    if not match or not _ROOT.fullmatch(match[1]):
        return
    try:
        expiry = monthly_expiry(_CENTURY + int(match[2]), _MONTHS.index(match[3]) + 1)
    except CalendarUnknown:
        return
    yield Contract(match[1], expiry, _units(match[4]), _RIGHTS[match[5]].value)


def _weekly_readings(symbol: str) -> Iterator[Contract]:
    for at in range(1, len(symbol)):
        match = _WEEKLY_TAIL.fullmatch(symbol, at)
        if not match or not _ROOT.fullmatch(symbol[:at]):
            continue
        try:
            expiry = date(_CENTURY + int(match[1]), _WEEKLY_MONTHS.index(match[2]) + 1, int(match[3]))
        except ValueError:
            continue
        yield Contract(symbol[:at], expiry, _units(match[4]), _RIGHTS[match[5]].value)


def _units(strike: str) -> int:
    return round(Fraction(strike) * PRICE_SCALE)


def meanings(symbol: str) -> list[Contract]:
    """Every contract that a symbol can mean, in OSI's spelling or in NSE's."""
    try:
        root, expiry, right, strike = parse_osi(symbol.strip())
    except ValueError:
        return nse_readings(symbol.strip())
    return [Contract(root, expiry, strike, right.value)]


def resolve(symbol: str, instruments: Mapping[str, Instrument]) -> str:
    """The symbol under which the broker lists what somebody wrote; unknown ones come back in canonical spelling.

    The list decides: its own spelling first, then whichever of its contracts the symbol can mean.  Raises
    :class:`AmbiguousSymbol` when it can mean more than one of them.
    """
    canonical = canonical_symbol(symbol)
    if canonical in instruments:
        return canonical
    meant = set(meanings(symbol))
    if not meant:
        return canonical
    found = sorted(i.symbol for i in instruments.values() if i.right and contract_of(i) in meant)
    if len(found) > 1:
        raise AmbiguousSymbol(f"{symbol!r} can mean {', '.join(found)}; write the one that is meant")
    return found[0] if found else canonical


def contract_of(instrument: Instrument) -> Contract:
    """What an option is, whatever its symbol says.  Raises ``ValueError`` for an underlying."""
    if instrument.right is None:
        raise ValueError(f"{instrument.symbol} is not an option")
    expiry = date.fromisoformat(instrument.expiry)
    return Contract(instrument.underlying, expiry, instrument.strike, instrument.right.value)
