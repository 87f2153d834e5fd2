"""What of the gateway's own decisions is in force: the fold of its records (E8, E10, E11, E15).

Rebuilding it from the journal and having lived through it are the same thing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from domain.trading import STRICTNESS, TradingState
from messages.records import ControlAction, ControlRecord

OF_ORDERS: Final = ("order/", "held/", "use/")  # subjects that are about a single order
OPERATOR: Final = "trading/operator"
LOSS: Final = "trading/E11"
TOLD: Final = "told/"  # … and what is stopped: a cell keeps the alert of the record of this time
DIFFERENCE: Final = "difference/"  # … and what differs: how much of it has been settled
STATE_OF: Final = {
    ControlAction.ACTIVE: TradingState.ACTIVE,
    ControlAction.REDUCING: TradingState.REDUCING,
    ControlAction.HALTED: TradingState.HALTED,
}
ACTION_OF: Final = {state: action for action, state in STATE_OF.items()}
SOFT: Final = ("E1", "E2", "E5", "E11", "E12", "E20")  # these may be overridden; E3, E6, E9 and E17 never
EVERY_SYMBOL: Final = "*"


class Standing:
    """The last record of every subject that is not a single order.

    An override is in force only as long as who granted it is ``authorized``: who is taken off the list
    (``controls.authorized``) takes what he granted with him.
    """

    def __init__(self, records: Iterable[ControlRecord] = (), authorized: Collection[str] = ()) -> None:
        self._last: dict[str, ControlRecord] = {}
        self._stopped: dict[str, ControlRecord] = {}  # of them, those that a person must hear of
        self._authorized = frozenset(authorized)
        for record in records:
            self.follow(record)

    def follow(self, record: ControlRecord) -> None:
        """Take note of a decision."""
        if record.subject.startswith(OF_ORDERS):
            return
        self._last[record.subject] = record
        if record.action is ControlAction.DISABLED or record.subject == LOSS:
            self._stopped[record.subject] = record
        else:
            self._stopped.pop(record.subject, None)

    def last(self, subject: str) -> ControlRecord | None:
        """The last decision about this subject."""
        return self._last.get(subject)

    def beginning(self, prefix: str) -> list[ControlRecord]:
        """The last decisions about all subjects that begin so."""
        return [record for subject, record in self._last.items() if subject.startswith(prefix)]

    def trading(self, now_ns: int) -> tuple[TradingState, str]:
        """The strictest state that anybody asks for, and why.  A loss limit that is overridden asks for nothing."""
        state, reason = TradingState.ACTIVE, ""
        for subject in (OPERATOR, LOSS):
            record = self._last.get(subject)
            if record is None or 0 < record.until_ns <= now_ns:
                continue
            if subject == LOSS and self.override("E11", "", now_ns):
                continue
            asked = STATE_OF[record.action]
            if STRICTNESS[asked] > STRICTNESS[state]:
                state, reason = asked, record.text
        return state, reason

    def override(self, control: str, symbol: str, now_ns: int) -> ControlRecord | None:
        """The override that lets this control pass for this symbol now (E10)."""
        for scope in (symbol, EVERY_SYMBOL):
            record = self._last.get(f"override/{control}/{scope or EVERY_SYMBOL}")
            if record is not None and now_ns < record.until_ns and record.by in self._authorized:
                return record
        return None

    def disabled(self, subject: str) -> ControlRecord | None:
        """Why this may not be traded until a person enables it again (E8)."""
        record = self._last.get(subject)
        return record if record is not None and record.action is ControlAction.DISABLED else None

    def enabled_ns(self, subject: str) -> int:
        """When a person enabled it last; what was executed before does not count again."""
        record = self._last.get(subject)
        return record.at_ns if record is not None and record.action is ControlAction.ENABLED else 0

    def settled(self) -> dict[str, int]:
        """Of what differs from the journals, what a person accepted or a running system told; by what it is (E14)."""
        return {
            subject.removeprefix(DIFFERENCE): record.quantity
            for subject, record in self._last.items()
            if subject.startswith(DIFFERENCE) and record.quantity
        }

    def all_disabled(self) -> list[ControlRecord]:
        """Everything that waits for a person."""
        return [record for record in self._stopped.values() if record.action is ControlAction.DISABLED]

    def stopped(self) -> list[ControlRecord]:
        """The same, and the last day's loss that was too large (E8, E11)."""
        return list(self._stopped.values())

    def untold(self, now_ns: int) -> list[ControlRecord]:
        """What is stopped now, and no cell is known to keep an alert that says so (L5)."""
        return [
            record
            for record in self._stopped.values()
            if not 0 < record.until_ns <= now_ns and not self._is_told(record)
        ]

    def _is_told(self, stopped: ControlRecord) -> bool:
        told = self._last.get(TOLD + stopped.subject)
        return told is not None and told.at_ns == stopped.at_ns

    def overrides(self, now_ns: int) -> list[ControlRecord]:
        """Every override that is in force."""
        granted = (record for record in self._last.values() if record.action is ControlAction.GRANTED)
        return [record for record in granted if now_ns < record.until_ns and record.by in self._authorized]
