"""A small world without processes: one cell on a journal, the pure exchange, and a hand on the clock."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from actors.cell_tree import CellTree, Released
from config.schema import Config
from domain.execution import ExecutionReport, Side
from domain.groups import Plan, PlanLeg, PlanStop, Policy
from domain.instruments import Instrument, Right, osi_symbol, parse_osi
from domain.quotes import Quote
from messages.market import BrokerUp, Tick
from messages.operator import SubmitGroup
from messages.orders import (
    CancelOrder,
    InstrumentList,
    ModifyOrder,
    OrderSent,
    Outcome,
    Snapshot,
    SubmitOrder,
    SubmitResult,
)
from storage.memory import MemoryJournal
from venue.exchange import Exchange
from venue.rules import Rules
from venue.truth import TruthEvent

START_NS = 1_609_770_600 * 10**9  # 2021-01-04 14:30 UTC
MS = 1_000_000
EXPIRY = "2021-01-15"


def option(strike: int, right: Right) -> Instrument:
    from datetime import date

    symbol = osi_symbol("XYZ", date.fromisoformat(EXPIRY), right, strike * 10_000)
    return Instrument(
        symbol=symbol,
        underlying="XYZ",
        right=right,
        strike=strike * 10_000,
        expiry=EXPIRY,
        multiplier=100,
        lot_size=1,
        tick_size=500,
        freeze_qty=50,
    )


CHAIN = [option(strike, right) for strike in range(80, 125, 5) for right in Right]


def put(strike: int) -> str:
    return option(strike, Right.PUT).symbol


def call(strike: int) -> str:
    return option(strike, Right.CALL).symbol


def leg(symbol: str, side: str, ratio: int = 1, limit: int = 0) -> PlanLeg:
    return PlanLeg(leg_id=f"{side}{symbol[-9]}{parse_osi(symbol)[3] // 10_000}", symbol=symbol, side=Side(side), ratio=ratio, limit_price=limit)


def bull_put(group_id: str = "bp", quantity: int = 10, policy: Policy = Policy.COMPLETE, stop: int = 0) -> Plan:
    legs = (leg(put(90), "buy"), leg(put(95), "sell"))
    stops = (PlanStop(leg_id=legs[1].leg_id, trigger_price=stop),) if stop else ()
    return Plan(group_id=group_id, quantity=quantity, legs=legs, strategy="bull_put", policy=policy, stops=stops)


class World:
    """Everything that a cell releases reaches the exchange at once, and every answer comes back, unless told otherwise."""

    def __init__(self, *, rules: Rules | None = None, config: Config | None = None, size: int = 100) -> None:
        self.truth: list[TruthEvent] = []
        self.exchange = Exchange(CHAIN, rules or Rules(cash=10**15), self.truth.append)
        self.config = config or Config()
        self.journal = MemoryJournal()
        self.now_ns = START_NS
        self.session = 0
        self.alerts: list[str] = []
        self.replies: list[tuple[str, msgspec.Struct]] = []
        self.lost: list[str] = []
        self.mute = False  # while true, nothing that the cell releases reaches the exchange
        self.deaf = False  # while true, nothing that the exchange says reaches the cell
        self.sizes = {instrument.symbol: size for instrument in CHAIN}
        self.prices: dict[str, tuple[int, int]] = {i.symbol: (20_000, 20_500) for i in CHAIN}
        self.show()
        self.cell = self.new_cell()
        self.link_up()

    def new_cell(self) -> CellTree:
        return CellTree(0, self.config, self.journal, deduplicates=True)

    def restart(self) -> None:
        """The cell's process dies and comes back."""
        self.journal = self.journal.reopen()
        self.cell = self.new_cell()
        self.link_up()

    def link_up(self) -> None:
        self.session += 1
        self.take([BrokerUp(self.session), InstrumentList(tuple(CHAIN)), self.tick_message()])
        self.snapshot()

    def snapshot(self) -> None:
        self.take(
            [
                Snapshot(
                    as_of_ns=self.now_ns,
                    session=self.session,
                    orders=tuple(self.exchange.orders(self.now_ns)),
                    executions=tuple(self.exchange.executions()),
                    positions=tuple(self.exchange.positions()),
                )
            ]
        )

    def tick_message(self) -> Tick:
        return Tick(self.now_ns, tuple(self.exchange.last_quote.values()))

    def quote(self, symbol: str, bid: int, ask: int, size: int | None = None) -> None:
        self.prices[symbol] = (bid, ask)
        if size is not None:
            self.sizes[symbol] = size
        self.show([symbol])

    def show(self, symbols: Iterable[str] | None = None) -> None:
        """Show fresh quotes to the exchange; what trades on them is told."""
        reports: list[ExecutionReport] = []
        for symbol in symbols if symbols is not None else self.prices:
            bid, ask = self.prices[symbol]
            size = self.sizes[symbol]
            reports += self.exchange.on_quote(Quote(symbol, self.now_ns, bid, size, ask, size))
        self.take(reports)

    def advance(self, ms: int, *, step_ms: int = 100, fresh: bool = False) -> None:
        """Let broker time pass, with a tick every ``step_ms``."""
        for _ in range(0, ms, step_ms):
            self.now_ns += step_ms * MS
            reports = self.exchange.advance(self.now_ns)
            self.take([*reports, self.tick_message()])
            if fresh:
                self.show()

    def submit(self, plan: Plan) -> None:
        self.take([SubmitGroup(plan)])

    def take(self, inputs: Iterable[msgspec.Struct]) -> None:
        inputs = list(inputs)
        if not hasattr(self, "cell"):
            return
        while inputs:
            if self.deaf:
                inputs = [i for i in inputs if isinstance(i, Tick)]
            released = self.cell.run(inputs)
            inputs = self.carry_out(released)

    def carry_out(self, released: Released) -> list[msgspec.Struct]:
        self.alerts += [alert.kind for alert in released.alerts]
        self.replies += released.replies
        answers: list[msgspec.Struct] = []
        for request in released.requests:
            if self.mute:
                self.lost.append(request.client_order_id)
            else:
                answers += self.send(request)
        return answers

    def send(self, request: SubmitOrder | CancelOrder | ModifyOrder) -> list[msgspec.Struct]:
        if isinstance(request, SubmitOrder):
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
        assert isinstance(request, CancelOrder)
        return list(
            self.exchange.cancel(
                client_order_id=request.client_order_id, request_id=request.request_id, now_ns=self.now_ns
            ).reports
        )

    def position(self, symbol: str) -> int:
        return next((p.quantity for p in self.exchange.positions() if p.symbol == symbol), 0)

    def group(self, group_id: str = "bp"):
        rows = self.journal.group(group_id)
        assert rows is not None
        return rows
