"""The embedded adapter against a real server process on loopback: the broker contract, and what is its own."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import msgspec
import pytest

from brokers.embedded.adapter import DECLARED, EmbeddedAdapter, broken_promises
from brokers.port import LinkDown, LinkUp
from domain.execution import OrdStatus, OrdType
from messages.orders import CancelResult, Outcome, SubmitOrder, SubmitResult
from venue import protocol as wire
from venue.child import Steering, VenueChild
from venue.launch import promises
from venue.nasty import Nasty, preset
from venue.rules import Rules

pytest.register_assert_rewrite("contract", "contract_desk")  # before they are imported, for assertions that explain

from contract import BrokerContract  # noqa: E402
from contract_desk import ASK, BID, LATE_S, Desk, Fault  # noqa: E402

LATE = round(LATE_S * 1000)
FAULTS = {
    Fault.LOSE_REQUESTS: Nasty(lose_request=1),
    Fault.LOSE_ACKS: Nasty(lose_ack=1),
    Fault.ANSWER_LATE: Nasty(answer_late=1, late_ms=(LATE, LATE)),
    Fault.DUPLICATE_REPORTS: Nasty(duplicate_report=1, delay_ms=(1, 5)),
    Fault.DROP_REPORTS: Nasty(drop_report=1),
}


class EmbeddedHarness:
    def __init__(self, server: VenueChild, steering: Steering) -> None:
        self.server = server
        self.steering = steering
        instrument = next(i for i in steering.instruments().instruments if i.right is not None)
        self.symbol, self.lot, self.tick = instrument.symbol, instrument.lot_size, instrument.tick_size

    def adapter(self, *, answer_timeout_s: float = 5.0, silence_timeout_s: float = 5.0) -> EmbeddedAdapter:
        return EmbeddedAdapter(
            "127.0.0.1",
            self.server.port,
            monotonic=time.monotonic,
            answer_timeout_s=answer_timeout_s,
            silence_timeout_s=silence_timeout_s,
        )

    def move(self, bid: int, ask: int, size: int = 1_000_000) -> None:
        self.steering.pin(self.symbol, bid, ask, size)

    @contextlib.contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        self.steering.misbehave(FAULTS[fault])
        try:
            yield
        finally:
            self.steering.misbehave(Nasty())

    def frozen(self) -> contextlib.AbstractContextManager[None]:
        return self.server.frozen()

    def break_links(self) -> None:
        self.steering.cut_links()


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[VenueChild, Steering]]:
    with VenueChild("--seed", "1") as server, Steering(server.port) as steering:
        yield server, steering


@pytest.fixture
def harness(running: tuple[VenueChild, Steering]) -> Iterator[EmbeddedHarness]:
    server, steering = running
    yield EmbeddedHarness(server, steering)
    steering.misbehave(Nasty())
    for order in steering.snapshot().orders:
        if order.leaves_qty:
            steering.send(
                wire.Cancel(request=steering.request(), client_order_id=order.client_order_id, request_id="x")
            )
            assert steering.next(wire.Answer).accepted


class TestEmbeddedBroker(BrokerContract):
    def test_a_slow_reader_takes_its_time_and_gets_everything_in_order(
        self, desk: Desk, harness: EmbeddedHarness
    ) -> None:
        orders = [self.order(harness, price=ASK) for _ in range(300)]
        for order in orders:
            desk.adapter.submit(order)
        desk.until(lambda: len(desk.all(SubmitResult)) == len(orders), "all results")
        assert [r.client_order_id for r in desk.all(SubmitResult)] == [order.client_order_id for order in orders]
        assert {r.outcome for r in desk.all(SubmitResult)} == {Outcome.ACCEPTED}

    def test_with_everything_going_wrong_each_request_has_one_result_and_every_result_is_true(
        self, harness: EmbeddedHarness
    ) -> None:
        harness.move(BID, ASK)
        desk = Desk(harness.adapter(answer_timeout_s=0.1))
        desk.log_in()
        harness.steering.misbehave(
            msgspec.structs.replace(
                preset("full"),
                delay_ms=(1, 20),
                late_ms=(120, 200),
                disconnect=0.05,
                accept_refused=0,  # an answer that is not true
            ),
            seed=5,
        )
        orders: list[SubmitOrder] = []
        for n in range(120):
            orders.append(self.order(harness, price=ASK if n % 2 else harness.tick))
            desk.adapter.submit(orders[-1])
            desk.adapter.cancel(self.cancel_of(orders[-1]))
            desk.pump(0.002)
            if desk.adapter.fileno() == -1:
                desk.adapter.connect()
        desk.until(
            lambda: len(desk.all(SubmitResult)) >= len(orders) and len(desk.all(CancelResult)) >= len(orders), "results"
        )
        harness.steering.misbehave(Nasty())
        if desk.adapter.fileno() == -1:
            desk.log_in()
        desk.heartbeats(4)
        outcome = {r.client_order_id: r.outcome for r in desk.all(SubmitResult)}
        assert len(desk.all(SubmitResult)) == len(desk.all(CancelResult)) == len(outcome) == len(orders)
        assert set(outcome.values()) == set(Outcome), "the mischief did not reach every kind of result"
        listed = {r.client_order_id: r for r in desk.snapshot().orders}
        for order in orders:
            known = listed.get(order.client_order_id)
            if outcome[order.client_order_id] is Outcome.ACCEPTED:
                assert known is not None
            if outcome[order.client_order_id] is Outcome.REFUSED:
                assert known is None or known.ord_status is OrdStatus.REJECTED
        desk.adapter.close()

    def test_a_duplicate_of_a_working_order_is_answered_with_the_order_that_works(
        self, desk: Desk, harness: EmbeddedHarness
    ) -> None:
        order = self.order(harness)
        first = self.send(desk, order)
        desk.events.clear()
        again = self.send(desk, order)
        assert (again.outcome, again.venue_order_id) == (Outcome.ACCEPTED, first.venue_order_id)
        assert again.reason.startswith("duplicate")


# --- links that never come to be ---


def patient(port: int, **changes: object) -> Desk:
    return Desk(EmbeddedAdapter("127.0.0.1", port, monotonic=time.monotonic, **changes))  # type: ignore[arg-type]


def test_where_nobody_listens_the_link_is_down_with_a_reason_and_another_try_is_allowed() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        desk = patient(unused.getsockname()[1])
        for attempt in (1, 2):
            desk.adapter.connect()
            desk.until(lambda n=attempt: len(desk.all(LinkDown)) == n, "link down")  # type: ignore[misc]
    assert "refused" in desk.all(LinkDown)[0].reason.lower()
    assert desk.adapter.fileno() == -1


@pytest.mark.parametrize("host", ["exchange.example", "exchange..example", 70 * "x"])
def test_a_name_instead_of_an_address_is_an_error_in_words_and_never_a_slow_look_up(host: str) -> None:
    desk = Desk(EmbeddedAdapter(host, 1, monotonic=time.monotonic))
    desk.adapter.connect()
    assert "give an IP address" in desk.next(LinkDown).reason


def test_a_listener_that_never_says_anything_is_a_broken_link() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        desk = patient(mute.getsockname()[1], silence_timeout_s=0.1)
        desk.adapter.connect()
        assert "said nothing for 0.1 s" in desk.next(LinkDown).reason
    assert desk.all(LinkUp) == []


@pytest.mark.parametrize("noise", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xc1", wire.encode(wire.Ping(request=1))])
def test_a_listener_that_speaks_something_else_is_a_broken_link(noise: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        desk = patient(other.getsockname()[1])
        desk.adapter.connect()
        connection, _ = other.accept()
        with connection:
            connection.sendall(noise)
            assert "not " in desk.next(LinkDown).reason


def test_a_server_that_promises_less_than_is_declared_is_not_logged_in_to() -> None:
    rules = '{"deduplicate": false, "max_tag_length": 20, "orders_per_second": 5, "market_protection_pct": 3}'
    with VenueChild("--rules", rules) as weaker:
        desk = patient(weaker.port)
        desk.adapter.connect()
        reason = desk.next(LinkDown).reason
        assert desk.all(LinkUp) == []
        for words in ("does not deduplicate", "20 characters, declared are 128", "5 orders a second", "may rest"):
            assert words in reason
        honest = patient(
            weaker.port,
            declared=msgspec.structs.replace(
                DECLARED,
                deduplicates_client_order_ids=False,
                max_client_order_id_length=20,
                orders_per_second=5,
                market_orders_rest=True,
            ),
        )
        assert honest.log_in().session == 1
        honest.adapter.close()


def test_what_is_declared_is_what_the_usual_rules_promise() -> None:
    assert broken_promises(DECLARED, promises(Rules())) == []
    lagging = msgspec.structs.replace(promises(Rules()), snapshot_lag_ms=5000)
    assert broken_promises(DECLARED, lagging) == ["its snapshots may be 5000 ms old, declared are 1000"]


def test_a_broker_without_deduplication_makes_a_second_order_of_the_same_id() -> None:
    """The capability is worth something only if its absence can be seen by the same suite."""
    with VenueChild("--rules", '{"deduplicate": false}') as server, Steering(server.port) as steering:
        harness = EmbeddedHarness(server, steering)
        harness.move(BID, ASK)
        desk = patient(server.port, declared=msgspec.structs.replace(DECLARED, deduplicates_client_order_ids=False))
        desk.log_in()
        order = TestEmbeddedBroker().order(harness, order_type=OrdType.LIMIT, price=ASK)
        desk.adapter.submit(order)
        desk.adapter.submit(order)
        desk.until(lambda: len(desk.all(SubmitResult)) == 2, "two results")
        assert len({result.venue_order_id for result in desk.all(SubmitResult)}) == 2
        assert {p.symbol: p.quantity for p in desk.snapshot().positions}[harness.symbol] == 2 * harness.lot
        desk.adapter.close()
