"""The four vertical spreads by their standard names, and what one can earn and lose.

Two are sold for a credit (bull put, bear call), two are bought for a debit (bull call, bear put).  In all four the
short strike is out of the money; the long one lies further out in the credit kinds, and nearer in their debit twins.
At expiry nothing is outside two corners: the sum of maximum profit and maximum loss is the distance of the strikes.

Source: Options Industry Council, strategy guide (https://www.optionseducation.org/strategies/all-strategies).
"""

from __future__ import annotations

from enum import Enum

import msgspec

from domain.instruments import Right


class VerticalKind(Enum):
    """Which of the four."""

    BULL_PUT = "bull_put"
    BEAR_CALL = "bear_call"
    BULL_CALL = "bull_call"
    BEAR_PUT = "bear_put"

    @property
    def right(self) -> Right:
        """Puts or calls, both legs."""
        return Right.PUT if self in (VerticalKind.BULL_PUT, VerticalKind.BEAR_PUT) else Right.CALL

    @property
    def for_credit(self) -> bool:
        """Whether premium is received when it is entered."""
        return self in (VerticalKind.BULL_PUT, VerticalKind.BEAR_CALL)

    @property
    def bullish(self) -> bool:
        """Whether it earns from a rising underlying."""
        return self in (VerticalKind.BULL_PUT, VerticalKind.BULL_CALL)

    @property
    def outward(self) -> int:
        """The direction in which strikes are out of the money: +1 for calls, -1 for puts."""
        return 1 if self.right is Right.CALL else -1

    def long_strike(self, short_strike: int, width: int) -> int:
        """The strike to buy beside a short one, ``width`` away."""
        return short_strike + (self.outward if self.for_credit else -self.outward) * width


class Vertical(msgspec.Struct, frozen=True, kw_only=True):
    """One position: ``quantity`` units of each leg.  ``net`` is an amount, premium received positive, paid negative."""

    kind: VerticalKind
    short_strike: int
    long_strike: int
    quantity: int
    multiplier: int
    net: int

    @property
    def units(self) -> int:
        """What a price is multiplied by to give an amount."""
        return self.quantity * self.multiplier

    @property
    def width(self) -> int:
        """The distance of the strikes, a price."""
        return abs(self.short_strike - self.long_strike)

    @property
    def max_profit(self) -> int:
        """The most that can be earned at expiry, an amount; for a credit, the credit."""
        return self.net if self.kind.for_credit else self.width * self.units + self.net

    @property
    def max_loss(self) -> int:
        """The most that can be lost at expiry, an amount; for a debit, the debit."""
        return self.width * self.units - self.net if self.kind.for_credit else -self.net

    @property
    def premium(self) -> int:
        """What was received or paid, an amount without a sign."""
        return abs(self.net)

    @property
    def credit(self) -> int:
        """The net premium per unit, a price rounded down (against us); negative for a debit."""
        return self.net // self.units

    @property
    def breakeven(self) -> int:
        """The underlying's price at expiry at which nothing is earned or lost, rounded against us.

        A vertical is worth its intrinsic difference there: from the short strike for a credit, from the long one for a
        debit, by the premium.
        """
        if self.kind.for_credit:
            above, start = -self.net * -self.kind.outward, self.short_strike
        else:
            above, start = self.premium * self.kind.outward, self.long_strike
        return start - (-above // self.units) if self.kind.bullish else start + above // self.units

    def payoff(self, spot: int) -> int:
        """Profit or loss at expiry with the underlying at ``spot``, an amount."""
        held, sold = (max(0, (spot - strike) * self.kind.outward) for strike in (self.long_strike, self.short_strike))
        return self.net + (held - sold) * self.units
