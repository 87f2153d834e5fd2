"""Who enters a strategy's next vertical, live or paper: one of them, whatever dies and whatever the share becomes.

A strategy lives in both realms, and one of them *leads*: only it enters.  Who leads follows from a *term*, a number in
the strategy's record in either realm's journal: even is live, odd is paper, and the higher of the two is in force.  The
leader, while it is flat, looks at the id of the next group.  The share says where that id goes; goes it to the other
realm, the leader writes down the next term, and from that commit on does not lead any more.  The other realm reads the
record (level, not step: as often as it likes), writes the term into its own with what the next entry needs to know, and
leads.  In between nobody leads, and nothing but the death of the other realm makes that long; two cannot, because a
term is only ever raised by who leads in it.

What is open is not touched by any of this: its realm keeps the lead until it is flat again, and so closes it.
"""

from __future__ import annotations

from config.realms import strategy_cells
from decisions.effects import Effects, Moment
from decisions.strategies.strategy_state import StrategyState, recorded, waits
from domain.rollout import OTHER, leader, realm_for
from domain.strategies import StrategyStatus, strategy_group_id
from messages.strategy import Beside
from messages.strategy_records import StrategyRecord


def next_group_id(record: StrategyRecord, moment: Moment) -> str:
    """The id of the group that the strategy enters next, in whichever realm."""
    return strategy_group_id(record.name, record.number + 1, strategy_cells(moment.config))


def goes_elsewhere(group_id: str, beside: Beside | None, moment: Moment) -> str:
    """Why a group that was decided here is not entered here at the share of now; "" when it is."""
    if beside is None or beside.problem or realm_for(group_id, beside.share) is moment.realm:
        return ""
    return f"at a share of {beside.share} % {group_id} goes {_WHERE[OTHER[moment.realm].value]}"


def lead(state: StrategyState, beside: Beside | None, moment: Moment, effects: Effects) -> tuple[StrategyState, bool]:
    """Whether a flat strategy may enter here now, after it has taken the lead or let go of it where that is due."""
    if beside is None:
        return state, True
    here, there, alone = moment.realm, OTHER[moment.realm], moment.config.rollout.mode != "rollout"
    if beside.problem and not alone:
        return waits(state, moment, effects, f"waits: {beside.problem}"), False
    if beside.other is not None:
        state = _caught_up(state, beside.other, moment, effects)
    if alone and leader(state.record.term) is not here:  # the other realm does not run, and will read this first
        state = recorded(state, moment, effects, term=state.record.term + 1)
    record = state.record
    if leader(record.term) is not here:
        return waits(state, moment, effects, f"its next group is entered {_WHERE[there.value]}"), False
    if alone:
        return state, True
    if beside.other is not None and beside.other.status is not StrategyStatus.FLAT:
        why = f"waits: {beside.other.group_id} is open {_WHERE[there.value]}"
        return waits(state, moment, effects, why), False
    elsewhere = goes_elsewhere(next_group_id(record, moment), beside, moment)
    if elsewhere:
        return recorded(state, moment, effects, term=record.term + 1, reason=elsewhere), False
    return state, True


def _caught_up(state: StrategyState, other: StrategyRecord, moment: Moment, effects: Effects) -> StrategyState:
    """No number is used twice; whoever is handed the lead goes on with the other's roll and count of failures."""
    known = state.record
    state = recorded(state, moment, effects, number=max(known.number, other.number))
    if other.term <= known.term:
        return state
    state = recorded(state, moment, effects, term=other.term)
    if leader(other.term) is not moment.realm:
        return state
    return recorded(
        state, moment, effects, adjustments=other.adjustments, rolled_from=other.rolled_from,
        beyond_strike=other.beyond_strike, tries=other.tries,
    )  # fmt: skip


_WHERE = {"live": "live", "paper": "on paper"}
