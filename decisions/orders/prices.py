"""What an order is priced at: a table of roles, and one rule for the direction that fills."""

from __future__ import annotations

import msgspec

from domain.execution import OrdType, Side
from domain.instruments import Instrument
from domain.money import round_down, round_up
from domain.quotes import Quote


class Pricing(msgspec.Struct, frozen=True):
    """How a parent order prices its attempts.

    With a ``limit_price`` (the operator's) every attempt is a limit order at that price.  Without one, attempt *n* is
    a limit at the touch, conceding ``base_pct + (n - 1) x step_pct`` of it; when ``last_is_market`` the last attempt is
    a market order.  Where a market order may rest, ``reprices`` more attempts chase the touch within a band: some
    houses turn a market order into a limit, and it stays in the book (NSE's market protection).
    """

    limit_price: int = 0
    base_pct: float = 0.0
    step_pct: float = 0.0
    attempts: int = 1
    last_is_market: bool = False
    reprices: int = 0  # limits that may follow a market order that rests (a house with market protection)
    reprice_pct: float = 0.0  # each concedes so much more beyond the touch
    band_pct: float = 0.0  # and none lies further from the mid


class Price(msgspec.Struct, frozen=True):
    """Order type, limit price (0 for a market order) and the mid at that moment."""

    order_type: OrdType
    price: int
    reference: int


def concede(price: int, side: Side, pct: float, tick: int) -> int:
    """``price`` moved by ``pct`` per cent in the direction that fills, on tick, outward, never below one tick."""
    moved = price * (1 + side.sign * pct / 100)
    whole = round(moved * 1000)  # thousandths of the unit: float dust must not move a price by a tick
    exact = -(-whole // 1000) if side is Side.BUY else whole // 1000
    return max(tick, round_up(exact, tick) if side is Side.BUY else round_down(exact, tick))


def price(pricing: Pricing, attempt: int, side: Side, instrument: Instrument, quote: Quote | None) -> Price | None:
    """The price of attempt ``attempt`` (from 1); ``None`` when it needs a quote and there is none."""
    reference = quote.mid if quote else 0
    if pricing.last_is_market and attempt > pricing.attempts and quote is not None:
        return Price(OrdType.LIMIT, _chase(pricing, attempt - pricing.attempts, side, instrument, quote), reference)
    if pricing.last_is_market and attempt >= pricing.attempts:
        return Price(OrdType.MARKET, 0, reference)
    if pricing.limit_price:
        return Price(OrdType.LIMIT, pricing.limit_price, reference)
    if quote is None:
        return None
    touch = quote.ask if side is Side.BUY else quote.bid
    pct = pricing.base_pct + (attempt - 1) * pricing.step_pct
    return Price(OrdType.LIMIT, concede(touch, side, pct, instrument.tick_size), reference)


def _chase(pricing: Pricing, step: int, side: Side, instrument: Instrument, quote: Quote) -> int:
    """A limit ``step`` times ``reprice_pct`` beyond the touch, and within the band around the mid, on tick."""
    touch, tick = (quote.ask if side is Side.BUY else quote.bid), instrument.tick_size
    wanted = concede(touch, side, step * pricing.reprice_pct, tick)
    edge = round(quote.mid * (1 + side.sign * pricing.band_pct / 100))
    if side is Side.BUY:
        return max(tick, min(wanted, round_down(edge, tick)))
    return max(wanted, round_up(edge, tick))
