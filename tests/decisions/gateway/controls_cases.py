"""One order in front of the gateway's controls, with limits that are easy to stand on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway_cases import (
    INSTRUMENT,
    NOW,
    QUOTE,
    SYMBOL,
)
from msgspec.structs import replace

from config.schema import ControlsConfig
from decisions.gateway.controls import Controls, Judgement
from decisions.gateway.ledger import Ledger
from domain.execution import OrdType
from domain.groups import Role
from domain.instruments import Instrument
from domain.quotes import Quote
from messages.orders import SubmitOrder

CONFIG = ControlsConfig(
    max_order_qty=500,
    max_order_notional=100_000,
    price_collar_pct=20.0,
    price_collar_floor=1.0,
    reference_max_age_ms=1_000,
    max_open_orders=3,
)
MARKET: dict[str, Any] = {"order_type": OrdType.MARKET, "price": 0}
STOP: dict[str, Any] = {
    "role": Role.STOP_LIMIT,
    "order_type": OrdType.STOP_LIMIT,
    "trigger_price": 100_000,
    "price": 100_500,
}
ENTRY_CHECKS = "E7 E3 E9 E4 E17 E2 E1 E6 E5"
REPAIR_CHECKS = "E7 E3 E4 E17 E2 E1 E6"


def judge(
    order: SubmitOrder,
    *,
    config: ControlsConfig = CONFIG,
    instruments: Iterable[Instrument] = (INSTRUMENT,),
    quote: Quote | None = QUOTE,
    ledger: Ledger | None = None,
    now_ns: int = NOW,
    killed: bool = False,
) -> Judgement:
    controls = Controls(config)
    controls.learn(instruments)
    quotes = {SYMBOL: quote} if quote else {}
    return controls.judge(order, quotes, ledger or Ledger(), now_ns=now_ns, killed=killed)


def refused_by(name: str, judgement: Judgement) -> bool:
    """Whether exactly this control refused, with words, and is the last one that was applied."""
    worded = judgement.reason.startswith(f"{name}: ") and len(judgement.reason) > len(name) + 10
    last = judgement.checks.split()[-1] == name
    return not judgement.allowed and not judgement.duplicate and worded and last


def instrument(**changes: Any) -> Instrument:
    return replace(INSTRUMENT, **changes)


def quote(**changes: Any) -> Quote:
    return replace(QUOTE, **changes)


def ledger_of(*orders: SubmitOrder) -> Ledger:
    ledger = Ledger()
    for order in orders:
        ledger.sent(order)
    return ledger
