"""NautilusTrader: its execution engine, cache and message bus in memory; nothing is durable.

The engine keeps orders, positions and fills; a listener on its bus does what a strategy would do with a fill.  Reports
that come twice are dropped before it, as an adapter would: the engine itself refuses each with an exception that it
logs, which costs it more, and tells its listeners all the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import MessageBus, TestClock
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.client import ExecutionClient
from nautilus_trader.execution.engine import ExecutionEngine
from nautilus_trader.execution.messages import SubmitOrder as Submit
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.enums import (
    AccountType,
    AssetClass,
    LiquiditySide,
    OmsType,
    OptionKind,
    OrderSide,
    OrderType,
)
from nautilus_trader.model.events import OrderAccepted, OrderFilled, OrderSubmitted
from nautilus_trader.model.identifiers import (
    AccountId,
    ClientId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    Symbol,
    TradeId,
    TraderId,
    Venue,
    VenueOrderId,
)
from nautilus_trader.model.instruments import OptionContract
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.model.orders import LimitOrder
from nautilus_trader.portfolio.portfolio import Portfolio

from benchmarks.book import GUARDS, drive, group_of, told
from benchmarks.workload import LEGS, QUANTITY, START_NS
from domain.execution import ExecType, ExecutionReport, OrdType, Side, TimeInForce
from domain.groups import Role
from domain.instruments import Instrument, Right
from messages.orders import SubmitOrder

VENUE, TRADER, STRATEGY = Venue("XCBO"), TraderId("TESTER-000"), StrategyId("CONDORS-000")
ACCOUNT, CLIENT = AccountId("XCBO-001"), ClientId("XCBO")
PRICE, FREE = Price(2.05, 2), Money(0, USD)
SIDES = {Side.BUY: OrderSide.BUY, Side.SELL: OrderSide.SELL}


class Client(ExecutionClient):  # type: ignore[misc]
    """Where orders leave the engine."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(
            client_id=CLIENT, venue=VENUE, oms_type=OmsType.HEDGING, account_type=AccountType.MARGIN, base_currency=USD,
            **parts,
        )  # fmt: skip
        self._set_account_id(ACCOUNT)
        self.sent: list[str] = []

    def submit_order(self, command: Submit) -> None:
        self.sent.append(command.order.client_order_id.value)


class Groups:
    """Condors on the engine: what a half of a long lets out, as in the other programs."""

    def __init__(self) -> None:
        clock = TestClock()
        clock.set_time(START_NS)
        bus = MessageBus(trader_id=TRADER, clock=clock)
        cache = Cache(database=None)
        self._portfolio = Portfolio(msgbus=bus, cache=cache, clock=clock)  # the engine asks it for net positions
        self._engine = ExecutionEngine(msgbus=bus, cache=cache, clock=clock)
        self._client = Client(msgbus=bus, cache=cache, clock=clock)
        self._engine.register_client(self._client)
        self._cache = cache
        self._contracts = [_contract(instrument) for instrument, _ in LEGS]
        for contract in self._contracts:
            cache.add_instrument(contract)
        self._legs = {contract.id: leg for leg, contract in enumerate(self._contracts)}
        self._orders: dict[str, tuple[int, SubmitOrder]] = {}  # id -> leg, what went out
        self._children: dict[tuple[int, int], int] = {}
        self._seen: set[str] = set()
        bus.subscribe(topic=f"events.order.{STRATEGY}", handler=self.on_order_event)
        self._engine.start()

    def open(self, groups: int) -> list[SubmitOrder]:
        """The first orders of all groups."""
        for group in range(groups):
            for leg in GUARDS:
                self._submit(group, leg, QUANTITY, START_NS)
        return self._left()

    def take(self, batch: list[ExecutionReport]) -> list[SubmitOrder]:
        """Have the engine process what a broker's adapter would make of these reports."""
        for report in batch:
            if report.exec_id in self._seen:
                continue
            self._seen.add(report.exec_id)
            event = self._accepted(report) if report.exec_type is ExecType.NEW else self._filled(report)
            self._engine.process(event)
        return self._left()

    def on_order_event(self, event: Any) -> None:
        """A fill of a long lets out as much of its short."""
        if isinstance(event, OrderFilled) and (leg := self._legs[event.instrument_id]) in GUARDS:
            group = group_of(event.client_order_id.value)
            self._submit(group, GUARDS[leg], int(event.last_qty), event.ts_event)

    def _left(self) -> list[SubmitOrder]:
        ready = [self._orders[order_id][1] for order_id in self._client.sent]
        self._client.sent.clear()
        return ready

    def _submit(self, group: int, leg: int, quantity: int, now: int) -> None:
        number = self._children[group, leg] = self._children.get((group, leg), -1) + 1
        instrument, side = LEGS[leg]
        order_id, group_id = f"LK{group:07}E{leg}{number:02}1", f"condor-{group:06}"
        self._orders[order_id] = leg, SubmitOrder(
            client_order_id=order_id, group_id=group_id, role=Role.PROTECTION if side is Side.BUY else Role.RISK,
            symbol=instrument.symbol, side=side, quantity=quantity, order_type=OrdType.LIMIT,
            time_in_force=TimeInForce.DAY, price=20_500, trigger_price=0, parent_id=group_id, parent_qty=QUANTITY,
            epoch=1, decided_ns=now,
        )  # fmt: skip
        contract = self._contracts[leg]
        order = LimitOrder(
            trader_id=TRADER, strategy_id=STRATEGY, instrument_id=contract.id, client_order_id=ClientOrderId(order_id),
            order_side=SIDES[side], quantity=Quantity.from_int(quantity), price=PRICE, init_id=UUID4(), ts_init=now,
        )  # fmt: skip
        command = Submit(trader_id=TRADER, strategy_id=STRATEGY, order=order, command_id=UUID4(), ts_init=now)
        self._engine.execute(command)
        self._engine.process(
            OrderSubmitted(
                trader_id=TRADER,
                strategy_id=STRATEGY,
                instrument_id=contract.id,
                client_order_id=order.client_order_id,
                account_id=ACCOUNT,
                event_id=UUID4(),
                ts_event=now,
                ts_init=now,
            )
        )

    def _accepted(self, report: ExecutionReport) -> OrderAccepted:
        leg, _ = self._orders[report.client_order_id]
        return OrderAccepted(
            trader_id=TRADER, strategy_id=STRATEGY, instrument_id=self._contracts[leg].id,
            client_order_id=ClientOrderId(report.client_order_id), venue_order_id=VenueOrderId(report.venue_order_id),
            account_id=ACCOUNT, event_id=UUID4(), ts_event=report.ts_ns, ts_init=report.ts_ns,
        )  # fmt: skip

    def _filled(self, report: ExecutionReport) -> OrderFilled:
        leg, _ = self._orders[report.client_order_id]
        return OrderFilled(
            trader_id=TRADER, strategy_id=STRATEGY, instrument_id=self._contracts[leg].id,
            client_order_id=ClientOrderId(report.client_order_id), venue_order_id=VenueOrderId(report.venue_order_id),
            account_id=ACCOUNT, trade_id=TradeId(report.exec_id), position_id=None, order_side=SIDES[LEGS[leg][1]],
            order_type=OrderType.LIMIT, last_qty=Quantity.from_int(report.last_qty), last_px=PRICE, currency=USD,
            commission=FREE, liquidity_side=LiquiditySide.TAKER, event_id=UUID4(), ts_event=report.ts_ns,
            ts_init=report.ts_ns,
        )  # fmt: skip


def _contract(instrument: Instrument) -> OptionContract:
    kind = OptionKind.PUT if instrument.right is Right.PUT else OptionKind.CALL
    return OptionContract(
        instrument_id=InstrumentId(Symbol(instrument.symbol.replace(" ", "")), VENUE),
        raw_symbol=Symbol(instrument.symbol), asset_class=AssetClass.EQUITY, currency=USD, price_precision=2,
        price_increment=Price(0.05, 2), multiplier=Quantity.from_int(instrument.multiplier),
        lot_size=Quantity.from_int(1), underlying=instrument.underlying, option_kind=kind,
        strike_price=Price(instrument.strike / 10_000, 2), activation_ns=0, expiration_ns=2 * START_NS, ts_event=0,
        ts_init=0,
    )  # fmt: skip


def reports_per_second(path: Path, groups: int, size: int, most: int) -> float:
    """B2's rival: reports a second.  It writes nothing, so ``path`` and ``most`` have no meaning here."""
    del path, most
    program = Groups()
    return drive(told(program.open(groups)), program.take, size)
