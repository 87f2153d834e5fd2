"""A strategy: the standing instruction to enter, watch, adjust and close verticals of one kind, one at a time."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import time
from enum import Enum

import msgspec

from domain.plans import home_cell
from domain.verticals import VerticalKind

STRATEGY_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")


class StrategyRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of one strategy.  Percentages are plain numbers; prices are in ten-thousandths.

    Exactly one of ``short_distance_pct`` and ``short_delta`` is set, and exactly one of ``width`` and
    ``width_strikes``; docs/strategies.md tells what each means.
    """

    name: str
    kind: VerticalKind
    underlying: str
    quantity: int
    short_distance_pct: float = 0.0
    short_delta: float = 0.0
    width: int = 0
    width_strikes: int = 0
    min_days: int = 7
    max_days: int = 60
    min_credit: int = 0
    max_debit: int = 0
    profit_target_pct: float = 50.0
    stop_loss_pct: float = 0.0
    adjust_within_pct: float = 20.0
    max_adjustments: int = 1
    exit_days_before_expiry: int = 1
    exit_time: str = "00:00"
    re_enter: bool = False
    retry_ms: int = 5_000
    max_tries: int = 10
    enabled: bool = True

    @property
    def exit_clock(self) -> time:
        """``exit_time`` as a time of the day, on the exchange's clocks."""
        return time.fromisoformat(self.exit_time)


class StrategyStatus(Enum):
    """Where a strategy is with its vertical."""

    FLAT = "flat"
    ENTERING = "entering"
    OPEN = "open"
    CLOSING = "closing"


class Standing(Enum):
    """What a strategy may do."""

    ACTIVE = "active"
    STOPPED = "stopped"  # by an operator: what is open is closed, nothing is entered
    ENDED = "ended"  # nothing more is entered; what is open is still watched
    DISABLED = "disabled"  # it failed twice, or its group was given up: it does nothing until a person starts it


class Exit(Enum):
    """Why a vertical was closed, or came to nothing."""

    NONE = ""  # it has not been
    PROFIT_TARGET = "profit target"
    STOP_LOSS = "stop loss"
    ADJUSTMENT = "adjustment"
    EXPIRY = "before expiry"
    OPERATOR = "operator"
    ELSEWHERE = "elsewhere"  # its group was closed by something else: a cancel, a stop of its own, a late bust
    NOT_ENTERED = "not entered"
    HALTED = "halted"  # the group ended halted; the rest is a person's
    EXPIRED = "expired"


_OF_STRATEGY = re.compile(rf"({STRATEGY_NAME.pattern})\.p?\d+(\.\d+)?")


def strategy_of(group_id: str) -> str:
    """The name of the strategy that a group's id was made for by :func:`strategy_group_id`; "" for any other id."""
    found = _OF_STRATEGY.fullmatch(group_id)
    return found.group(1) if found else ""


def strategy_group_id(name: str, number: int, cells: Collection[int]) -> str:
    """The id of a strategy's group: made of the strategy's name and the group's number, and the same every time.

    A suffix makes the group's home cell the strategy's own with each of these numbers of ``cells``, so that one process
    holds both.  With the numbers of both realms the id is the same in either: it is known before the realm is.
    """
    plain = f"{name}.{number}"
    tries = (plain if not salt else f"{plain}.{salt}" for salt in range(100_000))
    return next(one for one in tries if all(home_cell(one, many) == home_cell(name, many) for many in cells))
