"""What the Notifier needs of a sink: a place outside the system where a person sees an alert."""

from __future__ import annotations

from typing import Protocol

import msgspec

from messages.records import LOUDNESS, EscalationRecord, Severity


class SinkRefused(Exception):
    """A configured sink cannot be used; the message says which, why, and what to write instead, and no secret."""


class SinkFailed(Exception):
    """The sink did not take a note; the message says why, as far as that is known."""


class Note(msgspec.Struct, frozen=True):
    """What a sink shows: the loudest severity of what is in it, a line, and the text."""

    severity: Severity
    title: str
    body: str


class Sink(Protocol):
    """One place.  It may be slow and it may hang: only a thread that nobody waits for calls :meth:`send`."""

    @property
    def name(self) -> str:
        """Short, unique, without secrets: for logs and metrics."""

    @property
    def least(self) -> Severity:
        """It takes alerts of this severity and louder ones."""

    def send(self, note: Note) -> None:
        """Hand the note over; returns when the sink has taken it.  Raises :class:`SinkFailed`."""


def note_of(alerts: tuple[EscalationRecord, ...]) -> Note:
    """One note about these alerts, at least one, in their order."""
    loudest = max((alert.severity for alert in alerts), key=LOUDNESS.__getitem__)
    first = alerts[0]
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    return Note(loudest, f"legkeeper {loudest.value}: {first.kind}{more}", "\n".join(map(_line, alerts)))


def _line(alert: EscalationRecord) -> str:
    again = f" (repeated, {alert.repeats})" if alert.repeats else ""
    return f"{alert.severity.value} {alert.kind}{again}: {alert.text} [{alert.escalation_id}]"
