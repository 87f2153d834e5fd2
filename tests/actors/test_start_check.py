"""E14: what changed while nobody looked holds new risk back after a start, until it is explained, gone or accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from gateway_door import LONG as BOUGHT
from gateway_door import SHORT as SOLD
from gateway_door import Door, door, just_started, order
from second_look import SecondLook, hedged_world
from world import LONG, SHORT, World, bull_put, call, put

from decisions.gate import Gate, turn
from decisions.positions.books import Books
from decisions.positions.library import Library
from decisions.positions.start_check import StartCheck
from domain.execution import ExecType, ExecutionReport, OrdStatus, Side
from domain.groups import Role
from domain.trading import TradingState
from messages import wire
from messages.controls import AcceptDifferences, SetTradingState, TradingStateChanged
from messages.market import BrokerUp, session_number
from messages.operator import CommandDone, CommandRefused, KillSwitch
from messages.orders import ActivityKind, Snapshot
from messages.positions import Attend, BrokerView, Compared, Difference, Verdict
from messages.records import ControlRecord, ExecutionStateRecord, PositionKind

OTHER = call(110)
ENTRY, HEDGE = order(BOUGHT, Side.BUY), order(BOUGHT, Side.BUY, role=Role.HEDGE, ordinal=1)
ALL = AcceptDifferences("", "my own", "maria")


# What holds new risk back, by the reconciler's eyes


class Eyes(SecondLook):
    """A reconciler after a start: what it would tell the gateway, which has settled this much before."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.settled: dict[str, int] = {}
        self.start, self.gateway, self.opened = StartCheck(), 1, False

    def restart(self) -> None:
        """All of the system is started again; what is settled is in the gateway's journal."""
        self.again()
        self.start, self.gateway, self.opened = StartCheck(), self.gateway + 1, False

    def verdict(self, orders: tuple[ExecutionReport, ...] = ()) -> Verdict:
        """After one more snapshot."""
        self.world.advance(2_000)
        session = session_number(self.gateway, 1)
        told = self.snapshot()
        fields = {name: getattr(told, name) for name in told.__struct_fields__}
        snapshot = Snapshot(**(fields | {"session": session, "orders": (*told.orders, *orders)}))
        look = self.look(snapshot)
        settled = tuple(self.settled.items())
        return self.start.judge(look, self.library(), BrokerView(snapshot, settled=settled, opened=self.opened))

    def held(self, times: int = 3) -> dict[str, int]:
        """What holds new risk back after so many snapshots: quantities by symbol."""
        for _ in range(times):
            found = self.verdict()
        return {one.symbol: one.quantity for one in found.held}

    def moves(self, symbol: str, quantity: int, kind: ActivityKind = ActivityKind.MANUAL) -> None:
        """Somebody changes the position at the broker."""
        self.world.exchange.intervene(kind, symbol, quantity, 0, self.world.now_ns)


@pytest.fixture
def eyes() -> Eyes:
    return Eyes(hedged_world())


def test_e14_when_both_sides_agree_the_first_comparison_holds_nothing_back(eyes: Eyes) -> None:
    assert eyes.verdict().held == ()


def test_e14_a_position_of_nobody_is_shown_with_both_sides_and_what_to_do(eyes: Eyes) -> None:
    eyes.moves(OTHER, 5)
    first = eyes.verdict().held[0]
    assert (first.checked, first.advice) == (False, "wait a few seconds")
    eyes.held()
    (row,) = eyes.verdict().held
    assert (row.key, row.journal, row.broker, row.quantity, row.checked) == (f"position/{OTHER}", "+0", "+5", 5, True)
    assert "manual" in row.cause and "differences accept" in row.advice


def test_e14_it_holds_on_although_the_journals_have_recorded_it_meanwhile(eyes: Eyes) -> None:
    eyes.moves(OTHER, 5)
    assert eyes.held() == {OTHER: 5}
    assert eyes.events()
    assert eyes.look(None).balanced
    eyes.restart()
    assert eyes.held() == {OTHER: 5}, "a restart is no explanation"


def test_e14_what_was_accepted_does_not_ask_at_the_next_start_and_what_grew_does(eyes: Eyes) -> None:
    eyes.moves(OTHER, 5)
    eyes.held()
    eyes.settled[f"position/{OTHER}"] = 5
    eyes.restart()
    assert eyes.held(1) == {}
    eyes.moves(OTHER, 1)
    eyes.restart()
    assert eyes.held() == {OTHER: 6}


def test_e14_what_is_undone_at_the_broker_holds_nothing_back_any_more(eyes: Eyes) -> None:
    eyes.moves(OTHER, 5)
    assert eyes.held() == {OTHER: 5}
    eyes.moves(OTHER, -5)
    assert eyes.held() == {}


def test_e14_part_of_what_was_accepted_may_go_without_a_question(eyes: Eyes) -> None:
    eyes.moves(OTHER, 5)
    eyes.held()
    eyes.settled[f"position/{OTHER}"] = 5
    eyes.moves(OTHER, -3)
    eyes.restart()
    assert eyes.held() == {}


@pytest.mark.parametrize("kind", [ActivityKind.CORPORATE, ActivityKind.LIQUIDATION])
def test_e14_what_the_broker_explains_holds_nothing_back(eyes: Eyes, kind: ActivityKind) -> None:
    eyes.moves(SHORT, 4, kind)
    assert eyes.held() == {}


def test_e14_an_assignment_while_nobody_looked_holds_nothing_back(eyes: Eyes) -> None:
    eyes.world.exchange.assign(SHORT, 4, eyes.world.now_ns)
    assert eyes.held() == {}
    assert {event.kind for event in eyes.events()} == {PositionKind.ASSIGNMENT}


def test_e14_protection_that_somebody_sold_is_held_against_the_start_and_repaired_all_the_same(eyes: Eyes) -> None:
    eyes.moves(LONG, -4)
    assert eyes.held() == {LONG: -4}
    assert eyes.world.position(LONG) == 10
    assert "which is repaired" in eyes.verdict().held[0].cause


def test_e14_a_fill_that_nobody_heard_of_is_ours_and_holds_nothing_back(eyes: Eyes) -> None:
    """The broker's list of trades explains it, although no cell has taken it yet."""
    known = len(eyes.world.journal.turns())
    eyes.world.submit(bull_put("another"))
    assert eyes.world.position(LONG) == 20
    books = Books()
    for number, turn_ in enumerate(eyes.world.journal.turns()):
        for record in turn_.records():
            if number < known or not isinstance(record, ExecutionStateRecord):
                books.follow(record)
    eyes.library = lambda: Library([books])  # type: ignore[method-assign]
    assert eyes.held(1) == {}


def test_e14_a_working_order_of_somebody_elses_holds_until_it_is_gone_or_accepted(eyes: Eyes) -> None:
    stranger = ExecutionReport(
        client_order_id="", exec_type=ExecType.ORDER_STATUS, ord_status=OrdStatus.NEW, exec_id="", ts_ns=1,
        order_qty=7, cum_qty=0, leaves_qty=7, venue_order_id="V9", symbol=OTHER, side=Side.BUY,
    )  # fmt: skip
    (row,) = eyes.verdict((stranger,)).held
    assert (row.key, row.quantity, row.checked) == ("order/V9", 7, True)
    eyes.settled["order/V9"] = 7
    assert eyes.verdict((stranger,)).held == ()
    eyes.settled.clear()
    eyes.restart()
    assert eyes.verdict((stranger,)).held
    assert eyes.verdict().held == ()


def test_e14_what_comes_after_the_first_comparison_is_news_and_no_matter_of_the_start(eyes: Eyes) -> None:
    eyes.moves(OTHER, 5)
    eyes.verdict()
    eyes.moves(put(80), 3)
    assert eyes.held() == {OTHER: 5}
    eyes.opened = True
    assert eyes.held() == {}
    assert eyes.verdict().levels == {f"position/{OTHER}": 5, f"position/{put(80)}": 3}


# What the gateway makes of it


def row(quantity: int = 5, *, checked: bool = True, symbol: str = SOLD.symbol) -> Difference:
    return Difference(
        key=f"position/{symbol}", symbol=symbol, journal="+0", broker=f"{quantity:+d}", quantity=quantity,
        cause="manual", advice="accept it with 'differences accept'", checked=checked,
    )  # fmt: skip


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Door]:
    """A gateway that is live, and that no reconciler has told anything."""
    with just_started(tmp_path) as made:
        yield made


def settled(gateway: Door) -> Mapping[str, int]:
    return gateway.memory.standing.settled()


def test_e14_before_the_first_comparison_repairs_leave_and_new_risk_does_not(gateway: Door) -> None:
    assert gateway.refusals(ENTRY)[0].startswith("E14: the start check waits")
    gateway.hear(HEDGE)
    assert gateway.sent == [HEDGE]
    gateway.compared()
    again = order(BOUGHT, Side.BUY, attempt=2)
    gateway.hear(again)
    assert gateway.sent == [HEDGE, again]


def test_e14_a_gateway_that_alone_was_started_again_goes_on_where_the_one_before_had_passed(gateway: Door) -> None:
    gateway.on_attend(Attend(frozenset()), "reconciler")  # one that was started with it
    assert gateway.refusals(ENTRY)[0].startswith("E14: the start check waits")
    gateway.on_attend(Attend(frozenset(), opened=True), "reconciler")
    again = order(BOUGHT, Side.BUY, attempt=2)
    gateway.hear(again)
    assert gateway.sent == [again]


def test_e14_a_difference_holds_new_risk_back_and_cancels_nothing_and_is_told_once(gateway: Door) -> None:
    gateway.compared(row(checked=False))
    assert not gateway.alerts, "while the broker is being asked again nobody is called"
    for _ in range(3):
        gateway.compared(row())
    assert [alert.kind for alert in gateway.alerts] == ["START_DIFFERENCE"]
    assert "the journals say +0, the broker says +5" in gateway.alerts[0].text
    assert gateway.states[-1].state is TradingState.REDUCING
    assert "'differences accept'" in gateway.refusals(ENTRY)[0]
    gateway.snapshot()
    assert gateway.canceled == []
    assert gateway.detail().startswith("E14: ")


def test_e14_a_named_person_opens_the_gate_and_the_next_gateway_knows(tmp_path: Path) -> None:
    with just_started(tmp_path) as first:
        first.compared(row())
        wrong = first.told(AcceptDifferences("nothing like it", "my own", "maria"))
        assert isinstance(wrong, CommandRefused)
        done = first.told(AcceptDifferences(SOLD.symbol.replace(" ", ""), "my own", "maria"))
        assert isinstance(done, CommandDone) and "no difference holds new risk back" in done.text
        first.hear(ENTRY)
        assert first.sent == [ENTRY]
        first.compared(levels={f"position/{SOLD.symbol}": 5})
        (kept,) = [r for r in first.journaled() if isinstance(r, ControlRecord) and r.control == "E14"]
        assert (kept.by, kept.quantity) == ("maria", 5) and "my own" in kept.text
    with just_started(tmp_path) as second:
        assert settled(second) == {f"position/{SOLD.symbol}": 5}
        second.compared(row())
        assert second.state() == "running"
        second.compared(levels={})  # and is forgotten when it is gone
        assert settled(second) == {}


def test_e14_what_is_still_being_asked_about_cannot_be_accepted(gateway: Door) -> None:
    assert isinstance(gateway.told(ALL), CommandRefused)
    gateway.compared(row(checked=False))
    assert isinstance(gateway.told(ALL), CommandRefused)
    assert settled(gateway) == {}


def test_e14_what_a_running_system_found_and_told_is_no_question_at_the_next_start(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.compared(levels={f"position/{SOLD.symbol}": 5})
        assert gateway.state() == "running"
    with just_started(tmp_path) as gateway:
        assert settled(gateway) == {f"position/{SOLD.symbol}": 5}


def test_e14_an_acceptance_that_cannot_be_written_is_none(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"this is not a journal" * 100)
    with just_started(tmp_path) as gateway:
        gateway.compared(row())
        assert isinstance(gateway.told(ALL), CommandRefused)
        assert settled(gateway) == {}


def test_e14_a_comparison_of_another_session_opens_nothing(gateway: Door) -> None:
    stale = gateway.session.number + 1
    gateway.on_compared(Compared(wire.pack(Verdict(stale, (), {}))), "reconciler")
    assert gateway.refusals(ENTRY)[0].startswith("E14: ")


@pytest.mark.parametrize("stop", [KillSwitch(on=True), SetTradingState(TradingState.REDUCING, "odd", "maria")])
def test_a_stop_that_comes_while_a_start_is_held_back_cancels_what_works(gateway: Door, stop: object) -> None:
    """REDUCING it was before, but for a reason that leaves entries alone."""
    gateway.compared(row())
    working = order(SOLD, Side.SELL)
    gateway.door.ledger.sent(working)
    gateway.works(working)
    gateway.told(stop)
    assert gateway.canceled == [working.client_order_id]


def test_e14_the_gate_of_a_cell_says_the_reason_and_no_wrong_remedy() -> None:
    up = turn(turn(Gate(), BrokerUp(1)), Snapshot(as_of_ns=1, session=1, orders=(), executions=(), positions=()))
    shut = turn(up, TradingStateChanged(TradingState.REDUCING, "E14: differ; 'differences accept' ends that"))
    assert shut.may_send and not shut.may_open
    assert shut.shut_by == "E14: differ; 'differences accept' ends that"
