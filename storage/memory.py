"""The journal in memory: the twin that passes the same tests, for the simulator and for tests of what stands on it.

It keeps encoded bytes and decodes on every read, so that nothing is shared by reference and what cannot be written
down cannot be remembered either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from domain.groups import group_tag
from messages.records import (
    ControlRecord,
    EscalationRecord,
    ExecutionStateRecord,
    GroupRecord,
    IntentRecord,
    Record,
)
from messages.strategy_records import StrategyRecord, VerticalRecord
from storage.codec import decode_value, encode_value
from storage.log import EMPTY, Head, StoredTurn, stored
from storage.port import CommitUnknown, GroupRows, JournalError, JournalLocked, Turn
from storage.tables import (
    CONTROLS,
    ENDED_UNTOLD,
    ESCALATIONS,
    EXECUTION_STATES,
    EXPOSURES,
    GROUP_STOPS,
    GROUPS,
    HEDGES,
    INTENTS,
    LEGS,
    POSITION_EVENTS,
    PROCESSED_EVENTS,
    STOPS,
    STRATEGIES,
    TABLES,
    VERTICALS,
    Row,
    Table,
    coalesce,
    keeps_group_open,
    needs_a_person,
)

ORDER_BY = {
    LEGS: attrgetter("leg_id", "kind"),
    INTENTS: attrgetter("decided_ns", "client_order_id"),
    EXECUTION_STATES: attrgetter("client_order_id"),
    HEDGES: attrgetter("opened_ns", "hedge_id"),
    STOPS: attrgetter("armed_ns", "stop_id"),
    EXPOSURES: attrgetter("opened_ns"),
    GROUP_STOPS: attrgetter("group_id"),
    POSITION_EVENTS: attrgetter("ts_ns", "event_id"),
}


class _Disk:
    """What outlives an owner."""

    def __init__(self) -> None:
        self.epoch = 0
        self.turns: list[StoredTurn] = []
        self.rows: dict[Table, dict[Row, bytes]] = {table: {} for table in TABLES}
        self.of_group: dict[str, dict[Table, dict[Row, None]]] = defaultdict(lambda: defaultdict(dict))
        self.live: dict[str, dict[tuple[Table, Row], None]] = defaultdict(dict)  # by group: what keeps it open
        self.alerts: set[Row] = set()  # escalations that still need a person
        self.tags: dict[str, str] = {}
        self.owner: MemoryJournal | None = None

    def write(self, turn: StoredTurn, records: Iterable[Record]) -> None:
        for table, rows in coalesce(records).items():
            for record in rows.values():
                key = table.key_of(record)
                self.rows[table][key] = encode_value(record)
                self._index(table, key, record)
        self.turns.append(turn)

    def _index(self, table: Table, key: Row, record: Record) -> None:
        if table in ORDER_BY:
            self.of_group[record.group_id][table][key] = None
        if isinstance(record, EscalationRecord):
            (self.alerts.add if needs_a_person(record) else self.alerts.discard)(key)
        if isinstance(record, GroupRecord):
            self.tags[group_tag(record.group_id)] = record.group_id
        live = self.live[record.group_id]
        if keeps_group_open(record):
            live[table, key] = None
        else:
            live.pop((table, key), None)

    def read(self, table: Table, key: Row) -> Any:
        return decode_value(self.rows[table][key], table.record)

    def read_group(self, table: Table, group_id: str) -> tuple[Any, ...]:
        keys = self.of_group[group_id][table] if group_id in self.of_group else ()
        return tuple(sorted((self.read(table, key) for key in keys), key=ORDER_BY[table]))


class MemoryJournal:
    """The owner's journal (:class:`storage.port.Journal`).  ``MemoryJournal()`` makes a new one."""

    def __init__(self, disk: _Disk | None = None) -> None:
        self._disk = disk or _Disk()
        if self._disk.owner:
            raise JournalLocked("this journal in memory is still owned: close it, or let its owner crash, first")
        self._disk.owner = self
        self._disk.epoch += 1
        self._epoch = self._disk.epoch
        self._unknown = False
        self._fail_in = 0
        self._fail_durably = False

    @classmethod
    def of(cls, turns: Iterable[StoredTurn]) -> MemoryJournal:
        """A journal that ends after these turns: a copy of another one, as it was."""
        disk = _Disk()
        for turn in turns:
            disk.write(turn, turn.records())
            disk.epoch = turn.epoch
        return cls(disk)

    def reopen(self) -> MemoryJournal:
        """The next owner's journal, with a new epoch.  Raises ``JournalLocked`` while this one is open."""
        return MemoryJournal(self._disk)

    def crash(self) -> None:
        """The owner is gone, at once.  What was committed stays."""
        self.close()

    def fail_commit(self, nth: int = 1, *, durable: bool) -> None:
        """Let the ``nth`` commit from now raise ``CommitUnknown``, before or after it became durable."""
        self._fail_in, self._fail_durably = nth, durable

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def storage_low(self) -> bool:
        """Memory has no ballast to spend."""
        return False

    @property
    def clock_ns(self) -> int:
        return self._disk.turns[-1].at_ns if self._disk.turns else 0

    @property
    def head(self) -> Head:
        """The end of the log."""
        return self._disk.turns[-1].head if self._disk.turns else EMPTY

    def turns(self) -> list[StoredTurn]:
        """The whole log."""
        return list(self._disk.turns)

    def rows(self, table: Table) -> list[Any]:
        """Every record of one table, in no particular order."""
        return [self._disk.read(table, key) for key in self._disk.rows[table]]

    def commit(self, turn: Turn) -> int:
        self._refuse_if_closed()
        if self._unknown:
            raise CommitUnknown("an earlier commit failed: nothing can be committed until it is opened again")
        if turn.epoch != self._epoch:
            raise JournalError(
                f"a turn of epoch {turn.epoch} does not belong to epoch {self._epoch}; nothing was written"
            )
        row = stored(turn, self.head)
        self._refuse_shared_tags(turn.records)
        self._fail_in -= 1
        failing = self._fail_in == 0
        if not failing or self._fail_durably:
            self._disk.write(row, turn.records)
        if failing:
            self._unknown = True
            raise CommitUnknown(f"the commit of turn {row.turn} failed as planned")
        return row.turn

    def seen(self, event_ids: Iterable[str]) -> set[str]:
        self._refuse_if_closed()
        return {event_id for event_id in event_ids if (event_id,) in self._disk.rows[PROCESSED_EVENTS]}

    def group(self, group_id: str) -> GroupRows | None:
        self._refuse_if_closed()
        if (group_id,) not in self._disk.rows[GROUPS]:
            return None
        return GroupRows(
            group=self._disk.read(GROUPS, (group_id,)),
            legs=self._disk.read_group(LEGS, group_id),
            intents=self._disk.read_group(INTENTS, group_id),
            execution_states=self._disk.read_group(EXECUTION_STATES, group_id),
            hedges=self._disk.read_group(HEDGES, group_id),
            stops=self._disk.read_group(STOPS, group_id),
            exposures=self._disk.read_group(EXPOSURES, group_id),
            group_stops=self._disk.read_group(GROUP_STOPS, group_id),
            position_events=self._disk.read_group(POSITION_EVENTS, group_id),
        )

    def groups(self, group_ids: Sequence[str]) -> list[GroupRows | None]:
        return [self.group(group_id) for group_id in group_ids]

    def group_by_tag(self, tag: str) -> str | None:
        self._refuse_if_closed()
        return self._disk.tags.get(tag)

    def open_groups(self) -> list[str]:
        self._refuse_if_closed()
        known = self._disk.rows[GROUPS]
        groups = [
            self._disk.read(GROUPS, (name,)) for name, live in self._disk.live.items() if live and (name,) in known
        ]
        return [group.group_id for group in sorted(groups, key=attrgetter("created_ns", "group_id"))]

    def live_orders(self) -> list[tuple[IntentRecord, ExecutionStateRecord | None]]:
        self._refuse_if_closed()
        live = [key for keys in self._disk.live.values() for table, key in keys if table is INTENTS]
        intents = sorted((self._disk.read(INTENTS, key) for key in live), key=ORDER_BY[INTENTS])
        known = self._disk.rows[EXECUTION_STATES]
        return [
            (intent, self._disk.read(EXECUTION_STATES, key) if (key := (intent.client_order_id,)) in known else None)
            for intent in intents
        ]

    def ended_untold(self, since_ns: int) -> list[IntentRecord]:
        self._refuse_if_closed()
        found = [one for one in self.rows(INTENTS) if one.status in ENDED_UNTOLD and one.terminal_ns >= since_ns]
        return sorted(found, key=ORDER_BY[INTENTS])

    def open_escalations(self) -> list[EscalationRecord]:
        self._refuse_if_closed()
        alerts = (self._disk.read(ESCALATIONS, key) for key in sorted(self._disk.alerts))
        return sorted(alerts, key=attrgetter("raised_ns", "escalation_id"))

    def standing_controls(self) -> list[ControlRecord]:
        self._refuse_if_closed()
        found = [
            record for record in self.rows(CONTROLS) if record.subject.partition("/")[0] not in ("order", "held", "use")
        ]
        return sorted(found, key=attrgetter("at_ns", "subject"))

    def strategies(self) -> list[StrategyRecord]:
        self._refuse_if_closed()
        return sorted(self.rows(STRATEGIES), key=attrgetter("name"))

    def open_verticals(self) -> list[VerticalRecord]:
        self._refuse_if_closed()
        found = [vertical for vertical in self.rows(VERTICALS) if not vertical.closed_ns]
        return sorted(found, key=attrgetter("decided_ns", "group_id"))

    def close(self) -> None:
        if self._disk.owner is self:
            self._disk.owner = None

    def _refuse_if_closed(self) -> None:
        if self._disk.owner is not self:
            raise JournalError("this journal in memory is closed: open it again")

    def _refuse_shared_tags(self, records: Iterable[Record]) -> None:
        for record in records:
            if isinstance(record, GroupRecord):
                owner = self._disk.tags.get(group_tag(record.group_id), record.group_id)
                if owner != record.group_id:
                    raise JournalError(f"groups {owner} and {record.group_id} have one tag; nothing was written")
