"""The order state change matrices of FIX 4.4 (Volume 4, appendix D) as events, and the adapter that reads them.

The adapter does what a real one would: it maps the ids of cancel and replace requests back to the order, and gives ids
and times to reports that the matrices print without.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.money import parse_price
from domain.orders import OrderState, merge

SHARED = Path(os.environ.get("LEGKEEPER_SHARED", Path(__file__).parents[2] / "shared"))
FILE = SHARED / "vectors" / "fix44_order_state_scenarios.json"
SCENARIOS: list[dict[str, Any]] = json.loads(FILE.read_text())["scenarios"] if FILE.exists() else []
needs_scenarios = pytest.mark.skipif(
    not SCENARIOS, reason=f"{FILE} is absent: set LEGKEEPER_SHARED to the shared directory"
)
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["id"])

THE_ORDER = "X"
Row = dict[str, Any]
Event = tuple[int, Row]

# Every cell in which the matrices print something else than we answer: (scenario, row) -> what we answer, and why.
DIFFERENCES: dict[tuple[str, int], dict[str, object]] = {
    # NEW is printed although cancel Y is pending; by the spec's own precedence PENDING_CANCEL outranks NEW.
    ("B.1.d", 3): {"ord_status": OrdStatus.PENDING_CANCEL},
    # The pending replace of Z prints the quantity of replace Y, which is only accepted one row later; "an order is not
    # replaced until ExecType=Replace", and until then its whole quantity is live.
    ("D.2.b", 6): {"leaves_qty": 9000},
    # 0 is printed for an order of 10,000 that trades 2,000 next and then leaves 8,000: a slip of the spec.
    ("E.1.a", 1): {"leaves_qty": 10000},
    # The status request, not an order, is rejected: the broker does not know Y.  An unknown order may still be on its
    # way, so this is no evidence of a rejection (R5).
    ("G.1.a", 4): {"ord_status": OrdStatus.PENDING_NEW},
}

EXEC_TYPES = {"Replace": ExecType.REPLACED, "Trade": ExecType.TRADE, "OrderStatus": ExecType.ORDER_STATUS}
ANSWERS_A_REQUEST = {ExecType.PENDING_CANCEL, ExecType.PENDING_REPLACE, ExecType.CANCELED, ExecType.REPLACED}


def snake(words: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in words).lstrip("_")


class Adapter:
    """What a FIX adapter knows: which order every request id belongs to."""

    def __init__(self) -> None:
        self.order_of: dict[str, str] = {}
        self.states: dict[str, OrderState] = {}

    def request(self, row: Row) -> None:
        cl_ord_id = row["cl_ord_id"]
        if row["message"] == "NewOrderSingle" and cl_ord_id not in self.order_of:
            self.order_of[cl_ord_id] = cl_ord_id
            self.states.setdefault(cl_ord_id, OrderState.new(cl_ord_id, row["order_qty"] or 0))
        elif row.get("orig_cl_ord_id"):
            self.order_of[cl_ord_id] = self.order_of[row["orig_cl_ord_id"]]

    def report(self, index: int, row: Row) -> ExecutionReport:
        cl_ord_id = row["cl_ord_id"] or THE_ORDER
        status = OrdStatus(snake(row["ord_status"]))
        ts_ns = (index + 1) * 1_000_000_000
        order = self.order_of.get(cl_ord_id, cl_ord_id)
        if row["message"] == "OrderCancelReject":
            return ExecutionReport(
                client_order_id=order,
                exec_type=ExecType.CANCEL_REJECT,
                ord_status=status,
                exec_id="",
                ts_ns=ts_ns,
                order_qty=0,
                cum_qty=0,
                leaves_qty=0,
                request_id=cl_ord_id,
            )
        kind = EXEC_TYPES.get(row["exec_type"]) or ExecType(snake(row["exec_type"]))
        answers = kind in ANSWERS_A_REQUEST and row.get("orig_cl_ord_id")
        return ExecutionReport(
            client_order_id=order,
            exec_type=kind,
            ord_status=status,
            exec_id="0" if kind is ExecType.ORDER_STATUS else row.get("ExecID") or f"row-{index}",
            ts_ns=ts_ns,
            order_qty=row["order_qty"] or 0,
            cum_qty=row["cum_qty"],
            leaves_qty=row["leaves_qty"],
            last_qty=row["last_qty"] or 0,
            last_px=parse_price(row.get("LastPx", 0)),
            request_id=cl_ord_id if answers else "",
            exec_ref_id=row.get("ExecRefID", ""),
        )

    def take(self, report: ExecutionReport) -> OrderState:
        order = report.client_order_id
        before = self.states.get(order) or OrderState.new(order, 0)
        self.states[order] = merge(before, report).state
        return self.states[order]


def branches(scenario: dict[str, Any]) -> Iterator[list[Event]]:
    """The main line, and for every ``alternative`` row the main line up to it, ended by it."""
    main: list[Event] = []
    for event in enumerate(scenario["steps"]):
        if event[1].get("alternative"):
            yield [*main, event]
        else:
            main.append(event)
    yield main


def crossings(events: list[Event]) -> Iterator[list[Event]]:
    """The events as printed, and with every crossing pair the other way round."""
    yield events
    for at in range(len(events) - 1):
        (_, first), (_, second) = events[at : at + 2]
        if first.get("crosses") and second.get("crosses"):
            yield [*events[:at], events[at + 1], events[at], *events[at + 2 :]]


def lines(scenario: dict[str, Any]) -> Iterator[list[Event]]:
    for branch in branches(scenario):
        yield from crossings(branch)


def replay(events: list[Event]) -> Iterator[tuple[int, Row, ExecutionReport, OrderState]]:
    adapter = Adapter()
    for index, row in events:
        if row["direction"] == "in":
            adapter.request(row)
        elif row["direction"] == "event":
            adapter.states.setdefault(THE_ORDER, OrderState.new(THE_ORDER, 10_000))  # E.1.a: the order is phoned
        else:
            report = adapter.report(index, row)
            yield index, row, report, adapter.take(report)


def start(events: list[Event]) -> dict[str, OrderState]:
    adapter = Adapter()
    for _, row in events:
        if row["direction"] == "in":
            adapter.request(row)
        elif row["direction"] == "event":
            adapter.states.setdefault(THE_ORDER, OrderState.new(THE_ORDER, 10_000))
    return adapter.states


def end(events: list[Event], reports: list[ExecutionReport]) -> dict[str, OrderState]:
    adapter = Adapter()
    adapter.states = start(events)
    for report in reports:
        adapter.take(report)
    return adapter.states


def printed(row: Row) -> dict[str, object]:
    cells: dict[str, object] = {"ord_status": OrdStatus(snake(row["ord_status"]))}
    if row["message"] == "ExecutionReport":
        cells |= {"cum_qty": row["cum_qty"], "leaves_qty": row["leaves_qty"]}
    if "AvgPx" in row:
        cells["avg_px"] = parse_price(row["AvgPx"])
    return cells
