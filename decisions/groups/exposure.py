"""How long shorts of a group stand uncovered, and who is told: the hedge lag, and a person when it grows (I6).

The clock of an exposure starts with the first uncovered unit and ends when none is left; it is a record, so that a
crash in between does not start it anew.
"""

from __future__ import annotations

from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment
from domain.execution import Side
from domain.groups import Group
from messages.records import ExposureRecord, Severity


def watch(
    exposure: ExposureRecord | None, quantity: int, group: Group, moment: Moment, effects: Effects
) -> ExposureRecord | None:
    """The exposure as it is now that ``quantity`` short units are uncovered; ``None`` while there is none."""
    if not quantity:
        if exposure is not None:
            effects.records.append(replace(exposure, covered_ns=max(1, moment.at_ns)))
        return None
    if exposure is None:
        shorts = [leg.instrument.symbol for leg in group.legs if leg.side is Side.SELL]
        exposure = ExposureRecord(
            group_id=group.group_id, opened_ns=moment.at_ns, symbol=shorts[0], quantity=quantity, covered_ns=0
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
