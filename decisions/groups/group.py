"""An order group: which levels its legs, hedges and stop-losses shall have, and when it has ended (S1, S7, S11).

Every look works the levels out anew from what is filled, working and intended:

* protection is authorized in full, risk only as far as *filled* protection covers it (I7);
* what a leg gives up becomes a hedge (policy ``complete``, missing protection) or turns the group to ``flattening``;
* what is held above the level to keep is closed, shorts before the longs that protect them (R22);
* when nothing is live any more, the group is certified: hedged, flat, or halted.
"""

from __future__ import annotations

from msgspec.structs import replace

from decisions.effects import MS, SELF, Effects, Moment, UnknownMessage
from decisions.groups import expired, exposure, group_stop, hedge, stop_loss
from decisions.groups.group_hedging import escalated, hedge_shortfalls, is_hedging, take_back_escalated
from decisions.groups.group_levels import Levels, Tally, levels, tally
from decisions.groups.group_routes import child_of, hedge_name, leg_name, stop_name
from decisions.groups.group_state import GroupState, recorded
from decisions.groups.group_status import RANK, advance, outcome_of
from decisions.positions import moves
from domain.execution import Side
from domain.groups import Group, GroupOutcome, GroupStatus, Mode
from domain.money import to_decimal
from messages.group import (
    Bulletin,
    CloseGroup,
    GroupSettled,
    HedgeProgressed,
    LegProgressed,
    OpenGroup,
    ProtectPosition,
    RestoreGroup,
    Review,
    Settle,
    StartHedge,
    StartLeg,
    StartStop,
    StopProgressed,
    WorkLeg,
)
from messages.orders import News
from messages.positions import PositionsMoved
from messages.records import (
    GroupRecord,
    Severity,
    StopStatus,
)


def start(message: OpenGroup | RestoreGroup, moment: Moment) -> tuple[GroupState, Effects]:
    """The state of a new group, or of one that the journal knows; its children are hired by the letters."""
    if isinstance(message, OpenGroup):
        return _open(message.group, moment)
    return _restore(message)


def _open(group: Group, moment: Moment) -> tuple[GroupState, Effects]:
    effects = Effects()
    record = GroupRecord(
        group_id=group.group_id, cell=moment.cell, strategy=group.strategy, status=GroupStatus.VALIDATED,
        mode=Mode.ENTERING, outcome=GroupOutcome.OPEN, reason="", group=group, hedges_placed=0, crashes=0,
        quarantined=False, created_ns=moment.at_ns, updated_ns=moment.at_ns,
    )  # fmt: skip
    effects.records.append(record)
    for leg in group.legs:
        effects.tell(leg_name(leg.leg_id), StartLeg(group_id=group.group_id, leg=leg))
    return GroupState(record, awaited=frozenset(leg_name(leg.leg_id) for leg in group.legs)), effects


def _restore(message: RestoreGroup) -> tuple[GroupState, Effects]:
    effects, group = Effects(), message.record.group
    awaited = set()
    for leg in group.legs:
        name = leg_name(leg.leg_id)
        intents = tuple(i for i in message.intents if i.leg_id == leg.leg_id)
        states = tuple(s for s in message.execution_states if s.client_order_id in {i.client_order_id for i in intents})
        effects.tell(name, StartLeg(group_id=group.group_id, leg=leg, intents=intents, execution_states=states))
        awaited.add(name)
        for stop in (stop for stop in message.stops if stop.leg_id == leg.leg_id):
            effects.tell(
                stop_name(leg.leg_id), StartStop(leg=leg, record=stop, intents=intents, execution_states=states)
            )
            awaited.add(stop_name(leg.leg_id))
        for root in (record for record in message.hedges if record.leg_id == leg.leg_id and record.level == 1):
            last = root.ordinal + hedge.ROUND
            chain = sorted(
                (h for h in message.hedges if h.leg_id == leg.leg_id and root.ordinal <= h.ordinal < last),
                key=lambda h: h.level,
            )
            effects.tell(
                hedge_name(root.hedge_id),
                StartHedge(leg=leg, record=root, chain=tuple(chain), intents=intents, execution_states=states),
            )
            awaited.add(hedge_name(root.hedge_id))
    roots = [record for record in message.hedges if record.level == 1]
    state = GroupState(
        message.record,
        opened_ns={h.symbol: max(r.opened_ns for r in roots if r.symbol == h.symbol) for h in roots},
        stop_levels={stop.leg_id: (stop.quantity, -1) for stop in message.stops},
        rounds=max((record.ordinal // hedge.ROUND + 1 for record in roots), default=0),
        awaited=frozenset(awaited),
        exposure=next((record for record in message.exposures if not record.covered_ns), None),
        stop=next(iter(message.group_stops), None),
        moves=message.position_events,
        taken=exposure.taken_before(message.execution_states),
    )
    return state, effects


Message = (
    LegProgressed | HedgeProgressed | StopProgressed | Review | Settle | CloseGroup | PositionsMoved | Bulletin | News
)


def decide(state: GroupState, message: Message, moment: Moment) -> tuple[GroupState, Effects]:
    """Take a child's progress or an instruction, then look at the whole group."""
    effects = Effects()
    if isinstance(message, News):
        effects.tell(child_of(state.group, message.client_order_id), message)
        return _noted(state, message), effects
    match message:
        case LegProgressed():
            state = replace(state, legs={**state.legs, message.leg_id: message})
            state = _heard(state, leg_name(message.leg_id))
        case HedgeProgressed():
            state = replace(state, hedges={**state.hedges, message.hedge_id: message})
            state = _heard(state, hedge_name(message.hedge_id))
        case StopProgressed():
            state = replace(state, stops={**state.stops, message.leg_id: message})
            state = _heard(state, stop_name(message.leg_id))
        case CloseGroup():
            state = _close(state, message, moment, effects)
        case PositionsMoved():
            moved = moves.record(message, moment, effects)
            state = _noted(replace(state, moves=(*state.moves, *moved)), message)
        case Review():
            return _review(state, moment, effects), effects
        case Bulletin():
            return _announce(_noted(state, *message.news), message, effects), effects
        case Settle(rounds) if rounds > 0:
            effects.tell(SELF, Settle(rounds - 1))
        case Settle():
            state = replace(state, settling=False)
        case _:
            raise UnknownMessage(f"group {state.record.group_id} has no rule for {message!r}")
    return _looked(state, moment, effects), effects


def _noted(state: GroupState, *heard: News | PositionsMoved) -> GroupState:
    """The next look is to know since when what these tell of has been gone."""
    taken = exposure.taken_back(state.taken, heard)
    return state if taken is state.taken else replace(state, taken=taken)


def _looked(state: GroupState, moment: Moment, effects: Effects) -> GroupState:
    return state if state.awaited or state.settling else _look(state, moment, effects)


def _announce(state: GroupState, bulletin: Bulletin, effects: Effects) -> GroupState:
    """Give each child what is about its orders, and look once all have answered; for one, its answer is enough.

    Of several none places anything before that look: what another has heard may change its level.
    """
    found: dict[str, list[News]] = {}
    for news in bulletin.news:
        found.setdefault(child_of(state.group, news.client_order_id), []).append(news)
    several = len(found) > 1
    for name, about in found.items():
        effects.tell(name, Bulletin(tuple(about), hold=several) if several or len(about) > 1 else about[0])
    return state if len(found) == 1 else _awaiting(state, effects)


def _heard(state: GroupState, name: str) -> GroupState:
    return replace(state, awaited=state.awaited - {name}) if name in state.awaited else state


def _review(state: GroupState, moment: Moment, effects: Effects) -> GroupState:
    """Look, and have everybody look behind that: nobody works at a level that has changed."""
    hedges, stops = state.hedges, state.stops
    state = _looked(state, moment, effects)
    for leg in state.group.legs:
        effects.tell(leg_name(leg.leg_id), Review())
    for hedge_id in hedges:
        effects.tell(hedge_name(hedge_id), Review())
    for leg_id in stops:
        effects.tell(stop_name(leg_id), Review())
    return state


def _close(state: GroupState, message: CloseGroup, moment: Moment, effects: Effects) -> GroupState:
    """Turn to flattening or reducing.  A group that is certified already is closed only on purpose (``flatten``)."""
    record = state.record
    if record.mode is Mode.FLATTENING or (record.mode is Mode.REDUCING and not message.flatten):
        return state
    if record.outcome is not GroupOutcome.OPEN and not message.flatten:
        return state
    mode = Mode.FLATTENING if message.flatten else Mode.REDUCING
    if message.by_person and take_back_escalated(state, effects):
        state = _awaiting(state, effects)
    return recorded(state, moment, effects, mode=mode, reason=message.reason, outcome=GroupOutcome.OPEN)


def _look(state: GroupState, moment: Moment, effects: Effects) -> GroupState:
    """Work out every level and tell the children those that changed; then say where the group stands."""
    held = tally(state.group, state.legs, state.hedges, state.stops, state.moves)
    state = replace(
        state, stop=group_stop.watch(state.stop, state.record, held, moment, effects, moved=bool(state.moves))
    )
    state = told = _turn(state, held, moment, effects)
    wanted = levels(state.group, state.record, held)
    state = _tell_legs(state, wanted, effects)
    state = _tell_stops(state, wanted, held, moment, effects)
    state = _await_answers(told, state, effects)
    state = hedge_shortfalls(state, wanted, held, moment, effects)
    _go_on(state, effects)
    before = state.record.outcome
    status = advance(state.record.status, state.group, held)
    outcome = outcome_of(state.record, state.group, held, wanted, hedging=is_hedging(state))
    if outcome is not GroupOutcome.OPEN:
        status = _final_status(state, outcome)
    state = recorded(state, moment, effects, status=status, outcome=outcome)
    if outcome is GroupOutcome.HALTED and before is not outcome:
        _alert_halt(state, held, moment, effects)
    stop = group_stop.conclude(state.stop, outcome, moment, effects)
    taken = state.taken
    watched = exposure.watch(state.exposure, held.bare, state.group, moment, effects, taken_ns=taken.since_ns)
    expired.watch(state.group, held, moment, effects)
    return _settle(replace(state, stop=stop, exposure=watched, taken=exposure.looked(taken)), held, effects)


def _go_on(state: GroupState, effects: Effects) -> None:
    """Let those work who have held back for this look."""
    for leg_id, leg in state.legs.items():
        if leg.waits:
            effects.tell(leg_name(leg_id), Review())
    for hedge_id, progress in state.hedges.items():
        if progress.waits:
            effects.tell(hedge_name(hedge_id), Review())


def _final_status(state: GroupState, outcome: GroupOutcome) -> GroupStatus:
    stopped = any(progress.filled for progress in state.stops.values()) or (state.stop and state.stop.triggered_ns)
    if outcome is GroupOutcome.HEDGED:
        guarded = state.stop or any(progress.status is StopStatus.ARMED for progress in state.stops.values())
        return GroupStatus.HEDGED if guarded else GroupStatus.COMPLETED
    over = stopped or state.record.mode is Mode.ENTERING  # or it lived to its expiry
    return GroupStatus.COMPLETED if outcome is GroupOutcome.FLAT and over else GroupStatus.FAILED


def _turn(state: GroupState, held: Tally, moment: Moment, effects: Effects) -> GroupState:
    """Change the group's mode when what happened asks for it."""
    record = state.record
    entering = record.mode is Mode.ENTERING
    exiting = [leg_id for leg_id, progress in state.stops.items() if progress.status in stop_loss.EXITING]
    if entering and state.stops and (exiting or any(p.filled for p in state.stops.values())):
        reason = f"stop-loss of {', '.join(exiting or sorted(state.stops))}"
        return recorded(state, moment, effects, mode=Mode.FLATTENING, reason=reason, outcome=GroupOutcome.OPEN)
    if entering and held.lost and moves.for_good(state.group, held.lost, state.moves, moment):
        reason = "protection went without an order of ours and cannot be bought again"
        return recorded(state, moment, effects, mode=Mode.REDUCING, reason=reason, outcome=GroupOutcome.OPEN)
    if entering and (dead := _expired_too_early(state.group, held, moment)):
        reason = f"{dead} expired before the group held all of it"
        return recorded(state, moment, effects, mode=Mode.FLATTENING, reason=reason, outcome=GroupOutcome.OPEN)
    if entering and (overdrawn := held.overdrawn()):
        reason = f"more of {overdrawn} went without an order of ours than it had"
        return recorded(state, moment, effects, mode=Mode.FLATTENING, reason=reason, outcome=GroupOutcome.OPEN)
    if entering and state.stop is not None and state.stop.status is StopStatus.TRIGGERED:
        reason = f"stop-loss of the group: lost {to_decimal(state.stop.loss):f}"
        return recorded(state, moment, effects, mode=Mode.FLATTENING, reason=reason, outcome=GroupOutcome.OPEN)
    if entering and held.must_flatten(state.group):
        reason = f"{held.first_short_leg(state.group)} could not be filled{_refused(state)}"
        return recorded(state, moment, effects, mode=Mode.FLATTENING, reason=reason)
    if entering and not held.complete and (reason := _too_late(state, moment, effects)):
        effects.acted("S12")
        return recorded(state, moment, effects, mode=Mode.FLATTENING, reason=reason)
    if record.mode is not Mode.REDUCING and any(escalated(state)):
        reason = "hedging fell short; a person was called"
        return recorded(state, moment, effects, mode=Mode.REDUCING, reason=reason)
    return state


def _too_late(state: GroupState, moment: Moment, effects: Effects) -> str:
    """Why what is missing is not entered any more, whatever keeps it from being entered; "" while there is time.

    A group has its patience from its beginning.  One that had been certified, and that a bust, a correction or a loss
    opens again, has it from then on, and anew with each thing that is decided about it, such as a hedge.  It is
    the time of a session: what a closed one keeps from being sent (R14) leaves with the opening first.
    """
    record, patience_ms = state.record, moment.config.orders.entry_patience_ms
    before = RANK[record.status] < RANK[GroupStatus.HEDGED]
    opens = record.outcome is not GroupOutcome.OPEN  # with this look
    if moment.waits and not before:
        effects.wake(moment.phase_ends_ns)
        return ""
    opened_ns = moment.calendar.standing(moment.at_ns).opened_ns
    since_ns = record.created_ns if before else moment.at_ns if opens else max(record.updated_ns, opened_ns)
    due = since_ns + patience_ms * MS
    if moment.at_ns < due:
        effects.wake(due)
        return ""
    what = "not entered" if before else "opened again by a bust, a correction or a loss, and not whole"
    return f"{what} within {patience_ms / 1_000:g} s{_refused(state)}"


def _expired_too_early(group: Group, held: Tally, moment: Moment) -> str:
    """The first leg of which something is missing that nobody can trade any more."""
    for leg in group.legs:
        own = held.legs[leg.leg_id]
        missing = own.held + own.gone < leg.target_qty
        if missing and moment.expired(leg.instrument):
            return leg.leg_id
    return ""


def _refused(state: GroupState) -> str:
    """What stands against the legs that are refused, in words: a control names itself."""
    found = [f"{leg_id}: {progress.refusal}" for leg_id, progress in state.legs.items() if progress.refusal]
    return f"; refused: {'; '.join(found)}" if found else ""


def _tell_legs(state: GroupState, wanted: Levels, effects: Effects) -> GroupState:
    told: dict[str, WorkLeg] = {}
    for leg in state.group.legs:
        letter = WorkLeg(
            entry_qty=wanted.entry[leg.leg_id],
            close_qty=wanted.close[leg.leg_id],
            entering=wanted.entering[leg.leg_id],
            reason=wanted.reason[leg.leg_id],
            rising=leg.leg_id in wanted.rising,
        )
        if state.told.get(leg.leg_id) != letter:
            told[leg.leg_id] = letter
            if leg.side is Side.SELL and letter.entering and letter.entry_qty < leg.target_qty:
                effects.acted("S1")
            effects.tell(leg_name(leg.leg_id), letter)
    return replace(state, told={**state.told, **told}) if told else state


def _tell_stops(state: GroupState, wanted: Levels, held: Tally, moment: Moment, effects: Effects) -> GroupState:
    if not state.stop_levels and not any(wanted.stop.values()):
        return state
    for leg in state.group.legs:
        level = wanted.stop.get(leg.leg_id, 0)
        own = held.legs[leg.leg_id]
        closed = max(own.progress.close_filled, wanted.close.get(leg.leg_id, 0))  # what a stop gave up is among it
        exitable = max(0, own.acquired - closed - own.reversed_filled - own.gone + own.came)
        told = state.stop_levels.get(leg.leg_id)
        if (level, exitable) == told or (leg.leg_id not in state.stops and not level):
            continue
        name = stop_name(leg.leg_id)
        if leg.leg_id not in state.stops:
            record = stop_loss.open_record(leg, group_id=state.record.group_id, quantity=level, moment=moment)
            effects.tell(name, StartStop(leg=leg, record=record))
            state = replace(state, awaited=state.awaited | {name})
        effects.tell(name, ProtectPosition(level, exitable))
        state = replace(state, stop_levels={**state.stop_levels, leg.leg_id: (level, exitable)})
    return state


def _await_answers(before: GroupState, state: GroupState, effects: Effects) -> GroupState:
    """One look for the answers of all who have been told something; of one leg alone, its answer is enough.

    Of a stop-loss always: an exit that it has placed, and not told of yet, would be placed by its leg once more (R2).
    """
    legs = sum(state.told.get(leg_id) != before.told.get(leg_id) for leg_id in state.told)
    return state if legs < 2 and state.stop_levels == before.stop_levels else _awaiting(state, effects)


def _awaiting(state: GroupState, effects: Effects) -> GroupState:
    """Look when all who have been told something by now have answered."""
    if not state.settling:
        effects.tell(SELF, Settle(1))
    return replace(state, settling=True)


def _alert_halt(state: GroupState, held: Tally, moment: Moment, effects: Effects) -> None:
    effects.alert(
        moment,
        Severity.CRITICAL,
        "GROUP_HALTED",
        f"group {state.record.group_id} is halted: {state.record.reason}; held "
        + ", ".join(
            f"{leg.side.value} {held.held(leg.leg_id)} of {leg.target_qty} {leg.instrument.symbol} ({leg.leg_id})"
            for leg in state.group.legs
        ),
        group_id=state.record.group_id,
        quantity=held.uncovered,
        subject=str(moment.at_ns),
    )


def _settle(state: GroupState, held: Tally, effects: Effects) -> GroupState:
    settled = GroupSettled(state.record.group_id, state.record, held.uncovered, held.live)
    if settled == state.settled:
        return state
    effects.tell("parent", settled)
    return replace(state, settled=settled)
