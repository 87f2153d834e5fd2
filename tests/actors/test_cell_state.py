"""E18, E20: how a cell stands is known at the gateway, whichever of its letters gets lost."""

from __future__ import annotations

from pathlib import Path

from cell_post import Clock, PostedCell
from gateway_door import LONG, SHORT, Door, door, lets_out, order, refuses
from world import World, bull_put

from actors.cell import WATCH_EVERY
from actors.cell_tree import CellTree
from actors.machine import running_on
from config.schema import AlertsConfig, Config
from decisions.alerts import freeze_text
from decisions.effects import MS
from domain.calendar import FOREVER_NS
from domain.execution import Side
from domain.groups import Role
from messages.controls import ControlAlert
from messages.operator import Acknowledge, CommandRefused, GroupAccepted
from messages.records import Severity
from messages.supervision import CellState, Hello


def test_e20_a_cell_says_again_how_many_units_stand_uncovered() -> None:
    clock = Clock()
    with running_on(clock):
        world = World()
        cell = PostedCell(world, clock)
        epoch = world.journal.epoch
        assert cell.said(CellState) == [CellState(0, epoch, 0, FOREVER_NS)]
        cell.tree._turn.uncovered_qty = 11  # as its groups would have it
        cell.tell_state()
        cell.tell_state()
        assert cell.said(CellState) == [CellState(0, epoch, 11, FOREVER_NS)]
        cell.rings(3 * WATCH_EVERY)
        assert cell.said(CellState) == [CellState(0, epoch, 11, FOREVER_NS)] * 3


def test_e20_a_lost_letter_neither_hides_a_naked_window_nor_keeps_a_false_one(tmp_path: Path) -> None:
    with door(tmp_path, naked_window_units=10, naked_window_ms=5_000) as gateway:
        bare, covered = CellState(0, 1, 11, FOREVER_NS), CellState(0, 1, 0, FOREVER_NS)
        gateway.passes(60_000)
        gateway.quotes()
        lets_out(gateway, order(LONG, Side.BUY))  # nobody has told it
        gateway.on_cell_state(bare, "cell")
        for _ in range(3):  # that it is told again does not begin the window anew
            gateway.passes(2_000)
            gateway.on_cell_state(bare, "cell")
        gateway.quotes()
        refuses(gateway, order(SHORT, Side.SELL), "E20")
        gateway.on_cell_state(covered, "cell")
        lets_out(gateway, order(SHORT, Side.SELL, attempt=2))


IMPATIENT = Config(alerts=AlertsConfig(repeat_ms=1_000, freeze_after_ms=3_000))
REPEATED = ControlAlert(severity=Severity.CRITICAL, kind="REPEATED_EXECUTION", text="x", subject="s")


class Other(World):
    """Cell 1 of the same system."""

    def new_cell(self) -> CellTree:
        return CellTree(1, self.config, self.journal, **self.declared)


class Two:
    """Two cells at one gateway: what either says of itself is posted, and what the gateway says of the state too."""

    def __init__(self, gateway: Door) -> None:
        self.gateway, self.keeper, self.other = gateway, World(config=IMPATIENT), Other(config=IMPATIENT)
        gateway.on_hello(Hello(1, 1, frozenset()), "other")
        gateway.heard()
        self.told()

    def told(self) -> str:
        """Why the gateway lets no new risk out, and the cells take none; "" when it may leave."""
        for index, world in enumerate((self.keeper, self.other)):
            state = CellState(index, 1, world.cell.uncovered_qty, world.cell.freezes_ns)
            self.gateway.on_cell_state(state, "cell" if index == 0 else "other")
        told = self.gateway.trading.told
        self.keeper.take([told])
        self.other.take([told])
        return told.reason

    def wait(self, ms: int) -> str:
        """Broker time passes, everywhere the same."""
        self.keeper.advance(ms, step_ms=500, fresh=True)
        self.other.advance(ms, step_ms=500, fresh=True)
        self.gateway.passes(self.keeper.now_ns // 10**6 - self.gateway.now_ns // 10**6)
        self.gateway.quotes()
        return self.told()


def test_e18_an_alert_that_one_cell_keeps_freezes_new_risk_of_all_and_an_acknowledgement_ends_that(
    tmp_path: Path,
) -> None:
    with door(tmp_path) as gateway:
        two = Two(gateway)
        assert two.wait(1_000) == ""
        two.keeper.take([REPEATED])
        (alert,) = two.keeper.alerts
        assert two.wait(2_500) == ""
        lets_out(gateway, order(LONG, Side.BUY))
        frozen = two.wait(500)
        assert frozen.startswith("E18: ") and "(cell 0)" in frozen
        assert refuses(gateway, order(SHORT, Side.SELL), "E18") == frozen
        lets_out(gateway, order(LONG, Side.BUY, role=Role.HEDGE))
        assert gateway.canceled == [], "what works goes on working"
        assert (gateway.state(), gateway.detail()) == ("reducing", frozen), "which is what 'status' shows"
        two.other.submit(bull_put("late"))
        (refused,) = [answer for _, answer in two.other.replies]
        assert isinstance(refused, CommandRefused) and frozen in refused.problems[0]
        two.keeper.take([Acknowledge(alert.escalation_id, "ada")])
        assert two.told() == ""
        lets_out(gateway, order(SHORT, Side.SELL, attempt=2))
        two.other.submit(bull_put("later"))
        assert isinstance(two.other.replies[-1][1], GroupAccepted)


def test_e18_an_alert_of_a_cell_that_has_died_freezes_at_its_time_and_its_last_word_stands(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        deadline_ns = gateway.now_ns + 3_000 * MS
        gateway.on_cell_state(CellState(0, 1, 0, deadline_ns), "cell")
        gateway.passes(2_900)
        assert gateway.trading.told.reason == ""
        gateway.passes(100)
        assert gateway.trading.told.reason == freeze_text([0])
        gateway.on_hello(Hello(0, 2, frozenset()), "cell again")
        gateway.passes(100)
        assert gateway.trading.told.reason == freeze_text([0]), "its successor has not said anything yet"
        gateway.on_cell_state(CellState(0, 1, 0, FOREVER_NS), "cell")
        assert gateway.trading.told.reason == freeze_text([0]), "too late"
        gateway.on_cell_state(CellState(0, 2, 0, FOREVER_NS), "cell again")
        assert gateway.trading.told.reason == ""


def test_e18_a_cell_that_is_started_again_tells_the_same_deadline_before_it_hears_a_clock() -> None:
    world = World(config=IMPATIENT)
    world.take([REPEATED])
    before = world.cell.freezes_ns
    assert before == world.alerts[0].raised_ns + 3_000 * MS
    world.restart()
    assert world.cell.freezes_ns == before
