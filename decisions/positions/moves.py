"""News that positions changed without an order of ours, taken into the journal and told to a person (R21, S4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from decisions.effects import Effects, Moment
from domain.groups import Group
from messages.positions import PositionChange, PositionIssue, PositionsMoved
from messages.records import PositionEventRecord, PositionKind, Severity

# What was lost so may be bought again under policy "complete"; the rest is gone for good.
REPLACEABLE = frozenset({PositionKind.MANUAL, PositionKind.UNEXPLAINED})

# How loud each kind is where it is a leg's, and what a person should know or do.
_LOUDNESS: dict[PositionKind, tuple[Severity, str]] = {
    PositionKind.ASSIGNMENT: (Severity.CRITICAL, "see what it turned into, and close or hedge that"),
    PositionKind.EXERCISE: (Severity.CRITICAL, "see what it turned into, and close or hedge that"),
    PositionKind.EXPIRY: (Severity.INFO, "nothing needs to be done"),
    PositionKind.LIQUIDATION: (Severity.CRITICAL, "the broker closed it; see to the account's margin"),
    PositionKind.MANUAL: (Severity.WARNING, "lost protection is replaced; cancel the group if you want out of it"),
    PositionKind.CORPORATE: (Severity.CRITICAL, "the contract was changed; close the group by hand or cancel it"),
    PositionKind.UNEXPLAINED: (Severity.CRITICAL, "ask the broker what happened; lost protection is replaced"),
}


def record(moved: PositionsMoved, moment: Moment, effects: Effects) -> tuple[PositionEventRecord, ...]:
    """The changes as records, each with its alert, which also says how far the group is off by them (S3)."""
    found = []
    if moved.mismatch:
        effects.acted("S3")
    for number, change in enumerate(moved.changes, start=moved.after):
        event = PositionEventRecord(
            event_id=f"{moved.group_id or f'account-{moved.cell}'}/{number}",
            group_id=moved.group_id,
            leg_id=change.leg_id,
            symbol=change.symbol,
            quantity=change.quantity,
            kind=change.kind,
            evidence=change.evidence,
            activity_id=change.activity_id,
            price=change.price,
            ts_ns=change.ts_ns,
        )
        found.append(event)
        effects.records.append(event)
        effects.acted("S4")
        _alert(moved, change, event.event_id, moment, effects)
    return tuple(found)


def _alert(moved: PositionsMoved, change: PositionChange, event_id: str, moment: Moment, effects: Effects) -> None:
    group_id = moved.group_id
    name = f"{change.quantity:+d} {change.symbol.strip()}"
    if not change.quantity:
        severity, kind = Severity.INFO, "POSITION_EXPLAINED"
        text = f"a change of {change.symbol.strip()} journaled before was {change.kind.value}: {change.evidence}"
    elif change.leg_id:
        (severity, advice), kind = _LOUDNESS[change.kind], f"POSITION_{change.kind.name}"
        text = f"group {group_id}: {name} without an order of ours, {change.kind.value} ({change.evidence}); {advice}"
        text += f"; {moved.mismatch}" if moved.mismatch else ""
    elif group_id:
        severity, kind = Severity.CRITICAL, "UNDERLYING_POSITION"
        text = (
            f"group {group_id}: {name} in the account by {change.kind.value} ({change.evidence}); nothing is done "
            "about it: close or hedge it by hand"
        )
    else:
        left = change.before + change.quantity
        severity, kind = Severity.CRITICAL if left < 0 else Severity.WARNING, "FOREIGN_POSITION"
        text = (
            f"{name} in the account belongs to no group: {change.kind.value} ({change.evidence}); it was recorded and "
            "is not touched"
        )
        if change.before * change.quantity < 0:
            text = f"{name} makes up for what belonged to no group, {left:+d} is left: {change.kind.value}"
            text += f" ({change.evidence}); no group changes by it"
    effects.alert(
        moment, severity, kind, text,
        group_id=group_id, symbol=change.symbol, quantity=change.quantity, subject=event_id,
    )  # fmt: skip


def tell(issue: PositionIssue, moment: Moment, effects: Effects) -> None:
    """A finding of the reconciler that changes nothing: an alert under its own name, once."""
    if issue.safeguard:
        effects.acted(issue.safeguard)
    effects.alert(
        moment, issue.severity, issue.kind, issue.text,
        group_id=issue.group_id, symbol=issue.symbol, quantity=issue.quantity,
        subject=issue.subject,
    )  # fmt: skip


def for_good(group: Group, lost: Mapping[str, int], moves: Iterable[PositionEventRecord], moment: Moment) -> bool:
    """Whether protection is lost that must not or cannot be bought again."""
    final = {move.leg_id for move in moves if move.quantity and move.kind not in REPLACEABLE}
    return any(leg_id in final or moment.expired(group.leg(leg_id).instrument) for leg_id in lost)
