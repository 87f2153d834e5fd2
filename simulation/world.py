"""One simulated run: the whole system, the exchange, the wire and an operator, on one tape.

Two phases.  Under fire the faults of the seed strike, and what must never happen is checked at every step; then
everything heals, and what must happen in the end is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from actors.machine import running_on
from domain.groups import GroupOutcome
from domain.plans import home_cell
from messages import wire
from messages.operator import (
    Acknowledge,
    CancelGroup,
    CommandDone,
    CommandRefused,
    GroupAccepted,
    KillSwitch,
    SubmitGroup,
)
from messages.records import GroupRecord
from messages.supervision import Operate, Operated, StartRoot
from simulation.base import Died, Process, SeededSystem
from simulation.faults import Faults
from simulation.machine import SimulatedMachine
from simulation.network import Network
from simulation.oracles import Oracles, Violation
from simulation.schedule import MS, Schedule
from simulation.tape import Tape, TapeRandom
from simulation.testimony import judge
from simulation.watch import Watch
from simulation.workload import CHAIN, START_NS, Action, Market, Scenario, draw_scenario
from storage.memory import MemoryJournal
from storage.port import Turn
from storage.tables import GROUPS, INTENTS
from supervisors.root import RootSupervisor
from venue.exchange import Exchange
from venue.feed import Feed, VenueClock
from venue.launch import promises
from venue.nasty import Mischief
from venue.server import Server
from venue.truth import TruthEvent

VICTIMS = ("Cell", "BrokerGateway", "Notifier", "CellSupervisor", "RootSupervisor")
HEAL_NS = 240_000 * MS  # broker time within which everything must have ended
CALM_TRIES = 20  # how often a moment without an order under way is looked for, a second apart
CALM_NS = 2_000 * MS  # how often the end is looked for
ASK_AGAIN_NS = 2_000 * MS  # an operator without an answer asks again
BEAT_S = 0.25  # how often the exchange says what time it is; a real one does every 0.1 s, which is no more dangerous
CALM_BEAT_S = 1.0  # and once every group has ended
MAX_STEPS = 200_000  # of one run: more is a livelock (L4)


class Edge(Mischief):
    """The exchange's mischief, counted among the faults."""

    def __init__(self, faults: Faults, random: TapeRandom) -> None:
        super().__init__(faults.nasty(), 0, random)
        self._faults = faults

    def _strikes(self, name: str) -> bool:
        strikes = super()._strikes(name)
        if strikes:
            self._faults.note(f"F.broker.{name}")
        return strikes


class World:
    """Runs once."""

    def __init__(
        self,
        tape: Tape,
        rates: dict[str, float],
        scenario: Scenario | None = None,
        market: Callable[[Tape, Faults, tuple[str, ...]], Market] = Market,
    ) -> None:
        self.tape = tape
        self.faults = Faults(tape, rates)
        self.scenario = scenario or draw_scenario(tape, self.faults)
        self.schedule = Schedule()
        self.truth: list[TruthEvent] = []
        system = SeededSystem(tape, self.schedule)
        self.system, self.base = system, system.base
        self.base.copies = self._copies
        self.base.disordered = lambda: self.faults.strikes("F.actors.reorder")
        self.network = Network(self.base, self.schedule, self.faults, promises_ids=self.scenario.promises_ids)
        self.oracles = Oracles()
        self.watch = Watch(self.oracles, self.scenario.config)
        self.machine = SimulatedMachine(self.base, self.network, self.faults, self._committed, self.watch)
        self.exchange = Exchange(CHAIN, self.scenario.rules, self._record)
        used = {leg.symbol for action in self.scenario.actions if action.plan for leg in action.plan.legs}
        self.market = market(tape, self.faults, tuple(sorted(used)))
        self.server = self._new_server()
        self.network.host = self.server
        self.answers: dict[str, Any] = {}
        self.accepted: dict[str, str] = {}  # command id -> what became of it
        self.asked = 0
        self.rest_ns = (2 * self.scenario.config.reconciliation.poll_ms + 1_000) * MS  # then nothing is unheard (R20)
        self.root_config = msgspec.msgpack.encode(self.scenario.config)

    def _new_server(self) -> Server:
        clock = VenueClock(start_ns=START_NS, started_s=self.schedule.monotonic(), speed=1.0)
        mischief = Edge(self.faults, TapeRandom(self.tape, "the exchange's edge"))
        return Server(
            self.exchange,
            promises(self.scenario.rules),
            Feed(self.market.quotes(START_NS), START_NS),
            clock,
            mischief,
            monotonic=self.schedule.monotonic,
            timer=self.schedule,
            turn_s=BEAT_S,
        )

    # --- the run ---

    def run(self) -> None:
        """Raises :class:`Violation` when anything is wrong."""
        with running_on(self.machine):
            self.server.turn()
            self.start_program()
            for action in self.scenario.actions:
                self.schedule.at(self.schedule.now_ns + action.at_ns, self.operate, action)
            self._until(self.schedule.now_ns + self.scenario.fire_ns)
            self.heal()
            self._settle()
            self.oracles.at_rest(self)
            self.watch.at_rest(self)
            judge(self)

    def _answered(self) -> bool:
        """Whether every plan has been accepted or refused."""
        return all(answer is not None for key, answer in self.answers.items() if key.startswith("submit"))

    def _until(self, end_ns: int) -> None:
        base, schedule, faults = self.base, self.schedule, self.faults
        while True:
            while base.deliver():
                if base.steps > MAX_STEPS:
                    raise Violation("L4", f"{base.steps} messages, and no end")
                if faults.rates:
                    self._strike()
            if schedule.now_ns >= end_ns:
                return
            schedule.step()
            for message in base.answers:
                self._on_answer(message)
            base.answers.clear()

    def _settle(self) -> None:
        limit_ns = self.schedule.now_ns + HEAL_NS
        while True:
            self._until(self.schedule.now_ns + CALM_NS)
            open_now = self.open_groups()
            if not open_now and self._answered():
                self.server.turn_s = CALM_BEAT_S
                self._until(self.schedule.now_ns + self.rest_ns)
                for _ in range(CALM_TRIES):
                    if not self._under_way():
                        break
                    self._until(self.schedule.now_ns + 1_000 * MS)
                if not self.open_groups():
                    return
            if self.schedule.now_ns >= limit_ns:
                raise Violation("L1", f"not ended {HEAL_NS // 10**9} s after all faults: {open_now or 'alerts'}")

    def _under_way(self) -> bool:
        """Whether an order has just been decided: a stop-loss that the house refuses is tried again for ever."""
        young_ns = self.server.now_ns - 2_000 * MS
        return any(row.decided_ns > young_ns for journal in self.journals() for row in journal.rows(INTENTS))

    def heal(self) -> None:
        """All faults end: the markets are deep, the wire is whole, the kill switch is off."""
        self.faults.heal()
        self.network.cut_until_ns = 0
        if self.machine.killed.exists() or "kill_switch:True" in self.answers:
            self.answers["kill_switch:True"] = CommandDone("given up")  # whoever still asks for it stops
            self._ask("kill_switch:False", KillSwitch(False), "")
        self.market.deep = True
        self.market.mids = dict.fromkeys(self.market.symbols, 20_250)
        self.server.behave(Mischief(self.faults.nasty(), 0))

    def digest(self) -> str:
        """The same for the same tape, on any machine and in any process (M2)."""
        told = blake2b(digest_size=16)
        told.update(repr((self.base.steps, self.schedule.now_ns, self.tape.drawn)).encode())
        for journal in self.journals():
            told.update(journal.head.hash)
        for event in self.truth:
            told.update(msgspec.json.encode(event))
        return told.hexdigest()

    # --- faults ---

    def _strike(self) -> None:
        faults, tape, base = self.faults, self.tape, self.base
        if faults.strikes("F.process.kill"):
            victims = [p for p in base.processes.values() if p.kind in VICTIMS[:4]]
            if victims:
                base.kill(victims[tape.draw("who", len(victims))])
        if faults.strikes("F.process.hang"):
            victims = [p for p in base.processes.values() if p.kind in VICTIMS[:2]]
            if victims:
                base.stop(victims[tape.draw("who", len(victims))], tape.between("for, ms", 10, 8_000) * MS)
        if faults.strikes("F.process.program"):
            for process in base.find("RootSupervisor"):
                base.kill(process)
        if faults.strikes("F.wire.cut"):
            self.network.cut(tape.between("for, ms", 10, 6_000) * MS)

    def _change_trade(self, exec_id: str, quantity: int) -> None:
        """A trade is corrected to this quantity; to 0: it is busted."""
        now_ns = self.server.now_ns
        try:
            reports = (
                self.exchange.correct(exec_id, quantity, 20_500, now_ns)
                if quantity
                else self.exchange.bust(exec_id, now_ns)
            )
        except (KeyError, ValueError):
            return  # the exchange does not allow it any more
        self.server.publish(reports)

    def _copies(self, message: Any) -> int:
        """How many copies of a letter between processes arrive; or its sender dies before it has left."""
        faults = self.faults
        if not faults.rates:
            return 1
        if faults.strikes("F.process.kill_in_handler"):
            raise Died
        if type(message).__name__ in RELIABLE:
            return 1
        if faults.strikes("F.actors.drop"):
            return 0
        return 2 if faults.strikes("F.actors.duplicate") else 1

    # --- program and operator ---

    def start_program(self) -> None:
        """The main program: a root, again whenever it has died."""
        if not self.base.find("RootSupervisor"):
            root = self.system.createActor(RootSupervisor)
            self.base.put(self.base.outside, root, StartRoot(self.root_config))
        self.schedule.at(self.schedule.now_ns + 500 * MS, self.start_program)

    def operate(self, action: Action) -> None:
        """The operator asks, and asks again while nobody answers."""
        match action.kind:
            case "submit" if action.plan is not None:
                self._ask(f"submit:{action.plan.group_id}", SubmitGroup(action.plan), action.plan.group_id)
            case "cancel" if action.plan is not None:
                self._ask(f"cancel:{action.plan.group_id}", CancelGroup(action.plan.group_id), action.plan.group_id)
            case "kill_switch":
                self._ask(f"kill_switch:{action.on}", KillSwitch(action.on), "")
            case "bust":
                self._bust_first(action.symbol)

    def _bust_first(self, symbol: str, tries: int = 40) -> None:
        """The exchange takes back the first trade of this symbol, as soon as there is one."""
        trades = (event.exec_id for event in self.truth if event.kind == "fill" and event.symbol == symbol)
        exec_id = next(trades, "")
        if exec_id:
            self._change_trade(exec_id, 0)
        elif tries:
            self.schedule.at(self.schedule.now_ns + 100 * MS, self._bust_first, symbol, tries - 1)

    def _ask(self, command_id: str, command: Any, group_id: str, tries: int = 0) -> None:
        if tries and (self.answers.get(command_id) is not None or tries > 60):
            return
        self.answers[command_id] = None
        to = self._cell(home_cell(group_id, self.scenario.config.system.cells)) if group_id else self._gateway()
        if to is not None:
            for _ in range(2 if self.faults.strikes("F.operator.twice") else 1):
                self.base.put(self.base.outside, to.address, Operate(command_id, wire.pack(command)))
        if isinstance(command, SubmitGroup):
            command = SubmitGroup(command.plan, again=True)
        self.schedule.at(self.schedule.now_ns + ASK_AGAIN_NS, self._ask, command_id, command, group_id, tries + 1)

    def _on_answer(self, message: Any) -> None:
        if isinstance(message, Operated):
            answer = wire.answer(message.answer)
            if isinstance(answer, CommandRefused) and not message.command_id.startswith("submit"):
                return
            if isinstance(answer, CommandRefused) and "not allowed" in " ".join(answer.problems):
                return  # asked again until the gate is open
            if isinstance(answer, GroupAccepted | CommandDone | CommandRefused):
                self.answers[message.command_id] = answer
                self.oracles.answered(message.command_id, answer)

    def acknowledge(self, escalation_id: str, cell: int) -> None:
        """A person has read an alert."""
        found = self._cell(cell)
        if found is not None:
            command = wire.pack(Acknowledge(escalation_id, "ada"))
            self.base.put(self.base.outside, found.address, Operate(f"acknowledge:{escalation_id}", command))

    def _cell(self, index: int) -> Process | None:
        return next((p for p in self.base.find("Cell") if self.base.instance(p).name == f"cell-{index}"), None)

    def _gateway(self) -> Process | None:
        return next(iter(self.base.find("BrokerGateway")), None)

    # --- what the world knows ---

    def journals(self) -> list[MemoryJournal]:
        """What is on the disks, whoever owns it now."""
        return [journal for path, journal in sorted(self.machine.disks.items()) if path.name.startswith("cell")]

    def groups(self) -> list[GroupRecord]:
        """Every group in any journal."""
        return [record for journal in self.journals() for record in journal.rows(GROUPS)]

    def open_groups(self) -> list[str]:
        """Those that have not ended."""
        return [record.group_id for record in self.groups() if record.outcome is GroupOutcome.OPEN]

    def _record(self, event: TruthEvent) -> None:
        self.truth.append(event)
        self.oracles.on_truth(event)
        self.watch.on_truth(event)
        if event.kind == "fill" and self.faults.rates:
            self._doubt(event)

    def _doubt(self, event: TruthEvent) -> None:
        quantity = event.last_qty or 0
        for name, becomes in (("F.broker.bust", 0), ("F.broker.correct", quantity // 2)):
            if self.faults.strikes(name):
                later_ns = self.tape.between("and is changed after, ms", 1, 4_000) * MS
                self.schedule.at(self.schedule.now_ns + later_ns, self._change_trade, event.exec_id, becomes)

    def _committed(self, path: Path, turn: Turn) -> None:
        self.oracles.on_commit(path, turn)
        self.watch.on_commit(path, turn)


RELIABLE = frozenset({"StartChild", "StartRoot", "ChildReady", "ChildFailed", "PeersChanged", "CellDirectory"})
