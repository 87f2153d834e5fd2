"""What happens in a demonstration: the exchange, the system, the groups, the kills, and the wait for every end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from cli.demo import trials
from cli.demo.books import Books
from cli.demo.patience import Patience
from cli.demo.plans import plans
from cli.demo.safeguards import SAFEGUARDS, acted
from cli.market import Market, survey
from cli.problems import CommandFailed
from config.schema import (
    AlertsConfig,
    BrokerConfig,
    Config,
    HedgeConfig,
    MarginConfig,
    MetricsConfig,
    SystemConfig,
)
from domain.execution import ExecType, Side
from domain.groups import GroupOutcome, Plan
from domain.plans import home_cell
from domain.quotes import Quote
from domain.report_ids import execution_id
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
from supervisors.line import NoAnswer
from supervisors.refusals import SystemRefused
from supervisors.system import RunningSystem, running_system
from venue.child import Steering, VenueChild
from venue.nasty import Nasty, preset

PATIENCE_S = 45.0  # for all groups to end
ENTERED_S = 15.0  # for all of them to stand
HALF_FILLED_S = 1.0  # for one of them to be half filled
COUNTED_S = 5.0  # for what was done to be seen in the metrics: the processes report twice a second
POLL_S = 0.05
WINDOW_MS = 750  # of a hedge decision, by the clock on the wall: the processes are not faster where the exchange is
TRIES = 10  # of what a nasty exchange may not answer
OWN_GROUPS = 10  # that the trials may add


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
    metrics_port: int


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
        self.cells = 2
        self.acted = dict.fromkeys(SAFEGUARDS, 0)  # how often each safeguard acted, as the metrics last said
        self.books = Books(script.journal)
        self._began = time.monotonic()
        self._seen: tuple[ProcessStatus, ...] = ()
        self._answered = False

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
            system=SystemConfig(
                journal_dir=str(self.script.journal), cells=self.cells, admin_port=self.script.admin_port
            ),
            broker=BrokerConfig(port=port),
            alerts=AlertsConfig(freeze_after_ms=3_600_000),  # nobody acknowledges here, and the clock runs fast
            margin=MarginConfig(
                max_use_pct=max(5.0, (self.script.groups + OWN_GROUPS) / 25)
            ),  # so little that a plan can be too large
            hedge=HedgeConfig(window_ms=round(WINDOW_MS * self.script.speed)),
            metrics=MetricsConfig(port=self.script.metrics_port),
        )

    def _act(self, system: RunningSystem, venue: VenueChild, config: Config) -> None:
        self.until(lambda: all(p.state == "open" for p in self._cells(system)), system, PATIENCE_S)
        self.market = self._survey(config)
        early = plans(self.market, self.script.groups, self.script.seed)
        due = 0
        for number, plan in enumerate(early):
            if number == len(early) // 2:
                self.kill(system, "gateway", because="the next orders are decided while nobody can send them")
            self.submit(system, plan)
            self._show(self._scene(self.processes(system)))
            due += number in (len(early) // 3, 2 * len(early) // 3)
            if due and self.until(lambda: bool(self.books.half_filled()), system, HALF_FILLED_S):
                self._kill(system)
                due -= 1
        for _ in range(due):
            self.until(lambda: bool(self.books.half_filled()), system, HALF_FILLED_S)
            self._kill(system)
        self.until(lambda: not self.open(), system, ENTERED_S)
        self._cancel_one(system)
        trials.play(self, system, venue)
        self.until(lambda: not self.open(), system, PATIENCE_S)
        self.behave(venue, Nasty())  # its last words must arrive before the audit
        self.until(lambda: self._all_told(venue) and not self.open() and self.books.quiet(), system, PATIENCE_S)
        self.counted(SAFEGUARDS, system)

    def _survey(self, config: Config) -> Market:
        """Look at the chain; a nasty exchange may have to be asked more than once."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(CommandFailed):
                return survey(config.broker)
        return survey(config.broker)

    def submit(self, system: RunningSystem, plan: Plan) -> bool:
        """Submit until there is an answer: a cell may be killed under the command, and every command may come twice.

        Whether the group was let in.
        """
        self.plans.append(plan)
        answer = self.operate(system, SubmitGroup(plan))
        if answer is None:
            self.refused[plan.group_id] = "the system did not answer"
        elif isinstance(answer, CommandRefused) and "submitted before" not in answer.problems[0]:
            self.refused[plan.group_id] = "; ".join(answer.problems)
        return plan.group_id not in self.refused

    def operate(self, system: RunningSystem, command: OperatorCommand) -> OperatorAnswer | None:
        deadline = time.monotonic() + PATIENCE_S
        answer: OperatorAnswer | None = None
        while time.monotonic() < deadline:
            with contextlib.suppress(NoAnswer):
                answer = system.operate(command, timeout_s=5.0)
                if not (isinstance(answer, CommandRefused) and "not allowed at the moment" in answer.problems[0]):
                    return answer
            self._show(self._scene(self.processes(system)))
            time.sleep(POLL_S)
        return answer

    def _kill(self, system: RunningSystem) -> None:
        """SIGKILL the cell of a half-filled group, or of any, and the gateway."""
        half_filled = self.books.half_filled()
        cell = home_cell((half_filled or list(self.books.records()) or [""])[0], self.cells)
        self.kill(system, f"cell-{cell}", "gateway", because=f"half filled: {', '.join(half_filled) or 'nothing'}")

    def kill(self, system: RunningSystem, *victims: str, because: str) -> None:
        """SIGKILL these processes."""
        killed = [p for p in self.processes(system) if p.name in victims and p.pid]
        for process in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            self.kills.append(process.name)
            self.killed[process.name] = process.pid
        names = " and ".join(f"{process.name} ({process.pid})" for process in killed)
        self.note(f"SIGKILL to {names}; {because}")
        self._show(self._scene(self._seen))
        for group_id in self.open():
            home = f"cell-{home_cell(group_id, self.cells)}"
            hit = [p for p in killed if p.name in ("gateway", home)]
            self.survived[group_id] = self.survived.get(group_id, 0) + len(hit)

    def _cancel_one(self, system: RunningSystem) -> None:
        """An operator changes his mind: one ended group is closed, shorts first."""
        for group_id in self.books.hedged()[:1]:
            self.note(f"the operator cancels {group_id}: it must end flat, shorts bought back first")
            self.operate(system, CancelGroup(group_id))

    def steer(self, venue: VenueChild, what: Callable[[Steering], None]) -> bool:
        """Tell the exchange something; a nasty one needs to be told more than once.  Whether it has done it."""
        for _ in range(TRIES):
            with contextlib.suppress(TimeoutError, ConnectionError), Steering(venue.port, timeout_s=1.0) as steering:
                what(steering)
                return True
        return False

    def behave(self, venue: VenueChild, nasty: Nasty | None = None) -> bool:
        """Have the exchange misbehave like this; as was asked for without anything.  Whether it does."""
        wanted = preset(self.script.nasty) if nasty is None else nasty
        return self.steer(venue, lambda steering: steering.misbehave(wanted, self.script.seed))

    def quote(self, symbol: str) -> Quote:
        """What was quoted when the groups were picked."""
        return self.market.quotes[symbol]

    def trades(self, venue: VenueChild, group_id: str, leg_id: str) -> dict[str, list[str]]:
        """The orders that bought units of a leg, each with its trades, by their exec ids at the exchange."""
        own = {intent.client_order_id for intent in self.books.intents(group_id) if intent.leg_id == leg_id}
        found: dict[str, list[str]] = {}

        def look(steering: Steering) -> None:
            for each in steering.snapshot(named=True).executions:
                if each.exec_type is ExecType.TRADE and each.side is Side.BUY and each.client_order_id in own:
                    found.setdefault(each.client_order_id, []).append(each.exec_id)

        self.steer(venue, look)
        return found

    def counted(self, safeguards: Iterable[str], system: RunningSystem) -> bool:
        """Whether these have acted; what was done a moment ago is not in the metrics yet."""
        return self.until(lambda: not self.unseen(safeguards), system, COUNTED_S)

    def unseen(self, safeguards: Iterable[str]) -> list[str]:
        """Those of these safeguards that have not acted yet, as the metrics say now."""
        now = acted(self.script.metrics_port)
        self.acted = {name: max(times, now[name]) for name, times in self.acted.items()}  # a counter never falls
        return [name for name in safeguards if not self.acted[name]]

    def gateway(self, system: RunningSystem) -> str:
        """How the gateway is, in its own words; "" while it cannot say."""
        alive = (p for p in self.processes(system) if p.name == "gateway" and p.pid != self.killed.get("gateway"))
        return next((process.state for process in alive), "")

    def until(self, reached: Callable[[], bool], system: RunningSystem, patience_s: float) -> bool:
        """Look until it is so, or enough was waited; whether it is."""
        patience = Patience(patience_s)
        while not patience.over:
            self._show(self._scene(self.processes(system)))
            if reached():
                return True
            time.sleep(POLL_S)
            patience.looked(answered=self._answered)
        return False

    def _scene(self, processes: tuple[ProcessStatus, ...]) -> Scene:
        return Scene(
            elapsed_s=time.monotonic() - self._began,
            records=self.books.records(),
            held=self.books.held(),
            processes=processes,
            kills=tuple(self.kills),
            killed=dict(self.killed),
            survived=dict(self.survived),
            events=tuple(self.events),
        )

    def note(self, event: str) -> None:
        self.events.append(f"{time.monotonic() - self._began:4.1f} s  {event}")

    def processes(self, system: RunningSystem) -> tuple[ProcessStatus, ...]:
        """How the processes are; as they were when nobody can say."""
        self._answered = False
        with contextlib.suppress(NoAnswer):
            answer = system.operate(AskStatus(), timeout_s=2.0)
            self._answered = isinstance(answer, SystemStatus)
            if isinstance(answer, SystemStatus):
                self._note_comebacks(self._seen, answer.processes)
                self._seen = answer.processes
        return self._seen

    def _note_comebacks(self, before: tuple[ProcessStatus, ...], now: tuple[ProcessStatus, ...]) -> None:
        known = {process.pid for process in before}
        for process in now:
            if process.name in self.killed and process.pid not in (0, *known):
                self.note(f"{process.name} is back as process {process.pid}")

    def _cells(self, system: RunningSystem) -> list[ProcessStatus]:
        cells = [p for p in self.processes(system) if p.name.startswith("cell-")]
        return cells or [ProcessStatus(name="cells", pid=0, state="starting", restarts=0)]

    def open(self) -> list[str]:
        records = self.books.records()
        wanted = [plan.group_id for plan in self.plans if plan.group_id not in self.refused]
        return [g for g in wanted if g not in records or records[g].outcome is GroupOutcome.OPEN]

    def _all_told(self, venue: VenueChild) -> bool:
        """Every execution of the exchange has reached a journal: one that was lost comes with the next poll."""
        there: set[tuple[str, str]] = set()

        def look(steering: Steering) -> None:
            there.update((each.client_order_id, execution_id(each)) for each in steering.snapshot().executions)

        return self.steer(venue, look) and there <= self.books.executions()
