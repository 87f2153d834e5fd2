"""Desk: the parent of a cell's order groups.  Routes news by tag, wakes what is due, supervises (actors/nursery.py)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec.structs import replace
from thespian.actors import Actor, ActorAddress, ChildActorExited

from actors.alert_book import AlertBook
from actors.desk_letters import ClockBehind, DeskPost, Mail, StepEnded
from actors.foreign import Foreign
from actors.nursery import Nursery
from actors.order_group import OrderGroup
from actors.plans import Plans
from actors.snapshots import Snapshots
from actors.strategies import LETTERS, Strategies, answers_plan, is_strategy
from actors.strategy import Strategy
from actors.turn import SYSTEM
from decisions.effects import MS, Effects
from decisions.gateway.session import halt_text
from decisions.orders.news import decisive
from decisions.positions import moves
from decisions.thresholds import Thresholds, watch_exposure, watch_margin
from domain.execution import ExecutionReport
from domain.groups import GroupOutcome
from domain.listings import Listings
from messages.controls import ControlAlert, TradingStateChanged
from messages.group import CloseGroup, GroupCrashed, GroupSettled, Review
from messages.identity import input_id
from messages.market import BrokerSilent, BrokerUp, Funds, MarketStatus, Tick
from messages.operator import (
    Acknowledge,
    CancelGroup,
    CommandDone,
    CommandRefused,
    KillSwitch,
)
from messages.orders import News, OrderAbsent
from messages.positions import PositionIssue, PositionsMoved
from messages.records import EscalationRecord, GroupRecord, Record, Severity
from messages.supervision import AlertDelivered

FROM_WITHIN = frozenset({GroupSettled, StepEnded, *LETTERS})  # what does not begin a step


class Desk(Actor):  # type: ignore[misc]
    """One per cell.  A Desk that raises takes its cell down with it; the journal brings both back."""

    def __init__(self) -> None:
        super().__init__()
        self.settled: dict[str, GroupSettled] = {}
        self.thresholds = Thresholds()
        self.due: list[tuple[int, str]] = []  # heap of broker times at which a group wants to look again
        self.earliest: dict[str, int] = {}
        self.handlers: dict[type[Any], Callable[[Any], None]] = {
            GroupSettled: self.on_settled,
            CancelGroup: self.on_cancel,
            Acknowledge: self.on_acknowledge,
            KillSwitch: self.on_kill_switch,
            AlertDelivered: self.on_delivered,
            Funds: self.on_funds,
            Tick: self.on_tick,
            BrokerUp: lambda _: self.listings.forget(),
            TradingStateChanged: lambda _: None,  # the gate sees to it
            ControlAlert: self.on_control_alert,
            BrokerSilent: self.on_silence,
            MarketStatus: self.on_market_status,
            Review: self.on_gate_opened,
            Mail: self.on_mail,
            StepEnded: self.on_step_ended,
            ClockBehind: self.on_clock_behind,
            PositionsMoved: self.on_positions_moved,
            PositionIssue: self.on_position_issue,
        }
        self.handlers.update(dict.fromkeys(News.__args__, self.on_news))

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:  # noqa: N802, ARG002
        kind = type(message)
        if kind is DeskPost:
            self.take_post(message)
        elif kind is GroupCrashed:
            self.listings.forget()  # what its group was told is voided
            (self.strategies if is_strategy(message.group_id) else self.nursery).crashed(message)
        elif kind is not ChildActorExited:  # groups are dismissed by the Desk alone
            if kind not in FROM_WITHIN:
                self.nursery.begin_step()
            self.handlers[kind](message)

    def take_post(self, post: DeskPost) -> None:
        """Load what has not ended."""
        self.turn, self.journal = post.turn, post.journal
        self.listings = Listings(post.turn.moment.config.orders.absence_horizon_ms * MS)
        self.turn.wake = self.wake
        self.nursery = Nursery(
            post.turn, post.journal, self.myAddress, lambda: self.createActor(OrderGroup), post.system.stop, self.send,
            self.reply,
        )  # fmt: skip
        self.foreign = Foreign(post.turn, self.nursery)
        self.snapshots = Snapshots(post.turn, self.nursery, self.listings, self.foreign)
        self.plans = Plans(post.turn, self.nursery, self.foreign, self.reply)
        self.strategies = Strategies(
            post.turn, post.journal, self.nursery, self.myAddress, lambda: self.createActor(Strategy),
            post.system.stop, self.send, self.plans.on_submit, self.plans.admission.withdraw,
            self.reply, post.beside,
        )  # fmt: skip
        self.handlers.update(self.snapshots.handlers | self.plans.handlers | self.strategies.handlers)
        self.alerts = AlertBook(post.journal.open_escalations(), post.turn.moment.config.alerts)
        self.turn.freezes_ns = self.alerts.freezes_ns
        self.turn.known_alerts.update(self.alerts)
        self.nursery.load_all(post.journal.open_groups())
        self.strategies.load()
        for record in self.nursery.index.groups.values():
            self.turn.symbols.update(leg.instrument.symbol for leg in record.group.legs)

    def wake(self, group_id: str, at_ns: int) -> None:
        """Remember the earliest time at which a group wants to look again."""
        if at_ns < self.earliest.get(group_id, at_ns + 1):
            self.earliest[group_id] = at_ns
            heapq.heappush(self.due, (at_ns, group_id))

    def review(self, group_ids: Iterable[str]) -> None:
        """Have these groups look again."""
        for group_id in list(group_ids):
            self.nursery.give(group_id, Review())

    def on_gate_opened(self, _: Review) -> None:
        """An entry that the snapshot did not list could not be sent again while new risk was forbidden: now it can."""
        for news in self.snapshots.not_listed():
            self.on_news(news)
        self.nursery.tell_void()
        self.review((*self.nursery, *self.nursery.given_up))

    def on_tick(self, tick: Tick) -> None:
        """Wake the groups that are due; repeat alerts that nobody has acknowledged."""
        now = tick.broker_time_ns
        ready = []
        while self.due and self.due[0][0] <= now:
            at_ns, group_id = heapq.heappop(self.due)
            if self.earliest.get(group_id) == at_ns:
                del self.earliest[group_id]
                ready.append(group_id)
        self.review(group_id for group_id in ready if self.nursery.load(group_id))
        self.plans.look()
        self.strategies.look(self.plans.admission.waiting, self.plans.instruments)
        for again in self.alerts.repeats(now):
            self.record(again)

    def record(self, *records: Record) -> None:
        """Write records that belong to no group's actors."""
        effects = Effects(records=list(records))
        for record in records:
            if type(record) is EscalationRecord:
                self.turn.known_alerts.discard(record.escalation_id)  # an update, not the same alert again
        self.turn.collect(SYSTEM, effects)

    def on_news(self, news: News) -> None:
        """Pass news on to the group that placed the order; what nobody placed is foreign."""
        order_id = news.client_order_id
        if isinstance(news, OrderAbsent) and self.turn.may_wait(order_id):
            return  # it was asked for again since
        self.listings.heard(order_id)
        self.turn.awaited.heard(news)
        group_id = self.nursery.owner(order_id)
        if group_id is not None:
            self.nursery.give(group_id, news)
        elif isinstance(news, ExecutionReport):
            self.foreign.hear(news)
        else:
            self.foreign.hear_of(news)

    def on_mail(self, mail: Mail) -> None:
        """Give each group all that is new of its orders at once.

        What the gateway says of an order that nobody knows was not taken: an older journal makes that order again under
        its id, and is told the same of it in the same words.
        """
        found: dict[str, list[News]] = {}
        for event_id, news in mail.items:
            self.listings.heard(news.client_order_id)
            self.turn.awaited.heard(news)
            group_id = self.nursery.owner(news.client_order_id)
            if group_id is not None:
                found.setdefault(group_id, []).append(news)
            elif isinstance(news, ExecutionReport):
                self.foreign.hear(news)
            else:
                self.foreign.hear_of(news)
                continue
            self.turn.remember(event_id, type(news).__name__, group_id or SYSTEM)
        for group_id, about in found.items():
            self.turn.moments[group_id] = replace(self.turn.moment, cause=input_id(decisive(about)))
            self.nursery.tell(group_id, about)

    def on_control_alert(self, news: ControlAlert) -> None:
        """The gateway has no journal for alerts: this cell keeps them until a person has seen them."""
        self.turn.alert(
            news.severity, news.kind, news.text,
            group_id=news.group_id, symbol=news.symbol, quantity=news.quantity, subject=news.subject,
        )  # fmt: skip

    def on_silence(self, silence: BrokerSilent) -> None:
        """No new risk until the next snapshot (the gate sees to that); a person is told."""
        subject = f"{self.turn.moment.cell}/{self.turn.moment.at_ns}"  # each cell's alert is acknowledged by itself
        self.turn.alert(Severity.CRITICAL, "BROKER_SILENT", silence.reason, subject=subject)

    def on_market_status(self, status: MarketStatus) -> None:
        """A halt holds orders up (the gate sees to that); a person should know."""
        if status.halted:
            self.turn.alert(Severity.WARNING, "TRADING_HALTED", halt_text(status), subject=str(self.turn.moment.at_ns))

    def on_clock_behind(self, news: ClockBehind) -> None:
        """No deadline would come due and no quote would be fresh: no new risk (the gate sees to that), and a person."""
        self.turn.alert(
            Severity.CRITICAL,
            "CLOCK_BEHIND",
            f"the broker's clock is {news.seconds} s behind the journal's: nothing that waits for a time happens until "
            "it has caught up; another broker needs another system.journal_dir",
            subject=f"{self.turn.moment.cell}/{self.turn.moment.at_ns}",
        )

    def on_positions_moved(self, moved: PositionsMoved) -> None:
        """Give it to the group that it is about; what is nobody's, or a given-up group's, is recorded here."""
        if moved.group_id and self.nursery.load(moved.group_id) and moved.group_id not in self.nursery.given_up:
            self.nursery.give(moved.group_id, moved)
            return
        effects = Effects()
        moves.record(moved, self.turn.moment, effects)
        self.turn.collect(SYSTEM, effects)

    def on_position_issue(self, issue: PositionIssue) -> None:
        """Tell a person."""
        effects = Effects()
        moves.tell(issue, self.turn.moment, effects)
        self.turn.collect(SYSTEM, effects)

    def reply(self, command_id: str, answer: msgspec.Struct) -> None:
        """Answer a command, after the commit."""
        self.turn.answer(command_id, answer)
        if isinstance(answer, CommandRefused) and answers_plan(command_id):
            self.strategies.refuse(answers_plan(command_id), answer.problems)

    def on_cancel(self, command: CancelGroup) -> None:
        """End a group flat."""
        reply_to = f"cancel:{command.group_id}"
        if not self.nursery.load(command.group_id):
            self.reply(reply_to, CommandRefused((f"there is no group {command.group_id!r}; 'groups' lists them",)))
            return
        if command.group_id in self.nursery.given_up:
            problem = f"group {command.group_id!r} was given up; close what it holds at the broker"
            self.reply(reply_to, CommandRefused((problem,)))
            return
        self.nursery.give(command.group_id, CloseGroup("canceled by the operator", flatten=True, by_person=True))
        waits = f", once orders may leave: {self.turn.moment.waits}" if self.turn.moment.waits else ""
        self.reply(reply_to, CommandDone(f"group {command.group_id} is being closed{waits}"))

    def on_kill_switch(self, command: KillSwitch) -> None:
        """Entries of groups that have not ended are canceled; what is uncovered is closed (R13, I26)."""
        if command.on:
            for group_id in list(self.nursery):
                record = self.nursery.index.groups.get(group_id)
                if record is None or record.outcome is GroupOutcome.OPEN:
                    self.nursery.give(group_id, CloseGroup("kill switch", flatten=False))

    def on_acknowledge(self, command: Acknowledge) -> None:
        """A person has seen an alert."""
        seen = self.alerts.acknowledged(command, self.now_ns())
        reply_to = f"acknowledge:{command.escalation_id}"
        if seen is None:
            self.reply(reply_to, CommandRefused((f"no alert {command.escalation_id!r} waits for anybody",)))
            return
        self.record(seen)
        self.reply(reply_to, CommandDone(f"{command.escalation_id} acknowledged by {command.by}"))

    def on_delivered(self, news: AlertDelivered) -> None:
        """The Notifier has passed an alert on."""
        told = self.alerts.delivered(news, self.now_ns())
        if told is not None:
            self.record(told)

    def now_ns(self) -> int:
        """The broker's clock; never 0, which means "not yet", although it is not known before the first session."""
        return max(1, self.turn.moment.at_ns)

    def on_settled(self, settled: GroupSettled) -> None:
        """Where a group stands; one with uncovered shorts looks again at every tick (100 ms)."""
        before = self.settled.get(settled.group_id)
        self.settled[settled.group_id] = settled
        self.plans.admission.settled(settled.record, self.turn.moment.at_ns)
        self.turn.uncovered_qty += settled.uncovered_qty - (before.uncovered_qty if before else 0)
        effects = Effects()
        self.thresholds = watch_exposure(self.thresholds, self.turn.uncovered_qty, settled, self.turn.moment, effects)
        self.turn.collect(SYSTEM, effects)
        if settled.uncovered_qty:
            self.wake(settled.group_id, self.turn.moment.at_ns + MS)

    def on_funds(self, funds: Funds) -> None:
        """What the broker's account holds."""
        self.plans.admission.take_funds(funds, self.nursery.index.open)
        effects = Effects()
        self.thresholds = watch_margin(self.thresholds, funds, self.turn.moment, effects)
        self.turn.collect(SYSTEM, effects)

    def on_step_ended(self, step: StepEnded) -> None:
        """Keep the indexes up with what was decided; of the symbols that matter."""
        for _, record in step.records:
            self.nursery.index.follow(record)
            self.strategies.follow(record)
            self.alerts.follow(record)
            if type(record) is GroupRecord:
                self.turn.symbols.update(leg.instrument.symbol for leg in record.group.legs)
        self.turn.freezes_ns = self.alerts.freezes_ns
