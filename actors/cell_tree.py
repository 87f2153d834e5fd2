"""A cell without its process: the gate, the clock, the journal and the in-process tree, and the turn over them.

The process actor (actors/cell.py), the simulator and the tests all host this class.  A turn takes what is waiting,
runs the tree until it is quiet, commits *one* transaction, and only then hands out what is to be released.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, groupby
from typing import Any

import msgspec
from msgspec.structs import replace

from actors.beside import OtherRealm
from actors.counting import count_turn
from actors.desk import Desk
from actors.desk_letters import ClockBehind, DeskPost, Mail, SnapshotTaken, StepEnded
from actors.inprocess import InProcessSystem
from actors.machine import machine
from actors.turn import SYSTEM, Turn
from config.schema import Config
from decisions import gate
from decisions.effects import Moment, Outgoing
from decisions.gate import Gate
from decisions.gateway.session import MarketHours, repair_refusal
from decisions.orders.snapshots import contradicted
from domain.calendar import Standing
from domain.execution import ExecutionReport
from domain.instruments import Instrument
from domain.quotes import Quote
from messages import market
from messages.group import Review
from messages.identity import input_id
from messages.market import gateway_of
from messages.orders import InstrumentList, News, Snapshot
from messages.records import EscalationRecord, Record
from monitoring.measures import Measures
from storage.port import Journal
from storage.port import Turn as JournalTurn

_NEWS = frozenset(News.__args__)


class Released(msgspec.Struct, frozen=True):
    """What a turn lets out, after its commit."""

    requests: tuple[Outgoing, ...]
    alerts: tuple[EscalationRecord, ...]
    replies: tuple[tuple[str, msgspec.Struct], ...]


class CellTree:
    """One cell's groups and their memory.

    The flags are what the broker's adapter declares: whether it refuses a repeated client order id, changes orders in
    place, may let a market order rest as a limit, and watches stop orders itself.  ``beside`` is the realm that may
    enter a strategy's next group in this one's stead; ``None`` where there is none.
    """

    def __init__(
        self,
        index: int,
        config: Config,
        journal: Journal,
        *,
        deduplicates: bool,
        replaces: bool = False,
        rests: bool = False,
        server_stops: bool = True,
        beside: OtherRealm | None = None,
    ) -> None:
        self.index, self.config, self.journal = index, config, journal
        self.gate = Gate()
        self.clock_ns = journal.clock_ns  # the maximum of broker time seen: it never runs backwards
        self._behind_ns = 0  # so far is the last tick behind that maximum
        self._hours = MarketHours(config.broker.calendar)
        self._standing: Standing | None = None
        self._phase_ends_ns = 0
        self._listed: dict[str, Instrument] = {}
        self._quotes: dict[str, Quote] = {}
        self._judged: Gate | None = None  # the gate that the following was read off
        self._world: dict[str, Any] = {}  # what of a moment does not change with every step
        self._declared = {
            "deduplicates": deduplicates, "replaces": replaces, "rests": rests, "server_stops": server_stops
        }  # fmt: skip
        self._seen: set[str] = set()  # ids of this turn's inputs that were taken before, in it or earlier
        self.measures = Measures()
        self.measures.begin(
            "turn_seconds", "commit_seconds", "hedge_lag_seconds", "stop_unprotected_seconds", "orders_differing_total",
            "safeguard_actions_total", "reconciliations_total", "reconciliation_divergences_total",
            "strategy_exits_total",
        )  # fmt: skip
        self._turn = Turn(self._moment("start"))
        self.system = InProcessSystem()
        self._desk = self.system.createActor(Desk)
        self.system.tell(self._desk, DeskPost(self._turn, journal, self.system, beside))
        self._close_step()

    @property
    def symbols(self) -> frozenset[str]:
        """The symbols that this cell wants quotes of."""
        return frozenset(self._turn.symbols)

    @property
    def uncovered_qty(self) -> int:
        """Short units of all groups that nothing protects."""
        return self._turn.uncovered_qty

    @property
    def freezes_ns(self) -> int:
        """When an alert that waits for a person here freezes new risk (E18)."""
        return self._turn.freezes_ns

    def addressed(self) -> None:
        """Another gateway is asked from now on; nobody says what became of what the one before was asked."""
        self._turn.awaited.addressed(gateway_of(self.gate.session))

    def run(self, inputs: Iterable[msgspec.Struct]) -> Released:
        """One turn.  Raises ``CommitUnknown`` when the commit failed: the caller must die, nothing was released."""
        if self.journal.storage_low and not self.gate.storage_low:  # the last commit found it out
            self.gate = replace(self.gate, storage_low=True)
        named = [(message, input_id(message)) for message in inputs]
        self._seen = self.journal.seen([cause for _, cause in named if cause])
        for news, some in groupby(named, lambda pair: type(pair[0]) in _NEWS):
            if news:
                self._take_news(list(some))
            else:
                for message, cause in some:
                    self._take(message, cause)
        turn = self._turn
        records = tuple(record for _, record in turn.records)
        if records:
            began = machine().monotonic_ns()
            self.journal.commit(JournalTurn(epoch=self.journal.epoch, at_ns=self.clock_ns, records=records))
            self.measures.observe("commit_seconds", (machine().monotonic_ns() - began) / 1e9)
        released = Released(
            requests=tuple(request for _, request in turn.requests),
            alerts=tuple(
                r for r in records if type(r) is EscalationRecord and not r.delivered_ns and not r.acknowledged_ns
            ),
            replies=tuple(turn.replies),
        )
        if records or released.requests:
            count_turn(self.measures, records, released.requests)
        for safeguard, times in turn.safeguards.items():
            self.measures.add("safeguard_actions_total", times, safeguard=safeguard)
        self.measures.add("reconciliation_divergences_total", turn.divergences)
        turn.clear()
        return released

    def _take(self, message: msgspec.Struct, cause: str) -> None:
        if self._is_repeated(cause):
            return
        before = self.gate
        self._note_time(message)
        self._note_market()
        noted = self.gate
        if not isinstance(message, Snapshot):
            self.gate = gate.turn(self.gate, message)
        records = self._step(message, cause or f"{type(message).__name__}@{self.clock_ns}")
        if cause:
            self._remember(cause, message, records)
        if isinstance(message, Snapshot):
            self._compare(records)
            self.gate = gate.turn(self.gate, message)
            if self.gate != noted:
                self._remember(f"reconciled/{self.journal.epoch}/{message.session}", message, [])
        self._follow_up(before)

    def _take_news(self, named: list[tuple[Any, str]]) -> None:
        """One step for all news in a row: every order is joined before any level is worked out anew."""
        fresh = []
        for news, cause in named:
            if self._is_repeated(cause):
                continue
            self._seen.add(cause)
            self._note_time(news)
            fresh.append((cause, news))
        if fresh:
            before = self.gate
            self._note_market()
            self._step(Mail(tuple(fresh)), fresh[-1][0])
            self._follow_up(before)

    def _is_repeated(self, cause: str) -> bool:
        """Whether this input was taken before (S9): counted, and nothing else."""
        if cause not in self._seen:
            return False
        self._turn.safeguards["S9"] += 1
        return True

    def _follow_up(self, before: Gate) -> None:
        """What a step has changed for the gate; when that opens, everybody looks again."""
        behind_ms = self._behind_ns // 1_000_000
        behind = behind_ms > self.config.orders.quote_max_age_ms  # by then no quote counts as fresh
        levels = (self.clock_ns >= self.freezes_ns, self.journal.storage_low, behind)
        if levels != (self.gate.frozen, self.gate.storage_low, self.gate.behind):
            self.gate = replace(self.gate, frozen=levels[0], storage_low=levels[1], behind=behind)
        if self.gate is before:
            return
        if self.gate.behind and not before.behind:
            self._step(ClockBehind(behind_ms // 1_000), "broker clock")
        resumed = bool(before.waits) and not self.gate.waits
        if resumed or (self.gate.may_send and not before.may_send) or (self.gate.may_open and not before.may_open):
            self._step(Review(), "gate opened")

    def _step(self, message: msgspec.Struct, cause: str) -> list[tuple[str, Record]]:
        records = self._post(message, cause)
        while self._turn.again:
            again, self._turn.again = self._turn.again, []
            for news in again:
                records = [*records, *self._post(news, input_id(news))]
        return records

    def _post(self, message: msgspec.Struct, cause: str) -> list[tuple[str, Record]]:
        self._turn.moment = self._moment(cause)
        self.system.tell(self._desk, message)
        return self._close_step()

    def _close_step(self) -> list[tuple[str, Record]]:
        records = self._turn.end_step()
        if records:
            self.system.tell(self._desk, StepEnded(tuple(records)))
        return records

    def _compare(self, records: list[tuple[str, Record]]) -> None:
        """What a snapshot has changed was not as the journal had it: count it, and say so."""
        found = contradicted(record for _, record in records)
        self._step(SnapshotTaken(found), f"snapshot@{self.clock_ns}")
        self.measures.add("reconciliations_total")

    def _remember(self, event_id: str, message: msgspec.Struct, records: list[tuple[str, Record]]) -> None:
        owner = next((group_id for group_id, _ in records if group_id), SYSTEM)
        self._seen.add(event_id)
        self._turn.remember(event_id, type(message).__name__, owner)

    def _note_time(self, message: msgspec.Struct) -> None:
        match message:
            case market.Tick():
                self.clock_ns = max(self.clock_ns, message.broker_time_ns)
                self._behind_ns = self.clock_ns - message.broker_time_ns
                for quote in message.quotes:
                    self._quotes[quote.symbol] = quote
            case ExecutionReport():
                self.clock_ns = max(self.clock_ns, message.ts_ns)
            case Snapshot():
                told = (report.ts_ns for report in chain(message.orders, message.executions))
                self.clock_ns = max(self.clock_ns, message.as_of_ns, *told)  # some tell of a moment after "as of"
            case market.MarketStatus():
                self._hours.status = message
            case InstrumentList():
                self._listed = {instrument.symbol: instrument for instrument in message.instruments}

    def _note_market(self) -> None:
        standing = self._hours.at(self.clock_ns)
        if standing is not self._standing:
            self._standing = standing
            self.gate = replace(self.gate, market=standing.text, waits=repair_refusal(standing))
            self._phase_ends_ns = standing.until_ns

    def _moment(self, cause: str) -> Moment:
        """The world as it is now; while the gate stays as it is, only time and cause differ."""
        if self._judged is not self.gate:
            self._judged = self.gate
            shut_by = self.gate.shut_by
            self._world = {
                **self._declared,
                "epoch": self.journal.epoch, "cell": self.index, "config": self.config, "quotes": self._quotes,
                "may_send": self.gate.may_send, "may_open": not shut_by, "shut_by": shut_by, "waits": self.gate.waits,
                "gateway": gateway_of(self.gate.session),
            }  # fmt: skip
        return Moment(
            at_ns=self.clock_ns, cause=cause, phase_ends_ns=self._phase_ends_ns, listed=self._listed, **self._world
        )
