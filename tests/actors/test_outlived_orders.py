"""A day order whose end nobody has heard, at a house that lists only what is of today (R3, R4, I8, L2)."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace
from world import DEEP_POCKETS, LONG, SHORT, World, bull_put

from config.schema import BrokerConfig, Config
from decisions.effects import MS, Request
from domain.calendar import calendar
from domain.execution import ExecType
from domain.groups import GroupOutcome, Role
from messages.orders import CancelOrder, CancelResult, Outcome, Snapshot
from messages.records import IntentStatus, StopStatus
from storage.tables import STOPS
from venue.rules import Rules

CALENDAR = "us_options"
TRIGGER = 30_000


class ForgetfulHouse(World):
    """In the morning it knows nothing of what it was asked for before: its lists and its cancel desk begin anew."""

    def __init__(self) -> None:
        self.today_ns = 0
        rules = Rules(cash=DEEP_POCKETS, calendar=CALENDAR)
        super().__init__(rules=rules, config=Config(broker=BrokerConfig(calendar=CALENDAR)))

    def sleep(self) -> None:
        """The program is down from now on until the next opening."""
        self.die()
        close_ns = calendar(CALENDAR).standing(self.now_ns).until_ns
        self.exchange.advance(close_ns)
        self.now_ns = calendar(CALENDAR).standing(close_ns).next_open_ns + MS
        self.exchange.advance(self.now_ns)
        self.today_ns = close_ns
        self.link_up()

    def looks_again(self, times: int = 3) -> None:
        for _ in range(times):
            self.advance(12_000, step_ms=1_000, fresh=True)
            self.snapshot()
        self.advance(2_000, fresh=True)

    def of_today(self, client_order_id: str) -> bool:
        born = (e.ts_ns for e in self.truth if e.kind == "order_received" and e.client_order_id == client_order_id)
        return next(born, 0) >= self.today_ns

    def snapshot_message(self) -> Snapshot:
        told = super().snapshot_message()
        return replace(
            told,
            orders=tuple(one for one in told.orders if self.of_today(one.client_order_id)),
            executions=tuple(one for one in told.executions if self.of_today(one.client_order_id)),
        )

    def send(self, request: Request) -> list[msgspec.Struct]:
        if not isinstance(request, CancelOrder) or self.of_today(request.client_order_id):
            return super().send(request)
        self.received.append(request)
        return [
            CancelResult(
                client_order_id=request.client_order_id,
                request_id=request.request_id,
                outcome=Outcome.REFUSED,
                ts_ns=self.now_ns,
                reason="unknown order",
                unknown_order=True,
            )
        ]


def overnight() -> ForgetfulHouse:
    world = ForgetfulHouse()
    world.submit(bull_put(stop=TRIGGER))
    assert world.group().group.outcome is GroupOutcome.HEDGED
    world.sleep()
    return world


def test_a_stop_that_expired_while_the_program_was_down_is_armed_again() -> None:
    world = overnight()
    (before,) = world.orders(Role.STOP_LIMIT)
    world.looks_again()
    known = {intent.client_order_id: intent for intent in world.group().intents}
    assert known[before.client_order_id].status is IntentStatus.EXPIRED
    assert "its session is over" in known[before.client_order_id].reason
    working = [
        order.client_order_id for order in world.orders(Role.STOP_LIMIT) if world.of_today(order.client_order_id)
    ]
    assert len(working) == 1
    assert [(stop.status, stop.unprotected_ns) for stop in world.journal.rows(STOPS)] == [(StopStatus.ARMED, 0)]
    world.quote(SHORT, 40_000, 40_500)
    world.advance(10_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)


def test_one_snapshot_without_it_changes_nothing() -> None:
    world = overnight()  # whose first snapshot does not list it
    world.advance(5_000, fresh=True)
    assert not world.cancels()
    assert len(world.orders(Role.STOP_LIMIT)) == 1


def test_a_fill_of_it_that_is_told_later_counts() -> None:
    world = overnight()
    (before,) = world.orders(Role.STOP_LIMIT)
    world.looks_again()
    (last,) = (one for one in world.exchange.orders(world.now_ns) if one.client_order_id == before.client_order_id)
    traded = replace(
        last, exec_type=ExecType.TRADE, exec_id="late", cum_qty=4, leaves_qty=0, last_qty=4, last_px=TRIGGER,
        avg_px=TRIGGER,
    )  # fmt: skip
    world.take([traded])
    states = {state.client_order_id: state for state in world.group().execution_states}
    assert states[before.client_order_id].cum_qty == 4
    assert "ORDER_REVIVAL" in world.kinds()
    assert world.group().group.reason == "stop-loss of sellP95"
