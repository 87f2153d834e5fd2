"""A real gateway between one cell and a broker whose mouth is the test's: what it lets out is what the broker sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from actors.gateway import BrokerGateway
from actors.machine import Machine, running_on
from brokers.embedded.adapter import DECLARED
from brokers.port import BrokerEvent, Capabilities, Heartbeat, LinkDown, LinkUp
from config.schema import BrokerConfig, Config, ControlsConfig, SystemConfig
from decisions.gateway.lanes import WINDOW_MS, Query
from domain.execution import ExecType, ExecutionReport, OrdStatus, OrdType, Side, TimeInForce
from domain.groups import Role, client_order_id, parent_tag
from domain.instruments import Instrument, Right, osi_symbol
from domain.quotes import Quote
from domain.strategies import StrategyRules
from messages import wire
from messages.controls import ControlAlert, TradingStateChanged
from messages.market import Funds
from messages.orders import (
    CancelOrder,
    InstrumentList,
    ModifyOrder,
    Outcome,
    Position,
    Snapshot,
    SubmitOrder,
    SubmitResult,
)
from messages.positions import Compared, Difference, Verdict
from messages.records import ControlAction
from messages.supervision import EventBatch, EventBatchTaken, Hello, Operate, Operated, OrderBatch, Trouble
from storage.reader import JournalReader

DAY_NS = 86_400 * 10**9
NOW_NS = 1_609_770_600 * 10**9  # 2021-01-04 14:30 UTC
DEEP_POCKETS = 10**15
ONE_DAY = "2021-01-15"


def put(strike: int, underlying: str = "XYZ") -> Instrument:
    return Instrument(
        symbol=osi_symbol(underlying, date.fromisoformat(ONE_DAY), Right.PUT, strike * 10_000),
        underlying=underlying,
        right=Right.PUT,
        strike=strike * 10_000,
        expiry=ONE_DAY,
        multiplier=100,
        lot_size=1,
        tick_size=500,
        freeze_qty=1_000,
    )


CHAIN = tuple(put(strike) for strike in range(80, 125, 5))
LONG, SHORT = put(90), put(95)


def order(
    instrument: Instrument,
    side: Side,
    quantity: int = 1,
    price: int = 1_0000,
    *,
    role: Role | None = None,
    group_id: str = "g",
    ordinal: int = 0,
    slice_no: int = 0,
    attempt: int = 1,
    order_type: OrdType = OrdType.LIMIT,
    trigger_price: int = 0,
) -> SubmitOrder:
    """One child order with a parent of its own; without a role it is new risk."""
    role = role or (Role.PROTECTION if side is Side.BUY else Role.RISK)
    kinds = {Role.PROTECTION: "E", Role.RISK: "E", Role.HEDGE: "H", Role.CLOSE: "C"}
    parent = parent_tag(0, group_id, kinds.get(role, "S"), instrument.strike // 50_000 % 36, ordinal)
    return SubmitOrder(
        client_order_id=client_order_id(parent, slice_no, attempt),
        group_id=group_id,
        role=role,
        symbol=instrument.symbol,
        side=side,
        quantity=quantity,
        order_type=order_type,
        time_in_force=TimeInForce.DAY,
        price=price,
        trigger_price=trigger_price,
        parent_id=parent,
        parent_qty=1_000_000,
        epoch=1,
        decided_ns=NOW_NS,
    )


def report(sent: SubmitOrder, kind: ExecType, cum: int, ts_ns: int, **changes: Any) -> ExecutionReport:
    """What the broker says of an order."""
    ended = {ExecType.CANCELED: OrdStatus.CANCELED, ExecType.REJECTED: OrdStatus.REJECTED}
    status = ended.get(kind) or (
        OrdStatus.FILLED if cum == sent.quantity else OrdStatus.PARTIALLY_FILLED if cum else OrdStatus.NEW
    )
    fields: dict[str, Any] = {
        "client_order_id": sent.client_order_id,
        "exec_type": kind,
        "ord_status": status,
        "exec_id": f"{sent.client_order_id}/{kind.value}/{cum}",
        "ts_ns": ts_ns,
        "order_qty": sent.quantity,
        "cum_qty": cum,
        "leaves_qty": 0 if status in (OrdStatus.CANCELED, OrdStatus.REJECTED) else sent.quantity - cum,
        "venue_order_id": f"V{sent.client_order_id}",
        "symbol": sent.symbol,
        "side": sent.side,
    }
    return ExecutionReport(**(fields | changes))


class Clock(Machine):
    """A machine whose time is in the test's hands."""

    ns = 5_000 * 10**9

    def monotonic_ns(self) -> int:
        return self.ns

    def settle(self, gateway: Door) -> None:
        """What a login asks for has been asked, as fast as E7 lets it, and the tokens are back."""
        full_ns = self.ns
        while self.ns < full_ns + WINDOW_MS * 10**6:
            if len(gateway.door.lanes):
                full_ns = self.ns + 50 * 10**6
            self.ns += 50 * 10**6
            gateway.passes(50)


class Broker:
    """It takes everything, keeps it, and says what the test has it say."""

    def __init__(self) -> None:
        self.taken: list[wire.Request] = []
        self.says: list[BrokerEvent] = []
        self.subscribed: frozenset[str] = frozenset()
        self.asked: list[Query] = []

    @property
    def capabilities(self) -> Capabilities:
        return DECLARED

    has_unsent = False

    def pump(self) -> list[BrokerEvent]:
        said, self.says = self.says, []
        return said

    def submit(self, order: SubmitOrder) -> None:
        self.taken.append(order)

    def cancel(self, request: CancelOrder) -> None:
        self.taken.append(request)

    def modify(self, request: ModifyOrder) -> None:
        self.taken.append(request)

    def subscribe(self, symbols: frozenset[str]) -> None:
        self.subscribed = symbols

    @property
    def polls(self) -> int:
        """How many snapshots it was asked for."""
        return self.asked.count(Query.SNAPSHOT)

    def request_snapshot(self) -> None:
        """The test says when one comes."""
        self.asked.append(Query.SNAPSHOT)

    def request_account(self) -> None:
        """The test says when they come."""
        self.asked.append(Query.ACCOUNT)

    def request_instruments(self) -> None:
        """The test says when they come."""
        self.asked.append(Query.INSTRUMENTS)

    def connect(self) -> None:
        """The test says when the link is up."""

    def close(self) -> None:
        """Nothing is open."""


class Door(BrokerGateway):
    """A gateway with one cell, its post and its timer in the test's hands."""

    def __init__(
        self,
        journal_dir: Path,
        controls: ControlsConfig,
        calendar: str = "always",
        strategies: tuple[StrategyRules, ...] = (),
        cells: int = 1,
    ) -> None:
        super().__init__()
        self.timers: list[int] = []  # in how many ms it wanted to look again, each time
        self.posted: list[Any] = []
        self.deaf = False  # whether the cell hangs, or is gone: it takes nothing
        self.alerts: list[ControlAlert] = []
        self.states: list[TradingStateChanged] = []
        self.troubles: list[Trouble] = []
        self.config = Config(
            system=SystemConfig(journal_dir=str(journal_dir), cells=cells),
            controls=controls,
            broker=BrokerConfig(calendar=calendar),
            strategy=strategies,
        )
        self.broker = Broker()
        self.batches = 0
        self.now_ns = NOW_NS
        self.open(self.broker)  # type: ignore[arg-type]  # the part of an adapter that these tests need

    def go_live(self) -> None:
        """The session begins, and what the broker holds is compared with the journals."""
        self.log_in()
        self.compared()

    def log_in(self) -> None:
        """Log in, with instruments, deep pockets, quotes of everything at 1.00, and a first snapshot."""
        self.on_hello(Hello(0, 1, frozenset(i.symbol for i in CHAIN)), "cell")
        self.hears(LinkUp(1, self.now_ns), InstrumentList(CHAIN), Funds(DEEP_POCKETS, 0, self.now_ns))
        self.quotes()
        self.snapshot()

    def compared(self, *held: Difference, levels: dict[str, int] | None = None) -> None:
        """The reconciler says what differs: nothing, unless told otherwise."""
        self.on_compared(Compared(wire.pack(Verdict(self.session.number, held, levels or {}))), "reconciler")
        self.heard()

    def quotes(self, bid: int = 9_900, ask: int = 10_100) -> None:
        """Fresh quotes of the whole chain."""
        self.hears(*(Quote(i.symbol, self.now_ns, bid, 10, ask, 10) for i in CHAIN))

    def snapshot(
        self,
        orders: tuple[ExecutionReport, ...] = (),
        executions: tuple[ExecutionReport, ...] = (),
        positions: tuple[Position, ...] = (),
    ) -> None:
        """The broker's poll."""
        self.hears(Snapshot(as_of_ns=self.now_ns, session=1, orders=orders, executions=executions, positions=positions))

    def hears(self, *events: BrokerEvent) -> None:
        """The broker says this."""
        self.broker.says += events
        self.pump()
        self.heard()

    def fills(self, sent: SubmitOrder, quantity: int | None = None, price: int | None = None) -> None:
        """An order trades, wholly unless told otherwise."""
        cum = sent.quantity if quantity is None else quantity
        last_px = sent.price if price is None else price
        self.hears(report(sent, ExecType.TRADE, cum, self.now_ns, last_qty=cum, last_px=last_px))

    def works(self, sent: SubmitOrder) -> None:
        """An order is acknowledged and rests."""
        self.hears(report(sent, ExecType.NEW, 0, self.now_ns))

    def ends(self, sent: SubmitOrder) -> None:
        """An order is canceled at the broker."""
        self.hears(report(sent, ExecType.CANCELED, 0, self.now_ns))

    def passes(self, ms: int) -> None:
        """Broker time goes on."""
        self.now_ns += ms * 10**6
        self.hears(Heartbeat(self.now_ns))
        self.on_wakeup(self.look_ms)
        self.heard()

    def send(self, target: Any, message: Any) -> None:
        if isinstance(message, Trouble):
            self.troubles.append(message)
        self.posted.append(message)

    def wakeup(self, ms: int, payload: Any) -> None:
        """The test's hand is the timer."""
        self.timers.append(ms)

    def hear(self, *requests: wire.Request) -> list[Outcome]:
        """How a batch of the cell is answered."""
        return [result.outcome for result in self.answers(*requests)]

    def refusals(self, *requests: wire.Request, epoch: int = 1) -> list[str]:
        """Why the orders of a batch did not leave."""
        return [result.reason for result in self.answers(*requests, epoch=epoch) if not result.left]

    def answers(self, *requests: wire.Request, epoch: int = 1) -> list[SubmitResult]:
        """The results that a batch of the cell has at once."""
        self.batches += 1
        self.on_order_batch(OrderBatch(0, epoch, self.batches, self.batches, wire.pack(requests)), "cell")
        return self.heard()

    def heard(self) -> list[SubmitResult]:
        """The results in what was posted to the cell, which takes all of it unless it is deaf."""
        found: list[SubmitResult] = []
        while self.posted:
            posted, self.posted = self.posted, []
            if self.deaf:
                continue
            for batch in posted:
                if isinstance(batch, EventBatch):
                    events = wire.events(batch.events)
                    found += [event for event in events if isinstance(event, SubmitResult)]
                    self.alerts += [event for event in events if isinstance(event, ControlAlert)]
                    self.states += [event for event in events if isinstance(event, TradingStateChanged)]
                    self.cells.taken(EventBatchTaken(batch.gateway, batch.number), "cell")
        return found

    def told(self, command: Any) -> Any:
        """The answer to an operator's command."""
        self.on_operate(Operate(1, "1", wire.pack(command)), "operator")
        answers = [message for message in self.posted if isinstance(message, Operated)]
        self.heard()
        return wire.answer(answers[0].answer)

    @property
    def sent(self) -> list[SubmitOrder]:
        """The orders that the broker has seen."""
        return [request for request in self.broker.taken if isinstance(request, SubmitOrder)]

    @property
    def canceled(self) -> list[str]:
        """The orders that the broker was asked to cancel."""
        return [request.client_order_id for request in self.broker.taken if isinstance(request, CancelOrder)]

    def refused_by(self, control: str) -> float:
        """How often this control refused, as the metrics say."""
        samples = self.measures.report().samples
        return sum(s.value for s in samples if s.name == "orders_refused_total" and s.labels == (control,))

    def journaled(self) -> list[Any]:
        """The gateway's own journal, as a reader finds it."""
        with JournalReader(self.memory.path) as reader:
            return [record for turn in reader.turns() for record in turn.records()]

    def lose_link(self) -> None:
        """The session ends."""
        self.hears(LinkDown(1, "cut"))


@contextmanager
def door(
    journal_dir: Path, calendar: str = "always", strategies: tuple[StrategyRules, ...] = (), **controls: Any
) -> Iterator[Door]:
    """A gateway that is live, with these controls; the next one on the same directory is its next incarnation."""
    made = Door(journal_dir, ControlsConfig(**controls), calendar, strategies)
    try:
        made.go_live()
        yield made
    finally:
        made.on_exit()


@contextmanager
def paced_door(journal_dir: Path, **controls: Any) -> Iterator[Door]:
    """One whose tokens are all there."""
    clock = Clock()
    with running_on(clock), door(journal_dir, **controls) as made:
        clock.settle(made)
        yield made


@contextmanager
def just_started(journal_dir: Path, cells: int = 1) -> Iterator[Door]:
    """The same, before any reconciler has compared anything."""
    made = Door(journal_dir, ControlsConfig(), cells=cells)
    try:
        made.log_in()
        yield made
    finally:
        made.on_exit()


def refuses(gateway: Door, refused: SubmitOrder, control: str) -> str:
    """The broker never sees this order, the cell hears why, and it is counted and journaled; gives the reason."""
    before = gateway.refused_by(control)
    reasons = gateway.refusals(refused)
    assert len(reasons) == 1 and reasons[0].startswith(f"{control}: "), reasons
    assert refused.client_order_id not in [sent.client_order_id for sent in gateway.sent]
    assert gateway.refused_by(control) == before + 1
    journaled = [r for r in gateway.journaled() if r.subject == f"order/{refused.client_order_id}"]
    assert [(r.control, r.action) for r in journaled] == [(control, ControlAction.REFUSED)]
    return reasons[0]


def lets_out(gateway: Door, wanted: SubmitOrder) -> None:
    """The broker sees this order."""
    assert gateway.refusals(wanted) == []
    assert gateway.sent[-1] == wanted
