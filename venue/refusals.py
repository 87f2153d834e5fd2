"""Why an order is not taken: a table of checks, asked in this order; the first that answers decides.

Each check gives ``""`` when it has no objection, else the reason in words.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from domain.execution import OrdType
from domain.instruments import Instrument
from domain.money import to_decimal
from venue.rules import Rules


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What a new or modified order asks for, and what the exchange knows at that moment."""

    rules: Rules
    client_order_id: str
    symbol: str
    instrument: Instrument | None  # None: not listed
    order_type: OrdType
    quantity: int
    price: int
    trigger_price: int
    touch: int  # the opposite side's price; 0: nobody there
    mid: int  # 0: no two-sided quote
    now_ns: int


def first_refusal(ticket: Ticket) -> str:
    """The first objection to ``ticket``, or ``""``."""
    if ticket.instrument is None:
        return f"unknown symbol {ticket.symbol!r}"
    return next((reason for check in CHECKS if (reason := check(ticket, ticket.instrument))), "")


def _tag(ticket: Ticket, _: Instrument) -> str:
    length, limit = len(ticket.client_order_id), ticket.rules.max_tag_length
    if not length:
        return "client order id is empty"
    return f"client order id too long: {length} characters, at most {limit}" if length > limit else ""


def _session(ticket: Ticket, _: Instrument) -> str:
    return "" if ticket.rules.in_session(ticket.now_ns) else "session closed"


def _expired(ticket: Ticket, instrument: Instrument) -> str:
    dead = instrument.expiry and ticket.now_ns >= ticket.rules.expiry_ns(instrument.expiry)
    return f"expired contract: last day was {instrument.expiry}" if dead else ""


def _positive(ticket: Ticket, _: Instrument) -> str:
    return "" if ticket.quantity > 0 else f"quantity {ticket.quantity} is not positive"


def _lots(ticket: Ticket, instrument: Instrument) -> str:
    lot = instrument.lot_size
    return f"quantity {ticket.quantity} is not in whole lots of {lot}" if ticket.quantity % lot else ""


def _freeze(ticket: Ticket, instrument: Instrument) -> str:
    if instrument.freeze_qty is None:
        return "not tradable: the freeze quantity is unknown"
    if ticket.quantity <= instrument.max_order_qty:
        return ""
    limit = "is the largest order" if instrument.freeze_inclusive else "must not be reached"
    return f"quantity {ticket.quantity} is above the freeze quantity: {instrument.freeze_qty} {limit}"


def _limit_price(ticket: Ticket, instrument: Instrument) -> str:
    return "" if ticket.order_type is OrdType.MARKET else _price("price", ticket.price, instrument)


def _trigger_price(ticket: Ticket, instrument: Instrument) -> str:
    return _price("trigger price", ticket.trigger_price, instrument) if ticket.order_type is OrdType.STOP_LIMIT else ""


def _price(what: str, price: int, instrument: Instrument) -> str:
    if price <= 0:
        return f"{what} {to_decimal(price)} is not positive"
    tick = instrument.tick_size
    return f"{what} {to_decimal(price)} is off the tick of {to_decimal(tick)}" if price % tick else ""


def _band(ticket: Ticket, _: Instrument) -> str:
    band = ticket.rules.price_band_pct
    if not band or not ticket.mid or ticket.order_type is OrdType.MARKET:
        return ""
    if abs(ticket.price - ticket.mid) * 100 <= band * ticket.mid:
        return ""
    return f"price {to_decimal(ticket.price)} is outside the band of {band:g} % around {to_decimal(ticket.mid)}"


def _protection(ticket: Ticket, _: Instrument) -> str:
    protected = ticket.order_type is OrdType.MARKET and ticket.rules.market_protection_pct
    return "no price to protect a market order from" if protected and not ticket.touch else ""


CHECKS: tuple[Callable[[Ticket, Instrument], str], ...] = (
    _tag,
    _session,
    _expired,
    _positive,
    _lots,
    _freeze,
    _limit_price,
    _trigger_price,
    _band,
    _protection,
)
