"""A stop-loss against every order of events: exits never exceed the position, and the end is flat (R1, R2, S2, S12)."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from order_cases import CONFIG, GROUP, NOW, a_leg, alerts, at, canceled, cancels, intents, report, submits, trade

from decisions.effects import MS, Effects, UnknownMessage
from decisions.groups import stop_loss
from decisions.groups.stop_loss import StopState, execution_price, open_record
from domain.execution import ExecType, ExecutionReport, OrdStatus, OrdType, Side
from domain.groups import Leg, Role, tag_kind
from messages.group import ProtectPosition, Review, StartStop, StopProgressed
from messages.orders import Outcome, SubmitResult
from messages.records import ExecutionStateRecord, IntentRecord, Severity, StopRecord, StopStatus

TRIGGER, LIMIT = 25_000, 25_500
SHORT = a_leg(1, Side.SELL, stop_trigger=TRIGGER)


class TestExecutionPrice:
    @settings(deadline=None)
    @given(st.integers(100, 10**7), st.sampled_from(Side), st.sampled_from([1, 5, 100, 500]))
    def test_it_is_at_least_half_a_per_cent_beyond_the_trigger_on_tick(
        self, trigger: int, side: Side, tick: int
    ) -> None:
        found = execution_price(trigger, side, 0.5, tick)
        exact = trigger * (1 + side.sign * Fraction(5, 1_000))
        assert found % tick == 0
        if side is Side.BUY:
            assert found >= exact
            assert found > trigger
        else:
            assert found <= exact or found == tick
            assert found < trigger or found == tick
        assert abs(found - exact) < tick + 1

    @pytest.mark.parametrize(
        ("trigger", "side", "expected"),
        [(25_000, Side.BUY, 25_500), (25_000, Side.SELL, 24_500), (100_000, Side.BUY, 100_500), (500, Side.SELL, 500)],
    )
    def test_plain_cases(self, trigger: int, side: Side, expected: int) -> None:
        assert execution_price(trigger, side, CONFIG.stop_loss.offset_pct, 500) == expected


def armed(quantity: int, leg: Leg = SHORT) -> tuple[StopState, Effects]:
    record = open_record(leg, group_id=GROUP, quantity=quantity, moment=at())
    state, _ = stop_loss.start(StartStop(leg=leg, record=record), at())
    return stop_loss.decide(state, ProtectPosition(quantity, quantity), at())


def the_stop(state: StopState) -> IntentRecord:
    (order,) = state.limit.orders.values()
    return order.intent


def triggered(intent: IntentRecord) -> ExecutionReport:
    return report(intent, ExecType.TRIGGERED, OrdStatus.NEW, ts_ns=NOW + 1)


class TestArming:
    def test_a_short_is_protected_by_a_buy_with_trigger_and_price(self) -> None:
        _, effects = armed(10)
        (order,) = submits(effects)
        assert (order.role, order.order_type, order.side) == (Role.STOP_LIMIT, OrdType.STOP_LIMIT, Side.BUY)
        assert (order.trigger_price, order.price, order.quantity) == (TRIGGER, LIMIT, 10)

    def test_a_long_is_protected_by_a_sell_below(self) -> None:
        _, effects = armed(10, a_leg(0, Side.BUY, stop_trigger=15_000))
        (order,) = submits(effects)
        assert (order.side, order.trigger_price, order.price) == (Side.SELL, 15_000, 14_500)

    def test_it_is_sliced_below_the_freeze_quantity(self) -> None:
        _, effects = armed(120)
        assert [order.quantity for order in submits(effects)] == [50, 50, 20]

    def test_a_smaller_level_cancels_and_arms_again_when_the_cancel_is_confirmed(self) -> None:
        state, _ = armed(10)
        state, effects = stop_loss.decide(state, ProtectPosition(6, 6), at(10))
        assert len(cancels(effects)) == 1
        assert not submits(effects)
        state, effects = stop_loss.decide(state, canceled(the_stop(state)), at(20))
        assert [order.quantity for order in submits(effects)] == [6]

    def test_a_level_of_nothing_releases_it(self) -> None:
        state, _ = armed(10)
        state, _ = stop_loss.decide(state, ProtectPosition(0, 10), at(10))
        state, _ = stop_loss.decide(state, canceled(the_stop(state)), at(20))
        assert state.record.status is StopStatus.RELEASED
        state, effects = stop_loss.decide(state, ProtectPosition(4, 4), at(30))
        assert state.record.status is StopStatus.ARMED
        assert [order.quantity for order in submits(effects)] == [4]

    def test_nothing_leaves_without_a_broker(self) -> None:
        state, _ = armed(10)
        state, _ = stop_loss.decide(state, triggered(the_stop(state)), at(0))
        _, effects = stop_loss.decide(state, Review(), at(9_000, may_send=False))
        assert not effects.requests

    def test_an_unknown_order_is_an_error(self) -> None:
        state, _ = armed(10)
        stranger = triggered(intents(armed(10, a_leg(2, Side.SELL, stop_trigger=TRIGGER))[1])[0])
        with pytest.raises(UnknownMessage):
            stop_loss.decide(state, stranger, at())


class TestTheTwoSeconds:
    @pytest.mark.parametrize(("late_ns", "asked"), [(-1, 0), (0, 1), (1, 1)])
    def test_they_end_to_the_nanosecond(self, late_ns: int, asked: int) -> None:
        state, _ = armed(10)
        state, effects = stop_loss.decide(state, triggered(the_stop(state)), at(500))
        deadline = NOW + 2_500 * MS
        assert effects.wake_ns == deadline
        _, effects = stop_loss.decide(state, Review(), at(at_ns=deadline + late_ns))
        assert len(cancels(effects)) == asked

    def test_they_do_not_run_before_the_trigger(self) -> None:
        state, _ = armed(10)
        state, effects = stop_loss.decide(state, Review(), at(3_600_000))
        assert not effects.requests
        assert state.record.status is StopStatus.ARMED

    def test_a_fill_starts_them_without_a_trigger_report(self) -> None:
        state, _ = armed(10)
        state, _ = stop_loss.decide(state, trade(the_stop(state), 4, 4), at(500))
        assert (state.record.status, state.record.triggered_ns) == (StopStatus.TRIGGERED, NOW + 500 * MS)

    def test_a_second_trigger_report_does_not_start_them_again(self) -> None:
        state, _ = armed(10)
        state, _ = stop_loss.decide(state, triggered(the_stop(state)), at(500))
        state, _ = stop_loss.decide(state, triggered(the_stop(state)), at(1_500))
        assert state.record.triggered_ns == NOW + 500 * MS

    def test_the_market_order_waits_for_the_confirmed_cancel(self) -> None:
        state, _ = armed(10)
        state, _ = stop_loss.decide(state, triggered(the_stop(state)), at())
        state, effects = stop_loss.decide(state, Review(), at(2_000))
        assert (state.record.status, submits(effects)) == (StopStatus.FALLBACK, [])
        state, effects = stop_loss.decide(state, canceled(the_stop(state)), at(2_100))
        (order,) = submits(effects)
        assert (order.role, order.order_type, order.quantity) == (Role.STOP_MARKET, OrdType.MARKET, 10)

    def test_a_market_exit_that_ends_short_goes_to_a_person(self) -> None:
        state, _ = armed(10)
        for message, ms in ((triggered(the_stop(state)), 0), (Review(), 2_000), (canceled(the_stop(state)), 2_001)):
            state, _ = stop_loss.decide(state, message, at(ms))
        (market,) = state.market.orders.values()
        state, effects = stop_loss.decide(state, canceled(market), at(2_010))
        (alert,) = alerts(effects)
        assert (alert.kind, alert.severity, alert.quantity) == ("STOP_EXIT_SHORT", Severity.CRITICAL, 10)
        progress = next(letter for _, letter in effects.letters if isinstance(letter, StopProgressed))
        assert progress.committed == 0, "the group may close what the stop could not"

    def test_r2_only_what_it_has_given_up_is_for_others_to_close_while_it_tries_the_rest(self) -> None:
        """One slice of three is given up, one works, and one waits for its next attempt: it will be placed."""
        state, _ = armed(120)
        limits = [order.intent for order in state.limit.orders.values()]
        for limit in limits:
            state, _ = stop_loss.decide(state, triggered(limit), at(0))
        state, _ = stop_loss.decide(state, Review(), at(2_000))
        for limit in limits:
            state, _ = stop_loss.decide(state, canceled(limit), at(2_001))
        waits, gone, _works = (order.intent for order in state.market.orders.values())
        turned_down = SubmitResult(client_order_id=waits.client_order_id, outcome=Outcome.REFUSED, ts_ns=NOW)
        state, _ = stop_loss.decide(state, turned_down, at(2_002))
        state, effects = stop_loss.decide(state, canceled(gone), at(2_003))
        assert [alert.quantity for alert in alerts(effects)] == [50]
        progress = [letter for _, letter in effects.letters if isinstance(letter, StopProgressed)][-1]
        assert (progress.live, progress.committed) == (20, 70)
        state, effects = stop_loss.decide(state, Review(), at(4_000))
        assert [order.quantity for order in submits(effects)] == [50]
        assert state.market.live == progress.committed

    def test_what_a_restored_stop_knows_is_what_it_had_lived_through(self) -> None:
        state, first = armed(10)
        records = list(first.records)
        for message, ms in ((triggered(the_stop(state)), 0), (trade(the_stop(state), 3, 3), 10), (Review(), 2_000)):
            state, effects = stop_loss.decide(state, message, at(ms))
            records += effects.records
        again, _ = stop_loss.start(
            StartStop(
                leg=SHORT,
                record=[record for record in records if isinstance(record, StopRecord)][-1],
                intents=tuple({i.client_order_id: i for i in records if isinstance(i, IntentRecord)}.values()),
                execution_states=tuple([r for r in records if isinstance(r, ExecutionStateRecord)][-1:]),
            ),
            at(2_000),
        )
        assert again.record == state.record
        assert again.limit.orders == state.limit.orders
        assert (again.filled, again.reported) == (state.filled, state.reported)


# --- every interleaving ---

POSITION = 2
LAST_TIME = 4  # steps of two seconds


class AtBroker(NamedTuple):
    """One order as the broker has it."""

    cum: int = 0
    over: bool = False
    triggered: bool = False


class Node(NamedTuple):
    """A point in a story: what our side knows, what the broker has, what is on its way, and the time."""

    state: StopState
    broker: tuple[tuple[str, AtBroker], ...]
    asked: tuple[tuple[str, str], ...]  # cancels that the broker has not answered: order and request
    under_way: tuple[ExecutionReport, ...]  # reports that have not arrived: any of them may be next
    time: int

    def key(self) -> bytes:
        pack = msgspec.msgpack.encode
        return pack((self.state, self.broker, self.asked, sorted(map(pack, self.under_way)), self.time))


def intent_of(state: StopState, order_id: str) -> IntentRecord:
    return {**state.limit.orders, **state.market.orders}[order_id].intent


def after(node: Node, message: ExecutionReport | Review, under_way: tuple[ExecutionReport, ...], time: int) -> Node:
    """Our side hears a message; what it sends reaches the broker at once."""
    state, effects = stop_loss.decide(node.state, message, at(2_000 * time))
    broker, asked = dict(node.broker), list(node.asked)
    for order in submits(effects):
        out = sum(each.cum for each in broker.values())
        working = sum(intent_of(state, key).quantity - each.cum for key, each in broker.items() if not each.over)
        assert out + working + order.quantity <= POSITION, "more exits than there is to exit"
        broker[order.client_order_id] = AtBroker(triggered=order.role is Role.STOP_MARKET)
    asked += [(cancel.client_order_id, cancel.request_id) for cancel in cancels(effects)]
    return Node(state, tuple(broker.items()), tuple(asked), under_way, time)


def happening(node: Node, order_id: str, now: AtBroker, told: ExecutionReport) -> Node:
    """Something happens at the broker; its report is on its way."""
    broker = tuple((key, now if key == order_id else each) for key, each in node.broker)
    return node._replace(broker=broker, under_way=(*node.under_way, told))


def may_pass(node: Node) -> bool:
    """Time goes on to the end; reports are under way for four seconds at most, and the stop triggers by then."""
    settled = not node.under_way and all(order.triggered for _, order in node.broker)
    return node.time < LAST_TIME and (node.time < 2 or settled)


def successors(node: Node) -> list[tuple[str, Node]]:
    found: list[tuple[str, Node]] = []
    for order_id, order in node.broker:
        intent = intent_of(node.state, order_id)
        name = "market" if tag_kind(order_id) == "S" and intent.role is Role.STOP_MARKET else "stop"
        if not order.triggered:
            found.append(("trigger", happening(node, order_id, order._replace(triggered=True), triggered(intent))))
        elif not order.over:
            rest = intent.quantity - order.cum
            for quantity in {1, rest}:
                cum = order.cum + quantity
                now = order._replace(cum=cum, over=cum == intent.quantity)
                fill = trade(intent, quantity, cum, ts_ns=NOW + 10 + cum)
                kind = f"{name} {'fill' if now.over else 'partial'}"
                found.append((kind, happening(node, order_id, now, fill)))
    for order_id, request_id in node.asked:
        order, intent = dict(node.broker)[order_id], intent_of(node.state, order_id)
        answered = node._replace(asked=tuple(a for a in node.asked if a != (order_id, request_id)))
        if order.over:
            status = OrdStatus.FILLED if order.cum == intent.quantity else OrdStatus.CANCELED
            told = report(
                intent, ExecType.CANCEL_REJECT, status, cum_qty=order.cum, ts_ns=NOW + 20, exec_id=f"x-{request_id}",
                request_id=request_id,
            )  # fmt: skip
            found.append(("cancel reject", happening(answered, order_id, order, told)))
        else:
            told = canceled(intent, cum=order.cum, ts_ns=NOW + 20)
            found.append(("cancel ack", happening(answered, order_id, order._replace(over=True), told)))
    for told in node.under_way:
        rest_under_way = tuple(each for each in node.under_way if each is not told)
        found.append(("hear", after(node, told, rest_under_way, node.time)))
    if may_pass(node):
        found.append(("two seconds", after(node, Review(), node.under_way, node.time + 1)))
    return found


def market_ended_short(node: Node) -> bool:
    """The broker took a market order back: a person was called, and the rest is free for the group to close."""
    last, told = node.state.market, node.state.reported
    given_up = POSITION - node.state.filled
    return last.live == 0 and last.abandoned == given_up > 0 and told is not None and told.committed == 0


def test_in_every_order_of_events_exits_never_exceed_the_position_and_the_end_is_flat() -> None:
    state, _ = armed(POSITION)
    first = Node(state, ((the_stop(state).client_order_id, AtBroker()),), (), (), 0)
    seen, waiting = {first.key()}, [first]
    events: Counter[str] = Counter()
    ends: Counter[StopStatus] = Counter()
    while waiting:
        node = waiting.pop()
        assert sum(order.cum for _, order in node.broker) <= POSITION
        assert node.state.filled <= sum(order.cum for _, order in node.broker)
        following = successors(node)
        if not following:
            out = sum(order.cum for _, order in node.broker)
            assert node.state.filled == out
            assert out == POSITION or market_ended_short(node), "not flat, and nobody was told"
            ends[node.state.record.status] += 1
        for kind, each in following:
            events[kind] += 1
            if (key := each.key()) not in seen:
                seen.add(key)
                waiting.append(each)
    assert set(events) >= {
        "trigger", "stop partial", "stop fill", "cancel ack", "cancel reject", "market partial", "market fill",
    }  # fmt: skip
    assert set(ends) == {StopStatus.DONE, StopStatus.MARKET}
    assert len(seen) > 500
