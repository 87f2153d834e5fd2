"""Alerts that wait for a person: repeated until acknowledged, and past a deadline they freeze new risk (S11, E18)."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from config.schema import AlertsConfig
from decisions.effects import MS
from messages.records import EscalationRecord, Severity

NEVER_NS = 2**63 - 1


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


def frozen(alerts: Iterable[EscalationRecord], now_ns: int, config: AlertsConfig) -> bool:
    """Whether a CRITICAL alert has waited for a person past its deadline."""
    return any(
        alert.severity is Severity.CRITICAL
        and not alert.acknowledged_ns
        and alert.raised_ns
        and now_ns >= alert.raised_ns + config.freeze_after_ms * MS
        for alert in alerts
    )


def quiet_until_ns(alerts: Iterable[EscalationRecord], now_ns: int, config: AlertsConfig) -> int:
    """The earliest time after ``now_ns`` at which one of them is to be sent again, or freezes new risk."""
    found = NEVER_NS
    for alert in alerts:
        if alert.severity is not Severity.CRITICAL or alert.acknowledged_ns:
            continue
        again_ns = alert.raised_ns + (alert.repeats + 1) * config.repeat_ms * MS if alert.raised_ns else now_ns
        freezes_ns = alert.raised_ns + config.freeze_after_ms * MS
        found = min(found, again_ns, freezes_ns if freezes_ns > now_ns else found)
    return found
