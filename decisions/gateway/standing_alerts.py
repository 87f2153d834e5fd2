"""What a person is to hear of whatever stands stopped (E8, E11): derived from its record, so that no crash loses it."""

from __future__ import annotations

from decisions.gateway.standing import LOSS, TOLD
from domain.calendar import Calendar
from messages.controls import ControlAlert
from messages.records import ControlAction, ControlRecord, Severity


def alert_of(stopped: ControlRecord, calendar: Calendar) -> ControlAlert:
    """The alert of the day's loss, or of a symbol or a strategy that is disabled; the same whenever it is made."""
    if stopped.subject == LOSS:
        return ControlAlert(
            severity=Severity.CRITICAL,
            kind="LOSS_LIMIT",
            text=stopped.text,
            subject=calendar.day(stopped.at_ns).isoformat(),
        )
    whose = "in" if stopped.symbol else "of"  # of a strategy
    return ControlAlert(
        severity=Severity.CRITICAL,
        kind="REPEATED_EXECUTION",
        text=f"{stopped.text}; new risk {whose} it is stopped until 'controls enable \"{stopped.subject}\"'",
        subject=f"{stopped.subject}/{stopped.at_ns}",
        symbol=stopped.symbol,
    )


def told(stopped: ControlRecord) -> ControlRecord:
    """The record that a cell keeps the alert of this one, whose time it bears: a later stop is to be told again."""
    return ControlRecord(
        subject=TOLD + stopped.subject,
        control=stopped.control,
        action=ControlAction.MARKED,
        symbol=stopped.symbol,
        text="a cell keeps the alert",
        at_ns=stopped.at_ns,
    )
