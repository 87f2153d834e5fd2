"""The arithmetic of a group: what each leg holds, and the levels that follow from it.

``hedged`` and ``reversed`` are what hedges answer for: what they filled plus, while they work, what they still shall.
A leg is authorized for the target less that, so that leg and hedge together can never exceed it (I4, I5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from domain.coverage import covered, lacking, uncovered, used
from domain.execution import Side
from domain.groups import Group, Leg, Mode, Policy
from messages.group import HedgeProgressed, LegProgressed, StopProgressed
from messages.records import GroupRecord, HedgeStatus, PositionEventRecord


class LegTally(msgspec.Struct, frozen=True, kw_only=True):
    """One leg, summed over its own orders, its hedges and its stop-loss; in units."""

    progress: LegProgressed
    acquired: int  # everything bought (long leg) or sold (short leg)
    held: int  # the open position in the leg's direction; negative if more was closed than acquired
    live: int  # what may still trade, stop-losses apart
    hedged_filled: int
    hedged: int  # hedges in the leg's direction: filled and still to be
    reversed_filled: int
    reversed: int  # hedges against the leg's direction: filled and still to be
    stop_filled: int
    stop_live: int
    stop_committed: int
    gone: int  # units that went without an order of ours: assigned, exercised, expired, liquidated, traded by others
    came: int  # units that came so, to a leg of which more was closed than acquired; one of the two is 0
    guarded: bool  # a stop-loss exists
    unresolved: int
    cash: int  # an amount: received less paid

    @property
    def overclosed(self) -> int:
        """Closed beyond what was acquired, as when an entry is busted after its close; hedges at work count."""
        return max(0, self._exits - self.progress.entry_filled - self.hedged)

    @property
    def overclosed_so_far(self) -> int:
        """The same without what hedges at work have yet to fill."""
        return max(0, self._exits - self.acquired)

    @property
    def _exits(self) -> int:
        return self.reversed_filled + self.progress.close_filled + self.stop_filled + self.gone - self.came

    @property
    def leaving(self) -> int:
        """What has left the position and what is to leave it by orders that are out, or by hedges at work."""
        closing = self.progress.close_filled + self.progress.close_live
        stopping = self.stop_filled + max(self.stop_live, self.stop_committed)
        return closing + self.reversed + stopping + self.gone - self.came

    @property
    def resold(self) -> int:
        """What was too much and was closed again: it may be obtained once more, where a bust took what was left."""
        return self.progress.close_filled + self.reversed_filled

    @property
    def replacing(self) -> int:
        """Of what hedges answer for in the leg's direction: what replaces units that are gone."""
        return min(self.gone, self.hedged)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """All legs of a group, by leg id, and what every decision of a look reads, worked out once."""

    legs: Mapping[str, LegTally]
    longs: Mapping[str, int]  # open positions of the long legs, never negative
    shorts: Mapping[str, int]
    bare: Mapping[str, int]  # short units by leg that nothing protects, those apart that the plan itself leaves naked
    uncovered: int  # all of them
    lost: Mapping[str, int]  # protection that went without an order of ours, and that no hedge answers for yet
    complete: bool  # every leg holds what the plan asks for; what went without an order need not have been replaced
    live: int  # what may still trade in the whole group, stop-losses apart
    unresolved: int  # orders of unknown fate

    @property
    def stop_live(self) -> int:
        """What stop-losses may still trade."""
        return sum(leg.stop_live for leg in self.legs.values())

    def held(self, leg_id: str) -> int:
        """The open position of one leg."""
        return self.legs[leg_id].held

    def overdrawn(self) -> str:
        """The first leg of which more went without an order than it ever had, as when the entry is busted later."""
        return next((key for key, own in self.legs.items() if own.gone and own.overclosed), "")

    def missing(self, leg: Leg) -> int:
        """What the leg has given up and no hedge answers for yet.

        The leg's report was made under the level it then had, which may be older than the hedge: what the level has
        been lowered by since is what has been taken over.
        """
        own = self.legs[leg.leg_id]
        level = leg.target_qty + own.resold - (own.hedged - own.replacing)
        return _left(own.progress.entry_abandoned, own.progress.entry_authorized, level)

    def must_flatten(self, group: Group) -> bool:
        """Whether a shortfall asks for the group to be reversed: risk that did not fill, or the policy says so."""
        return self.first_short_leg(group) != ""

    def first_short_leg(self, group: Group) -> str:
        """The first leg whose shortfall turns the group to flattening; "" when there is none."""
        for leg in group.legs:
            risk = leg.side is Side.SELL
            if not risk and group.policy is not Policy.FLATTEN:
                continue
            given_up = self.legs[leg.leg_id].progress.entry_abandoned if risk else self.missing(leg)
            if given_up + self.lost.get(leg.leg_id, 0) > 0:
                return leg.leg_id
        return ""


class Levels(msgspec.Struct, frozen=True):
    """What every child shall do, by leg id; ``hedge`` by leg id and whether it reverses the leg."""

    entry: Mapping[str, int]
    close: Mapping[str, int]
    entering: Mapping[str, bool]
    stop: Mapping[str, int]
    hedge: Mapping[tuple[str, bool], int]
    reason: Mapping[str, str]
    rising: frozenset[str] = frozenset()  # legs whose level to close may yet rise


def tally(
    group: Group,
    legs: Mapping[str, LegProgressed],
    hedges: Mapping[str, HedgeProgressed],
    stops: Mapping[str, StopProgressed],
    moves: Iterable[PositionEventRecord] = (),
) -> Tally:
    """Sum the children's reports per leg, and what moved without them."""
    gone: dict[str, int] = {}
    for move in moves:
        if move.leg_id:
            gone[move.leg_id] = gone.get(move.leg_id, 0) - group.leg(move.leg_id).side.sign * move.quantity
    found: dict[str, LegTally] = {}
    longs: dict[str, int] = {}
    shorts: dict[str, int] = {}
    complete, live, unresolved = True, 0, 0
    for leg in group.legs:
        key = leg.leg_id
        own = _tally_leg(leg, legs[key], hedges, stops.get(key), gone.get(key, 0))
        found[key] = own
        (longs if leg.side is Side.BUY else shorts)[key] = max(0, own.held)
        complete = complete and own.held <= leg.target_qty <= own.held + own.gone
        live += own.live
        unresolved += own.unresolved
    bare = _bare(group, longs, shorts)
    return Tally(
        legs=found, longs=longs, shorts=shorts, bare=bare, uncovered=sum(bare.values()), complete=complete,
        live=live, unresolved=unresolved, lost=_lost(group, found, longs, shorts) if gone else {},
    )  # fmt: skip


def _bare(group: Group, longs: Mapping[str, int], shorts: Mapping[str, int]) -> dict[str, int]:
    """For each short leg, the units that nothing protects and that the plan does not leave naked."""
    if not group.allow_naked:
        return uncovered(group.legs, longs, shorts)
    return lacking(group.legs, {**longs, **shorts}, {leg.leg_id: leg.target_qty for leg in group.legs})


def _lost(
    group: Group, found: Mapping[str, LegTally], longs: Mapping[str, int], shorts: Mapping[str, int]
) -> dict[str, int]:
    """Protection that went without an order of ours, that shorts still need, and that no hedge answers for yet."""
    at_work = {key: units + found[key].hedged - found[key].hedged_filled for key, units in longs.items()}
    short_of = {key: found[key].gone - found[key].hedged for key in longs}
    again = used(group.legs, short_of, _bare(group, at_work, shorts))
    return {key: units for key, units in again.items() if units}


def _tally_leg(
    leg: Leg, progress: LegProgressed, hedges: Mapping[str, HedgeProgressed], stop: StopProgressed | None, went: int
) -> LegTally:
    hedged_filled = hedged = reversed_filled = reversing = hedge_live = 0
    unresolved, cash = progress.unresolved, progress.cash
    for hedge in hedges.values():
        if hedge.leg_id != leg.leg_id:
            continue
        hedge_live += hedge.live
        unresolved += hedge.unresolved
        cash += hedge.cash
        if hedge.side is leg.side:
            hedged_filled += hedge.filled
            hedged += _answers_for(hedge)
        else:
            reversed_filled += hedge.filled
            reversing += _answers_for(hedge)
    if stop is not None:
        unresolved += stop.unresolved
        cash += stop.cash
    stop_filled = stop.filled if stop is not None else 0
    acquired = progress.entry_filled + hedged_filled
    return LegTally(
        progress=progress,
        acquired=acquired,
        held=acquired - reversed_filled - progress.close_filled - stop_filled - went,
        live=progress.entry_live + progress.close_live + hedge_live,
        hedged_filled=hedged_filled,
        hedged=hedged,
        reversed_filled=reversed_filled,
        reversed=reversing,
        stop_filled=stop_filled,
        stop_live=stop.live if stop is not None else 0,
        stop_committed=stop.committed if stop is not None else 0,
        gone=max(0, went),
        came=max(0, -went),
        guarded=stop is not None,
        unresolved=unresolved,
        cash=cash,
    )


def _answers_for(progress: HedgeProgressed) -> int:
    if progress.status in (HedgeStatus.WORKING, HedgeStatus.ESCALATED):  # what was escalated is a person's now
        return max(progress.needed_qty, progress.filled + progress.live)
    return progress.filled + progress.live


def _left(abandoned: int, reported_level: int, level: int) -> int:
    return max(0, abandoned - max(0, reported_level - level))


def levels(group: Group, record: GroupRecord, held: Tally) -> Levels:
    """The levels that follow from the group's mode and from what it holds."""
    return _TABLE[record.mode](group, record, held)


def _entering(group: Group, record: GroupRecord, held: Tally) -> Levels:
    exposed = held.uncovered > 0
    allowed = _allowed_risk(group, held)
    entry, close, entering, stop, hedges, reason = {}, {}, {}, {}, {}, {}
    complete, lost = held.complete, held.lost
    for leg in group.legs:
        key, own = leg.leg_id, held.legs[leg.leg_id]
        is_long = leg.side is Side.BUY
        entry[key] = own.resold + (leg.target_qty - (own.hedged - own.replacing) if is_long else allowed[key])
        entering[key] = not (is_long and exposed) and not record.quarantined
        close[key] = max(0, own.acquired + own.came - leg.target_qty - own.gone - own.reversed - own.stop_filled)
        if is_long and group.policy is Policy.COMPLETE:
            hedges[key, False] = held.missing(leg) + lost.get(key, 0)
        stop[key] = 0
        if leg.stop_trigger > 0 and (complete or own.guarded):
            exits = own.progress.close_filled + own.reversed_filled + own.gone - own.came
            stop[key] = max(0, min(own.acquired - exits, leg.target_qty))
        if is_long and hedges.get((key, False), 0) > 0:
            reason[key] = "uncovered short exposure" if exposed else f"{key} fell short"
        else:
            reason[key] = f"plan {group.strategy}: {leg.role._value_}"
    return Levels(entry, close, entering, stop, hedges, reason)


def _allowed_risk(group: Group, held: Tally) -> dict[str, int]:
    """How much of each short leg filled protection allows; a permitted naked rest goes last of all (S1)."""
    targets = {leg.leg_id: leg.target_qty for leg in group.legs}
    if group.allow_naked:
        protected = covered(group.legs, targets, targets)
        before_naked = (protected.get(leg.leg_id, leg.target_qty) <= held.held(leg.leg_id) for leg in group.legs)
        if all(before_naked):
            return targets
    return covered(group.legs, held.longs, targets)


def _flattening(group: Group, record: GroupRecord, held: Tally) -> Levels:
    """Keep only the longs that remaining shorts, working entries included, still need."""
    remaining = {
        leg.leg_id: max(0, held.held(leg.leg_id)) + held.legs[leg.leg_id].progress.entry_live
        for leg in group.legs
        if leg.side is Side.SELL
    }
    return _closing(group, record, held, _still_needed(group, held.longs, remaining))


def _still_needed(group: Group, longs: Mapping[str, int], remaining: Mapping[str, int]) -> dict[str, int]:
    """The longs to keep while these shorts remain, so that closing never ties up more margin (R22).

    A pair of one long and one short is released in step.  Where longs of an underlying could stand for each other, as
    in a butterfly, selling the better one first would widen the loss at expiry: there, all of them stay to the last.
    """
    keep = used(group.legs, longs, remaining)
    exposed = {leg.instrument.underlying for leg in group.legs if remaining.get(leg.leg_id, 0)}
    intricate = {leg.instrument.underlying for leg in group.legs if not _paired(group, leg)} & exposed
    return {
        leg_id: longs[leg_id] if group.leg(leg_id).instrument.underlying in intricate else keep[leg_id]
        for leg_id in keep
    }


def _paired(group: Group, leg: Leg) -> bool:
    """Whether the leg's family (underlying, right, multiplier) is one long and one short of a size, or of one side."""
    family = [
        other
        for other in group.legs
        if (other.instrument.underlying, other.instrument.right, other.instrument.multiplier)
        == (leg.instrument.underlying, leg.instrument.right, leg.instrument.multiplier)
    ]
    return len({other.side for other in family}) == 1 or (
        len(family) == 2 and family[0].target_qty == family[1].target_qty
    )


def _reducing(group: Group, record: GroupRecord, held: Tally) -> Levels:
    """Keep every long, and the shorts that they cover."""
    keep = {**held.longs, **covered(group.legs, held.longs, held.shorts)}
    return _closing(group, record, held, keep)


def _closing(group: Group, record: GroupRecord, held: Tally, keep: Mapping[str, int]) -> Levels:
    entry, close, hedges = {}, {}, {}
    for leg in group.legs:
        key, own = leg.leg_id, held.legs[leg.leg_id]
        entry[key] = 0
        exits = own.reversed + own.stop_filled + own.stop_committed + own.gone - own.came
        close[key] = max(own.progress.close_filled, own.acquired - exits - keep.get(key, 0))
        hedges[key, False] = own.overclosed
        if record.mode is Mode.FLATTENING:
            hedges[key, True] = _left(own.progress.close_abandoned, own.progress.close_authorized, close[key])
    names = [leg.leg_id for leg in group.legs]
    return Levels(
        entry, close, dict.fromkeys(names, False), dict.fromkeys(names, 0), hedges,
        dict.fromkeys(names, f"{record.mode.value}: {record.reason}"),
        frozenset(name for name in names if _rises(record, held.legs[name], keep.get(name, 0))),
    )  # fmt: skip


def _rises(record: GroupRecord, own: LegTally, kept: int) -> bool:
    """Whether there may soon be more to close: of what is kept for shorts that are being closed, or by a late fill."""
    return (record.mode is Mode.FLATTENING and kept > 0) or own.live > own.progress.close_live


_TABLE = {Mode.ENTERING: _entering, Mode.FLATTENING: _flattening, Mode.REDUCING: _reducing}
