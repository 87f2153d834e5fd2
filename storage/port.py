"""What a cell needs of its journal.  One owner, one connection, one transaction per turn.

The log is the truth: every turn is one row that holds its records, chained by hash to the row before it.  The tables
are the log folded, last record per key; they exist for people, for the audit and for a fast start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from messages.records import (
    ControlRecord,
    EscalationRecord,
    ExecutionStateRecord,
    ExposureRecord,
    GroupRecord,
    GroupStopRecord,
    HedgeRecord,
    IntentRecord,
    LegRecord,
    PositionEventRecord,
    Record,
    StopRecord,
)
from messages.strategy_records import StrategyRecord, VerticalRecord


class JournalError(Exception):
    """The journal cannot be used; the message says why and what to do."""


class JournalLocked(JournalError):
    """Another process owns this journal."""


class JournalNewer(JournalError):
    """The journal was written by a newer version of legkeeper."""


class JournalEmpty(JournalError):
    """A file in which nobody has made a journal yet: it holds nothing."""


class JournalUnavailable(JournalError):
    """The disk does not do what it is asked for, or has no room: later it may."""


class JournalCorrupt(JournalError):
    """The file is truncated or damaged, or its hash chain is broken."""


class CommitUnknown(JournalError):
    """A commit failed: whether it is durable is not known (I16).  Stop, restart, and read again."""


class Turn(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Everything that one turn writes, in order.  ``at_ns`` is broker time."""

    epoch: int
    at_ns: int
    records: tuple[Record, ...]


class GroupRows(msgspec.Struct, frozen=True, kw_only=True):
    """All that the journal knows of one group: enough to rebuild its actors."""

    group: GroupRecord
    legs: tuple[LegRecord, ...]
    intents: tuple[IntentRecord, ...]
    execution_states: tuple[ExecutionStateRecord, ...]
    hedges: tuple[HedgeRecord, ...]
    stops: tuple[StopRecord, ...]
    exposures: tuple[ExposureRecord, ...] = ()
    group_stops: tuple[GroupStopRecord, ...] = ()  # one, or none
    position_events: tuple[PositionEventRecord, ...] = ()


class Journal(Protocol):
    """The owner's view.  Opening it takes the lock, checks the file, migrates it, and commits a new epoch."""

    @property
    def epoch(self) -> int:
        """Grows by one with every opening; every send carries it."""

    @property
    def storage_low(self) -> bool:
        """The disk was full and the ballast is spent: reduce-only from now on (I28)."""

    @property
    def clock_ns(self) -> int:
        """Broker time of the last turn, as it was when the journal was opened or later; 0 for an empty journal."""

    def commit(self, turn: Turn) -> int:
        """Make the turn durable (FULL) and return its number.  Raises ``CommitUnknown``; nothing may be sent then."""

    def seen(self, event_ids: Iterable[str]) -> set[str]:
        """Those of the ids that are in ``processed_events``."""

    def group(self, group_id: str) -> GroupRows | None:
        """The group's records, or ``None`` when it was never accepted."""

    def groups(self, group_ids: Sequence[str]) -> list[GroupRows | None]:
        """The same for several groups at once, in their order."""

    def group_by_tag(self, tag: str) -> str | None:
        """The id of the group whose :func:`domain.groups.group_tag` this is."""

    def open_groups(self) -> list[str]:
        """Ids of the groups that have not ended, or that still have a live order, hedge or stop; oldest first."""

    def live_orders(self) -> list[tuple[IntentRecord, ExecutionStateRecord | None]]:
        """The orders that may be at the broker, each with what is known of it; oldest first."""

    def ended_untold(self, since_ns: int) -> list[IntentRecord]:
        """The orders that have ended since then, and whose end no report need have told; oldest first."""

    def open_escalations(self) -> list[EscalationRecord]:
        """CRITICAL alerts that nobody has acknowledged, and any alert that was not delivered; oldest first."""

    def standing_controls(self) -> list[ControlRecord]:
        """What the gateway has decided and is not about a single order, oldest first."""

    def strategies(self) -> list[StrategyRecord]:
        """Every strategy that this cell ever had, by name."""

    def open_verticals(self) -> list[VerticalRecord]:
        """The verticals that have not ended; oldest first."""

    def close(self) -> None:
        """Give up the lock.  Safe to call twice."""
