"""The configuration of a seed: what decides most is drawn for each; of all the rest one setting stands at an edge."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from config.load import POLL_ASKS
from config.schema import (
    AlertsConfig,
    BrokerConfig,
    Config,
    ControlsConfig,
    HedgeConfig,
    MetricsConfig,
    OrdersConfig,
    ReconciliationConfig,
    SupervisionConfig,
    SystemConfig,
)
from simulation.tape import Corners, Tape

CONTROLS: tuple[dict[str, Any], ...] = (
    *({},) * 12,
    {"max_order_qty": 3},
    {"max_order_notional": 2_000},
    {"max_short_units_underlying": 2},
    {"max_short_units": 10},
    {"max_open_orders": 2},
    {"max_working_notional": 2_000},
    {"max_order_premium": 500},
    {"max_day_premium": 2_000},
    {"max_loss": 100},
    {"naked_window_units": 0, "naked_window_ms": 100},
    {"repeat_limit": 1},
    {"strategy_limit": 1},
    {"restricted": ("XYZ",)},
    {"price_collar_pct": 2.0, "price_collar_floor": 0.1},
    {"max_margin_use_pct": 20.0},
)  # hardly any seed meets two that are tight

EDGES: Final[tuple[tuple[str, Any], ...]] = (
    *(("", None),) * 20,
    ("broker.silence_timeout_ms", 5_000),
    ("broker.cancel_on_disconnect_ms", 0),
    ("broker.cancel_on_disconnect_ms", 1_000),
    ("orders.cancel_timeout_ms", 100),
    ("orders.cancel_timeout_ms", 5_000),
    ("orders.max_cancels", 1),
    ("orders.quote_max_age_ms", 10_000),
    ("orders.entry_step_pct", 0.0),
    ("orders.entry_step_pct", 5.0),
    ("orders.market_patience_ms", 100),
    ("orders.market_patience_ms", 5_000),
    ("orders.market_reprices", 1),
    ("orders.market_band_pct", 1.0),
    ("orders.absence_horizon_ms", 6_000),
    ("hedge.window_ms", 0),
    ("hedge.window_ms", 2_000),
    ("hedge.window_ms", 7_500),
    ("hedge.concession_pct", 0.0),
    ("hedge.concession_pct", 10.0),
    ("stop_loss.offset_pct", 0.0),
    ("stop_loss.offset_pct", 5.0),
    ("stop_loss.fallback_ms", 200),
    ("stop_loss.fallback_ms", 10_000),
    ("stop_loss.max_unprotected_ms", 300),
    ("stop_loss.blind_ms", 1_000),
    ("stop_loss.max_spread_pct", 1.0),
    ("controls.cross_wait_ms", 20),
    ("controls.cross_wait_ms", 5_000),
    ("controls.reference_max_age_ms", 10_000),
    ("margin.quote_wait_ms", 500),
    ("margin.funds_max_age_ms", 5_000),
    ("reconciliation.positions_ms", 1_000),
    ("reconciliation.grace_ms", 1_000),
    ("reconciliation.grace_ms", 8_000),
    ("supervision.group_crashes", 1),
    ("supervision.broker_silence_ms", 2_000),
    ("supervision.broker_silence_ms", 10_000),
    ("alerts.exposure_units", 1),
    ("alerts.uncovered_ms", 2_000),
    ("alerts.freeze_after_ms", 10_000),
    ("alerts.margin_use_pct", 10.0),
    ("margin.max_use_pct", 10.0),
    ("margin.max_use_pct", 100.0),
    ("margin.span_stock_pct", 50.0),
    ("margin.span_volatility_pct", 100.0),
    ("margin.span_extreme_multiple", 10.0),
    ("margin.span_extreme_cover_pct", 100.0),
    ("margin.naked_pct", 100.0),
    ("margin.naked_minimum_pct", 100.0),
    ("margin.price_shocks_pct", (-30.0, 30.0)),
    ("margin.iv_shocks_pct", (300.0,)),
    ("margin.spread_shocks", (10.0,)),
    ("margin.rate_pct", 20.0),
    ("margin.dividend_pct", 20.0),
    ("supervision.period_ms", 60_000),
    ("supervision.period_ms", 5_000),
    ("supervision.backoff_ms", 0),
    ("supervision.backoff_ms", 2_000),
    ("supervision.backoff_max_ms", 10_000),
)
CORNERS: Final[Corners] = {
    "requests a second, and the reserve": ((200, 40), (5, 2), (3, 1)),
    "controls": CONTROLS,
    "cells": (1, 2),
    "answer timeout, ms": (2_000, 500),
    "market orders may rest": (False, True),
    "changes in place": (True, False),
    "stops at the broker": (True, True, False),
    "entry patience, ms": (20_000, 8_000, 40_000),
    "an entry works for, ms": (3_000, 1_000, 30_000),
    "attempts": (3, 1, 6),
    "hedge depth": (3, 1, 2),
    "hedge timeout, ms": (5_000, 1_000),
    "restarts in a period": (*(50,) * 9, 10, 3, 1),
    "poll, ms": (2_000, 1_000, 4_000, 2_000, 1_000, 12_000, 2_000, 1_000, 2_000, 1_000, 2_000, 1_000),
    "a setting at its edge": EDGES,
}


def draw_config(tape: Tape, *, rests: bool, calendar: str) -> Config:
    """A seed's configuration, one that would be loaded.  ``rests``: the house turns market orders into limits."""
    rate, reserved = tape.corner("requests a second, and the reserve", CORNERS)
    limits = tape.corner("controls", CORNERS)
    polled_by_all = rate - reserved == POLL_ASKS  # a poll a second is refused then: no new order could leave
    config = Config(
        controls=ControlsConfig(orders_per_second=rate, reserved_tokens=reserved, **limits),
        system=SystemConfig(journal_dir="journals", cells=tape.corner("cells", CORNERS)),
        broker=BrokerConfig(
            calendar=calendar,
            answer_timeout_ms=tape.corner("answer timeout, ms", CORNERS),
            market_orders_rest=rests or tape.corner("market orders may rest", CORNERS),
            replace_in_place=tape.corner("changes in place", CORNERS),
            server_side_stops=tape.corner("stops at the broker", CORNERS),
        ),
        orders=OrdersConfig(
            entry_patience_ms=tape.corner("entry patience, ms", CORNERS),
            working_timeout_ms=tape.corner("an entry works for, ms", CORNERS),
            max_attempts=tape.corner("attempts", CORNERS),
        ),
        hedge=HedgeConfig(
            depth=tape.corner("hedge depth", CORNERS), timeout_ms=tape.corner("hedge timeout, ms", CORNERS)
        ),
        supervision=SupervisionConfig(
            heartbeat_ms=2_000,
            heartbeat_timeout_ms=6_000,
            start_timeout_ms=8_000,
            intensity=tape.corner("restarts in a period", CORNERS),
        ),
        alerts=AlertsConfig(repeat_ms=10_000),
        reconciliation=ReconciliationConfig(
            poll_ms=max(  # a long one costs much: a run ends when two have said that nothing is left
                tape.corner("poll, ms", CORNERS),
                2_000 if polled_by_all else 0,
            )
        ),
        metrics=MetricsConfig(port=0),
    )
    edge, value = tape.corner("a setting at its edge", CORNERS)
    if polled_by_all and edge == "reconciliation.positions_ms":
        return config
    return at_edge(config, edge, value)


def at_edge(config: Config, edge: str, value: Any) -> Config:
    """The same with this setting (``section.key``; "": none) at this value."""
    if not edge:
        return config
    section, key = edge.split(".")
    return replace(config, **{section: replace(getattr(config, section), **{key: value})})
