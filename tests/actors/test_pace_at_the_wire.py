"""E7 by what the broker sees: in no second more than configured, whoever asks, and everything leaves in the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gateway_door import CHAIN, LONG, NOW_NS, SHORT, Clock, Door, door, order, put, report
from msgspec.structs import replace

from actors.machine import running_on
from brokers.port import LinkUp
from decisions.gateway.lanes import OWN_EPOCH, Query
from decisions.gateway.repeats import subject_of
from domain.execution import ExecType, OrdType, Side
from domain.groups import Role
from messages import wire
from messages.controls import EnableControl
from messages.operator import CommandDone, KillSwitch
from messages.orders import CancelOrder, InstrumentList, SubmitOrder
from messages.positions import Probe
from messages.supervision import Hello

STEP_MS = 50


class Street:
    """A gateway and the broker behind it, which answers everything a step later, and is watched by the clock."""

    def __init__(self, gateway: Door, clock: Clock, rate: int, reserved: int) -> None:
        self.gateway, self.clock, self.rate, self.reserved = gateway, clock, rate, reserved
        self.seen: list[tuple[int, wire.Request | Query]] = []  # when (ms), and what
        self.looked = len(gateway.broker.taken), len(gateway.broker.asked)
        self.working: dict[str, SubmitOrder] = {}

    def look(self) -> None:
        """What has left since the last look."""
        now_ms = self.clock.ns // 10**6
        broker, (taken, asked) = self.gateway.broker, self.looked
        self.looked = len(broker.taken), len(broker.asked)
        for request in (*broker.asked[asked:], *broker.taken[taken:]):
            self.seen.append((now_ms, request))
            within = sum(at_ms > now_ms - 1_000 for at_ms, _ in self.seen)
            entry = isinstance(request, SubmitOrder) and not request.reduce_only
            assert within <= self.rate - (self.reserved if entry else 0), f"{within} in a second with {request}"

    def step(self, *, answers: bool = True) -> None:
        """Time goes on, and what was taken before is answered."""
        self.look()
        taken = [request for at_ms, request in self.seen if at_ms == self.clock.ns // 10**6]
        self.clock.ns += STEP_MS * 10**6
        for request in taken if answers else ():
            if isinstance(request, SubmitOrder):
                self.working[request.client_order_id] = request
                self.gateway.works(request)
                if request.order_type is OrdType.MARKET:
                    self.gateway.fills(self.working.pop(request.client_order_id), price=1_0000)
            elif isinstance(request, CancelOrder) and request.client_order_id in self.working:
                self.gateway.ends(self.working.pop(request.client_order_id))
        self.gateway.passes(STEP_MS)
        self.look()

    def run(self, ms: int) -> None:
        for _ in range(ms // STEP_MS):
            self.step()

    def positions(self, kind: type) -> list[int]:
        """At which place each request of a kind left."""
        return [place for place, (_, request) in enumerate(self.seen) if isinstance(request, kind)]

    @property
    def own_cancels(self) -> list[str]:
        """The orders that a control had canceled."""
        return [
            request.client_order_id
            for _, request in self.seen
            if isinstance(request, CancelOrder) and request.epoch == OWN_EPOCH
        ]

    def snapshot(self) -> None:
        """The broker's poll, in which every order that works is listed."""
        self.gateway.snapshot(orders=tuple(report(o, ExecType.ORDER_STATUS, 0, NOW_NS) for o in self.working.values()))


@contextmanager
def street(
    tmp_path: Path, clock: Clock, rate: int, reserved: int, *, settled: bool = True, **controls: Any
) -> Iterator[Street]:
    """One that is live; unless ``settled``, it has just begun, and its questions wait for their tokens."""
    with (
        running_on(clock),
        door(tmp_path, orders_per_second=rate, reserved_tokens=reserved, **controls) as gateway,
    ):
        if settled:
            clock.settle(gateway)
        yield Street(gateway, clock, rate, reserved)


def exits(count: int) -> list[SubmitOrder]:
    """They cross every entry."""
    made = (order(LONG, Side.SELL, role=Role.CLOSE, group_id=f"x{number}") for number in range(count))
    return [replace(each, order_type=OrdType.MARKET, price=0) for each in made]


def entries(count: int, group: str = "g") -> list[SubmitOrder]:
    return [order(LONG, Side.BUY, group_id=f"{group}{number}") for number in range(count)]


def test_e7_a_storm_of_entries_crossings_cancels_and_a_kill_switch_never_exceeds_the_rate(tmp_path: Path) -> None:
    clock = Clock()
    with street(tmp_path, clock, 4, 2, cross_wait_ms=5_000, repeat_limit=2) as all_:
        gateway = all_.gateway
        protection = [order(put(100 + 5 * number), Side.BUY, group_id=f"p{number}") for number in range(3)]
        bought = entries(7)
        gateway.hear(*bought, *protection)
        all_.run(6_000)
        assert len(all_.working) == 10, "every entry has left by now"
        repairs = exits(3)
        gateway.hear(*repairs)
        all_.run(400)
        gateway.told(KillSwitch(on=True))
        gateway.hear(*entries(3, "late"))
        all_.run(6_000)
        assert not all_.working, "what worked is canceled"
        assert {o.client_order_id for o in repairs} <= {o.client_order_id for o in gateway.sent}, "and every exit left"
        assert not [o for o in gateway.sent if o.group_id.startswith("late")]
        assert len(gateway.door.lanes) == 0


def test_e7_a_repair_that_waited_for_a_crossing_leaves_with_a_token_of_its_own(tmp_path: Path) -> None:
    clock = Clock()
    with street(tmp_path, clock, 2, 1, cross_wait_ms=60_000) as all_:
        gateway = all_.gateway
        (entry,) = entries(1)
        gateway.hear(entry)
        all_.run(2_000)
        repairs = exits(5)
        gateway.hear(*repairs)
        all_.run(200)
        assert all_.own_cancels == [entry.client_order_id]
        all_.run(4_000)
        assert [o for o in gateway.sent if o != entry] == repairs, "in their order, none twice"


def test_e8_the_cancels_of_what_is_disabled_are_paced_too_and_are_made_again_by_the_next_gateway(
    tmp_path: Path,
) -> None:
    clock = Clock()
    with street(tmp_path, clock, 5, 1, repeat_limit=2) as all_:
        made = entries(9)
        all_.gateway.hear(*made)
        all_.run(4_000)
        for each in made[:3]:
            all_.gateway.fills(all_.working.pop(each.client_order_id))
        all_.step(answers=False)
        assert 0 < len(all_.own_cancels) < 6
        left = dict(all_.working)
        for order_id in all_.own_cancels:
            del left[order_id]
    wanted = set(left)
    with street(tmp_path, clock, 5, 1, repeat_limit=2) as all_:
        all_.working = left
        all_.snapshot()
        all_.run(4_000)
        assert set(all_.own_cancels) == wanted
        assert not all_.working
        enabled = all_.gateway.told(EnableControl(subject_of(LONG.symbol, Side.BUY), "meant it", "maria"))
        assert isinstance(enabled, CommandDone)


def test_e7_a_kill_switch_goes_before_new_risk_and_its_end_is_asked_for_when_the_last_cancel_has_left(
    tmp_path: Path,
) -> None:
    clock = Clock()
    with street(tmp_path, clock, 3, 1) as all_:
        gateway = all_.gateway
        gateway.hear(*entries(9))
        all_.run(5_000)
        assert len(all_.working) == 9
        polls = gateway.broker.polls
        gateway.told(KillSwitch(on=True))
        gateway.hear(*(order(SHORT, Side.SELL, group_id=f"r{number}") for number in range(5)))
        all_.look()
        assert gateway.broker.polls == polls, "six cancels wait"
        all_.run(800)
        gateway.told(KillSwitch(on=True))
        assert gateway.state() == "killed, not verified yet"
        all_.run(3_000)
        assert not all_.working
        assert gateway.broker.polls == polls + 1
        all_.snapshot()
        assert gateway.state() == "killed, verified: no entry works"
        assert len(all_.own_cancels) == 9, "none was asked for twice"


def test_e7_a_kill_switch_whose_cancels_waited_when_the_gateway_died_is_carried_out_by_the_next(tmp_path: Path) -> None:
    clock = Clock()
    with street(tmp_path, clock, 3, 1) as all_:
        all_.gateway.hear(*entries(6))
        all_.run(4_000)
        all_.gateway.told(KillSwitch(on=True))
        all_.step()
        left = all_.working
        assert len(left) == 3
        before = [at_ms for at_ms, _ in all_.seen]
    with street(tmp_path, clock, 3, 1, settled=False) as all_:
        all_.working = left
        all_.snapshot()
        all_.look()
        assert not all_.seen, f"the broker counts what the one before sent, at {before[-3:]}"
        all_.run(3_000)
        assert not all_.working


def test_e7_what_a_gateway_sent_just_before_it_died_counts_for_the_next(tmp_path: Path) -> None:
    clock = Clock()
    hedges = [order(LONG, Side.BUY, role=Role.HEDGE, group_id=f"h{number}") for number in range(4)]
    with street(tmp_path, clock, 2, 1) as all_:
        all_.gateway.hear(*hedges)
        assert len(all_.gateway.sent) == 2
    clock.ns += 400 * 10**6
    with street(tmp_path, clock, 2, 1, settled=False) as all_:
        all_.gateway.hear(*hedges[2:])
        all_.look()
        assert all_.gateway.sent == []
        all_.run(700)
        assert all_.gateway.sent == hedges[2:]


def test_e7_a_newer_cell_takes_no_cancel_of_the_gateways_own_out_of_its_lane(tmp_path: Path) -> None:
    clock = Clock()
    with street(tmp_path, clock, 2, 1) as all_:
        all_.gateway.hear(*entries(4))
        all_.run(5_000)
        all_.gateway.told(KillSwitch(on=True))
        all_.look()
        all_.gateway.on_hello(Hello(0, 2, frozenset({LONG.symbol})), "cell, again")
        all_.run(3_000)
        assert not all_.working


@pytest.mark.parametrize(("count", "before"), [(5, True), (20, False)])
def test_e12_a_repair_takes_no_token_from_the_cancel_that_it_waits_for_unless_others_take_all(
    tmp_path: Path, count: int, before: bool
) -> None:
    clock = Clock()
    with street(tmp_path, clock, 3, 1) as all_:
        (entry,) = entries(1)
        all_.gateway.hear(entry)
        all_.run(2_000)
        exit_ = order(LONG, Side.SELL, role=Role.CLOSE, order_type=OrdType.MARKET, price=0)
        hedges = [order(SHORT, Side.BUY, role=Role.HEDGE, group_id=f"h{number}") for number in range(count)]
        all_.seen.clear()
        all_.gateway.hear(*hedges[:2], exit_, *hedges[2:])
        began_ms = clock.ns // 10**6
        all_.run(9_000)
        left = [(at_ms - began_ms, one) for at_ms, one in all_.seen if not isinstance(one, Query)]
        (canceled_ms,) = (at_ms for at_ms, one in left if isinstance(one, CancelOrder))
        (exit_ms,) = (at_ms for at_ms, one in left if one == exit_)
        assert exit_ms <= 2_100, "however many repairs there are"
        assert (canceled_ms < exit_ms) is before
        assert {one for _, one in left} >= set(hedges)


def test_e12_after_a_pause_of_the_machine_the_cancel_leaves_before_the_repair_that_has_waited_long_enough(
    tmp_path: Path,
) -> None:
    clock = Clock()
    with street(tmp_path, clock, 2, 1) as all_:
        (entry,) = entries(1)
        all_.gateway.hear(entry)
        all_.run(2_000)
        exit_ = order(LONG, Side.SELL, role=Role.CLOSE, order_type=OrdType.MARKET, price=0)
        hedges = [order(SHORT, Side.BUY, role=Role.HEDGE, group_id=f"h{number}") for number in range(2)]
        all_.seen.clear()
        all_.gateway.hear(exit_, *hedges)  # which take both tokens
        all_.run(100)
        clock.ns += 5 * 10**9
        all_.run(2_000)
        left = [one for _, one in all_.seen if not isinstance(one, Query)]
        (cancel,) = (one for one in left if isinstance(one, CancelOrder))
        assert left == [*hedges, cancel, exit_]


def test_e12_a_cancel_that_has_left_and_is_not_answered_is_waited_for_no_longer(tmp_path: Path) -> None:
    clock = Clock()
    with street(tmp_path, clock, 3, 1) as all_:
        (entry,) = entries(1)
        all_.gateway.hear(entry)
        all_.run(2_000)
        all_.seen.clear()
        began_ms, all_.working = clock.ns // 10**6, {}  # the broker does nothing about it
        exit_ = order(LONG, Side.SELL, role=Role.CLOSE, order_type=OrdType.MARKET, price=0)
        all_.gateway.hear(exit_)
        all_.run(4_000)
        (exit_ms,) = (at_ms - began_ms for at_ms, one in all_.seen if one == exit_)
        assert 1_000 <= exit_ms <= 1_100


def test_e7_what_is_asked_at_a_login_waits_for_its_tokens_too_and_is_asked_once(tmp_path: Path) -> None:
    clock = Clock()
    with street(tmp_path, clock, 2, 1, settled=False) as all_:
        all_.looked = 0, 0
        assert all_.gateway.broker.asked == [Query.INSTRUMENTS, Query.ACCOUNT], (
            "the reserve, too: nothing else may leave"
        )
        all_.gateway.hear(*entries(2))
        all_.run(8_000)
        assert [one for _, one in all_.seen if isinstance(one, Query)] == list(Query)
        assert [one for _, one in all_.seen if not isinstance(one, Query)] == entries(2), "after what is asked"


def test_e7_a_flood_of_questions_takes_no_token_from_a_repair_and_a_flood_of_repairs_delays_no_poll_for_long(
    tmp_path: Path,
) -> None:
    clock = Clock()
    with street(tmp_path, clock, 4, 2) as all_:
        gateway = all_.gateway
        for _ in range(30):
            gateway.on_probe(Probe(), "reconciler")
        all_.look()
        assert gateway.broker.polls == 1 + 2, "the reserve is spared"
        hedges = [order(LONG, Side.BUY, role=Role.HEDGE, group_id=f"h{number}") for number in range(40)]
        gateway.hear(*hedges)
        all_.look()
        assert gateway.sent == hedges[:2]
        polls, account = gateway.broker.polls, gateway.broker.asked.count(Query.ACCOUNT)
        gateway.on_hello(Hello(1, 1, frozenset({LONG.symbol})), "another cell")
        all_.run(2_500)
        assert gateway.broker.polls - polls == gateway.broker.asked.count(Query.ACCOUNT) - account == 1
        assert len(gateway.sent) >= 2 + 2 * 3, "and three repairs of four messages left in each second"
        gateway.snapshot()
        all_.run(12_000)
        assert gateway.sent == hedges


def test_e7_what_waits_to_be_asked_is_forgotten_with_the_link_and_asked_anew_in_the_next_session(
    tmp_path: Path,
) -> None:
    clock = Clock()
    with street(tmp_path, clock, 2, 1, settled=False) as all_:
        gateway, (one, two, _) = all_.gateway, Query
        assert gateway.broker.asked == [one, two], "the snapshot waits"
        gateway.lose_link()
        all_.run(1_500)
        assert gateway.broker.asked == [one, two]
        gateway.hears(LinkUp(2, gateway.now_ns))
        assert gateway.broker.asked == [one, two, one]
        gateway.hears(InstrumentList(CHAIN))
        all_.run(2_500)
        assert gateway.broker.asked == [one, two, *Query]


def test_e7_what_a_control_refuses_costs_nobody_a_token(tmp_path: Path) -> None:
    clock = Clock()
    with street(tmp_path, clock, 2, 1) as all_:
        far = [replace(each, price=50_0000) for each in entries(5)]
        (good,) = entries(1, "good")
        all_.gateway.hear(*far, good)
        assert all_.gateway.sent == [good]
        assert all_.gateway.refused_by("E2") == 5
