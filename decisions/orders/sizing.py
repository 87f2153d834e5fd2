"""What one order may carry by E1 and cost by E2, and so how a repair is cut: gateway and cells measure by one formula.

Both are hard: they hold for hedges and exits too.  So that a limit that was lowered does not keep back what covers or
closes what came in under the old one, cells make more orders of it, and concede no more than the collar lets them.  New
risk is never cut: it is refused, and somebody decides again.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from msgspec.structs import replace

from config.schema import ControlsConfig
from decisions.effects import MS
from decisions.orders.prices import Price
from domain.execution import OrdType, Side
from domain.instruments import Instrument
from domain.money import PRICE_SCALE, round_down, round_up
from domain.quotes import Quote


def fresh_mid(quote: Quote | None, now_ns: int, max_age_ms: int) -> int:
    """What a market order is measured by, and every price is compared with; 0 without a usable quote of that age."""
    return quote.mid if quote is not None and now_ns - quote.ts_ns <= max_age_ms * MS else 0


def notional(price: int, quantity: int, instrument: Instrument) -> int:
    """The amount that an order counts with: its limit, or the mid of a market order; 0 where neither is known."""
    return price * quantity * instrument.multiplier


@lru_cache(maxsize=64)
def _exact(number: float) -> Fraction:
    return Fraction(str(number))  # float dust must not move a limit


def collar(reference: int, controls: ControlsConfig) -> int:
    """How far beyond ``reference`` a price may lie."""
    share = _exact(controls.price_collar_pct)
    floor = _exact(controls.price_collar_floor) * PRICE_SCALE
    return max(reference * share.numerator // (share.denominator * 100), int(floor))


def repair_price(priced: Price, side: Side, instrument: Instrument, controls: ControlsConfig) -> Price:
    """The price of a repair, no further beyond the mid than E2 lets it be, on tick: a refused close closes nothing."""
    if priced.order_type is not OrdType.LIMIT or not priced.reference:
        return priced
    edge, tick = priced.reference + side.sign * collar(priced.reference, controls), instrument.tick_size
    if side is Side.BUY:
        return replace(priced, price=max(tick, min(priced.price, round_down(edge, tick))))
    return replace(priced, price=max(priced.price, round_up(edge, tick)))


def largest_repair(instrument: Instrument, price: int, controls: ControlsConfig) -> int:
    """Units of a repair that pass E1 and the exchange's limit at ``price``: whole lots, and one lot at least.

    Where a single lot is too large the gateway says so, and a person decides.  0 where the exchange takes nothing.
    """
    most, lot = controls.max_order_qty, instrument.lot_size
    unit = notional(price, 1, instrument)
    if unit > 0:
        most = min(most, controls.max_order_notional * PRICE_SCALE // unit)
    return min(instrument.max_order_qty, max(lot, most // lot * lot))
