"""How a parent order is worked: what it places is bounded, attempt by attempt and slot by slot, whatever happens."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from order_cases import (
    CONFIG,
    NOW,
    a_parent,
    alerts,
    at,
    bust,
    canceled,
    cancels,
    check_slots,
    intents,
    new,
    option,
    report,
    submits,
    trade,
)

from config.schema import Config, OrdersConfig
from decisions.effects import MS, Effects, Moment
from decisions.orders.child_order import Fate
from decisions.orders.news import hear
from decisions.orders.prices import Pricing
from decisions.orders.slots import slots
from decisions.orders.working import Parent, restore, with_order, work
from domain.execution import ExecType, ExecutionReport, OrdStatus, OrdType
from domain.groups import Role
from messages.orders import Outcome, SubmitResult
from messages.records import ExecutionStateRecord, IntentRecord, IntentStatus, Severity

FIVE_CANCELS = Config(orders=OrdersConfig(max_cancels=5))
LOTS = option(lot_size=5, freeze_qty=23)  # 20 at most


def worked(parent: Parent, moment: Moment | None = None) -> tuple[Parent, Effects]:
    effects = Effects()
    return work(parent, moment or at(), effects), effects


def told(parent: Parent, *reports: ExecutionReport, moment: Moment | None = None) -> Parent:
    for one in reports:
        parent = hear(parent, [one], moment or at(), Effects())
    return parent


def only(parent: Parent) -> IntentRecord:
    (order,) = parent.orders.values()
    return order.intent


class TestPlacing:
    @pytest.mark.parametrize(
        ("authorized", "expected"),
        [(0, []), (4, []), (5, [5]), (9, [5]), (20, [20]), (23, [20]), (25, [20, 5]), (60, [20, 20, 20])],
    )
    def test_whole_lots_in_slices_below_the_freeze_quantity(self, authorized: int, expected: list[int]) -> None:
        _, effects = worked(a_parent(authorized, instrument=LOTS))
        assert [order.quantity for order in submits(effects)] == expected
        assert [intent.quantity for intent in intents(effects)] == expected

    def test_an_order_says_nothing_that_its_intent_does_not(self) -> None:
        _, effects = worked(a_parent(10))
        (order,), (intent,) = submits(effects), intents(effects)
        for name in ("client_order_id", "group_id", "role", "symbol", "side", "quantity", "order_type", "price"):
            assert getattr(order, name) == getattr(intent, name)
        assert (intent.status, intent.decided_ns, intent.cause) == (IntentStatus.INTENT_PERSISTED, NOW, "test")
        assert (intent.parent_qty, order.parent_qty, order.resend) == (10, 10, False)

    def test_looking_again_places_nothing_more(self) -> None:
        parent, _ = worked(a_parent(10))
        again, effects = worked(parent)
        assert again == parent
        assert not effects.requests

    @pytest.mark.parametrize(
        ("role", "may_send", "may_open", "sends"),
        [
            (Role.PROTECTION, True, True, True),
            (Role.RISK, True, False, False),
            (Role.PROTECTION, True, False, False),
            (Role.HEDGE, True, False, True),
            (Role.CLOSE, True, False, True),
            (Role.STOP_MARKET, True, False, True),
            (Role.HEDGE, False, False, False),
        ],
    )
    def test_new_risk_needs_an_open_gate_and_repairs_only_a_broker(
        self, role: Role, may_send: bool, may_open: bool, sends: bool
    ) -> None:
        _, effects = worked(a_parent(10, role=role), at(may_send=may_send, may_open=may_open))
        assert bool(effects.requests) == sends

    def test_an_entry_waits_for_a_quote_and_a_repair_does_not(self) -> None:
        blind = at(quotes={})
        _, effects = worked(a_parent(10), blind)
        assert not effects.requests
        assert effects.wake_ns == NOW + 100 * MS
        _, effects = worked(a_parent(10, role=Role.HEDGE), blind)
        assert [order.order_type for order in submits(effects)] == [OrdType.MARKET]

    def test_a_parent_that_has_yielded_places_nothing_and_gives_all_up(self) -> None:
        parent, effects = worked(a_parent(10, yielded=True))
        assert not effects.requests
        assert parent.abandoned == 10


class TestAttempts:
    def test_the_deadline_is_met_to_the_nanosecond(self) -> None:
        parent, effects = worked(a_parent(10))
        assert effects.wake_ns == NOW + 3_000 * MS
        for late_ns, asked in ((-1, 0), (0, 1)):
            moment = replace_ns(at(3_000), late_ns)
            _, effects = worked(parent, moment)
            assert len(cancels(effects)) == asked

    def test_the_next_attempt_waits_for_the_end_of_the_last(self) -> None:
        parent, _ = worked(a_parent(10))
        parent, effects = worked(told(parent, new(only(parent))), at(3_000))
        assert len(cancels(effects)) == 1
        assert not submits(effects)
        parent = told(parent, canceled(only(parent)))
        parent, effects = worked(parent, at(3_001))
        (order,) = submits(effects)
        assert (order.client_order_id[-1], order.quantity, order.price) == ("2", 10, 21_000)

    def test_what_filled_is_not_tried_again(self) -> None:
        parent, _ = worked(a_parent(10))
        first = only(parent)
        parent = told(parent, trade(first, 4, 4), canceled(first, cum=4))
        _, effects = worked(parent, at(10))
        assert [order.quantity for order in submits(effects)] == [6]

    def test_a_fill_that_the_cancel_speaks_of_but_nobody_has_told_yet_is_not_placed_again(self) -> None:
        parent, _ = worked(a_parent(10))
        first = only(parent)
        parent = told(parent, canceled(first, cum=4))
        assert parent.live == 4
        parent, effects = worked(parent, at(10))
        assert sum(order.quantity for order in submits(effects)) == 6, "the four are spoken for"
        assert {intent.slice for intent in intents(effects)} == {1}, "the slot of the canceled order is not settled"
        parent, effects = worked(told(parent, trade(first, 4, 4)), at(20))
        assert not submits(effects)
        assert (parent.filled, parent.live) == (4, 6)

    @pytest.mark.parametrize(("attempt", "wait_ms"), [(1, 250), (2, 500)])
    def test_a_rejected_attempt_is_repeated_later_each_time(self, attempt: int, wait_ms: int) -> None:
        parent, _ = worked(a_parent(10))
        for number in range(1, attempt + 1):
            last = max((o.intent for o in parent.orders.values()), key=lambda intent: intent.attempt)
            assert last.attempt == number
            moment = at(1_000 * number)
            parent = told(parent, report(last, ExecType.REJECTED, OrdStatus.REJECTED), moment=moment)
            for late_ns, sent in ((-1, 0), (0, 1)):
                due = replace_ns(at(1_000 * number + 250 * number), late_ns)
                after, effects = worked(parent, due)
                assert len(submits(effects)) == sent
            parent = after
        assert wait_ms == 250 * attempt

    def test_after_the_last_attempt_the_rest_is_given_up(self) -> None:
        parent = a_parent(10)
        for number in range(3):
            parent, effects = worked(parent, at(10 * number))
            assert len(submits(effects)) == 1
            last = max((o.intent for o in parent.orders.values()), key=lambda intent: intent.attempt)
            parent = told(parent, canceled(last))
        parent, effects = worked(parent, at(100))
        assert not effects.requests
        assert parent.abandoned == 10

    def test_a_refusal_that_never_left_the_gateway_is_no_attempt(self) -> None:
        parent, _ = worked(a_parent(10))
        for number in range(1, 8):
            last = max((o.intent for o in parent.orders.values()), key=lambda intent: intent.attempt)
            refusal = SubmitResult(client_order_id=last.client_order_id, outcome=Outcome.REFUSED, ts_ns=NOW, reason="x")
            parent = hear(parent, [refusal], at(3_000 * number), Effects())
            parent, effects = worked(parent, at(3_000 * number + 2_000))
            assert len(submits(effects)) == 1, f"gave up after {number} refusals"
            assert submits(effects)[0].order_type is OrdType.LIMIT


class TestCanceling:
    def test_the_newest_orders_go_first_when_the_level_shrinks(self) -> None:
        parent, _ = worked(a_parent(120))
        ids = [order.intent.client_order_id for order in parent.orders.values()]
        _, effects = worked(replace(parent, authorized=70))
        assert [cancel.client_order_id for cancel in cancels(effects)] == [ids[2], ids[1]]
        _, effects = worked(replace(parent, authorized=100))
        assert [cancel.client_order_id for cancel in cancels(effects)] == [ids[2]]

    def test_a_silent_cancel_is_repeated_ever_more_slowly_and_then_a_person_is_called(self) -> None:
        parent, _ = worked(a_parent(10))
        asked: list[int] = []
        raised: list[tuple[int, str]] = []
        for ms in range(3_000, 40_000, 100):
            parent, effects = worked(parent, at(ms, config=FIVE_CANCELS))
            asked += [ms] * len(cancels(effects))
            raised += [(ms, alert.kind) for alert in alerts(effects)]
        assert asked[:7] == [3_000, 4_000, 6_000, 9_000, 13_000, 18_000, 24_000]
        assert raised == [(18_000, "CANCEL_STUCK")]
        assert only(parent).status is IntentStatus.UNRESOLVED
        assert parent.live == 10, "a stuck cancel is no evidence"

    def test_what_the_broker_has_ended_is_not_canceled_while_its_fills_are_missing(self) -> None:
        parent, _ = worked(a_parent(10))
        parent, _ = worked(replace(parent, authorized=4), at(1_000))
        parent = told(parent, new(only(parent)), canceled(only(parent), cum=4))
        assert (parent.filled, parent.live) == (0, 4)
        for ms in range(2_000, 40_000, 500):
            parent, effects = worked(parent, at(ms, config=FIVE_CANCELS))
            assert not cancels(effects)
            assert not alerts(effects)

    def test_every_cancel_has_a_name_of_its_own(self) -> None:
        parent, _ = worked(a_parent(10))
        names = []
        for ms in (3_000, 4_000, 6_000):
            parent, effects = worked(parent, at(ms))
            names += [cancel.request_id for cancel in cancels(effects)]
        assert len(set(names)) == 3


def test_a_restored_parent_is_the_one_that_was_lived_through() -> None:
    parent, _ = worked(a_parent(120))
    first, second, _ = (order.intent for order in parent.orders.values())
    effects = Effects()
    for one in (new(first), trade(first, 20, 20), canceled(second)):
        parent = hear(parent, [one], at(), effects)
    rows = {r.client_order_id: r for r in effects.records if isinstance(r, ExecutionStateRecord)}
    again = restore(a_parent(120), [order.intent for order in parent.orders.values()], rows)
    assert again == parent
    assert (again.filled, again.live) == (20, 30 + 20)


def test_putting_the_same_order_again_changes_nothing() -> None:
    parent, _ = worked(a_parent(10))
    (order,) = parent.orders.values()
    assert with_order(parent, order) is parent


def test_a_stuck_cancel_is_critical() -> None:
    parent, _ = worked(a_parent(10))
    raised = []
    for ms in range(3_000, 30_000, 1_000):
        parent, effects = worked(parent, at(ms, config=FIVE_CANCELS))
        for alert in alerts(effects):
            raised.append((alert.severity, alert.quantity))
    assert raised == [(Severity.CRITICAL, 10)]


def replace_ns(moment: Moment, by_ns: int) -> Moment:
    return at((moment.at_ns - NOW) / MS, at_ns=moment.at_ns + by_ns)


# --- whatever happens ---


@dataclass
class Order:
    """What the broker knows of an order."""

    intent: IntentRecord
    cum: int = 0
    over: bool = False
    fills: int = 0

    @property
    def open(self) -> int:
        return 0 if self.over else self.intent.quantity - self.cum


class Broker:
    """An honest broker that answers when it likes, and the parent that hears it."""

    def __init__(self, parent: Parent) -> None:
        self.parent = parent
        self.orders: dict[str, Order] = {}
        self.ms = 0
        self.ts_ns = NOW
        self.look()

    def look(self) -> None:
        effects = Effects()
        self.parent = work(self.parent, at(self.ms), effects)
        placed = intents(effects)
        for order in submits(effects):
            intent = next(i for i in placed if i.client_order_id == order.client_order_id)
            self.check(intent)
            self.orders[intent.client_order_id] = Order(intent)
        if submits(effects):
            assert self.parent.filled + self.parent.live + self.parent.abandoned <= self.parent.authorized

    def check(self, new_intent: IntentRecord) -> None:
        """I3, at the moment of placing."""
        slot = [order for order in self.orders.values() if order.intent.slice == new_intent.slice]
        assert [order.intent.attempt for order in slot] == list(range(1, new_intent.attempt))
        assert all(order.over for order in slot), "the next attempt came before the end of the last"
        size = slot[0].intent.quantity if slot else new_intent.quantity
        assert sum(order.cum + order.open for order in slot) + new_intent.quantity <= size
        assert 0 < new_intent.quantity <= self.parent.instrument.max_order_qty
        assert new_intent.quantity % self.parent.instrument.lot_size == 0
        everything = sum(order.cum + order.open for order in self.orders.values())
        assert everything + new_intent.quantity <= self.parent.authorized

    def say(self, one: ExecutionReport) -> None:
        self.ts_ns += 1
        self.parent = hear(self.parent, [replace(one, ts_ns=self.ts_ns)], at(self.ms), Effects())

    def act(self, action: str, which: int, number: int) -> None:
        if action == "level":
            self.parent = replace(self.parent, authorized=number)
        elif action == "wait":
            self.ms += (10, 300, 3_000)[number % 3]
        elif self.orders:
            self.about(action, list(self.orders.values())[which % len(self.orders)], number)
        self.look()

    def about(self, action: str, order: Order, number: int) -> None:
        intent = order.intent
        if action == "ack" and not order.over:
            self.say(new(intent))
        elif action == "fill" and order.open:
            quantity = min(order.open, max(5, number // 5 * 5))
            order.cum += quantity
            order.fills += 1
            order.over = order.cum == intent.quantity
            self.say(trade(intent, quantity, order.cum, exec_id=f"{intent.client_order_id}-{order.fills}"))
        elif action == "end" and not order.over:
            order.over = True
            self.say(canceled(intent, cum=order.cum))
        elif action == "reject" and not order.over and not order.cum:
            order.over = True
            self.say(report(intent, ExecType.REJECTED, OrdStatus.REJECTED))
        elif action == "unknown":
            lost = SubmitResult(client_order_id=intent.client_order_id, outcome=Outcome.UNKNOWN, ts_ns=NOW, reason="?")
            self.parent = hear(self.parent, [lost], at(self.ms), Effects())


steps = st.tuples(
    st.sampled_from(["level", "wait", "wait", "ack", "fill", "fill", "end", "end", "reject", "unknown"]),
    st.integers(0, 9),
    st.integers(0, 60),
)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 12).map(lambda lots: lots * 5), st.lists(steps, max_size=25), st.integers(1, 4))
def test_it_never_places_more_than_it_may(authorized: int, story: list[tuple[str, int, int]], attempts: int) -> None:
    pricing = Pricing(step_pct=0.5, attempts=attempts, last_is_market=True)
    broker = Broker(a_parent(authorized, instrument=LOTS, pricing=pricing))
    for step in story:
        broker.act(*step)
        parent = broker.parent
        assert parent.filled == sum(order.cum for order in broker.orders.values())
        assert parent.live == sum(order.open for order in broker.orders.values())
        check_slots(parent)
        for slot in slots(parent.orders.values()):
            assert slot.filled <= slot.quantity
        ended = [o for o in parent.orders.values() if o.fate is Fate.ENDED]
        assert {o.intent.client_order_id for o in ended} == {
            o.intent.client_order_id for o in broker.orders.values() if o.over
        }
        missing = max(0, parent.authorized - parent.filled - parent.live)
        assert 0 <= parent.abandoned <= missing


def test_a_bust_is_made_good_by_another_attempt_of_the_same_slot_for_risk_and_given_up_for_protection() -> None:
    for role, more in ((Role.RISK, 1), (Role.PROTECTION, 0)):
        parent, _ = worked(a_parent(10, role=role))
        first = only(parent)
        parent = told(parent, trade(first, 10, 10, exec_id="t"), bust(first, "t", 0), canceled(first, ts_ns=NOW + 4))
        parent, effects = worked(parent, at(100))
        assert len(submits(effects)) == more
        assert parent.abandoned == (0 if more else 10)
    assert CONFIG.orders.max_attempts == 3
