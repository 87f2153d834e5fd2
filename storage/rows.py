"""Reading the tables back into records.  Functions over one ``sqlite3`` connection, the owner's or a reader's."""

from __future__ import annotations

import sqlite3
from typing import Any

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


def all_of(conn: sqlite3.Connection, table: Table, query: str, *parameters: object) -> list[Any]:
    """The records of ``table`` that the named query selects, in its order."""
    cursor = conn.execute(queries()[query], parameters)
    names = [column[0] for column in cursor.description]
    return table.from_rows(names, cursor)


def of_group(conn: sqlite3.Connection, table: Table, group_id: str) -> list[Any]:
    """The group's records of one table, oldest first."""
    return all_of(conn, table, f"group_{table.name}", group_id)


def group_rows(conn: sqlite3.Connection, group_id: str) -> GroupRows | None:
    """All that is needed to rebuild the actors of a group; ``None`` when it was never accepted."""
    groups = of_group(conn, GROUPS, group_id)
    if not groups:
        return None
    return GroupRows(
        group=groups[0],
        legs=tuple(of_group(conn, LEGS, group_id)),
        intents=tuple(of_group(conn, INTENTS, group_id)),
        execution_states=tuple(of_group(conn, EXECUTION_STATES, group_id)),
        hedges=tuple(of_group(conn, HEDGES, group_id)),
        stops=tuple(of_group(conn, STOPS, group_id)),
        exposures=tuple(of_group(conn, EXPOSURES, group_id)),
        group_stops=tuple(of_group(conn, GROUP_STOPS, group_id)),
        position_events=tuple(of_group(conn, POSITION_EVENTS, group_id)),
    )
