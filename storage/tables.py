"""How a record becomes a row and a row a record: one table per struct, one column per field.

Exceptions to "column = field": ``GroupRecord.group`` is column ``definition``, and ``order_groups`` has a column
``tag`` that no record has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import msgspec

from domain.groups import GroupOutcome, group_tag
from domain.money import from_float, to_float
from messages.records import (
    ControlRecord,
    EscalationRecord,
    ExecutionRecord,
    ExecutionStateRecord,
    ExposureRecord,
    GroupRecord,
    GroupStopRecord,
    HedgeRecord,
    HedgeStatus,
    IntentRecord,
    IntentStatus,
    LegRecord,
    PositionEventRecord,
    ProcessedEventRecord,
    Record,
    RejectedEventRecord,
    Severity,
    StopRecord,
    StopStatus,
    StopWindowRecord,
)
from messages.strategy_records import StrategyRecord, VerticalRecord
from storage.codec import decode_value, encode_value

PRICE_COLUMNS = frozenset(
    {
        "price", "trigger_price", "limit_price", "reference_price", "avg_px", "last_px", "short_strike", "long_strike",
        "beyond_strike", "entry_spot", "credit", "net", "max_profit", "max_loss", "breakeven", "realised", "loss",
    }
)  # fmt: skip
RENAMED_COLUMNS = {"group": "definition"}

ENDED_UNTOLD = frozenset({IntentStatus.VOID, IntentStatus.REFUSED, IntentStatus.EXPIRED})
LIVE_INTENTS = frozenset({IntentStatus.INTENT_PERSISTED, IntentStatus.SENT, IntentStatus.LIVE, IntentStatus.UNRESOLVED})
LIVE_STOPS = frozenset({StopStatus.ARMED, StopStatus.TRIGGERED, StopStatus.FALLBACK, StopStatus.MARKET})

Row = tuple[Any, ...]  # what sqlite3 takes and gives: str, int, float, bytes


class Column(NamedTuple):
    """One column: its name, the field that it holds, and the way there and back."""

    name: str
    field: str
    to_sql: Callable[[Any], Any]
    from_sql: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _value_of(member: Enum) -> Any:
    return member._value_  # the same as ``value``, which is looked up by a slow descriptor


def _column(field: str, kind: Any) -> Column:
    name = RENAMED_COLUMNS.get(field, field)
    if field in PRICE_COLUMNS:
        return Column(name, field, to_float, from_float)
    if kind is bool:
        return Column(name, field, int, bool)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return Column(name, field, _value_of, kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return Column(name, field, encode_value, partial(decode_value, of=kind))
    return Column(name, field, _same, _same)


class Table:
    """One table: the struct that it holds, its key, and its columns in the order of the struct's fields."""

    def __init__(self, name: str, record: type[Any], *key: str) -> None:
        self.name = name
        self.record = record
        self.key = key
        self.columns = tuple(_column(field.name, field.type) for field in msgspec.structs.fields(record))
        self._values = attrgetter(*(column.field for column in self.columns))
        self._converted = [(at, column.to_sql) for at, column in enumerate(self.columns) if column.to_sql is not _same]
        self._restored = [(column.field, column.from_sql) for column in self.columns if column.from_sql is not _same]
        self.identity: Callable[[Record], Any] = attrgetter(*key)  # the key as one value, for comparing only

    @property
    def upsert(self) -> str:
        """Name of the query that writes a row."""
        return f"upsert_{self.name}"

    @property
    def select(self) -> str:
        """Name of the query that reads every row."""
        return f"select_{self.name}"

    def column_names(self) -> tuple[str, ...]:
        """The columns of the table, in the order of :meth:`to_row`."""
        names = tuple(column.name for column in self.columns)
        return (*names, "tag") if self.record is GroupRecord else names

    def key_of(self, record: Record) -> Row:
        """The primary key of a record, as SQL sees it."""
        return tuple(getattr(record, field) for field in self.key)

    def to_row(self, record: Record) -> Row:
        """The record as parameters of :attr:`upsert`."""
        row = list(self._values(record))
        for at, to_sql in self._converted:
            row[at] = to_sql(row[at])
        if type(record) is GroupRecord:
            row.append(group_tag(record.group_id))
        return tuple(row)

    def from_rows(self, names: Sequence[str], rows: Iterable[Row]) -> list[Any]:
        """The records of rows whose columns are ``names``; columns that no field has are passed over."""
        where = {name: index for index, name in enumerate(names)}
        fields = [column.field for column in self.columns]
        pick = itemgetter(*(where[column.name] for column in self.columns))
        found = []
        for row in rows:
            values = dict(zip(fields, pick(row), strict=True))
            for field, from_sql in self._restored:
                values[field] = from_sql(values[field])
            found.append(self.record(**values))
        return found


GROUPS = Table("order_groups", GroupRecord, "group_id")
LEGS = Table("legs", LegRecord, "group_id", "leg_id", "kind")
INTENTS = Table("order_intents", IntentRecord, "client_order_id")
EXECUTION_STATES = Table("execution_states", ExecutionStateRecord, "client_order_id")
EXECUTIONS = Table("executions", ExecutionRecord, "client_order_id", "exec_id")
HEDGES = Table("hedge_tracking", HedgeRecord, "hedge_id")
STOPS = Table("stop_tracking", StopRecord, "stop_id")
STOP_WINDOWS = Table("stop_windows", StopWindowRecord, "stop_id", "opened_ns")
GROUP_STOPS = Table("group_stops", GroupStopRecord, "group_id")
EXPOSURES = Table("exposures", ExposureRecord, "group_id", "opened_ns")
POSITION_EVENTS = Table("position_events", PositionEventRecord, "event_id")
REJECTED_EVENTS = Table("rejected_events", RejectedEventRecord, "event_id", "group_id", "client_order_id")
ESCALATIONS = Table("escalations", EscalationRecord, "escalation_id")
CONTROLS = Table("control_decisions", ControlRecord, "subject")
PROCESSED_EVENTS = Table("processed_events", ProcessedEventRecord, "event_id")
STRATEGIES = Table("strategies", StrategyRecord, "name")
VERTICALS = Table("verticals", VerticalRecord, "group_id")

TABLES = (
    GROUPS,
    LEGS,
    INTENTS,
    EXECUTION_STATES,
    EXECUTIONS,
    HEDGES,
    STOPS,
    STOP_WINDOWS,
    GROUP_STOPS,
    EXPOSURES,
    POSITION_EVENTS,
    REJECTED_EVENTS,
    ESCALATIONS,
    CONTROLS,
    PROCESSED_EVENTS,
    STRATEGIES,
    VERTICALS,
)
TABLE_OF: dict[type[Any], Table] = {table.record: table for table in TABLES}


def coalesce(records: Iterable[Record]) -> dict[Table, dict[Any, Record]]:
    """The last record of every key, by table in the order of :data:`TABLES`: what a turn leaves in the tables."""
    last: dict[Table, dict[Any, Record]] = {table: {} for table in TABLES}
    for record in records:
        table = TABLE_OF[type(record)]
        last[table][table.identity(record)] = record
    return {table: rows for table, rows in last.items() if rows}


def keeps_group_open(record: Record) -> bool:
    """Whether this record alone means that its group needs its actors: not ended, or something of it still lives."""
    match record:
        case GroupRecord():
            return record.outcome is GroupOutcome.OPEN
        case IntentRecord():
            return record.status in LIVE_INTENTS
        case HedgeRecord():
            return record.status is HedgeStatus.WORKING
        case StopRecord() | GroupStopRecord():
            return record.status in LIVE_STOPS
        case _:
            return False


def needs_a_person(record: EscalationRecord) -> bool:
    """Whether an alert is still to be delivered or, when CRITICAL, to be acknowledged."""
    return record.delivered_ns == 0 or (record.severity is Severity.CRITICAL and record.acknowledged_ns == 0)
