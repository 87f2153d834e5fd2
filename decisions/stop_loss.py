"""A stop-loss (S2, S12): stop-limit at the broker; triggered and not filled for two seconds of broker time: cancel,
cancel *confirmed*, market for the remainder only.  If a fill wins the race, the market order shrinks or never exists.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from decisions.child_order import Fate
from decisions.effects import MS, Effects, Moment, UnknownMessage
from decisions.news import News, hear
from decisions.prices import Pricing, concede
from decisions.working import Parent, place, request_cancel, restore, slots, with_order, work
from domain.execution import OrdType, Side
from domain.groups import Leg, Role, parent_of, parent_tag
from domain.slices import slices
from messages.group import ProtectPosition, Review, StartStop, StopProgressed
from messages.records import Severity, StopRecord, StopStatus

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
            pricing=Pricing(attempts=1, last_is_market=True),
            timeout_ms=moment.config.orders.working_timeout_ms,
            reason=reason,
        )
        return restore(bare, message.intents, states)

    limit = parent(Role.STOP_LIMIT, 0, "stop-loss")
    market = parent(Role.STOP_MARKET, 1, "stop-loss triggered and not filled in time")
    effects = Effects()
    return _report(StopState(leg, record, limit, market), effects), effects


def decide(state: StopState, message: ProtectPosition | Review | News, moment: Moment) -> tuple[StopState, Effects]:
    """Keep the working stop at its level; once triggered, see the exit through."""
    effects = Effects()
    match message:
        case ProtectPosition():
            if state.record.status not in EXITING:
                state = _relevel(state, message.quantity, moment)
        case Review():
            pass
        case _ if parent_of(message.client_order_id) == state.limit.parent_id:
            state = replace(state, limit=hear(state.limit, message, moment, effects))
        case _ if parent_of(message.client_order_id) == state.market.parent_id:
            state = replace(state, market=hear(state.market, message, moment, effects))
        case _:
            raise UnknownMessage(f"stop {state.record.stop_id} has no rule for {message!r}")
    before = state.record
    state = _trigger(state, moment)
    if moment.may_send:
        state = _work_limit(state, moment, effects)
        state = _work_market(state, moment, effects)
    state = _conclude(state, moment, effects)
    if state.record != before or isinstance(message, ProtectPosition):
        effects.records.append(state.record)
    return _report(state, effects), effects


def _relevel(state: StopState, quantity: int, moment: Moment) -> StopState:
    record = replace(state.record, quantity=quantity)
    if quantity and record.status in (StopStatus.DONE, StopStatus.RELEASED):
        record = replace(record, status=StopStatus.ARMED, armed_ns=moment.at_ns, closed_ns=0)
    return replace(state, record=record)


def _trigger(state: StopState, moment: Moment) -> StopState:
    """A trigger report, or a fill without one, starts the two seconds."""
    triggered = state.limit.filled > 0 or any(order.state.triggered for order in state.limit.orders.values())
    if triggered and state.record.status is StopStatus.ARMED:
        record = replace(state.record, status=StopStatus.TRIGGERED, triggered_ns=moment.at_ns)
        return replace(state, record=record)
    return state


def _work_limit(state: StopState, moment: Moment, effects: Effects) -> StopState:
    """Keep one stop-limit slice set of the right size; cancel what is too much or, once triggered, too late."""
    record, parent = state.record, state.limit
    deadline = record.triggered_ns + moment.config.stop_loss.fallback_ms * MS
    give_up = record.status in (StopStatus.FALLBACK, StopStatus.MARKET) or (
        record.status is StopStatus.TRIGGERED and moment.at_ns >= deadline
    )
    if record.status is StopStatus.TRIGGERED and not give_up:
        effects.wake(deadline)
    level = 0 if give_up else record.quantity
    parent = replace(parent, authorized=max(record.quantity, parent.filled))
    excess = parent.filled + parent.live - level
    for order in parent.orders.values():
        if order.fate is Fate.LIVE and (excess > 0 or order.intent.cancel_requests):
            parent = with_order(parent, request_cancel(order, moment, effects))
    missing = level - parent.filled - parent.live
    lot = state.leg.instrument.lot_size
    if record.status is StopStatus.ARMED and parent.live == 0 and missing >= lot:
        parent = _arm(state, parent, missing - missing % lot, moment, effects)
    if give_up and record.status is StopStatus.TRIGGERED:
        effects.acted("S12")
        record = replace(record, status=StopStatus.FALLBACK)
    return replace(state, limit=parent, record=record)


def _arm(state: StopState, parent: Parent, quantity: int, moment: Moment, effects: Effects) -> Parent:
    """Place the stop-limit orders, one per freeze-quantity slice."""
    known = slots(parent)
    first = known[-1].number + 1 if known else 0
    quote = moment.quote(state.leg.instrument.symbol)
    for number, size in enumerate(slices(quantity, state.leg.instrument), start=first):
        parent = place(
            parent, number, 1, size, moment, effects,
            order_type=OrdType.STOP_LIMIT, limit=state.record.limit_price, trigger=state.record.trigger_price,
            reference=quote.mid if quote else 0,
        )  # fmt: skip
    return parent


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
    if status is StopStatus.DONE and record.status is StopStatus.MARKET:
        effects.alert(
            moment,
            Severity.INFO,
            "STOP_FELL_BACK",
            f"the stop-loss on {record.symbol} exited {state.market.filled} at the market",
            group_id=record.group_id,
            symbol=record.symbol,
            quantity=state.market.filled,
            subject=record.stop_id,
        )
    closed = status in (StopStatus.DONE, StopStatus.RELEASED)
    record = replace(
        record, status=status, filled_qty=state.filled, closed_ns=(record.closed_ns or moment.at_ns) if closed else 0
    )
    return replace(state, record=record)


def _report(state: StopState, effects: Effects) -> StopState:
    record, live = state.record, state.limit.live + state.market.live
    exiting = record.status in EXITING and not state.market.abandoned
    progress = StopProgressed(
        leg_id=record.leg_id,
        filled=state.filled,
        live=live,
        committed=max(live, record.quantity - state.filled) if exiting else live,
        unresolved=state.limit.unresolved + state.market.unresolved,
        status=record.status,
    )
    if progress == state.reported:
        return state
    effects.tell("parent", progress)
    return replace(state, reported=progress)
