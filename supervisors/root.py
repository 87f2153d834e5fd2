"""RootSupervisor: the top of the tree.  When it gives up, it turns the kill switch on and calls a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace
from thespian.actors import ActorAddress, ActorExitRequest

from actors.machine import machine
from config.realms import realms, view
from config.schema import Config
from decisions.supervision import ChildSpec
from domain.rollout import Realm
from messages import wire
from messages.operator import AskStatus, CommandDone, KillSwitch, ProcessStatus, SystemStatus, TellOperators
from messages.records import EscalationRecord, Severity
from messages.supervision import (
    PROTOCOL,
    AlertBatch,
    AlertBatchTaken,
    ChildFailed,
    Operate,
    Operated,
    PeersChanged,
    StartChild,
    StartRoot,
    Telemetry,
    Trouble,
)
from monitoring.measures import Measures
from supervisors.cells import CellDirectory
from supervisors.kill_file import kill_file, make_kill_file
from supervisors.supervisor import Child, Supervisor
from supervisors.tree import (
    CELL_SUPERVISORS,
    CELLS,
    GATEWAY,
    GATEWAYS,
    METRICS,
    NOTIFIER,
    PAPER_CELLS,
    PAPER_GATEWAY,
    known_as,
    meanwhile,
    realm_of,
    root_spec,
)


@dataclass(frozen=True, slots=True)
class AskDirectory:
    """Where is everybody? (main program to RootSupervisor)  ``number`` is one question's, as in ``Operate``."""

    number: int = 0


@dataclass(frozen=True, slots=True)
class Directory:
    """Addresses for the main program; ``failure`` says why the system cannot work."""

    root_pid: int
    gateways: dict[Realm, ActorAddress]  # those that are up
    cells: dict[int, ActorAddress]
    pids: dict[int, int]  # by cell
    failure: str
    halts: dict[Realm, str] = field(default_factory=dict)  # realms that take no new risk until the next start, and why
    number: int = 0  # of the question


class RootSupervisor(Supervisor):
    """Starts the notifier, the gateway, the cells and the metrics."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: dict[str, CellDirectory] = {}  # by the name of their supervisor
        self.cell_restarts: dict[str, int] = {}
        self.rested: dict[str, str] = {}  # what rests, and why
        self.halts: dict[Realm, str] = {}  # realms that take no new risk any more, and why
        self.unmarked: set[Realm] = set()  # those of them whose kill switch's file could not be written
        self.alerts = 0
        self.measures = Measures()
        self.told: set[str] = set()
        self.undelivered: dict[str, EscalationRecord] = {}
        self.handlers |= {
            StartRoot: self.on_start,
            CellDirectory: self.on_directory,
            AskDirectory: self.on_ask_directory,
            Operate: self.on_operate,
            Operated: lambda _message, _sender: None,
            AlertBatchTaken: self.on_alerts_taken,
            Trouble: lambda trouble, _sender: self.warn(trouble),
        }

    def on_start(self, message: StartRoot, sender: ActorAddress) -> None:
        if message.version != PROTOCOL:
            reason = f"the program speaks {message.version}, its root supervisor {PROTOCOL}: stop all of it first"
            self.send(sender, ChildFailed("root", reason, permanent=True))
            return
        self.encoded = message.config
        self.config = msgspec.msgpack.decode(message.config, type=Config)
        self.on_paper = msgspec.msgpack.encode(view(self.config, Realm.PAPER))
        self.log = machine().open_log(self.config, "root")
        self.spec = root_spec(self.config)
        self.start_children()
        self.on_ask_directory(AskDirectory(), sender)

    def child_ready(self, child: Child) -> None:
        """Tell the others where the notifier, the gateways and the metrics are now."""
        self.rested.pop(child.spec.name, None)
        if child.spec.name in (NOTIFIER, GATEWAY, PAPER_GATEWAY, METRICS):
            self.tell_children(PeersChanged({child.spec.name: child.address}))
        if child.spec.name == NOTIFIER:
            self.pass_alerts(*self.undelivered.values())
        realm = realm_of(child.spec.name)
        if realm in self.unmarked and child.spec.name == GATEWAYS[realm]:
            self.stop_gateway(realm)  # no file tells it
        if child.restarts:
            self.alert(Severity.WARNING, "PROCESS_RESTARTED", f"{child.spec.name} was restarted (pid {child.pid})")

    def start_child(self, spec: ChildSpec) -> None:
        """Cells do not outlive their supervisor: what is known of the old ones is over."""
        if spec.name in CELL_SUPERVISORS:
            gone = self.cells.pop(spec.name, CellDirectory(spec.name, {}, {}, ()))
            for status in gone.statuses:
                self.cell_restarts.pop(status.name, None)
        super().start_child(spec)

    def start_of(self, spec: ChildSpec) -> StartChild:
        """A child on paper is told of nothing but paper."""
        if realm_of(spec.name) is Realm.LIVE:
            return super().start_of(spec)
        peers = self.seen_by(spec.name, self.peers)
        return StartChild(spec.name, spec.position, self.on_paper, peers, Realm.PAPER.value)

    def seen_by(self, name: str, peers: dict[str, ActorAddress]) -> dict[str, ActorAddress]:
        return {known: address for peer, address in peers.items() if (known := known_as(name, peer))}

    def rests(self, spec: ChildSpec, reason: str) -> None:
        """What rests is worth one alert for each reason; of a vital child the halt tells."""
        name = spec.name
        if spec.vital or self.rested.get(name) == reason:
            return
        self.rested[name] = reason
        if realm_of(name) is Realm.PAPER:
            kind, text = "PAPER_DOWN", f"paper: {reason}; it is tried again, and live groups go on without it"
        else:
            kind, text = "PROCESS_DOWN", f"{reason}; {meanwhile(name)}; it is tried again"
        self.alert(Severity.WARNING, kind, text)

    def warn(self, trouble: Trouble) -> None:
        self.alert(Severity(trouble.severity), trouble.kind, trouble.text)

    def all_statuses(self) -> tuple[ProcessStatus, ...]:
        """Every process below."""
        return (*self.statuses(), *(status for directory in self.cells.values() for status in directory.statuses))

    def heartbeat(self) -> None:
        """Report how the tree is, besides asking."""
        super().heartbeat()
        self.pass_alerts(*self.undelivered.values())  # those of before may have been lost on their way
        self.keep_halted()
        metrics = self.children.get(METRICS)
        if metrics is not None and metrics.pid:
            self.measures.set("halted", bool(self.halted))
            for status in self.all_statuses():
                self.measures.set("process_up", status.is_up, child=status.name)
                self.measures.set("process_restarts_total", status.restarts, child=status.name)
            self.send(metrics.address, Telemetry("root", machine().pid(), wire.pack(self.measures.report())))

    def on_directory(self, message: CellDirectory, sender: ActorAddress) -> None:
        del sender
        self.cells[message.name] = message
        for status in message.statuses:
            if status.pid and status.restarts > self.cell_restarts.get(status.name, 0):
                self.cell_restarts[status.name] = status.restarts
                self.alert(Severity.WARNING, "PROCESS_RESTARTED", f"{status.name} was restarted (pid {status.pid})")

    def on_failed(self, message: ChildFailed, sender: ActorAddress) -> None:
        """A cell that cannot come back halts new risk, but the rest of the tree goes on protecting."""
        if message.name == CELLS:
            self.halted = self.halted or message.reason
            self.give_up(message.reason)
        elif message.name == PAPER_CELLS and message.permanent:
            text = (
                f"paper: no new group on paper: {message.reason}; live groups go on; once it is mended, restart the "
                "system and turn the kill switch off"
            )
            self.halt((Realm.PAPER,), message.reason, "PAPER_HALTED", text)
        else:
            super().on_failed(message, sender)

    def on_ask_directory(self, message: AskDirectory, sender: ActorAddress) -> None:
        ready = {
            realm: child.address
            for realm, name in GATEWAYS.items()
            if (child := self.children.get(name)) and child.is_up
        }
        cells = {cell: address for directory in self.cells.values() for cell, address in directory.addresses.items()}
        pids = {cell: pid for directory in self.cells.values() for cell, pid in directory.pids.items()}
        self.send(sender, Directory(machine().pid(), ready, cells, pids, self.halted, dict(self.halts), message.number))

    def on_operate(self, message: Operate, sender: ActorAddress) -> None:
        match wire.command(message.command):
            case AskStatus():
                status = SystemStatus(self.all_statuses(), self.halted)
                self.send(sender, Operated(message.number, message.command_id, wire.pack(status)))
            case TellOperators() as news:
                if message.command_id not in self.told:  # a command may come twice
                    self.told.add(message.command_id)
                    self.alert(Severity.INFO, news.kind, news.text)
                self.send(sender, Operated(message.number, message.command_id, wire.pack(CommandDone(news.text))))

    def give_up(self, reason: str) -> None:
        """Escalation ends in a safe halt: kill switch on, working entries canceled, a person called."""
        self.halt(realms(self.config), reason, "SYSTEM_HALTED", f"no new risk: {reason}")

    def halt(self, halted: Sequence[Realm], reason: str, kind: str, text: str) -> None:
        """The kill switch of these realms goes on, and stays on until the next start.

        Their gateways and a person are told before a disk is waited for, which may stall.
        """
        for realm in halted:
            self.halts.setdefault(realm, reason)
            self.stop_gateway(realm)
        self.alert(Severity.CRITICAL, kind, text)
        for realm in halted:
            self.mark(realm)

    def stop_gateway(self, realm: Realm) -> None:
        """Turn the kill switch on at the gateway of one realm."""
        gateway = self.children.get(GATEWAYS[realm])
        if gateway is not None:
            self.send(gateway.address, Operate(0, "halt", wire.pack(KillSwitch(on=True))))

    def mark(self, realm: Realm) -> None:
        """Write the file of a kill switch; what the disk does not take is tried again at each heartbeat."""
        problem = make_kill_file(self.config, realm)
        if not problem:
            self.unmarked.discard(realm)
        elif realm not in self.unmarked:
            self.unmarked.add(realm)
            self.log.error("the kill switch could not be written to disk", realm=realm.value, error=problem)

    def keep_halted(self) -> None:
        """What was asked before a halt may be carried out after it, and must not end it (R25)."""
        for realm in self.halts:
            if realm in self.unmarked:
                self.mark(realm)
            elif not self.is_marked(realm):
                self.log.error("halted, and the kill switch was turned off: it goes on again", realm=realm.value)
                self.stop_gateway(realm)
                self.mark(realm)

    def is_marked(self, realm: Realm) -> bool:
        """Whether the file of a kill switch is there; not, where that cannot be found out."""
        try:
            return kill_file(self.config, realm).exists()
        except OSError:
            return False

    def alert(self, severity: Severity, kind: str, text: str) -> None:
        """Send an alert of the tree's own; it is in the structured log too."""
        self.alerts += 1
        self.log.warning("alert", kind=kind, severity=severity.value, text=text)
        record = replace(_BLANK, escalation_id=f"{kind}:{self.alerts}", severity=severity, kind=kind, text=text)
        self.undelivered[record.escalation_id] = record
        notifier = self.children.get(NOTIFIER)
        if notifier is None or notifier.called:
            machine().complain(f"{kind}: {text}")  # nothing leaves by it: it is not there, or does not end
        self.pass_alerts(record)

    def pass_alerts(self, *alerts: EscalationRecord) -> None:
        notifier = self.children.get(NOTIFIER)
        if notifier is not None and alerts:
            self.send(notifier.address, AlertBatch("root", wire.pack(alerts)))

    def on_alerts_taken(self, taken: AlertBatchTaken, sender: ActorAddress) -> None:
        del sender
        for delivered in wire.delivered(taken.delivered):
            self.undelivered.pop(delivered.escalation_id, None)

    def on_exit_request(self, message: ActorExitRequest, sender: ActorAddress) -> None:
        self.log.info("shutting down")
        super().on_exit_request(message, sender)


_BLANK = EscalationRecord(
    escalation_id="",
    group_id="",
    severity=Severity.INFO,
    kind="",
    symbol="",
    quantity=0,
    text="",
    raised_ns=0,
    repeats=0,
    delivered_ns=0,
    acknowledged_ns=0,
    acknowledged_by="",
)
