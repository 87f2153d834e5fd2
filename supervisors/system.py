"""The standalone actor system: started once per journal directory and port, or refused with a reason, and operated."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from thespian.actors import ActorSystem

from actors.machine import machine
from config.paths import paper_dir
from config.realms import cells_of, running_cells
from config.schema import Config
from domain.rollout import Realm, realm_of_cell
from messages.controls import AcceptDifferences, AskControls, EnableControl, OverrideControl, SetTradingState
from messages.operator import (
    DELAYED,
    Acknowledge,
    AskStatus,
    AskStrategies,
    AtGateway,
    CancelGroup,
    CommandDone,
    CommandRefused,
    GatewayCommand,
    GroupAccepted,
    KillSwitch,
    OperateStrategy,
    OperatorAnswer,
    OperatorCommand,
    SetRollout,
    StrategyList,
    StrategyRow,
    SubmitGroup,
    SystemStatus,
    TellOperators,
)
from messages.supervision import ChildFailed, StartRoot
from storage.durable import make_folder
from storage.port import JournalError
from supervisors.deaths import tell_of_every_death
from supervisors.kill_file import kill_file_path, make_kill_file
from supervisors.lifeline import tie_descendants
from supervisors.line import Line, NoAnswer, SystemLost
from supervisors.loopback import bind_to_loopback
from supervisors.post import post_letters
from supervisors.refusals import (
    SystemRefused,
    bring_up_to_date,
    owned,
    refuse_used_port,
    refuse_what_would_be_lost,
)
from supervisors.room import give_children_room
from supervisors.root import Directory, RootSupervisor
from supervisors.routing import NotRouted, Router
from supervisors.tree import cell_name

START_TIMEOUT_S = 20.0
DELAYS_TOLD_WITHIN_S = 2.0


class StillHalted(Exception):
    """What would end a halt is not asked of anybody; the message says what to do."""


class RunningSystem:
    """A started tree, as its main program sees it."""

    def __init__(self, config: Config, router: Router, line: Line) -> None:
        self.config, self.router, self.line = config, router, line
        self.log = machine().open_log(config, "main")
        self._numbers = count(1)

    def operate(self, command: OperatorCommand, timeout_s: float = 10.0) -> OperatorAnswer:
        """Carry out an operator's command; returns when its effect is durable.  Raises :class:`NoAnswer`."""
        deadline = time.monotonic() + timeout_s
        try:
            match command:
                case SubmitGroup():
                    return self._submit(command, deadline)
                case CancelGroup():
                    cells = self.router.cells_of_known(command.group_id)
                    return self._ask_cells(cells, f"cancel:{command.group_id}", command, deadline, everyone=True)
                case OperateStrategy():
                    return self._operate_strategy(command, timeout_s)
                case AskStrategies():
                    return self._strategies(deadline)
                case Acknowledge():
                    cells = self.line.up_first(running_cells(self.config), deadline)
                    return self._ask_cells(cells, f"acknowledge:{command.escalation_id}", command, deadline)
                case AtGateway():
                    return self._ask_gateways(command.command, command.realm, timeout_s)
                case (
                    KillSwitch() | SetTradingState() | EnableControl() | OverrideControl() | AcceptDifferences()
                    | AskControls()
                ):  # fmt: skip
                    return self._ask_gateways(command, "", timeout_s)
                case SetRollout():
                    return self._set_rollout(command)
                case AskStatus() | TellOperators():
                    return self.line.ask(lambda: self.line.root, f"root/{next(self._numbers)}", command, deadline)
        except NotRouted as refusal:
            return CommandRefused((str(refusal),))

    def _submit(self, command: SubmitGroup, deadline: float) -> OperatorAnswer:
        group_id = command.plan.group_id
        cells = [self.router.cell_of_new(group_id)]
        answer = self._ask_cells(cells, f"submit:{group_id}", command, deadline)
        if isinstance(answer, CommandRefused):
            self.router.refused(group_id)
        elif isinstance(answer, GroupAccepted):
            return replace(answer, realm=realm_of_cell(cells[0]).value)
        return answer

    def _ask_cells(
        self, cells: list[int], name: str, command: OperatorCommand, deadline: float, *, everyone: bool = False
    ) -> OperatorAnswer:
        """The answer of the first cell that has done it, else of the last one; ``everyone`` is asked, or until one has.

        Each is given its share of the time that is left: one that is down must not keep the others from being asked.
        Raises :class:`NoAnswer` when one has not answered, and nobody else has done it who is enough.
        """
        answers: list[OperatorAnswer] = []
        silent: dict[int, NoAnswer] = {}
        for left, cell in zip(range(len(cells), 0, -1), cells, strict=True):
            until = time.monotonic() + (deadline - time.monotonic()) / left
            try:
                answers.append(self.line.ask(partial(self.line.cell, cell, until), name, command, until))
            except SystemLost:
                raise
            except NoAnswer as silence:
                silent[cell] = silence
                continue
            if isinstance(answers[-1], CommandDone) and not everyone:
                return answers[-1]
        if not silent:
            return next((answer for answer in answers if isinstance(answer, CommandDone)), answers[-1])
        if len(cells) == 1:
            raise silent[cells[0]]
        names = ", ".join(cell_name(cell) for cell in silent)
        others = f"; the others: {'; '.join(map(_text, answers))}" if answers else ""
        raise NoAnswer(f"{name}: {names} did not answer in time, and may still carry it out{others}")

    def _ask_gateways(self, command: GatewayCommand, only: str, timeout_s: float) -> OperatorAnswer:
        """Tell the gateway of each realm, the live one first; what is in force is asked of the first one only.

        One that is down must not keep the other from hearing of a kill switch, and finds it on disk.
        """
        chosen = [realm for realm in self.router.realms if only in ("", realm.value)]
        if not chosen:
            return CommandRefused((f"there is nothing {only} here: rollout.mode is {self.config.rollout.mode!r}",))
        if isinstance(command, AskControls):
            chosen = chosen[:1]
        return self._ask_each(
            chosen,
            lambda realm: self._ask_gateway(command, realm, time.monotonic() + timeout_s / len(chosen)),
            lambda realm: f"the {realm.value} gateway does not answer{self._on_disk(command, realm)}",
        )

    def _operate_strategy(self, command: OperateStrategy, timeout_s: float) -> OperatorAnswer:
        """Tell the strategy in each realm: whichever enters its next group is to know."""
        realms, name = self.router.realms, f"strategy:{command.name}"

        def ask(realm: Realm) -> OperatorAnswer:
            cell = self.router.cell_of_strategy(command.name, realm)
            deadline = time.monotonic() + timeout_s / len(realms)
            return self.line.ask(lambda: self.line.cell(cell, deadline), name, command, deadline)

        return self._ask_each(
            list(realms), ask, lambda realm: f"its {realm.value} cell does not answer, and may not know it: ask again"
        )

    def _ask_each(
        self,
        chosen: list[Realm],
        ask: Callable[[Realm], OperatorAnswer],
        silence: Callable[[Realm], str],
    ) -> OperatorAnswer:
        """What each realm says, in one answer.  Raises :class:`NoAnswer` after all have been asked."""
        said: dict[Realm, OperatorAnswer] = {}
        silent = []
        for realm in chosen:
            try:
                said[realm] = ask(realm)
            except SystemLost:
                raise
            except NoAnswer:
                silent.append(silence(realm))
        if len(chosen) == 1 and said:
            return next(iter(said.values()))
        texts = [f"{realm.value}: {_text(answer)}" for realm, answer in said.items()]
        if silent:
            raise NoAnswer("; ".join([*silent, *texts]))
        refused = any(isinstance(answer, CommandRefused) for answer in said.values())
        return CommandRefused(tuple(texts)) if refused else CommandDone("; ".join(texts))

    def _ask_gateway(self, command: GatewayCommand, realm: Realm, deadline: float) -> OperatorAnswer:
        """A halt is not ended by the kill switch that it has turned on: what is down would stay down (R25)."""
        ends_halt = isinstance(command, KillSwitch) and not command.on

        def gateway() -> Any:
            directory = self.line.directory(deadline)  # anew each time: a halt may come while a gateway is waited for
            halted = directory.failure or directory.halts.get(realm)
            if halted and ends_halt:
                what = "the system" if directory.failure else realm.value
                raise StillHalted(
                    f"{what} is halted ({halted}): mend that, stop the system and start it again, then turn it off"
                )
            return directory.gateways.get(realm)

        try:
            return self.line.ask(gateway, f"{type(command).__name__}/{next(self._numbers)}", command, deadline)
        except StillHalted as halt:
            return CommandRefused((str(halt),))

    def _strategies(self, deadline: float) -> OperatorAnswer:
        """Those of all cells."""
        found: list[StrategyRow] = []
        for cell in running_cells(self.config):
            question = AskStrategies(f"strategies/{next(self._numbers)}")
            answer = self.line.ask(partial(self.line.cell, cell, deadline), question.command_id, question, deadline)
            if not isinstance(answer, StrategyList):
                return answer
            found += answer.strategies
        return StrategyList(tuple(sorted(found, key=lambda row: (row.record.name, row.record.cell))))

    def _on_disk(self, command: GatewayCommand, realm: Realm) -> str:
        if not (isinstance(command, KillSwitch) and command.on):
            return ""
        path, problem = kill_file_path(self.config, realm), make_kill_file(self.config, realm)
        if problem:
            return f", and {path} cannot be written ({problem})"
        return f"; {path} is made, and holds as soon as it is back"

    def _set_rollout(self, command: SetRollout) -> OperatorAnswer:
        """Durable first, in force at once, then told."""
        if self.config.rollout.mode != "rollout":
            mode = self.config.rollout.mode
            return CommandRefused(
                (f"rollout.mode is {mode!r}, so all new groups go there; set it to 'rollout' and start again",)
            )
        try:
            change = self.router.change(command)
        except JournalError as error:
            return CommandRefused((str(error),))
        text = (
            f"{change.live_share_pct} % of the new groups go live from now on, the others to paper; before it was "
            f"{change.before} % (by {change.by}: {change.reason}); groups that are open stay where they are"
        )
        with contextlib.suppress(NoAnswer):
            self.operate(TellOperators("ROLLOUT_SHARE", text))
        return CommandDone(text)

    def announce(self) -> None:
        """Say at the start what the share is: it may have been changed while nobody could be told."""
        if self.config.rollout.mode == "rollout":
            text = f"{self.router.share} % of the new groups go live, the others to paper"
            with contextlib.suppress(NoAnswer):
                self.operate(TellOperators("ROLLOUT_SHARE", text))

    def wait_until_started(self) -> None:
        """Until the gateway and every cell are up: the live ones, where there are any.

        Raises :class:`SystemRefused` when one of them cannot start, :class:`NoAnswer` when the root supervisor is gone.
        """
        needed = self.router.realms[0]
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            directory = self.line.directory(deadline)
            if directory.failure:
                raise SystemRefused(directory.failure)
            if needed in directory.gateways and directory.cells.keys() >= set(cells_of(self.config, needed)):
                return
            time.sleep(0.02)
        raise SystemRefused(f"the system did not start within {START_TIMEOUT_S:g} s{self._delays()}; see legkeeper.log")

    def _delays(self) -> str:
        """Which processes cannot start yet, and why; "" when nobody says so."""
        with contextlib.suppress(NoAnswer):
            answer = self.operate(AskStatus(), DELAYS_TOLD_WITHIN_S)
            if isinstance(answer, SystemStatus):
                delayed = [status for status in answer.processes if status.state == DELAYED]
                return "".join(f"; {status.name} {DELAYED}: {status.detail}" for status in delayed)
        return ""


@contextlib.contextmanager
def running_system(config: Config) -> Iterator[RunningSystem]:
    """Start the tree; stop it on leaving.  Every process of it dies with this one, however this one dies.

    Raises :class:`SystemRefused` when another system owns the journal directory or the port, when a journal cannot be
    read or is one of a larger system, when an alert sink is none, or when a child cannot start, and :class:`NoAnswer`
    when the tree dies meanwhile.
    """
    with owned(config) as directory:
        try:
            bring_up_to_date(config)
            refuse_what_would_be_lost(config)
            refuse_used_port(config.system.admin_port)
            router = Router(config)
        except JournalError as error:
            raise SystemRefused(str(error)) from None
        if Realm.PAPER in router.realms:
            make_folder(paper_dir(directory))
        yield from _run(config, router, directory)


def _run(config: Config, router: Router, directory: Path) -> Iterator[RunningSystem]:
    os.environ["THESPLOG_FILE"] = str(directory.resolve() / "thespian.log")
    os.environ["THESPIAN_BASE_IPADDR"] = "127.0.0.1"
    tie_descendants()
    bind_to_loopback()
    post_letters()
    tell_of_every_death()
    give_children_room()
    actors = ActorSystem("multiprocTCPBase", {"Admin Port": config.system.admin_port}, logDefs=_LOG_TO_NOWHERE)
    try:
        root = actors.createActor(RootSupervisor)
        started = actors.ask(root, StartRoot(msgspec.msgpack.encode(config)), START_TIMEOUT_S)
        if isinstance(started, ChildFailed):
            raise SystemRefused(started.reason)
        if not isinstance(started, Directory):
            raise NoAnswer(f"the root supervisor did not start within {START_TIMEOUT_S:g} s; see legkeeper.log")
        with closing(Line(actors, root, started.root_pid)) as line:
            system = RunningSystem(config, router, line)
            system.wait_until_started()
            system.announce()
            yield system
    finally:
        actors.shutdown()


_LOG_TO_NOWHERE = {  # our processes log to legkeeper.log; what Thespian itself has to say goes to thespian.log
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"nowhere": {"class": "logging.NullHandler"}},
    "root": {"level": "WARNING", "handlers": ["nowhere"]},
}


def _text(answer: OperatorAnswer) -> str:
    """An answer in words."""
    return "; ".join(answer.problems) if isinstance(answer, CommandRefused) else getattr(answer, "text", str(answer))
