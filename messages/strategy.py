"""The conversation between a Desk and its strategies.  Like all conversations of a tree it speaks of levels."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from domain.groups import GroupOutcome, Mode, Plan
from domain.instruments import Instrument
from domain.strategies import StrategyRules
from messages.strategy_records import StrategyRecord, VerticalRecord


class AppointStrategy(msgspec.Struct, frozen=True, tag=True):
    """What a strategy is, and what the journal knows of it (Desk to Strategy).  ``configured``: the file has it."""

    rules: StrategyRules
    configured: bool
    record: StrategyRecord | None = None
    vertical: VerticalRecord | None = None


class GroupView(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """How a strategy's group stands, by its records and fills."""

    outcome: GroupOutcome
    mode: Mode
    reason: str
    given_up: bool
    live: bool  # orders that may still trade
    held: Mapping[str, int]  # by symbol, short negative; what is 0 is left out
    cash: int  # an amount: what all fills brought, less what they cost


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What a realm sees of the share and of the other realm, as far as one strategy is concerned.

    ``other`` is what the other realm has written down of it; ``None``: nothing.  ``problem``: why neither is known.
    """

    share: int = 0
    other: StrategyRecord | None = None
    problem: str = ""


class LookAtStrategy(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Look at the world again (Desk to Strategy): the strategy's group, if there is one, and the broker's list."""

    group: GroupView | None
    waiting: bool  # its plan waits for quotes, or is being let in
    listed: Mapping[str, Instrument]
    beside: Beside | None = None  # while it has no group; None also where there is no other realm


class PlanRefused(msgspec.Struct, frozen=True, tag=True):
    """The strategy's plan was not let in (Desk to Strategy)."""

    group_id: str
    problems: tuple[str, ...]


class RunStrategy(msgspec.Struct, frozen=True, tag=True):
    """A person wants the strategy to run, or to stop and close what it has (Desk to Strategy)."""

    run: bool
    by: str = "the operator"


class OfferPlan(msgspec.Struct, frozen=True, tag=True):
    """Let this plan in, if it is not in yet (Strategy to Desk)."""

    name: str
    plan: Plan


class WithdrawPlan(msgspec.Struct, frozen=True, tag=True):
    """Do not wait for this plan's quotes any more (Strategy to Desk)."""

    group_id: str


class CloseVertical(msgspec.Struct, frozen=True, tag=True):
    """Flatten this group, shorts first (Strategy to Desk)."""

    group_id: str
    reason: str


class WatchSymbols(msgspec.Struct, frozen=True, tag=True):
    """Quotes of these symbols are wanted (Strategy to Desk)."""

    symbols: tuple[str, ...]


class Mark(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a vertical is worth by the quotes of now.  ``problem``: why that cannot be told.

    ``pnl`` is at the prices at which it could be closed, ``fair_pnl`` at the mids; both are amounts.
    """

    problem: str = ""
    pnl: int = 0
    fair_pnl: int = 0
    spot: int = 0
    distance_pct: float = 0.0  # of the underlying to the short strike, in per cent of what it was at entry


class StrategySettled(msgspec.Struct, frozen=True, tag=True):
    """How a strategy stands after it has looked (Strategy to Desk)."""

    record: StrategyRecord
    vertical: VerticalRecord | None
    mark: Mark | None


class StrategyAnswered(msgspec.Struct, frozen=True, tag=True):
    """What came of a person's command (Strategy to Desk)."""

    name: str
    run: bool
    text: str
    refused: bool = False
