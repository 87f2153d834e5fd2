"""The gateway's memory of its own decisions: a journal file of its own, hash-chained like the cells' (E15).

It is written after what it tells of has been done, and nothing waits for it but new risk: while the file cannot be
written, no entry leaves, and cancels, hedges and the kill switch go on as always (E9, I28).
"""

from __future__ import annotations

from pathlib import Path

import structlog

from actors.machine import machine, now_ms
from decisions.gateway.standing import Standing
from messages.records import ControlAction, ControlRecord
from storage.port import Journal, JournalError, Turn

OPEN_AGAIN_MS = 200
KEPT = 10_000  # records that wait for a disk that works again; beyond them the oldest refusals are only in the text log


class ControlLog:
    """What was decided, in force at once, durable soon.  ``clock_ns`` is the latest broker time that it knows.

    ``authorized``: whose overrides hold (E10).
    """

    def __init__(
        self, path: Path, log: structlog.typing.FilteringBoundLogger, authorized: tuple[str, ...] = ()
    ) -> None:
        self.path, self.log, self._authorized = path, log, authorized
        self.standing = Standing(authorized=authorized)
        self.problem = "it has not been opened yet"
        self.clock_ns = 0
        self._journal: Journal | None = None
        self._waiting: list[ControlRecord] = []
        self._again_ms = 0
        self._recalled = False
        self.look()

    def look(self) -> None:
        """Open the file, or try again."""
        if self._journal is not None or now_ms() < self._again_ms:
            return
        try:
            self._journal = machine().open_journal(self.path)
            self._recall(self._journal)
        except JournalError as error:
            self._give_up(str(error))
            return
        self.problem = ""
        self.flush()

    def advance(self, now_ns: int) -> None:
        """The broker's clock: a turn is written under the time at which it is, not under that of a fill told late."""
        self.clock_ns = max(self.clock_ns, now_ns)

    def record(self, record: ControlRecord) -> None:
        """This has been decided."""
        self.standing.follow(record)
        self._waiting.append(record)
        if len(self._waiting) > KEPT:
            self._waiting.pop(0)

    def note(
        self,
        subject: str,
        control: str,
        action: ControlAction,
        text: str,
        at_ns: int,
        *,
        symbol: str = "",
        quantity: int = 0,
        amount: int = 0,
        until_ns: int = 0,
        by: str = "",
    ) -> None:
        """Remember what is about no group."""
        self.record(
            ControlRecord(
                subject=subject,
                control=control,
                action=action,
                symbol=symbol,
                quantity=quantity,
                amount=amount,
                text=text,
                by=by,
                at_ns=at_ns,
                until_ns=until_ns,
            )
        )

    def flush(self) -> bool:
        """Make durable what waits; whether all of it is."""
        if self._journal is None:
            return False
        if self._waiting:
            self.clock_ns = max(self.clock_ns, *(record.at_ns for record in self._waiting))
            turn = Turn(epoch=self._journal.epoch, at_ns=self.clock_ns, records=tuple(self._waiting))
            try:
                self._journal.commit(turn)
            except JournalError as error:
                self._give_up(str(error))
                return False
            self._waiting.clear()
        if self._journal.storage_low:
            self.problem = "the disk is full, or was; make room and start the system again"
        return not self.problem

    def is_durable(self, subject: str) -> bool:
        """Whether nothing about this waits for the disk: a crash would change nothing."""
        return all(record.subject != subject for record in self._waiting)

    def close(self) -> None:
        """Let go of the file."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _recall(self, journal: Journal) -> None:
        """What is in force.  What was decided while the file could not be read stands above it."""
        self.clock_ns = max(self.clock_ns, journal.clock_ns)
        if not self._recalled:
            self._recalled = True
            self.standing = Standing([*journal.standing_controls(), *self._waiting], self._authorized)

    def _give_up(self, problem: str) -> None:
        """A commit that failed is unknown: open again and write again; the same record twice says the same (I16)."""
        if problem != self.problem:
            self.log.error("the gateway's journal cannot be used: no new risk", problem=problem)
        self.problem, self._again_ms = problem, now_ms() + OPEN_AGAIN_MS
        self.close()
