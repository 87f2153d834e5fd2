"""The adapter port.  A broker adapter never blocks, never guesses, and never drops what it was told.

A gateway calls :meth:`BrokerAdapter.pump` whenever :meth:`BrokerAdapter.fileno` is readable and at least every 50 ms;
everything that the broker says comes out of it as messages.  Requests are written at once and answered later, through
``pump``, by exactly one result each: ``ACCEPTED``, ``REFUSED`` (definitive) or ``UNKNOWN`` (no answer in time, or the
link broke).  The contract suite in ``tests/brokers/contract.py`` holds every adapter to this and to what it declares.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

import msgspec

from domain.execution import ExecutionReport
from domain.quotes import Quote
from messages.market import Funds, MarketStatus
from messages.orders import (
    CancelOrder,
    CancelResult,
    InstrumentList,
    ModifyOrder,
    ModifyResult,
    Snapshot,
    SubmitOrder,
    SubmitResult,
)


class Corrections(Enum):
    """How the broker says that an execution was corrected."""

    REFERENCE = "reference"  # FIX: an id of its own, which names the execution that it changes
    REVISION = "revision"  # the same id with a higher number after its last full stop, sent like a new execution


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a broker promises.  Declared by its adapter, proven by the contract suite."""

    name: str
    deduplicates_client_order_ids: bool  # a second order with the same id is refused or answered with the first
    echoes_client_order_id: bool  # reports and queries carry our id
    max_client_order_id_length: int
    replace_in_place: bool
    native_combos: bool
    server_side_stops: bool
    cancel_all: bool
    snapshot_lag_ms: int  # how old a query's answer may be, in broker time
    clock_source: str  # where broker time comes from
    orders_per_second: int  # the broker's own rate limit
    market_orders_rest: bool  # may a "market" order stay as a resting limit?
    corrections: Corrections = Corrections.REFERENCE
    cancel_on_disconnect: bool = False  # are entries canceled when the session stays away? (E13)


class LinkUp(msgspec.Struct, frozen=True, tag=True):
    """The session is logged in.  ``session`` grows by one with every new session of this adapter."""

    session: int
    ts_ns: int


class LinkDown(msgspec.Struct, frozen=True, tag=True):
    """The session is gone; every request without an answer has been reported as UNKNOWN before this."""

    session: int
    reason: str


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The broker's clock."""

    ts_ns: int


BrokerEvent = (
    LinkUp
    | LinkDown
    | Heartbeat
    | Quote
    | ExecutionReport
    | SubmitResult
    | CancelResult
    | ModifyResult
    | Snapshot
    | InstrumentList
    | Funds
    | MarketStatus
)


class BrokerAdapter(Protocol):
    """One session with one broker account."""

    @property
    def capabilities(self) -> Capabilities: ...

    def connect(self) -> None:
        """Begin to connect; ``LinkUp`` or ``LinkDown`` comes out of :meth:`pump`.  Safe to call again when down."""

    def fileno(self) -> int:
        """The descriptor to watch for reading, or -1 while there is none."""

    @property
    def has_unsent(self) -> bool:
        """Whether something waits for room on the way out: no readable byte will say when :meth:`pump` can send it."""

    def pump(self) -> list[BrokerEvent]:
        """Everything that has happened since the last call, oldest first; never blocks."""

    def submit(self, order: SubmitOrder) -> None: ...

    def cancel(self, request: CancelOrder) -> None: ...

    def modify(self, request: ModifyOrder) -> None: ...

    def request_snapshot(self) -> None:
        """Ask for all orders, executions and positions; a ``Snapshot`` follows, or nothing."""

    def request_instruments(self) -> None:
        """Ask for the instruments; an ``InstrumentList`` follows."""

    def request_account(self) -> None:
        """Ask for the account's funds; ``Funds`` follow, or nothing; free funds may be negative."""

    def subscribe(self, symbols: frozenset[str]) -> None:
        """Stream quotes of exactly these symbols from now on (and the last quote of each at once)."""

    def close(self) -> None:
        """Hang up.  Safe to call twice."""
