"""R13, I26, E18: what a person asks for, and what waits for a person."""

from __future__ import annotations

import pytest
from world import LONG, SHORT, World, bull_put, put

from config.schema import AlertsConfig, Config
from domain.groups import GroupOutcome, Policy, Role
from messages.market import BrokerSilent
from messages.operator import Acknowledge, CancelGroup, CommandDone, CommandRefused, GroupAccepted, KillSwitch
from messages.supervision import AlertDelivered


def naked_moments(world: World) -> list[int]:
    """Short units beyond long units, after every fill at the exchange."""
    long = short = 0
    naked = []
    for event in world.truth:
        if event.kind == "fill":
            change = (event.last_qty or 0) * (1 if event.side == "buy" else -1)
            long, short = (long + change, short) if event.symbol == LONG else (long, short - change)
            naked.append(max(0, short - long))
    return naked


class TestCancel:
    @pytest.mark.parametrize("policy", Policy)
    @pytest.mark.parametrize("steps", [0, 1, 2, 3, 10])
    def test_r13_a_cancel_in_mid_entry_ends_flat_and_is_never_naked_on_the_way(
        self, steps: int, policy: Policy
    ) -> None:
        world = World(size=3)
        world.submit(bull_put(quantity=10, policy=policy))
        world.advance(100 * steps, fresh=True)
        world.take([CancelGroup("bp")])
        world.advance(5_000, fresh=True)
        assert (world.position(LONG), world.position(SHORT)) == (0, 0)
        assert world.group().group.outcome is GroupOutcome.FLAT
        assert set(naked_moments(world)) == {0}
        assert not world.live()

    def test_shorts_are_bought_back_before_their_protection_is_sold(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10))
        world.sizes[SHORT] = 0
        world.show()
        world.take([CancelGroup("bp")])
        world.advance(1_000)
        assert {order.symbol for order in world.orders(Role.CLOSE)} == {SHORT}
        world.sizes[SHORT] = 4
        world.show([SHORT])
        assert [(order.symbol, order.quantity) for order in world.orders(Role.CLOSE)] == [(SHORT, 10), (LONG, 4)]

    def test_a_hedged_group_is_closed_on_purpose(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10))
        assert world.group().group.outcome is GroupOutcome.HEDGED
        world.take([CancelGroup("bp")])
        assert world.group().group.outcome is GroupOutcome.FLAT

    def test_asking_twice_changes_nothing(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10))
        world.take([CancelGroup("bp"), CancelGroup("bp")])
        sent = len(world.received)
        world.take([CancelGroup("bp")])
        assert len(world.received) == sent
        assert isinstance(world.replies[-1][1], CommandDone)

    def test_an_unknown_group_is_refused_by_name(self) -> None:
        world = World()
        world.take([CancelGroup("nobody")])
        reply_to, answer = world.replies[-1]
        assert reply_to == "cancel:nobody"
        assert answer == CommandRefused(("there is no group 'nobody'; 'groups' lists them",))


class TestKillSwitch:
    def test_r13_what_is_covered_is_kept_by_a_kill_and_a_person_is_told_of_the_halt(self) -> None:
        world = World(size=3)
        world.submit(bull_put(quantity=10))
        world.take([KillSwitch(on=True)])
        assert [cancel.client_order_id for cancel in world.cancels()] == [
            order.client_order_id for order in world.orders(Role.PROTECTION)
        ]
        world.advance(5_000, fresh=True)
        assert (world.position(LONG), world.position(SHORT)) == (3, -3)
        assert world.group().group.outcome is GroupOutcome.HALTED
        assert not world.live()
        assert "GROUP_HALTED" in world.kinds()

    def test_a_hedged_group_is_left_alone(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10))
        sent = len(world.received)
        world.take([KillSwitch(on=True)])
        world.advance(1_000, fresh=True)
        assert len(world.received) == sent
        assert world.group().group.outcome is GroupOutcome.HEDGED

    def test_no_group_is_accepted_until_it_is_switched_off(self) -> None:
        world = World()
        world.take([KillSwitch(on=True)])
        world.submit(bull_put())
        assert isinstance(world.replies[-1][1], CommandRefused)
        world.advance(1_000, fresh=True)
        assert not world.received
        world.take([KillSwitch(on=False)])
        world.submit(bull_put())
        assert isinstance(world.replies[-1][1], GroupAccepted)
        assert world.group().group.outcome is GroupOutcome.HEDGED

    def test_what_is_uncovered_is_hedged_although_new_risk_is_forbidden(self) -> None:
        world = World()
        world.submit(bull_put(quantity=10))
        world.take([KillSwitch(on=True)])
        (fill,) = [r for r in world.exchange.executions() if r.symbol == LONG]
        world.take(world.exchange.bust(fill.exec_id, world.now_ns))
        world.advance(10_000, fresh=True)
        assert world.position(LONG) + world.position(SHORT) >= 0
        assert {order.role for order in world.orders()[2:]} <= {Role.HEDGE, Role.CLOSE}


IMPATIENT = Config(alerts=AlertsConfig(repeat_ms=1_000, freeze_after_ms=3_000))


class TestAlerts:
    def silent(self) -> World:
        world = World(config=IMPATIENT)
        world.take([BrokerSilent("no clock for 3 s")])
        world.snapshot()
        return world

    def test_a_critical_alert_is_sent_again_until_somebody_acknowledges_it(self) -> None:
        world = self.silent()
        (alert,) = world.alerts
        world.advance(900)
        assert world.kinds() == ["BROKER_SILENT"]
        world.advance(100)
        world.advance(1_000)
        assert [again.repeats for again in world.alerts] == [0, 1, 2]
        world.take([Acknowledge(alert.escalation_id, "ada")])
        assert isinstance(world.replies[-1][1], CommandDone)
        world.advance(5_000)
        assert len(world.alerts) == 3
        (kept,) = world.escalations("BROKER_SILENT")
        assert (kept.acknowledged_by, kept.acknowledged_ns > 0) == ("ada", True)

    def test_e18_unacknowledged_past_its_deadline_it_freezes_new_risk(self) -> None:
        world = self.silent()
        (alert,) = world.alerts
        world.advance(2_900)
        world.submit(bull_put("early"))
        assert isinstance(world.replies[-1][1], GroupAccepted)
        world.advance(100)
        world.submit(bull_put("late"))
        assert isinstance(world.replies[-1][1], CommandRefused)
        world.take([Acknowledge(alert.escalation_id, "ada")])
        world.advance(100)
        world.submit(bull_put("later"))
        assert isinstance(world.replies[-1][1], GroupAccepted)

    def test_delivery_is_no_acknowledgement(self) -> None:
        world = self.silent()
        (alert,) = world.alerts
        world.take([AlertDelivered(alert.escalation_id, alert.repeats)])
        assert world.escalations("BROKER_SILENT")[0].delivered_ns == world.now_ns
        world.advance(1_000)
        assert [again.repeats for again in world.alerts] == [0, 1]

    def test_it_survives_a_restart(self) -> None:
        world = self.silent()
        world.restart()
        world.advance(3_000)
        assert [again.repeats for again in world.alerts] == [0, 1, 2, 3]
        world.submit(bull_put())
        assert isinstance(world.replies[-1][1], CommandRefused)

    def test_acknowledging_what_is_not_there_is_refused(self) -> None:
        world = World()
        world.take([Acknowledge("NOTHING", "ada")])
        assert world.replies[-1] == (
            "acknowledge:NOTHING",
            CommandRefused(("no alert 'NOTHING' waits for anybody",)),
        )

    def test_e18_a_frozen_cell_still_hedges(self) -> None:
        world = self.silent()
        world.submit(bull_put(quantity=10))
        world.advance(4_000)
        (fill,) = [r for r in world.exchange.executions() if r.symbol == put(90)]
        world.take(world.exchange.bust(fill.exec_id, world.now_ns))
        world.advance(1_000, fresh=True)
        assert world.position(LONG) == 10
