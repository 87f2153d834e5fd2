"""The work that every program here is given: iron condors, and what a broker reports about their orders.

A group has four legs of ten units, two of them protection.  Each order is reported as accepted, half filled and filled;
the orders of a wave are mixed at random, each in its own sequence, then 10 % of the reports are swapped with their
neighbour and 10 % come twice, all from a fixed seed.  Whoever is measured answers with new orders: a short leg may be
sent only as far as its long has filled, so that each half of a long makes an order for half of its short.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import msgspec

from domain.execution import ExecType, ExecutionReport, OrdStatus, Side
from domain.groups import Plan, PlanLeg
from domain.instruments import Instrument, Right, osi_symbol
from domain.quotes import Quote

START_NS = 1_609_770_600 * 10**9  # 2021-01-04 14:30 UTC
UNDERLYING = "XYZ"
QUANTITY = 10
DUPLICATES = 0.1
SWAPS = 0.1
LONG_PUT, SHORT_PUT, SHORT_CALL, LONG_CALL = range(4)


def contract(strike: int, right: Right) -> Instrument:
    """One option of the made-up chain."""
    return Instrument(
        symbol=osi_symbol(UNDERLYING, date(2021, 1, 15), right, strike * 10_000), underlying=UNDERLYING, right=right,
        strike=strike * 10_000, expiry="2021-01-15", multiplier=100, lot_size=1, tick_size=500, freeze_qty=1_000,
    )  # fmt: skip


LEGS = (
    (contract(90, Right.PUT), Side.BUY),
    (contract(95, Right.PUT), Side.SELL),
    (contract(105, Right.CALL), Side.SELL),
    (contract(110, Right.CALL), Side.BUY),
)


CHAIN = LEGS + tuple(  # further verticals on both sides, for groups of more legs
    (contract(middle + sign * (10 * n + wing), right), side)
    for n in range(1, 4)
    for middle, sign, right in ((95, -1, Right.PUT), (105, 1, Right.CALL))
    for wing, side in ((0, Side.SELL), (5, Side.BUY))
)


def spread(number: int, legs: int, quantity: int) -> Plan:
    """A group of any even number of legs up to 16: verticals, each of a short and of its long."""
    pairs = [LEGS[:2], LEGS[2:], *(CHAIN[at : at + 2] for at in range(4, len(CHAIN), 2))]
    chosen = [leg for pair in pairs[: legs // 2] for leg in pair]
    return Plan(
        group_id=f"spread-{number:06}", quantity=quantity,
        legs=tuple(PlanLeg(leg_id=f"leg{n}", symbol=i.symbol, side=side) for n, (i, side) in enumerate(chosen)),
    )  # fmt: skip


def condor(number: int, quantity: int = QUANTITY) -> Plan:
    """The plan of one group."""
    legs = tuple(
        PlanLeg(leg_id=f"leg{index}", symbol=instrument.symbol, side=side)
        for index, (instrument, side) in enumerate(LEGS)
    )
    return Plan(group_id=f"condor-{number:06}", quantity=quantity, legs=legs, strategy="iron_condor")


def quotes(now_ns: int) -> tuple[Quote, ...]:
    """The market of all contracts and of what they are written on."""
    options = (Quote(instrument.symbol, now_ns, 20_000, 100, 20_500, 100) for instrument, _ in CHAIN)
    return (*options, Quote(UNDERLYING, now_ns, 999_900, 100, 1_000_100, 100))


class Order(msgspec.Struct, frozen=True):
    """An order as the broker sees it."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: int


class Broker:
    """Reports about orders: the same orders and the same seed make the same reports."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self.now_ns = START_NS
        self.sent = 0  # reports, repetitions included

    def wave(self, orders: Sequence[Order], size: int) -> Iterator[list[ExecutionReport]]:
        """All reports about these orders, in batches of ``size``; the second half of a long never beside its first.

        A program may take a batch as one piece of news, and let out for the whole of a long what another lets out for
        each half.  Kept apart, both halves make an order of their own with everybody, and all are told the same.
        """
        halves = [[0, 1, 2] if order.side is Side.SELL else [0, 1] for order in orders]
        for half in (halves, [[] if order.side is Side.SELL else [2] for order in orders]):
            turns = [number for number, reports in enumerate(half) for _ in reports]
            if turns:
                yield from self._told(turns, [iter(reports) for reports in half], orders, size)

    def _told(
        self, turns: list[int], ahead: list[Iterator[int]], orders: Sequence[Order], size: int
    ) -> Iterator[list[ExecutionReport]]:
        self._random.shuffle(turns)
        mixed = [self._nth(orders[number], next(ahead[number])) for number in turns]
        for at in range(len(mixed) - 1):
            if self._random.random() < SWAPS:
                mixed[at], mixed[at + 1] = mixed[at + 1], mixed[at]
        told = [report for report in mixed for _ in range(1 + (self._random.random() < DUPLICATES))]
        self.sent += len(told)
        for start in range(0, len(told), size):
            yield told[start : start + size]

    def sent_per(self, seconds: float) -> float:
        """Reports a second, each counted as often as it was sent."""
        return self.sent / seconds

    def accepted(self, order: Order) -> ExecutionReport:
        """The first report about an order."""
        return self._nth(order, 0)

    def _nth(self, order: Order, number: int) -> ExecutionReport:
        half = order.quantity // 2
        match number:
            case 0:
                return self._report(order, ExecType.NEW, OrdStatus.NEW, 0, 0)
            case 1:
                return self._report(order, ExecType.TRADE, OrdStatus.PARTIALLY_FILLED, half, half)
            case _:
                return self._report(order, ExecType.TRADE, OrdStatus.FILLED, order.quantity - half, order.quantity)

    def _report(self, order: Order, kind: ExecType, status: OrdStatus, last: int, filled: int) -> ExecutionReport:
        self.now_ns += 1_000
        return ExecutionReport(
            client_order_id=order.client_order_id, exec_type=kind, ord_status=status,
            exec_id=f"X{self.now_ns % 10**12}", ts_ns=self.now_ns, order_qty=order.quantity, cum_qty=filled,
            leaves_qty=order.quantity - filled, last_qty=last, last_px=20_500 if last else 0,
            venue_order_id="V" + order.client_order_id[3:], symbol=order.symbol, side=order.side,
        )  # fmt: skip


def in_batches(items: Iterable[object], size: int) -> Iterator[list[object]]:
    """Lists of ``size``."""
    batch: list[object] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
