"""What cells tell a gateway that was started, where a list of the broker's leaves an order out (E5, E9, E12)."""

from __future__ import annotations

from pathlib import Path

import pytest
from cell_post import Clock, PostedCell
from gateway_door import DAY_NS, LONG, SHORT, Door, door, just_started, lets_out, order, refuses, report
from msgspec.structs import replace
from world import World, bull_put

from actors.machine import running_on
from decisions.effects import MS
from decisions.orders.presented import working_order
from domain.execution import ExecType, OrdType, Side
from domain.groups import Role
from domain.orders import OrderState
from messages import wire
from messages.operator import KillSwitch
from messages.orders import ForgetOrder, Outcome, Proof, SubmitOrder, SubmitResult, WorkingOrder
from messages.records import ReplaceStatus
from messages.supervision import Hello

BUY = order(LONG, Side.BUY)
EXIT = order(LONG, Side.SELL, role=Role.CLOSE, order_type=OrdType.MARKET, price=0)


def works(sent: SubmitOrder, order_type: OrdType | None = OrdType.LIMIT) -> WorkingOrder:
    """What the journal of its cell says of an order."""
    return WorkingOrder(
        parent_id=sent.parent_id,
        symbol=sent.symbol,
        side=sent.side,
        order_type=order_type,
        price=sent.price,
        trigger_price=0,
        state=OrderState.new(sent.client_order_id, sent.quantity),
    )


def present(gateway: Door, *orders: WorkingOrder, cell: int = 0, epoch: int = 2) -> None:
    """A new incarnation of the cell says Hello."""
    gateway.on_hello(Hello(cell, epoch, frozenset({LONG.symbol}), working=wire.pack(orders)), "cell")
    gateway.batches = 0 if cell == 0 else gateway.batches
    gateway.heard()


def hear(gateway: Door, *requests: wire.Request) -> list[str]:
    """Why the orders of a batch of that incarnation did not leave."""
    return gateway.refusals(*(replace(request, epoch=2) for request in requests), epoch=2)


@pytest.mark.parametrize("order_type", [OrdType.LIMIT, None], ids=["its terms", "a change is under way"])
def test_e12_a_repair_waits_for_an_entry_that_only_its_cell_knows(tmp_path: Path, order_type: OrdType | None) -> None:
    with door(tmp_path, cross_wait_ms=60_000) as gateway:
        present(gateway, works(BUY, order_type))
        assert hear(gateway, EXIT) == []
        assert gateway.canceled == [BUY.client_order_id]
        assert gateway.sent == []
        gateway.ends(BUY)
        assert [sent.client_order_id for sent in gateway.sent] == [EXIT.client_order_id]


def test_e5_what_only_its_cell_knows_is_an_open_order(tmp_path: Path) -> None:
    with door(tmp_path, max_open_orders=1) as gateway:
        present(gateway, works(BUY))
        (reason,) = hear(gateway, order(SHORT, Side.SELL, group_id="other"))
        assert reason.startswith("E5: ")


def test_e9_the_kill_switch_cancels_what_only_its_cell_knows(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        present(gateway, works(BUY))
        gateway.told(KillSwitch(on=True))
        assert gateway.canceled == [BUY.client_order_id]


@pytest.mark.parametrize("resend", [False, True])
def test_what_need_never_have_left_is_judged_and_leaves(tmp_path: Path, resend: bool) -> None:
    with door(tmp_path, max_open_orders=1) as gateway:
        present(gateway, works(BUY))
        assert hear(gateway, replace(BUY, resend=resend)) == []
        assert [sent.client_order_id for sent in gateway.sent] == [BUY.client_order_id]
        assert hear(gateway, BUY) == []
        assert len(gateway.sent) == 1, "it has left by now"


def test_what_is_refused_before_it_ever_left_is_no_open_order(tmp_path: Path) -> None:
    with door(tmp_path, max_order_qty=5, max_open_orders=1) as gateway:
        large = replace(BUY, quantity=6)
        present(gateway, works(large))
        (reason,) = hear(gateway, large)
        assert reason.startswith("E1: ")
        assert hear(gateway, order(LONG, Side.BUY, group_id="other")) == []


def test_who_has_seen_it_knows_better(tmp_path: Path) -> None:
    with door(tmp_path, max_open_orders=1) as gateway:
        lets_out(gateway, BUY)
        gateway.ends(BUY)
        present(gateway, works(BUY))
        assert hear(gateway, order(LONG, Side.BUY, group_id="other")) == []


def test_what_was_said_not_to_have_left_is_not_believed_to_work(tmp_path: Path) -> None:
    with door(tmp_path, max_order_qty=5, max_open_orders=1) as gateway:
        large = replace(BUY, quantity=6)
        refuses(gateway, large, "E1")
        present(gateway, works(large))
        assert hear(gateway, order(LONG, Side.BUY, group_id="other")) == []


@pytest.mark.parametrize("seen", [False, True])
def test_l2_a_day_order_that_has_outlived_its_session_is_no_open_order(tmp_path: Path, seen: bool) -> None:
    with door(tmp_path, max_open_orders=1) as gateway:
        present(gateway, works(BUY))
        if seen:
            gateway.works(BUY)
        gateway.now_ns += DAY_NS
        gateway.quotes()
        other = order(LONG, Side.BUY, group_id="other")
        assert (
            hear(
                gateway,
                ForgetOrder(
                    client_order_id=BUY.client_order_id, epoch=2, proof=Proof.OUTLIVED, as_of_ns=gateway.now_ns
                ),
                other,
            )
            == []
        )
        gateway.hears(report(BUY, ExecType.ORDER_STATUS, 0, gateway.now_ns))
        (reason,) = hear(gateway, order(SHORT, Side.SELL, group_id="third"))
        assert reason.startswith("E5: 2 orders"), "a report revives it"


def test_new_risk_waits_for_every_cell_and_repairs_do_not(tmp_path: Path) -> None:
    with just_started(tmp_path, cells=2) as gateway:
        gateway.compared()
        assert gateway.states[-1].reason.startswith("E14: cell 1 has not told")
        refuses(gateway, BUY, "E14")
        assert gateway.refusals(EXIT) == []
        present(gateway, cell=1, epoch=1)
        lets_out(gateway, order(SHORT, Side.BUY, group_id="next"))


def test_of_a_cell_that_is_down_a_second_list_has_what_the_first_left_out(tmp_path: Path) -> None:
    with just_started(tmp_path, cells=2) as gateway:
        gateway.compared()
        horizon_ms = gateway.config.orders.absence_horizon_ms
        gateway.now_ns += (horizon_ms - 1) * MS
        gateway.quotes()
        gateway.snapshot()
        refuses(gateway, BUY, "E14")
        gateway.now_ns += MS
        gateway.snapshot()
        lets_out(gateway, order(LONG, Side.BUY, group_id="next"))


@pytest.mark.parametrize("late", [False, True], ids=["before both lists", "after them"])
def test_what_two_lists_leave_out_does_not_work_whatever_a_cell_says_that_died_since(
    tmp_path: Path, late: bool
) -> None:
    with door(tmp_path, max_open_orders=1) as gateway:
        if not late:
            present(gateway, works(BUY))
        gateway.now_ns += gateway.config.orders.absence_horizon_ms * MS
        gateway.quotes()
        gateway.snapshot()
        if late:
            present(gateway, works(BUY))
        assert hear(gateway, order(SHORT, Side.SELL, group_id="other")) == []
        assert gateway.door.ledger.committed(BUY.parent_id) == 0


def test_what_the_second_list_has_works(tmp_path: Path) -> None:
    with door(tmp_path, max_open_orders=1) as gateway:
        present(gateway, works(BUY))
        gateway.now_ns += gateway.config.orders.absence_horizon_ms * MS
        gateway.quotes()
        gateway.snapshot(orders=(report(BUY, ExecType.ORDER_STATUS, 0, gateway.now_ns),))
        (reason,) = hear(gateway, order(SHORT, Side.SELL, group_id="other"))
        assert reason.startswith("E5: ")


def test_a_stop_that_is_being_changed_into_an_exit_is_no_resting_one(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        stop = order(LONG, Side.SELL, role=Role.STOP_LIMIT, order_type=OrdType.STOP_LIMIT, trigger_price=9_000)
        present(gateway, works(stop, OrdType.STOP_LIMIT))
        assert hear(gateway, BUY) == [], "it rests"
        present(gateway, works(replace(stop, client_order_id=f"{stop.client_order_id[:-1]}2"), None), epoch=3)
        (reason,) = gateway.refusals(replace(order(LONG, Side.BUY, group_id="next"), epoch=3), epoch=3)
        assert reason.startswith("E12: ")


def test_r2_a_refusal_that_comes_late_from_a_gateway_that_died_is_passed_on_to_the_one_that_lives() -> None:
    world = World()
    world.mute = True
    world.submit(bull_put())
    (order_id,) = (one.client_order_id for one in world.live())
    refused = SubmitResult(client_order_id=order_id, outcome=Outcome.REFUSED, ts_ns=world.now_ns, left=False)
    released = world.cell.run([refused])
    first = released.requests[0]
    assert isinstance(first, ForgetOrder)
    assert (first.client_order_id, first.proof) == (order_id, Proof.REFUSED)


def test_a_gateway_is_told_what_the_journal_has_as_working() -> None:
    world = World()
    world.mute = True
    world.submit(bull_put())
    with running_on(clock := Clock()):
        cell = PostedCell(world, clock)
        (hello,) = cell.said(Hello)
    (intent,) = (intent for intent in world.group().intents if not intent.terminal_ns)
    assert [one.state.client_order_id for one in wire.working(hello.working)] == [intent.client_order_id]
    assert wire.working(Hello(0, 1, frozenset()).working) == ()


@pytest.mark.parametrize("status", list(ReplaceStatus))
def test_while_a_change_is_under_way_nobody_knows_the_terms(status: ReplaceStatus) -> None:
    world = World()
    world.submit(bull_put())
    rows = world.group()
    intent, known = rows.intents[0], rows.execution_states[0]
    told = working_order(replace(intent, replace_status=status), known)
    assert (told.order_type is None) == (status in (ReplaceStatus.REQUESTED, ReplaceStatus.FAILED))
    assert told.state == known.knowledge
