"""E18, E20: how a cell stands is known at the gateway, whichever of its letters gets lost."""

from __future__ import annotations

from pathlib import Path

from cell_post import Clock, PostedCell
from gateway_door import LONG, SHORT, door, lets_out, order, refuses
from world import World

from actors.cell import WATCH_EVERY
from actors.machine import running_on
from domain.execution import Side
from messages.supervision import CellState


def test_e20_a_cell_says_again_how_many_units_stand_uncovered() -> None:
    clock = Clock()
    with running_on(clock):
        world = World()
        cell = PostedCell(world, clock)
        epoch = world.journal.epoch
        assert cell.said(CellState) == [CellState(0, epoch, 0)]
        cell.tree._turn.uncovered_qty = 11  # as its groups would have it
        cell.tell_state()
        cell.tell_state()
        assert cell.said(CellState) == [CellState(0, epoch, 11)]
        cell.rings(3 * WATCH_EVERY)
        assert cell.said(CellState) == [CellState(0, epoch, 11)] * 3


def test_e20_a_lost_letter_neither_hides_a_naked_window_nor_keeps_a_false_one(tmp_path: Path) -> None:
    with door(tmp_path, naked_window_units=10, naked_window_ms=5_000) as gateway:
        bare, covered = CellState(0, 1, 11), CellState(0, 1, 0)
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
