"""R21, S3, S4: positions that change without an order of ours, seen by an independent reconciler, end in news."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from second_look import SecondLook, hedged_world, world_with_shares
from world import LONG, SHORT, UNDERLYING, World, bull_put, call, leg, put

from decisions.positions.position_report import DayEnd, end_of_day, report
from domain.execution import Side
from domain.groups import GroupOutcome, GroupStatus, Plan, Policy, Role
from messages.operator import CancelGroup
from messages.orders import ActivityKind
from messages.positions import BrokerView
from messages.records import PositionKind, Severity

Told = tuple[str, int, PositionKind]


def told(look: SecondLook) -> set[Told]:
    return {(event.symbol, event.quantity, event.kind) for event in look.events()}


def assigned(quantity: int = 3) -> tuple[World, SecondLook]:
    world = hedged_world()
    look = SecondLook(world)
    look.looks(1)
    world.exchange.assign(SHORT, quantity, world.now_ns)
    return world, look


def test_s3_position_balanced() -> None:
    look = SecondLook(hedged_world())
    found = look.looks()
    assert found.balanced
    (check,) = found.checks
    assert (check.bought, check.sold, check.hedge_ratio_pct, check.severity) == (10, 10, 100.0, None)
    assert not look.events()


def test_s3_position_mismatched() -> None:
    world = hedged_world(bull_put(policy=Policy.FLATTEN))
    look = SecondLook(world)
    look.silent_about_activities = True
    world.mute = True  # nobody can repair it: it stays as it is
    world.exchange.intervene(ActivityKind.LIQUIDATION, LONG, -4, 0, world.now_ns)
    look.looks()
    (alert,) = world.escalations("POSITION_MISMATCH")
    assert (alert.severity, alert.quantity, alert.group_id) == (Severity.CRITICAL, 4, "bp")
    assert "buy 6" in alert.text and "40 %" in alert.text
    assert alert in world.alerts


def test_e19_a_day_that_does_not_balance_ends_with_a_critical_alert_that_names_both_sides_once() -> None:
    world = hedged_world()
    look = SecondLook(world)
    balanced = end_of_day(report(look.looks(), look.library()), DayEnd("2026-01-05", 0, late=False), "a.json", 0)
    world.exchange.assign(SHORT, 3, world.now_ns)
    last = report(look.looks(), look.library())
    issue = end_of_day(last, DayEnd("2026-01-06", 0, late=False), "b.json", 0)
    world.take([balanced, issue, issue])
    good, bad = sorted(world.escalations("END_OF_DAY"), key=lambda alert: alert.severity.value, reverse=True)
    assert (good.severity, bad.severity) == (Severity.INFO, Severity.CRITICAL)
    assert "2026-01-06 does not balance" in bad.text and "sell 7" in bad.text and "b.json" in bad.text
    assert look.library().is_told(issue.alert_id), "what is in a journal is not told again"
    world.restart()
    world.take([issue])
    assert len(world.escalations("END_OF_DAY")) == 2


def test_s3_a_small_variance_is_a_remark_and_no_alert() -> None:
    world = hedged_world()
    look = SecondLook(world, variance_pct=50.0)
    world.exchange.assign(SHORT, 3, world.now_ns)
    found = look.looks()
    assert found.checks[0].severity is Severity.INFO
    assert "POSITION_MISMATCH" not in world.kinds()


def test_s3_a_mismatch_whose_cause_is_known_at_once_is_told_with_it_and_counted_once() -> None:
    world = hedged_world()
    look = SecondLook(world)
    world.exchange.intervene(ActivityKind.MANUAL, LONG, -4, 0, world.now_ns)
    look.looks(1)
    (alert,) = world.escalations("POSITION_MANUAL")
    assert "buy 6" in alert.text and "40 % of the target" in alert.text and "4 short units" in alert.text
    assert "POSITION_MISMATCH" not in world.kinds()
    look.looks()
    assert world.acted("S3") == 1


def test_s3_what_moves_less_than_the_limit_is_told_without_a_mismatch() -> None:
    world = hedged_world()
    look = SecondLook(world, variance_pct=50.0)
    world.exchange.intervene(ActivityKind.MANUAL, LONG, -4, 0, world.now_ns)
    look.looks(1)
    (alert,) = world.escalations("POSITION_MANUAL")
    assert "of the target" not in alert.text
    assert (world.acted("S3"), world.acted("S4")) == (0, 1)


def test_r21_an_assignment_is_told_journaled_and_alerted_with_its_shares() -> None:
    world, look = assigned()
    world.advance(1_000)
    look.look()  # an activity has an id: one look is enough
    kind = PositionKind.ASSIGNMENT
    assert told(look) == {(SHORT, 3, kind), (UNDERLYING, 300, kind)}
    (shares,) = world.escalations("UNDERLYING_POSITION")
    assert (shares.severity, shares.symbol, shares.quantity) == (Severity.CRITICAL, UNDERLYING, 300)
    assert world.escalations("POSITION_ASSIGNMENT")[0].severity is Severity.CRITICAL
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert look.looks().comparison.balance(SHORT).difference == 0


def test_r21_a_short_that_was_assigned_is_not_bought_back() -> None:
    world, look = assigned()
    look.looks()
    world.take([CancelGroup("bp")])
    world.advance(5_000, fresh=True)
    assert world.position(SHORT) == 0
    assert sum(o.quantity for o in world.orders(Role.CLOSE, Side.BUY) if o.symbol == SHORT) == 7
    assert world.group().group.outcome is GroupOutcome.FLAT


def test_r21_a_group_that_can_never_be_whole_again_ends_flat() -> None:
    """Its long was liquidated, and a bust opened it again: the short that is missing would stand without protection."""
    legs = (leg(put(105), "buy"), leg(put(100), "sell", ratio=2), leg(put(95), "buy"))
    world = world_with_shares()
    world.submit(Plan(group_id="bp", quantity=5, legs=legs))
    assert world.group().group.outcome is GroupOutcome.HEDGED
    world.sizes = dict.fromkeys(world.sizes, 0)
    world.show()
    sold = next(trade for trade in world.exchange.executions() if trade.symbol == put(100))
    world.take(world.exchange.bust(sold.exec_id, world.now_ns))
    assert world.group().group.outcome is GroupOutcome.OPEN
    look = SecondLook(world)
    world.exchange.intervene(ActivityKind.LIQUIDATION, put(105), -5, 0, world.now_ns)
    look.looks()
    world.sizes = dict.fromkeys(world.sizes, 100)
    world.advance(world.config.orders.entry_patience_ms + 5_000, fresh=True)
    ended = world.group().group
    assert (ended.outcome, ended.status) == (GroupOutcome.FLAT, GroupStatus.FAILED)
    assert "opened again" in ended.reason
    assert [world.position(put(strike)) for strike in (95, 100, 105)] == [0, 0, 0]


@pytest.mark.parametrize("taken_back", [2, 0], ids=["corrected", "busted"])
def test_r21_what_went_and_was_then_never_sold_is_undone(taken_back: int) -> None:
    world = world_with_shares()
    plan = Plan(group_id="bp", quantity=5, legs=(leg(call(110), "sell"),), allow_naked=True)
    world.submit(plan)
    short = plan.legs[0].symbol
    look = SecondLook(world)
    world.exchange.intervene(ActivityKind.LIQUIDATION, short, 5, 0, world.now_ns)
    look.looks()
    world.advance(3_000, fresh=True)
    assert (world.position(short), world.group().group.outcome) == (0, GroupOutcome.FLAT)
    (trade,) = world.exchange.executions()
    if taken_back:
        world.take(world.exchange.correct(trade.exec_id, taken_back, trade.last_px, world.now_ns))
    else:
        world.take(world.exchange.bust(trade.exec_id, world.now_ns))
    world.advance(5_000, fresh=True)
    assert world.position(short) == 0
    assert world.group().group.outcome is GroupOutcome.FLAT


def test_r21_a_stop_loss_shrinks_with_the_short_that_it_protects() -> None:
    world = hedged_world(bull_put(stop=40_000))
    world.advance(1_000, fresh=True)
    look = SecondLook(world)
    world.exchange.assign(SHORT, 3, world.now_ns)
    look.looks()
    world.advance(3_000, fresh=True)
    working = [i for i in world.live() if i.role is Role.STOP_LIMIT]
    assert sum(intent.quantity for intent in working) == 7


@pytest.mark.parametrize("crash", ["none", "cell", "reconciler"])
def test_r21_protection_that_somebody_sold_is_bought_again(crash: str) -> None:
    world = hedged_world()
    look = SecondLook(world)
    world.exchange.intervene(ActivityKind.MANUAL, LONG, -4, 0, world.now_ns)
    world.advance(1_000)
    look.look()
    if crash == "cell":
        world.restart()
    if crash == "reconciler":
        look.again()
    world.advance(3_000, fresh=True)
    found = look.looks()
    assert told(look) == {(LONG, -4, PositionKind.MANUAL)}
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
    assert sum(order.quantity for order in world.orders(Role.HEDGE)) == 4
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert found.balanced


def test_r21_policy_flatten_reverses_what_lost_its_protection() -> None:
    world = hedged_world(bull_put(policy=Policy.FLATTEN))
    look = SecondLook(world)
    world.exchange.intervene(ActivityKind.MANUAL, LONG, -4, 0, world.now_ns)
    look.looks()
    world.advance(5_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)
    assert world.group().group.outcome is GroupOutcome.FLAT


def test_r21_protection_that_the_broker_liquidated_is_not_bought_again_but_its_shorts_are_closed() -> None:
    world = hedged_world()
    look = SecondLook(world)
    world.exchange.intervene(ActivityKind.LIQUIDATION, LONG, -4, 0, world.now_ns)
    look.looks()
    world.advance(5_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (6, -6)
    assert world.group().group.outcome is GroupOutcome.HALTED
    assert "GROUP_HALTED" in world.kinds()


def test_r21_without_activities_shares_are_the_evidence_of_an_assignment() -> None:
    world, look = assigned()
    look.silent_about_activities = True
    world.advance(1_000)
    assert look.look().suspected and not look.events()
    look.looks(2)
    kind = PositionKind.ASSIGNMENT
    assert told(look) == {(SHORT, 3, kind), (UNDERLYING, 300, kind)}


def test_r21_without_any_evidence_a_change_is_unexplained_and_never_guessed() -> None:
    world = hedged_world()
    look = SecondLook(world)
    look.silent_about_activities = True
    world.exchange.intervene(ActivityKind.LIQUIDATION, SHORT, 3, 0, world.now_ns)
    look.looks()
    assert told(look) == {(SHORT, 3, PositionKind.UNEXPLAINED)}
    assert world.escalations("POSITION_UNEXPLAINED")[0].severity is Severity.CRITICAL


def test_r21_an_activity_that_comes_the_next_morning_explains_and_moves_nothing() -> None:
    world, look = assigned()
    look.silent_about_activities = True
    look.looks()
    before = [event for event in look.events() if event.symbol == SHORT]
    look.silent_about_activities = False
    look.looks()
    after = [event for event in look.events() if event.symbol == SHORT]
    assert sum(event.quantity for event in before) == sum(event.quantity for event in after) == 3
    assert after[-1].kind is PositionKind.ASSIGNMENT and after[-1].activity_id
    assert "POSITION_EXPLAINED" in world.kinds()
    count = len(look.events())
    look.looks()
    assert len(look.events()) == count


def test_r21_an_expiry_ends_the_group() -> None:
    world = hedged_world()
    look = SecondLook(world)
    look.looks(1)
    world.now_ns += 12 * 24 * 3600 * 10**9
    world.advance(100)
    world.quote(UNDERLYING, 999_900, 1_000_100)
    look.looks(1)
    assert told(look) == {(SHORT, 10, PositionKind.EXPIRY), (LONG, -10, PositionKind.EXPIRY)}
    group = world.group().group
    assert (group.outcome, group.status) == (GroupOutcome.FLAT, GroupStatus.COMPLETED)
    assert not world.live()
    assert not world.orders(Role.CLOSE)


def test_a_position_of_somebody_else_is_recorded_and_alerted_once_and_never_touched() -> None:
    world = hedged_world()
    look = SecondLook(world)
    world.exchange.intervene(ActivityKind.MANUAL, SHORT, -5, 0, world.now_ns)
    look.looks()
    look.again()
    world.restart()
    look.looks()
    (event,) = look.events()
    assert (event.group_id, event.leg_id, event.quantity) == ("", "", -5)
    (alert,) = world.escalations("FOREIGN_POSITION")
    assert alert.severity is Severity.CRITICAL
    assert world.position(SHORT) == -15
    assert not world.orders(Role.CLOSE) and not world.orders(Role.HEDGE)


def test_r13_a_group_that_lost_units_is_stopped_only_as_flat_hedged_or_halted() -> None:
    world, look = assigned(10)
    look.looks()
    assert world.group().group.outcome is GroupOutcome.HEDGED
    world.take([CancelGroup("bp")])
    world.advance(5_000, fresh=True)
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)
    assert world.group().group.outcome is GroupOutcome.FLAT


def test_r20_changes_are_found_with_most_snapshots_lost_and_some_twice() -> None:
    world, look = assigned()
    world.advance(60_000)
    look.look()
    late = look.snapshot()
    assert look.reconciler.look(BrokerView(late), look.library()) is None, "the same one twice is no second evidence"
    assert told(look) == {(SHORT, 3, PositionKind.ASSIGNMENT), (UNDERLYING, 300, PositionKind.ASSIGNMENT)}


def test_r5_a_snapshot_without_positions_is_not_believed_at_once() -> None:
    world = hedged_world()
    look = SecondLook(world)
    look.looks(1)
    world.advance(1_000)
    empty = replace(look.snapshot(), positions=(), activities=())
    found = look.look(empty)
    assert set(found.suspected) >= {f"position/{LONG}", f"position/{SHORT}"}
    found = look.looks(2)
    assert found.balanced and not look.events()


def test_i13_a_snapshot_that_is_older_than_the_journal_is_no_difference() -> None:
    world = hedged_world()
    look = SecondLook(world)
    world.advance(1_000)
    old = look.snapshot()
    world.submit(bull_put("later", quantity=5))
    assert world.position(LONG) == 15
    assert look.look(old).balanced
    world.advance(1_000)
    assert look.look().balanced


def test_r11_a_fill_that_only_the_snapshot_shows_is_not_taken_for_a_change_without_an_order() -> None:
    world = hedged_world()
    look = SecondLook(world)
    world.deaf = True
    world.submit(bull_put("unheard", quantity=5))
    assert world.position(LONG) == 15
    found = look.looks()
    assert not look.events()
    assert found.comparison.balance(LONG).difference == 0


def test_two_groups_share_a_loss_first_in_first_out_and_a_letter_that_comes_twice_counts_once() -> None:
    world = hedged_world()
    world.submit(bull_put("second"))
    look = SecondLook(world)
    world.exchange.assign(SHORT, 12, world.now_ns)
    world.advance(1_000)
    found = look.look()
    world.take(found.findings)
    world.take(reversed(found.findings))
    shorts = {event.group_id: event.quantity for event in look.events() if event.symbol == SHORT}
    assert shorts == {"bp": 10, "second": 2}
    assert look.looks().comparison.balance(SHORT).difference == 0


def test_r21_two_changes_that_are_explained_late_are_each_explained_once() -> None:
    world, look = assigned(3)
    look.silent_about_activities = True
    look.looks()
    world.exchange.assign(SHORT, 2, world.now_ns)
    look.looks()
    look.silent_about_activities = False
    look.looks(4)
    explained = [event for event in look.events() if event.symbol == SHORT and not event.quantity]
    assert len(explained) == len({event.ts_ns for event in explained}) == 2
    assert sum(event.quantity for event in look.events() if event.symbol == SHORT) == 5
