"""The strategies of a cell: hired beside its groups, shown how their groups stand, and rolled back when they raise.

A strategy owns no order.  Its groups are worked, hedged and closed by their own actors, whatever becomes of it: one
that raises is rebuilt from its records; raising again it is disabled and a person is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.beside import OtherRealm
from actors.group_book import GroupBook
from actors.nursery import Nursery
from actors.shell import Appointment
from actors.turn import SYSTEM, Turn
from decisions.effects import Effects
from decisions.strategies.strategy import look_every_ns, plan_of
from decisions.strategies.strategy_state import first_record
from domain.instruments import Instrument
from domain.rollout import cell_for
from domain.strategies import Standing, StrategyRules, StrategyStatus
from messages.group import CloseGroup, GroupCrashed
from messages.operator import (
    AskStrategies,
    CommandDone,
    CommandRefused,
    OperateStrategy,
    StrategyList,
    StrategyRow,
    SubmitGroup,
)
from messages.records import ExecutionStateRecord, GroupRecord, IntentRecord, PositionEventRecord, Record, Severity
from messages.strategy import (
    AppointStrategy,
    CloseVertical,
    LookAtStrategy,
    OfferPlan,
    PlanRefused,
    RunStrategy,
    StrategyAnswered,
    StrategySettled,
    WatchSymbols,
    WithdrawPlan,
)
from messages.strategy_records import StrategyRecord
from messages.strategy_records import VerticalRecord as Vertical
from storage.port import Journal

OWNER = "strategy/"  # what a strategy writes belongs, in the turn, to this and its name
CRASHES = 2  # then it is disabled
LETTERS = (OfferPlan, WithdrawPlan, CloseVertical, WatchSymbols, StrategySettled, StrategyAnswered)


class Strategies:
    """Owned by the Desk.  ``hire``, ``dismiss`` and ``send`` are its hands; ``submit`` and ``withdraw`` are the same
    ways in and out that an operator's plan takes; ``reply`` answers a person."""

    def __init__(
        self,
        turn: Turn,
        journal: Journal,
        nursery: Nursery,
        desk: ActorAddress,
        hire: Callable[[], ActorAddress],
        dismiss: Callable[[ActorAddress], None],
        send: Callable[[ActorAddress, object], None],
        submit: Callable[[SubmitGroup], None],
        withdraw: Callable[[str], None],
        reply: Callable[[str, msgspec.Struct], None],
        beside: OtherRealm | None = None,
    ) -> None:
        self.turn, self.journal, self.nursery, self.desk = turn, journal, nursery, desk
        self._hire, self._dismiss, self._send = hire, dismiss, send
        self._submit, self._withdraw, self._reply = submit, withdraw, reply
        self._beside, self._look_ns = beside, dict[str, int]()
        self.rules: dict[str, StrategyRules] = {}  # by name: of the file, and the last known of those that it lost
        self.configured: frozenset[str] = frozenset()
        self.records: dict[str, StrategyRecord] = {}
        self.verticals: dict[str, Vertical] = {}  # by group id, those that have not ended
        self.books: dict[str, GroupBook] = {}  # by group id
        self.settled: dict[str, StrategySettled] = {}
        self._addresses: dict[str, ActorAddress] = {}
        self._crashes: dict[str, int] = {}
        self._asked: dict[str, str] = {}  # strategy -> the command that it was given in this step
        self.handlers: dict[type[msgspec.Struct], Callable[..., None]] = {
            OperateStrategy: self.on_operate,
            AskStrategies: self.on_ask,
            OfferPlan: self.on_offer,
            WithdrawPlan: lambda letter: self._withdraw(letter.group_id),
            CloseVertical: self.on_close,
            WatchSymbols: lambda letter: self.turn.symbols.update(letter.symbols),
            StrategySettled: self.on_settled,
            StrategyAnswered: self.on_answered,
        }

    # --- their lives ---

    def load(self) -> None:
        """Hire those that the configuration gives to this cell, and those that still have a vertical."""
        moment = self.turn.moment
        ours = {
            rules.name: rules
            for rules in moment.config.strategy
            if moment.cell == cell_for(rules.name, moment.realm, moment.config.system.cells)
        }
        self.configured = frozenset(ours)
        for record in self.journal.strategies():
            self.follow(record)
            self._crashes[record.name] = record.crashes
        for vertical in self.journal.open_verticals():
            self.follow(vertical)
        self.rules = {name: record.rules for name, record in self.records.items()} | ours
        for name in sorted(self.rules):
            known = self.records.get(name)
            idle = known is not None and known.status is StrategyStatus.FLAT and name not in ours
            if not idle and (known is None or known.standing is not Standing.DISABLED):
                self._start(name, known)

    def _start(self, name: str, record: StrategyRecord | None) -> None:
        address = self._addresses[name] = self._hire()
        owner = OWNER + name
        self._send(address, Appointment(self.turn, owner, self.turn.incarnation(owner), self.desk, self.desk))
        vertical = self.verticals.get(record.group_id) if record else None
        self._send(address, AppointStrategy(self.rules[name], name in self.configured, record, vertical))

    def crashed(self, crash: GroupCrashed) -> None:
        """A strategy raised; its part of the step is void.  Rebuild it once; the next time, disable it."""
        name = crash.group_id.removeprefix(OWNER)
        if crash.incarnation + 1 != self.turn.incarnation(crash.group_id):
            return  # of an incarnation that is gone already
        moment = self.turn.moment
        self._stop(name)
        crashes = self._crashes[name] = self._crashes.get(name, 0) + 1
        record = replace(
            self.records.get(name) or first_record(self.rules[name], moment), crashes=crashes, updated_ns=moment.at_ns
        )
        effects = Effects()
        if crashes >= CRASHES:
            record = replace(record, standing=Standing.DISABLED, reason=f"failed {crashes} times: {crash.error}")
            held = (
                f"group {record.group_id} stays as it is; 'cancel {record.group_id}' closes it; "
                if record.group_id
                else ""
            )
            effects.alert(
                moment,
                Severity.CRITICAL,
                "STRATEGY_DISABLED",
                f"strategy {name} is disabled: it raised {crash.error}; {held}'strategies start {name}' lets it go on",
                group_id=record.group_id,
                subject=f"{name}/{moment.at_ns}",
            )
        effects.records.append(record)
        self.turn.collect(SYSTEM, effects)  # not the strategy's own: another crash in this step must not void it
        if name in self._asked:
            self._reply(self._asked.pop(name), CommandRefused((f"an internal error: {crash.error}; nothing was done",)))
        if crashes < CRASHES:
            self._start(name, record)

    def _stop(self, name: str) -> None:
        address = self._addresses.pop(name, None)
        if address is not None:
            self._dismiss(address)

    def follow(self, record: Record) -> None:
        """Keep up with what was written: of the strategies, and of their groups."""
        match record:
            case StrategyRecord():
                self.records[record.name] = record
            case Vertical():
                self._follow_vertical(record)
            case GroupRecord() | IntentRecord() | ExecutionStateRecord() | PositionEventRecord():
                book = self.books.get(record.group_id)
                if book is not None:
                    book.follow(record)

    def _follow_vertical(self, vertical: Vertical) -> None:
        group_id = vertical.group_id
        if vertical.closed_ns:
            self.verticals.pop(group_id, None)
            self.books.pop(group_id, None)
            return
        self.verticals[group_id] = vertical
        if group_id not in self.books:
            self.books[group_id] = GroupBook(self.journal.group(group_id))

    # --- what they see ---

    def look(self, waiting: Mapping[str, object], listed: Mapping[str, Instrument]) -> None:
        """Have every strategy look at the world.

        A plan that this step has let in is on its way still: a strategy that saw neither plan nor group would let go
        of a decision whose group is being opened, and never look after it.
        """
        for name, address in list(self._addresses.items()):
            record = self.records.get(name)
            group_id = record.group_id if record else ""
            book, vertical = self.books.get(group_id), self.verticals.get(group_id)
            view, beside = None, None
            if book is not None and vertical is not None:
                if book.is_of_another_plan(plan_of(vertical)):
                    self.refuse(group_id, ("this group_id is taken by a group that is not the strategy's",))
                    continue
                view = book.view(given_up=group_id in self.nursery.given_up)
            if view is None and self._beside is not None:
                if record is not None and not self._is_due(record):
                    continue
                beside = self._beside.look(name)
            is_on_its_way = group_id in waiting or group_id in self.nursery.opened
            letter = LookAtStrategy(group=view, waiting=is_on_its_way, listed=listed, beside=beside)
            self._send(address, letter)

    def _is_due(self, record: StrategyRecord) -> bool:
        """Whether to look beyond this realm: a flat strategy does so no more often than it looks for a vertical."""
        if record.status is not StrategyStatus.FLAT:
            return True
        now_ns = self.turn.moment.at_ns
        if record.standing is not Standing.ACTIVE or now_ns < self._look_ns.get(record.name, 0):
            return False
        self._look_ns[record.name] = now_ns + look_every_ns(self.rules[record.name])
        return True

    def refuse(self, group_id: str, problems: tuple[str, ...]) -> None:
        """The plan of this group was not let in."""
        vertical = self.verticals.get(group_id)
        address = self._addresses.get(vertical.strategy) if vertical else None
        if address is not None:
            self._send(address, PlanRefused(group_id, problems))

    # --- what they ask for ---

    def on_offer(self, offer: OfferPlan) -> None:
        """The way that every plan takes; one that is in already is not let in twice."""
        self._submit(SubmitGroup(offer.plan, again=True))

    def on_close(self, letter: CloseVertical) -> None:
        """Shorts first, as for every group (R22)."""
        if self.nursery.load(letter.group_id):
            self.nursery.give(letter.group_id, CloseGroup(letter.reason, flatten=True))

    def on_settled(self, settled: StrategySettled) -> None:
        """Where a strategy stands."""
        self.settled[settled.record.name] = settled

    def on_answered(self, answer: StrategyAnswered) -> None:
        """What came of a person's command."""
        command_id = self._asked.pop(answer.name, f"strategy:{answer.name}")
        self._reply(command_id, CommandRefused((answer.text,)) if answer.refused else CommandDone(answer.text))

    # --- what a person asks for ---

    def on_operate(self, command: OperateStrategy) -> None:
        """Start or stop one."""
        name = command.name
        command_id = f"strategy:{name}"
        record = self.records.get(name)
        if name not in self.rules:
            known = f"those of this cell are {', '.join(sorted(self.rules))}" if self.rules else "none is configured"
            self._reply(command_id, CommandRefused((f"there is no strategy {name!r}; {known}",)))
            return
        if name not in self._addresses:
            if not command.run:
                self._stop_without_actor(command_id, name, record)
                return
            self._crashes[name] = 0
            self._start(name, replace(record, crashes=0) if record else None)
        if command.run:
            self._crashes[name] = 0
        self._asked[name] = command_id
        self._send(self._addresses[name], RunStrategy(command.run))

    def _stop_without_actor(self, command_id: str, name: str, record: StrategyRecord | None) -> None:
        """A disabled strategy cannot close its vertical, but its group can."""
        group_id = record.group_id if record else ""
        if group_id:
            self.on_close(CloseVertical(group_id, f"strategy {name}: stopped by the operator"))
        text = f"group {group_id} is being closed" if group_id else "it holds nothing"
        self._reply(command_id, CommandDone(f"strategy {name} does not run; {text}"))

    def on_ask(self, question: AskStrategies) -> None:
        """List them all, with what their verticals are worth now."""
        rows = tuple(
            StrategyRow(
                record=record,
                vertical=self.verticals.get(record.group_id),
                mark=settled.mark if (settled := self.settled.get(name)) and settled.record == record else None,
            )
            for name, record in sorted(self.records.items())
        )
        self._reply(question.command_id, StrategyList(rows))


def is_strategy(owner: str) -> bool:
    """Whether what a turn calls the owner of a record is a strategy."""
    return owner.startswith(OWNER)


def answers_plan(command_id: str) -> str:
    """The group whose submission ``command_id`` answers; "" for any other command."""
    kind, _, group_id = command_id.partition(":")
    return group_id if kind == "submit" else ""
