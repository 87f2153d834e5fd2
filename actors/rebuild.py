"""A group's rows as they stand inside a turn: the journal's, with the turn's own uncommitted records on top."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from messages.group import RestoreGroup
from messages.records import (
    ExecutionStateRecord,
    ExposureRecord,
    GroupRecord,
    GroupStopRecord,
    HedgeRecord,
    IntentRecord,
    PositionEventRecord,
    Record,
    StopRecord,
)
from storage.port import GroupRows

KEYS: dict[type[Any], str] = {
    IntentRecord: "client_order_id",
    ExecutionStateRecord: "client_order_id",
    HedgeRecord: "hedge_id",
    StopRecord: "stop_id",
    ExposureRecord: "opened_ns",
    GroupStopRecord: "group_id",
    PositionEventRecord: "event_id",
}


def restore_message(rows: GroupRows | None, uncommitted: Iterable[Record]) -> RestoreGroup | None:
    """What an OrderGroup needs to carry on; ``None`` when the group does not exist, not even in this turn."""
    group = rows.group if rows else None
    tables: dict[type[Any], dict[Any, Any]] = {kind: {} for kind in KEYS}
    known: tuple[Any, ...] = ()
    if rows:
        known = (*rows.intents, *rows.execution_states, *rows.hedges, *rows.stops, *rows.exposures, *rows.group_stops)
        known += rows.position_events
    for record in (*known, *uncommitted):
        if isinstance(record, GroupRecord):
            group = record
        elif type(record) in KEYS:
            tables[type(record)][getattr(record, KEYS[type(record)])] = record
    if group is None:
        return None
    return RestoreGroup(
        record=group,
        intents=tuple(tables[IntentRecord].values()),
        execution_states=tuple(tables[ExecutionStateRecord].values()),
        hedges=tuple(tables[HedgeRecord].values()),
        stops=tuple(tables[StopRecord].values()),
        exposures=tuple(tables[ExposureRecord].values()),
        group_stops=tuple(tables[GroupStopRecord].values()),
        position_events=tuple(tables[PositionEventRecord].values()),
    )
