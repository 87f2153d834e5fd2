"""Bugs in what is made of positions that change without an order: whose the units are, and what is settled."""

from __future__ import annotations

from typing import Final

from simulation.aims import one_group, only
from simulation.mutants.catalogue import Mutant
from simulation.mutants.planting import edit, returns, together

MUTANTS: Final = (
    Mutant(
        "expiry-before-its-fill",
        "units that expired are given away before a journal has heard of the fill that brought some, and for good",
        ("L1",),
        together(
            edit("decisions.positions.position_changes:_told", ("if balance.unheard:", "if False:")),
            edit("decisions.positions.reconciler:Reconciler.look", ("and not one.unheard", "")),
            returns("decisions.positions.position_changes:settled", "[]"),
        ),
        aim=only("F.broker.expiry", "F.market.dry", "F.process.program", "F.wire.cut"),
    ),
    Mutant(
        "net-is-settled-only",
        "what groups hold of an expired contract against each other stays with them",
        ("L1",),
        returns("decisions.positions.position_changes:settled", "[]"),
        aim=only("F.broker.expiry", "F.process.kill", "F.broker.drop_report", "F.market.gap", "F.wire.reset"),
    ),
    Mutant(
        "losses-are-nobodys",
        "units that went are booked for nobody, whichever group held them",
        ("R21",),
        returns("decisions.positions.owners:Owners.hand_out", '[("", "", quantity)]'),
        aim={**only("F.broker.liquidation"), **one_group("bull_put", 10)},
    ),
    Mutant(
        "undone-at-a-groups-cost",
        "what is bought back by hand is taken from a group, and what was sold by hand stays nobody's",
        ("R21",),
        edit(
            "decisions.positions.owners:Owners.hand_out",
            ("nobodys = min(abs(quantity), self._free.get((symbol, comes), 0))", "nobodys = 0"),
        ),
        aim={**only("F.broker.manual"), **one_group("bull_put", 10)},
    ),
)
