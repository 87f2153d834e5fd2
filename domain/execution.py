"""The trade's words for orders and their reports, as FIX 4.4 names them (tag numbers in the comments)."""

from __future__ import annotations

from enum import Enum

import msgspec


class Side(Enum):
    """FIX 54."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrdType(Enum):
    """FIX 40."""

    MARKET = "market"
    LIMIT = "limit"
    STOP_LIMIT = "stop_limit"


class TimeInForce(Enum):
    """FIX 59."""

    DAY = "day"
    IOC = "ioc"


class OrdStatus(Enum):
    """FIX 39: where an order is."""

    PENDING_NEW = "pending_new"  # A: no acknowledgement seen yet
    NEW = "new"  # 0
    PARTIALLY_FILLED = "partially_filled"  # 1
    FILLED = "filled"  # 2
    DONE_FOR_DAY = "done_for_day"  # 3
    CANCELED = "canceled"  # 4
    PENDING_CANCEL = "pending_cancel"  # 6: says nothing about whether the order will be canceled
    STOPPED = "stopped"  # 7: guaranteed, not yet traded
    REJECTED = "rejected"  # 8
    SUSPENDED = "suspended"  # 9
    CALCULATED = "calculated"  # B
    EXPIRED = "expired"  # C
    PENDING_REPLACE = "pending_replace"  # E


class ExecType(Enum):
    """FIX 150: what happened.  ``CANCEL_REJECT`` stands for the OrderCancelReject message (35=9)."""

    PENDING_NEW = "pending_new"  # A
    NEW = "new"  # 0
    TRADE = "trade"  # F
    TRADE_CORRECT = "trade_correct"  # G
    TRADE_CANCEL = "trade_cancel"  # H: a bust
    DONE_FOR_DAY = "done_for_day"  # 3
    CANCELED = "canceled"  # 4
    PENDING_CANCEL = "pending_cancel"  # 6
    STOPPED = "stopped"  # 7
    REJECTED = "rejected"  # 8
    SUSPENDED = "suspended"  # 9
    CALCULATED = "calculated"  # B
    EXPIRED = "expired"  # C
    RESTATED = "restated"  # D
    PENDING_REPLACE = "pending_replace"  # E
    REPLACED = "replaced"  # 5
    TRIGGERED = "triggered"  # L: a stop has been activated
    ORDER_STATUS = "order_status"  # I: answers a query; carries no news of its own
    CANCEL_REJECT = "cancel_reject"  # message type 9


class ExecutionReport(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """What a broker says about one order (FIX 35=8, and 35=9 as ``CANCEL_REJECT``).

    ``client_order_id`` is always the id under which the order was first sent; an adapter that sees replace chains
    maps them back to it and puts the id of the cancel or replace request into ``request_id``.  Quantities are in
    units, prices in ten-thousandths, ``ts_ns`` is the broker's clock (FIX 60) in nanoseconds since 1970 UTC.
    """

    client_order_id: str  # 11
    exec_type: ExecType  # 150
    ord_status: OrdStatus  # 39
    exec_id: str  # 17; "" where the broker gives none
    ts_ns: int  # 60
    order_qty: int  # 38
    cum_qty: int  # 14
    leaves_qty: int  # 151
    last_qty: int = 0  # 32
    last_px: int = 0  # 31
    avg_px: int = 0  # 6
    venue_order_id: str = ""  # 37
    request_id: str = ""  # 11 of the cancel or replace request that this answers
    exec_ref_id: str = ""  # 19: the fill that a correction or a bust changes
    text: str = ""  # 58
    symbol: str = ""  # 55
    side: Side | None = None  # 54
    order_type: OrdType | None = None  # 40; None where the broker does not say: then the two prices say nothing either
    price: int = 0  # 44
    trigger_price: int = 0  # 99
