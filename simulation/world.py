"""One simulated run: the whole system, the exchange, the wire and an operator, on one tape.

Two phases.  Under fire the faults of the seed strike, and what must never happen is checked at every step; then
everything heals, and what must happen in the end is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from actors.machine import running_on
from domain.groups import GroupOutcome
from messages.records import GroupRecord, IntentStatus
from simulation import base
from simulation.base import RELIABLE, Died, SeededSystem
from simulation.budgets import Budgets
from simulation.clocks import HouseClock, WallClock
from simulation.faults import Faults
from simulation.fragile import fragile
from simulation.house import House
from simulation.liveness import UNDER_WAY_NS, Rest
from simulation.machine import SimulatedMachine
from simulation.network import Network
from simulation.operator import Operator
from simulation.oracles import Oracles, Violation
from simulation.schedule import MS, Schedule
from simulation.sessions import Night
from simulation.storage import Storage
from simulation.strategies import StrategyWatch, Walk
from simulation.strikes import Strikes
from simulation.tape import Tape, TapeRandom
from simulation.testimony import judge
from simulation.uncovered import Uncovered
from simulation.watch import Watch
from simulation.workload import CHAIN, Market, Scenario, draw_scenario
from storage.memory import MemoryJournal
from storage.port import Turn
from storage.tables import GROUPS, INTENTS
from venue.exchange import Exchange
from venue.feed import Feed
from venue.launch import promises
from venue.nasty import Mischief
from venue.server import Server
from venue.truth import TruthEvent

NOTICED_NS = 30_000 * MS  # by then a heartbeat that did not come has been acted on
HEAL_NS = 240_000 * MS  # broker time within which everything must have ended
CALM_TRIES = 20  # how often a moment without an order under way is looked for, a second apart
CALM_NS = 1_000 * MS  # how often the end is looked for
BEAT_S = 0.25  # how often the exchange says what time it is; a real one does every 0.1 s, which is no more dangerous
HEALED_BEAT_S = 0.5  # once no fault strikes any more
CALM_BEAT_S = 1.0  # and once every group has ended; as seldom something is quoted then
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
        self.base.shuffled = tape.corner("one letter in so many is any that waits", base.CORNERS)
        self.base.copies = self._copies
        self.base.times = self._times
        self.base.disordered = lambda: self.faults.strikes("F.actors.reorder")
        self.base.exits_first = lambda: self.faults.strikes("F.actors.exit_first")
        self.network = Network(self.base, self.schedule, self.faults, promises_ids=self.scenario.promises_ids)
        self.oracles = Oracles()
        self.watch = Watch(self.oracles, self.scenario.config)
        self.network.copied = self.watch.on_copy
        self.storage = Storage(self.base, self.faults, self._committed)
        self.storage.replaced = self.watch.on_older
        self.storage.failed, self.watch.is_low = self.watch.on_failed_commit, self.storage.has_been_full
        self.machine = SimulatedMachine(self.base, self.network, self.faults, self.storage, self.watch)
        self.exchange = Exchange(CHAIN, self.scenario.rules, self._record)
        self.market = market(tape, self.faults, tuple(self.scenario.symbols))
        self.market.spot = self.scenario.hours.spot
        if self.scenario.config.strategy:
            self.market.follow(Walk(tape, self.market.spot))
        self.wall = WallClock(self.schedule)
        self.clock = HouseClock(self.scenario.hours.start_ns, self.schedule.monotonic())
        self.server: Server = self._new_server()
        self.network.host = self.server
        self.budgets = Budgets(self)
        self.base.on_start = self.budgets.on_start
        self.house = House(self)
        self.network.leaving = self.house.on_leaving
        self.operator = Operator(self)
        self.strikes = Strikes(self)
        self.night = Night(self)
        self.strategies = StrategyWatch(self)
        self.at_rest = False  # all has healed, and there was time enough for everything
        told = self.scenario.config.reconciliation
        self.rest_ns = (max(2 * told.poll_ms, told.grace_ms) + 1_000) * MS  # then nothing is unheard (R20)
        self.uncovered = Uncovered(self)

    def _new_server(self) -> Server:
        mischief = Edge(self.faults, TapeRandom(self.tape, "the exchange's edge"))
        return Server(
            self.exchange,
            promises(self.scenario.rules),
            Feed(self.market.quotes(self.scenario.hours.start_ns), self.scenario.hours.start_ns),
            self.clock,
            mischief,
            monotonic=self.schedule.monotonic,
            timer=self.schedule,
            turn_s=BEAT_S,
        )

    # --- the run ---

    def run(self) -> None:
        """Raises :class:`Violation` when anything is wrong."""
        with running_on(self.machine), self.wall.instead(), fragile(self.faults):
            self.server.turn()
            self.operator.start_program()
            self.strikes.plan()
            self.night.await_close()
            for action in self.scenario.actions:
                self.schedule.at(self.schedule.now_ns + action.at_ns, self.operator.operate, action)
            self._until(self.schedule.now_ns + self.scenario.fire_ns)
            self.heal()
            self._nobody_hangs()
            self._settle()
            if self.scenario.closes_halted and self.operator.close_halted():
                self._settle()
            self.at_rest = True
            Rest(self, self.oracles).judge()
            self.watch.at_rest(self)
            self.strategies.at_rest()
            judge(self)

    def _until(self, end_ns: int) -> None:
        base, schedule, strikes = self.base, self.schedule, self.strikes
        while True:
            while base.deliver():
                if base.steps > MAX_STEPS:
                    raise Violation("L4", f"{base.steps} messages, and no end")
                strikes.after_letter()
            if schedule.now_ns >= end_ns:
                return
            schedule.step()
            for message in base.answers:
                self.operator.told(message)
            base.answers.clear()

    def _settle(self) -> None:
        limit_ns = self.schedule.now_ns + HEAL_NS
        self.uncovered.all_is_well()
        while True:
            self._until(self.schedule.now_ns + CALM_NS)
            mends, open_now = self.operator.mends(), self.open_groups()
            running = self.strategies.unfinished()
            self.operator.stop_strategies(running)
            late = self.schedule.now_ns < self.network.late_until_ns
            if mends or late:
                self.uncovered.all_is_well()
            self.uncovered.judge()
            over = self.operator.answered() and self.night.is_over and not late
            if over and not mends and not open_now and not running:
                self._beat(CALM_BEAT_S)
                self._until(self.schedule.now_ns + self.rest_ns)
                for _ in range(CALM_TRIES):
                    if not self._under_way():
                        break
                    self._until(self.schedule.now_ns + 1_000 * MS)
                if not self.open_groups() and not self.operator.mends() and not self.strategies.unfinished():
                    return
            if self.schedule.now_ns >= limit_ns:
                self.at_rest = True
                left = open_now or running or self.operator.answers
                raise Violation("L1", f"not ended {HEAL_NS // 10**9} s after all faults: {left}")

    def _nobody_hangs(self) -> None:
        """Whoever was stopped for good is noticed and killed by its supervisor; only then all has healed.

        A reconciler whose restart budget is spent rests for a period first.  What it should have seen meanwhile its
        successor needs the time of rest to see.
        """
        limit_ns = self.schedule.now_ns + NOTICED_NS
        while self.base.hanging() and self.schedule.now_ns < limit_ns:
            self._until(self.schedule.now_ns + CALM_NS)
        limit_ns = max(limit_ns, self.schedule.now_ns + self.scenario.config.supervision.period_ms * MS + NOTICED_NS)
        while not self.base.find("PositionReconciler") and self.schedule.now_ns < limit_ns:
            self._until(self.schedule.now_ns + CALM_NS)
        hanging = [f"{process.kind} {process.pid}" for process in self.base.hanging()]
        self.oracles.demand(not hanging, "I24", f"{', '.join(hanging)} hang, and no supervisor has noticed")

    def _under_way(self) -> bool:
        """Whether an order has just been decided, or waits to leave: a house may take three requests a second only.

        A stop-loss that the house refuses is tried again for ever.
        """
        young_ns = self.server.now_ns - UNDER_WAY_NS
        return any(
            row.decided_ns > young_ns or row.status is IntentStatus.INTENT_PERSISTED
            for journal in self.journals()
            for row in journal.rows(INTENTS)
        )

    def heal(self) -> None:
        """All faults end: the markets are deep, the wire is whole, the kill switch is off."""
        self.faults.heal()
        self.base.release()
        self.network.mend()
        self.storage.mend()
        self.operator.release_kill_switch()
        self.server.halt("")
        self.exchange.relist(CHAIN, self.server.now_ns)
        self.house.mend()
        self.clock.change(self.schedule.monotonic())
        self.market.calm_down()
        self.server.behave(Mischief(self.faults.nasty(), 0))
        self._beat(HEALED_BEAT_S)

    def _beat(self, every_s: float) -> None:
        self.server.turn_s, self.market.every_ns = every_s, round(every_s * 1_000) * MS

    def digest(self) -> str:
        """The same for the same tape, on any machine and in any process (M2)."""
        told = self.base.story.copy()
        told.update(repr((self.base.steps, self.schedule.now_ns, self.tape.drawn)).encode())
        for _, journal in sorted(self.storage.disks.items()):
            told.update(journal.head.hash)
        for event in (*self.truth, *self.machine.wire, *self.machine.alerts):
            told.update(msgspec.json.encode(event))
        return told.hexdigest()

    # --- faults ---

    def _copies(self, message: Any) -> tuple[int, int]:
        """How many copies of a letter between processes arrive, and how late; or its sender dies in the middle."""
        if not self.faults.rates:
            return 1, 0
        kind = type(message).__name__
        match self.faults.one_of(ADDRESSES if kind == "PeersChanged" else START if kind in RELIABLE else LETTERS):
            case "F.process.kill_in_handler":
                raise Died
            case "F.process.out_of_memory":
                raise MemoryError
            case "F.actors.drop":
                return 0, 0
            case "F.actors.duplicate":
                return 2, 0
            case "F.actors.delay" | "F.actors.old_incarnation":
                return 1, self.tape.between("a letter is late by, ms", 1, 3_000) * MS
        return int(not (kind in ANSWERS and self.faults.strikes("F.actors.answer_lost"))), 0

    def _times(self, now_ns: int, due_ns: int) -> tuple[int, ...]:
        """When a timer fires."""
        match self.faults.one_of(TIMERS) if self.faults.rates else "":
            case "F.time.timer_late":
                return (due_ns + self.tape.between("a timer is late by, ms", 1, 3_000) * MS,)
            case "F.time.timer_early":
                return (due_ns - (due_ns - now_ns) * self.tape.between("a timer is early by, %", 1, 90) // 100,)
            case "F.time.timer_twice":
                return due_ns, due_ns + self.tape.between("a timer fires again after, ms", 0, 500) * MS
            case "F.time.timer_lost":
                return ()
        return (due_ns,)

    # --- what the world knows ---

    def journals(self) -> list[MemoryJournal]:
        """What is on the disks, whoever owns it now."""
        return [journal for path, journal in sorted(self.storage.disks.items()) if path.name.startswith("cell")]

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
        self.uncovered.on_truth(event)
        if self.faults.rates:
            self.house.on_truth(event)

    def _committed(self, path: Path, turn: Turn) -> None:
        self.oracles.on_commit(path, turn)
        self.strategies.on_commit(turn)
        self.watch.on_commit(path, turn)
        self.uncovered.on_commit(turn)


START = ("F.process.kill_in_handler", "F.process.out_of_memory")
ADDRESSES = (*START, "F.actors.old_incarnation")
LETTERS = (*START, "F.actors.drop", "F.actors.duplicate", "F.actors.delay")
TIMERS = ("F.time.timer_late", "F.time.timer_early", "F.time.timer_twice", "F.time.timer_lost")
ANSWERS = frozenset({"EventBatchTaken", "OrderBatchTaken", "AlertBatchTaken", "Operated", "Pong"})
