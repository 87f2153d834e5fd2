"""The slices of a parent order: slots of a fixed quantity, each with its attempts so far.

Attempt *n + 1* of a slice exists only when attempt *n* has ended (I3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import reduce

import msgspec

from decisions.orders.child_order import ChildOrder, Fate
from messages.records import IntentRecord, IntentStatus


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One slice and its attempts so far."""

    number: int
    quantity: int  # of its first attempt, or what a smaller one has left of it
    attempts: int  # how many there were
    tried: int  # prices that were in the market, changes in place included: these count against the pricing's attempts
    filled: int
    busted: bool  # a correction or a bust changed what had filled
    last: ChildOrder

    @property
    def remainder(self) -> int:
        """Units that another attempt may place: none while the last attempt may still trade."""
        return 0 if self.last.fate is Fate.LIVE else max(0, self.quantity - self.filled)


def slots(orders: Iterable[ChildOrder]) -> list[Slot]:
    """The slices of all these child orders of one parent, done or not, in order."""
    found = defaultdict(list)
    for order in orders:
        found[order.intent.slice].append(order)
    return [slot_of(found[number]) for number in sorted(found)]


def slot_of(orders: Iterable[ChildOrder]) -> Slot:
    """The slice that these child orders, at least one, are the attempts of."""
    first, *later = sorted(orders, key=_attempt)
    return reduce(_tried_again, later, _tried_again(None, first))


def is_done(attempts: Sequence[ChildOrder]) -> bool:
    """Whether nothing of the slice of these attempts may be placed or trade, unless news brings it back."""
    if any(order.fate is Fate.LIVE for order in attempts):
        return False
    if len(attempts) == 1:  # as most have: the same, without a slot
        return attempts[0].filled >= attempts[0].intent.quantity
    return not slot_of(attempts).remainder


def _tried_again(before: Slot | None, order: ChildOrder) -> Slot:
    intent = order.intent
    left = intent.status is not IntentStatus.REFUSED or intent.sent_ns > 0
    return Slot(
        number=intent.slice,
        quantity=_claim(before, intent),
        attempts=intent.attempt,
        tried=(before.tried if before else 0) + left + intent.replace_requests,
        filled=(before.filled if before else 0) + order.filled,
        busted=order.state.count.amended or order.state.count.beyond > 0 or (before is not None and before.busted),
        last=order,
    )


def _attempt(order: ChildOrder) -> int:
    return order.intent.attempt


def _claim(before: Slot | None, intent: IntentRecord) -> int:
    """What a slice is for after another attempt: what that one leaves out is placed, and counted, elsewhere.

    A bust makes an attempt look smaller than what was missing when it was made; so a slice that lost fills to one keeps
    its quantity.
    """
    if before is None:
        return intent.quantity
    return before.quantity if before.busted else min(before.quantity, before.filled + intent.quantity)
