"""How long shorts of a group stand uncovered, and who is told: the hedge lag, and a person when it grows (I6).

The clock of an exposure starts with the first uncovered unit and ends when none is left; it is a record, so that a
crash in between does not start it anew.  It starts when the broker took the protection back, not when that was heard:
of two busts the report of one may be lost, and told by a poll when the other has been hedged for seconds.  To the
market that is one exposure, and each half of it may be too short to call anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment
from domain.execution import ExecType, ExecutionReport
from domain.groups import Group
from domain.report_ids import execution_id
from messages.orders import News
from messages.positions import PositionsMoved
from messages.records import ExecutionStateRecord, ExposureRecord, Severity

_TAKES_BACK = frozenset({ExecType.TRADE_CANCEL, ExecType.TRADE_CORRECT})


class Taken(msgspec.Struct, frozen=True):
    """What the broker took back of a group without an order.  Snapshots tell it again, and then it is no news."""

    known: frozenset[tuple[str, str]] = frozenset()  # busts and corrections: order, execution id
    since_ns: int = 0  # since when something has been gone that the next look hears of; 0: nothing, or nobody says


def taken_before(states: Iterable[ExecutionStateRecord]) -> Taken:
    """As the journal knows it."""
    amended = (state for state in states if state.knowledge.count.amended)
    return Taken(
        frozenset(
            (state.client_order_id, execution.exec_id)
            for state in amended
            for execution in state.knowledge.executions
            if execution.kind in _TAKES_BACK
        )
    )


def taken_back(before: Taken, heard: Iterable[News | PositionsMoved]) -> Taken:
    """With what was just ``heard``; the earliest broker time counts."""
    for one in heard:
        if isinstance(one, ExecutionReport) and one.exec_type in _TAKES_BACK:
            key = one.client_order_id, execution_id(one)
            if key not in before.known:
                before = Taken(before.known | {key}, _earlier(before.since_ns, one.ts_ns))
        elif isinstance(one, PositionsMoved):
            for change in one.changes:
                before = replace(before, since_ns=_earlier(before.since_ns, change.ts_ns))
    return before


def looked(taken: Taken) -> Taken:
    """After a look, which has heard of all of it."""
    return replace(taken, since_ns=0) if taken.since_ns else taken


def _earlier(one_ns: int, other_ns: int) -> int:
    """Of two times; 0 is none."""
    return min(one_ns or other_ns, other_ns or one_ns)


def watch(
    exposure: ExposureRecord | None,
    bare: Mapping[str, int],
    group: Group,
    moment: Moment,
    effects: Effects,
    *,
    taken_ns: int = 0,
) -> ExposureRecord | None:
    """The exposure as it is now that so many units of each short leg are ``bare``; ``None`` while there is none.

    It goes by the contract of which most were when it began.  ``taken_ns``: since when protection has been gone of
    which nobody knew until now; 0: of none.
    """
    quantity = sum(bare.values())
    if not quantity:
        if exposure is not None:
            effects.records.append(replace(exposure, covered_ns=max(1, moment.at_ns)))
        return None
    if exposure is None:
        symbol = group.leg(max(bare, key=bare.__getitem__)).instrument.symbol
        opened_ns = min(moment.at_ns, taken_ns or moment.at_ns)
        exposure = ExposureRecord(
            group_id=group.group_id, opened_ns=opened_ns, symbol=symbol, quantity=quantity, covered_ns=0
        )
        effects.records.append(exposure)
    elif quantity > exposure.quantity:
        exposure = replace(exposure, quantity=quantity)
        effects.records.append(exposure)
    _tell(exposure, quantity, moment, effects)
    return exposure


def _tell(exposure: ExposureRecord, quantity: int, moment: Moment, effects: Effects) -> None:
    """Whatever the hedges are doing meanwhile: late is a warning, very late a person's business."""
    config = moment.config.alerts
    for severity, kind, patience_ms in (
        (Severity.WARNING, "HEDGE_LAG", config.hedge_lag_ms),
        (Severity.CRITICAL, "UNCOVERED_EXPOSURE", config.uncovered_ms),
    ):
        due = exposure.opened_ns + patience_ms * MS
        if moment.at_ns < due:
            effects.wake(due)
            continue
        effects.alert(
            moment,
            severity,
            kind,
            f"{quantity} short units of group {exposure.group_id} have been uncovered for "
            f"{(moment.at_ns - exposure.opened_ns) / 1e9:.1f} s",
            group_id=exposure.group_id,
            symbol=exposure.symbol,
            quantity=quantity,
            subject=str(exposure.opened_ns),
        )
