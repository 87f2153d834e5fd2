"""What of a group's shortfalls is hedged, by whom, and when (S7, S11)."""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import chain

from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment
from decisions.gateway.session import Waiting, tell_waiting
from decisions.groups import hedge
from decisions.groups.group_levels import Levels, Tally
from decisions.groups.group_routes import hedge_name
from decisions.groups.group_state import GroupState, recorded
from domain.groups import Mode
from messages.group import Cover, HedgeProgressed, StartHedge
from messages.records import HedgeStatus


def is_hedging(state: GroupState) -> bool:
    """Whether a hedge is at work."""
    return any(progress.status is HedgeStatus.WORKING for progress in state.hedges.values())


def escalated(state: GroupState) -> Iterator[HedgeProgressed]:
    """The hedges that a person was called for, and that still owe something."""
    for progress in state.hedges.values():
        if progress.status is HedgeStatus.ESCALATED and progress.needed_qty > progress.filled + progress.live:
            yield progress


def take_back_escalated(state: GroupState, effects: Effects) -> bool:
    """What these owe is theirs no longer, so that a group that closes sees to it anew; whether there is any."""
    found = list(escalated(state))
    for progress in found:
        effects.tell(hedge_name(progress.hedge_id), Cover(progress.filled + progress.live))
    return bool(found)


def hedge_shortfalls(state: GroupState, wanted: Levels, held: Tally, moment: Moment, effects: Effects) -> GroupState:
    """Open or raise hedges: one in flight per leg and direction, one decision per symbol and window (R9, S7).

    A decision that comes too early is not dropped: the group is woken at the end of the window and looks again.
    A hedge at work is raised, at whichever level it works: what is found to be missing then does not stand bare until
    that level has ended.  Not at the last one, which would call a person for want of time: what is new begins anew.
    """
    _lower(state, held, moment, effects)  # a level: whether anything may leave is no matter
    if not moment.may_send:
        return state
    for (leg_id, closing), missing in wanted.hedge.items():
        leg = state.group.leg(leg_id)
        if missing <= 0 or moment.expired(leg.instrument):
            continue
        side = leg.side.opposite if closing else leg.side
        working = [
            progress
            for progress in state.hedges.values()
            if progress.leg_id == leg_id and progress.side is side and progress.status is HedgeStatus.WORKING
        ]
        due = state.opened_ns.get(leg.instrument.symbol, -(10**18)) + moment.config.hedge.window_ms * MS
        if moment.waits:
            wanted_by = Waiting(state.record.group_id, leg_id, side.value, missing, leg.instrument.symbol)
            tell_waiting(wanted_by, moment, effects)
        elif moment.at_ns < due:
            effects.acted("S7")
            effects.wake(due)
        elif working and working[0].level < max(2, moment.config.hedge.depth):
            effects.tell(hedge_name(working[0].hedge_id), Cover(working[0].needed_qty + missing))
            state = replace(state, opened_ns={**state.opened_ns, leg.instrument.symbol: moment.at_ns})
        elif not working:
            state = _open_hedge(state, leg_id, closing, missing, wanted.reason[leg_id], moment, effects)
    return state


def _lower(state: GroupState, held: Tally, moment: Moment, effects: Effects) -> None:
    """Take off working hedges what they need not obtain any more: each is told one level, the lowest of all reasons.

    Told two, it would be raised to the second, and the first be told again at its report.  In a contract that has
    expired there is one reason.
    """
    if not state.hedges:
        return
    expired = {leg.leg_id for leg in state.group.legs if moment.expired(leg.instrument)}
    levels = dict(_expired(state, expired))
    reasons = [_beyond_what_is_left(state, held)]
    if state.record.mode is Mode.FLATTENING and held.uncovered == 0:
        reasons.append(_no_longer_wanted(state, held))
    if state.record.mode in (Mode.ENTERING, Mode.REDUCING):
        reasons.append(_obtained_after_all(state, held))
    for hedge_id, cover in chain.from_iterable(reasons):
        lowest = hedge_id not in levels or cover.needed_qty < levels[hedge_id].needed_qty
        if lowest and state.hedges[hedge_id].leg_id not in expired:
            levels[hedge_id] = cover
    for hedge_id, cover in levels.items():
        effects.tell(hedge_name(hedge_id), cover)


def _obtained_after_all(state: GroupState, held: Tally) -> Iterator[tuple[str, Cover]]:
    """What the leg has filled after all (I4, I5): a fill that comes late, behind its cancel.

    What is in the market may finish there: to cancel a working hedge for a few units too many would leave the rest
    bare, and what a long leg then holds too much is closed.  But nothing takes its place, and it is not sent again.
    """
    for leg in state.group.legs:
        own = held.legs[leg.leg_id]
        obtained = own.progress.entry_filled + own.progress.entry_live + own.hedged - own.replacing
        over = obtained - leg.target_qty - own.resold
        for hedge_id, progress in state.hedges.items():
            same = progress.leg_id == leg.leg_id and progress.side is leg.side
            if not same or progress.status is not HedgeStatus.WORKING:
                continue
            answers_for = max(progress.needed_qty, progress.filled + progress.live)
            level = max(progress.filled, answers_for - max(0, over))
            over -= answers_for - level
            if level != hedge.level_of(progress):
                yield hedge_id, Cover(level, eased=True)


def _expired(state: GroupState, expired: Container[str]) -> Iterator[tuple[str, Cover]]:
    """All that hedges have yet to obtain of contracts that have expired: the broker's word settles these."""
    for hedge_id, progress in state.hedges.items():
        level = progress.filled + progress.live
        working = progress.status is HedgeStatus.WORKING and level < progress.needed_qty
        if working and progress.leg_id in expired:
            yield hedge_id, Cover(level)


def _beyond_what_is_left(state: GroupState, held: Tally) -> Iterator[tuple[str, Cover]]:
    """Of hedges that reverse a leg, what it has closed after all (R12): they would turn its position round."""
    for leg in state.group.legs:
        over = held.legs[leg.leg_id].leaving - held.legs[leg.leg_id].acquired
        for hedge_id, progress in state.hedges.items():
            against = progress.leg_id == leg.leg_id and progress.side is not leg.side
            if over <= 0 or not against or progress.status is not HedgeStatus.WORKING:
                continue
            answers_for = max(progress.needed_qty, progress.filled + progress.live)
            level = max(progress.filled, answers_for - over)
            over -= answers_for - level
            if level < progress.needed_qty:
                yield hedge_id, Cover(level)


def _no_longer_wanted(state: GroupState, held: Tally) -> Iterator[tuple[str, Cover]]:
    """The hedges of a group that closes and protects its shorts: what they bought would only be sold again.

    What was closed beyond what was acquired, as when an entry is busted after its close, is still to be obtained.
    """
    for leg in state.group.legs:
        left = held.legs[leg.leg_id].overclosed_so_far
        for hedge_id, progress in state.hedges.items():
            same = progress.leg_id == leg.leg_id and progress.side is leg.side
            if not same or progress.status is not HedgeStatus.WORKING:
                continue
            level = min(progress.needed_qty, progress.filled + left)
            left -= level - progress.filled if level > progress.filled else 0
            if level < progress.needed_qty:
                yield hedge_id, Cover(level)


def _open_hedge(
    state: GroupState, leg_id: str, closing: bool, missing: int, trigger: str, moment: Moment, effects: Effects
) -> GroupState:
    leg = state.group.leg(leg_id)
    record = hedge.open_record(
        leg,
        group_id=state.record.group_id,
        ordinal=state.rounds * hedge.ROUND + 1,
        level=1,
        parent_hedge_id="",
        needed_qty=missing,
        closing=closing,
        trigger=trigger or "shortfall",
        moment=moment,
    )
    name = hedge_name(record.hedge_id)
    effects.records.append(record)
    effects.tell(name, StartHedge(leg=leg, record=record))
    effects.acted("S11")
    state = recorded(state, moment, effects, hedges_placed=state.record.hedges_placed + 1)
    return replace(
        state,
        rounds=state.rounds + 1,
        awaited=state.awaited | {name},
        opened_ns={**state.opened_ns, leg.instrument.symbol: moment.at_ns},
    )
