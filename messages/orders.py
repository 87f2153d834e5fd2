"""The conversation about orders: cells to gateway, and the gateway's and the broker's answers."""

from __future__ import annotations

from enum import Enum

import msgspec

from domain.execution import ExecutionReport, OrdType, Side, TimeInForce
from domain.groups import ENTRY_ROLES, Role
from domain.instruments import Instrument
from domain.orders import OrderState


class Outcome(Enum):
    """How a call to a broker ended.  Unknown is a state of its own: neither done nor not done."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # definitive: the broker, or the gateway before it, will not do it
    UNKNOWN = "unknown"


class SubmitOrder(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Send this order.  The intent with the same ``client_order_id`` and payload is durable (I1)."""

    client_order_id: str
    group_id: str
    role: Role
    symbol: str
    side: Side
    quantity: int
    order_type: OrdType
    time_in_force: TimeInForce
    price: int  # 0 for a market order
    trigger_price: int  # 0 unless a stop
    parent_id: str  # what the child orders of one parent share: group, leg or hedge
    parent_qty: int  # the parent's whole quantity (E6)
    epoch: int
    decided_ns: int
    resend: bool = False  # the same id was sent before: only a broker that deduplicates may see it

    @property
    def reduce_only(self) -> bool:
        """Whether this order repairs or reduces; every role but the two entry roles does."""
        return self.role not in ENTRY_ROLES


class CancelOrder(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Cancel what is left of this order.  ``request_id`` is unique per request."""

    client_order_id: str
    venue_order_id: str
    request_id: str
    epoch: int


class ModifyOrder(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Change quantity, price or type in place (only where the broker declares ``replace_in_place``)."""

    client_order_id: str
    venue_order_id: str
    request_id: str
    order_type: OrdType
    quantity: int
    price: int
    trigger_price: int
    epoch: int


class Proof(Enum):
    """Why an order does not work."""

    VOID = "void"  # two snapshots did not have it, or its cancel found nothing: it was never there
    REFUSED = "refused"  # an answer said so
    OUTLIVED = "outlived"  # it was there, and has ended with its session


class ForgetOrder(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """This order does not work any more, proven, and durable as such.  It no longer counts (E6).

    ``as_of_ns``: when the proof was found, by the broker's clock.
    """

    client_order_id: str
    epoch: int
    proof: Proof = Proof.VOID
    as_of_ns: int = 0


class WorkingOrder(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """An order that may work at the broker, by the journal of the cell that decided it.

    ``order_type`` ``None``: a change of its terms is under way, and the two prices say nothing.
    """

    parent_id: str
    symbol: str
    side: Side
    order_type: OrdType | None
    price: int
    trigger_price: int
    state: OrderState


class OrderSent(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """The gateway has written this order to the broker's connection; ``checks`` are the controls that it passed."""

    client_order_id: str
    ts_ns: int
    checks: str


class SubmitResult(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """What came of a ``SubmitOrder``: sent, refused before it left, or of unknown fate."""

    client_order_id: str
    outcome: Outcome
    ts_ns: int
    venue_order_id: str = ""
    reason: str = ""
    left: bool = True  # False: this copy never left the gateway (a copy sent before may have)


class CancelResult(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """What came of a ``CancelOrder``.  Accepted means that the request was taken, not that the order is canceled."""

    client_order_id: str
    request_id: str
    outcome: Outcome
    ts_ns: int
    reason: str = ""
    unknown_order: bool = False  # refused because the broker has no order of this id (FIX 102 = 1)


class ModifyResult(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """What came of a ``ModifyOrder``."""

    client_order_id: str
    request_id: str
    outcome: Outcome
    ts_ns: int
    reason: str = ""


class OrderAbsent(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A complete snapshot of ``as_of_ns`` does not list this order (Desk to the actor that placed it)."""

    client_order_id: str
    as_of_ns: int


News = ExecutionReport | OrderSent | SubmitResult | CancelResult | ModifyResult | OrderAbsent  # about one order


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Net quantity held at the broker: long positive, short negative; average price in ten-thousandths."""

    symbol: str
    quantity: int
    avg_px: int


class ActivityKind(Enum):
    """What changed a position without an order of ours."""

    EXERCISE = "exercise"  # a long option was exercised, by the holder or by exception at expiry
    ASSIGNMENT = "assignment"  # a short option was exercised against the account
    EXPIRY = "expiry"  # an option ended worthless
    LIQUIDATION = "liquidation"  # the broker closed it
    MANUAL = "manual"  # somebody traded it by other means than ours
    CORPORATE = "corporate"  # a split, a merger, a dividend in kind


class Activity(msgspec.Struct, frozen=True, array_like=True):
    """One change of a position that no order of ours caused, as the broker's activity list tells it.

    It comes out of band and often late: an assignment is announced the next morning, when the position has changed.
    ``quantity`` is signed: what the account gained.  Shares that an option turned into are an activity of their own,
    with the option's symbol in ``option``.
    """

    activity_id: str  # unique at the broker; the same at every query
    kind: ActivityKind
    symbol: str
    quantity: int
    price: int
    ts_ns: int
    option: str = ""


class Snapshot(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """What a broker answered when asked for everything: orders as ``ORDER_STATUS`` reports, then their trades.

    ``activities`` are all of the session: what moved positions without an order of ours.

    ``orders`` lists every order of the session, working or not.  An order that is not listed is *absent as of*
    ``as_of_ns``, which is evidence only for orders sent well before that.  Of an earlier session a house may leave out
    what has ended: what nobody has heard of it by then is for the comparison of positions to find (E14).
    """

    as_of_ns: int
    session: int
    orders: tuple[ExecutionReport, ...]
    executions: tuple[ExecutionReport, ...]
    positions: tuple[Position, ...]
    activities: tuple[Activity, ...] = ()


class InstrumentList(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Every instrument that the broker knows."""

    instruments: tuple[Instrument, ...]
