"""How a quantity becomes child orders that an exchange accepts (R17).

An exchange rejects an order above its freeze quantity, and the freeze quantity need not be a multiple of the lot: NSE
allows 1,800 NIFTY units in lots of 65, so 27 lots, 1,755 units, is the largest order.
"""

from __future__ import annotations

from domain.instruments import Instrument

MAX_SLICES = 1_296  # a slice's number is two base-36 digits of its order's id


def slices(quantity: int, instrument: Instrument, most: int = 0) -> list[int]:
    """Child quantities in units, largest first: whole lots, each within the limit, together exactly ``quantity``.

    ``most``: whole lots within the exchange's limit, where one order is to carry even less.

    Raises ``ValueError`` when the quantity is not positive or not whole lots, when the freeze quantity is not known or
    holds no whole lot, and when more than ``MAX_SLICES`` orders would be needed.
    """
    problem = slicing_problem(quantity, instrument, most)
    if problem:
        raise ValueError(problem)
    largest = most or instrument.max_order_qty
    full, rest = divmod(quantity, largest)
    return [largest] * full + ([rest] if rest else [])


def slicing_problem(quantity: int, instrument: Instrument, most: int = 0) -> str:
    """Why ``quantity`` cannot be sliced, as a sentence; "" when it can."""
    symbol, lot, largest = instrument.symbol, instrument.lot_size, most or instrument.max_order_qty
    if quantity <= 0:
        return f"{symbol}: a quantity of {quantity} is nothing to order"
    if quantity % lot:
        return f"{symbol}: {quantity} units are not whole lots of {lot}"
    if instrument.freeze_qty is None:
        return f"{symbol}: the freeze quantity is not known, so no order may be sent; refresh the instrument list"
    if largest == 0:
        return f"{symbol}: the freeze quantity {instrument.freeze_qty} is smaller than one lot of {lot}"
    if quantity > largest * MAX_SLICES:
        return f"{symbol}: {quantity} units need more than {MAX_SLICES:,} orders of at most {largest}; split the group"
    return ""
