"""Where a group is among its eleven states (S1), and whether it has ended.

The state is the furthest that the group has come: with proportional release risk may be partly filled while protection
still is, and the later state is the one that is shown.  It never moves back (S8); an ended group that a bust or a late
fill opens again keeps its state and loses its outcome until it is certified anew.
"""

from __future__ import annotations

from decisions.groups.group_levels import Levels, Tally
from domain.execution import Side
from domain.groups import Group, GroupOutcome, GroupStatus, Mode
from messages.records import GroupRecord

ORDER = (
    GroupStatus.CREATED,
    GroupStatus.VALIDATED,
    GroupStatus.HEDGE_SUBMITTED,
    GroupStatus.HEDGE_PARTIAL,
    GroupStatus.HEDGE_FILLED,
    GroupStatus.RISK_SUBMITTED,
    GroupStatus.RISK_PARTIAL,
    GroupStatus.RISK_FILLED,
    GroupStatus.HEDGED,
    GroupStatus.COMPLETED,
    GroupStatus.FAILED,
)
RANK = {status: rank for rank, status in enumerate(ORDER)}

# ranks of (submitted, partly filled, filled) per side of the plan
_STAGES = (
    (Side.BUY, (RANK[GroupStatus.HEDGE_SUBMITTED], RANK[GroupStatus.HEDGE_PARTIAL], RANK[GroupStatus.HEDGE_FILLED])),
    (Side.SELL, (RANK[GroupStatus.RISK_SUBMITTED], RANK[GroupStatus.RISK_PARTIAL], RANK[GroupStatus.RISK_FILLED])),
)


def advance(status: GroupStatus, group: Group, held: Tally) -> GroupStatus:
    """The later of ``status`` and what the fills show."""
    reached = RANK[status]
    for side, (submitted, partial, filled) in _STAGES:
        some, whole, live, legs = False, True, False, False
        for leg in group.legs:
            if leg.side is side:
                own, legs = held.legs[leg.leg_id], True
                live = live or own.live > 0
                some = some or own.acquired > 0
                whole = whole and own.acquired >= leg.target_qty
        if legs and whole:
            reached = max(reached, filled)
        elif some:
            reached = max(reached, partial)
        elif live:
            reached = max(reached, submitted)
    return ORDER[reached]


def outcome_of(record: GroupRecord, group: Group, held: Tally, wanted: Levels, *, hedging: bool) -> GroupOutcome:
    """How the group ended; OPEN while anything is live, unresolved, or still to be done (R4, R13, R16)."""
    if held.live or held.unresolved or hedging:
        return GroupOutcome.OPEN
    positions = [held.held(leg.leg_id) for leg in group.legs]
    if record.mode is Mode.ENTERING:
        if not held.complete:
            return GroupOutcome.OPEN
        return GroupOutcome.HEDGED if any(positions) else GroupOutcome.FLAT  # all of it expired, or was exercised
    if held.stop_live:
        return GroupOutcome.OPEN
    if not any(positions):
        return GroupOutcome.FLAT
    closed = all(
        progress.close_authorized == wanted.close[leg_id]
        and progress.close_filled + progress.close_abandoned >= wanted.close[leg_id]
        for leg_id, progress in ((leg_id, leg.progress) for leg_id, leg in held.legs.items())
    )
    return GroupOutcome.HALTED if record.mode is Mode.REDUCING and closed else GroupOutcome.OPEN
