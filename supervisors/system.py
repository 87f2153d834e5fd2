"""The standalone actor system: started once per journal directory and port, or refused with a reason."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from thespian.actors import ActorSystem

from config.paths import journal_paths
from config.schema import Config
from domain.plans import home_cell
from messages import wire
from messages.controls import AskControls, EnableControl, OverrideControl, SetTradingState
from messages.operator import (
    Acknowledge,
    AskStatus,
    AskStrategies,
    CancelGroup,
    CommandDone,
    CommandRefused,
    GatewayCommand,
    KillSwitch,
    OperateStrategy,
    OperatorAnswer,
    OperatorCommand,
    StrategyList,
    StrategyRow,
    SubmitGroup,
)
from messages.supervision import Operate, Operated, StartRoot
from notifications.apprise_sink import open_sinks
from notifications.port import SinkRefused
from storage.ownership import OwnerLock
from storage.port import JournalError, JournalLocked
from storage.reader import JournalReader
from supervisors.deaths import tell_of_every_death
from supervisors.lifeline import tie_descendants
from supervisors.loopback import bind_to_loopback
from supervisors.root import AskDirectory, Directory, RootSupervisor

LOCK_PATIENCE_S = 2.0  # a system that has just been killed frees its lock within milliseconds
START_TIMEOUT_S = 20.0
ASK_AGAIN_S = 1.0  # a part that is asked while it is being restarted loses the question


class SystemRefused(Exception):
    """The system was not started; the message says why and what to do."""


class NoAnswer(Exception):
    """The tree did not answer in time; what was asked may still be done."""


class SystemLost(NoAnswer):
    """The root supervisor has ended unasked, and with it, by their lifelines, every process of the tree."""


class RunningSystem:
    """A started tree, as its main program sees it.

    Its :meth:`fileno` becomes readable when the root supervisor ends; that it also does when the admin does, because
    nobody outlives a parent.  Raises :class:`SystemLost` when it has ended already.
    """

    def __init__(self, config: Config, actors: Any, root: Any, root_pid: int) -> None:
        self.config = config
        self._actors, self._root, self._root_pid = actors, root, root_pid
        self._numbers = count(1)
        try:
            self._lifeline = os.pidfd_open(root_pid)
        except ProcessLookupError:
            raise self._lost() from None

    def fileno(self) -> int:
        """The descriptor to watch for the end of the tree."""
        return self._lifeline

    def check(self) -> None:
        """Raises :class:`SystemLost` when the tree is gone."""
        if select.select([self._lifeline], [], [], 0)[0]:
            raise self._lost()

    def close(self) -> None:
        """Let go of the descriptor."""
        os.close(self._lifeline)

    def _lost(self) -> SystemLost:
        return SystemLost(
            f"the root supervisor (process {self._root_pid}) has ended, and every process of the system with it; no "
            "group is being worked: start again, and the system carries on where the journals end"
        )

    def operate(self, command: OperatorCommand, timeout_s: float = 10.0) -> OperatorAnswer:
        """Carry out an operator's command; returns when its effect is durable.  Raises :class:`NoAnswer`."""
        deadline = time.monotonic() + timeout_s
        match command:
            case SubmitGroup():
                name, cells = f"submit:{command.plan.group_id}", [home_cell(command.plan.group_id, self._cells)]
            case CancelGroup():
                name, cells = f"cancel:{command.group_id}", [home_cell(command.group_id, self._cells)]
            case OperateStrategy():
                name, cells = f"strategy:{command.name}", [home_cell(command.name, self._cells)]
            case AskStrategies():
                return self._strategies(deadline)
            case Acknowledge():
                name, cells = f"acknowledge:{command.escalation_id}", list(range(self._cells))
            case KillSwitch() | SetTradingState() | EnableControl() | OverrideControl() | AskControls():
                return self._ask_gateway(command, deadline)
            case AskStatus():
                return self._ask(lambda: self._root, f"status/{next(self._numbers)}", command, deadline)
        for cell in cells:
            answer = self._ask(lambda cell=cell: self._cell(cell, deadline), name, command, deadline)
            if isinstance(answer, CommandDone):
                break
        return answer

    def _ask_gateway(self, command: GatewayCommand, deadline: float) -> OperatorAnswer:
        """A halt is not ended by the kill switch that it has turned on: what is down would stay down (R25)."""
        halted = self._directory(deadline).failure
        if halted and isinstance(command, KillSwitch) and not command.on:
            problem = f"the system is halted ({halted}): mend that, stop it and start it again, then turn it off"
            return CommandRefused((problem,))
        name = f"{type(command).__name__}/{next(self._numbers)}"
        return self._ask(lambda: self._directory(deadline).gateway, name, command, deadline)

    def _strategies(self, deadline: float) -> OperatorAnswer:
        """Those of all cells."""
        found: list[StrategyRow] = []
        for cell in range(self._cells):
            question = AskStrategies(f"strategies/{next(self._numbers)}")
            answer = self._ask(lambda cell=cell: self._cell(cell, deadline), question.command_id, question, deadline)
            if not isinstance(answer, StrategyList):
                return answer
            found += answer.strategies
        return StrategyList(tuple(sorted(found, key=lambda row: row.record.name)))

    @property
    def _cells(self) -> int:
        return self.config.system.cells

    def _ask(self, find: Any, command_id: str, command: OperatorCommand, deadline: float) -> OperatorAnswer:
        """Ask an actor, and ask again while it is being restarted: every command may come twice."""
        while time.monotonic() < deadline:
            self.check()
            address = find()
            if address is None:
                time.sleep(0.02)
                continue
            self._actors.tell(address, Operate(command_id, wire.pack(command)))
            patience = min(deadline, time.monotonic() + ASK_AGAIN_S)
            while time.monotonic() < patience:
                answer = self._actors.listen(max(0.01, patience - time.monotonic()))
                if isinstance(answer, Operated) and answer.command_id == command_id:
                    return wire.answer(answer.answer)
            if isinstance(command, SubmitGroup):
                command = SubmitGroup(command.plan, again=True)
        raise NoAnswer(f"{command_id}: the system did not answer in time; it may still be carried out")

    def _cell(self, cell: int, deadline: float) -> Any:
        """Its address, or ``None`` while it is being restarted.  Raises :class:`NoAnswer` when it will not be."""
        directory = self._directory(deadline)
        address = directory.cells.get(cell)
        if address is None and directory.failure:
            raise NoAnswer(f"cell-{cell} is down: {directory.failure}")
        return address

    def _directory(self, deadline: float) -> Any:
        while time.monotonic() < deadline:
            self.check()
            answer = self._actors.ask(self._root, AskDirectory(), 1.0)
            if isinstance(answer, Directory):
                return answer
        raise NoAnswer("the root supervisor does not answer")

    def wait_until_started(self) -> None:
        """Until the gateway and every cell are up.

        Raises :class:`SystemRefused` when one of them cannot start, :class:`NoAnswer` when the root supervisor is gone.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            directory = self._directory(deadline)
            if directory.failure:
                raise SystemRefused(directory.failure)
            if directory.gateway is not None and len(directory.cells) == self._cells:
                return
            time.sleep(0.02)
        raise SystemRefused(f"the system did not start within {START_TIMEOUT_S:g} s; see legkeeper.log")


@contextmanager
def running_system(config: Config) -> Iterator[RunningSystem]:
    """Start the tree; stop it on leaving.  Every process of it dies with this one, however this one dies.

    Raises :class:`SystemRefused` when another system owns the journal directory or the port, when a journal of a
    larger system is in the way, when an alert sink is none, or when a child cannot start, and :class:`NoAnswer` when
    the tree dies meanwhile.
    """
    try:
        open_sinks(config.alerts.urls, config.alerts.sink_timeout_ms)
    except SinkRefused as refusal:
        raise SystemRefused(str(refusal)) from None
    directory = Path(config.system.journal_dir)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemRefused(f"system.journal_dir {directory}: {error.strerror}; choose another or make it") from None
    lock = _own(directory)
    try:
        _refuse_orphaned_cells(config)
        _refuse_moved_strategies(config)
        _refuse_used_port(config.system.admin_port)
        yield from _run(config, directory)
    finally:
        lock.release()


def _run(config: Config, directory: Path) -> Iterator[RunningSystem]:
    os.environ["THESPLOG_FILE"] = str(directory.resolve() / "thespian.log")
    os.environ["THESPIAN_BASE_IPADDR"] = "127.0.0.1"
    tie_descendants()
    bind_to_loopback()
    tell_of_every_death()
    actors = ActorSystem("multiprocTCPBase", {"Admin Port": config.system.admin_port}, logDefs=_LOG_TO_NOWHERE)
    try:
        root = actors.createActor(RootSupervisor)
        started = actors.ask(root, StartRoot(msgspec.msgpack.encode(config)), START_TIMEOUT_S)
        if not isinstance(started, Directory):
            raise NoAnswer(f"the root supervisor did not start within {START_TIMEOUT_S:g} s; see legkeeper.log")
        with closing(RunningSystem(config, actors, root, started.root_pid)) as system:
            system.wait_until_started()
            yield system
    finally:
        actors.shutdown()


_LOG_TO_NOWHERE = {  # our processes log to legkeeper.log; what Thespian itself has to say goes to thespian.log
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"nowhere": {"class": "logging.NullHandler"}},
    "root": {"level": "WARNING", "handlers": ["nowhere"]},
}


def _own(directory: Path) -> OwnerLock:
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            return OwnerLock(directory / "system")
        except JournalLocked as locked:
            if time.monotonic() >= deadline:
                raise SystemRefused(f"another system runs on {directory}: {locked}") from None
            time.sleep(0.05)
        except JournalError as error:
            raise SystemRefused(str(error)) from None


def _refuse_used_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SystemRefused(
                f"port {port} of 127.0.0.1 cannot be used ({error.strerror}): stop what uses it, or set "
                "system.admin_port to another"
            ) from None


def _refuse_orphaned_cells(config: Config) -> None:
    """A group's cell is read off its orders' ids: fewer cells than before would leave open groups without an owner."""
    for path in journal_paths(config.system.journal_dir)[config.system.cells :]:
        with JournalReader(path) as reader:
            open_groups = [group.group_id for group in reader.groups() if group.outcome.value == "open"]
        if open_groups:
            raise SystemRefused(
                f"{path.name} holds {len(open_groups)} open groups ({', '.join(open_groups[:3])}), but system.cells "
                f"is {config.system.cells}: start with at least as many cells as before, and let them end"
            )


def _refuse_moved_strategies(config: Config) -> None:
    """A strategy lives in the cell that its name gives; with another number of cells it would begin anew elsewhere."""
    for index, path in enumerate(journal_paths(config.system.journal_dir)):
        with JournalReader(path) as reader:
            moved = [r.name for r in reader.strategies() if home_cell(r.name, config.system.cells) != index]
        if moved:
            raise SystemRefused(
                f"{path.name} holds the strategies {', '.join(moved[:3])}, which would belong to another cell with "
                f"system.cells = {config.system.cells}: keep the number of cells, or use a new journal_dir"
            )
