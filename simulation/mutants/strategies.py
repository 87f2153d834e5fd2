"""Bugs of strategies: which vertical there is, whether it is gone, and who may still enter one."""

from __future__ import annotations

from typing import Final

from simulation.aims import only
from simulation.mutants.catalogue import Mutant
from simulation.mutants.planting import edit

ONE: Final = {"strategies": 1, "groups": 1}

MUTANTS: Final = (
    Mutant(
        "next-vertical-before-flat",
        "a strategy takes a vertical that is being closed for closed, and enters the next one",
        ("STRATEGY",),
        edit(
            "decisions.strategies.strategy:_look_closing",
            ("if view.outcome is GroupOutcome.FLAT:", "if view.outcome is not GroupOutcome.HALTED:"),
        ),
        ONE | {"it enters again": True} | only("F.market.dry"),
    ),
    Mutant(
        "stopped-and-kept",
        "a strategy that is stopped keeps what it holds",
        ("L1",),
        edit("decisions.strategies.strategy:_look_open", ("is Standing.STOPPED", "is None")),
        ONE | only(),
    ),
    Mutant(
        "vertical-forgotten",
        "a strategy is started again without the vertical that it has, and enters another one",
        ("STRATEGY",),
        edit(
            "actors.strategies:Strategies._start",
            ("self.verticals.get(record.group_id) if record else None", "None"),
            (
                "self.rules[name], name in self.configured, record,",
                "self.rules[name], name in self.configured, record and "
                "replace(record, status=StrategyStatus.FLAT, group_id=''),",
            ),
        ),
        ONE | {"it enters again": True} | only("F.process.kill"),
    ),
)
