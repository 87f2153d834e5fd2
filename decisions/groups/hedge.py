"""One level of a hedge (S11): obtain a quantity within five seconds of broker time, or hand the rest to a child.

The last level is a market order.  What even that cannot obtain goes to a person: ``IMMEDIATE_MANUAL_HEDGE``.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment, UnknownMessage
from decisions.orders.chasing import chase_terms
from decisions.orders.news import by_parent, hear
from decisions.orders.prices import Pricing
from decisions.orders.working import Parent, restore, work
from domain.groups import Leg, Role, parent_tag
from messages.group import Bulletin, Cover, HedgeProgressed, Review, StartHedge
from messages.orders import News
from messages.records import HedgeRecord, HedgeStatus, Severity

CHILD = "child"
ROUND = 10  # a root hedge has ordinal 10 n + 1, its descendants count up from there


class HedgeState(msgspec.Struct, frozen=True):
    """What a Hedge actor holds.  ``child`` is what its child last reported, ``None`` while there is none."""

    leg: Leg
    record: HedgeRecord
    parent: Parent
    child: HedgeProgressed | None = None
    reported: HedgeProgressed | None = None
    held: bool = False  # there is news, of its own or of its child's, and nothing is done before the group has looked


def open_record(
    leg: Leg, *, group_id: str, ordinal: int, level: int, parent_hedge_id: str, needed_qty: int, closing: bool,
    trigger: str, moment: Moment,
) -> HedgeRecord:  # fmt: skip
    """The record of a hedge that begins now.  ``closing``: it reverses the leg instead of completing it."""
    return HedgeRecord(
        hedge_id=parent_tag(moment.cell, group_id, "H", leg.index, ordinal),
        group_id=group_id,
        leg_id=leg.leg_id,
        parent_hedge_id=parent_hedge_id,
        level=level,
        ordinal=ordinal,
        symbol=leg.instrument.symbol,
        side=leg.side.opposite if closing else leg.side,
        needed_qty=needed_qty,
        filled_qty=0,
        status=HedgeStatus.WORKING,
        trigger=trigger,
        opened_ns=moment.at_ns,
        deadline_ns=moment.at_ns + moment.config.hedge.timeout_ms * MS,
        closed_ns=0,
    )


def start(message: StartHedge, moment: Moment) -> tuple[HedgeState, Effects]:
    """The state of a new or a restored hedge, and its first report.  Whoever opened it wrote its record.

    One that is restored with levels below it neither works nor reports before they have: what they have obtained would
    seem to be missing, and the hedge would be relieved of it.
    """
    record, config = message.record, moment.config.hedge
    parent = Parent(
        parent_id=record.hedge_id,
        group_id=record.group_id,
        leg_id=record.leg_id,
        role=Role.HEDGE,
        instrument=message.leg.instrument,
        side=record.side,
        pricing=Pricing(
            base_pct=config.concession_pct * record.level,
            step_pct=config.concession_pct,
            attempts=1 if record.level >= config.depth else 2,
            last_is_market=record.level >= config.depth,
            **(chase_terms(moment) if record.level >= config.depth else {}),
        ),
        timeout_ms=config.timeout_ms,
        authorized=record.needed_qty,
        yielded=record.status is not HedgeStatus.WORKING,
        reason=f"hedge level {record.level}: {record.trigger}",
    )
    states = {state.client_order_id: state for state in message.execution_states}
    state = HedgeState(message.leg, record, restore(parent, message.intents, states))
    effects = Effects()
    descendants = message.chain[1:]
    if descendants:
        effects.tell(CHILD, replace(message, record=descendants[0], chain=descendants))
        return replace(state, child=_waiting(descendants[0])), effects
    return _advance(state, moment, effects), effects


def decide(
    state: HedgeState, message: Cover | Review | HedgeProgressed | Bulletin | News, moment: Moment
) -> tuple[HedgeState, Effects]:
    """Work this level; past its time hand the rest to a child; past the last level call a person."""
    effects = Effects()
    parent, held = state.parent, state.held
    match message:
        case Cover():
            held = False
            parent = replace(parent, authorized=message.needed_qty, eased=message.needed_qty if message.eased else None)
        case HedgeProgressed():
            state, held = replace(state, child=message), held or message.waits
        case Review():
            held = False
        case Bulletin():
            parent, held = _hear(state, parent, message, moment, effects), held or message.hold
        case _:
            parent = _hear(state, parent, Bulletin((message,)), moment, effects)
    state = replace(state, parent=_eased(parent), held=held)
    if held:
        return _report(state, effects), effects
    state = _advance(state, moment, effects)
    if state.child is not None and (isinstance(message, Review) or state.child.waits):
        effects.tell(CHILD, Review())
    return state, effects


def _eased(parent: Parent) -> Parent:
    """The level: what is needed by now, and what works beyond it."""
    if parent.eased is None:
        return parent
    return replace(parent, authorized=max(parent.eased, parent.filled + parent.live))


def _hear(state: HedgeState, parent: Parent, bulletin: Bulletin, moment: Moment, effects: Effects) -> Parent:
    """Join what is about this level's orders; the rest is for the levels below, after what this one leaves to them."""
    told = by_parent(bulletin.news)
    own = told.pop(parent.parent_id, [])
    parent = hear(parent, own, moment, effects)
    if told and state.child is None:
        raise UnknownMessage(f"hedge {parent.parent_id} has no rule for {told!r}")
    below = tuple(news for about in told.values() for news in about)
    if below:
        effects.tell(CHILD, Bulletin(below, hold=bulletin.hold or bool(own)))
    return parent


def _advance(state: HedgeState, moment: Moment, effects: Effects) -> HedgeState:
    """Work towards the level; past the deadline give the rest up."""
    parent = state.parent
    working = state.record.status is HedgeStatus.WORKING
    stands_still = moment.waits or moment.expired(parent.instrument)  # it cannot be worked
    late = moment.at_ns >= state.record.deadline_ns and not stands_still
    if working and late and not parent.yielded:
        effects.acted("S12")
    parent = replace(parent, yielded=parent.yielded or not working or late)
    if working and not late:
        effects.wake(state.record.deadline_ns)
    parent = work(parent, moment, effects)
    state = _conclude(replace(state, parent=parent), moment, effects)
    return _report(state, effects)


def _conclude(state: HedgeState, moment: Moment, effects: Effects) -> HedgeState:
    """Move the record on: filled, short with a child for the rest, or escalated."""
    parent, record = state.parent, state.record
    missing = max(0, parent.authorized - parent.filled - parent.live)
    status = record.status
    if status is HedgeStatus.WORKING and parent.live == 0:
        if missing == 0:
            status = HedgeStatus.FILLED if parent.filled else HedgeStatus.RELEASED
        elif parent.abandoned >= missing:
            deepest = record.level >= moment.config.hedge.depth
            status = HedgeStatus.ESCALATED if deepest else HedgeStatus.SHORT
    elif status in (HedgeStatus.FILLED, HedgeStatus.RELEASED) and missing > 0 and parent.live == 0:
        status = HedgeStatus.SHORT if record.level < moment.config.hedge.depth else HedgeStatus.ESCALATED  # a bust
    changed = replace(
        record,
        needed_qty=parent.authorized,
        filled_qty=parent.filled,
        status=status,
        closed_ns=record.closed_ns or (moment.at_ns if status is not HedgeStatus.WORKING else 0),
    )
    if changed != record:
        effects.records.append(changed)
    state = replace(state, record=changed, parent=replace(parent, yielded=status is not HedgeStatus.WORKING))
    if status is HedgeStatus.ESCALATED and record.status is not HedgeStatus.ESCALATED:
        _escalate(changed, missing, moment, effects)
    return _hand_down(state, missing, moment, effects) if status is HedgeStatus.SHORT else state


def _hand_down(state: HedgeState, missing: int, moment: Moment, effects: Effects) -> HedgeState:
    """Tell the child what this level could not obtain; hire it first when there is none."""
    record, eased = state.record, state.parent.eased is not None
    if state.child is not None:
        if level_of(state.child) != missing:
            effects.tell(CHILD, Cover(missing, eased))
        return state
    child = open_record(
        state.leg,
        group_id=record.group_id,
        ordinal=record.ordinal + 1,
        level=record.level + 1,
        parent_hedge_id=record.hedge_id,
        needed_qty=missing,
        closing=record.side is not state.leg.side,
        trigger=record.trigger,
        moment=moment,
    )
    effects.records.append(child)
    effects.tell(CHILD, StartHedge(leg=state.leg, record=child))
    effects.acted("S11")
    return replace(state, child=_waiting(child))


def level_of(hedge: HedgeProgressed) -> int:
    """How much a hedge shall obtain; what works may be more."""
    return hedge.needed_qty if hedge.eased is None else hedge.eased


def _waiting(record: HedgeRecord) -> HedgeProgressed:
    """What is assumed of a child until it reports: that it is at work on all of it."""
    return HedgeProgressed(
        hedge_id=record.hedge_id,
        leg_id=record.leg_id,
        side=record.side,
        needed_qty=record.needed_qty,
        filled=0,
        live=0,
        unresolved=0,
        status=HedgeStatus.WORKING,
        level=record.level,
    )


def _escalate(record: HedgeRecord, missing: int, moment: Moment, effects: Effects) -> None:
    effects.alert(
        moment,
        Severity.CRITICAL,
        "IMMEDIATE_MANUAL_HEDGE",
        f"{record.side.value} {missing} {record.symbol} by hand: {record.level} levels of hedging fell short "
        f"({record.trigger})",
        group_id=record.group_id,
        symbol=record.symbol,
        quantity=missing,
        subject=record.hedge_id,
    )


def _report(state: HedgeState, effects: Effects) -> HedgeState:
    parent, record, child = state.parent, state.record, state.child
    status, missing = record.status, max(0, parent.authorized - parent.filled - parent.live)
    if child is not None:  # what it has just been told to obtain besides, it is at work on
        status = HedgeStatus.WORKING if level_of(child) < missing else child.status
    elif parent.live or (state.held and missing):
        status = HedgeStatus.WORKING
    progress = HedgeProgressed(
        hedge_id=record.hedge_id,
        leg_id=record.leg_id,
        side=record.side,
        needed_qty=parent.authorized,
        filled=parent.filled + (child.filled if child else 0),
        live=parent.live + (child.live if child else 0),
        unresolved=parent.unresolved + (child.unresolved if child else 0),
        status=status,
        level=child.level if child else record.level,
        cash=parent.cash + (child.cash if child else 0),
        eased=parent.eased,
        waits=state.held,
    )
    if progress == state.reported:
        return state
    effects.tell("parent", progress)
    return replace(state, reported=progress)
