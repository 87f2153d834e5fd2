"""How a parent order is worked: child orders, attempts, cancels, and what is given up.

Level-triggered: ``need = authorized - filled - live - abandoned``, where *live* holds every order whose end the broker
has not confirmed, sent or not.  A double order cannot be expressed, and a lost message heals at the next look.

What is known of its slices (decisions/orders/slots.py) is worked out for the one that changes: there may be hundreds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment
from decisions.orders.chasing import chase, is_chased
from decisions.orders.child_order import SAYS, ChildOrder, Fate, new_child, restored_child, submit_request
from decisions.orders.doubts import tell_doubts
from decisions.orders.order_changes import must_cancel, request_cancel
from decisions.orders.prices import Price, Pricing, price
from decisions.orders.sizing import fresh_mid, largest_repair, repair_price
from decisions.orders.slots import Slot, is_done, slot_of
from domain.execution import OrdType, Side, TimeInForce
from domain.groups import ENTRY_ROLES, Role, client_order_id
from domain.instruments import Instrument
from domain.slices import MAX_SLICES, slices
from messages.records import ExecutionStateRecord, IntentRecord, IntentStatus, Severity

QUOTE_WAIT_MS = 100  # broker time until a missing quote is looked for again
RETRY_MS = 250  # broker time before a refused or rejected slice is tried again, times the attempt
BLIND = Price(OrdType.MARKET, 0, 0)  # a repair does not wait for a quote: a missing hedge is worse than its price
MAX_ATTEMPTS = 35  # one base-36 digit of an order's id


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """A parent order: what it is for, how much of it may exist, and its child orders by client order id."""

    parent_id: str
    group_id: str
    leg_id: str
    role: Role
    instrument: Instrument
    side: Side
    pricing: Pricing
    timeout_ms: int  # broker time that a child order may work
    target_qty: int = 0  # what it may ever amount to, where that is known beforehand; children are measured by it (E6)
    authorized: int = 0  # the level: shrinks when protection is busted
    eased: int | None = None  # so much is needed by now, and what works beyond it may finish: nothing replaces it
    yielded: bool = False  # place nothing more, cancel what works, give up the rest
    reason: str = ""
    orders: Mapping[str, ChildOrder] = {}
    open_slices: Mapping[int, tuple[ChildOrder, ...]] = {}  # the attempts of slices that are not done, by their numbers
    next_slice: int = 0  # above all slices that there are
    newest: str = ""  # the child order that was decided last
    relisted: bool = False  # the exchange has changed lot or freeze quantity since the group was opened
    rising: bool = False  # the level may yet rise: less than a lot waits for more
    filled: int = 0  # units that traded: a sum over the orders, kept by ``with_order`` because every look reads it
    live: int = 0  # units that may still trade, likewise
    notional: int = 0  # price times units of all fills, likewise
    unresolved: int = 0  # how many child orders are of unknown fate, likewise

    @property
    def quantity(self) -> int:
        """The parent's whole quantity, which its children must never exceed (E6)."""
        return max(self.target_qty, self.authorized)

    @property
    def cash(self) -> int:
        """An amount: received for what was sold, or paid (negative) for what was bought."""
        return -self.side.sign * self.notional * self.instrument.multiplier

    @property
    def abandoned(self) -> int:
        """Units that this parent will not place any more: somebody else must, or nobody."""
        missing = max(0, self.authorized - self.filled - self.live)
        if self.yielded or not missing:
            return missing
        open_slots = map(slot_of, self.open_slices.values())
        return min(missing, self.odd + sum(slot.remainder for slot in open_slots if self.gives_up(slot)))

    @property
    def odd(self) -> int:
        """Missing units that no order can carry: less than a lot, or without a limit.

        An entry waits for its level or its time, unless the contract has changed; a repair has no other end.  What is
        traded need not be whole lots by our list: the exchange may know a newer one.
        """
        missing = max(0, self.authorized - self.filled - self.live)
        if not missing or self.live or self.rising or (self.role in ENTRY_ROLES and not self.relisted):
            return 0
        return missing % self.instrument.lot_size if self.instrument.max_order_qty else missing

    def gives_up(self, slot: Slot) -> bool:
        """Whether nothing more of a slice is to be tried.

        What a bust takes from protection is given up at once: a short may stand naked, and that is a hedge's business.
        """
        if slot.busted and self.role is Role.PROTECTION:
            return True
        return slot.tried >= self.pricing.attempts + self.pricing.reprices or slot.attempts >= MAX_ATTEMPTS


def last_refusal(parent: Parent) -> str:
    """What the gateway or the broker said against the newest order, when it did not take it; else ""."""
    newest = parent.orders.get(parent.newest)
    if parent.live or newest is None or newest.intent.status is not IntentStatus.REFUSED:
        return ""
    _, _, refusal = newest.intent.reason.partition(SAYS)
    return refusal


def restore(parent: Parent, intents: Iterable[IntentRecord], states: Mapping[str, ExecutionStateRecord]) -> Parent:
    """The parent with the child orders that the journal knows of it."""
    for intent in intents:
        if intent.parent_id == parent.parent_id:
            parent = with_order(parent, restored_child(intent, states.get(intent.client_order_id)))
    return parent


def with_order(parent: Parent, order: ChildOrder) -> Parent:
    """The parent with this child order in place of the one of the same id.

    What every look reads is worked out here, for what has changed: a parent may have hundreds of children.
    """
    key, number = order.intent.client_order_id, order.intent.slice
    known = parent.orders.get(key)
    if known is order:
        return parent
    filled, live, notional, unresolved = parent.filled, parent.live, parent.notional, parent.unresolved
    newest, next_slice = parent.newest, parent.next_slice
    if known is not None:
        filled -= known.filled
        live -= known.live
        notional -= known.state.notional
        unresolved -= known.intent.status is IntentStatus.UNRESOLVED
    else:
        newest = max(newest, key, key=lambda one: _age(one, parent, order))
        next_slice = max(next_slice, number + 1)
    return replace(
        parent,
        orders={**parent.orders, key: order},
        open_slices=_with_slice(parent, order),
        next_slice=next_slice,
        newest=newest,
        filled=filled + order.filled,
        live=live + order.live,
        notional=notional + order.state.notional,
        unresolved=unresolved + (order.intent.status is IntentStatus.UNRESOLVED),
    )


def _with_slice(parent: Parent, order: ChildOrder) -> Mapping[int, tuple[ChildOrder, ...]]:
    """The open slices with this order in its place: a slice is done when nothing of it may be placed or trade."""
    key, number = order.intent.client_order_id, order.intent.slice
    known = parent.open_slices.get(number, ())
    if not known and number < parent.next_slice:  # it was done: news that comes so late is rare
        known = tuple(one for one in parent.orders.values() if one.intent.slice == number)
    attempts = (*(one for one in known if one.intent.client_order_id != key), order) if known else (order,)
    if not is_done(attempts):
        return {**parent.open_slices, number: attempts}
    if number not in parent.open_slices:
        return parent.open_slices
    return {other: one for other, one in parent.open_slices.items() if other != number}


def _age(key: str, parent: Parent, order: ChildOrder) -> tuple[int, str]:
    one = order if key == order.intent.client_order_id else parent.orders.get(key)
    return (one.intent.decided_ns, key) if one is not None else (-1, "")


def work(parent: Parent, moment: Moment, effects: Effects, *, hold: bool = False) -> Parent:
    """Cancel what is late or too much, place what is missing, and ask to be woken for the next deadline.

    On ``hold`` nothing is placed: the level may be about to change.
    """
    if not moment.may_send or not (parent.authorized or parent.orders):
        return parent  # nothing may leave, or there is nothing to do: most parents are for what may never happen
    parent = as_listed(parent, moment, effects)
    parent = _cancel(parent, moment, effects)
    return parent if hold else _place(parent, moment, effects)


def is_short(parent: Parent) -> bool:
    """Whether there is something to place, if it may leave."""
    return not parent.yielded and _needed(parent) >= parent.instrument.lot_size


def as_listed(parent: Parent, moment: Moment, effects: Effects) -> Parent:
    """The parent with the contract's limits of today; what they leave as an odd rest is told to a person."""
    current = moment.current(parent.instrument)
    if current is not parent.instrument:
        parent = replace(parent, instrument=current, relisted=True)
    if parent.role not in ENTRY_ROLES and parent.odd and not parent.yielded:
        lots = f"lots are {current.lot_size}{' now' if parent.relisted else ''}"
        why = lots if current.max_order_qty else "its freeze quantity is not known any more"
        effects.alert(
            moment,
            Severity.WARNING,
            "ODD_LOT",
            f"{parent.side.value} {parent.odd} {current.symbol} cannot be ordered: {why}; close them by hand at the "
            "broker, or they stay until they expire",
            group_id=parent.group_id,
            symbol=current.symbol,
            quantity=parent.odd,
            subject=f"{parent.parent_id}/{current.lot_size}/{parent.odd}",
        )
    return parent


def _cancel(parent: Parent, moment: Moment, effects: Effects) -> Parent:
    """Cancel orders past their time, and the newest ones while more is live than is authorized."""
    if not parent.live:
        return parent
    excess = parent.filled + parent.live - parent.authorized
    attempts = [order for slice_ in parent.open_slices.values() for order in slice_]
    tell_doubts((order for order in attempts if order.state.count.doubtful), moment, effects)
    working = [order for order in attempts if order.fate is Fate.LIVE and not order.state.is_terminal]
    for order in sorted(working, key=lambda o: (o.intent.slice, o.intent.attempt), reverse=True):
        deadline = max(order.intent.decided_ns, order.resent_ns) + parent.timeout_ms * MS
        surplus = excess > 0
        excess -= order.live if surplus else 0
        chases = is_chased(order, parent.pricing)
        late = moment.at_ns >= deadline and not chases
        if parent.yielded or surplus or late or must_cancel(order, moment, effects):
            if late and not order.intent.cancel_requests:
                effects.acted("S12")
            parent = with_order(parent, request_cancel(order, moment, effects))
        elif chases:
            parent = with_order(
                parent, chase(parent, order, slot_of(parent.open_slices[order.intent.slice]).tried, moment, effects)
            )
        else:
            effects.wake(deadline)
    return parent


def _place(parent: Parent, moment: Moment, effects: Effects) -> Parent:
    """Place what is missing: first the next attempts of ended slices, then new slices."""
    need = _needed(parent)
    if need < parent.instrument.lot_size or parent.yielded or not _allowed(parent.role, moment):
        return parent
    if not parent.instrument.max_order_qty:
        return parent  # the freeze quantity is not known, or less than a lot: no order could be made
    need -= need % parent.instrument.lot_size  # R17: a level between two lots must not make an odd order
    first = parent.next_slice
    for slot in [slot_of(attempts) for _, attempts in sorted(parent.open_slices.items())]:
        if need and slot.remainder and not parent.gives_up(slot):
            priced = _priced(parent, slot.tried + 1, moment)
            most = one_order(parent, priced.price if priced else 0, need, first, moment)
            quantity = min(slot.remainder, need, most)  # what is cut off goes into another slice
            quantity -= quantity % parent.instrument.lot_size
            if not quantity:
                continue
            need -= quantity
            due = _retry_at(slot)
            if moment.at_ns < due:
                effects.wake(due)
            else:
                parent = _submit(parent, slot.number, slot.attempts + 1, quantity, priced, moment, effects)
    lots = need - need % parent.instrument.lot_size
    if lots > 0:
        priced = _priced(parent, 1, moment)
        most = one_order(parent, priced.price if priced else 0, lots, first, moment)
        for number, quantity in enumerate(slices(lots, parent.instrument, most), start=first):
            parent = _submit(parent, number, 1, quantity, priced, moment, effects)
    return parent


def _needed(parent: Parent) -> int:
    return parent.authorized - parent.filled - parent.live - parent.abandoned


def one_order(parent: Parent, limit: int, missing: int, first: int, moment: Moment) -> int:
    """Units that one order of this parent may carry at the price ``limit``, 0 for a market order.

    A repair is cut to what passes E1, unless ids from slice ``first`` on cannot number so many orders: then it goes as
    it is, and the gateway's refusal says what is wrong.
    """
    whole = parent.instrument.max_order_qty
    if parent.role in ENTRY_ROLES:
        return whole
    controls = moment.config.controls
    quote = moment.quotes.get(parent.instrument.symbol)
    price_of_one = limit or fresh_mid(quote, moment.at_ns, controls.reference_max_age_ms)
    most = largest_repair(parent.instrument, price_of_one, controls)
    return most if missing <= most * (MAX_SLICES - first) else whole


def _allowed(role: Role, moment: Moment) -> bool:
    """New risk needs an open gate; repairs need only a broker."""
    return moment.may_open if role in ENTRY_ROLES else moment.may_send


def _retry_at(slot: Slot) -> int:
    """When the next attempt may go: at once after a cancel or an expiry, later each time after a refusal."""
    intent = slot.last.intent
    refused = intent.status in (IntentStatus.REFUSED, IntentStatus.REJECTED)
    return intent.terminal_ns + RETRY_MS * MS * slot.attempts if refused else 0


def _priced(parent: Parent, tried: int, moment: Moment) -> Price | None:
    """The price of a slice's attempt after so many; ``None``: an entry waits for a quote (R15)."""
    quote = moment.quote(parent.instrument.symbol)
    if quote is None and parent.role in ENTRY_ROLES:
        return None
    priced = price(parent.pricing, tried, parent.side, parent.instrument, quote) or BLIND
    if parent.role in ENTRY_ROLES:
        return priced
    return repair_price(priced, parent.side, parent.instrument, moment.config.controls)


def _submit(
    parent: Parent, number: int, attempt: int, quantity: int, priced: Price | None, moment: Moment, effects: Effects
) -> Parent:
    if priced is None:
        effects.wake(moment.at_ns + QUOTE_WAIT_MS * MS)
        return parent
    return place(
        parent, number, attempt, quantity, moment, effects,
        order_type=priced.order_type, limit=priced.price, trigger=0, reference=priced.reference,
    )  # fmt: skip


def place(
    parent: Parent,
    number: int,
    attempt: int,
    quantity: int,
    moment: Moment,
    effects: Effects,
    *,
    order_type: OrdType,
    limit: int,
    trigger: int,
    reference: int,
) -> Parent:
    """Record an intent and ask for it to be sent after the commit (S10); in a closed session, wait (R14).

    For a contract that has expired there is none (E17): it goes by the broker's word, not by an order.
    """
    if moment.expired(parent.instrument):
        return parent
    if moment.waits:
        effects.wake(moment.phase_ends_ns)
        return parent
    intent = IntentRecord(
        client_order_id=client_order_id(parent.parent_id, number, attempt),
        group_id=parent.group_id,
        leg_id=parent.leg_id,
        parent_id=parent.parent_id,
        role=parent.role,
        symbol=parent.instrument.symbol,
        side=parent.side,
        quantity=quantity,
        price=limit,
        trigger_price=trigger,
        order_type=order_type,
        time_in_force=TimeInForce.DAY,
        slice=number,
        attempt=attempt,
        status=IntentStatus.INTENT_PERSISTED,
        broker_order_id="",
        epoch=moment.epoch,
        reference_price=reference,
        parent_qty=parent.quantity,
        cause=moment.cause,
        reason=parent.reason if attempt == 1 else f"{parent.reason}; attempt {attempt}",
        checks="",
        decided_ns=moment.at_ns,
        sent_ns=0,
        acknowledged_ns=0,
        cancel_requested_ns=0,
        cancel_requests=0,
        terminal_ns=0,
    )
    effects.records.append(intent)
    effects.requests.append(submit_request(intent, moment, resend=False))
    effects.wake(moment.at_ns + parent.timeout_ms * MS)
    return with_order(parent, new_child(intent))
