"""S4: the watch over expiring options starts, tells what will come, survives a crash, and stops; R23: start-up."""

from __future__ import annotations

from second_look import SecondLook, hedged_world
from world import LONG, SHORT, UNDERLYING, World, bull_put

from decisions.effects import MS
from decisions.positions.reconciler import Look
from domain.groups import GroupOutcome, Role
from domain.quotes import Quote
from messages.orders import ActivityKind
from messages.positions import BrokerView
from messages.records import PositionKind, Severity

HOUR_MS = 3_600_000


def near_expiry(price: int) -> tuple[World, SecondLook, Look]:
    """A bull put of 95 and 90 on the afternoon before its last day, with the underlying at ``price``."""
    world = hedged_world()
    look = SecondLook(world)
    assert look.looks(1).expiries == (), "eleven days are not near"
    world.now_ns += (10 * 24 + 12) * HOUR_MS * MS
    world.advance(100)
    return world, look, see(look, price)


def see(look: SecondLook, price: int) -> Look:
    view = BrokerView(look.snapshot(), (Quote(UNDERLYING, look.world.now_ns, price - 100, 1, price + 100, 1),))
    found = look.reconciler.look(view, look.library())
    assert found is not None
    look.world.take(found.findings)
    return found


def test_s4_exercise_by_exception_is_told_before_it_happens() -> None:
    world, _, found = near_expiry(920_000)
    outcomes = {one.symbol: (one.outcome, one.shares) for one in found.expiries}
    assert outcomes == {SHORT: (PositionKind.ASSIGNMENT, 1_000), LONG: (PositionKind.EXPIRY, 0)}
    told = {alert.symbol: alert for alert in world.escalations("EXPIRY_NEAR")}
    assert (told[SHORT].severity, told[LONG].severity) == (Severity.WARNING, Severity.INFO)
    assert "+1000 XYZ" in told[SHORT].text


def test_s4_a_price_near_the_strike_is_pin_risk_and_one_that_is_not_known_is_said_so() -> None:
    world, look, found = near_expiry(950_300)
    assert [one.pin for one in found.expiries if one.symbol == SHORT] == [True]
    assert any("pin risk" in alert.text for alert in world.escalations("EXPIRY_NEAR"))
    world.advance(1_000)
    blind = look.reconciler.look(BrokerView(look.snapshot()), look.library())
    assert blind is not None and {one.outcome for one in blind.expiries} == {PositionKind.UNEXPLAINED}


def test_s4_the_watch_survives_crashes_without_telling_twice_and_ends_with_the_position() -> None:
    world, look, found = near_expiry(920_000)
    count = len(world.escalations("EXPIRY_NEAR"))
    look.again()
    world.restart()
    world.advance(1_000)
    found = see(look, 920_000)
    assert len(found.expiries) == 2
    assert not found.findings, "it is in the journal"
    assert len(world.escalations("EXPIRY_NEAR")) == count == 2
    world.quote(UNDERLYING, 919_900, 920_100)
    world.now_ns += 30 * HOUR_MS * MS
    world.advance(100)
    see(look, 920_000)
    assert {event.kind for event in look.events()} == {PositionKind.ASSIGNMENT, PositionKind.EXPIRY}
    world.advance(1_000)
    assert see(look, 920_000).expiries == ()
    assert world.group().group.outcome is GroupOutcome.FLAT


def test_r23_exposure_that_arose_while_the_cell_was_down_is_hedged_before_anything_new() -> None:
    world = hedged_world()
    look = SecondLook(world)
    world.die()
    world.exchange.intervene(ActivityKind.MANUAL, LONG, -10, 0, world.now_ns)
    world.now_ns += 5_000 * MS
    world.link_up()
    world.advance(1_000)
    look.look()
    world.advance(2_000, fresh=True)
    assert world.position(LONG) == 10
    assert {order.role for order in world.orders()[2:]} == {Role.HEDGE}
    world.submit(bull_put("next"))
    assert world.group("next").group.outcome is GroupOutcome.HEDGED
    assert look.looks().comparison.balance(LONG).difference == 0


def test_s3_a_mismatch_is_told_once_however_often_the_reconciler_dies() -> None:
    world = hedged_world()
    look = SecondLook(world)
    world.exchange.assign(SHORT, 3, world.now_ns)
    look.looks(4)
    (alert,) = world.escalations("POSITION_MISMATCH")
    assert alert.severity is Severity.WARNING
    for _ in range(3):
        look.again()
        look.looks(3)
    assert len(world.escalations("POSITION_MISMATCH")) == 1
