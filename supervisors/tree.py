"""The tree as one list: who starts whom, in which order, and what happens when one dies.

``RootSupervisor``, ``one_for_one``: a gateway restart must not take the cells down with it, nor a notifier anything.
The notifier starts first, so that there is somebody to tell; the gateway next; the cells when there is a door; the
the reconciler and the metrics last, because nobody needs them to trade: a system that cannot keep them running goes on
without.
``CellSupervisor``, ``one_for_one``: cells are bulkheads.  Restarts multiply through levels, so the budget counts: with
the default of 10 in 30 s a cell may come back at most 10 times before its supervisor gives up, and that ends in a safe
halt (kill switch on, a person alerted), never in a restart of the whole system.
"""

from __future__ import annotations

from config.schema import Config
from decisions.supervision import ChildSpec, Restart, Strategy, SupervisorSpec

NOTIFIER, GATEWAY, CELLS, METRICS = "notifier", "gateway", "cells", "metrics"
RECONCILER = "reconciler"
NOT_VITAL = frozenset({METRICS, RECONCILER})


def root_spec(config: Config) -> SupervisorSpec:
    """The children of the RootSupervisor."""
    return _spec(
        config,
        (NOTIFIER, "actors.notifier.Notifier"),
        (GATEWAY, "actors.gateway.BrokerGateway"),
        (CELLS, "supervisors.cells.CellSupervisor"),
        (RECONCILER, "actors.reconciler.PositionReconciler"),
        *([(METRICS, "actors.metrics.Metrics")] if config.metrics.port else []),
    )


def cells_spec(config: Config) -> SupervisorSpec:
    """The children of the CellSupervisor."""
    return _spec(
        config,
        *((f"cell-{index}", "actors.cell.Cell") for index in range(config.system.cells)),
    )


def _spec(config: Config, *children: tuple[str, str]) -> SupervisorSpec:
    budget = config.supervision
    return SupervisorSpec(
        strategy=Strategy.ONE_FOR_ONE,
        intensity=budget.intensity,
        period_ms=budget.period_ms,
        backoff_ms=budget.backoff_ms,
        backoff_max_ms=budget.backoff_max_ms,
        children=tuple(
            ChildSpec(name=name, restart=Restart.PERMANENT, position=position, actor=actor, vital=name not in NOT_VITAL)
            for position, (name, actor) in enumerate(children)
        ),
    )
