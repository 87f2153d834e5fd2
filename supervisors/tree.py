"""The tree as one list: who starts whom, in which order, and what happens when one dies.

``RootSupervisor``, ``one_for_one``: a gateway restart must not take the cells down with it, nor a notifier anything.
The notifier starts first, so that there is somebody to tell; the gateway next; the cells last, when there is a door.
``CellSupervisor``, ``one_for_one``: cells are bulkheads.  Restarts multiply through levels, so the budget counts: with
the default of 10 in 30 s a cell may come back at most 10 times before its supervisor gives up, and that ends in a safe
halt (kill switch on, a person alerted), never in a restart of the whole system.
"""

from __future__ import annotations

from decisions.supervision import ChildSpec, Restart, Strategy, SupervisorSpec

from config.schema import Config

NOTIFIER, GATEWAY, CELLS = "notifier", "gateway", "cells"


def root_spec(config: Config) -> SupervisorSpec:
    """The children of the RootSupervisor."""
    return _spec(
        config,
        ChildSpec(name=NOTIFIER, restart=Restart.PERMANENT, actor="actors.notifier.Notifier"),
        ChildSpec(name=GATEWAY, restart=Restart.PERMANENT, actor="actors.gateway.BrokerGateway"),
        ChildSpec(name=CELLS, restart=Restart.PERMANENT, actor="supervisors.cells.CellSupervisor"),
    )


def cells_spec(config: Config) -> SupervisorSpec:
    """The children of the CellSupervisor."""
    return _spec(
        config,
        *(
            ChildSpec(name=f"cell-{index}", restart=Restart.PERMANENT, actor="actors.cell.Cell", index=index)
            for index in range(config.system.cells)
        ),
    )


def _spec(config: Config, *children: ChildSpec) -> SupervisorSpec:
    budget = config.supervision
    return SupervisorSpec(
        strategy=Strategy.ONE_FOR_ONE,
        intensity=budget.intensity,
        period_ms=budget.period_ms,
        backoff_ms=budget.backoff_ms,
        backoff_max_ms=budget.backoff_max_ms,
        children=children,
    )
