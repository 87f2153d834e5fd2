"""What happens in a demonstration: the exchange, the system, the groups, the kills, and the wait for every end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from cli.demo.plans import plans
from cli.market import Market, survey
from cli.problems import CommandFailed
from config.paths import journal_paths
from config.schema import AlertsConfig, BrokerConfig, Config, MetricsConfig, SystemConfig
from domain.execution import ExecType, Side
from domain.groups import GroupOutcome, GroupStatus, Plan, Policy
from domain.plans import home_cell
from messages.operator import (
    AskStatus,
    CancelGroup,
    CommandRefused,
    OperatorAnswer,
    OperatorCommand,
    ProcessStatus,
    SubmitGroup,
    SystemStatus,
)
from messages.records import GroupRecord
from storage.port import JournalError
from storage.reader import JournalReader
from supervisors.system import NoAnswer, RunningSystem, SystemRefused, running_system
from venue.child import Steering, VenueChild
from venue.nasty import Nasty

PATIENCE_S = 45.0  # for all groups to end
HALF_FILLED_S = 1.0  # for one of them to be half filled
POLL_S = 0.05
TRIES = 10  # of what a nasty exchange may not answer
HALF_FILLED = frozenset({GroupStatus.HEDGE_PARTIAL, GroupStatus.HEDGE_FILLED, GroupStatus.RISK_PARTIAL})


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a demonstration."""

    quotes: Path | None
    seed: int
    groups: int
    truth: Path
    scratch: Path
    journal: Path
    nasty: str
    speed: float
    admin_port: int


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen at one moment."""

    elapsed_s: float
    records: dict[str, GroupRecord]
    held: dict[str, dict[str, int]]  # group -> symbol -> units: positive is long
    processes: tuple[ProcessStatus, ...]
    kills: tuple[str, ...]
    killed: dict[str, int]  # process -> the process id that it was last killed under
    survived: dict[str, int]  # group -> kills of its cell or of the gateway while it was open
    events: tuple[str, ...]  # what was done to the system, and how it took it, oldest first


class Stage:
    """One demonstration; ``show`` is called with every scene."""

    def __init__(self, script: Script, show: Callable[[Scene], None]) -> None:
        self.script, self._show = script, show
        self.plans: list[Plan] = []
        self.refused: dict[str, str] = {}
        self.kills: list[str] = []
        self.killed: dict[str, int] = {}
        self.survived: dict[str, int] = {}
        self.events: list[str] = []
        self._began = time.monotonic()
        self._seen: tuple[ProcessStatus, ...] = ()

    def play(self) -> Scene:
        """Everything, to the end; the last scene is after the clean shutdown.

        Raises ``CommandFailed`` when the exchange or the system does not come up.
        """
        with self._venue() as venue:
            config = self._config(venue.port)
            try:
                with running_system(config) as system:
                    self._act(system, venue, config)
            except SystemRefused as refusal:
                raise CommandFailed(str(refusal)) from None
        return self._scene(())

    @contextlib.contextmanager
    def _venue(self) -> Iterator[VenueChild]:
        script = self.script
        arguments = ["--port", "0", "--seed", str(script.seed), "--speed", str(script.speed), "--hold"]
        arguments += ["--truth", str(script.truth), "--nasty", script.nasty, "--offset-s", "60"]
        arguments += ["--quotes", str(script.quotes)] if script.quotes else []
        try:
            venue = VenueChild(*arguments, log=script.scratch / "venue.log")
        except RuntimeError as error:
            raise CommandFailed(str(error)) from None
        with venue:
            yield venue

    def _config(self, port: int) -> Config:
        return Config(
            system=SystemConfig(journal_dir=str(self.script.journal), admin_port=self.script.admin_port),
            broker=BrokerConfig(port=port),
            alerts=AlertsConfig(freeze_after_ms=3_600_000),  # nobody acknowledges here, and the clock runs fast
            metrics=MetricsConfig(port=0),  # a system that runs beside the demonstration keeps its port
        )

    def _act(self, system: RunningSystem, venue: VenueChild, config: Config) -> None:
        self._until(lambda: all(p.state == "open" for p in self._cells(system)), system, PATIENCE_S)
        self.plans = plans(self._survey(config), self.script.groups, self.script.seed)
        due = 0
        for number, plan in enumerate(self.plans):
            self._submit(system, plan)
            self._show(self._scene(self._processes(system)))
            due += number in (len(self.plans) // 3, 2 * len(self.plans) // 3)
            if due and self._until(lambda: bool(self._half_filled()), system, HALF_FILLED_S):
                self._kill(system, config)
                due -= 1
        for _ in range(due):
            self._until(lambda: bool(self._half_filled()), system, HALF_FILLED_S)
            self._kill(system, config)
        self._until(lambda: bool(self._hedged()) or not self._open(), system, PATIENCE_S)
        self._cancel_one(system)
        self._bust_one(venue)
        self._until(lambda: not self._open(), system, PATIENCE_S)
        self._steer(venue, lambda steering: steering.misbehave(Nasty()))  # its last words must arrive before the audit
        self._until(lambda: self._all_told(venue) and not self._open() and self._quiet(), system, PATIENCE_S)

    def _survey(self, config: Config) -> Market:
        """Look at the chain; a nasty exchange may have to be asked more than once."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(CommandFailed):
                return survey(config.broker)
        return survey(config.broker)

    def _submit(self, system: RunningSystem, plan: Plan) -> None:
        """Submit until there is an answer: a cell may be killed under the command, and every command may come twice."""
        answer = self._operate(system, SubmitGroup(plan))
        if answer is None:
            self.refused[plan.group_id] = "the system did not answer"
        elif isinstance(answer, CommandRefused) and "submitted before" not in answer.problems[0]:
            self.refused[plan.group_id] = "; ".join(answer.problems)

    def _operate(self, system: RunningSystem, command: OperatorCommand) -> OperatorAnswer | None:
        deadline = time.monotonic() + PATIENCE_S
        answer: OperatorAnswer | None = None
        while time.monotonic() < deadline:
            with contextlib.suppress(NoAnswer):
                answer = system.operate(command, timeout_s=5.0)
                if not (isinstance(answer, CommandRefused) and "not allowed at the moment" in answer.problems[0]):
                    return answer
            self._show(self._scene(self._processes(system)))
            time.sleep(POLL_S)
        return answer

    def _kill(self, system: RunningSystem, config: Config) -> None:
        """SIGKILL the cell of a half-filled group, or of any, and the gateway."""
        half_filled = self._half_filled()
        cell = home_cell((half_filled or list(self._records()) or [""])[0], config.system.cells)
        killed = [p for p in self._processes(system) if p.name in (f"cell-{cell}", "gateway") and p.pid]
        for process in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            self.kills.append(process.name)
            self.killed[process.name] = process.pid
        names = " and ".join(f"{process.name} ({process.pid})" for process in killed)
        self._note(f"SIGKILL to {names}; half filled: {', '.join(half_filled) or 'nothing'}")
        self._show(self._scene(self._seen))
        for group_id in self._open():
            hit = [p for p in killed if p.name == "gateway" or home_cell(group_id, config.system.cells) == cell]
            self.survived[group_id] = self.survived.get(group_id, 0) + len(hit)

    def _cancel_one(self, system: RunningSystem) -> None:
        """An operator changes his mind: one ended group is closed, shorts first."""
        for group_id in self._hedged()[:1]:
            self._note(f"the operator cancels {group_id}: it must end flat, shorts bought back first")
            self._operate(system, CancelGroup(group_id))

    def _bust_one(self, venue: VenueChild) -> None:
        """The exchange takes a trade of protection back: a short stands naked until the system covers it."""
        hedged = [
            (record, leg)
            for record in self._records().values()
            if record.outcome is GroupOutcome.HEDGED and record.group.policy is Policy.COMPLETE
            for leg in record.group.legs
            if leg.side is Side.BUY and len(record.group.legs) > 1
        ]
        if not hedged:
            return
        record, leg = hedged[-1]
        orders = self._orders(record.group_id, leg.leg_id)

        def bust(steering: Steering) -> None:
            trades = [e for e in steering.snapshot().executions if e.exec_type is ExecType.TRADE]
            steering.bust(next(trade.exec_id for trade in trades if trade.client_order_id in orders))

        self._note(f"the exchange busts a trade of {record.group_id} {leg.leg_id}: its short stands bare")
        self._steer(venue, bust)

    def _steer(self, venue: VenueChild, what: Callable[[Steering], None]) -> None:
        """Tell the exchange something; a nasty one needs to be told more than once."""
        for _ in range(TRIES):
            with contextlib.suppress(TimeoutError, ConnectionError), Steering(venue.port, timeout_s=1.0) as steering:
                what(steering)
                return

    def _orders(self, group_id: str, leg_id: str) -> set[str]:
        for path in journal_paths(self.script.journal):
            with JournalReader(path) as reader:
                found = {
                    i.client_order_id for i in reader.intents(group_id) if i.leg_id == leg_id and i.side is Side.BUY
                }
                if found:
                    return found
        return set()

    def _until(self, reached: Callable[[], bool], system: RunningSystem, patience_s: float) -> bool:
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            self._show(self._scene(self._processes(system)))
            if reached():
                return True
            time.sleep(POLL_S)
        return False

    def _scene(self, processes: tuple[ProcessStatus, ...]) -> Scene:
        return Scene(
            elapsed_s=time.monotonic() - self._began,
            records=self._records(),
            held=self._held(),
            processes=processes,
            kills=tuple(self.kills),
            killed=dict(self.killed),
            survived=dict(self.survived),
            events=tuple(self.events),
        )

    def _note(self, event: str) -> None:
        self.events.append(f"{time.monotonic() - self._began:4.1f} s  {event}")

    def _processes(self, system: RunningSystem) -> tuple[ProcessStatus, ...]:
        """How the processes are; as they were when nobody can say."""
        with contextlib.suppress(NoAnswer):
            answer = system.operate(AskStatus(), timeout_s=2.0)
            if isinstance(answer, SystemStatus):
                self._note_comebacks(self._seen, answer.processes)
                self._seen = answer.processes
        return self._seen

    def _note_comebacks(self, before: tuple[ProcessStatus, ...], now: tuple[ProcessStatus, ...]) -> None:
        known = {process.pid for process in before}
        for process in now:
            if process.name in self.killed and process.pid not in (0, *known):
                self._note(f"{process.name} is back as process {process.pid}")

    def _cells(self, system: RunningSystem) -> list[ProcessStatus]:
        cells = [p for p in self._processes(system) if p.name.startswith("cell-")]
        return cells or [ProcessStatus(name="cells", pid=0, state="starting", restarts=0)]

    def _records(self) -> dict[str, GroupRecord]:
        found: dict[str, GroupRecord] = {}
        for path in journal_paths(self.script.journal):
            with contextlib.suppress(JournalError), JournalReader(path) as reader:
                found |= {record.group_id: record for record in reader.groups()}
        return found

    def _held(self) -> dict[str, dict[str, int]]:
        """What each group holds, by its own orders."""
        found: dict[str, dict[str, int]] = {}
        for path in journal_paths(self.script.journal):
            with contextlib.suppress(JournalError), JournalReader(path) as reader:
                filled = {state.client_order_id: state.cum_qty for state in reader.execution_states()}
                for intent in reader.intents():
                    units = found.setdefault(intent.group_id, {})
                    signed = filled.get(intent.client_order_id, 0) * intent.side.sign
                    units[intent.symbol] = units.get(intent.symbol, 0) + signed
        return found

    def _open(self) -> list[str]:
        records = self._records()
        wanted = [plan.group_id for plan in self.plans if plan.group_id not in self.refused]
        return [g for g in wanted if g not in records or records[g].outcome is GroupOutcome.OPEN]

    def _hedged(self) -> list[str]:
        return [r.group_id for r in self._records().values() if r.outcome is GroupOutcome.HEDGED]

    def _half_filled(self) -> list[str]:
        return [
            record.group_id
            for record in self._records().values()
            if record.outcome is GroupOutcome.OPEN and record.status in HALF_FILLED
        ]

    def _all_told(self, venue: VenueChild) -> bool:
        """Every execution of the exchange has reached a journal: one that was lost comes with the next poll."""
        with contextlib.suppress(TimeoutError, ConnectionError), Steering(venue.port, timeout_s=1.0) as steering:
            there = {execution.exec_id for execution in steering.snapshot().executions}
            here: set[str] = set()
            for path in journal_paths(self.script.journal):
                with JournalReader(path) as reader:
                    here |= {execution.exec_id for execution in reader.executions()}
            return there <= here
        return False

    def _quiet(self) -> bool:
        """Every journal agrees with itself: no order waits for news except working stop-losses."""
        waiting = {"INTENT_PERSISTED", "SENT", "UNRESOLVED"}
        for path in journal_paths(self.script.journal):
            with JournalReader(path) as reader:
                if any(intent.status.value in waiting for intent in reader.intents()):
                    return False
        return True
