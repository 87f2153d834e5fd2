"""The gateway's controls: what operators tell it, and what it tells the cells."""

from __future__ import annotations

import msgspec

from domain.trading import TradingState
from messages.records import Severity


class TradingStateChanged(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Gateway to cells: the trading state now, and why; a level, sent again whenever it may have been missed."""

    state: TradingState
    reason: str


class ControlAlert(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Gateway to one cell, which journals it and keeps it until a person has seen it.

    ``subject`` makes the alert's id: the same one again raises nothing new.
    """

    severity: Severity
    kind: str
    text: str
    subject: str
    group_id: str = ""
    symbol: str = ""
    quantity: int = 0


class SetTradingState(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Operator: this state from now on.  ACTIVE lifts what an operator has asked for, not what a control asks for."""

    state: TradingState
    reason: str
    by: str


class EnableControl(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Operator: what the repeated-execution throttle has disabled may be traded again (E8)."""

    subject: str
    reason: str
    by: str


class OverrideControl(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Operator: let a soft control pass for a while (E10).  ``symbol`` "" means all."""

    control: str
    symbol: str
    reason: str
    by: str
    for_ms: int  # broker time


class AcceptDifferences(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Operator: what the start check found is as it should be.  ``what``: a symbol or an order's id; "" means all."""

    what: str
    reason: str
    by: str


class AskControls(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Operator: what is in force?"""


class ControlsInForce(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The answer: the trading state and why, and one line for everything that is disabled or overridden."""

    state: TradingState
    reason: str
    lines: tuple[str, ...]
