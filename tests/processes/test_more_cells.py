"""A system that is started again with more cells: what is known stays where it is, what is new is spread."""

from __future__ import annotations

from pathlib import Path

import pytest
from evidence import finish
from system import System, bench, id_in_cell, plan, wait_for

from cli import control
from cli.problems import CommandFailed
from domain.groups import GroupOutcome
from domain.plans import home_cell

BEFORE, AFTER = 2, 3


def id_that_moves() -> str:
    """A group of the first cell, which another one would get by its id when there are more."""
    return next(name for n in range(100) if home_cell(name := id_in_cell(0, f"moves-{n}", BEFORE), AFTER) != 0)


def wait_until_open(system: System) -> None:
    for cell in range(AFTER):
        system.wait_for_state(f"cell-{cell}", "open")


def test_R7_an_open_group_is_canceled_by_its_own_cell_and_entered_by_no_other(tmp_path: Path) -> None:
    """Other cells would make other order ids of the same plan: no check of the broker's would notice."""
    group, new = id_that_moves(), id_in_cell(2, "new", AFTER)
    with bench(tmp_path) as where:
        system = where.start()
        system.wait_until_open()
        system.submit(plan(group, 200))
        wait_for(lambda: where.received(group), "its first order")
        system.stop()
        system = where.start(LEGKEEPER_SYSTEM_CELLS=str(AFTER))
        wait_until_open(system)
        with pytest.raises(CommandFailed, match="has been submitted before"):
            system.submit(plan(group, 200))
        control.ask(where.journal_dir, control.cancel(group))
        system.submit(plan(new))
        ends = {group: GroupOutcome.FLAT, new: GroupOutcome.HEDGED}
        wait_for(lambda: where.certified(*ends) == ends, f"{ends}")
        finish(where, *ends, outcome=None)
        assert {each.group_id: each.cell for each in where.groups()} == {group: 0, new: 2}
