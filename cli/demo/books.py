"""What the journals of a demonstration hold while it runs; one that cannot be read just now shows nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from config.paths import journal_paths
from domain.groups import GroupOutcome, GroupStatus
from messages.records import GroupRecord, HedgeRecord, IntentRecord, IntentStatus, PositionEventRecord, StopRecord
from storage.port import JournalError
from storage.reader import JournalReader

HALF_FILLED = frozenset({GroupStatus.HEDGE_PARTIAL, GroupStatus.HEDGE_FILLED, GroupStatus.RISK_PARTIAL})
UNTOLD = frozenset({IntentStatus.INTENT_PERSISTED, IntentStatus.SENT, IntentStatus.UNRESOLVED})  # wait for news

R = TypeVar("R")


class Books:
    """All cells' journals in ``directory``, read anew at every question."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def records(self) -> dict[str, GroupRecord]:
        """Every group by its id."""
        return {record.group_id: record for record in self._rows(lambda reader: reader.groups())}

    def held(self) -> dict[str, dict[str, int]]:
        """Group -> symbol -> units: positive is long."""
        return dict(self._rows(lambda reader: reader.held().items()))

    def hedged(self) -> list[str]:
        """The groups that stand as planned."""
        return [group_id for group_id, record in self.records().items() if record.outcome is GroupOutcome.HEDGED]

    def half_filled(self) -> list[str]:
        """The groups that have a part of what they were planned to have."""
        return [
            group_id
            for group_id, record in self.records().items()
            if record.outcome is GroupOutcome.OPEN and record.status in HALF_FILLED
        ]

    def intents(self, group_id: str) -> list[IntentRecord]:
        """Every order of a group, as decided and as far as it has come."""
        return self._rows(lambda reader: reader.intents(group_id))

    def hedges(self, group_id: str) -> list[HedgeRecord]:
        """Every hedge of a group."""
        return self._rows(lambda reader: rows.hedges if (rows := reader.group(group_id)) else ())

    def stops(self, group_id: str) -> list[StopRecord]:
        """Every stop-loss of a group."""
        return self._rows(lambda reader: rows.stops if (rows := reader.group(group_id)) else ())

    def moved(self, symbol: str) -> list[PositionEventRecord]:
        """What changed positions in a contract without an order, whichever group is said to have lost by it."""
        return [event for event in self._rows(lambda reader: reader.position_events()) if event.symbol == symbol]

    def works(self, group_id: str) -> bool:
        """Whether an order of the group works at the exchange, as far as is known."""
        return any(intent.status is IntentStatus.LIVE for intent in self.intents(group_id))

    def executions(self) -> set[tuple[str, str]]:
        """All that has been heard of, by client order id and exec id, or what is known in the place of one."""
        return {(each.client_order_id, each.exec_id) for each in self._rows(lambda reader: reader.executions())}

    def quiet(self) -> bool:
        """Whether every journal can be read and agrees with itself: no order waits for news."""
        try:
            for path in journal_paths(self._directory):
                with JournalReader(path) as reader:
                    if any(intent.status in UNTOLD for intent in reader.intents()):
                        return False
        except JournalError:
            return False
        return True

    def _rows(self, read: Callable[[JournalReader], Iterable[R]]) -> list[R]:
        found: list[R] = []
        for path in journal_paths(self._directory):
            with contextlib.suppress(JournalError), JournalReader(path) as reader:
                found.extend(read(reader))
        return found
