"""The alerts of a cell that still wait: for delivery, or, when they are CRITICAL, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from config.schema import AlertsConfig
from decisions import alerts
from messages.operator import Acknowledge
from messages.records import EscalationRecord, Record, Severity
from messages.supervision import AlertDelivered


class AlertBook:
    """Made of records: what waits is what the journal says waits."""

    def __init__(self, waiting: Iterable[EscalationRecord], config: AlertsConfig) -> None:
        self._waiting = {alert.escalation_id: alert for alert in waiting}
        self._config = config
        self._freezes_ns: int | None = None  # None: to be worked out
        self._quiet_until_ns = 0  # nothing is due before

    def __iter__(self) -> Iterator[str]:
        return iter(self._waiting)

    @property
    def freezes_ns(self) -> int:
        """From when on they freeze new risk, as long as nobody sees them."""
        if self._freezes_ns is None:
            self._freezes_ns = alerts.freezes_ns(self._waiting.values(), self._config)
        return self._freezes_ns

    def follow(self, record: Record) -> None:
        """Keep up with what was decided."""
        if type(record) is EscalationRecord:
            self._quiet_until_ns = 0
            if record.acknowledged_ns or (record.delivered_ns and record.severity is not Severity.CRITICAL):
                self._waiting.pop(record.escalation_id, None)
            else:
                self._waiting[record.escalation_id] = record
            self._freezes_ns = None

    def acknowledged(self, command: Acknowledge, now_ns: int) -> EscalationRecord | None:
        """What is to be written when a person has seen it; ``None`` when it does not wait."""
        alert = self._waiting.get(command.escalation_id)
        return alert and replace(alert, acknowledged_ns=now_ns, acknowledged_by=command.by)

    def delivered(self, news: AlertDelivered, now_ns: int) -> EscalationRecord | None:
        """What is to be written when the Notifier has passed it on; ``None`` for old news."""
        alert = self._waiting.get(news.escalation_id)
        if alert is None or alert.repeats != news.repeats or alert.delivered_ns:
            return None
        return replace(alert, delivered_ns=now_ns)

    def repeats(self, now_ns: int) -> list[EscalationRecord]:
        """Those that are due to be told again.

        Most ticks find nothing due, and look at none of them: thousands may wait for a person.
        """
        if now_ns < self._quiet_until_ns:
            return []
        self._quiet_until_ns = alerts.quiet_until_ns(self._waiting.values(), now_ns, self._config)
        again = (alerts.repeat(alert, now_ns, self._config) for alert in self._waiting.values())
        return [alert for alert in again if alert is not None]
