"""What the journal remembers of strategies: part of :mod:`messages.records`, by the same rules."""

from __future__ import annotations

import msgspec

from domain.strategies import Exit, Standing, StrategyRules, StrategyStatus
from domain.verticals import VerticalKind


class StrategyRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``strategies``: where one strategy stands.  ``rules`` are kept so that no change of the file forgets it."""

    name: str
    cell: int
    kind: VerticalKind
    underlying: str
    status: StrategyStatus
    standing: Standing
    reason: str  # what it waits for, or why it stands as it does
    group_id: str  # of the vertical that it has, or is about to have; "" while flat
    number: int  # of its last group
    adjustments: int  # in the present chain of rolls
    rolled_from: str  # the group that the next one takes the place of; "" when it takes no place
    beyond_strike: int  # the next short strike must lie further out than this; 0: anywhere
    tries: int  # failed attempts to enter in a row
    next_try_ns: int
    verticals: int  # that were entered and closed
    realised: int  # profit of all of them, an amount
    crashes: int  # since a person started it
    rules: StrategyRules  # MessagePack
    created_ns: int
    updated_ns: int
    term: int = 0  # the last that this realm knows of; domain.rollout.leader tells who enters the next vertical in it


class VerticalRecord(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Table ``verticals``: one vertical of a strategy, from its decision to its end; amounts are of the whole position.

    Before ``entered_ns`` the figures are those of the touch at the decision, afterwards those of the fills.
    """

    group_id: str
    strategy: str
    kind: VerticalKind
    underlying: str
    expiry: str
    short_symbol: str
    long_symbol: str
    short_strike: int
    long_strike: int
    quantity: int
    multiplier: int
    entry_spot: int  # the underlying when it was decided
    credit: int  # per unit; negative for a debit
    net: int  # an amount: premium received; negative when paid
    max_profit: int
    max_loss: int
    breakeven: int
    rolled_from: str
    exit: Exit
    exit_reason: str
    closings: int  # how often its group was told to close
    realised: int
    decided_ns: int
    entered_ns: int
    exit_ns: int
    closed_ns: int
