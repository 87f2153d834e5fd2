"""A turn being made: what has been decided in it so far, per group and per step, so that a crash can be a rollback.

A *step* is one input and everything that followed from it.  When an actor of a group raises, the group's part of the
step is voided; earlier steps of the turn, and other groups, keep theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from decisions.effects import Effects, Moment, Outgoing
from decisions.orders.awaited import Awaited
from domain.calendar import FOREVER_NS
from domain.execution import OrdStatus
from domain.groups import GroupOutcome
from messages.orders import News, SubmitOrder
from messages.records import (
    EscalationRecord,
    ExecutionStateRecord,
    GroupRecord,
    IntentRecord,
    IntentStatus,
    ProcessedEventRecord,
    Record,
    Severity,
)

SYSTEM = ""  # the group id of what belongs to no group


class Turn:
    """Shared by all actors of a cell, handed to each at its appointment; emptied after every commit."""

    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self.records: list[tuple[str, Record]] = []  # group id and record, of this turn's closed steps
        self.requests: list[tuple[str, Outgoing]] = []
        self.replies: list[tuple[str, msgspec.Struct]] = []  # command id and answer
        self.known_alerts: set[str] = set()
        self.symbols: set[str] = set()  # what the cell wants quotes of
        self.safeguards: Counter[str] = Counter()  # how often each acted, of this turn's closed steps
        self.uncovered_qty = 0  # short units of all groups that nothing protects
        self.divergences = 0  # orders that a snapshot of this turn showed otherwise than the journal had them
        self.awaited = Awaited()  # what the gateway was asked to send; outlives the groups that asked
        self.freezes_ns = FOREVER_NS  # from then on a CRITICAL alert has waited too long for a person
        self.wake: Callable[[str, int], None] = lambda _group_id, _at_ns: None
        self.moments: dict[str, Moment] = {}  # of groups to which more than one input speaks in this step
        self.again: list[News] = []  # what a group choked on together: each shall be told by itself
        self._step_records: list[tuple[str, Record]] = []
        self._step_requests: list[tuple[str, Outgoing]] = []
        self._step_safeguards: list[tuple[str, str]] = []
        self._incarnations: dict[str, int] = {}

    def moment_of(self, group_id: str) -> Moment:
        """What a group's actors may know of the world in this step."""
        return self.moments.get(group_id, self.moment) if self.moments else self.moment

    def remember(self, event_id: str, kind: str, group_id: str) -> None:
        """Write down that an input was taken (S9); it stays so even when a group's part of the step is voided."""
        record = ProcessedEventRecord(event_id=event_id, kind=kind, group_id=group_id, ts_ns=self.moment.at_ns)
        self.records.append((SYSTEM, record))

    def collect(self, group_id: str, effects: Effects) -> None:
        """Take what an actor of ``group_id`` decided.  An alert that was raised before is not raised again."""
        for record in effects.records:
            if type(record) is EscalationRecord:
                if record.escalation_id in self.known_alerts:
                    continue
                self.known_alerts.add(record.escalation_id)
            self._step_records.append((group_id, record))
        for request in effects.requests:
            self._step_requests.append((group_id, request))
        for safeguard in effects.safeguards:
            self._step_safeguards.append((group_id, safeguard))
        if effects.wake_ns is not None:
            self.wake(group_id, effects.wake_ns)

    def alert(self, severity: Severity, kind: str, text: str, **about: Any) -> None:
        """Raise an alert that no group's actors raise."""
        effects = Effects()
        effects.alert(self.moment, severity, kind, text, **about)
        self.collect(SYSTEM, effects)

    def answer(self, command_id: str, answer: msgspec.Struct) -> None:
        """Answer a command after the commit.  A later answer stands for an earlier one: what that told was rolled back.

        Only one gets to whoever asked.
        """
        self.replies = [reply for reply in self.replies if reply[0] != command_id]
        self.replies.append((command_id, answer))

    def void(self, group_id: str) -> None:
        """Forget the group's part of this step; actors of its old incarnation are not heard any more."""
        for owner, record in self._step_records:
            if owner == group_id and type(record) is EscalationRecord:
                self.known_alerts.discard(record.escalation_id)
        self._step_records = [entry for entry in self._step_records if entry[0] != group_id]
        self._step_requests = [entry for entry in self._step_requests if entry[0] != group_id]
        self._step_safeguards = [entry for entry in self._step_safeguards if entry[0] != group_id]
        self._incarnations[group_id] = self._incarnations.get(group_id, 0) + 1

    def incarnation(self, group_id: str) -> int:
        """Which incarnation of the group's actors is heard."""
        return self._incarnations.get(group_id, 0)

    def end_step(self) -> list[tuple[str, Record]]:
        """Close the step and return its records."""
        records = self._step_records
        self.records.extend(records)
        self.requests.extend(self._step_requests)
        for _, request in self._step_requests:
            if type(request) is SubmitOrder:
                self.awaited.asked(request.client_order_id, self.moment.gateway)
        for _, safeguard in self._step_safeguards:
            self.safeguards[safeguard] += 1
        self._step_records, self._step_requests, self._step_safeguards = [], [], []
        self.moments.clear()
        return records

    def may_wait(self, client_order_id: str) -> bool:
        """Whether the gateway may still have to send this order: then a snapshot without it proves nothing."""
        return self.awaited.waits(client_order_id, self.moment.gateway)

    def uncommitted(self, group_id: str) -> list[Record]:
        """The group's records of this turn's closed steps, which the journal does not hold yet."""
        return [record for owner, record in self.records if owner == group_id]

    def clear(self) -> None:
        """Begin the next turn."""
        self.records.clear()
        self.requests.clear()
        self.replies.clear()
        self.safeguards.clear()
        self.divergences = 0


ENDED = frozenset(
    {
        IntentStatus.FILLED,
        IntentStatus.CANCELED,
        IntentStatus.REJECTED,
        IntentStatus.EXPIRED,
        IntentStatus.REFUSED,
        IntentStatus.VOID,
    }
)


Standing = tuple[OrdStatus, int, int]  # status, filled, left


class OrderIndex:
    """Which orders each group in memory has, and which of them have not ended; follows the records of each step."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, bool]] = {}  # group -> client order id -> still open
        self.groups: dict[str, GroupRecord] = {}
        self.open: dict[str, GroupRecord] = {}  # those that have not ended
        self.opened: dict[str, None] = {}  # those that have become so since somebody last took note, in order
        self.standings: dict[str, Standing] = {}  # by client order id

    def follow(self, record: Record) -> None:
        """Take note of a record."""
        if type(record) is IntentRecord:
            self.orders.setdefault(record.group_id, {})[record.client_order_id] = record.status not in ENDED
        elif type(record) is GroupRecord:
            self.groups[record.group_id] = record
            if record.outcome is not GroupOutcome.OPEN:
                self.open.pop(record.group_id, None)
                return
            if record.group_id not in self.open:
                self.opened[record.group_id] = None
            self.open[record.group_id] = record
        elif type(record) is ExecutionStateRecord:
            self.standings[record.client_order_id] = (record.ord_status, record.cum_qty, record.leaves_qty)

    def forget(self, group_id: str) -> None:
        """Drop a group."""
        for client_order_id in self.orders.pop(group_id, ()):
            self.standings.pop(client_order_id, None)
        self.groups.pop(group_id, None)
        self.open.pop(group_id, None)

    def knows(self, group_id: str, client_order_id: str) -> bool:
        """Whether the group placed this order."""
        return client_order_id in self.orders.get(group_id, ())

    def open_orders(self, group_id: str) -> list[str]:
        """The group's orders that have not ended."""
        return [key for key, is_open in self.orders.get(group_id, {}).items() if is_open]
