"""The conversation inside one group's tree: the group tells its children levels, never steps.

A *level* says how much there should be, not what to do next; saying it twice changes nothing, and a lost one is made
good by the next.  Progress reports are levels too.
"""

from __future__ import annotations

import msgspec

from domain.execution import Side
from domain.groups import Group, Leg
from messages.orders import News
from messages.records import (
    EscalationRecord,
    ExecutionStateRecord,
    ExposureRecord,
    GroupRecord,
    GroupStopRecord,
    HedgeRecord,
    HedgeStatus,
    IntentRecord,
    PositionEventRecord,
    StopRecord,
    StopStatus,
)


class OpenGroup(msgspec.Struct, frozen=True, tag=True):
    """Begin to work a new group (Desk to OrderGroup)."""

    group: Group


class RestoreGroup(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Carry on with a group that the journal knows (Desk to OrderGroup); the children are restored from it too."""

    record: GroupRecord
    intents: tuple[IntentRecord, ...]
    execution_states: tuple[ExecutionStateRecord, ...]
    hedges: tuple[HedgeRecord, ...]
    stops: tuple[StopRecord, ...]
    exposures: tuple[ExposureRecord, ...] = ()
    group_stops: tuple[GroupStopRecord, ...] = ()
    position_events: tuple[PositionEventRecord, ...] = ()


class Review(msgspec.Struct, frozen=True, tag=True):
    """Look again: a deadline is due, a quote is fresh, or a gate has opened (Desk to OrderGroup, and on down)."""


class Bulletin(msgspec.Struct, frozen=True, tag=True):
    """What is new of a group's orders, in the order in which it came (Desk to OrderGroup, and on down).

    All of it is joined before anybody looks: levels are worked out once, however much there is to tell.
    ``hold``: others hear of theirs meanwhile; what is missing is placed after the look, not at the level of before.
    """

    news: tuple[News, ...]
    hold: bool = False


class Settle(msgspec.Struct, frozen=True, tag=True):
    """Look when the children have answered what several of them were told at once (OrderGroup to itself).

    Mailboxes are first in, first out: a letter that goes round once more comes after what the children answer.
    """

    rounds: int


class CloseGroup(msgspec.Struct, frozen=True, tag=True):
    """Stop entering and end: flat when ``flatten``, else with what is covered kept and the rest closed.

    ``by_person``: what a person was called for is the group's again, because he says so.
    """

    reason: str
    flatten: bool
    by_person: bool = False


class StartLeg(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What a Leg actor is for, and the orders that it already has."""

    group_id: str
    leg: Leg
    intents: tuple[IntentRecord, ...] = ()
    execution_states: tuple[ExecutionStateRecord, ...] = ()


class WorkLeg(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The levels of one leg: how much may be entered and how much shall be closed, both cumulative."""

    entry_qty: int
    close_qty: int
    entering: bool  # False: cancel what works, place nothing more, and give up the rest
    reason: str  # why, for the audit trail
    rising: bool = False  # there may be more to close soon: less than a lot waits for it


class LegProgressed(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Where a leg is.  *Live* counts everything that may still fill, unknown fates included."""

    leg_id: str
    entry_authorized: int  # the levels that this report was made under
    close_authorized: int
    entry_filled: int
    entry_live: int
    entry_abandoned: int
    close_filled: int
    close_live: int
    close_abandoned: int
    unresolved: int
    cash: int = 0  # an amount: received for what was sold less paid for what was bought
    refusal: str = ""  # what the last entry order was refused for, while nothing works
    waits: bool = False  # it would place something, and holds it until the group has looked


class StartHedge(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What a Hedge actor is for.  ``chain`` holds its own record first, then those of its descendants."""

    leg: Leg
    record: HedgeRecord
    chain: tuple[HedgeRecord, ...] = ()
    intents: tuple[IntentRecord, ...] = ()
    execution_states: tuple[ExecutionStateRecord, ...] = ()


class Cover(msgspec.Struct, frozen=True, tag=True):
    """The level of a hedge: how much it and its descendants shall obtain, cumulative.

    ``eased``: what is in the market beyond the level may finish there; else it is canceled.
    """

    needed_qty: int
    eased: bool = False


class HedgeProgressed(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Where a hedge and its descendants are, summed."""

    hedge_id: str
    leg_id: str
    side: Side
    needed_qty: int
    filled: int
    live: int
    unresolved: int
    status: HedgeStatus  # WORKING while any level works
    level: int  # the deepest level reached
    cash: int = 0  # as of a leg
    eased: int | None = None  # its level, where that is less than ``needed_qty``, which what works keeps up
    waits: bool = False  # it has done nothing about its news yet: the group looks first


class StartStop(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What a StopLoss actor is for."""

    leg: Leg
    record: StopRecord
    intents: tuple[IntentRecord, ...] = ()
    execution_states: tuple[ExecutionStateRecord, ...] = ()


class ProtectPosition(msgspec.Struct, frozen=True, tag=True):
    """The level of a stop-loss: the quantity that it shall protect; 0 disarms it.

    ``exitable`` caps an exit that is under way: all units that there ever were to exit, its own fills included, but for
    those that the leg closes itself.
    """

    quantity: int
    exitable: int


class StopProgressed(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Where a stop-loss is."""

    leg_id: str
    filled: int
    live: int
    committed: int  # units that it will exit by itself: nobody else may close them meanwhile (R12)
    unresolved: int
    status: StopStatus
    cash: int = 0  # as of a leg


class GroupCrashed(msgspec.Struct, frozen=True, tag=True):
    """An actor of this group raised; its part of the step is void (shell to Desk)."""

    group_id: str
    incarnation: int
    actor: str
    error: str


class GroupSettled(msgspec.Struct, frozen=True, tag=True):
    """How a group stands after it has looked at itself (OrderGroup to Desk)."""

    group_id: str
    record: GroupRecord
    uncovered_qty: int
    live_qty: int


class AlertRaised(msgspec.Struct, frozen=True, tag=True):
    """An alert leaves the turn (cell to Notifier)."""

    alert: EscalationRecord
