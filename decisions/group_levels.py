"""The arithmetic of a group: what each leg holds, and the levels that follow from it.

``hedged`` and ``reversed`` are what hedges answer for: what they filled plus, while they work, what they still shall.
A leg is authorized for the target less that, so that leg and hedge together can never exceed it (I4, I5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from domain.coverage import covered, uncovered, used
from domain.execution import Side
from domain.groups import Group, Leg, Mode, Policy
from messages.group import HedgeProgressed, LegProgressed, StopProgressed
from messages.records import GroupRecord, HedgeStatus, PositionEventRecord


class LegTally(msgspec.Struct, frozen=True, kw_only=True):
    """One leg, summed over its own orders, its hedges and its stop-loss; in units."""

    progress: LegProgressed
    hedged_filled: int
    hedged: int  # hedges in the leg's direction: filled and still to be
    reversed_filled: int
    reversed: int  # hedges against the leg's direction: filled and still to be
    hedge_live: int
    stop_filled: int
    stop_live: int
    stop_committed: int
    gone: int  # units that went without an order of ours: assigned, exercised, expired, liquidated, traded by others
    guarded: bool  # a stop-loss exists
    unresolved: int
    cash: int  # an amount: received less paid

    @property
    def acquired(self) -> int:
        """Everything bought (long leg) or sold (short leg)."""
        return self.progress.entry_filled + self.hedged_filled

    @property
    def held(self) -> int:
        """The open position in the leg's direction; negative if more was closed than acquired."""
        return self.acquired - self.reversed_filled - self.progress.close_filled - self.stop_filled - self.gone

    @property
    def overclosed(self) -> int:
        """Closed beyond what was acquired, as when an entry is busted after its close; hedges at work count."""
        exits = self.reversed_filled + self.progress.close_filled + self.stop_filled + self.gone
        return max(0, exits - self.progress.entry_filled - self.hedged)

    @property
    def replacing(self) -> int:
        """Of what hedges answer for in the leg's direction: what replaces units that are gone."""
        return min(self.gone, self.hedged)

    @property
    def live(self) -> int:
        """What may still trade, stop-losses apart."""
        return self.progress.entry_live + self.progress.close_live + self.hedge_live


class Tally(msgspec.Struct, frozen=True):
    """All legs of a group, by leg id."""

    legs: Mapping[str, LegTally]

    @property
    def live(self) -> int:
        """What may still trade in the whole group, stop-losses apart."""
        return sum(leg.live for leg in self.legs.values())

    @property
    def stop_live(self) -> int:
        """What stop-losses may still trade."""
        return sum(leg.stop_live for leg in self.legs.values())

    @property
    def unresolved(self) -> int:
        """Orders of unknown fate."""
        return sum(leg.unresolved for leg in self.legs.values())

    def held(self, leg_id: str) -> int:
        """The open position of one leg."""
        return self.legs[leg_id].held

    def positions(self, legs: Iterable[Leg], side: Side) -> dict[str, int]:
        """Open positions of the legs on one side."""
        return {leg.leg_id: max(0, self.held(leg.leg_id)) for leg in legs if leg.side is side}

    def complete(self, group: Group) -> bool:
        """Whether every leg holds what the plan asks for; what went without an order need not have been replaced."""
        legs = ((leg.target_qty, self.legs[leg.leg_id]) for leg in group.legs)
        return all(target <= own.held + own.gone <= target + own.replacing for target, own in legs)

    def uncovered(self, group: Group) -> int:
        """Short units that nothing protects, beyond those that the plan allows to be naked."""
        bare = uncovered(group.legs, self.positions(group.legs, Side.BUY), self.positions(group.legs, Side.SELL))
        return max(0, sum(bare.values()) - naked_allowance(group))

    def missing(self, leg: Leg) -> int:
        """What the leg has given up and no hedge answers for yet.

        The leg's report was made under the level it then had, which may be older than the hedge: what the level has
        been lowered by since is what has been taken over.
        """
        own = self.legs[leg.leg_id]
        level = leg.target_qty - (own.hedged - own.replacing)
        return _left(own.progress.entry_abandoned, own.progress.entry_authorized, level)

    def lost(self, group: Group) -> dict[str, int]:
        """Protection that went without an order of ours, that shorts still need, and that no hedge answers for yet."""
        at_work = {key: own.hedged - own.hedged_filled for key, own in self.legs.items()}
        longs = {key: units + at_work[key] for key, units in self.positions(group.legs, Side.BUY).items()}
        bare = uncovered(group.legs, longs, self.positions(group.legs, Side.SELL))
        left, found = max(0, sum(bare.values()) - naked_allowance(group)), {}
        for leg in group.legs:
            own = self.legs[leg.leg_id]
            if leg.side is Side.BUY and left and own.gone > own.hedged:
                found[leg.leg_id] = min(own.gone - own.hedged, left)
                left -= found[leg.leg_id]
        return found

    def must_flatten(self, group: Group) -> bool:
        """Whether a shortfall asks for the group to be reversed: risk that did not fill, or the policy says so."""
        return self.first_short_leg(group) != ""

    def first_short_leg(self, group: Group) -> str:
        """The first leg whose shortfall turns the group to flattening; "" when there is none."""
        for leg in group.legs:
            risk = leg.side is Side.SELL
            given_up = self.legs[leg.leg_id].progress.entry_abandoned if risk else self.missing(leg)
            given_up += self.lost(group).get(leg.leg_id, 0)
            if given_up > 0 and (risk or group.policy is Policy.FLATTEN):
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


def naked_allowance(group: Group) -> int:
    """Short units that the whole plan leaves unprotected, if it may."""
    if not group.allow_naked:
        return 0
    targets = {leg.leg_id: leg.target_qty for leg in group.legs}
    return sum(uncovered(group.legs, targets, targets).values())


def tally(
    group: Group,
    legs: Mapping[str, LegProgressed],
    hedges: Mapping[str, HedgeProgressed],
    stops: Mapping[str, StopProgressed],
    moves: Iterable[PositionEventRecord] = (),
) -> Tally:
    """Sum the children's reports per leg, and what moved without them."""
    gone = {leg.leg_id: 0 for leg in group.legs}
    for move in moves:
        if move.leg_id in gone:
            gone[move.leg_id] -= group.leg(move.leg_id).side.sign * move.quantity
    return Tally(
        {
            leg.leg_id: _tally_leg(leg, legs[leg.leg_id], hedges, stops.get(leg.leg_id), max(0, gone[leg.leg_id]))
            for leg in group.legs
        }
    )


def _tally_leg(
    leg: Leg, progress: LegProgressed, hedges: Mapping[str, HedgeProgressed], stop: StopProgressed | None, gone: int
) -> LegTally:
    own = [h for h in hedges.values() if h.leg_id == leg.leg_id]
    along = [h for h in own if h.side is leg.side]
    against = [h for h in own if h.side is not leg.side]
    return LegTally(
        progress=progress,
        hedged_filled=sum(h.filled for h in along),
        hedged=sum(_answers_for(h) for h in along),
        reversed_filled=sum(h.filled for h in against),
        reversed=sum(_answers_for(h) for h in against),
        hedge_live=sum(h.live for h in own),
        stop_filled=stop.filled if stop else 0,
        stop_live=stop.live if stop else 0,
        stop_committed=stop.committed if stop else 0,
        gone=gone,
        guarded=stop is not None,
        unresolved=progress.unresolved + sum(h.unresolved for h in own) + (stop.unresolved if stop else 0),
        cash=progress.cash + sum(h.cash for h in own) + (stop.cash if stop else 0),
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
    exposed = held.uncovered(group) > 0
    allowed = _allowed_risk(group, held)
    entry, close, entering, stop, hedges, reason = {}, {}, {}, {}, {}, {}
    complete, lost = held.complete(group), held.lost(group)
    for leg in group.legs:
        key, own = leg.leg_id, held.legs[leg.leg_id]
        is_long = leg.side is Side.BUY
        entry[key] = leg.target_qty - (own.hedged - own.replacing) if is_long else allowed[key]
        entering[key] = not (is_long and exposed) and not record.quarantined
        close[key] = max(0, own.acquired - leg.target_qty - own.gone - own.reversed - own.stop_filled)
        if is_long and group.policy is Policy.COMPLETE:
            hedges[key, False] = held.missing(leg) + lost.get(key, 0)
        guarded = leg.stop_trigger > 0 and (complete or own.guarded)
        exits = own.progress.close_filled + own.reversed_filled + own.gone
        stop[key] = max(0, min(own.acquired - exits, leg.target_qty))
        stop[key] = stop[key] if guarded else 0
        exposure = "uncovered short exposure" if exposed else f"{key} fell short"
        reason[key] = exposure if hedges.get((key, False), 0) > 0 else f"plan {group.strategy}: {leg.role.value}"
    return Levels(entry, close, entering, stop, hedges, reason)


def _allowed_risk(group: Group, held: Tally) -> dict[str, int]:
    """How much of each short leg filled protection allows; a permitted naked rest goes last of all (S1)."""
    targets = {leg.leg_id: leg.target_qty for leg in group.legs}
    allowed = covered(group.legs, held.positions(group.legs, Side.BUY), targets)
    protected = covered(group.legs, targets, targets)
    before_naked = all(
        held.held(leg.leg_id) >= (leg.target_qty if leg.side is Side.BUY else protected[leg.leg_id])
        for leg in group.legs
    )
    return targets if group.allow_naked and before_naked else allowed


def _flattening(group: Group, record: GroupRecord, held: Tally) -> Levels:
    """Keep only the longs that remaining shorts, working entries included, still need."""
    remaining = {
        leg.leg_id: max(0, held.held(leg.leg_id)) + held.legs[leg.leg_id].progress.entry_live
        for leg in group.legs
        if leg.side is Side.SELL
    }
    return _closing(group, record, held, _still_needed(group, held.positions(group.legs, Side.BUY), remaining))


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
    longs, shorts = held.positions(group.legs, Side.BUY), held.positions(group.legs, Side.SELL)
    keep = {**longs, **covered(group.legs, longs, shorts)}
    return _closing(group, record, held, keep)


def _closing(group: Group, record: GroupRecord, held: Tally, keep: Mapping[str, int]) -> Levels:
    entry, close, hedges = {}, {}, {}
    for leg in group.legs:
        key, own = leg.leg_id, held.legs[leg.leg_id]
        entry[key] = 0
        exits = own.reversed + own.stop_filled + own.stop_committed + own.gone
        close[key] = max(own.progress.close_filled, own.acquired - exits - keep.get(key, 0))
        hedges[key, False] = own.overclosed
        if record.mode is Mode.FLATTENING:
            hedges[key, True] = _left(own.progress.close_abandoned, own.progress.close_authorized, close[key])
    names = [leg.leg_id for leg in group.legs]
    return Levels(
        entry, close, dict.fromkeys(names, False), dict.fromkeys(names, 0), hedges,
        dict.fromkeys(names, f"{record.mode.value}: {record.reason}"),
    )  # fmt: skip


_TABLE = {Mode.ENTERING: _entering, Mode.FLATTENING: _flattening, Mode.REDUCING: _reducing}
