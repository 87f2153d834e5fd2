"""PositionReconciler: compares all journals with all that the broker says, and shares no state with either (E14).

It reads the journals read-only, is shown every snapshot by the gateway, and tells the cells what it finds; only they
write.  Nobody waits for it, and what it has not told yet it finds again after a crash.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import msgspec
from thespian.actors import ActorAddress

from actors.machine import Follower, machine, now_ms
from actors.process import ProcessActor
from config.paths import day_report_path, positions_path
from decisions.positions.books import Books
from decisions.positions.library import Library
from decisions.positions.position_report import PositionReport, day_to_close, end_of_day, report
from decisions.positions.reconciler import Look, Reconciler
from decisions.positions.start_check import StartCheck
from domain.calendar import calendar
from domain.rollout import FIRST_CELL
from messages import wire
from messages.positions import Attend, BrokerSeen, Compared, Finding, Findings, Probe, Verdict
from monitoring.catalogue import DIFFERENCES
from storage.follower import JournalReplaced
from storage.port import JournalError

ASK_MS = 500  # while something is suspected, the broker is asked again so often
ATTEND_AGAIN_MS = 15_000  # a gateway that shows nothing for so long may have forgotten us


class PositionReconciler(ProcessActor):
    """One per system; not vital: without it trading goes on, and its absence is seen in ``status``."""

    role: ClassVar[str] = "reconciler"

    def __init__(self) -> None:
        super().__init__()
        self.handlers = {BrokerSeen: self.on_seen}
        self.followers: dict[Path, tuple[Follower, Books]] = {}
        self.symbols: frozenset[str] = frozenset()
        self.last: PositionReport | None = None
        self.problem = "no snapshot yet"
        self.asking = False
        self.opened = False  # a gateway has passed the start check while we looked
        self.gateway: ActorAddress | None = None
        self.heard = False  # whether this gateway has shown anything: then it knows of us
        self.shown_ms = 0  # when it last showed a snapshot, by the machine's clock

    def on_start(self) -> str:
        self.reconciler, self.start = Reconciler(self.config), StartCheck()
        self.measures.begin("positions_compared_total", "position_differences", "position_changes_total")
        self.on_peers()
        self.wakeup(ASK_MS, "ask")
        return str(self.path)

    @property
    def path(self) -> Path:
        """Where the last comparison is written."""
        return positions_path(self.config.system.journal_dir)

    def state(self) -> str:
        if self.last is None or self.problem:
            return "waiting"
        return "balanced" if self.last.balanced else "differences"

    def detail(self) -> str:
        if self.problem or self.last is None:
            return self.problem
        return "; ".join(self.last.differences[:3]) or str(self.path)

    def on_peers(self) -> None:
        """Present ourselves to a gateway that may be new."""
        if self.peers.get("gateway") != self.gateway:
            self.gateway, self.heard = self.peers.get("gateway"), False
        if "gateway" in self.peers:
            self.send(self.peers["gateway"], Attend(self.symbols, self.opened))

    def on_wakeup(self, payload: Any) -> None:
        """Ask again.  A gateway that has shown nothing yet may not know of us, and new risk waits there (E14)."""
        del payload
        self.wakeup(ASK_MS, "ask")
        if not self.heard or now_ms() - self.shown_ms > ATTEND_AGAIN_MS:
            self.shown_ms = now_ms()
            self.on_peers()
        elif self.asking and "gateway" in self.peers:
            self.send(self.peers["gateway"], Probe())

    def on_seen(self, message: BrokerSeen, sender: ActorAddress) -> None:
        """A snapshot: read the journals after it, so that what it shows of ours has been written by then (I1)."""
        del sender
        self.heard, self.shown_ms = True, now_ms()
        view = wire.view(message.view)
        self.opened |= view.opened
        try:
            library = self.read_journals()
        except JournalError as error:
            self.problem, self.asking = f"no comparison: {error}", True
            return
        look = self.reconciler.look(view, library)
        if look is not None:
            self.problem = ""
            verdict = self.start.judge(look, library, view)
            self.send(self.peers["gateway"], Compared(wire.pack(verdict)))  # before the findings: see start_check.py
            self.conclude(look, library, verdict)
            self.asking |= not view.opened  # until the gateway has heard of a comparison that holds nothing back

    def read_journals(self) -> Library:
        """All journals as of now.  Raises ``JournalError`` when one cannot be read: then nothing is compared."""
        directory, cells = self.config.system.journal_dir, self.config.system.cells
        paths = machine().journals(directory)
        if len(paths) < cells:
            raise JournalError(f"{len(paths)} of {cells} journals are in {directory}")
        for path in paths:
            follower, books = self.followers.setdefault(path, (machine().follow_journal(path), Books()))
            try:
                records = follower.read()
            except JournalReplaced:
                del self.followers[path]
                raise
            for record in records:
                books.follow(record)
        return Library(books for _, books in self.followers.values())

    def conclude(self, look: Look, library: Library, verdict: Verdict) -> None:
        """Tell the cells, write down what was seen, and ask again while something is open."""
        self.last = report(look, library, verdict.held)
        self.asking = bool(look.suspected or look.moved)
        self.measures.add("positions_compared_total")
        for kind in DIFFERENCES:
            found = sum(key.startswith(f"{kind}/") for key in (*look.confirmed, *look.suspected))
            self.measures.set("position_differences", found, kind=kind)
        findings = (*look.findings, *self.close_day(self.last, library))
        if findings:
            self.log.warning("findings", findings=[type(one).__name__ for one in findings])
            self.measures.add("position_changes_total", look.moved)
            self.send(self.peers["gateway"], Findings(wire.pack(findings)))
        self.write(self.path, self.last)
        self.watch(library)

    def watch(self, library: Library) -> None:
        """Have quotes of the underlyings of everything that is held."""
        symbols = library.underlyings()
        if symbols != self.symbols:
            self.symbols = symbols
            self.on_peers()

    def close_day(self, last: PositionReport, library: Library) -> tuple[Finding, ...]:
        """The final comparison of a day, when nothing is merely suspected any more (E19).

        It is told until the alert is in a journal: the day is closed by what is written down, not by having sent it.
        """
        hours = calendar(self.config.broker.calendar)
        ended = day_to_close(last.as_of_ns, self.config.reconciliation.end_of_day, hours, library.began_ns())
        if ended is None or last.suspected:
            return ()
        path = day_report_path(self.config.system.journal_dir, ended.day)
        issue = end_of_day(last, ended, str(path), FIRST_CELL[self.realm])
        if library.is_told(issue.alert_id):
            return ()
        self.write(path, last)
        return (issue,)

    def write(self, path: Path, last: PositionReport) -> None:
        """Put a report in its place, whole or not at all; a full disk must not stop the comparison."""
        try:
            machine().replace(path, msgspec.json.format(msgspec.json.encode(last), indent=1))
        except OSError as error:
            self.log.error("a report could not be written", path=str(path), error=str(error))
