"""What one order may carry by E1, and so how a repair is cut: the gateway and the cells measure by the same formula.

E1 is hard: it holds for hedges and exits too.  So that a limit that was lowered does not keep back what covers or
closes what came in under the old one, cells make more orders of it.  New risk is never cut: it is refused, and
somebody decides again.
"""

from __future__ import annotations

from config.schema import ControlsConfig
from decisions.effects import MS
from domain.instruments import Instrument
from domain.money import PRICE_SCALE
from domain.quotes import Quote


def fresh_mid(quote: Quote | None, now_ns: int, max_age_ms: int) -> int:
    """What a market order is measured by, and every price is compared with; 0 without a usable quote of that age."""
    return quote.mid if quote is not None and now_ns - quote.ts_ns <= max_age_ms * MS else 0


def notional(price: int, quantity: int, instrument: Instrument) -> int:
    """The amount that an order counts with: its limit, or the mid of a market order; 0 where neither is known."""
    return price * quantity * instrument.multiplier


def largest_repair(instrument: Instrument, price: int, controls: ControlsConfig) -> int:
    """Units of a repair that pass E1 and the exchange's limit at ``price``: whole lots, and one lot at least.

    Where a single lot is too large the gateway says so, and a person decides.  0 where the exchange takes nothing.
    """
    most, lot = controls.max_order_qty, instrument.lot_size
    unit = notional(price, 1, instrument)
    if unit > 0:
        most = min(most, controls.max_order_notional * PRICE_SCALE // unit)
    return min(instrument.max_order_qty, max(lot, most // lot * lot))
