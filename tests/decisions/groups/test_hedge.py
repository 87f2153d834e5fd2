"""One level of a hedge: its quantity, its five seconds, its child, and the person at the end (S11, I5)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from order_cases import GROUP, NOW, a_leg, alerts, at, bust, canceled, cancels, intents, report, submits, trade

from config.schema import Config, HedgeConfig
from decisions.effects import MS, Effects, UnknownMessage
from decisions.groups import hedge as hedge_core
from decisions.groups.hedge import CHILD, ROUND, HedgeState, open_record
from domain.execution import ExecType, OrdStatus, OrdType, Side
from messages.group import Bulletin, Cover, HedgeProgressed, Review, StartHedge
from messages.orders import OrderAbsent
from messages.records import HedgeRecord, HedgeStatus, IntentRecord, IntentStatus, Severity

LONG = a_leg()
TIMEOUT_MS = Config().hedge.timeout_ms
DEPTH = Config().hedge.depth


def opened(needed: int = 10, level: int = 1, *, closing: bool = False) -> tuple[HedgeState, Effects]:
    record = open_record(
        LONG, group_id=GROUP, ordinal=level, level=level, parent_hedge_id="" if level == 1 else "p",
        needed_qty=needed, closing=closing, trigger="test", moment=at(),
    )  # fmt: skip
    return hedge_core.start(StartHedge(leg=LONG, record=record), at())


def told(effects: Effects) -> list[HedgeProgressed]:
    return [letter for name, letter in effects.letters if name == "parent" and isinstance(letter, HedgeProgressed)]


def handed_down(effects: Effects) -> list[StartHedge | Cover]:
    return [letter for name, letter in effects.letters if name == CHILD and isinstance(letter, StartHedge | Cover)]


def orders(state: HedgeState) -> list[IntentRecord]:
    return [order.intent for order in state.parent.orders.values()]


def run_out(state: HedgeState, filled: int = 0) -> tuple[HedgeState, Effects]:
    """Let the level pass its time with so much filled."""
    (order,) = orders(state)
    if filled:
        state, _ = hedge_core.decide(state, trade(order, filled, filled), at(10))
    state, effects = hedge_core.decide(state, Review(), at(TIMEOUT_MS))
    assert len(cancels(effects)) == 1
    return hedge_core.decide(state, canceled(order, cum=filled), at(TIMEOUT_MS + 1))


@pytest.mark.parametrize(("closing", "side"), [(False, Side.BUY), (True, Side.SELL)])
def test_it_completes_its_leg_or_reverses_it(closing: bool, side: Side) -> None:
    _, effects = opened(closing=closing)
    (order,) = submits(effects)
    assert (order.side, order.quantity) == (side, 10)


@pytest.mark.parametrize(
    ("level", "order_type", "price"),
    [(1, OrdType.LIMIT, 21_000), (2, OrdType.LIMIT, 21_500), (3, OrdType.MARKET, 0)],
)
def test_every_level_concedes_more_and_the_deepest_takes_any_price(level: int, order_type: OrdType, price: int) -> None:
    _, effects = opened(level=level)
    (order,) = submits(effects)
    assert (order.order_type, order.price) == (order_type, price)


@pytest.mark.parametrize(("late_ns", "asked"), [(-1, 0), (0, 1)])
def test_its_time_ends_to_the_nanosecond(late_ns: int, asked: int) -> None:
    state, _ = opened()
    assert state.record.deadline_ns == NOW + TIMEOUT_MS * MS
    _, effects = hedge_core.decide(state, Review(), at(at_ns=state.record.deadline_ns + late_ns))
    assert len(cancels(effects)) == asked


@pytest.mark.parametrize("filled", [0, 1, 9])
def test_what_it_could_not_obtain_goes_to_a_child_when_its_own_order_has_ended(filled: int) -> None:
    state, _ = opened()
    state, effects = run_out(state, filled)
    (child,) = handed_down(effects)
    assert isinstance(child, StartHedge)
    assert (child.record.level, child.record.needed_qty) == (2, 10 - filled)
    assert child.record.parent_hedge_id == state.record.hedge_id
    assert child.record.ordinal == state.record.ordinal + 1
    assert state.record.status is HedgeStatus.SHORT
    (progress,) = told(effects)
    assert (progress.needed_qty, progress.filled, progress.status) == (10, filled, HedgeStatus.WORKING)


def test_filled_in_time_it_needs_nobody() -> None:
    state, _ = opened()
    state, effects = hedge_core.decide(state, trade(orders(state)[0], 10, 10), at(10))
    assert state.record.status is HedgeStatus.FILLED
    assert not handed_down(effects)
    assert [(p.filled, p.live, p.status) for p in told(effects)] == [(10, 0, HedgeStatus.FILLED)]


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_only_the_deepest_level_calls_a_person_with_symbol_and_quantity(depth: int) -> None:
    config = Config(hedge=HedgeConfig(depth=depth))
    for level in range(1, depth + 1):
        record = open_record(
            LONG, group_id=GROUP, ordinal=level, level=level, parent_hedge_id="", needed_qty=10, closing=False,
            trigger="test", moment=at(config=config),
        )  # fmt: skip
        state, _ = hedge_core.start(StartHedge(leg=LONG, record=record), at(config=config))
        (order,) = orders(state)
        state, _ = hedge_core.decide(state, Review(), at(TIMEOUT_MS, config=config))
        state, effects = hedge_core.decide(state, canceled(order), at(TIMEOUT_MS, config=config))
        deepest = level == depth
        assert state.record.status is (HedgeStatus.ESCALATED if deepest else HedgeStatus.SHORT)
        assert len(handed_down(effects)) == (not deepest)
        assert [(a.kind, a.severity, a.symbol, a.quantity) for a in alerts(effects)] == [
            ("IMMEDIATE_MANUAL_HEDGE", Severity.CRITICAL, LONG.instrument.symbol, 10)
        ] * deepest


def test_the_alert_is_raised_once() -> None:
    state, _ = opened(level=DEPTH)
    state, _ = run_out(state)
    _, effects = hedge_core.decide(state, Review(), at(TIMEOUT_MS + 1_000))
    assert not effects.records


def test_a_raised_level_buys_the_difference_only() -> None:
    state, _ = opened(6)
    state, effects = hedge_core.decide(state, Cover(10), at(100))
    assert [order.quantity for order in submits(effects)] == [4]
    state, effects = hedge_core.decide(state, Cover(10), at(200))
    assert not effects.requests
    assert sum(order.quantity for order in orders(state)) == 10


def test_a_lowered_level_cancels() -> None:
    state, _ = opened(10)
    _, effects = hedge_core.decide(state, Cover(0), at(100))
    assert len(cancels(effects)) == 1


def test_an_eased_level_lets_what_works_finish_and_puts_less_in_its_place() -> None:
    state, _ = opened(10)
    (order,) = orders(state)
    state, effects = hedge_core.decide(state, Cover(6, eased=True), at(100))
    assert not effects.requests
    assert [(one.needed_qty, one.eased) for one in told(effects)] == [(10, 6)]
    state, effects = hedge_core.decide(state, canceled(order), at(200))
    assert [one.quantity for one in submits(effects)] == [6]
    assert (state.record.needed_qty, [(one.needed_qty, one.eased) for one in told(effects)]) == (6, [(6, 6)])


def test_r7_an_absent_order_for_more_than_is_needed_is_not_sent_again_but_void_and_less_takes_its_place() -> None:
    """Under the same id it can only be the same order, and that is more than is needed (I4, I5)."""
    state, _ = opened(10)
    (order,) = orders(state)
    state, _ = hedge_core.decide(state, Cover(6, eased=True), at(100))
    once, twice = (OrderAbsent(order.client_order_id, NOW + looks * 2_000 * MS) for looks in (1, 2))
    state, effects = hedge_core.decide(state, once, at(2_100))
    assert not effects.requests
    state, effects = hedge_core.decide(state, twice, at(4_100))
    (less,) = submits(effects)
    assert (less.quantity, less.client_order_id != order.client_order_id) == (6, True)
    assert [one.status for one in orders(state)] == [IntentStatus.VOID, IntentStatus.INTENT_PERSISTED]


@pytest.mark.parametrize("late", [False, True])
def test_r7_an_absent_order_that_is_still_needed_is_sent_again(late: bool) -> None:
    """Also past its time: what has become of it is known the sooner, and a child gets the rest."""
    state, _ = opened(10)
    (order,) = orders(state)
    if late:
        state, _ = hedge_core.decide(state, Review(), at(TIMEOUT_MS))
    absent = OrderAbsent(order.client_order_id, NOW + TIMEOUT_MS * MS)
    _, effects = hedge_core.decide(state, absent, at(TIMEOUT_MS))
    assert [(one.quantity, one.resend) for one in submits(effects)] == [(10, True)]


def test_what_a_late_fill_takes_off_a_child_may_finish_too() -> None:
    state, _ = opened()
    state, _ = run_out(state)
    state, effects = hedge_core.decide(state, Cover(6, eased=True), at(TIMEOUT_MS + 100))
    assert handed_down(effects) == [Cover(6, eased=True)]


def test_a_bust_that_its_child_is_told_to_make_good_is_at_work_before_the_child_has_said_so() -> None:
    """Else its group, which sees a hedge that has ended short of its level, opens another for the same units (I4)."""
    state, _ = opened()
    (order,) = orders(state)
    state, effects = run_out(state, 3)
    (child,) = handed_down(effects)
    assert isinstance(child, StartHedge)
    done = HedgeProgressed(
        hedge_id=child.record.hedge_id, leg_id=LONG.leg_id, side=Side.BUY, needed_qty=7, filled=7, live=0,
        unresolved=0, status=HedgeStatus.FILLED, level=2,
    )  # fmt: skip
    state, effects = hedge_core.decide(state, done, at(TIMEOUT_MS + 50))
    assert [(one.filled, one.status) for one in told(effects)] == [(10, HedgeStatus.FILLED)]
    (trade_id,) = (one.exec_id for one in next(iter(state.parent.orders.values())).state.executions)
    state, effects = hedge_core.decide(state, bust(order, trade_id, 0), at(TIMEOUT_MS + 100))
    assert handed_down(effects) == [Cover(10)]
    assert [(one.needed_qty, one.filled, one.status) for one in told(effects)] == [(10, 7, HedgeStatus.WORKING)]
    made_good = replace(done, needed_qty=10, filled=10)
    _, effects = hedge_core.decide(state, made_good, at(TIMEOUT_MS + 150))
    assert [(one.filled, one.status) for one in told(effects)] == [(10, HedgeStatus.FILLED)]


def test_a_level_that_is_not_needed_any_more_is_released() -> None:
    state, _ = opened(10)
    (order,) = orders(state)
    state, _ = hedge_core.decide(state, Cover(0), at(100))
    state, _ = hedge_core.decide(state, canceled(order), at(200))
    assert state.record.status is HedgeStatus.RELEASED


def test_a_bust_of_a_filled_hedge_is_made_good_by_a_child() -> None:
    state, _ = opened()
    (order,) = orders(state)
    state, _ = hedge_core.decide(state, trade(order, 10, 10, exec_id="t"), at(10))
    state, _ = hedge_core.decide(state, bust(order, "t", 0), at(20))
    state, effects = hedge_core.decide(state, canceled(order, ts_ns=NOW + 30), at(30))
    (child,) = handed_down(effects)
    assert isinstance(child, StartHedge)
    assert child.record.needed_qty == 10


def test_nothing_takes_the_place_of_a_bust_before_the_group_has_looked_at_what_others_have_heard() -> None:
    """A late fill of the leg may have come with it: then less is missing."""
    state, _ = opened()
    (order,) = orders(state)
    state, _ = hedge_core.decide(state, trade(order, 10, 10, exec_id="t"), at(10))
    lost = Bulletin((bust(order, "t", 0), canceled(order, ts_ns=NOW + 30)), hold=True)
    state, effects = hedge_core.decide(state, lost, at(30))
    assert not handed_down(effects)
    assert [(one.filled, one.status, one.waits) for one in told(effects)] == [(0, HedgeStatus.WORKING, True)]
    _, effects = hedge_core.decide(state, Cover(6, eased=True), at(30))
    (child,) = handed_down(effects)
    assert isinstance(child, StartHedge)
    assert child.record.needed_qty == 6
    state, effects = hedge_core.decide(state, Review(), at(30))
    assert [one.record.needed_qty for one in handed_down(effects) if isinstance(one, StartHedge)] == [10]


def test_a_child_goes_on_behind_what_is_left_to_it_now() -> None:
    state, _ = opened()
    (order,) = orders(state)
    state, _ = run_out(state)
    assert state.child is not None
    waits = replace(state.child, waits=True)
    state, effects = hedge_core.decide(state, waits, at(TIMEOUT_MS + 10))
    assert [one.waits for one in told(effects)] == [True]
    late = Bulletin((trade(order, 4, 4, ts_ns=NOW + 9),), hold=True)
    state, effects = hedge_core.decide(state, late, at(TIMEOUT_MS + 50))
    assert not effects.letters or not handed_down(effects)
    state, effects = hedge_core.decide(state, Review(), at(TIMEOUT_MS + 50))
    assert [letter for name, letter in effects.letters if name == CHILD] == [Cover(6), Review()]


def test_a_late_fill_of_a_short_level_lowers_the_level_of_its_child() -> None:
    state, _ = opened()
    (order,) = orders(state)
    state, _ = run_out(state)
    state, effects = hedge_core.decide(state, trade(order, 4, 4, ts_ns=NOW + 9), at(TIMEOUT_MS + 50))
    assert handed_down(effects) == [Cover(6)]


def test_a_fill_that_the_broker_counts_but_has_not_told_yet_is_not_asked_of_the_child() -> None:
    state, _ = opened()
    (order,) = orders(state)
    state, _ = run_out(state)
    known = report(
        order, ExecType.ORDER_STATUS, OrdStatus.CANCELED, cum_qty=4, ts_ns=NOW + TIMEOUT_MS * MS + 9, exec_id="0"
    )
    state, effects = hedge_core.decide(state, known, at(TIMEOUT_MS + 50))
    assert handed_down(effects) == [Cover(6)]
    state, effects = hedge_core.decide(state, trade(order, 4, 4, ts_ns=NOW + 9), at(TIMEOUT_MS + 60))
    assert handed_down(effects) == [Cover(6)], "the child has not reported its new level yet"


def test_what_its_descendants_report_is_summed_and_passed_on() -> None:
    state, _ = opened()
    state, _ = run_out(state, 3)
    child = HedgeProgressed(
        hedge_id="c", leg_id=LONG.leg_id, side=Side.BUY, needed_qty=7, filled=2, live=5, unresolved=1,
        status=HedgeStatus.WORKING, level=3,
    )  # fmt: skip
    _, effects = hedge_core.decide(state, child, at(TIMEOUT_MS + 10))
    (progress,) = told(effects)
    assert (progress.needed_qty, progress.filled, progress.live) == (10, 5, 5)
    assert (progress.level, progress.unresolved, progress.hedge_id) == (3, 1, state.record.hedge_id)


def test_news_of_a_descendants_order_is_passed_down_and_a_strangers_is_an_error() -> None:
    state, _ = opened()
    _, effects = opened(level=2)
    (other,) = intents(effects)
    with pytest.raises(UnknownMessage):
        hedge_core.decide(state, trade(other, 1, 1), at())
    state, _ = run_out(state)
    _, effects = hedge_core.decide(state, trade(other, 1, 1), at())
    assert [name for name, _ in effects.letters] == [CHILD]


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_restored_chain_is_handed_down_link_by_link(levels: int) -> None:
    records: list[HedgeRecord] = []
    for level in range(1, levels + 1):
        record = open_record(
            LONG, group_id=GROUP, ordinal=ROUND + level, level=level, parent_hedge_id="", needed_qty=10,
            closing=False, trigger="test", moment=at(),
        )  # fmt: skip
        records.append(record)
    _, effects = hedge_core.start(StartHedge(leg=LONG, record=records[0], chain=tuple(records)), at())
    down = handed_down(effects)
    assert len(down) == (levels > 1)
    for letter in down:
        assert isinstance(letter, StartHedge)
        assert (letter.record, letter.chain) == (records[1], tuple(records[1:]))


def test_a_restored_hedge_reports_when_the_levels_below_it_have() -> None:
    upper, lower = (
        open_record(
            LONG, group_id=GROUP, ordinal=ROUND + level, level=level, parent_hedge_id="", needed_qty=10,
            closing=False, trigger="test", moment=at(),
        )
        for level in (1, 2)
    )  # fmt: skip
    upper = replace(upper, status=HedgeStatus.SHORT, closed_ns=NOW)
    state, effects = hedge_core.start(StartHedge(leg=LONG, record=upper, chain=(upper, lower)), at())
    assert told(effects) == [], "what is held below would seem to be missing"
    assert effects.records == []
    below = HedgeProgressed(
        hedge_id=lower.hedge_id, leg_id=LONG.leg_id, side=lower.side, needed_qty=10, filled=10, live=0, unresolved=0,
        status=HedgeStatus.FILLED, level=2,
    )  # fmt: skip
    _, effects = hedge_core.decide(state, below, at())
    (progress,) = told(effects)
    assert (progress.needed_qty, progress.filled, progress.status) == (10, 10, HedgeStatus.FILLED)
    assert effects.records == []


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 60),
    st.lists(st.tuples(st.sampled_from(["fill", "cancel", "late", "cover", "wait"]), st.integers(1, 60)), max_size=12),
)
def test_it_never_orders_more_than_it_was_asked_for(needed: int, story: list[tuple[str, int]]) -> None:
    state, _ = opened(needed)
    asked, ms = needed, 0
    broker: dict[str, tuple[int, bool]] = {}
    for kind, number in story:
        for order in orders(state):
            broker.setdefault(order.client_order_id, (0, False))
        effects = Effects()
        working = [order for order in orders(state) if not broker[order.client_order_id][1]]
        if kind == "fill" and working:
            order, (cum, _) = working[0], broker[working[0].client_order_id]
            quantity = min(number, order.quantity - cum)
            broker[order.client_order_id] = (cum + quantity, cum + quantity == order.quantity)
            state, effects = hedge_core.decide(state, trade(order, quantity, cum + quantity), at(ms))
        elif kind == "cancel" and working:
            order, (cum, _) = working[-1], broker[working[-1].client_order_id]
            broker[order.client_order_id] = (cum, True)
            state, effects = hedge_core.decide(state, canceled(order, cum=cum), at(ms))
        elif kind == "cover":
            asked = max(asked, number)
            state, effects = hedge_core.decide(state, Cover(asked), at(ms))
        else:
            ms += number * 100
            state, effects = hedge_core.decide(state, Review(), at(ms))
        filled = sum(cum for cum, _ in broker.values())
        live = sum(o.quantity - broker.get(o.client_order_id, (0, False))[0]
                   for o in orders(state) if not broker.get(o.client_order_id, (0, False))[1])  # fmt: skip
        assert filled + live <= asked
        for letter in handed_down(effects):
            down = letter.record.needed_qty if isinstance(letter, StartHedge) else letter.needed_qty
            assert filled + live + down <= asked, "the child was given what is still under way"
