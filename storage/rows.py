"""Reading the tables back into records.  Functions over one ``sqlite3`` connection, the owner's or a reader's."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from messages.records import ExecutionStateRecord, IntentRecord
from storage.port import GroupRows
from storage.sql import queries
from storage.tables import (
    EXECUTION_STATES,
    EXPOSURES,
    GROUP_STOPS,
    GROUPS,
    HEDGES,
    INTENTS,
    LEGS,
    POSITION_EVENTS,
    STOPS,
    Table,
)

_PARTS: Final = {
    "legs": LEGS,
    "intents": INTENTS,
    "execution_states": EXECUTION_STATES,
    "hedges": HEDGES,
    "stops": STOPS,
    "exposures": EXPOSURES,
    "group_stops": GROUP_STOPS,
    "position_events": POSITION_EVENTS,
}


def all_of(conn: sqlite3.Connection, table: Table, query: str, *parameters: object) -> list[Any]:
    """The records of ``table`` that the named query selects, in its order."""
    cursor = conn.execute(queries()[query], parameters)
    names = [column[0] for column in cursor.description]
    return table.from_rows(names, cursor)


def live_orders(conn: sqlite3.Connection) -> list[tuple[IntentRecord, ExecutionStateRecord | None]]:
    """The orders that may be at the broker, each with what is known of it."""
    known = {state.client_order_id: state for state in all_of(conn, EXECUTION_STATES, "live_states")}
    intents = all_of(conn, INTENTS, "live_intents")
    return [(intent, known.get(intent.client_order_id)) for intent in intents]


def of_groups(conn: sqlite3.Connection, table: Table, group_ids: Sequence[str]) -> list[Any]:
    """These groups' records of one table, oldest first."""
    return all_of(conn, table, f"group_{table.name}", json.dumps(group_ids))


def of_group(conn: sqlite3.Connection, table: Table, group_id: str) -> list[Any]:
    """One group's records of one table, oldest first."""
    return of_groups(conn, table, [group_id])


def groups_rows(conn: sqlite3.Connection, group_ids: Sequence[str]) -> list[GroupRows | None]:
    """All that is needed to rebuild the actors of these groups; ``None`` for one that was never accepted.

    One query per table, however many groups: each query costs as much as converting a row or two.
    """
    groups = {record.group_id: record for record in of_groups(conn, GROUPS, group_ids)}
    found: dict[str, dict[str, list[Any]]] = {group_id: {field: [] for field in _PARTS} for group_id in groups}
    for field, table in _PARTS.items():
        for record in of_groups(conn, table, group_ids):
            if record.group_id in found:
                found[record.group_id][field].append(record)
    return [
        GroupRows(group=groups[group_id], **{field: tuple(rows) for field, rows in found[group_id].items()})
        if group_id in groups
        else None
        for group_id in group_ids
    ]


def group_rows(conn: sqlite3.Connection, group_id: str) -> GroupRows | None:
    """All that is needed to rebuild the actors of a group; ``None`` when it was never accepted."""
    return groups_rows(conn, [group_id])[0]
