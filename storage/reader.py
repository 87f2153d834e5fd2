"""Read-only access to a journal, from any process but its owner's, while the owner runs and when it does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from messages.records import (
    EscalationRecord,
    ExecutionRecord,
    ExecutionStateRecord,
    GroupRecord,
    HedgeRecord,
    IntentRecord,
    PositionEventRecord,
    RejectedEventRecord,
    StopRecord,
)
from messages.strategy_records import StrategyRecord, VerticalRecord
from storage.log import Head, StoredTurn
from storage.opening import BUSY_TIMEOUT_S, check_emptied, check_version, damaged, log_base, quick_check
from storage.ownership import last_epoch
from storage.port import GroupRows, JournalEmpty, JournalError
from storage.rows import all_of, group_rows, of_group
from storage.sql import queries, schema_version
from storage.tables import (
    ESCALATIONS,
    EXECUTION_STATES,
    EXECUTIONS,
    GROUPS,
    HEDGES,
    INTENTS,
    POSITION_EVENTS,
    REJECTED_EVENTS,
    STOPS,
    STRATEGIES,
    VERTICALS,
    Row,
    Table,
)


class Epoch(NamedTuple):
    """One row of table ``epochs``."""

    epoch: int
    after_turn: int
    pid: int
    opened_host_ns: int


class Counts(NamedTuple):
    """How many there are: intents by status, groups by outcome, alerts that nobody has acknowledged by severity."""

    intents: dict[str, int]
    groups: dict[str, int]
    unacknowledged: dict[str, int]


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What is found to be wrong with the file meanwhile is a ``JournalError``, or a child of it."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise JournalError(f"cannot read {path}: {error}") from error
    except (sqlite3.DatabaseError, msgspec.MsgspecError, ValueError, TypeError, KeyError) as error:
        raise damaged(path, f"it cannot be read as a journal ({error})") from error


class JournalReader:
    """A journal, opened read-only; a context manager.

    With ``snapshot=True`` every answer is of one moment; do not keep such a reader for long, because the owner's WAL
    grows as long as it is open.  Raises ``JournalError`` and its children when ``path`` is not a journal that this
    legkeeper can read, also of records that turn out to be damaged later.
    """

    def __init__(self, path: Path, *, snapshot: bool = False) -> None:
        self.path = path.resolve()
        if not self.path.is_file():
            raise JournalError(f"there is no journal at {path}")
        with ExitStack() as undo:
            undo.enter_context(readable(self.path))
            uri = f"{self.path.as_uri()}?mode=ro"
            self._conn = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            undo.callback(self._conn.close)
            self._check(snapshot)
            undo.pop_all()

    def _check(self, snapshot: bool) -> None:
        if snapshot:
            self._conn.execute("BEGIN")
        version = check_version(self._conn, self.path)
        if version == 0:
            check_emptied(self.path, version, last_epoch(self.path))
            raise JournalEmpty(
                f"{self.path} is an empty database: whoever was to make a journal of it did not come to it, or is "
                "about to; the next start of its system does"
            )
        if version < schema_version():
            raise JournalError(
                f"{self.path} has schema version {version}, this legkeeper reads {schema_version()}: "
                "start its system once, which migrates it"
            )

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file.  Safe to call twice."""
        self._conn.close()

    def groups(self) -> list[GroupRecord]:
        """Every group, oldest first."""
        found: list[GroupRecord] = self._records(GROUPS)
        return sorted(found, key=lambda group: (group.created_ns, group.group_id))

    def group(self, group_id: str) -> GroupRows | None:
        """What the owner would rebuild the group from; ``None`` when it was never accepted."""
        with readable(self.path):
            return group_rows(self._conn, group_id)

    def group_by_tag(self, tag: str) -> str | None:
        """The id of the group that this tag stands for."""
        return next((row[0] for row in self._select("group_by_tag", tag)), None)

    def intents(self, group_id: str | None = None) -> list[IntentRecord]:
        """Orders, of one group (oldest first) or of all."""
        return self._records(INTENTS, group_id)

    def executions(self, group_id: str | None = None) -> list[ExecutionRecord]:
        """Trades, corrections and busts, of one group (oldest first) or of all."""
        return self._records(EXECUTIONS, group_id)

    def execution_states(self, group_id: str | None = None) -> list[ExecutionStateRecord]:
        """How far the orders are filled, of one group (oldest first) or of all."""
        return self._records(EXECUTION_STATES, group_id)

    def hedges(self, group_id: str | None = None) -> list[HedgeRecord]:
        """Hedges, of one group (oldest first) or of all."""
        return self._records(HEDGES, group_id)

    def stops(self, group_id: str | None = None) -> list[StopRecord]:
        """Stop-losses, of one group (oldest first) or of all."""
        return self._records(STOPS, group_id)

    def held(self) -> dict[str, dict[str, int]]:
        """What each group holds: units by symbol, signed, by its own orders and by what moved without one."""
        filled = {state.client_order_id: state.cum_qty for state in self.execution_states()}
        found: dict[str, dict[str, int]] = {}
        moves = [(i.group_id, i.symbol, filled.get(i.client_order_id, 0) * i.side.sign) for i in self.intents()]
        moves += [(event.group_id, event.symbol, event.quantity) for event in self.position_events()]
        for group_id, symbol, quantity in moves:
            units = found.setdefault(group_id, {})
            units[symbol] = units.get(symbol, 0) + quantity
        return found

    def position_events(self, group_id: str | None = None) -> list[PositionEventRecord]:
        """Changes of positions that no order caused, of one group (oldest first) or of all."""
        return self._records(POSITION_EVENTS, group_id)

    def rejected_events(self, group_id: str | None = None) -> list[RejectedEventRecord]:
        """Reports that were not allowed to move a status, of one group (oldest first) or of all."""
        return self._records(REJECTED_EVENTS, group_id)

    def escalations(self, group_id: str | None = None) -> list[EscalationRecord]:
        """Alerts, of one group (oldest first) or of all."""
        return self._records(ESCALATIONS, group_id)

    def open_escalations(self) -> list[EscalationRecord]:
        """Alerts that still need a person, oldest first."""
        return self._all(ESCALATIONS, "open_escalations")

    def strategies(self) -> list[StrategyRecord]:
        """Every strategy of this cell, by name."""
        return self._records(STRATEGIES)

    def verticals(self) -> list[VerticalRecord]:
        """Every vertical of every strategy of this cell, oldest first."""
        return self._records(VERTICALS)

    def counts(self) -> Counts:
        """What the journal holds, counted."""
        names = ("count_intents", "count_groups", "count_unacknowledged")
        return Counts(*(dict(self._select(name)) for name in names))

    def unresolved(self) -> dict[str, int]:
        """How many orders of unknown fate each group has; groups without one are left out."""
        return dict(self._select("count_unresolved"))

    def epochs(self) -> list[Epoch]:
        """Every opening by an owner, oldest first."""
        return [Epoch(*row) for row in self._select("select_epochs")]

    def base(self) -> Head:
        """What the log is bound to: nothing, or the last turn that was archived."""
        with readable(self.path):
            return log_base(self._conn)

    def archived_in(self, tag: str) -> str | None:
        """The file in which the archived group with this tag is."""
        return next((row[0] for row in self._select("archived_in", tag)), None)

    def turns(self, after: int = 0) -> Iterator[StoredTurn]:
        """The log from turn ``after + 1`` on, not yet decoded (:meth:`StoredTurn.records`)."""
        return map(StoredTurn._make, self._select("turns_after", after))

    def turns_about(self, word: str) -> Iterator[StoredTurn]:
        """The turns whose payload contains the bytes of ``word``: a sieve, not an answer."""
        return map(StoredTurn._make, self._select("turns_containing", word.encode()))

    def rows(self, table: Table) -> Iterator[Row]:
        """The raw rows of one table, their columns in the order of ``table.column_names()``."""
        with readable(self.path):
            cursor = self._conn.execute(queries()[table.select])
            names = [column[0] for column in cursor.description]
            where = [names.index(column) for column in table.column_names()]
            yield from (tuple(row[index] for index in where) for row in cursor)

    def quick_check(self) -> None:
        """Raises ``JournalCorrupt`` when the file is damaged."""
        with readable(self.path):
            quick_check(self._conn, self.path)

    def _select(self, query: str, *parameters: object) -> Iterator[Row]:
        """What the named query finds; what is wrong with the file shows on the way."""
        with readable(self.path):
            yield from self._conn.execute(queries()[query], parameters)

    def _records(self, table: Table, group_id: str | None = None) -> list[Any]:
        if group_id is None:
            return self._all(table, table.select)
        with readable(self.path):
            return of_group(self._conn, table, group_id)

    def _all(self, table: Table, query: str) -> list[Any]:
        with readable(self.path):
            return all_of(self._conn, table, query)
