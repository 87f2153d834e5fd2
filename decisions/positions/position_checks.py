"""Position validation (S3): each group against what the broker holds; buy and sell sides, and the hedge ratio.

A leg is expected to hold its target once its group is certified hedged, else what its fills say.  The difference to the
broker's position, in per cent of the target, is the variance: above the limit it is an issue, and CRITICAL when shorts
stand without the protection that the journal counts on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from decisions.positions.library import Library
from decisions.positions.owners import Owners
from decisions.positions.positions import Comparison
from domain.coverage import lacking, uncovered
from domain.execution import Side
from domain.groups import Group, GroupOutcome, Mode
from messages.orders import ActivityKind
from messages.positions import PositionIssue
from messages.records import GroupRecord, Severity


class LegCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One leg, in units of its own direction; ``broker`` is the group's share of the broker's position."""

    leg_id: str
    symbol: str
    side: Side
    target: int
    expected: int
    broker: int
    variance_pct: float


class GroupCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One group; ``severity`` is ``None`` while everything is as it should be."""

    group_id: str
    cell: int
    legs: tuple[LegCheck, ...]
    bought: int
    sold: int
    hedge_ratio_pct: float  # short units that the broker's longs protect
    uncovered: int
    severity: Severity | None
    finding: str  # what is not as it should be, in words

    @property
    def text(self) -> str:
        """The finding with what it is about, and where to see more; "" where there is none."""
        return self.finding and f"group {self.group_id}: {self.finding}; 'positions' shows both sides"

    @property
    def is_issue(self) -> bool:
        """Whether it is off by more than the limit: S3 says so, to whoever hears of the cause as well."""
        return self.severity in (Severity.WARNING, Severity.CRITICAL)

    @property
    def key(self) -> str:
        """What this check is about."""
        return f"group/{self.group_id}"


def check_groups(library: Library, comparison: Comparison, limit_pct: float) -> tuple[GroupCheck, ...]:
    """All groups that hold something, or should."""
    held, shares = library.held(), shares_of_groups(library, comparison)
    found = []
    for record in library.groups():
        keys = [(record.group_id, leg.leg_id) for leg in record.group.legs]
        if record.outcome is GroupOutcome.OPEN or any(held.get(key) or shares.get(key) for key in keys):
            found.append(_check(record, held, shares, limit_pct))
    return tuple(found)


def shares_of_groups(library: Library, comparison: Comparison) -> dict[tuple[str, str], int]:
    """What the broker holds of each group's legs, signed, as if what is not explained yet were handed out now."""
    moved = [one for one in comparison.symbols if one.difference]
    owners = Owners(library, ((one.symbol, one.difference) for one in moved))
    for one in moved:
        by_hand = all(activity.kind is ActivityKind.MANUAL for activity in one.activities)
        owners.hand_out(one.symbol, one.difference, by_hand=by_hand)
    return owners.held


def _check(
    record: GroupRecord, held: Mapping[tuple[str, str], int], shares: Mapping[tuple[str, str], int], limit_pct: float
) -> GroupCheck:
    group, hedged = record.group, record.outcome is GroupOutcome.HEDGED and record.mode is Mode.ENTERING
    legs = []
    for leg in group.legs:
        key, sign = (record.group_id, leg.leg_id), leg.side.sign
        expected = leg.target_qty if hedged else sign * held.get(key, 0)
        broker = sign * shares.get(key, 0)
        legs.append(
            LegCheck(
                leg_id=leg.leg_id,
                symbol=leg.instrument.symbol,
                side=leg.side,
                target=leg.target_qty,
                expected=expected,
                broker=broker,
                variance_pct=100 * abs(broker - expected) / leg.target_qty,
            )
        )
    there = {leg.leg_id: leg.broker for leg in legs}
    bare, short = _uncovered(group, there)
    exposed = any(lacking(group.legs, there, {leg.leg_id: leg.expected for leg in legs}).values())
    worst = max(legs, key=lambda leg: leg.variance_pct)
    severity = _severity(worst.variance_pct, limit_pct, exposed=exposed or any(leg.broker < 0 for leg in legs))
    return GroupCheck(
        group_id=record.group_id,
        cell=record.cell,
        legs=tuple(legs),
        bought=sum(leg.broker for leg in legs if leg.side is Side.BUY),
        sold=short,
        hedge_ratio_pct=100 * (short - bare) / short if short else 100.0,
        uncovered=bare,
        severity=severity,
        finding=_finding(worst, bare) if severity else "",
    )


def _uncovered(group: Group, units: Mapping[str, int]) -> tuple[int, int]:
    """Short units that nothing protects, and all short units."""
    positive = {leg_id: max(0, quantity) for leg_id, quantity in units.items()}
    longs = {leg.leg_id: positive[leg.leg_id] for leg in group.legs if leg.side is Side.BUY}
    shorts = {leg.leg_id: positive[leg.leg_id] for leg in group.legs if leg.side is Side.SELL}
    return sum(uncovered(group.legs, longs, shorts).values()), sum(shorts.values())


def _severity(variance_pct: float, limit_pct: float, *, exposed: bool) -> Severity | None:
    if not variance_pct:
        return None
    if variance_pct <= limit_pct:
        return Severity.INFO
    return Severity.CRITICAL if exposed else Severity.WARNING


def _finding(worst: LegCheck, bare: int) -> str:
    text = (
        f"the broker holds {worst.side.value} {worst.broker} of {worst.symbol.strip()} where {worst.expected} are "
        f"expected ({worst.variance_pct:.0f} % of the target)"
    )
    return text + (f"; {bare} short units stand unprotected" if bare else "")


def issues(
    checks: Collection[GroupCheck], sure: AbstractSet[str], first_ns: Mapping[str, int]
) -> tuple[PositionIssue, ...]:
    """What has persisted and is more than a remark, as letters; each time that it begins is one issue."""
    return tuple(
        PositionIssue(
            issue_id=f"POSITION_MISMATCH/{check.group_id}/{first_ns[check.key]}",
            cell=check.cell,
            group_id=check.group_id,
            severity=check.severity or Severity.WARNING,
            kind="POSITION_MISMATCH",
            symbol=max(check.legs, key=lambda leg: leg.variance_pct).symbol,
            quantity=check.uncovered,
            text=check.text,
            safeguard="S3",
        )
        for check in checks
        if check.is_issue and check.key in sure
    )
