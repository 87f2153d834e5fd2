"""What an independent reconciler concludes from snapshot after snapshot (E14, R21).

A difference is *suspected* when it is first seen, and asked about again at once.  It is *confirmed* when a second,
later snapshot shows the same, a grace of broker time later, with no order of ours that could explain it still unseen.
A snapshot that is not newer than the last one proves nothing and is passed over (I13).  All of this is forgotten by a
crash, and found again: what was concluded is in the journals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from config.schema import Config
from decisions.effects import MS
from decisions.positions.expiry_watch import ExpiryNotice, watch_expiries
from decisions.positions.library import Library
from decisions.positions.position_changes import allocate, explain, settled
from decisions.positions.position_checks import GroupCheck, check_groups, issues
from decisions.positions.positions import Comparer, Comparison
from domain.calendar import calendar
from messages.positions import BrokerView, Finding, PositionIssue


class Suspect(msgspec.Struct, frozen=True):
    """A difference and since when it is the same."""

    value: str
    first_ns: int
    seen: int


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one snapshot led to."""

    comparison: Comparison
    checks: tuple[GroupCheck, ...]
    expiries: tuple[ExpiryNotice, ...]
    findings: tuple[Finding, ...]
    suspected: tuple[str, ...]  # keys of differences that are not confirmed yet: ask again
    confirmed: tuple[str, ...]
    moved: int  # changes without orders that this look found

    @property
    def balanced(self) -> bool:
        """Whether both sides say the same."""
        return not self.suspected and not self.confirmed


class Reconciler:
    """Between two snapshots it holds suspicions, nothing else."""

    def __init__(self, config: Config) -> None:
        self._config = config.reconciliation
        self._calendar = calendar(config.broker.calendar)
        self._comparer = Comparer()
        self._suspects: dict[str, Suspect] = {}
        self._last_ns = 0
        self._began_ns = 0  # when this incarnation first looked
        self._session = 0

    def look(self, view: BrokerView, library: Library) -> Look | None:
        """Compare; ``None`` for a snapshot that is not newer than the last one of its session."""
        snapshot = view.snapshot
        if snapshot.session == self._session and snapshot.as_of_ns <= self._last_ns:
            return None
        self._session, self._last_ns = snapshot.session, snapshot.as_of_ns
        self._began_ns = self._began_ns or snapshot.as_of_ns
        comparison = self._comparer.compare(library, view)
        quotes = {quote.symbol: quote for quote in view.quotes}
        checks = check_groups(library, comparison, self._config.variance_pct)
        self._note(_differences(comparison, checks), snapshot.as_of_ns)
        sure = {key for key, suspect in self._suspects.items() if self._is_sure(key, suspect, snapshot.as_of_ns)}
        moved_symbols = {key.removeprefix("position/") for key in sure if key.startswith("position/")}
        known = {one.symbol for one in comparison.symbols if not one.slack and not one.unheard}
        causes = explain(comparison, moved_symbols & known, library, quotes, self._calendar)
        over = settled(comparison, causes, library, self._calendar)
        off = {check.group_id: check.finding for check in checks if check.is_issue}
        moved = [replace(letter, mismatch=off.get(letter.group_id, "")) for letter in allocate(causes, library, over)]
        expiries = watch_expiries(library, quotes, snapshot.as_of_ns, self._config, self._calendar)
        first = {key: suspect.first_ns for key, suspect in self._suspects.items()}
        return Look(
            comparison=comparison,
            checks=checks,
            expiries=expiries,
            findings=(*moved, *self._untold((*issues(checks, sure, first), *(one.issue for one in expiries)), library)),
            suspected=tuple(sorted(self._suspects.keys() - sure)),
            confirmed=tuple(sorted(sure)),
            moved=sum(len(letter.changes) for letter in moved),
        )

    def _untold(self, found: Iterable[PositionIssue], library: Library) -> list[PositionIssue]:
        """Issues that no alert in the journals has told yet.

        A mismatch that was there when this incarnation first looked may be one that its predecessor told, under the
        time at which that one saw it begin: then an alert of the same group in the same words exists.
        """
        return [one for one in found if not library.is_told(one.alert_id) and not self._inherited(one, library)]

    def _inherited(self, issue: PositionIssue, library: Library) -> bool:
        began = issue.subject.endswith(f"/{self._began_ns}")
        return began and library.has_told(issue.kind, issue.group_id, issue.text)

    def _note(self, found: Mapping[str, str], as_of_ns: int) -> None:
        """Keep what is the same as before, begin anew with what is not, and drop what is over."""
        before, self._suspects = self._suspects, {}
        for key, value in found.items():
            known = before.get(key)
            if known is not None and known.value == value:
                self._suspects[key] = Suspect(value, known.first_ns, known.seen + 1)
            else:
                self._suspects[key] = Suspect(value, as_of_ns, 1)

    def _is_sure(self, key: str, suspect: Suspect, as_of_ns: int) -> bool:
        """Orders and trades are the cells' to put right with their next poll, and have that long."""
        patience_ms = self._config.grace_ms + (self._config.poll_ms if key.startswith(("order/", "fill/")) else 0)
        return suspect.seen >= 2 and as_of_ns - suspect.first_ns >= patience_ms * MS


def _differences(comparison: Comparison, checks: Iterable[GroupCheck]) -> dict[str, str]:
    """Every difference under its name, with what it amounts to; foreign orders are the cells' to alert."""
    found = {f"position/{one.symbol}": str(one.difference) for one in comparison.symbols if one.difference}
    found |= {one.key: f"{one.journal}/{one.broker}" for one in comparison.orders if one.kind != "foreign"}
    found |= {check.key: check.severity.value for check in checks if check.severity}
    return found
