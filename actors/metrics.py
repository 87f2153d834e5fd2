"""Metrics: what the processes report, served to Prometheus.  It asks nobody, and nobody waits for it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from thespian.actors import ActorAddress

from actors.machine import machine, now_ms
from actors.process import ProcessActor
from config.paths import all_journal_paths, cell_of_journal
from config.realms import realms
from domain.rollout import realm_of_cell
from messages import wire
from messages.records import Severity
from messages.supervision import Telemetry, Trouble
from monitoring.board import Board
from monitoring.exposition import HOST, serve
from storage.port import JournalError
from storage.reader import Counts, JournalReader

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

COUNT_MS = 500  # how often the journals are counted, at most
COUNT_SHARE = 20  # and it sleeps this many times as long as counting took
BIND_AGAIN_MS = 5_000


class Metrics(ProcessActor):
    """One per system, unless ``metrics.port`` is 0.  Without its port it keeps trying; the system goes on meanwhile."""

    role: ClassVar[str] = "metrics"

    def __init__(self) -> None:
        super().__init__()
        self.handlers = {Telemetry: self.on_telemetry}
        self.board = Board()
        self.server: WSGIServer | None = None
        self.complained = False
        self.counted: dict[Path, Counts] = {}  # what each journal held when it could be read last
        self.unread: set[Path] = set()

    def on_start(self) -> str:
        self.open_door()
        self.wakeup(COUNT_MS, "count")
        return f"http://{HOST}:{self.config.metrics.port}/metrics"

    def state(self) -> str:
        return "running" if self.server is not None else "its port is in use"

    def on_telemetry(self, message: Telemetry, sender: ActorAddress) -> None:
        """A process says how it is."""
        del sender
        self.board.take(message.process, message.pid, wire.report(message.report), now_ms())

    def on_wakeup(self, payload: Any) -> None:
        if payload == "bind":
            self.open_door()
            return
        began = now_ms()
        self.count_journals()
        self.board.take(self.name, machine().pid(), self.measures.report(), now_ms())
        self.wakeup(max(COUNT_MS, COUNT_SHARE * (now_ms() - began)), "count")

    def on_exit(self) -> None:
        if self.server is not None:
            self.server.server_close()

    def open_door(self) -> None:
        """Listen; where that cannot be, say so once and try again later."""
        port = self.config.metrics.port
        try:
            self.server = serve(self.board, port)
        except OSError as error:
            self.wakeup(BIND_AGAIN_MS, "bind")
            if not self.complained:
                self.complained = True
                text = (
                    f"port {port} of {HOST} cannot be used ({error.strerror}), so there are no metrics; "
                    "stop what uses it, or set metrics.port to another and start again"
                )
                self.log.error("no metrics", port=port, reason=str(error))
                self.send(self.parent, Trouble("METRICS_UNAVAILABLE", text))
            return
        if self.complained:
            self.log.info("metrics are served now", port=port)

    def count_journals(self) -> None:
        """What the journals hold.

        One that cannot be read just now counts as when it last could: its alerts need somebody all the same.  One that
        never could is left out.
        """
        intents: Counter[tuple[str, str]] = Counter()
        groups: Counter[tuple[str, str]] = Counter()
        unacknowledged: Counter[tuple[str, str]] = Counter(
            {(realm.value, severity.value): 0 for realm in realms(self.config) for severity in Severity}
        )
        paths = all_journal_paths(self.config.system.journal_dir)
        self.counted = {path: counts for path in paths if (counts := self.counts_of(path)) is not None}
        for path, counts in self.counted.items():
            realm = realm_of_cell(cell_of_journal(path)).value
            intents.update({(realm, status): count for status, count in counts.intents.items()})
            groups.update({(realm, outcome): count for outcome, count in counts.groups.items()})
            unacknowledged.update({(realm, severity): count for severity, count in counts.unacknowledged.items()})
        for name in ("intents", "groups", "alerts_unacknowledged"):
            self.measures.forget(name)
        for (realm, status), count in intents.items():
            self.measures.set("intents", count, realm=realm, status=status)
        for (realm, outcome), count in groups.items():
            self.measures.set("groups", count, realm=realm, outcome=outcome)
        for (realm, severity), count in unacknowledged.items():
            self.measures.set("alerts_unacknowledged", count, realm=realm, severity=severity)

    def counts_of(self, path: Path) -> Counts | None:
        """What this journal holds, or held when it could be read last; ``None`` when it never could."""
        try:
            with JournalReader(path) as reader:
                counts = reader.counts()
        except JournalError as error:
            if path not in self.unread:
                self.log.warning("a journal is not counted anew", journal=str(path), reason=str(error))
            self.unread.add(path)
            return self.counted.get(path)
        self.unread.discard(path)
        return counts
