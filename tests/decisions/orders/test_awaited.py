"""What the gateway was asked to send and has not answered for is not absent, whatever a snapshot leaves out."""

from __future__ import annotations

import pytest

from decisions.orders.awaited import Awaited
from domain.execution import ExecType, ExecutionReport, OrdStatus, Side
from messages.orders import CancelResult, News, OrderAbsent, OrderSent, Outcome, SubmitResult

ID = "LK-1"
REPORT = ExecutionReport(
    client_order_id=ID,
    venue_order_id="V1",
    exec_id="E1",
    exec_type=ExecType.NEW,
    ord_status=OrdStatus.NEW,
    side=Side.BUY,
    symbol="XYZ",
    order_qty=10,
    cum_qty=0,
    leaves_qty=10,
    ts_ns=1,
)


@pytest.fixture
def awaited() -> Awaited:
    made = Awaited()
    made.asked(ID, 5)
    return made


def test_an_order_waits_for_the_gateway_that_was_asked_and_for_no_other(awaited: Awaited) -> None:
    assert awaited.waits(ID, 5)
    assert not awaited.waits(ID, 6), "that gateway will never say what became of it"
    assert not awaited.waits("LK-2", 5)


def test_a_new_gateway_owes_nothing_of_what_the_old_one_was_asked_for(awaited: Awaited) -> None:
    awaited.asked("LK-2", 6)
    assert [awaited.waits(each, 6) for each in (ID, "LK-2")] == [False, True]


def test_what_a_new_gateway_is_asked_before_it_has_said_who_it_is_waits_there(awaited: Awaited) -> None:
    awaited.addressed(5)
    awaited.asked("LK-2", 5)
    assert [awaited.waits(each, 6) for each in (ID, "LK-2")] == [False, True]
    assert not awaited.waits("LK-2", 7)


@pytest.mark.parametrize("listens", [False, True])
def test_so_it_does_when_the_one_before_was_never_asked_for_anything(listens: bool) -> None:
    awaited = Awaited()
    awaited.addressed(0)
    awaited.addressed(5)
    awaited.asked(ID, 5)
    if listens:
        assert awaited.waits(ID, 5), "a snapshot that is late"
    assert awaited.waits(ID, 6)
    assert not awaited.waits(ID, 7)


def test_what_went_to_the_old_address_when_the_new_session_was_known_waits_nowhere(awaited: Awaited) -> None:
    awaited.asked("LK-2", 6)
    awaited.addressed(6)
    assert not awaited.waits("LK-2", 6)


def test_without_a_session_nobody_waits() -> None:
    awaited = Awaited()
    awaited.asked(ID, 0)
    assert not awaited.waits(ID, 0)


@pytest.mark.parametrize(
    "news",
    [
        OrderSent(client_order_id=ID, ts_ns=1, checks="E1"),
        SubmitResult(client_order_id=ID, outcome=Outcome.REFUSED, ts_ns=1),
        REPORT,
    ],
    ids=lambda news: type(news).__name__,
)
def test_an_answer_ends_the_wait_until_it_is_asked_for_again(awaited: Awaited, news: News) -> None:
    awaited.heard(news)
    assert not awaited.waits(ID, 5)
    awaited.asked(ID, 5)
    assert awaited.waits(ID, 5)


@pytest.mark.parametrize(
    "news",
    [OrderAbsent(ID, 1), CancelResult(client_order_id=ID, request_id="r", outcome=Outcome.UNKNOWN, ts_ns=1)],
    ids=lambda news: type(news).__name__,
)
def test_what_says_nothing_of_the_order_itself_ends_no_wait(awaited: Awaited, news: News) -> None:
    awaited.heard(news)
    assert awaited.waits(ID, 5)
