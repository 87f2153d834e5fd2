"""The conversation about positions: the broker's view to the reconciler, its findings to the cells (R21, S3, S4)."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from domain.quotes import Quote
from messages.orders import Snapshot
from messages.records import PositionKind, Severity
from messages.supervision import PROTOCOL, Version


@dataclass(frozen=True, slots=True)
class Attend:
    """The reconciler to the gateway: show me every snapshot, with quotes of these symbols."""

    symbols: frozenset[str]
    opened: bool = False  # a gateway of this run has passed the start check: what is new since is news, for alerts
    version: Version = PROTOCOL


@dataclass(frozen=True, slots=True)
class Probe:
    """The reconciler to the gateway: ask the broker again, something does not fit."""


@dataclass(frozen=True, slots=True)
class BrokerSeen:
    """The gateway to the reconciler: a :class:`BrokerView`, MessagePack."""

    view: bytes


@dataclass(frozen=True, slots=True)
class Findings:
    """The reconciler to the gateway: letters for the cells (:data:`Finding`), MessagePack, each with its cell."""

    findings: bytes


@dataclass(frozen=True, slots=True)
class Compared:
    """The reconciler to the gateway, after every comparison: a :class:`Verdict`, MessagePack."""

    verdict: bytes


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on which broker and journals differ since a start, for a person; ``quantity`` in signed units.

    ``key``: ``position/`` and the symbol, or ``order/`` and its id.  ``checked``: it has persisted, and no news that is
    still on its way can explain it.
    """

    key: str
    symbol: str
    journal: str
    broker: str
    quantity: int
    cause: str
    advice: str
    checked: bool


class Verdict(msgspec.Struct, frozen=True):
    """What holds new risk back after a start, and every sure level by its key, for a later start to compare with."""

    session: int
    held: tuple[Difference, ...]
    levels: dict[str, int]


class BrokerView(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A whole snapshot, of all cells and of strangers, and the last quotes of what the reconciler asked for.

    ``settled``: of what differed at a start, what a person accepted or a running system told, by key; ``opened``: it
    does not hold new risk back any more.  ``lag_ns``: by how much a snapshot's content may be older than it says (the
    broker's declared capability).
    """

    snapshot: Snapshot
    quotes: tuple[Quote, ...] = ()
    lag_ns: int = 0
    settled: tuple[tuple[str, int], ...] = ()
    opened: bool = True


class PositionChange(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """So many units of a symbol came (+) or went (-) without an order of ours, and why."""

    symbol: str
    leg_id: str  # "" when it is not a leg of the group: shares that an option turned into, or nobody's position
    quantity: int
    kind: PositionKind
    evidence: str
    activity_id: str = ""  # the broker's own name for it, where it gave one
    price: int = 0
    ts_ns: int = 0
    before: int = 0  # where it is of no leg: what was so of the symbol until then


class PositionsMoved(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Positions of one group, or of nobody (``group_id`` ""), changed without an order of ours.

    ``after``: the number of the first of the changes: beyond those that the journal held for this group when this was
    found out.  A second letter with the same number is the same letter, or one that did not know of the first: it is
    not applied (S9).
    """

    group_id: str
    cell: int
    after: int
    changes: tuple[PositionChange, ...]
    mismatch: str = ""  # what validation says of the group, where they put it off by more than the limit (S3)

    @property
    def letter_id(self) -> str:
        """The identity of this letter in ``processed_events``."""
        return f"positions/{self.group_id or f'account-{self.cell}'}/{self.after}"


class PositionIssue(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Something about positions that a person must know; it changes nothing by itself."""

    issue_id: str
    cell: int
    group_id: str
    severity: Severity
    kind: str
    symbol: str
    quantity: int
    text: str
    safeguard: str = ""  # S3 or S4, which acted by saying so

    @property
    def subject(self) -> str:
        """What tells this alert from others of its kind and group."""
        return self.issue_id.removeprefix(f"{self.kind}/")

    @property
    def alert_id(self) -> str:
        """The id under which the journal has the alert."""
        return ":".join(part for part in (self.kind, self.group_id, self.subject) if part)


Finding = PositionsMoved | PositionIssue
