"""One leg: entry and close are worked towards their levels, and every change is reported once."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from order_cases import GROUP, NOW, a_leg, at, bust, canceled, cancels, intents, new, option, submits, trade

from decisions.effects import Effects, UnknownMessage
from decisions.groups import leg as leg_core
from decisions.groups.leg import LegState
from domain.execution import OrdType, Side
from domain.groups import Role, tag_kind
from messages.group import Bulletin, LegProgressed, Review, StartLeg, WorkLeg
from messages.records import EscalationRecord, ExecutionStateRecord, IntentRecord, LegRecord

LONG = a_leg()


def started(**changes: Any) -> LegState:
    state, _ = leg_core.start(StartLeg(group_id=GROUP, leg=replace(LONG, **changes)), at())
    return state


def level(entry: int, close: int = 0, *, entering: bool = True) -> WorkLeg:
    return WorkLeg(entry_qty=entry, close_qty=close, entering=entering, reason="plan")


def reports(effects: Effects) -> list[LegProgressed]:
    return [letter for name, letter in effects.letters if name == "parent" and isinstance(letter, LegProgressed)]


def test_it_starts_at_level_nothing_and_says_so() -> None:
    state, effects = leg_core.start(StartLeg(group_id=GROUP, leg=LONG), at())
    assert not effects.requests
    assert [(told.entry_authorized, told.entry_live) for told in reports(effects)] == [(0, 0)]
    _, effects = leg_core.decide(state, Review(), at())
    assert not effects.requests
    assert not reports(effects), "nothing changed"


def test_a_level_is_worked_recorded_and_reported() -> None:
    _, effects = leg_core.decide(started(), level(10), at())
    (order,) = submits(effects)
    assert (order.role, order.side, order.quantity, tag_kind(order.client_order_id)) == (
        Role.PROTECTION, Side.BUY, 10, "E",
    )  # fmt: skip
    rows = [record for record in effects.records if isinstance(record, LegRecord)]
    assert [(row.kind, row.authorized_qty, row.target_qty) for row in rows] == [("E", 10, 10)]
    assert [(told.entry_authorized, told.entry_live) for told in reports(effects)] == [(10, 10)]


def test_the_same_level_twice_changes_nothing() -> None:
    state, _ = leg_core.decide(started(), level(10), at())
    again, effects = leg_core.decide(state, level(10), at())
    assert again == state
    assert not (effects.records or effects.requests or effects.letters)


def test_a_close_goes_the_other_way_under_its_own_name() -> None:
    state, effects = leg_core.decide(started(), level(10), at())
    (entry,) = intents(effects)
    state, _ = leg_core.decide(state, trade(entry, 10, 10), at())
    _, effects = leg_core.decide(state, level(0, 10, entering=False), at())
    (order,) = submits(effects)
    assert (order.role, order.side, tag_kind(order.client_order_id)) == (Role.CLOSE, Side.SELL, "C")


@pytest.mark.parametrize(("rising", "given_up"), [(False, 1), (True, 0)])
def test_what_is_left_of_a_close_below_a_lot_is_given_up_unless_it_may_become_a_lot(
    rising: bool, given_up: int
) -> None:
    state, effects = leg_core.decide(started(instrument=option(lot_size=2)), level(10), at())
    (entry,) = intents(effects)
    state, _ = leg_core.decide(state, trade(entry, 5, 5), at())
    state, effects = leg_core.decide(state, replace(level(0, 5, entering=False), rising=rising), at())
    (close,) = [intent for intent in intents(effects) if intent.role is Role.CLOSE]
    assert close.quantity == 4
    _, effects = leg_core.decide(state, trade(close, 4, 4), at())
    assert [(told.close_filled, told.close_abandoned) for told in reports(effects)] == [(4, given_up)]
    told = [record.text for record in effects.records if isinstance(record, EscalationRecord)]
    assert len(told) == given_up
    assert all(text.startswith(f"sell 1 {LONG.instrument.symbol} cannot be ordered: lots are 2; ") for text in told)


def test_not_entering_cancels_and_gives_up_what_has_not_filled() -> None:
    state, effects = leg_core.decide(started(), level(10), at())
    (entry,) = intents(effects)
    state, _ = leg_core.decide(state, trade(entry, 4, 4), at())
    state, effects = leg_core.decide(state, level(10, entering=False), at())
    assert len(cancels(effects)) == 1
    assert reports(effects) == [], "nothing is known to have changed yet"
    _, effects = leg_core.decide(state, canceled(entry, cum=4), at())
    (told,) = reports(effects)
    assert (told.entry_filled, told.entry_live, told.entry_abandoned) == (4, 0, 6)


def test_a_closed_gate_holds_entries_and_not_closes() -> None:
    state, effects = leg_core.decide(started(), level(10), at(may_open=False))
    assert not effects.requests
    _, effects = leg_core.decide(state, level(10, 5), at(may_open=False))
    assert [order.role for order in submits(effects)] == [Role.CLOSE]
    _, effects = leg_core.decide(state, Review(), at())
    assert [order.role for order in submits(effects)] == [Role.PROTECTION]


@pytest.mark.parametrize(("limit", "order_type"), [(0, OrdType.MARKET), (18_000, OrdType.LIMIT)])
def test_the_last_attempt_is_a_market_order_unless_the_operator_gave_a_limit(limit: int, order_type: OrdType) -> None:
    state, effects = leg_core.decide(started(limit_price=limit), level(10), at())
    for attempt in (1, 2):
        (last,) = submits(effects)
        assert last.order_type is OrdType.LIMIT
        intent = next(i for i in intents(effects) if i.attempt == attempt)
        state, effects = leg_core.decide(state, canceled(intent), at(10 * attempt))
    (final,) = submits(effects)
    assert (final.order_type, final.price) == (order_type, limit)


def test_a_bust_is_reported_as_less_filled() -> None:
    state, effects = leg_core.decide(started(), level(10), at())
    (entry,) = intents(effects)
    state, _ = leg_core.decide(state, trade(entry, 10, 10, exec_id="t"), at())
    _, effects = leg_core.decide(state, bust(entry, "t", 0), at())
    assert [(told.entry_filled, told.entry_live) for told in reports(effects)] == [(0, 10)]


def test_what_is_missing_is_placed_after_the_group_has_looked_where_others_have_heard_something_too() -> None:
    state, effects = leg_core.decide(started(), level(10), at())
    (order,) = intents(effects)
    state, effects = leg_core.decide(state, Bulletin((canceled(order),), hold=True), at(10))
    assert not submits(effects)
    assert [one.waits for one in reports(effects)] == [True]
    _, effects = leg_core.decide(state, level(4), at(10))
    assert [one.quantity for one in submits(effects)] == [4]
    state, effects = leg_core.decide(state, Review(), at(10))
    assert [one.quantity for one in submits(effects)] == [10]
    assert [one.waits for one in reports(effects)] == [False]


def test_a_restored_leg_reports_what_it_had_reported() -> None:
    state, effects = leg_core.decide(started(), level(10), at())
    records = list(effects.records)
    (entry,) = intents(effects)
    for one in (new(entry), trade(entry, 4, 4)):
        state, effects = leg_core.decide(state, one, at())
        records += effects.records
    again, _ = leg_core.start(
        StartLeg(
            group_id=GROUP,
            leg=LONG,
            intents=tuple({r.client_order_id: r for r in records if isinstance(r, IntentRecord)}.values()),
            execution_states=tuple([r for r in records if isinstance(r, ExecutionStateRecord)][-1:]),
        ),
        at(),
    )
    again, effects = leg_core.decide(again, level(10), at())
    assert not effects.requests
    assert again.entry == state.entry
    assert again.reported == state.reported


def test_news_of_somebody_elses_order_is_an_error() -> None:
    _, effects = leg_core.decide(started(), level(10), at())
    stranger = replace(new(intents(effects)[0]), client_order_id="LK0NOBODYNOBODY001", ts_ns=NOW)
    with pytest.raises(UnknownMessage, match="leg buy0 has no rule for"):
        leg_core.decide(started(), stranger, at())
