"""Notifier: alerts leave the system here.  First into a file where an operator looks, then to the configured sinks.

It never waits for a sink (notifications/courier.py does, on threads of its own); what becomes of each alert is decided
in decisions/delivery.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import msgspec
from thespian.actors import ActorAddress, WatchMessage

from actors.machine import machine, now_ms
from actors.process import CannotStart, ProcessActor
from config.paths import alert_log_path
from decisions.delivery import Outbox
from messages import wire
from messages.supervision import AlertBatch, AlertBatchTaken, AlertDelivered
from notifications.apprise_sink import open_sinks
from notifications.courier import Courier
from notifications.port import Sink, SinkRefused, note_of

LOOK_MS = 200  # how often it looks for what is due and what is overdue, while an alert is on its way


class Notifier(ProcessActor):
    """Appends every alert to ``<journal_dir>/alerts.jsonl``, passes it to the sinks, and confirms it to its sender."""

    role: ClassVar[str] = "notifier"

    def __init__(self) -> None:
        super().__init__()
        self.handlers = {AlertBatch: self.on_alerts, WatchMessage: lambda _message, _sender: self.move()}
        self.senders: dict[str, ActorAddress] = {}
        self.sinks: tuple[Sink, ...] = ()
        self.file_problem = ""
        self.is_to_look = False

    def on_start(self) -> str:
        config = self.config.alerts
        try:
            self.sinks = open_sinks(config.urls, config.sink_timeout_ms)
        except SinkRefused as refusal:
            raise CannotStart(str(refusal)) from None
        self.measures.begin("alerts_total", "alerts_dropped_total")
        self.outbox = Outbox([sink.least for sink in self.sinks], config)
        self.courier = Courier(self.sinks)
        return ", ".join([str(self.path), *(sink.name for sink in self.sinks)])

    @property
    def path(self) -> Path:
        """The alert log."""
        return alert_log_path(self.config.system.journal_dir)

    def watched(self) -> list[int]:
        return [self.courier.fileno()] if self.sinks else []

    def on_wakeup(self, payload: Any) -> None:
        del payload
        self.is_to_look = False
        self.move()

    def on_exit(self) -> None:
        if self.sinks:
            self.courier.close()

    def on_alerts(self, batch: AlertBatch, sender: ActorAddress) -> None:
        """Take alerts over from a cell or a supervisor."""
        self.senders[batch.sender] = sender
        for alert in wire.alerts(batch.alerts):
            self.measures.add("alerts_total", severity=alert.severity.value)
            self.outbox.put(batch.sender, alert)
        self.move()

    def move(self) -> None:
        """Do everything that can be done now, and wait for nothing."""
        now = now_ms()
        self.file_alerts()
        for answer in self.courier.answers():
            self.note(self.outbox.answered(answer.attempt, taken=not answer.problem, now_ms=now), answer.problem)
        for sink in self.outbox.overdue(now):
            self.note(sink, f"no answer within {self.config.alerts.sink_timeout_ms} ms")
        for attempt in self.outbox.due(now, self.courier.free):
            self.courier.send(attempt.number, attempt.sink, note_of(attempt.alerts))
        self.confirm()
        if len(self.outbox) and not self.is_to_look:
            self.is_to_look = True
            self.wakeup(LOOK_MS, "look")

    def file_alerts(self) -> None:
        """Append what is not in the alert log yet; what cannot be written is tried again at the next look."""
        alerts = self.outbox.unfiled()
        if not alerts:
            return
        lines = b"".join(msgspec.json.encode(msgspec.structs.asdict(alert)) + b"\n" for alert in alerts)
        try:
            machine().append(self.path, lines)
        except OSError as error:
            if str(error) != self.file_problem:
                self.file_problem = str(error)
                machine().complain(f"alerts could not be written to {self.path}: {error}")
            return
        self.file_problem = ""
        self.outbox.filed()

    def note(self, sink: int | None, problem: str) -> None:
        """Count and log how a sink did; ``None`` was counted when it was given up."""
        if sink is None:
            return
        name, failures = self.sinks[sink].name, self.outbox.failures(sink)
        self.measures.add("alert_deliveries_total", sink=name, result="failed" if problem else "taken")
        if problem:
            self.log.warning("alert sink failed", sink=name, problem=problem, in_a_row=failures)

    def confirm(self) -> None:
        """Tell the senders what has been delivered."""
        found: dict[str, list[AlertDelivered]] = {}
        for sender, delivered in self.outbox.confirmations():
            found.setdefault(sender, []).append(delivered)
        for sender, all_delivered in found.items():
            self.send(self.senders[sender], AlertBatchTaken(wire.pack(all_delivered)))

    def measure(self) -> None:
        self.measures.set("alerts_waiting", len(self.outbox))
        for sink, port in enumerate(self.sinks):
            self.measures.set("alert_sink_up", float(not self.outbox.failures(sink)), sink=port.name)
        for severity, count in self.outbox.dropped.items():
            self.measures.set("alerts_dropped_total", count, severity=severity.value)
