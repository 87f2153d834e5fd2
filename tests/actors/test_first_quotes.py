"""The first quotes of what a cell comes to want: they do not wait for the next tick of the broker's clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_door import CHAIN, LONG, Door, door

from brokers.port import Heartbeat
from domain.quotes import Quote
from messages import wire
from messages.market import Tick
from messages.supervision import EventBatch, EventBatchTaken, Hello, Watch

OTHERS = frozenset(instrument.symbol for instrument in CHAIN if instrument != LONG)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Door]:
    with door(tmp_path) as made:
        made.on_watch(Watch(0, OTHERS), "cell")
        made.passes(100)
        yield made


def ticks(gateway: Door) -> list[Tick]:
    """What the cell has been sent and takes."""
    found = []
    while gateway.posted:
        posted, gateway.posted = gateway.posted, []
        for batch in posted:
            if isinstance(batch, EventBatch):
                found += [event for event in wire.events(batch.events) if isinstance(event, Tick)]
                gateway.cells.taken(EventBatchTaken(batch.gateway, batch.number), "cell")
    return found


def says(gateway: Door, *symbols: str) -> list[Tick]:
    gateway.broker.says += [Quote(symbol, gateway.now_ns, 9_900, 10, 10_100, 10) for symbol in symbols]
    gateway.pump()
    return ticks(gateway)


def test_a_first_quote_comes_at_once_and_the_second_with_the_clock(gateway: Door) -> None:
    gateway.cells.quotes.pop(LONG.symbol)
    gateway.on_watch(Watch(0, OTHERS | {LONG.symbol}), "cell")
    assert ticks(gateway) == []
    (first,) = says(gateway, LONG.symbol)
    assert first.broker_time_ns == gateway.session.clock_ns
    assert [quote.symbol for quote in first.quotes] == [LONG.symbol]
    assert says(gateway, LONG.symbol) == []
    gateway.now_ns += 100 * 10**6
    gateway.broker.says.append(Heartbeat(gateway.now_ns))
    (second,) = says(gateway)
    assert [quote.symbol for quote in second.quotes] == [LONG.symbol]


def test_a_quote_that_the_gateway_has_comes_at_once(gateway: Door) -> None:
    gateway.on_watch(Watch(0, OTHERS | {LONG.symbol}), "cell")
    (first,) = ticks(gateway)
    assert [quote.symbol for quote in first.quotes] == [LONG.symbol]


def test_a_cell_that_comes_back_gets_its_quotes_with_the_clock(gateway: Door) -> None:
    gateway.on_hello(Hello(0, 2, OTHERS), "cell again")
    gateway.posted.clear()
    assert says(gateway, *OTHERS) == []


def test_what_a_cell_wants_no_more_is_not_waited_for(gateway: Door) -> None:
    gateway.cells.quotes.pop(LONG.symbol)
    gateway.on_watch(Watch(0, OTHERS | {LONG.symbol}), "cell")
    gateway.on_watch(Watch(0, OTHERS), "cell")
    assert says(gateway, LONG.symbol) == []
