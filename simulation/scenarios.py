"""Short stories with a name, told the same way every time: what the crash sweeps crash.

Their markets follow a script instead of a tape, and their times are short, because each is run thousands of times.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

import msgspec

from config.schema import (
    AlertsConfig,
    BrokerConfig,
    Config,
    HedgeConfig,
    MetricsConfig,
    OrdersConfig,
    ReconciliationConfig,
    StopLossConfig,
    SupervisionConfig,
    SystemConfig,
)
from domain.groups import Plan, PlanLeg, PlanStop
from domain.quotes import Quote
from simulation.faults import Faults
from simulation.schedule import MS
from simulation.tape import Tape
from simulation.workload import DEEP_POCKETS, SHAPES, TICK, Action, Market, Scenario, option
from venue.rules import Rules

QUOTE_EVERY_NS: Final = 50 * MS


class Scene(msgspec.Struct, frozen=True):
    """From ``at_ms`` on a contract (all of them: "") is quoted around ``mid`` with this size on both sides."""

    at_ms: int
    symbol: str
    mid: int
    size: int


class Sameness(Enum):
    """What a crash inside the recovery from a crash must leave as the first alone would have left it (I21).

    Where the market moves meanwhile, or an order that was lost must be proven absent, the time that a second crash
    takes is a part of the story.
    """

    NOTHING = "nothing"  # even how it ends depends on when what happens
    END = "end"  # how its groups end and what is held; not by which orders
    ALL = "all"  # the market stands still and has room for everything: every order and every row, too


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario: what it is about, what happens, and how the market goes meanwhile."""

    about: str
    scenario: Scenario
    scenes: tuple[Scene, ...] = ()
    same: Sameness = Sameness.NOTHING

    def market(self, tape: Tape, faults: Faults, symbols: tuple[str, ...]) -> Market:
        """The market of this story."""
        return ScriptedMarket(tape, faults, symbols, self.scenes)


class ScriptedMarket(Market):
    """Says what its scenes say."""

    def __init__(self, tape: Tape, faults: Faults, symbols: tuple[str, ...], scenes: tuple[Scene, ...]) -> None:
        super().__init__(tape, faults, symbols)
        self.scenes = scenes
        self.every_ns = QUOTE_EVERY_NS

    def quotes(self, from_ns: int) -> Iterator[Quote]:
        self.began_ns = from_ns
        return super().quotes(from_ns)

    def _next(self, symbol: str, at_ns: int) -> Quote:
        mid, size = self.mids[symbol], 200
        for scene in self.scenes:
            if scene.symbol in ("", symbol) and at_ns - self.began_ns >= scene.at_ms * MS:
                mid, size = scene.mid, scene.size
        return Quote(symbol, at_ns, mid - TICK // 2, size, mid + TICK // 2, size)


MID: Final = 20_250


def a_plan(group_id: str, shape: str, quantity: int, stop: int = 0) -> Plan:
    """A group of a shape of the workload; ``stop`` triggers a stop-loss of its first short."""
    legs = tuple(
        PlanLeg(
            leg_id=f"{side.value}{right.value}{strike}", symbol=option(strike, right).symbol, side=side, ratio=ratio
        )
        for strike, right, side, ratio in SHAPES[shape]
    )
    short = next((leg.leg_id for leg in legs if leg.leg_id.startswith("sell")), "")
    stops = (PlanStop(leg_id=short, trigger_price=stop),) if stop else ()
    return Plan(group_id=group_id, quantity=quantity, legs=legs, strategy=shape, stops=stops)


def _symbol(shape: str, row: int) -> str:
    strike, right, _, _ = SHAPES[shape][row]
    return option(strike, right).symbol


def _config(cells: int, rests: bool, hedge_ms: int) -> Config:
    return Config(
        system=SystemConfig(journal_dir="journals", cells=cells),
        broker=BrokerConfig(answer_timeout_ms=500, market_orders_rest=rests),
        orders=OrdersConfig(entry_patience_ms=8_000, working_timeout_ms=1_000, market_patience_ms=300),
        hedge=HedgeConfig(depth=2, timeout_ms=hedge_ms, window_ms=100),
        stop_loss=StopLossConfig(fallback_ms=400),
        reconciliation=ReconciliationConfig(poll_ms=1_000, positions_ms=1_000),
        supervision=SupervisionConfig(
            heartbeat_ms=2_000, heartbeat_timeout_ms=6_000, start_timeout_ms=8_000, intensity=50
        ),
        alerts=AlertsConfig(repeat_ms=2_000),
        metrics=MetricsConfig(port=0),
    )


def a_tale(
    about: str,
    *actions: Action,
    scenes: tuple[Scene, ...] = (),
    cells: int = 1,
    protection_pct: float = 0.0,
    promises_ids: bool = True,
    fire_ms: int = 2_000,
    hedge_ms: int = 400,
    same: Sameness = Sameness.NOTHING,
) -> Story:
    """One story with short times."""
    rules = Rules(cash=DEEP_POCKETS, cancel_latency_ns=5 * MS, market_protection_pct=protection_pct)
    return Story(
        about=about,
        scenes=scenes,
        same=same,
        scenario=Scenario(
            config=_config(cells, bool(protection_pct), hedge_ms),
            rules=rules,
            promises_ids=promises_ids,
            actions=actions,
            fire_ns=fire_ms * MS,
        ),
    )


def submitted(plan: Plan, at_ms: int = 300) -> Action:
    """The operator submits it."""
    return Action(at_ms * MS, "submit", plan)


_PUTS = a_plan("g0", "bull_put", 2)
_CONDOR = a_plan("g0", "iron_condor", 2)
_DRY = Scene(0, "", MID, 0)

STORIES: Final = {
    "vertical_entry": a_tale("a put spread is entered", submitted(_PUTS), fire_ms=1_000, same=Sameness.ALL),
    "no_promise": a_tale(
        "a put spread is entered at a broker that does not deduplicate ids", submitted(_PUTS),
        promises_ids=False, fire_ms=1_000, same=Sameness.END,
    ),
    "condor_in_parts": a_tale(
        "an iron condor fills unit by unit", submitted(_CONDOR), scenes=(Scene(0, "", MID, 1),),
        same=Sameness.END,
    ),
    "bust_after_hedged": a_tale(
        "a trade of the protection is busted when all is hedged", submitted(_PUTS),
        Action(900 * MS, "bust", symbol=_symbol("bull_put", 0)), fire_ms=1_500,
        same=Sameness.END,
    ),
    "shortfall_to_escalation": a_tale(
        "protection is busted, nobody offers any more, the hedges run out and a person is called", submitted(_PUTS),
        Action(900 * MS, "bust", symbol=_symbol("bull_put", 0)),
        scenes=(Scene(800, _symbol("bull_put", 0), MID, 0),), fire_ms=2_500,
    ),
    "stop_fires": a_tale(
        "the price of the short reaches its stop-loss", submitted(a_plan("g0", "bull_put", 2, stop=30_000)),
        scenes=(Scene(900, _symbol("bull_put", 1), 30_250, 200),), fire_ms=1_600,
    ),
    "stop_falls_back": a_tale(
        "the price jumps over the stop's limit, and a market order must follow",
        submitted(a_plan("g0", "bull_put", 2, stop=30_000)),
        scenes=(Scene(900, _symbol("bull_put", 1), 36_250, 200),), fire_ms=2_200,
    ),
    "operator_cancels": a_tale(
        "the operator cancels an iron condor that is half in",
        submitted(_CONDOR), Action(900 * MS, "cancel", _CONDOR), scenes=(Scene(0, "", MID, 1),),
        same=Sameness.END,
    ),
    "kill_switch": a_tale(
        "the kill switch goes on while a spread is entered, and off again", submitted(a_plan("g0", "bull_put", 4)),
        Action(600 * MS, "kill_switch", on=True), Action(1_400 * MS, "kill_switch"),
        scenes=(Scene(0, "", MID, 1),), fire_ms=1_800,
    ),
    "two_cells": a_tale(
        "two groups in two cells", submitted(a_plan("g0", "bull_put", 2)), submitted(a_plan("g1", "bear_call", 2), 320),
        cells=2, fire_ms=1_000, same=Sameness.ALL,
    ),
    "market_order_rests": a_tale(
        "a hedge's market order becomes a limit at this house, and rests while the price runs away", submitted(_PUTS),
        Action(900 * MS, "bust", symbol=_symbol("bull_put", 0)),
        scenes=(
            Scene(800, _symbol("bull_put", 0), MID, 0), Scene(2_300, _symbol("bull_put", 0), MID + 2_000, 1),
        ),
        protection_pct=1.0, fire_ms=3_500, hedge_ms=1_000,
    ),
}  # fmt: skip
