"""The whole system in real processes, as an operator starts it, with a hand on every process of it.

For the tests and for the kill campaign.  Everything that is started carries a marker in its environment, which every
descendant inherits: that is how :meth:`Bench.left` finds what was left behind, whoever its parent is by then.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from cli import control
from cli.problems import CommandFailed
from config.paths import alert_log_path, control_path, journal_paths
from domain.execution import Side
from domain.groups import GroupOutcome, Plan, PlanLeg, PlanStop, group_part, group_tag
from domain.plans import home_cell
from messages.records import EscalationRecord, GroupRecord, IntentRecord
from storage.port import JournalError
from storage.reader import JournalReader
from venue.child import Steering, VenueChild
from venue.truth import TruthEvent, read_truth

ROOT = Path(__file__).resolve().parents[1]
MARKER = "SYSTEM_UNDER_TEST"
DEADLINE_S = 40.0  # of any single condition: generous, because a test must never fail of a slow machine
STOP_DEADLINE_S = 20.0
NEVER_MS = 100_000_000  # no alert of these tests arrives because it was repeated

T = TypeVar("T")


def wait_for(
    condition: Callable[[], T], what: str, deadline_s: float = DEADLINE_S, otherwise: Callable[[], object] = tuple
) -> T:
    """The first truthy answer of ``condition``; ``AssertionError`` that says what was waited for, and ``otherwise``."""
    deadline = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {deadline_s:g} s for {what}; last answer: {answer!r} {otherwise() or ''}")
        time.sleep(0.02)


_ports = count(os.getpid() * 37)  # each process begins elsewhere


def free_port() -> int:
    """A port of the loopback interface that nobody listens on.

    It lies below those that the kernel gives to outgoing connections: one of those may take any other port meanwhile.
    """
    for _ in range(20_000):
        port = 10_000 + next(_ports) % 20_000
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port of the loopback interface is free between 10,000 and 30,000")


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    return _stat(pid)[:1] not in (["Z"], [])


def parent_of(pid: int) -> int:
    """The parent of a running process."""
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    """State, parent and the rest of ``/proc/<pid>/stat`` (proc(5)); empty when there is no such process."""
    return _fields(Path(f"/proc/{pid}/stat"))


def _fields(path: Path) -> list[str]:
    try:
        return path.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def stop(pid: int) -> None:
    """Freeze a process, and wait until it stands still."""
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: stands_still(pid), f"process {pid} to stand still")


def stands_still(pid: int) -> bool:
    """Whether a process is frozen, and every thread of it: one that waits for a disk stands still after that only."""
    threads = [_fields(path)[:1] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return bool(threads) and all(state in (["T"], ["t"]) for state in threads)


def cont(pid: int) -> None:
    """Let a frozen process go on; no error when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def plan(group_id: str, quantity: int = 30, stops: tuple[PlanStop, ...] = ()) -> Plan:
    """A vertical spread on the exchange's made-up chain: puts for the first cell, calls for the second."""
    short, wing = (("P00485000", "P00470000"), ("C00515000", "C00530000"))[home_cell(group_id, 2)]
    return Plan(
        group_id=group_id,
        quantity=quantity,
        stops=stops,
        strategy="vertical",
        legs=(
            PlanLeg(leg_id="short", symbol=f"LEGK  260220{short}", side=Side.SELL),
            PlanLeg(leg_id="wing", symbol=f"LEGK  260220{wing}", side=Side.BUY),
        ),
    )


def id_in_cell(cell: int, word: str, cells: int = 2) -> str:
    """A group id that begins with ``word`` and lives in this cell."""
    return next(name for n in range(1000) if home_cell(name := f"{word}-{n}", cells) == cell)


class Bench:
    """One exchange, journal directory and configuration; systems start and end on it, one after the other."""

    def __init__(self, directory: Path, venue: VenueChild | None, supervision: Mapping[str, int] | None = None) -> None:
        self.directory = directory
        self.journal_dir = directory / "journal"
        self.truth_path = directory / "truth.jsonl"
        self.marker = uuid4().hex
        self.admin_port = free_port()
        self.venue = venue
        self.broker_port = venue.port if venue is not None else free_port()
        self.config_path = directory / "legkeeper.toml"
        self.supervision = {
            "heartbeat_ms": 100,
            "heartbeat_timeout_ms": 5_000,
            "backoff_max_ms": 200,
            **(supervision or {}),
        }
        self.configure(admin_port=self.admin_port)
        self.environment: dict[str, str] = {}  # of every system of it, besides
        self.systems: list[System] = []
        self.launched: list[int] = []  # the process of every program, those included that were sent away

    def configure(self, *, admin_port: int) -> None:
        """Write the configuration file."""
        self.config_path.write_text(
            f'[system]\njournal_dir = "{self.journal_dir}"\nadmin_port = {admin_port}\n'
            f"[broker]\nport = {self.broker_port}\nanswer_timeout_ms = 500\n"
            "[orders]\nmax_attempts = 20\n"  # thin quotes end no group short of its target
            "entry_patience_ms = 3600000\n"  # a restart takes seconds, which are minutes of this fast exchange
            "[margin]\nquote_wait_ms = 200000\n"  # 10 s of this machine for the first quotes, however busy it is
            f"[alerts]\nrepeat_ms = {NEVER_MS}\nfreeze_after_ms = {NEVER_MS}\n"
            "[metrics]\nport = 0\n"  # those who want them set LEGKEEPER_METRICS_PORT
            "[supervision]\n" + "".join(f"{key} = {value}\n" for key, value in self.supervision.items())
        )

    # Starting and stopping

    def start(self, **environment: str) -> System:
        """Start a system and wait until it takes commands."""
        system = self.launch(**environment)
        wait_for(system.takes_commands, "the system to take commands")
        return system

    def launch(self, **environment: str) -> System:
        """``python run_system.py start`` in a process group of its own, without waiting."""
        system = System(
            self,
            subprocess.Popen(
                [sys.executable, str(ROOT / "run_system.py"), "start", "--config", str(self.config_path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                env={**os.environ, MARKER: self.marker, **self.environment, **environment},
            ),
        )
        self.systems.append(system)
        self.launched.append(system.pid)
        return system

    def close(self) -> None:
        """End everything that still carries the marker."""
        for pid in self.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for system in self.systems:
            system.process.communicate()

    def left(self) -> list[int]:
        """Every process of this bench's systems that runs."""
        mark = f"{MARKER}={self.marker}".encode()
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _carries(entry, mark)]

    # What the journals and the exchange's record say

    def intents(self, group_id: str) -> list[IntentRecord]:
        """The group's orders as the journal has them now."""
        return self._read(lambda reader: reader.intents(group_id))

    def groups(self) -> list[GroupRecord]:
        """All groups of all cells."""
        return self._read(lambda reader: reader.groups())

    def epoch(self, cell: int) -> int:
        """The epoch of the cell's last owner; 0 before the first."""
        with contextlib.suppress(JournalError), JournalReader(self.journal_dir / f"cell-{cell}.db") as reader:
            return reader.epochs()[-1].epoch
        return 0

    def _read(self, question: Callable[[JournalReader], list[T]]) -> list[T]:
        found: list[T] = []
        for path in journal_paths(self.journal_dir):
            with contextlib.suppress(JournalError), JournalReader(path) as reader:
                found += question(reader)
        return found

    def truth(self) -> list[TruthEvent]:
        """What really happened so far."""
        return list(read_truth(self.truth_path)) if self.truth_path.exists() else []

    def received(self, group_id: str) -> list[str]:
        """The ids of the group's orders that reached the exchange, each time that they did."""
        return [
            event.client_order_id
            for event in self.truth()
            if event.kind == "order_received" and group_part(event.client_order_id) == group_tag(group_id)
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that left the system."""
        path = alert_log_path(self.journal_dir)
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def alert_kinds(self) -> set[str]:
        """What kinds of alerts left the system."""
        return {alert["kind"] for alert in self.alerts()}

    def open_alerts(self, kind: str) -> list[EscalationRecord]:
        """The alerts of this kind that still need a person, as the journals have them."""
        return [alert for alert in self._read(lambda reader: reader.open_escalations()) if alert.kind == kind]

    def delivered(self, kind: str) -> int:
        """How many of them have left the system, as the journals know."""
        return sum(1 for alert in self.open_alerts(kind) if alert.delivered_ns)

    def steering(self) -> Steering:
        """A hand on the exchange."""
        return Steering(self.broker_port)

    def certified(self, *group_ids: str) -> dict[str, GroupOutcome]:
        """The outcomes of these groups; empty as long as one of them has not ended."""
        outcomes = {group.group_id: group.outcome for group in self.groups() if group.group_id in group_ids}
        ended = len(outcomes) == len(group_ids) and GroupOutcome.OPEN not in outcomes.values()
        return outcomes if ended else {}

    def wait_until_certified(self, *group_ids: str) -> dict[str, GroupOutcome]:
        """Wait for the outcomes of these groups."""
        return wait_for(lambda: self.certified(*group_ids), f"the outcomes of {group_ids}")


def _carries(entry: Path, mark: bytes) -> bool:
    try:
        return mark in (entry / "environ").read_bytes().split(b"\0") and is_alive(int(entry.name))
    except OSError:
        return False


class System:
    """One running system of a bench."""

    def __init__(self, bench: Bench, process: subprocess.Popen[str]) -> None:
        self.bench, self.process = bench, process
        self.pid = process.pid

    def takes_commands(self) -> bool:
        """Whether the control socket is there to be called.  Fails when the program has ended instead."""
        assert self.process.poll() is None, f"the program ended: {self.process.communicate()}"
        return control_path(self.bench.journal_dir).exists()

    def submit(self, *plans: Plan) -> None:
        """Hand plans over; each is durable when this returns."""
        for one in plans:
            control.ask(self.bench.journal_dir, control.submit(one), DEADLINE_S)

    def status(self) -> dict[str, Any]:
        """What ``status`` shows."""
        return control.ask(self.bench.journal_dir, control.status())

    def processes(self) -> dict[str, dict[str, Any]]:
        """The processes by name; empty while the system cannot say."""
        with contextlib.suppress(CommandFailed):
            return {process["name"]: process for process in self.status()["processes"]}
        return {}

    def pid_of(self, name: str) -> int:
        """The process id of a part; ``root`` and ``admin`` are the gateway's parent and grandparent."""
        if name == "program":
            return self.pid
        if name == "root":
            return parent_of(self.pid_of("gateway"))
        if name == "admin":
            return parent_of(self.pid_of("root"))
        return wait_for(lambda: int(self.processes().get(name, {}).get("pid", 0)), f"{name} to run")

    def pids(self, *names: str) -> dict[str, int]:
        """The process ids of these parts, from one answer."""

        def all_of_them() -> dict[str, int]:
            found = {name: int(process.get("pid", 0)) for name, process in self.processes().items()}
            return {name: found[name] for name in names} if all(found.get(name) for name in names) else {}

        return wait_for(all_of_them, f"{names} to run")

    def wait_until_replaced(self, name: str, pid: int) -> int:
        """The process id of the one that runs in the place of ``pid``."""

        def successor() -> int:
            found = self.processes().get(name, {})
            return int(found.get("pid", 0)) if found.get("pid") != pid else 0

        return wait_for(successor, f"{name} ({pid}) to be replaced")

    def wait_until_open(self) -> None:
        """Until every cell may take new risk."""
        self.wait_for_state("cell-0", "open")
        self.wait_for_state("cell-1", "open")

    def wait_for_state(self, name: str, state: str) -> None:
        """Until ``status`` says so."""
        wait_for(
            lambda: self.processes().get(name, {}).get("state") == state,
            f"{name} to be {state!r}",
            otherwise=lambda: "\n".join(map(str, self.processes().values())),
        )

    def kill(self, name: str) -> int:
        """SIGKILL to a part; returns the process id that it had."""
        pid = self.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(pid), f"{name} ({pid}) to end")
        return pid

    def stop(self) -> None:
        """SIGTERM, and everything ends by itself with status 0."""
        self.process.terminate()
        assert self.wait_until_ended() == 0
        wait_for(lambda: not self.bench.left(), "every process to end", STOP_DEADLINE_S)

    def wait_until_ended(self) -> int:
        """The exit status of the program, once it has ended by itself."""
        return self.process.wait(STOP_DEADLINE_S)


@contextlib.contextmanager
def bench(directory: Path, supervision: Mapping[str, int] | None = None) -> Iterator[Bench]:
    """A bench with a running exchange; ``supervision`` goes into that table of the configuration."""
    arguments = ("--port", "0", "--speed", "20", "--truth", str(directory / "truth.jsonl"))
    with VenueChild(*arguments) as venue:
        made = Bench(directory, venue, supervision)
        try:
            yield made
        finally:
            made.close()
