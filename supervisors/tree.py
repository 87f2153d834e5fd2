"""The tree as one list: who starts whom, in which order, and what happens when one dies.

``RootSupervisor``, ``one_for_one``: a gateway restart must not take the cells down with it, nor a notifier anything.
The notifier starts first, so that there is somebody to tell; the gateway next; the cells when there is a door; the
reconciler and the metrics last, because nobody needs them to trade: a system that cannot keep them running goes on
without.  Without a notifier nobody hears of anything, so that there is a halt for it; it is tried again all the same,
and tells of that halt as soon as it lives.
The paper realm (domain/rollout.py) has an exchange, a gateway, cells and a reconciler of its own beside the live ones.
None of them is vital: what cannot be kept running on paper rests and is tried again, and nothing live stops for it.
Who knows whom is a table too, because it is what keeps the realms apart: nothing on paper ever learns the address of
the live gateway, except the paper exchange where it trades on live quotes; that one sends no orders.
``CellSupervisor``, ``one_for_one``: cells are bulkheads.  Restarts multiply through levels, so the budget counts: with
the default of 10 in 30 s a cell may come back at most 10 times before its supervisor gives up, and that ends in a safe
halt (kill switch on, a person alerted), never in a restart of the whole system.
"""

from __future__ import annotations

from config.schema import Config
from decisions.supervision import ChildSpec, Restart, Strategy, SupervisorSpec
from domain.rollout import FIRST_CELL, Realm, realm_of_cell

NOTIFIER, GATEWAY, CELLS, METRICS = "notifier", "gateway", "cells", "metrics"
RECONCILER = "reconciler"
PAPER_EXCHANGE, PAPER_GATEWAY, PAPER_CELLS = "paper-exchange", "paper-gateway", "paper-cells"
PAPER_RECONCILER = "paper-reconciler"
ON_PAPER = frozenset({PAPER_EXCHANGE, PAPER_GATEWAY, PAPER_CELLS, PAPER_RECONCILER})
NOT_VITAL = frozenset({METRICS, RECONCILER}) | ON_PAPER
HARMLESS = frozenset({NOTIFIER})  # it trades nothing: where there was a halt for it, a person is to hear of that
GATEWAYS = {Realm.LIVE: GATEWAY, Realm.PAPER: PAPER_GATEWAY}
CELL_SUPERVISORS = (CELLS, PAPER_CELLS)
CELL_PREFIX = {Realm.LIVE: "cell-", Realm.PAPER: "paper-cell-"}

MEANWHILE = {  # what does not happen while a process is not there
    NOTIFIER: "no alert leaves the system but by the logs",
    GATEWAY: "no order and no stop leaves for the broker, where only what works there already goes on working",
    CELLS: "no cell that ends is started again, and none hears where a gateway is that was",
    RECONCILER: "nobody compares the positions with the broker's, and after a start new risk waits for that",
    METRICS: "nothing is measured",
    PAPER_EXCHANGE: "nothing trades on paper; live groups go on",
    PAPER_GATEWAY: "no order leaves on paper; live groups go on",
    PAPER_CELLS: "no paper cell that ends is started again; live groups go on",
    PAPER_RECONCILER: "nobody compares the positions on paper; live groups go on",
}
OF_A_CELL = (
    "its groups are not worked: no hedge, no close and no stop of theirs leaves, only those at the broker work on"
)


def meanwhile(child: str) -> str:
    """What does not happen while this process of the tree is not there."""
    return MEANWHILE.get(child, OF_A_CELL)


def root_spec(config: Config) -> SupervisorSpec:
    """The children of the RootSupervisor."""
    mode = config.rollout.mode
    live, paper = mode != "paper", mode != "live"
    listens = live or config.paper.quotes == "live"  # in mode paper the broker may still be asked for its quotes
    return _spec(
        config,
        (NOTIFIER, "actors.notifier.Notifier"),
        *([(GATEWAY, "actors.gateway.BrokerGateway")] if listens else []),
        *([(CELLS, "supervisors.cells.CellSupervisor")] if live else []),
        *([(RECONCILER, "actors.reconciler.PositionReconciler")] if live else []),
        *([(PAPER_EXCHANGE, "actors.paper_exchange.PaperExchange")] if paper else []),
        *([(PAPER_GATEWAY, "actors.gateway.BrokerGateway")] if paper else []),
        *([(PAPER_CELLS, "supervisors.cells.CellSupervisor")] if paper else []),
        *([(PAPER_RECONCILER, "actors.reconciler.PositionReconciler")] if paper else []),
        *([(METRICS, "actors.metrics.Metrics")] if config.metrics.port else []),
    )


def cell_name(cell: int) -> str:
    """What a cell's process is called."""
    return f"{CELL_PREFIX[realm_of_cell(cell)]}{cell}"


def cells_spec(config: Config, realm: Realm) -> SupervisorSpec:
    """The children of a CellSupervisor; ``config`` is its realm's view.  A cell's position is its number."""
    first = FIRST_CELL[realm]
    return _spec(
        config,
        *((cell_name(cell), "actors.cell.Cell") for cell in range(first, first + config.system.cells)),
        first=first,
    )


def realm_of(child: str) -> Realm:
    """The realm of a child of the RootSupervisor; what serves both is live."""
    return Realm.PAPER if child in ON_PAPER else Realm.LIVE


def known_as(child: str, peer: str) -> str:
    """The name under which ``child`` knows ``peer``; "" when it is not to know it."""
    if peer == GATEWAY:
        return "" if child in ON_PAPER - {PAPER_EXCHANGE} else GATEWAY
    if peer == PAPER_GATEWAY:
        return GATEWAY if child in (PAPER_CELLS, PAPER_RECONCILER) else ""
    return peer


def _spec(config: Config, *children: tuple[str, str], first: int = 0) -> SupervisorSpec:
    budget = config.supervision
    return SupervisorSpec(
        strategy=Strategy.ONE_FOR_ONE,
        intensity=budget.intensity,
        period_ms=budget.period_ms,
        backoff_ms=budget.backoff_ms,
        backoff_max_ms=budget.backoff_max_ms,
        children=tuple(
            ChildSpec(
                name=name,
                restart=Restart.PERMANENT,
                position=position,
                actor=actor,
                vital=name not in NOT_VITAL,
                harmless=name in HARMLESS,
            )
            for position, (name, actor) in enumerate(children, start=first)
        ),
    )
