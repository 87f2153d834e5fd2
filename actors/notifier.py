"""Notifier: alerts leave the system here.  It writes them down where an operator looks, and confirms."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import ClassVar

import msgspec
from thespian.actors import ActorAddress

from actors.process import ProcessActor
from config.paths import alert_log_path
from messages import wire
from messages.supervision import AlertBatch, AlertBatchTaken, AlertDelivered


class Notifier(ProcessActor):
    """Appends every alert to ``<journal_dir>/alerts.jsonl`` and confirms it when the line is on disk."""

    role: ClassVar[str] = "notifier"

    def __init__(self) -> None:
        super().__init__()
        self.handlers = {AlertBatch: self.on_alerts}

    def on_start(self) -> str:
        return str(self.path)

    @property
    def path(self) -> Path:
        """The alert log."""
        return alert_log_path(self.config.system.journal_dir)

    def on_alerts(self, batch: AlertBatch, sender: ActorAddress) -> None:
        """Pass alerts on; what cannot be written is not confirmed, and comes again with its repetition."""
        alerts = wire.alerts(batch.alerts)
        lines = b"".join(msgspec.json.encode(msgspec.structs.asdict(alert)) + b"\n" for alert in alerts)
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.write(descriptor, lines)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            sys.stderr.write(f"alerts could not be written to {self.path}: {error}\n")
            return
        self.send(sender, AlertBatchTaken(wire.pack([AlertDelivered(a.escalation_id, a.repeats) for a in alerts])))
