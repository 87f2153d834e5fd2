"""The order group: two or more legs that only make sense together (one leg is a group of one)."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from hashlib import blake2b

import msgspec

from domain.execution import Side
from domain.instruments import Instrument


class Role(Enum):
    """Why an order exists."""

    PROTECTION = "PROTECTION"
    RISK = "RISK"
    HEDGE = "HEDGE"
    STOP_LIMIT = "STOP_LIMIT"
    STOP_MARKET = "STOP_MARKET"
    CLOSE = "CLOSE"


ENTRY_ROLES = frozenset({Role.PROTECTION, Role.RISK})  # every other role reduces or repairs


class Policy(Enum):
    """What a group does about a shortfall: buy the missing protection, or reverse what filled (S11)."""

    COMPLETE = "complete"
    FLATTEN = "flatten"


class GroupStatus(Enum):
    """The eleven states of a group (S1).  A halted or flattened group ends in FAILED with its outcome and reason."""

    CREATED = "CREATED"
    VALIDATED = "VALIDATED"
    HEDGE_SUBMITTED = "HEDGE_SUBMITTED"
    HEDGE_PARTIAL = "HEDGE_PARTIAL"
    HEDGE_FILLED = "HEDGE_FILLED"
    RISK_SUBMITTED = "RISK_SUBMITTED"
    RISK_PARTIAL = "RISK_PARTIAL"
    RISK_FILLED = "RISK_FILLED"
    HEDGED = "HEDGED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class GroupOutcome(Enum):
    """The certified ends of a group; nothing else is an end state."""

    OPEN = "open"  # not ended
    HEDGED = "hedged"  # every leg filled as planned
    FLAT = "flat"  # nothing left
    HALTED = "halted"  # a person was alerted, and exposure reduced as far as the market allowed


class Mode(Enum):
    """What a group is trying to do."""

    ENTERING = "entering"
    FLATTENING = "flattening"  # close everything, shorts first
    REDUCING = "reducing"  # cover or close what is uncovered, nothing else; ends halted
    LEFT = "left"  # to a person, for good: its journal does not know all of its orders, and nothing is sent for it


class PlanLeg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One leg as the operator asks for it.  ``limit_price`` 0 means: at the touch, within the configured collar."""

    leg_id: str
    symbol: str
    side: Side
    ratio: int = 1
    limit_price: int = 0


class TriggerOn(Enum):
    """Which price of an option triggers its stop-loss."""

    LAST = "last"  # the broker's own stop order decides, by its own rule
    MID = "mid"  # halfway between bid and ask, watched here
    MARK = "mark"  # what closing would cost now: the ask for a short, the bid for a long; watched here


class PlanStop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stop-loss on one leg: the option price that triggers it, and which price that is compared with."""

    leg_id: str
    trigger_price: int
    trigger_on: TriggerOn = TriggerOn.LAST


class PlanGroupStop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stop-loss on the whole group: the loss, an amount, at which it is flattened, and how open legs are valued."""

    max_loss: int
    judged_on: TriggerOn = TriggerOn.MID


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order group as the operator asks for it.  A leg's quantity is ``quantity`` x its ratio, in units."""

    group_id: str
    quantity: int
    legs: tuple[PlanLeg, ...]
    strategy: str = "custom"
    policy: Policy = Policy.COMPLETE
    allow_naked: bool = False
    stops: tuple[PlanStop, ...] = ()
    stop: PlanGroupStop | None = None


class Leg(msgspec.Struct, frozen=True, array_like=True, kw_only=True, cache_hash=True):
    """One leg after validation: classified, scored and bound to its instrument."""

    leg_id: str
    index: int
    instrument: Instrument
    side: Side
    role: Role  # PROTECTION or RISK
    score: int  # S1: +100 long, +50 long that offsets a short of the group, -50 covered short, -100 naked short
    target_qty: int
    limit_price: int
    stop_trigger: int = 0  # 0: no stop-loss on this leg
    stop_trigger_on: TriggerOn = TriggerOn.LAST


class Group(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A validated plan: what the order group is meant to become."""

    group_id: str
    strategy: str
    policy: Policy
    allow_naked: bool
    legs: tuple[Leg, ...]
    max_loss: int = 0  # an amount; the group is flattened when it has lost so much; 0: no such stop
    judged_on: TriggerOn = TriggerOn.MID  # how its open legs are valued: mid or mark
    requirement: int = 0  # an amount: the margin that it was let in with; 0: not known

    def leg(self, leg_id: str) -> Leg:
        """The leg with this id; ``KeyError`` when there is none."""
        for leg in self.legs:
            if leg.leg_id == leg_id:
                return leg
        raise KeyError(leg_id)


_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TAG_PREFIX = "LK"
TAG_LENGTH = 18


@lru_cache(maxsize=50_000)
def group_tag(group_id: str) -> str:
    """Eight characters that stand for the group in broker tags (40 bits of BLAKE2b)."""
    number = int.from_bytes(blake2b(group_id.encode(), digest_size=5).digest())
    return "".join(_BASE32[number >> shift & 31] for shift in range(35, -5, -5))


def parent_prefix(cell: int) -> str:
    """What every order id of a cell begins with."""
    return TAG_PREFIX + _BASE36[cell]


def parent_tag(cell: int, group_id: str, kind: str, leg_index: int, ordinal: int) -> str:
    """The tag of a parent order: ``LK``, cell, group, kind (one letter), leg and ordinal; 15 characters.

    Kinds: ``E`` entry, ``C`` close, ``H`` hedge, ``S`` stop-loss.  Raises ``IndexError`` past 36 cells or legs or 1,296
    ordinals: a limit on everything.
    """
    high, low = divmod(ordinal, 36)
    return parent_prefix(cell) + group_tag(group_id) + kind + _BASE36[leg_index] + _BASE36[high] + _BASE36[low]


def client_order_id(parent: str, slice_no: int, attempt: int) -> str:
    """The id of one child order: its parent's tag, slice and attempt; 18 characters, letters and digits only."""
    high, low = divmod(slice_no, 36)
    return parent + _BASE36[high] + _BASE36[low] + _BASE36[attempt]


def cell_of(client_order_id: str) -> int | None:
    """The cell that owns this order, read off its id; ``None`` for an id that is not ours (foreign)."""
    if len(client_order_id) != TAG_LENGTH or not client_order_id.startswith(TAG_PREFIX):
        return None
    index = _BASE36.find(client_order_id[2])
    return None if index < 0 else index


def parent_of(client_order_id: str) -> str:
    """The tag of the parent order."""
    return client_order_id[:15]


def tag_kind(client_order_id: str) -> str:
    """What kind of parent placed the order: ``E``, ``C``, ``H`` or ``S``."""
    return client_order_id[11]


def tag_leg_index(client_order_id: str) -> int:
    """The index of the leg that the order belongs to."""
    return _BASE36.index(client_order_id[12])


def group_part(client_order_id: str) -> str:
    """The group's part of the tag: what :func:`group_tag` made."""
    return client_order_id[3:11]


def hedge_root(hedge_id: str, round_size: int) -> str:
    """The tag of the first hedge of the round that ``hedge_id`` belongs to (ordinal 1 above a multiple)."""
    ordinal = int(hedge_id[13:15], 36)
    root = ordinal // round_size * round_size + 1
    return hedge_id[:13] + _BASE36[root // 36] + _BASE36[root % 36]
