"""The last step to the broker: lanes, controls, and what has been said of orders that did not leave."""

from __future__ import annotations

from collections import OrderedDict

import structlog
from msgspec.structs import replace

from actors.account_door import AccountDoor
from actors.broker_session import BrokerSession
from actors.control_log import ControlLog
from actors.crossings import Crossings
from actors.fan_out import FanOut
from actors.machine import now_ms
from brokers.wire_record import WireRecord
from config.schema import ControlsConfig
from decisions.gateway.controls import Controls
from decisions.gateway.lanes import OWN_EPOCH, is_own, lane_of
from decisions.gateway.ledger import KEPT_ORDERS, Ledger, OpenOrder
from decisions.gateway.working_book import Working
from domain.rollout import realm_of_order
from messages import wire
from messages.orders import (
    CancelOrder,
    ForgetOrder,
    ModifyOrder,
    ModifyResult,
    OrderSent,
    Outcome,
    SubmitOrder,
    SubmitResult,
    WorkingOrder,
)
from messages.records import ControlAction
from monitoring.measures import Measures


class OrderDoor:
    """Every request to the broker leaves here, each order judged at the last moment."""

    def __init__(
        self,
        config: ControlsConfig,
        memory: ControlLog,
        session: BrokerSession,
        cells: FanOut,
        measures: Measures,
        log: structlog.typing.FilteringBoundLogger,
        wire_record: WireRecord,
    ) -> None:
        self.memory, self.session, self.cells, self.measures, self.log = memory, session, cells, measures, log
        self.adapter = session.adapter
        self.ledger, self.lanes = Ledger(), session.lanes
        self.controls = Controls(config, session.config.broker.calendar)
        self.crossings = Crossings(
            config.cross_wait_ms,
            self.ledger.book,
            self.ask_cancel,
            self.lanes.hasten,
            self.precede,
            lambda held: wire_record.note("held", client_order_id=held.client_order_id),
        )
        names = frozenset(rules.name for rules in session.config.strategy)
        dates = self.controls.hours.calendar
        self.account = AccountDoor(config, memory, self.ledger, cells, measures, self.crossings, dates, names)
        self.controls.overridden = lambda name, order: self.account.overridden(name, order, session.clock_ns)
        self.killed = False
        self.misdirected: list[str] = []  # what was not let out because it was made for the other realm
        self.unsent: OrderedDict[str, str] = OrderedDict()  # orders that were answered "it did not leave", and why

    def take(self, requests: tuple[wire.Request, ...]) -> None:
        """What a cell asks for goes into its lane; what has been answered before is answered the same way."""
        for request in requests:
            if isinstance(request, ForgetOrder):
                self.forget(request)
            elif isinstance(request, SubmitOrder) and request.client_order_id in self.unsent:
                self.answer_unsent(replace(request, resend=False), self.unsent[request.client_order_id])
            elif not self._withdrawn(request):
                self._line_up(request)

    def presented(self, orders: tuple[WorkingOrder, ...]) -> None:
        """A cell says which orders of its may work; one that was answered "it did not leave" does not."""
        for working in orders:
            if working.state.client_order_id not in self.unsent:
                self.ledger.presented(working)

    def _line_up(self, request: SubmitOrder | CancelOrder | ModifyOrder) -> None:
        waiting = self.lanes.put(request)
        if waiting is not None:
            self.answer_unsent(waiting, "canceled before it was sent")

    def _withdrawn(self, request: wire.Request) -> bool:
        """The cancel of an order that waits for a crossing one (E12) has nothing else to do."""
        if not isinstance(request, CancelOrder):
            return False
        dropped = self.crossings.drop(lambda held: held.client_order_id == request.client_order_id)
        for held in dropped:
            self.answer_unsent(held, "canceled before it was sent")
        return bool(dropped)

    def let_out(self) -> None:
        """Send what the lanes release."""
        if not self.session.is_up:
            self.drop_all("the broker link is down; it was not sent")
        now = now_ms()
        for held in self.crossings.waiting():
            if not self.lanes.free(lane_of(held), now):
                break
            self._spends(self.submit(held), now)
        self._ask(now)
        while (request := self.lanes.next(now)) is not None:
            self._spends(self.release(request), now)
            self._ask(now)

    def _ask(self, now: int) -> None:
        """Put to the broker what the session wants to know, as far as the lanes let it."""
        while (query := self.lanes.next_query(now)) is not None:
            self.session.put(query)
            self.lanes.spend(now)

    def _spends(self, left: bool, now: int) -> None:
        """What has left had a token, and nothing else had (E7)."""
        if left:
            self.lanes.spend(now)

    def release(self, request: SubmitOrder | CancelOrder | ModifyOrder) -> bool:
        """What a lane has let go; whether it left for the broker."""
        if realm_of_order(request.client_order_id) not in (self.cells.realm, None):
            self.refuse_misdirected(request)
            return False
        match request:
            case SubmitOrder():
                return self.submit(request)
            case CancelOrder():
                return self.cancel(request)
            case ModifyOrder():
                return self.modify(request)

    def refuse_misdirected(self, request: CancelOrder | ModifyOrder | SubmitOrder) -> None:
        """An order of the other realm: a paper order must never reach a broker, whatever goes wrong elsewhere."""
        text = (
            f"{request.client_order_id} was made for the other realm; the {self.cells.realm.value} gateway sent nothing"
        )
        self.measures.add("orders_refused_total", control="realm")
        self.misdirected.append(text)
        self.answer_unsent(request, text)

    def submit(self, order: SubmitOrder) -> bool:
        """Judge an order, and write it to the broker, answer it or hold it back; whether it left."""
        now_ns = self.session.clock_ns
        judged = self.controls.judge(order, self.cells.quotes, self.ledger, now_ns=now_ns, killed=self.killed)
        if judged.duplicate:
            return False
        problem = self.account.forbids(order, now_ns) if judged.allowed else judged.reason
        if problem:
            self.refuse(order, problem)
            return False
        if self.account.holds_back(order, now_ns):
            return False
        self.measures.add("orders_sent_total", role=order.role.value)
        self.ledger.sent(order)
        self.account.throttle.left(order, now_ns)
        self.adapter.submit(order)
        sent = OrderSent(client_order_id=order.client_order_id, ts_ns=now_ns, checks=judged.checks)
        self.cells.pass_on(order.client_order_id, sent)
        return True

    def cancel(self, request: CancelOrder) -> bool:
        """Ask the broker; one of the gateway's own for an order that has ended by now has nothing to do."""
        if is_own(request) and not self.ledger.may_trade(request.client_order_id):
            return False
        self.adapter.cancel(request)
        self.crossings.canceled(request.client_order_id)
        return True

    def precede(self, client_order_id: str) -> None:
        """Let the gateway's own cancel of this order leave now, if what waits for it finds a token behind it."""
        now = now_ms()
        if self.lanes.left(now) > 1 and (request := self.lanes.pull(client_order_id)) is not None:
            self._spends(self.release(request), now)

    def stop_repeated(self, *, again: bool = False) -> None:
        """What the repeated-execution throttle has disabled must not work on either (E8); ``again``: look anew."""
        if self.account.newly_disabled or again:
            for working in self.account.disabled_entries():
                self.ask_cancel(working)

    def ask_cancel(self, working: Working | OpenOrder) -> None:
        """A control wants this order gone.  The cancel waits in its lane like any other (E7), once however often it is
        asked for, and is lost with the link or this process: whoever wants it asks again as long as the reason stands.
        """
        order_id = working.client_order_id
        self._line_up(
            CancelOrder(
                client_order_id=order_id,
                venue_order_id=working.venue_order_id,
                request_id=f"{order_id}/x{self.session.clock_ns}",
                epoch=OWN_EPOCH,
            )
        )

    def modify(self, change: ModifyOrder) -> bool:
        """Judge a change in place like a new order with its terms, and ask the broker or answer it; whether it left."""
        judged = self.controls.judge_change(
            change, self.cells.quotes, self.ledger, now_ns=self.session.clock_ns, killed=self.killed
        )
        now_ns = self.session.clock_ns
        problem = self.account.forbids_change(change, now_ns) if judged.allowed else judged.reason
        if problem:
            self.refuse(change, problem)
            return False
        self.ledger.changing(change)
        self.adapter.modify(change)
        return True

    def refuse(self, request: SubmitOrder | ModifyOrder, reason: str) -> None:
        """A control does not let this leave: counted, journaled, answered.  ``reason`` begins with its name."""
        control = reason.partition(":")[0]
        self.crossings.drop(lambda held: held is request)
        self.measures.add("orders_refused_total", control=control)
        self.log.warning("request refused", client_order_id=request.client_order_id, reason=reason)
        meant = request if isinstance(request, SubmitOrder) else self.ledger.payload(request.client_order_id)
        subject = f"order/{request.client_order_id}"
        self.account.remember(subject, control, ControlAction.REFUSED, meant, reason, self.session.clock_ns)
        self.answer_unsent(request, reason)

    def drop_all(self, reason: str) -> None:
        """Nothing that waits may leave any more."""
        for request in (*self.lanes.drop_all(), *self.crossings.drop(lambda _: True)):
            self.answer_unsent(request, reason)

    def drop_entries(self, reason: str) -> None:
        """New risk that waits may not leave any more."""
        for request in self.lanes.drop_entries():
            if isinstance(request, SubmitOrder):
                self.refuse(request, reason)

    def drop_older(self, cell: int, epoch: int) -> None:
        """Nothing of a cell's older incarnation leaves (I18)."""

        def is_older(request: SubmitOrder | CancelOrder | ModifyOrder) -> bool:
            home = self.cells.home_of(request.client_order_id)
            return home == cell and request.epoch < epoch and not is_own(request)

        self.lanes.drop(is_older)
        self.crossings.drop(is_older)

    def cancel_entries(self) -> int:
        """Have every working entry of ours canceled; how many there are."""
        entries = self.ledger.open_entries()
        for entry in entries:
            self.ask_cancel(entry)
        return len(entries)

    def forget(self, void: ForgetOrder) -> None:
        """A cell has proven that the broker does not have an order: its parent may place the quantity again."""
        self.ledger.forgotten(void.client_order_id, void.proof, void.as_of_ns)

    def answer_unsent(self, request: wire.Request, reason: str) -> None:
        """It did not leave.  That is definitive, except where another copy may be at the broker.

        Definitive means that no copy leaves later either: a batch may come twice, and its order may have been placed
        again under its next attempt by then.
        """
        if isinstance(request, ModifyOrder):  # the cell gives the change up, and cancels the order
            result = ModifyResult(
                client_order_id=request.client_order_id,
                request_id=request.request_id,
                outcome=Outcome.REFUSED,
                ts_ns=self.session.clock_ns,
                reason=reason,
            )
            self.cells.pass_on(request.client_order_id, result)
        if not isinstance(request, SubmitOrder):
            return
        definitive = not request.resend and not self.ledger.knows(request.client_order_id)
        if definitive:
            self.unsent[request.client_order_id] = reason
            self.ledger.forgotten(request.client_order_id)
            if len(self.unsent) > KEPT_ORDERS:
                self.unsent.popitem(last=False)
        answer = SubmitResult(
            client_order_id=request.client_order_id,
            outcome=Outcome.REFUSED if definitive else Outcome.UNKNOWN,
            ts_ns=self.session.clock_ns,
            reason=reason,
            left=False,
        )
        self.cells.pass_on(request.client_order_id, answer)
