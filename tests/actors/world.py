"""A small world without processes: one cell on a journal, the pure exchange, and a hand on the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any

import msgspec

from actors.cell_tree import CellTree, Released
from config.schema import Config
from decisions.effects import MS, Request
from domain.execution import ExecutionReport, Side
from domain.groups import Plan, PlanLeg, PlanStop, Policy, Role
from domain.instruments import Instrument, Right, osi_symbol, parse_osi
from domain.quotes import Quote
from messages.market import BrokerUp, Funds, Tick
from messages.operator import SubmitGroup
from messages.orders import (
    CancelOrder,
    ForgetOrder,
    InstrumentList,
    ModifyOrder,
    ModifyResult,
    OrderSent,
    Outcome,
    Snapshot,
    SubmitOrder,
    SubmitResult,
)
from messages.records import EscalationRecord, IntentRecord, RejectedEventRecord
from storage.memory import MemoryJournal
from storage.port import GroupRows
from storage.tables import ESCALATIONS, REJECTED_EVENTS
from venue.exchange import Exchange
from venue.rules import Rules
from venue.truth import TruthEvent

START_NS = 1_609_770_600 * 10**9  # 2021-01-04 14:30 UTC
EXPIRY = "2021-01-15"
DEEP_POCKETS = 10**15
UNDERLYING, SPOT = "XYZ", (999_900, 100, 1_000_100, 100)  # it is quoted, and nobody can trade it
BROKER_SAYS = (ExecutionReport, OrderSent, SubmitResult, ModifyResult, Snapshot)
LIVE = frozenset({"INTENT_PERSISTED", "SENT", "LIVE", "UNRESOLVED"})


def option(strike: int, right: Right, *, freeze_qty: int = 50, lot_size: int = 1) -> Instrument:
    return Instrument(
        symbol=osi_symbol(UNDERLYING, date.fromisoformat(EXPIRY), right, strike * 10_000),
        underlying=UNDERLYING,
        right=right,
        strike=strike * 10_000,
        expiry=EXPIRY,
        multiplier=100,
        lot_size=lot_size,
        tick_size=500,
        freeze_qty=freeze_qty,
    )


CHAIN = [option(strike, right) for strike in range(80, 125, 5) for right in Right]


def put(strike: int) -> str:
    return option(strike, Right.PUT).symbol


def call(strike: int) -> str:
    return option(strike, Right.CALL).symbol


def leg(symbol: str, side: str, ratio: int = 1, limit: int = 0) -> PlanLeg:
    """A leg whose id says what it is: ``sellP95``."""
    return PlanLeg(
        leg_id=f"{side}{symbol[-9]}{parse_osi(symbol)[3] // 10_000}",
        symbol=symbol,
        side=Side(side),
        ratio=ratio,
        limit_price=limit,
    )


LONG, SHORT = put(90), put(95)  # the legs of a bull put


def bull_put(group_id: str = "bp", quantity: int = 10, policy: Policy = Policy.COMPLETE, stop: int = 0) -> Plan:
    """Buy the 90 put, sell the 95 put; ``stop`` is the price that triggers a stop-loss on the short."""
    legs = (leg(LONG, "buy"), leg(SHORT, "sell"))
    stops = (PlanStop(leg_id=legs[1].leg_id, trigger_price=stop),) if stop else ()
    return Plan(group_id=group_id, quantity=quantity, legs=legs, strategy="bull_put", policy=policy, stops=stops)


class World:
    """Whatever a cell releases reaches the exchange at once, and every answer comes back, unless told otherwise.

    ``watch`` is called with every request just before the exchange receives it.
    """

    def __init__(
        self,
        *,
        rules: Rules | None = None,
        config: Config | None = None,
        size: int = 100,
        chain: Sequence[Instrument] = CHAIN,
        deduplicates: bool = True,
        replaces: bool = False,
        rests: bool = False,
        server_stops: bool = True,
        watch: Callable[[Request], None] | None = None,
    ) -> None:
        self.truth: list[TruthEvent] = []
        self.exchange = Exchange(chain, rules or Rules(cash=DEEP_POCKETS), self.truth.append)
        self.config = config or Config()
        self.journal = MemoryJournal()
        self.declared: dict[str, Any] = {
            "deduplicates": deduplicates, "replaces": replaces, "rests": rests, "server_stops": server_stops
        }  # fmt: skip
        self.watch = watch
        self.now_ns = START_NS
        self.session = 0
        self.spot = SPOT
        self.alerts: list[EscalationRecord] = []  # as released
        self.replies: list[tuple[str, msgspec.Struct]] = []
        self.heard: list[ExecutionReport] = []  # all that the exchange said to the cell, snapshots taken apart
        self.received: list[Request] = []  # all that the exchange was asked for
        self.lost: list[Request] = []
        self.mute = False  # while true, nothing that the cell releases reaches the exchange
        self.deaf = False  # while true, nothing that the exchange says of orders reaches the cell; time goes on
        self.sizes = {instrument.symbol: size for instrument in chain}
        self.prices: dict[str, tuple[int, int]] = {i.symbol: (20_000, 20_500) for i in chain}
        self._quote(self.prices)
        self.cell = self.new_cell()
        self.link_up()

    # --- the cell's life ---

    def new_cell(self) -> CellTree:
        return CellTree(0, self.config, self.journal, **self.declared)

    def restart(self) -> None:
        """The cell's process dies and comes back."""
        self.die()
        self.link_up()

    def die(self) -> None:
        """The cell's process dies; its successor has no link yet."""
        self.journal.crash()
        self.journal = self.journal.reopen()
        self.cell = self.new_cell()

    def link_up(self) -> None:
        """A session with the broker, its instruments, and a first snapshot."""
        self.session += 1
        instruments = tuple(self.exchange.instruments.values())
        self.take([BrokerUp(self.session), InstrumentList(instruments), self.funds(), self.tick()])
        self.snapshot()

    # --- what the exchange says ---

    def snapshot(self) -> None:
        """The reconciliation poll, of funds too."""
        self.take([self.funds(), self.snapshot_message()])

    def funds(self) -> Funds:
        used = self.exchange.margin_in_use
        return Funds(available=self.exchange.cash - used, used=used, ts_ns=self.now_ns)

    def snapshot_message(self) -> Snapshot:
        return Snapshot(
            as_of_ns=self.now_ns,
            session=self.session,
            orders=tuple(self.exchange.orders(self.now_ns)),
            executions=tuple(self.exchange.executions()),
            positions=tuple(self.exchange.positions()),
            activities=tuple(self.exchange.activities()),
        )

    def tick(self) -> Tick:
        return Tick(self.now_ns, (*self.exchange.last_quote.values(), Quote(UNDERLYING, self.now_ns, *self.spot)))

    def quote(self, symbol: str, bid: int, ask: int, size: int | None = None) -> None:
        """Move one contract's market; what trades on it is told."""
        self.prices[symbol] = (bid, ask)
        if size is not None:
            self.sizes[symbol] = size
        self.show([symbol])

    def show(self, symbols: Iterable[str] | None = None) -> None:
        """Show fresh sizes to the exchange; what trades on them is told."""
        self.take(self._quote(self.prices if symbols is None else symbols))

    def _quote(self, symbols: Iterable[str]) -> list[ExecutionReport]:
        reports: list[ExecutionReport] = []
        for symbol in symbols:
            (bid, ask), size = self.prices[symbol], self.sizes[symbol]
            reports += self.exchange.on_quote(Quote(symbol, self.now_ns, bid, size, ask, size))
        return reports

    def advance(self, ms: int, *, step_ms: int = 100, fresh: bool = False) -> None:
        """Let broker time pass, with a tick every ``step_ms``; ``fresh``: sizes are shown anew after each."""
        for _ in range(0, ms, step_ms):
            self.now_ns += step_ms * MS
            self.take([*self.exchange.advance(self.now_ns), self.tick()])
            if fresh:
                self.show()

    def submit(self, plan: Plan) -> None:
        self.take([SubmitGroup(plan)])

    def take(self, inputs: Iterable[msgspec.Struct]) -> None:
        """Give the cell one turn after another, until the exchange has nothing more to say about what it released."""
        waiting = list(inputs)
        while waiting:
            if self.deaf:
                waiting = [message for message in waiting if not isinstance(message, BROKER_SAYS)]
            self.heard += told_in(waiting)
            waiting = self.carry_out(self.cell.run(waiting))

    # --- what the cell asks for ---

    def carry_out(self, released: Released) -> list[msgspec.Struct]:
        """Bring what a turn released to the exchange; its answers."""
        self.alerts += released.alerts
        self.replies += released.replies
        answers: list[msgspec.Struct] = []
        for request in released.requests:
            if isinstance(request, ForgetOrder):
                continue  # for the gateway's own books
            if self.mute:
                self.lost.append(request)
            else:
                answers += self.send(request)
        return answers

    def send(self, request: Request) -> list[msgspec.Struct]:
        """The gateway and the wire: the exchange receives the request."""
        assert not isinstance(request, SubmitOrder) or request.epoch == self.journal.epoch
        if self.watch is not None:
            self.watch(request)
        if isinstance(request, SubmitOrder):
            self.received.append(request)
            return self._submit(request)
        self.received.append(request)
        if isinstance(request, ModifyOrder):
            return self._modify(request)
        reply = self.exchange.cancel(
            client_order_id=request.client_order_id, request_id=request.request_id, now_ns=self.now_ns
        )
        return list(reply.reports)

    def _modify(self, request: ModifyOrder) -> list[msgspec.Struct]:
        assert self.declared["replaces"], "this broker cannot change orders in place"
        reply = self.exchange.modify(
            client_order_id=request.client_order_id,
            request_id=request.request_id,
            order_type=request.order_type,
            quantity=request.quantity,
            price=request.price,
            trigger_price=request.trigger_price,
            now_ns=self.now_ns,
        )
        result = ModifyResult(
            client_order_id=request.client_order_id,
            request_id=request.request_id,
            outcome=Outcome.ACCEPTED if reply.accepted else Outcome.REFUSED,
            ts_ns=self.now_ns,
            reason=reply.reason,
        )
        return [result, *reply.reports]

    def refuse(self, order: SubmitOrder, reason: str) -> list[msgspec.Struct]:
        """The gateway lets it not out, in these words."""
        return [
            SubmitResult(
                client_order_id=order.client_order_id, outcome=Outcome.REFUSED, ts_ns=self.now_ns, reason=reason,
                left=False,
            )
        ]  # fmt: skip

    def send_late(self, request: Request) -> list[msgspec.Struct]:
        """A request of a cell that is dead by now reaches the exchange after all."""
        assert isinstance(request, SubmitOrder)
        return self._submit(request)

    def _submit(self, request: SubmitOrder) -> list[msgspec.Struct]:
        reply = self.exchange.submit(
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            quantity=request.quantity,
            order_type=request.order_type,
            time_in_force=request.time_in_force,
            price=request.price,
            trigger_price=request.trigger_price,
            now_ns=self.now_ns,
        )
        accepted = reply.accepted or reply.reason.startswith("duplicate")
        result = SubmitResult(
            client_order_id=request.client_order_id,
            outcome=Outcome.ACCEPTED if accepted else Outcome.REFUSED,
            ts_ns=self.now_ns,
            venue_order_id=reply.venue_order_id,
            reason=reply.reason,
        )
        sent = OrderSent(client_order_id=request.client_order_id, ts_ns=self.now_ns, checks="test")
        return [sent, result, *reply.reports]

    # --- questions ---

    def position(self, symbol: str) -> int:
        """What the account holds at the exchange."""
        return next((p.quantity for p in self.exchange.positions() if p.symbol == symbol), 0)

    def group(self, group_id: str = "bp") -> GroupRows:
        rows = self.journal.group(group_id)
        assert rows is not None, f"the journal does not know {group_id}"
        return rows

    def live(self, group_id: str = "bp") -> list[IntentRecord]:
        """The group's orders that may still trade, as far as the journal knows."""
        return [intent for intent in self.group(group_id).intents if intent.status.value in LIVE]

    def orders(self, role: Role | None = None, side: Side | None = None) -> list[SubmitOrder]:
        """The orders that the exchange received, first copies only."""
        found: dict[str, SubmitOrder] = {}
        for request in self.received:
            if isinstance(request, SubmitOrder) and role in (None, request.role) and side in (None, request.side):
                found.setdefault(request.client_order_id, request)
        return list(found.values())

    def cancels(self, client_order_id: str = "") -> list[CancelOrder]:
        """The cancels that the exchange received."""
        return [
            request
            for request in self.received
            if isinstance(request, CancelOrder) and client_order_id in ("", request.client_order_id)
        ]

    def acted(self, safeguard: str) -> int:
        """How often this incarnation of the cell counted a safeguard."""
        samples = self.cell.measures.report().samples
        return sum(int(s.value) for s in samples if s.name == "safeguard_actions_total" and s.labels == (safeguard,))

    def changes(self) -> list[ModifyOrder]:
        """The changes in place that the exchange was asked for."""
        return [request for request in self.received if isinstance(request, ModifyOrder)]

    def kinds(self) -> list[str]:
        """The kinds of the alerts that were released, in order, repeats included."""
        return [alert.kind for alert in self.alerts]

    def escalations(self, kind: str) -> list[EscalationRecord]:
        """The alerts of one kind, as the journal holds them."""
        return [alert for alert in self.journal.rows(ESCALATIONS) if alert.kind == kind]

    def rejected(self) -> list[RejectedEventRecord]:
        return self.journal.rows(REJECTED_EVENTS)


def told_in(inputs: Iterable[msgspec.Struct]) -> list[ExecutionReport]:
    """The reports among the inputs, and in the snapshots among them."""
    reports: list[ExecutionReport] = []
    for message in inputs:
        if isinstance(message, ExecutionReport):
            reports.append(message)
        elif isinstance(message, Snapshot):
            reports += [*message.executions, *message.orders]
    return reports
