"""A snapshot taken apart: by tag, never by symbol and quantity (R23)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from order_cases import NOW, a_parent, at, intents, report, trade

from decisions.effects import Effects
from decisions.orders.snapshots import sort_out
from decisions.orders.working import work
from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.listings import Listings
from messages.orders import Snapshot

EFFECTS = Effects()
work(a_parent(150), at(), EFFECTS)
ORDERS = intents(EFFECTS)
IDS = [intent.client_order_id for intent in ORDERS]


def listing(client_order_id: str) -> ExecutionReport:
    status = report(ORDERS[0], ExecType.ORDER_STATUS, OrdStatus.NEW, exec_id="0")
    return replace(status, client_order_id=client_order_id)


def snapshot(orders: list[ExecutionReport], executions: list[ExecutionReport]) -> Snapshot:
    return Snapshot(as_of_ns=NOW, session=1, orders=tuple(orders), executions=tuple(executions), positions=())


def test_trades_come_before_statuses() -> None:
    fill = trade(ORDERS[0], 10, 10)
    found = sort_out(snapshot([listing(IDS[0])], [fill]), Listings(0), IDS[:1], set(IDS).__contains__)
    assert found.reports == [fill, listing(IDS[0])]
    assert not found.absent
    assert not found.foreign


def test_an_order_known_by_a_trade_alone_is_not_absent() -> None:
    found = sort_out(snapshot([], [trade(ORDERS[0], 10, 10)]), Listings(0), IDS[:2], set(IDS).__contains__)
    assert [absent.client_order_id for absent in found.absent] == [IDS[1]]
    assert found.absent[0].as_of_ns == NOW


def test_a_foreign_order_in_the_same_contract_and_quantity_is_not_taken_for_ours() -> None:
    twin = replace(trade(ORDERS[0], 10, 10), client_order_id="somebody")
    found = sort_out(snapshot([], [twin]), Listings(0), IDS[:1], set(IDS).__contains__)
    assert found.foreign == [twin]
    assert [absent.client_order_id for absent in found.absent] == [IDS[0]]


names = st.sampled_from([*IDS, "somebody", ""])


@settings(deadline=None)
@given(st.lists(names), st.lists(names), st.sets(st.sampled_from(IDS)), st.sets(st.sampled_from(IDS)))
def test_every_report_and_every_open_order_is_told_of_exactly_once(
    listed: list[str], traded: list[str], open_orders: set[str], ours: set[str]
) -> None:
    orders = [listing(name) for name in listed]
    executions = [replace(trade(ORDERS[0], 1, 1), client_order_id=name) for name in traded]
    found = sort_out(snapshot(orders, executions), Listings(0), sorted(open_orders), ours.__contains__)
    assert len(found.reports) + len(found.foreign) == len(listed) + len(traded)
    assert {r.client_order_id for r in found.reports} <= ours
    assert not {r.client_order_id for r in found.foreign} & ours
    assert {absent.client_order_id for absent in found.absent} == open_orders - set(listed) - set(traded)
