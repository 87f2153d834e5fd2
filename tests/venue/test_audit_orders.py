"""The audit's reading of the record agrees with the exchange that wrote it."""

from __future__ import annotations

from house import CALL, CALL_105, House
from hypothesis import given
from hypothesis import strategies as st

from domain.execution import OrdType, Side
from venue.audit.orders import ExchangeRecord, moments

NUMBERS = st.integers(min_value=0, max_value=5)
STEPS = st.tuples(
    st.sampled_from(("submit", "stop", "quote", "cancel", "modify", "bust", "correct", "wait")),
    NUMBERS,
    st.integers(min_value=1, max_value=8),
    st.booleans(),
)


def act(house: House, what: str, number: int, quantity: int, flag: bool) -> None:
    order_id, side = f"LK{number}", Side.BUY if flag else Side.SELL
    trades = [event.exec_id for event in house.truth if event.kind == "fill"]
    match what:
        case "submit":
            house.submit(order_id, side, quantity, price=11_000 if flag else 10_000)
        case "stop":
            house.submit(
                order_id, side, quantity, order_type=OrdType.STOP_LIMIT, price=11_000 if flag else 9_000,
                trigger_price=10_500, symbol=CALL_105.symbol,
            )  # fmt: skip
        case "quote":
            symbol = CALL if number % 2 else CALL_105.symbol
            house.quote(10_000, 11_000, quantity, quantity, symbol=symbol)
        case "cancel":
            house.cancel(order_id, f"c{number}")
        case "modify":
            house.modify(order_id, f"m{number}", quantity=quantity)
        case "bust" | "correct" if trades:
            exec_id = trades[number % len(trades)]
            try:
                if what == "bust":
                    house.bust(exec_id)
                else:
                    house.correct(exec_id, quantity, 10_500)
            except ValueError:
                return  # busted already, or more than the order leaves room for
        case _:
            house.wait(1)


@given(st.lists(STEPS, max_size=40), st.booleans(), st.sampled_from((0, 1_000_000_000)))
def test_the_filled_and_open_quantity_of_every_order_is_what_the_exchange_tells(
    steps: list[tuple[str, int, int, bool]], deduplicate: bool, cancel_latency_ns: int
) -> None:
    house = House(deduplicate=deduplicate, cancel_latency_ns=cancel_latency_ns)
    for step in steps:
        act(house, *step)
    record = ExchangeRecord(house.truth)
    read = {order.venue_order_id: (order.last.filled, order.last.open) for order in record.orders}
    told = {report.venue_order_id: (report.cum_qty, report.leaves_qty) for report in house.exchange.orders(house.now)}
    assert read == told
    assert record.strays == []
    assert len(record.sends) == house.kinds().count("order_received")
    assert {e.exec_id for e in record.executions} == {e.exec_id for e in house.exchange.executions()}


def test_the_moments_of_several_orders_come_in_the_order_of_the_record() -> None:
    house = House()
    house.submit("LKa", quantity=5)
    house.submit("LKb", quantity=5)
    house.quote(10_000, 11_000, ask_size=7)
    house.cancel("LKb")
    record = ExchangeRecord(house.truth)
    seen = [
        (order.client_order_id, step.kind, sum(s.filled for s in state.values()), sum(s.open for s in state.values()))
        for order, step, state in moments(reversed(record.orders))
    ]
    assert seen == [
        ("LKa", "order_received", 0, 5),
        ("LKa", "accepted", 0, 5),
        ("LKb", "order_received", 0, 10),
        ("LKb", "accepted", 0, 10),
        ("LKa", "fill", 5, 5),
        ("LKb", "fill", 7, 3),
        ("LKb", "canceled", 7, 0),
    ]


def test_a_refused_repetition_is_no_order_and_a_first_rejection_is_one() -> None:
    house = House()
    house.submit("LKa", quantity=5)
    house.submit("LKa", quantity=5)
    house.submit("LKb", quantity=500)
    record = ExchangeRecord(house.truth)
    assert [(order.client_order_id, order.answer) for order in record.orders] == [
        ("LKa", "accepted"),
        ("LKb", "rejected"),
    ]
    assert len(record.sends) == 3


def test_a_repeated_receipt_at_the_torn_end_of_a_record_is_no_second_order() -> None:
    house = House()
    house.submit("LKa", quantity=5)
    house.submit("LKa", quantity=5)
    assert house.kinds()[-2:] == ["order_received", "rejected"]
    assert len(ExchangeRecord(house.truth[:-1]).orders) == 1
    assert len(ExchangeRecord(house.truth[:1]).orders) == 1


def test_a_bust_a_correction_and_a_fill_after_the_end_are_surprises() -> None:
    house = House()
    house.submit("LKa", quantity=5)
    house.quote(10_000, 11_000, ask_size=5)
    exec_id = house.truth[-1].exec_id
    house.correct(exec_id, 4, 10_000)
    house.bust(exec_id)
    (order,) = ExchangeRecord(house.truth).orders
    assert [(step.kind, step.d_filled, step.d_open) for step in order.steps if step.surprise] == [
        ("corrected", -1, 0),
        ("busted", -4, 0),
    ]
    assert order.ever_filled(order.last.ts_ns) == 5
    assert order.last.ended


def test_a_fill_of_an_order_that_nobody_sent_is_a_stray() -> None:
    house = House()
    house.submit("LKa", quantity=5)
    house.quote(10_000, 11_000)
    fills = [event for event in house.truth if event.kind == "fill"]
    assert ExchangeRecord(fills).strays == fills
