"""Alerts that wait for a person: repeated until acknowledged, and past a deadline they freeze new risk (S11, E18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from config.schema import AlertsConfig
from decisions.effects import MS
from domain.calendar import FOREVER_NS
from messages.records import EscalationRecord, Severity


def repeat(alert: EscalationRecord, now_ns: int, config: AlertsConfig) -> EscalationRecord | None:
    """The alert as it is to be sent again, or ``None`` while it is not due, is acknowledged, or is not CRITICAL.

    One that was raised before the broker's clock was ever heard (``raised_ns`` 0) begins to wait now.
    """
    if alert.severity is not Severity.CRITICAL or alert.acknowledged_ns:
        return None
    if not alert.raised_ns:
        return replace(alert, raised_ns=now_ns)
    if now_ns < alert.raised_ns + (alert.repeats + 1) * config.repeat_ms * MS:
        return None
    missed = (now_ns - alert.raised_ns) // (config.repeat_ms * MS)
    return replace(alert, repeats=max(alert.repeats + 1, missed), delivered_ns=0)


def told_again(alerts: Iterable[EscalationRecord], told: Mapping[str, int]) -> tuple[EscalationRecord, ...]:
    """Those that a person is told of again while no clock of the broker is heard, each as one repetition more.

    ``told``: the repetitions of which a person was told like this before, which no journal knows.  What has not been
    delivered once is on its way already.
    """
    return tuple(
        replace(alert, repeats=max(alert.repeats, told.get(alert.escalation_id, 0)) + 1, delivered_ns=0)
        for alert in alerts
        if alert.severity is Severity.CRITICAL and alert.delivered_ns and not alert.acknowledged_ns
    )


def freezes_ns(alerts: Iterable[EscalationRecord], config: AlertsConfig) -> int:
    """From when on new risk is frozen because a CRITICAL one of them still waits for a person (E18)."""
    waiting = (
        alert.raised_ns
        for alert in alerts
        if alert.severity is Severity.CRITICAL and alert.raised_ns and not alert.acknowledged_ns
    )
    first_ns = min(waiting, default=0)
    return first_ns + config.freeze_after_ms * MS if first_ns else FOREVER_NS


def freeze_text(cells: Iterable[int]) -> str:
    """Why the whole system takes no new risk, and what ends that; ``cells``: those whose alert has waited too long."""
    kept = ", ".join(map(str, cells))
    return f"E18: a CRITICAL alert has waited too long for a person (cell {kept}); 'alerts' lists it, 'ack' ends that"


def unheard_text(cells: Iterable[int]) -> str:
    """Why there is no new risk beside a gateway that was started; ``cells``: those that have not said Hello."""
    silent = ", ".join(map(str, cells))
    return f"E14: cell {silent} has not told yet which of its orders work; it does, or the broker lists them once more"


def quiet_until_ns(alerts: Iterable[EscalationRecord], now_ns: int, config: AlertsConfig) -> int:
    """The earliest time after ``now_ns`` at which one of them is to be sent again."""
    found = FOREVER_NS
    for alert in alerts:
        if alert.severity is not Severity.CRITICAL or alert.acknowledged_ns:
            continue
        again_ns = alert.raised_ns + (alert.repeats + 1) * config.repeat_ms * MS if alert.raised_ns else now_ns
        found = min(found, again_ns)
    return found
