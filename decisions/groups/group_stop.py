"""The stop-loss of a whole group: how much it has lost, and whether that is enough (S2).

What the group has lost is what it paid less what it received, in all its fills, less what closing its open legs would
bring now, each valued at the mid or at the mark.  One leg without a quote to judge by makes the whole group blind: then
nothing triggers, and a person is told when that lasts.
"""

from __future__ import annotations

from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment
from decisions.groups.group_levels import Tally
from decisions.groups.stop_trigger import LOOK_AGAIN_NS, judged_price
from domain.groups import Group, GroupOutcome, Mode
from domain.money import to_decimal
from messages.records import GroupRecord, GroupStopRecord, Severity, StopStatus

OVER = frozenset({StopStatus.DONE, StopStatus.RELEASED})


def loss(group: Group, held: Tally, moment: Moment) -> int | None:
    """What the group has lost as of now, an amount (a profit is negative); ``None`` when a leg cannot be valued."""
    worth = 0
    for leg in group.legs:
        own = held.legs[leg.leg_id]
        worth += own.cash
        if own.held:
            side = leg.side.opposite if own.held > 0 else leg.side
            price = judged_price(moment.quote(leg.instrument.symbol), group.judged_on, side, moment)
            if price is None:
                return None
            worth += leg.side.sign * own.held * price * leg.instrument.multiplier
    return -worth


def watch(
    stop: GroupStopRecord | None, record: GroupRecord, held: Tally, moment: Moment, effects: Effects, *, moved: bool
) -> GroupStopRecord | None:
    """The group's stop after a look; it has triggered when its status says so.

    ``moved``: positions changed without an order of ours (an assignment), and what that cost is not known here: blind.
    """
    group = record.group
    if not group.max_loss or (stop is None and not any(held.legs[leg.leg_id].acquired for leg in group.legs)):
        return stop
    before, stop = stop, stop or _armed(group, moment)
    if stop.status is StopStatus.ARMED and record.mode is Mode.ENTERING and moment.may_send:
        stop = _judge(stop, group, None if moved else loss(group, held, moment), moment, effects)
    if stop != before:
        effects.records.append(stop)
    return stop


def conclude(
    stop: GroupStopRecord | None, outcome: GroupOutcome, moment: Moment, effects: Effects
) -> GroupStopRecord | None:
    """Over when the group is flat, or a person's; a group that is hedged stays watched."""
    if stop is None or stop.status in OVER or outcome not in (GroupOutcome.FLAT, GroupOutcome.HALTED):
        return stop
    status = StopStatus.DONE if stop.triggered_ns else StopStatus.RELEASED
    stop = replace(stop, status=status, blind_ns=0, closed_ns=moment.at_ns)
    effects.records.append(stop)
    return stop


def _armed(group: Group, moment: Moment) -> GroupStopRecord:
    return GroupStopRecord(
        group_id=group.group_id,
        max_loss=group.max_loss,
        judged_on=group.judged_on,
        status=StopStatus.ARMED,
        loss=0,
        armed_ns=moment.at_ns,
        blind_ns=0,
        triggered_ns=0,
        closed_ns=0,
    )


def _judge(stop: GroupStopRecord, group: Group, lost: int | None, moment: Moment, effects: Effects) -> GroupStopRecord:
    effects.wake(moment.at_ns + LOOK_AGAIN_NS)
    if lost is None:
        stop = replace(stop, blind_ns=stop.blind_ns or moment.at_ns)
        if moment.at_ns >= stop.blind_ns + moment.config.stop_loss.blind_ms * MS:
            _tell_blind(stop, moment, effects)
        return stop
    stop = replace(stop, blind_ns=0)
    if lost < stop.max_loss:
        return stop
    effects.acted("S2")
    effects.alert(
        moment,
        Severity.WARNING,
        "GROUP_STOPPED",
        f"group {group.group_id} has lost {to_decimal(lost):f}, at most {to_decimal(stop.max_loss):f} are allowed; "
        "it is being flattened",
        group_id=group.group_id,
    )
    return replace(stop, status=StopStatus.TRIGGERED, loss=lost, triggered_ns=moment.at_ns)


def _tell_blind(stop: GroupStopRecord, moment: Moment, effects: Effects) -> None:
    effects.alert(
        moment,
        Severity.CRITICAL,
        "STOP_BLIND",
        f"the stop-loss of group {stop.group_id} has no quote to judge one of its legs by for "
        f"{moment.config.stop_loss.blind_ms / 1000:g} s: watch it by hand, or close the group",
        group_id=stop.group_id,
        subject=str(stop.blind_ns),
    )
