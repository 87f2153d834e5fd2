"""Whatever happens, orders, positions, cash and reports agree with the record, which is kept apart from them."""

from __future__ import annotations

from collections import defaultdict

from house import CALL, CALL_105, PUT, SECOND, SHARES, START, House
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.execution import ExecType, ExecutionReport, OrdStatus, OrdType, Side, TimeInForce
from domain.money import from_float
from venue.truth import TruthEvent

SYMBOLS = st.sampled_from([CALL, CALL_105.symbol, PUT, SHARES])
PRICES = st.integers(16, 24).map(lambda ticks: ticks * 500)
SIZES = st.integers(0, 6)
MOVES = {"fill", "assigned", "exercised", "expired", "liquidated", "manual", "corporate"}
ENDED = {OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.EXPIRED, OrdStatus.REJECTED}


class Fold:
    """What the record alone says of positions, cash, and each order's fills."""

    def __init__(self, events: list[TruthEvent], cash: int) -> None:
        self.positions: dict[str, int] = defaultdict(int)
        self.cash = cash
        self.cum: dict[str, int] = defaultdict(int)
        self._fills: dict[str, TruthEvent] = {}
        for event in events:
            self._take(event)

    def _take(self, event: TruthEvent) -> None:
        if event.kind in MOVES and event.last_qty is not None:
            self._book(event, event.side, event.last_qty, 1)
            self._fills[event.exec_id] = event
        elif event.kind in ("busted", "corrected"):
            old = self._fills[event.exec_ref_id]
            self._book(old, old.side, old.last_qty or 0, -1)
            if event.kind == "corrected":
                self._book(event, event.side, event.last_qty or 0, 1)
                self._fills[event.exec_ref_id] = event

    def _book(self, event: TruthEvent, side: str, quantity: int, direction: int) -> None:
        signed = direction * quantity * (1 if side == "buy" else -1)
        multiplier = 1 if event.symbol == SHARES else 100
        self.positions[event.symbol] += signed
        self.cash -= signed * from_float(event.last_px or 0.0) * multiplier
        self.cum[event.venue_order_id] += direction * quantity


class Trading(RuleBasedStateMachine):
    """One client doing anything, a market moving anyhow, and an exchange that busts, corrects and assigns at will."""

    @initialize(
        latency=st.sampled_from([0, SECOND]),
        protection=st.sampled_from([0.0, 5.0]),
        deduplicate=st.booleans(),
        margin=st.booleans(),
    )
    def open(self, latency: int, protection: float, deduplicate: bool, margin: bool) -> None:
        self.house = House(
            cancel_latency_ns=latency,
            market_protection_pct=protection,
            deduplicate=deduplicate,
            margin_check=margin,
            session_close_ns=START + 30 * SECOND,
            cash=10_000_000_000,
        )
        self.shown = 0
        self.ids = 0

    @rule(symbol=SYMBOLS, bid=PRICES, spread=st.integers(-1, 4), bid_size=SIZES, ask_size=SIZES)
    def quote(self, symbol: str, bid: int, spread: int, bid_size: int, ask_size: int) -> None:
        reports = self.house.quote(bid, bid + 500 * spread, bid_size, ask_size, symbol=symbol)
        taken = {side: sum(r.last_qty for r in reports if r.side is side) for side in Side}
        assert taken[Side.BUY] <= ask_size
        assert taken[Side.SELL] <= bid_size

    @rule(
        symbol=SYMBOLS,
        side=st.sampled_from(Side),
        quantity=st.integers(0, 8),
        kind=st.sampled_from(OrdType),
        tif=st.sampled_from(TimeInForce),
        price=PRICES,
        trigger=PRICES,
        again=st.booleans(),
    )
    def submit(
        self,
        symbol: str,
        side: Side,
        quantity: int,
        kind: OrdType,
        tif: TimeInForce,
        price: int,
        trigger: int,
        again: bool,
    ) -> None:
        self.ids += 0 if again else 1
        reply = self.house.submit(
            f"o{self.ids}",
            side,
            quantity,
            symbol=symbol,
            order_type=kind,
            time_in_force=tif,
            price=price,
            trigger_price=trigger,
        )
        assert reply.accepted is (reply.reason == "")
        for report in reply.reports:
            if (
                report.exec_type is ExecType.TRADE
                and kind is not OrdType.MARKET
                and report.client_order_id == f"o{self.ids}"
            ):
                assert (report.last_px - price) * side.sign <= 0

    @rule(number=st.integers(1, 6), request=st.integers(1, 3))
    def cancel(self, number: int, request: int) -> None:
        self.house.cancel(f"o{number}", f"c{request}")

    @rule(
        number=st.integers(1, 6),
        quantity=st.integers(0, 8),
        kind=st.sampled_from(OrdType),
        price=PRICES,
        trigger=PRICES,
    )
    def modify(self, number: int, quantity: int, kind: OrdType, price: int, trigger: int) -> None:
        self.house.modify(f"o{number}", order_type=kind, quantity=quantity, price=price, trigger_price=trigger)

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.house.wait(seconds)

    @precondition(lambda self: any(e.kind == "fill" for e in self.house.truth))
    @rule(data=st.data(), quantity=st.integers(0, 8), price=PRICES)
    def bust_or_correct(self, data: st.DataObject, quantity: int, price: int) -> None:
        trade = data.draw(st.sampled_from(self.house.exchange.executions()))
        before = len(self.house.truth)
        try:
            if quantity:
                self.house.correct(trade.exec_id, quantity, price)
            else:
                self.house.bust(trade.exec_id)
        except ValueError:
            assert len(self.house.truth) == before, "a refused intervention leaves no trace"

    @precondition(lambda self: min(self.house.held().values(), default=0) < 0)
    @rule()
    def assign(self) -> None:
        short = [(symbol, -held) for symbol, held in self.house.held().items() if held < 0 and symbol != SHARES]
        for symbol, quantity in short[:1]:
            self.house.exchange.assign(symbol, (quantity + 1) // 2, self.house.now)

    @invariant()
    def positions_and_cash_are_those_of_the_record(self) -> None:
        fold = Fold(self.house.truth, self.house.rules.cash)
        assert self.house.held() == {symbol: held for symbol, held in fold.positions.items() if held}
        assert self.house.exchange.cash == fold.cash

    @invariant()
    def orders_have_filled_what_the_record_says(self) -> None:
        fold = Fold(self.house.truth, self.house.rules.cash)
        for order in self.house.exchange.orders(self.house.now):
            assert order.cum_qty == fold.cum[order.venue_order_id]
            _adds_up(order)

    @invariant()
    def every_report_is_recorded_and_consistent(self) -> None:
        recorded = {event.exec_id: event for event in self.house.truth if event.exec_id}
        for report in self.house.reports[self.shown :]:
            event = recorded[report.exec_id]
            assert event.ts_ns == report.ts_ns
            _adds_up(report)
            if report.exec_type is ExecType.TRADE:
                assert report.last_qty > 0
                assert report.ord_status not in ENDED - {OrdStatus.FILLED}, "a fill and an end never share a report"
            elif report.exec_type is not ExecType.TRADE_CORRECT:
                assert report.last_qty == 0
        self.shown = len(self.house.reports)
        ids = [report.exec_id for report in self.house.reports]
        times = [event.ts_ns for event in self.house.truth]
        assert ids == sorted(set(ids))
        assert times == sorted(set(times))


def _adds_up(report: ExecutionReport) -> None:
    assert 0 <= report.cum_qty <= report.order_qty or report.ord_status is OrdStatus.REJECTED
    expected = 0 if report.ord_status in ENDED else report.order_qty - report.cum_qty
    assert report.leaves_qty == expected
    assert (report.ord_status is OrdStatus.FILLED) is (0 < report.cum_qty == report.order_qty)
    assert (report.avg_px > 0) is (report.cum_qty > 0)


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=150, stateful_step_count=40, deadline=None, derandomize=True)
