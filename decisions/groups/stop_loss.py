"""A stop-loss (S2, S12): stop-limit at the broker; triggered and not filled for two seconds of broker time: changed to
a market order in place, or, where the broker cannot, canceled, cancel *confirmed*, market for the remainder only.  If a
fill wins the race, the market order shrinks or never exists.  Units that may still trade are never placed again, so
that exits can never exceed the position (R2).

A stop that the broker does not watch is watched here (decisions/groups/stop_trigger.py): then limit orders at the
execution price take the place of the triggered stop-limit.  How long the position stood bare:
decisions/groups/stop_window.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import msgspec
from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment, UnknownMessage
from decisions.groups.stop_trigger import at_broker, look
from decisions.groups.stop_window import measure
from decisions.orders.chasing import chase, chase_terms, is_chased
from decisions.orders.child_order import ChildOrder, Fate
from decisions.orders.doubts import tell_doubts
from decisions.orders.news import by_parent, hear
from decisions.orders.order_changes import may_replace, must_cancel, request_cancel, request_replace
from decisions.orders.prices import Pricing, concede, price
from decisions.orders.read_back import STORED_OTHERWISE
from decisions.orders.sizing import repair_price
from decisions.orders.slots import Slot, slots
from decisions.orders.working import (
    BLIND,
    RETRY_MS,
    Parent,
    as_listed,
    one_order,
    place,
    restore,
    with_order,
    work,
)
from domain.execution import OrdType, Side
from domain.groups import Leg, Role, parent_tag
from domain.slices import slices
from messages.group import Bulletin, ProtectPosition, Review, StartStop, StopProgressed
from messages.orders import News
from messages.records import IntentRecord, IntentStatus, ReplaceStatus, Severity, StopRecord, StopStatus

TURNED_DOWN = frozenset({IntentStatus.REFUSED, IntentStatus.REJECTED, IntentStatus.VOID})
REARM_MAX_MS = 60_000  # broker time; R14: a closed session is asked this seldom
EXITING = frozenset({StopStatus.TRIGGERED, StopStatus.FALLBACK, StopStatus.MARKET})


class StopState(msgspec.Struct, frozen=True):
    """What a StopLoss actor holds: the stop-limit parent and the market parent that may follow it."""

    leg: Leg
    record: StopRecord
    limit: Parent
    market: Parent
    reported: StopProgressed | None = None

    @property
    def filled(self) -> int:
        """Units that either order has exited."""
        return self.limit.filled + self.market.filled


def execution_price(trigger: int, side: Side, offset_pct: float, tick: int) -> int:
    """The limit price of a stop-limit: ``offset_pct`` beyond the trigger, a buy above it and a sell below it,
    rounded to the tick outward (S2)."""
    return concede(trigger, side, offset_pct, tick)


def open_record(leg: Leg, *, group_id: str, quantity: int, moment: Moment) -> StopRecord:
    """The record of a stop-loss on ``quantity`` units of ``leg`` that begins now."""
    side = leg.side.opposite
    return StopRecord(
        stop_id=parent_tag(moment.cell, group_id, "S", leg.index, 0),
        group_id=group_id,
        leg_id=leg.leg_id,
        ordinal=0,
        symbol=leg.instrument.symbol,
        side=side,
        quantity=quantity,
        filled_qty=0,
        trigger_price=leg.stop_trigger,
        limit_price=execution_price(
            leg.stop_trigger, side, moment.config.stop_loss.offset_pct, leg.instrument.tick_size
        ),
        status=StopStatus.ARMED,
        armed_ns=moment.at_ns,
        triggered_ns=0,
        closed_ns=0,
        trigger_on=leg.stop_trigger_on,
    )


def start(message: StartStop, moment: Moment) -> tuple[StopState, Effects]:
    """The state of a new or a restored stop-loss, and its first report."""
    record, leg = message.record, message.leg
    states = {state.client_order_id: state for state in message.execution_states}

    def parent(role: Role, ordinal: int, reason: str) -> Parent:
        bare = Parent(
            parent_id=parent_tag(moment.cell, record.group_id, "S", leg.index, ordinal),
            group_id=record.group_id,
            leg_id=leg.leg_id,
            role=role,
            instrument=leg.instrument,
            side=record.side,
            pricing=Pricing(attempts=1, last_is_market=True, **chase_terms(moment)),
            timeout_ms=moment.config.orders.working_timeout_ms,
            reason=reason,
        )
        return restore(bare, message.intents, states)

    limit = parent(Role.STOP_LIMIT, 0, "stop-loss")
    market = parent(Role.STOP_MARKET, 1, "stop-loss triggered and not filled in time")
    limit = replace(limit, authorized=max(record.quantity, limit.filled))
    market = replace(market, authorized=max(0, record.quantity - limit.filled - limit.live))
    effects = Effects()
    return _report(StopState(leg, record, limit, market), effects), effects


def decide(
    state: StopState, message: ProtectPosition | Review | Bulletin | News, moment: Moment
) -> tuple[StopState, Effects]:
    """Keep the working stop at its level; once triggered, see the exit through."""
    effects = Effects()
    match message:
        case ProtectPosition():
            if state.record.status not in EXITING:
                state = _relevel(state, message.quantity, moment)
            elif message.exitable < state.record.quantity:  # a bust took a part of the position away (R2)
                state = replace(state, record=replace(state.record, quantity=message.exitable))
        case Review():
            pass
        case Bulletin():
            state = _hear(state, message.news, moment, effects)
        case _:
            state = _hear(state, (message,), moment, effects)
    before = state.record
    state = replace(state, record=look(state.record, state.limit, moment, effects))
    if moment.may_send:
        tell_doubts(state.limit.orders.values(), moment, effects)
        state = _work_limit(state, moment, effects)
        state = _work_market(state, moment, effects)
    state = _conclude(state, moment, effects)
    state = replace(state, record=measure(state.record, state.limit, state.market, moment, effects))
    if state.record != before or isinstance(message, ProtectPosition):
        effects.records.append(state.record)
    return _report(state, effects), effects


def _hear(state: StopState, bulletin: Sequence[News], moment: Moment, effects: Effects) -> StopState:
    told = by_parent(bulletin)
    limit = hear(state.limit, told.pop(state.limit.parent_id, ()), moment, effects)
    market = hear(state.market, told.pop(state.market.parent_id, ()), moment, effects)
    if told:
        raise UnknownMessage(f"stop {state.record.stop_id} has no rule for {told!r}")
    return replace(state, limit=limit, market=market)


def _relevel(state: StopState, quantity: int, moment: Moment) -> StopState:
    record = replace(state.record, quantity=quantity)
    if quantity and record.status in (StopStatus.DONE, StopStatus.RELEASED):
        record = replace(record, status=StopStatus.ARMED, armed_ns=moment.at_ns, closed_ns=0)
    return replace(state, record=record)


def _work_limit(state: StopState, moment: Moment, effects: Effects) -> StopState:
    """Keep the stop-limit orders at their level; once triggered and too late, turn them into the exit."""
    record, parent = state.record, state.limit
    deadline = record.triggered_ns + moment.config.stop_loss.fallback_ms * MS
    late = record.status is StopStatus.TRIGGERED and moment.at_ns >= deadline
    if record.status is StopStatus.TRIGGERED and not late:
        effects.wake(deadline)
    if late:
        effects.acted("S12")
        record = replace(record, status=StopStatus.FALLBACK)
    parent = as_listed(replace(parent, authorized=max(record.quantity, parent.filled)), moment, effects)
    if record.status in (StopStatus.FALLBACK, StopStatus.MARKET):
        parent = _give_up(parent, record, moment, effects)
    else:
        parent = _shrink(parent, record.quantity, moment, effects)
        parent = _arm(parent, record, moment, effects)
    return replace(state, limit=parent, record=record)


def _shrink(parent: Parent, level: int, moment: Moment, effects: Effects) -> Parent:
    """Take what is too much off the newest orders, in place where the broker can: the rest never stands bare."""
    excess = parent.filled + parent.live - level
    for order in _newest_first(parent):
        cut = max(0, min(excess, order.live))
        excess -= cut
        if must_cancel(order, moment, effects) or cut == order.live:
            parent = with_order(parent, request_cancel(order, moment, effects))
        elif cut and may_replace(order, moment):
            parent = with_order(parent, _resized(order, order.state.order_qty - cut, moment, effects))
        elif cut and order.intent.replace_status is not ReplaceStatus.REQUESTED:
            parent = with_order(parent, request_cancel(order, moment, effects))
    return parent


def _newest_first(parent: Parent) -> list[ChildOrder]:
    working = [order for order in parent.orders.values() if order.fate is Fate.LIVE]
    return sorted(working, key=lambda order: order.intent.slice, reverse=True)


def _resized(order: ChildOrder, quantity: int, moment: Moment, effects: Effects) -> ChildOrder:
    intent = order.intent
    return request_replace(
        order, moment, effects,
        order_type=intent.order_type, quantity=quantity, price=intent.price, trigger=intent.trigger_price,
    )  # fmt: skip


def _arm(parent: Parent, record: StopRecord, moment: Moment, effects: Effects) -> Parent:
    """Place what is missing, in slices that one order may carry: stop-limits before the trigger, limits after it.

    While no order may be sent, as when the freeze quantity is not known any more, the price is watched here and a
    person is called like in any other case of a stop that is missing (R3).
    """
    missing = record.quantity - parent.filled - parent.live
    lot = parent.instrument.lot_size
    before = record.status is StopStatus.ARMED and at_broker(record, moment)
    if missing < lot or not (before or record.status is StopStatus.TRIGGERED) or not parent.instrument.max_order_qty:
        return parent
    known = slots(parent.orders.values())
    due = _rearm_at(known)
    if moment.at_ns < due:
        effects.wake(due)
        return parent
    quote = moment.quote(record.symbol)
    first, lots = known[-1].number + 1 if known else 0, missing - missing % lot
    most = one_order(parent, record.limit_price, lots, first, moment)
    for number, size in enumerate(slices(lots, parent.instrument, most), start=first):
        parent = place(
            parent, number, 1, size, moment, effects,
            order_type=OrdType.STOP_LIMIT if before else OrdType.LIMIT, limit=record.limit_price,
            trigger=record.trigger_price if before else 0, reference=quote.mid if quote else 0,
        )  # fmt: skip
    return parent


def _rearm_at(known: list[Slot]) -> int:
    """At once; but after each refusal in a row twice as long, because a broker that refuses is not to be stormed.

    Slices that nobody has answered yet do not break the row: of three that were asked for, one is refused first.
    """
    answered = [slot for slot in known if slot.last.fate is Fate.ENDED or slot.last.state.is_acknowledged]
    row = list(takewhile(lambda slot: _turned_down(slot.last.intent), reversed(answered)))
    if not row:
        return 0
    return row[0].last.intent.terminal_ns + min(RETRY_MS << (len(row) - 1), REARM_MAX_MS) * MS


def _turned_down(intent: IntentRecord) -> bool:
    return intent.status in TURNED_DOWN or STORED_OTHERWISE in intent.reason


def _give_up(parent: Parent, record: StopRecord, moment: Moment, effects: Effects) -> Parent:
    """Turn every order that has not exited in time into a market order, or cancel it; a market order follows then."""
    excess = parent.filled + parent.live - record.quantity
    for order in _newest_first(parent):
        cut = max(0, min(excess, order.live))
        excess -= cut
        asked = order.intent.replace_status is ReplaceStatus.REQUESTED
        if must_cancel(order, moment, effects) or cut == order.live:
            parent = with_order(parent, request_cancel(order, moment, effects))
        elif asked:
            continue  # answered soon, or canceled
        elif is_exit(order):
            parent = with_order(parent, _see_through(parent, order, moment, effects))
        elif may_replace(order, moment):
            quantity = order.state.order_qty - cut
            parent = with_order(parent, _to_market(parent, order, quantity, moment, effects))
        else:
            parent = with_order(parent, request_cancel(order, moment, effects))
    return parent


def is_exit(order: ChildOrder) -> bool:
    """Whether a stop-limit order has been turned into the exit that follows it."""
    intent = order.intent
    return intent.order_type is OrdType.MARKET or (intent.order_type is OrdType.LIMIT and intent.replace_requests > 0)


def _to_market(parent: Parent, order: ChildOrder, quantity: int, moment: Moment, effects: Effects) -> ChildOrder:
    """A market order; where that may rest, a limit at the touch, which says what it is (and is chased alike)."""
    pricing = parent.pricing
    quote = moment.quote(parent.instrument.symbol)
    priced = price(pricing, pricing.attempts + 1, parent.side, parent.instrument, quote) if pricing.reprices else BLIND
    priced = repair_price(priced or BLIND, parent.side, parent.instrument, moment.config.controls)
    return request_replace(
        order, moment, effects, order_type=priced.order_type, quantity=quantity, price=priced.price, trigger=0
    )


def _see_through(parent: Parent, order: ChildOrder, moment: Moment, effects: Effects) -> ChildOrder:
    """An exit in place that does not fill is chased where market orders rest, else canceled after its time."""
    if is_chased(order, parent.pricing):
        return chase(parent, order, parent.pricing.attempts + order.intent.replace_requests, moment, effects)
    deadline = order.intent.replace_requested_ns + parent.timeout_ms * MS
    if moment.at_ns >= deadline:
        return request_cancel(order, moment, effects)
    effects.wake(deadline)
    return order


def _work_market(state: StopState, moment: Moment, effects: Effects) -> StopState:
    """Exit the remainder at the market, once every stop-limit order is confirmed ended (R2)."""
    record = state.record
    if record.status is StopStatus.FALLBACK and state.limit.live == 0:
        record = replace(record, status=StopStatus.MARKET)
    if record.status is not StopStatus.MARKET:
        return replace(state, record=record)
    remainder = max(0, record.quantity - state.limit.filled - state.limit.live)
    market = work(replace(state.market, authorized=remainder), moment, effects)
    return replace(state, market=market, record=record)


def _conclude(state: StopState, moment: Moment, effects: Effects) -> StopState:
    """Done when the position is flat; a market exit that the broker ended short goes to a person."""
    record, live = state.record, state.limit.live + state.market.live
    status = record.status
    if live == 0 and state.filled >= record.quantity:
        if record.quantity == 0 or state.filled == 0:
            status = StopStatus.RELEASED if status is StopStatus.ARMED else status
        else:
            status = StopStatus.DONE
    if status is StopStatus.MARKET and state.market.abandoned:
        effects.alert(
            moment,
            Severity.CRITICAL,
            "STOP_EXIT_SHORT",
            f"{record.side.value} {state.market.abandoned} {record.symbol} by hand: the stop-loss could not exit them",
            group_id=record.group_id,
            symbol=record.symbol,
            quantity=state.market.abandoned,
            subject=record.stop_id,
        )
    exited = state.market.filled + sum(order.filled for order in state.limit.orders.values() if is_exit(order))
    if status is StopStatus.DONE and record.status in (StopStatus.FALLBACK, StopStatus.MARKET) and exited:
        effects.alert(
            moment,
            Severity.INFO,
            "STOP_FELL_BACK",
            f"the stop-loss on {record.symbol} exited {exited} at the market",
            group_id=record.group_id,
            symbol=record.symbol,
            quantity=exited,
            subject=record.stop_id,
        )
    closed = status in (StopStatus.DONE, StopStatus.RELEASED)
    record = replace(
        record, status=status, filled_qty=state.filled, closed_ns=(record.closed_ns or moment.at_ns) if closed else 0
    )
    return replace(state, record=record)


def _report(state: StopState, effects: Effects) -> StopState:
    record, live = state.record, state.limit.live + state.market.live
    left = record.quantity - state.filled - state.market.abandoned  # what was given up is for others to close
    progress = StopProgressed(
        leg_id=record.leg_id,
        filled=state.filled,
        live=live,
        committed=max(live, left) if record.status in EXITING else live,
        unresolved=state.limit.unresolved + state.market.unresolved,
        status=record.status,
        cash=state.limit.cash + state.market.cash,
    )
    if progress == state.reported:
        return state
    effects.tell("parent", progress)
    return replace(state, reported=progress)
