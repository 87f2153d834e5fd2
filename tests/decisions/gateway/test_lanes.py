"""The lanes: who leaves first, how fast, and that nothing is lost or sent twice."""

from __future__ import annotations

from collections import Counter

import pytest
from gateway_cases import a_cancel, a_modification, an_entry, an_order
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from config.schema import ControlsConfig
from decisions.effects import Request
from decisions.gateway.lanes import ENTRY_LANES, LANE_OF_ROLE, OWN_EPOCH, Lane, Lanes, Query, lane_of
from domain.execution import OrdType
from domain.groups import Role, parent_tag
from messages.orders import SubmitOrder


def lanes_of(rate: int, reserved: int = 0) -> Lanes:
    return Lanes(ControlsConfig(orders_per_second=rate, reserved_tokens=reserved))


def take(lanes: Lanes, now_ms: int) -> list[Request]:
    """All that leaves at this time."""
    left: list[Request] = []
    while (request := lanes.next(now_ms)) is not None:
        lanes.spend(now_ms)
        left.append(request)
    return left


def submit(role: Role, number: int = 0) -> SubmitOrder:
    """A submit whose id is unique per role and number."""
    kind = "ABCDEF"[list(Role).index(role)]
    return an_order(number, role=role, parent_id=parent_tag(0, "g-1", kind, 0, 0))


def fill(lanes: Lanes, *requests: Request) -> None:
    for request in requests:
        assert lanes.put(request) is None


def test_every_role_has_its_lane_and_only_new_risk_is_in_the_entry_lanes() -> None:
    assert {role: lane_of(submit(role)).value for role in Role} == {
        Role.HEDGE: 1,
        Role.CLOSE: 1,
        Role.STOP_MARKET: 1,
        Role.STOP_LIMIT: 3,
        Role.PROTECTION: 4,
        Role.RISK: 5,
    }
    assert {lane.value for lane in ENTRY_LANES} == {4, 5}
    assert lane_of(a_cancel(an_order())) == Lane.CANCEL
    stop = a_modification(an_order())
    assert (lane_of(stop), lane_of(replace(stop, order_type=OrdType.MARKET))) == (Lane.CHANGE, Lane.REPAIR)


def test_the_most_urgent_leaves_first_and_a_lane_is_first_in_first_out() -> None:
    lanes = lanes_of(20)
    stranger = an_order(9)
    leaving: list[Request] = [
        submit(Role.STOP_MARKET, 1),
        submit(Role.HEDGE, 1),
        submit(Role.CLOSE, 1),
        a_cancel(stranger, 2),
        a_cancel(stranger, 1),
        a_modification(stranger),
        submit(Role.STOP_LIMIT, 1),
        submit(Role.PROTECTION, 2),
        submit(Role.PROTECTION, 1),
        submit(Role.RISK, 1),
    ]
    fill(lanes, *leaving[7:], *leaving[5:7], *leaving[3:5], *leaving[:3])
    assert len(lanes) == 10
    assert take(lanes, 0) == leaving
    assert (len(lanes), take(lanes, 0)) == (0, [])


def test_a_seconds_worth_leaves_at_once_and_a_token_comes_back_after_exactly_a_second() -> None:
    lanes = lanes_of(3)
    hedges = [submit(Role.HEDGE, number) for number in range(8)]
    fill(lanes, *hedges)
    assert take(lanes, 500) == hedges[:3]
    assert take(lanes, 1_499) == []
    assert take(lanes, 1_500) == hedges[3:6]
    assert take(lanes, 9_000) == hedges[6:]


def test_new_risk_never_uses_the_reserved_tokens_and_repairs_do() -> None:
    lanes = lanes_of(5, reserved=2)
    entries = [submit(Role.RISK, number) for number in range(5)]
    fill(lanes, *entries)
    assert take(lanes, 0) == entries[:3]
    repairs = [submit(Role.HEDGE, number) for number in range(3)]
    fill(lanes, *repairs)
    assert take(lanes, 1) == repairs[:2]
    assert take(lanes, 1_000) == [repairs[2]]  # three tokens are back: five held, of which two were spent at 1 ms
    assert take(lanes, 1_001) == entries[3:]


@pytest.mark.parametrize("reserved", [4, 5])
def test_a_reserve_that_leaves_nothing_for_entries_is_refused(reserved: int) -> None:
    with pytest.raises(ValueError, match="leaves nothing for new orders"):
        lanes_of(4, reserved)


def test_the_next_moment_is_told() -> None:
    lanes = lanes_of(2, reserved=1)
    assert lanes.next_ms(0) is None
    fill(lanes, submit(Role.RISK), submit(Role.RISK, 1))
    assert lanes.next_ms(10) == 10
    assert take(lanes, 10) == [submit(Role.RISK)]
    assert lanes.next_ms(20) == 1_010
    fill(lanes, submit(Role.HEDGE), submit(Role.HEDGE, 1))
    assert lanes.next_ms(20) == 20
    assert take(lanes, 20) == [submit(Role.HEDGE)]
    assert lanes.next_ms(30) == 1_010
    assert take(lanes, 1_010) == [submit(Role.HEDGE, 1)]
    assert lanes.next_ms(1_011) == 2_010  # the entry needs both tokens back: one is reserved


def test_what_does_not_leave_after_all_costs_nobody_a_token() -> None:
    lanes = lanes_of(1)
    first, second = submit(Role.HEDGE), submit(Role.HEDGE, 1)
    fill(lanes, first, second)
    assert lanes.next(0) == first
    assert take(lanes, 0) == [second]
    assert take(lanes, 999) == []


def test_what_an_earlier_gateway_sent_counts_on() -> None:
    lanes = lanes_of(3)
    lanes.remember([100, 600])
    hedges = [submit(Role.HEDGE, number) for number in range(4)]
    fill(lanes, *hedges)
    assert take(lanes, 700) == hedges[:1]
    assert take(lanes, 1_100) == hedges[1:2]
    assert take(lanes, 1_600) == hedges[2:3]


def test_the_gateways_own_cancel_of_an_order_waits_once_however_often_it_is_asked_for() -> None:
    lanes = lanes_of(10)
    own = replace(a_cancel(an_entry()), epoch=OWN_EPOCH)
    fill(lanes, own, replace(own, request_id="later"), a_cancel(an_entry()))
    assert lanes.own_cancels == 1
    assert take(lanes, 0) == [own, a_cancel(an_entry())]


def asked(lanes: Lanes, now_ms: int) -> list[Query]:
    """All queries that leave at this time."""
    left: list[Query] = []
    while (query := lanes.next_query(now_ms)) is not None:
        lanes.spend(now_ms)
        left.append(query)
    return left


def test_an_own_cancel_that_a_repair_waits_for_leaves_before_other_cancels() -> None:
    lanes, orders = lanes_of(9), [an_entry(number) for number in range(3)]
    own = [replace(a_cancel(order), epoch=OWN_EPOCH) for order in orders[1:]]
    fill(lanes, a_cancel(orders[0]), *own, submit(Role.HEDGE))
    for order in orders:
        lanes.hasten(order.client_order_id)
    assert take(lanes, 0) == [submit(Role.HEDGE), own[1], own[0], a_cancel(orders[0])], "the last is a cell's"
    lanes.hasten(orders[1].client_order_id)
    assert take(lanes, 0) == [], "it has left"


def test_an_own_cancel_is_pulled_out_of_its_lane_and_no_other_one() -> None:
    lanes, (one, other) = lanes_of(3), [an_entry(number) for number in range(2)]
    own = replace(a_cancel(one), epoch=OWN_EPOCH)
    fill(lanes, own, a_cancel(other))
    assert lanes.left(0) == 3
    assert [lanes.pull(entry.client_order_id) for entry in (one, one, other)] == [own, None, None]
    assert take(lanes, 0) == [a_cancel(other)]
    assert lanes.left(0) == 2


def test_a_query_waits_for_what_is_more_urgent_and_new_risk_for_the_query() -> None:
    lanes = lanes_of(3, reserved=1)
    lanes.ask(Query.SNAPSHOT, 0)
    fill(lanes, submit(Role.RISK), submit(Role.HEDGE))
    assert asked(lanes, 0) == []
    assert lanes.next(0) == submit(Role.HEDGE)
    lanes.spend(0)
    assert asked(lanes, 0) == [Query.SNAPSHOT]
    assert take(lanes, 0) == [], "the last token is not for new risk"
    assert take(lanes, 1_000) == [submit(Role.RISK)]


def test_a_query_is_asked_once_however_often_it_is_wanted_and_may_be_wanted_again_when_it_has_left() -> None:
    lanes = lanes_of(9)
    for query in (Query.ACCOUNT, Query.SNAPSHOT, Query.ACCOUNT, Query.SNAPSHOT):
        lanes.ask(query, 0)
    assert len(lanes) == 2
    assert asked(lanes, 0) == [Query.ACCOUNT, Query.SNAPSHOT]
    lanes.ask(Query.SNAPSHOT, 1)
    assert (asked(lanes, 1), asked(lanes, 2)) == ([Query.SNAPSHOT], [])
    lanes.ask(Query.SNAPSHOT, 3)
    lanes.forget_queries()
    assert (len(lanes), asked(lanes, 5_000)) == (0, [])


def test_a_flood_of_queries_never_takes_the_reserve() -> None:
    lanes = lanes_of(5, reserved=3)
    for at_ms in range(0, 900, 100):
        lanes.ask(Query.SNAPSHOT, at_ms)
        asked(lanes, at_ms)
    fill(lanes, *(hedges := [submit(Role.HEDGE, number) for number in range(3)]))
    assert take(lanes, 900) == hedges


def test_a_flood_of_repairs_lets_one_query_pass_in_each_second() -> None:
    lanes = lanes_of(3, reserved=1)
    fill(lanes, *(submit(Role.HEDGE, number) for number in range(30)))
    for query in Query:
        lanes.ask(query, 0)
    left: list[tuple[int, Query | Request]] = []
    now_ms = 0
    while len(lanes):
        now_ms = lanes.next_ms(now_ms) or 0
        leaving = [*asked(lanes, now_ms), *take(lanes, now_ms)]
        assert leaving, "the moment that was told is one in which something leaves"
        left += [(now_ms, one) for one in leaving]
    queries = [(at_ms, one) for at_ms, one in left if isinstance(one, Query)]
    assert queries == [(1_000, Query.INSTRUMENTS), (2_000, Query.ACCOUNT), (3_000, Query.SNAPSHOT)]
    assert now_ms == 10_000, "33 messages, three in a second"


def test_the_cancel_of_a_waiting_submit_takes_it_out_and_does_not_leave_itself() -> None:
    lanes = lanes_of(10)
    waiting, other = an_entry(0), an_entry(1)
    fill(lanes, waiting, other)
    assert lanes.put(a_cancel(waiting)) == waiting
    assert take(lanes, 0) == [other]


def test_the_cancel_of_a_waiting_resend_leaves_because_the_first_copy_may_be_at_the_broker() -> None:
    lanes = lanes_of(10)
    resend = an_entry(resend=True)
    fill(lanes, resend)
    assert lanes.put(a_cancel(resend)) == resend
    assert take(lanes, 0) == [a_cancel(resend)]


def test_the_cancel_of_a_submit_that_has_left_leaves_too() -> None:
    lanes = lanes_of(10)
    fill(lanes, an_entry())
    assert take(lanes, 0) == [an_entry()]
    fill(lanes, a_cancel(an_entry()))
    assert take(lanes, 0) == [a_cancel(an_entry())]


def test_the_same_request_again_waits_once_in_its_old_place_with_the_newest_epoch() -> None:
    lanes = lanes_of(10)
    requests: list[Request] = [an_entry(0), an_entry(1), a_cancel(an_order()), a_modification(an_order())]
    fill(lanes, *requests)
    for request in requests:
        fill(lanes, replace(request, epoch=7))
    fill(lanes, replace(an_entry(1), epoch=3, resend=True))
    assert len(lanes) == 4
    assert take(lanes, 0) == [replace(requests[number], epoch=7) for number in (2, 3, 0, 1)]


def test_a_copy_that_waits_is_measured_by_the_larger_quantity_of_its_parent() -> None:
    for first, then in ((100, 302), (302, 100)):
        lanes = lanes_of(10)
        fill(lanes, an_order(parent_qty=first), an_order(parent_qty=then, resend=True))
        assert take(lanes, 0) == [an_order(parent_qty=302)]


def test_another_order_under_an_id_that_waits_stays_in_line_so_that_it_can_be_refused_openly() -> None:
    lanes = lanes_of(10)
    impostor = an_entry(quantity=15)
    fill(lanes, an_entry(), impostor)
    assert take(lanes, 0) == [an_entry(), impostor]


def test_a_request_may_wait_again_after_it_has_left() -> None:
    lanes = lanes_of(10)
    fill(lanes, an_entry())
    take(lanes, 0)
    fill(lanes, replace(an_entry(), resend=True))
    assert take(lanes, 0) == [replace(an_entry(), resend=True)]


def waiting_everywhere() -> tuple[Lanes, list[SubmitOrder], list[Request]]:
    lanes = lanes_of(10)
    entries = [submit(Role.PROTECTION), submit(Role.RISK)]
    others: list[Request] = [submit(Role.HEDGE), a_cancel(an_order(9)), submit(Role.STOP_LIMIT)]
    fill(lanes, *entries, *others)
    return lanes, entries, others


def test_the_kill_switch_gets_the_entries_and_everything_else_still_leaves() -> None:
    lanes, entries, others = waiting_everywhere()
    assert lanes.drop_entries() == entries
    assert take(lanes, 0) == others


def test_everything_can_be_dropped_and_put_again() -> None:
    lanes, entries, others = waiting_everywhere()
    assert lanes.drop_all() == [*others, *entries]
    assert (len(lanes), take(lanes, 0)) == (0, [])
    fill(lanes, entries[0])
    assert take(lanes, 0) == [entries[0]]


def test_requests_of_an_old_epoch_can_be_dropped() -> None:
    lanes = lanes_of(10)
    fill(lanes, an_entry(0, epoch=1), an_entry(1, epoch=2))
    assert lanes.drop(lambda request: request.epoch < 2) == [an_entry(0, epoch=1)]
    assert take(lanes, 0) == [an_entry(1, epoch=2)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(Role), st.integers(1, 12)),
        st.tuples(st.just("cancel"), st.sampled_from(Role), st.integers(0, 40)),
        st.tuples(st.just("wait"), st.just(Role.HEDGE), st.integers(0, 1_500)),
        st.tuples(st.just("query"), st.just(Role.HEDGE), st.integers(0, 2)),
        st.tuples(st.just("drop"), st.just(Role.HEDGE), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=150)
@given(st.integers(1, 12), st.integers(0, 6), STEPS)
def test_the_rate_holds_over_any_second_entries_spare_the_reserve_and_nothing_is_lost_or_sent_twice(
    rate: int, reserved: int, steps: list[tuple[str, Role, int]]
) -> None:
    reserved = min(reserved, rate - 1)
    lanes = lanes_of(rate, reserved)
    went_in: list[Request] = []
    came_out: list[Request] = []
    left: list[tuple[int, Request | Query]] = []
    made: Counter[Role] = Counter()
    now_ms = 0
    for step, (what, role, number) in enumerate(steps):
        if what == "put":
            for _ in range(number):
                went_in.append(submit(role, made[role]))
                made[role] += 1
                fill(lanes, went_in[-1])
        elif what == "cancel":
            cancel = a_cancel(submit(role, number), step)
            withdrawn = lanes.put(cancel)
            if withdrawn is None:
                went_in.append(cancel)
            else:
                came_out.append(withdrawn)
        elif what == "drop":
            came_out.extend(lanes.drop_entries())
        elif what == "query":
            lanes.ask(list(Query)[number], now_ms)
        else:
            now_ms += number
            due = lanes.next_ms(now_ms)
            queries, released = asked(lanes, now_ms), take(lanes, now_ms)
            assert bool(queries or released) == (due == now_ms)
            left.extend((now_ms, one) for one in (*queries, *released))
            came_out.extend(released)
    while len(lanes):
        due = lanes.next_ms(now_ms)
        assert due is not None
        assert due <= now_ms + 1_000
        now_ms = due
        queries, released = asked(lanes, now_ms), take(lanes, now_ms)
        assert queries or released
        left.extend((now_ms, one) for one in (*queries, *released))
        came_out.extend(released)
    assert Counter(map(repr, came_out)) == Counter(map(repr, went_in))
    times = [at_ms for at_ms, _ in left]
    for index, (at_ms, request) in enumerate(left):
        within_a_second = sum(at_ms - 1_000 < earlier for earlier in times[: index + 1])
        entry = isinstance(request, SubmitOrder) and LANE_OF_ROLE[request.role] in ENTRY_LANES
        assert within_a_second <= (rate - reserved if entry else rate)
