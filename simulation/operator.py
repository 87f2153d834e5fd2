"""Whoever runs the system: starts the program again, gives commands, and asks again while nobody answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from domain.groups import GroupOutcome, Mode, group_tag
from domain.plans import home_cell
from messages import wire
from messages.controls import AcceptDifferences
from messages.operator import (
    Acknowledge,
    CancelGroup,
    CommandDone,
    CommandRefused,
    GroupAccepted,
    KillSwitch,
    OperateStrategy,
    SubmitGroup,
)
from messages.records import Severity
from messages.supervision import Operate, Operated, StartRoot
from simulation.base import Process
from simulation.schedule import MS
from simulation.tape import Corners
from simulation.workload import Action
from storage.tables import ESCALATIONS
from supervisors.root import RootSupervisor

if TYPE_CHECKING:
    from config.schema import Config
    from simulation.world import World

LOOK_NS = 500 * MS  # how often it is looked whether the program runs
ASK_AGAIN_NS = 2_000 * MS  # an operator without an answer asks again
TRIES = 60
DIFFER = "differences accept"  # what the system says a person may do when broker and journals differ


class Operator:
    """``answers`` has what became of each command, ``None`` as long as nobody has said."""

    def __init__(self, world: World) -> None:
        self.world, self.base, self.schedule = world, world.base, world.schedule
        self.config = world.scenario.config
        self.answers: dict[str, Any] = {}
        self._commands = 0
        self._numbers = count(1)
        self._asked: dict[str, int] = {}  # the number of the last ask for each command
        self._shut: Counter[str] = Counter()  # how often a command was refused by a gate
        self.closed: dict[str, frozenset[str]] = {}  # groups that a person had closed, and what he had been called for
        self.filed = 0  # alerts by the time when the program was started last
        self.goes_home = False  # all strategies are to be stopped
        self._differ = False  # whether an answer said that broker and journals differ since the start

    # --- the program ---

    def start_program(self) -> None:
        """The main program: a root, again whenever it has died."""
        if not self.base.find("RootSupervisor"):
            self.start_root()
        self.world.budgets.look()
        self.schedule.at(self.schedule.now_ns + LOOK_NS, self.start_program)

    def start_root(self) -> None:
        """Start the tree.  That there is one already is the program's lock to prevent."""
        self.filed = len(self.world.machine.alerts)
        root = self.world.system.createActor(RootSupervisor)
        self.base.put(self.base.outside, root, StartRoot(msgspec.msgpack.encode(self.config)))

    def stop_program(self) -> None:
        """End the tree: it is started again."""
        for root in self.base.find("RootSupervisor"):
            self.base.kill(root)

    def mends(self) -> bool:
        """Start the system again where it says that this must be, and turn the kill switch off; whether it had to be.

        It says so when it is halted, and when its disk was full.
        """
        self._look_after_alerts()
        budgets = self.world.budgets
        if budgets.is_halted() or (self.world.storage.is_low and not budgets.says_so()):
            self.stop_program()
        elif budgets.says_so():
            return True  # a person comes when he is called
        elif self.world.machine.killed.exists():
            self.release_kill_switch()
        else:
            return False
        return True

    def _look_after_alerts(self) -> None:
        """A person reads the alert log, and accepts what broker and journals differ on since the start (E14).

        That they differ, an answer has said, or the status page does: a group may wait for it of which nobody asks.
        """
        filed = {alert.escalation_id for alert in self.world.machine.alerts}
        for index, journal in enumerate(self.world.journals()):
            for alert in journal.rows(ESCALATIONS):
                if alert.severity is Severity.CRITICAL and not alert.acknowledged_ns and alert.escalation_id in filed:
                    self.acknowledge(alert.escalation_id, index)
        gateway = self._gateway()
        if self._differ or (gateway and DIFFER in self.base.instance(gateway).detail()):
            self._differ = False
            self._commands += 1
            self.ask(f"accept:{self._commands}", AcceptDifferences("", "it is as it should be", "ada"), "")

    def tighten(self) -> None:
        """From the next start on less is allowed."""
        self.config = tightened(self.config, self.world.tape.corner("what is tightened", OF_FAULTS))

    # --- commands ---

    def operate(self, action: Action) -> None:
        """The operator asks, and asks again while nobody answers."""
        match action.kind:
            case "submit" if action.plan is not None:
                self.ask(f"submit:{action.plan.group_id}", SubmitGroup(action.plan), action.plan.group_id)
            case "cancel" if action.plan is not None:
                self.ask(f"cancel:{action.plan.group_id}", CancelGroup(action.plan.group_id), action.plan.group_id)
            case "kill_switch":
                self.turn_kill_switch(on=action.on)
            case "strategy":
                if action.on:
                    self.world.strategies.let_run(action.name)
                self.ask(f"strategy:{action.name}", OperateStrategy(action.name, action.on), action.name)
            case "bust":
                self.world.house.bust_first(action.symbol)

    def stop_strategies(self, names: list[str]) -> None:
        """Tell them to close what they have, and none to run any more."""
        self.goes_home = True
        for name in names:
            cell = self._cell(home_cell(name, self.config.system.cells))
            if cell is not None:
                command = wire.pack(OperateStrategy(name, run=False))
                self.base.put(self.base.outside, cell.address, Operate(0, f"strategy:{name}", command))

    def turn_kill_switch(self, *, on: bool, after_ns: int = 0) -> None:
        """On or off."""
        self._commands += 1
        command_id = f"kill_switch:{on}:{self._commands}"
        self.schedule.at(self.schedule.now_ns + after_ns, self.ask, command_id, KillSwitch(on), "")

    def ask(self, command_id: str, command: Any, group_id: str, tries: int = 0) -> None:
        """Give a command, again while there is no answer."""
        if self.goes_home and isinstance(command, OperateStrategy):
            return
        if tries and (self.answers.get(command_id) is not None or tries > TRIES):
            return
        if not tries:
            self._asked[command_id] = next(self._numbers)
        self.answers[command_id] = self.answers.get(command_id)
        to = self._cell(home_cell(group_id, self.config.system.cells)) if group_id else self._gateway()
        if to is not None:
            if isinstance(command, KillSwitch) and not command.on:
                self.world.watch.released_ns = self.schedule.now_ns
            letter = Operate(self._asked[command_id], command_id, wire.pack(command))
            for _ in range(2 if self.world.faults.strikes("F.operator.twice") else 1):
                self.base.put(self.base.outside, to.address, letter)
        if isinstance(command, SubmitGroup):
            command = SubmitGroup(command.plan, again=True)
        self.schedule.at(self.schedule.now_ns + ASK_AGAIN_NS, self.ask, command_id, command, group_id, tries + 1)

    def told(self, message: Any) -> None:
        """The system has said something."""
        if isinstance(message, Operated) and message.number == self._asked.get(message.command_id, 0):
            answer = wire.answer(message.answer)
            self._differ |= DIFFER in str(answer)
            if isinstance(answer, CommandRefused) and not message.command_id.startswith("submit"):
                return
            if isinstance(answer, CommandRefused) and "not allowed" in " ".join(answer.problems):
                self._shut[message.command_id] += 1
                if self._shut[message.command_id] < TRIES // 2:
                    return  # asked again until the gate is open; some are shut for the day
            if isinstance(answer, GroupAccepted | CommandDone | CommandRefused):
                self.answers[message.command_id] = answer
                self.world.oracles.answered(message.command_id, answer)

    def answered(self) -> bool:
        """Whether every plan has been accepted or refused, and what is to be closed is."""
        closing = {f"cancel:{group_id}" for group_id in self.closed}
        asked = (key for key in self.answers if key.startswith("submit") or key in closing)
        return all(self.answers[key] is not None for key in asked)

    def close_halted(self) -> bool:
        """Have every group closed that hedges which fell short have halted; whether there is any."""
        for record in self.world.groups():
            theirs = record.quarantined or group_tag(record.group_id) in self.world.oracles.left_to_a_person
            if record.outcome is GroupOutcome.HALTED and record.mode is Mode.REDUCING and not theirs:
                self.closed[record.group_id] = self.called(record.group_id)
                self.answers[f"cancel:{record.group_id}"] = None
                self.ask(f"cancel:{record.group_id}", CancelGroup(record.group_id), record.group_id)
        return bool(self.closed)

    def called(self, group_id: str) -> frozenset[str]:
        """Which alerts asked a person to hedge by hand for this group."""
        return frozenset(
            alert.escalation_id
            for alert in self.world.machine.alerts
            if alert.group_id == group_id and alert.kind == "IMMEDIATE_MANUAL_HEDGE"
        )

    def release_kill_switch(self) -> None:
        """Nobody asks for it any more, and where it is on it goes off."""
        asked = [key for key in self.answers if key.startswith("kill_switch:True")]
        for key in asked:
            self.answers[key] = CommandDone("given up")
        if asked or self.world.machine.killed.exists():
            self.turn_kill_switch(on=False)

    def acknowledge(self, escalation_id: str, cell: int) -> None:
        """A person has read an alert."""
        found = self._cell(cell)
        if found is not None:
            command = wire.pack(Acknowledge(escalation_id, "ada"))
            self.base.put(self.base.outside, found.address, Operate(0, f"acknowledge:{escalation_id}", command))

    def _cell(self, index: int) -> Process | None:
        return next((p for p in self.base.find("Cell") if self.base.instance(p).name == f"cell-{index}"), None)

    def _gateway(self) -> Process | None:
        return next(iter(self.base.find("BrokerGateway")), None)


TIGHTER: tuple[dict[str, dict[str, Any]], ...] = (
    {"orders": {"entry_patience_ms": 2_000}},
    {"orders": {"max_attempts": 1}},
    {"orders": {"quote_max_age_ms": 2_000}},
    {"margin": {"max_use_pct": 1.0}},
    {"controls": {"max_order_qty": 3}},
    {"controls": {"max_order_notional": 2_000}},
    {"controls": {"max_short_units_underlying": 2}},
    {"controls": {"price_collar_pct": 2.0}},
    {"alerts": {"exposure_units": 1}},
)


OF_FAULTS: Final[Corners] = {"what is tightened": TIGHTER}


def tightened(config: Config, tighter: Mapping[str, Mapping[str, Any]]) -> Config:
    """The same with less allowed."""
    sections = {name: replace(getattr(config, name), **keys) for name, keys in tighter.items()}
    return replace(config, **sections)
