"""S3, E14: journals x broker, compared as of the snapshot's own time; neither side's lag is a difference."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from decisions.positions.books import Books, KnownOrder
from decisions.positions.library import Library
from decisions.positions.positions import FOREIGN_ORDER, Comparer
from domain.execution import ExecType, ExecutionReport, OrdStatus, OrdType, Side, TimeInForce
from domain.groups import Role
from domain.orders import OrderState, merge
from messages.orders import Activity, ActivityKind, Position, Snapshot
from messages.positions import BrokerView
from messages.records import (
    ExecutionStateRecord,
    IntentRecord,
    IntentStatus,
    PositionEventRecord,
    PositionKind,
)

SYMBOL, LAG = "XYZ   210115P00095000", 1_000
ORDERS = ("o0", "o1", "o2")


def fill(order: str, number: int, quantity: int, ts_ns: int, side: Side = Side.BUY) -> ExecutionReport:
    return ExecutionReport(
        client_order_id=order,
        exec_type=ExecType.TRADE,
        ord_status=OrdStatus.PARTIALLY_FILLED,
        exec_id=f"{order}-{number}",
        ts_ns=ts_ns,
        order_qty=1_000,
        cum_qty=0,
        leaves_qty=0,
        last_qty=quantity,
        last_px=10_000,
        symbol=SYMBOL,
        side=side,
    )


def intent(order: str, side: Side, status: IntentStatus = IntentStatus.LIVE) -> IntentRecord:
    return IntentRecord(
        client_order_id=order, group_id="g", leg_id="leg", parent_id="p", role=Role.RISK, symbol=SYMBOL, side=side,
        quantity=1_000, price=10_000, trigger_price=0, order_type=OrdType.LIMIT, time_in_force=TimeInForce.DAY, slice=0,
        attempt=1, status=status, broker_order_id="", epoch=1, reference_price=0, parent_qty=1_000, cause="", reason="",
        checks="", decided_ns=1, sent_ns=0, acknowledged_ns=0, cancel_requested_ns=0, cancel_requests=0, terminal_ns=0,
    )  # fmt: skip


def knowledge(order: str, reports: list[ExecutionReport]) -> ExecutionStateRecord:
    state = OrderState.new(order, 1_000)
    for one in reports:
        state = merge(state, one).state
    return ExecutionStateRecord(
        client_order_id=order, group_id="g", ord_status=state.ord_status, order_qty=1_000, cum_qty=state.cum_qty,
        leaves_qty=state.leaves_qty, avg_px=0, knowledge=state, updated_ns=0,
    )  # fmt: skip


def event(number: int, quantity: int, ts_ns: int, activity_id: str = "") -> PositionEventRecord:
    return PositionEventRecord(
        event_id=f"g/{number}", group_id="g", leg_id="leg", symbol=SYMBOL, quantity=quantity, kind=PositionKind.MANUAL,
        evidence="", activity_id=activity_id, price=0, ts_ns=ts_ns,
    )  # fmt: skip


def snapshot(
    as_of_ns: int,
    fills: list[ExecutionReport],
    held: int,
    activities: tuple[Activity, ...] = (),
    orders: tuple[str, ...] = (),
) -> BrokerView:
    return BrokerView(
        Snapshot(
            as_of_ns=as_of_ns,
            session=1,
            orders=tuple(status(order) for order in orders),
            executions=tuple(fills),
            positions=(Position(SYMBOL, held, 0),) if held else (),
            activities=activities,
        ),
        lag_ns=LAG,
    )


def status(order: str, cum_qty: int = 0) -> ExecutionReport:
    return ExecutionReport(
        client_order_id=order, exec_type=ExecType.ORDER_STATUS, ord_status=OrdStatus.NEW, exec_id="", ts_ns=1,
        order_qty=1_000, cum_qty=cum_qty, leaves_qty=1_000 - cum_qty, symbol=SYMBOL, side=Side.BUY,
    )  # fmt: skip


def library(*records: object) -> Library:
    books = Books()
    for record in records:
        books.follow(record)  # type: ignore[arg-type]
    return Library([books])


@dataclass(frozen=True)
class History:
    """What really happened: trades and activities at their times, and what each side has heard of it."""

    fills: list[ExecutionReport]
    moved: list[Activity]
    content_ns: int  # the snapshot's content is of this time
    stale_ns: int  # and says that it is so much younger
    heard: list[bool]  # which of the fills the journal has
    journaled: list[bool]  # which of the activities


@st.composite
def histories(draw: st.DrawFn) -> History:
    times = st.integers(10_000, 20_000)
    sides = {"a": Side.BUY, "b": Side.SELL}
    fills = [
        fill(order, number, draw(st.integers(1, 50)), draw(times), sides[order])
        for order in sides
        for number in range(draw(st.integers(0, 4)))
    ]
    moved = [
        Activity(f"E{number}", ActivityKind.MANUAL, SYMBOL, draw(st.integers(-20, 20).filter(bool)), 0, draw(times))
        for number in range(draw(st.integers(0, 3)))
    ]
    return History(
        fills,
        moved,
        draw(times),
        draw(st.integers(0, LAG - 1)),
        [draw(st.booleans()) for _ in fills],
        [draw(st.booleans()) for _ in moved],
    )


@given(histories())
def test_whatever_each_side_has_yet_to_hear_is_no_difference_that_activities_do_not_explain(past: History) -> None:
    shown = [one for one in past.fills if one.ts_ns <= past.content_ns]
    told = [one for one in past.moved if one.ts_ns <= past.content_ns]
    held = sum((one.side or Side.BUY).sign * one.last_qty for one in shown) + sum(one.quantity for one in told)
    known = [one for one, heard in zip(past.fills, past.heard, strict=True) if heard]
    records: list[object] = []
    for order, side in (("a", Side.BUY), ("b", Side.SELL)):
        mine = [one for one in known if one.client_order_id == order]
        records += [intent(order, side), knowledge(order, mine)]
    journaled = [one for one, written in zip(past.moved, past.journaled, strict=True) if written]
    records += [event(n, one.quantity, one.ts_ns, one.activity_id) for n, one in enumerate(journaled)]
    view = snapshot(past.content_ns + past.stale_ns, shown, held, tuple(told), orders=("a", "b"))
    balance = Comparer().compare(library(*records), view).balance(SYMBOL)
    assert balance.difference == sum(one.quantity for one in balance.activities)
    assert {one.activity_id for one in balance.activities} == {one.activity_id for one in told if one not in journaled}


def test_a_claim_without_its_trades_is_slack_and_so_is_an_order_that_is_not_listed() -> None:
    claimed = snapshot(20_000, [], 30)
    claimed = BrokerView(
        Snapshot(
            as_of_ns=20_000,
            session=1,
            orders=(status("a", 30),),
            executions=(),
            positions=claimed.snapshot.positions,
        )
    )
    balance = Comparer().compare(library(intent("a", Side.BUY), knowledge("a", [])), claimed).balance(SYMBOL)
    assert (balance.difference, balance.slack) == (30, 30)
    unlisted = Comparer().compare(library(intent("a", Side.BUY)), snapshot(20_000, [], 30)).balance(SYMBOL)
    assert (unlisted.difference, unlisted.slack) == (30, 1_000)


def test_a_bust_counts_on_both_sides() -> None:
    trade = fill("a", 1, 10, 5_000)
    bust = ExecutionReport(
        client_order_id="a", exec_type=ExecType.TRADE_CANCEL, ord_status=OrdStatus.NEW, exec_id="a-9", ts_ns=6_000,
        order_qty=1_000, cum_qty=0, leaves_qty=0, exec_ref_id="a-1", symbol=SYMBOL, side=Side.BUY,
    )  # fmt: skip
    heard = library(intent("a", Side.BUY), knowledge("a", [trade]))
    found = Comparer().compare(heard, snapshot(20_000, [trade, bust], 0, orders=("a",)))
    assert found.balance(SYMBOL).difference == 0
    assert [one.kind for one in found.orders] == ["fill"]


def test_what_another_client_traded_is_told_as_a_manual_activity_of_that_order() -> None:
    theirs = fill("not-ours", 1, 7, 5_000, Side.SELL)
    found = Comparer().compare(library(), snapshot(20_000, [theirs], -7))
    (activity,) = found.balance(SYMBOL).activities
    assert (activity.activity_id, activity.quantity) == (f"{FOREIGN_ORDER}not-ours", -7)
    assert [(one.kind, one.client_order_id) for one in found.orders] == [("foreign", "not-ours")]
    journaled = library(event(0, -7, 5_000, activity.activity_id))
    assert Comparer().compare(journaled, snapshot(20_000, [theirs], -7)).balance(SYMBOL).activities == ()


def test_what_another_client_traded_after_a_bust_without_exec_ids_counts_by_the_answer() -> None:
    trade = ExecType.TRADE
    nameless = {"exec_id": "", "leaves_qty": 0, "order_qty": 1_000, "symbol": SYMBOL, "side": Side.BUY}
    told = [
        ExecutionReport(
            client_order_id="not-ours", exec_type=kind, ord_status=OrdStatus.NEW, ts_ns=ts_ns, cum_qty=cum,
            last_qty=cum if kind is trade else 0, last_px=5, avg_px=5 if cum else 0, **nameless,  # type: ignore[arg-type]
        )
        for ts_ns, kind, cum in ((5_000, trade, 5), (6_000, ExecType.TRADE_CANCEL, 0), (7_000, trade, 10))
    ]  # fmt: skip
    answer = replace(told[-1], exec_type=ExecType.ORDER_STATUS, ts_ns=20_000, last_qty=0, last_px=0)
    look = snapshot(20_000, told, 10)
    look = replace(look, snapshot=replace(look.snapshot, orders=(answer,)))
    (activity,) = Comparer().compare(library(), look).balance(SYMBOL).activities
    assert (activity.activity_id, activity.quantity, activity.ts_ns) == (f"{FOREIGN_ORDER}not-ours", 10, 7_000)


def test_an_order_that_the_journal_has_ended_and_the_broker_works_is_a_difference() -> None:
    ended = library(intent("a", Side.BUY, IntentStatus.REFUSED))
    comparer = Comparer()
    for as_of_ns in (20_000, 30_000, 40_000):  # as long as it lasts
        (difference,) = comparer.compare(ended, snapshot(as_of_ns, [], 0, orders=("a",))).orders
        assert (difference.kind, difference.journal, difference.broker) == ("order", "REFUSED", "works 1000")
    assert comparer.compare(ended, snapshot(50_000, [], 0)).orders == ()


class Counting(Library):
    """Knows how often it was asked for an order."""

    asked = 0

    def order(self, client_order_id: str) -> KnownOrder | None:
        self.asked += 1
        return super().order(client_order_id)


def test_an_order_of_which_both_sides_say_the_same_is_not_looked_at_again() -> None:
    """A look costs what is alive: a thousand orders of last week cost nothing."""
    comparer, books = Comparer(), Books()
    old = [f"old-{number}" for number in range(1_000)]
    for order in old:
        books.follow(intent(order, Side.BUY))
        books.follow(knowledge(order, [fill(order, 1, 1_000, 5_000)]))
    books.follow(intent("alive", Side.BUY))
    counts = []
    for as_of_ns in (20_000, 30_000, 40_000):
        held = Counting([books])
        found = comparer.compare(held, snapshot(as_of_ns, [], 1_000_000))
        assert (found.balance(SYMBOL).journal, found.balance(SYMBOL).difference) == (1_000_000, 0)
        counts.append(held.asked)
    assert counts == [1_001, 1, 1]
    bust = {"exec_type": ExecType.TRADE_CANCEL, "exec_ref_id": "old-7-1"}
    busted = msgspec.structs.replace(fill("old-7", 2, 0, 41_000), **bust)
    late = comparer.compare(Library([books]), snapshot(50_000, [busted], 999_000))
    assert (late.balance(SYMBOL).journal, [one.client_order_id for one in late.orders]) == (999_000, ["old-7"])


class Step(msgspec.Struct):
    """What each side has heard by a look; ``later_ns``: another session's clock may also be behind."""

    heard: list[bool]
    listed: list[bool]
    later_ns: int
    known: list[bool]


@st.composite
def looks(draw: st.DrawFn) -> tuple[list[ExecutionReport], list[Step]]:
    order, quantity, time = st.sampled_from(ORDERS), st.sampled_from([1_000, 500, 10]), st.integers(1, 9_000)
    fills = [fill(draw(order), number, draw(quantity), draw(time)) for number in range(draw(st.integers(1, 5)))]
    flags = st.lists(st.booleans(), min_size=len(fills), max_size=len(fills))
    step = st.builds(Step, flags, flags, st.integers(-3_000, 6_000), st.lists(st.booleans(), min_size=3, max_size=3))
    return fills, draw(st.lists(step, min_size=2, max_size=6))


@given(looks())
def test_what_is_kept_between_looks_changes_nothing(past: tuple[list[ExecutionReport], list[Step]]) -> None:
    """Against one that compares all anew: journals grow, snapshots list, lag and forget, and a clock goes back."""
    fills, steps = past
    kept, books, as_of_ns = Comparer(), Books(), 1
    written: list[object] = []
    heard: set[int] = set()
    for number, step in enumerate(steps):
        heard |= {index for index, known in enumerate(step.heard) if known}
        as_of_ns = max(1, as_of_ns + step.later_ns)
        said = [one for index, one in enumerate(fills) if index in heard]
        new: list[object] = [intent(order, Side.BUY) for order in ORDERS if not number]
        new += [knowledge(order, [one for one in said if one.client_order_id == order]) for order in ORDERS]
        new.append(event(number, 7, as_of_ns - 500, "E" if number % 2 else ""))
        new = [record for record in new if record not in written]  # nothing new, no record: so they grow quiet
        for record in new:
            books.follow(record)  # type: ignore[arg-type]
        written += new
        shown = [one for one, listed in zip(fills, step.listed, strict=True) if listed]
        names = tuple(order for order, listed in zip(ORDERS, step.known, strict=True) if listed)
        view = snapshot(as_of_ns, shown, 40, orders=names)
        anew, again = Comparer().compare(library(*written), view), kept.compare(Library([books]), view)
        assert set(again.orders) == set(anew.orders)
        assert again.balance(SYMBOL) == anew.balance(SYMBOL)
