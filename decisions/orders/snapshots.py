"""A broker's snapshot, taken apart into news for each order (R4, R20, R23): by tag, never by symbol and quantity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

import msgspec

from domain.execution import ExecutionReport
from domain.listings import Listings
from messages.orders import OrderAbsent, Snapshot
from messages.records import EscalationRecord, IntentRecord, IntentStatus, Record


class Sorted(msgspec.Struct, frozen=True):
    """What a snapshot says: reports of our orders, orders of ours that it does not list, and foreign reports."""

    reports: list[ExecutionReport]
    absent: list[OrderAbsent]
    foreign: list[ExecutionReport]


def sort_out(
    snapshot: Snapshot, listings: Listings, open_orders: Iterable[str], known: Callable[[str], bool]
) -> Sorted:
    """What is new of orders that ``known`` accepts, the ``open_orders`` that are missing, and what is foreign.

    Trades come before the statuses, so that a status never claims fills that the same snapshot has yet to tell.
    """
    reports: list[ExecutionReport] = []
    foreign: list[ExecutionReport] = []
    for key, told in listings.news(chain(snapshot.executions, snapshot.orders), snapshot.as_of_ns).items():
        (reports if known(key) else foreign).extend(told)
    absent = [OrderAbsent(key, snapshot.as_of_ns) for key in open_orders if key not in listings]
    return Sorted(reports, absent, foreign)


def contradicted(records: Iterable[Record]) -> tuple[str, ...]:
    """What a snapshot contradicted by not showing it, or by showing what is not ours, read off what it led to.

    Those are the orders that were given up, and the alerts about missing and foreign ones.
    """
    found: dict[str, None] = {}
    for record in records:
        match record:
            case IntentRecord(status=IntentStatus.VOID):
                found[record.client_order_id] = None
            case EscalationRecord(kind="FOREIGN_ORDER" | "ORDER_MISSING"):
                found[record.escalation_id] = None
    return tuple(found)
