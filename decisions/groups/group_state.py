"""What an OrderGroup actor holds."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from decisions.effects import Effects, Moment
from decisions.groups.exposure import Taken
from domain.groups import Group
from messages.group import GroupSettled, HedgeProgressed, LegProgressed, StopProgressed, WorkLeg
from messages.records import ExposureRecord, GroupRecord, GroupStopRecord, PositionEventRecord


class GroupState(msgspec.Struct, frozen=True):
    """What an OrderGroup actor holds.  ``awaited`` children have not reported since they were hired."""

    record: GroupRecord
    legs: Mapping[str, LegProgressed] = {}
    hedges: Mapping[str, HedgeProgressed] = {}
    stops: Mapping[str, StopProgressed] = {}
    stop_levels: Mapping[str, tuple[int, int]] = {}  # quantity and exitable units, as told
    opened_ns: Mapping[str, int] = {}  # symbol -> when its last hedge was decided
    rounds: int = 0
    awaited: frozenset[str] = frozenset()
    told: Mapping[str, WorkLeg] = {}
    settled: GroupSettled | None = None
    exposure: ExposureRecord | None = None  # while a short is uncovered
    taken: Taken = Taken()
    stop: GroupStopRecord | None = None  # of the whole group
    moves: tuple[PositionEventRecord, ...] = ()  # what changed without an order of ours
    settling: bool = False  # several children are at work: the look comes after their answers

    @property
    def group(self) -> Group:
        """What the group is meant to become."""
        return self.record.group


def recorded(state: GroupState, moment: Moment, effects: Effects, **changes: object) -> GroupState:
    """The state with these changes of the group's record written down, if any of them is one."""
    if all(getattr(state.record, name) == value for name, value in changes.items()):
        return state
    record = replace(state.record, **changes, updated_ns=moment.at_ns)
    effects.records.append(record)
    return replace(state, record=record)
