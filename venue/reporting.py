"""How the exchange speaks: every event is stamped and recorded first, and only then becomes a report to the client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from domain.execution import ExecType, ExecutionReport
from domain.money import to_float
from domain.quotes import Quote
from messages.orders import Activity, ActivityKind
from venue.book import Order
from venue.lows import Low
from venue.settlement import Movement
from venue.truth import Kind, TruthEvent

EXEC_TYPES: Mapping[Kind, ExecType] = MappingProxyType(
    {
        "accepted": ExecType.NEW,
        "rejected": ExecType.REJECTED,
        "triggered": ExecType.TRIGGERED,
        "fill": ExecType.TRADE,
        "cancel_received": ExecType.PENDING_CANCEL,
        "cancel_rejected": ExecType.CANCEL_REJECT,
        "canceled": ExecType.CANCELED,
        "expired": ExecType.EXPIRED,
        "replaced": ExecType.REPLACED,
        "busted": ExecType.TRADE_CANCEL,
        "corrected": ExecType.TRADE_CORRECT,
    }
)
ACTIVITIES: Mapping[Kind, ActivityKind] = MappingProxyType(
    {
        "exercised": ActivityKind.EXERCISE,
        "assigned": ActivityKind.ASSIGNMENT,
        "expired": ActivityKind.EXPIRY,
        "liquidated": ActivityKind.LIQUIDATION,
        "manual": ActivityKind.MANUAL,
        "corporate": ActivityKind.CORPORATE,
    }
)
EXECUTIONS = frozenset({ExecType.TRADE, ExecType.TRADE_CORRECT, ExecType.TRADE_CANCEL})


class Reply(msgspec.Struct):
    """The answer to one request.  A request that was not ``accepted`` says why in ``reason``."""

    accepted: bool
    venue_order_id: str
    reason: str
    reports: list[ExecutionReport]


class Reporter:
    """Stamps times and exec ids that grow strictly, calls ``record``, and collects the reports of one call."""

    def __init__(self, record: Callable[[TruthEvent], None]) -> None:
        self.executions: list[ExecutionReport] = []  # every trade, correction and bust
        self.activities: list[Activity] = []  # every change of a position that no order caused
        self._record = record
        self._last_ns = 0
        self._last_id = 0
        self._reports: list[ExecutionReport] = []

    def next_exec_id(self) -> str:
        """A new id, greater than every earlier one."""
        self._last_id += 1
        return f"E{self._last_id:010d}"

    def go_on(self, last_ns: int, last_id: int) -> None:
        """What comes is later, and has greater ids, than what an earlier process of this exchange has told."""
        self._last_ns, self._last_id = max(self._last_ns, last_ns), max(self._last_id, last_id)

    def flush(self) -> list[ExecutionReport]:
        """The reports since the last flush, oldest first."""
        reports, self._reports = self._reports, []
        return reports

    def received(self, kind: Kind, order: Order, now_ns: int, *, request_id: str = "", reason: str = "") -> None:
        """Record what was asked, or refused, without a report."""
        self._record(_event(kind, self._stamp(now_ns), order, request_id=request_id, reason=reason))

    def arrived(self, order: Order, now_ns: int, session: int, quote: Quote | None, lows: tuple[Low, ...]) -> None:
        """Record an order's receipt: over which connection, and what was quoted at that moment, and lower before."""
        event = _event("order_received", self._stamp(now_ns), order)
        self._record(
            msgspec.structs.replace(
                event,
                session=session,
                bid=to_float(quote.bid) if quote and quote.bid else None,
                ask=to_float(quote.ask) if quote and quote.ask else None,
                lows=lows,
            )
        )

    def note(self, now_ns: int, event: TruthEvent) -> None:
        """Record what is no event of an order: it takes no instant of its own."""
        self._last_ns = max(now_ns, self._last_ns)
        self._record(msgspec.structs.replace(event, ts_ns=self._last_ns))

    def stranger(self, kind: Kind, client_order_id: str, now_ns: int, request_id: str, reason: str = "") -> int:
        """Record what was asked of an order that does not exist; the instant that it took."""
        ts_ns = self._stamp(now_ns)
        event = TruthEvent(
            kind=kind, ts_ns=ts_ns, client_order_id=client_order_id, request_id=request_id, reason=reason
        )
        self._record(event)
        return ts_ns

    def moved(self, movement: Movement, exec_id: str, now_ns: int, reason: str) -> None:
        """Record a change of position that no order caused; it has no report, but an activity."""
        ts_ns = self._stamp(now_ns)
        self._record(
            TruthEvent(
                kind=movement.kind,
                ts_ns=ts_ns,
                symbol=movement.symbol,
                side="buy" if movement.quantity > 0 else "sell",
                exec_id=exec_id,
                last_qty=abs(movement.quantity),
                last_px=to_float(movement.price),
                reason=reason,
            )
        )
        kind = ACTIVITIES[movement.kind]
        self.activities.append(
            Activity(exec_id, kind, movement.symbol, movement.quantity, movement.price, ts_ns, movement.option)
        )

    def tell(self, kind: Kind, order: Order, now_ns: int, *, request_id: str = "", reason: str = "") -> None:
        """Record a change of state and report it."""
        ts_ns, exec_id = self._stamp(now_ns), self.next_exec_id()
        self._record(_event(kind, ts_ns, order, exec_id=exec_id, request_id=request_id, reason=reason))
        self._reports.append(
            report(EXEC_TYPES[kind], ts_ns, order, exec_id=exec_id, request_id=request_id, text=reason)
        )

    def duplicate(self, repeated: Order, first: Order, now_ns: int, reason: str) -> None:
        """Refuse a repeated client order id; the report carries how the first order is (FIX 4.4 vol. 4, F.1.b)."""
        ts_ns, exec_id = self._stamp(now_ns), self.next_exec_id()
        self._record(_event("rejected", ts_ns, repeated, exec_id=exec_id, reason=reason))
        self._reports.append(report(ExecType.REJECTED, ts_ns, first, exec_id=exec_id, text=reason))

    def executed(
        self,
        kind: Kind,
        order: Order,
        now_ns: int,
        exec_id: str,
        last: tuple[int, int],
        *,
        root: str = "",
        ref: str = "",
    ) -> None:
        """Record and report a trade, a correction or a bust of ``last`` (quantity, price).

        The record names the trade's own id (``root``), the report the latest correction before this (``ref``; FIX 19).
        A bust's report has no last quantity and price (FIX 4.4 vol. 4, J.1.a).
        """
        ts_ns, (quantity, price) = self._stamp(now_ns), last
        self._record(_event(kind, ts_ns, order, exec_id=exec_id, exec_ref_id=root, last=last))
        last_qty, last_px = (0, 0) if kind == "busted" else (quantity, price)
        told = report(
            EXEC_TYPES[kind], ts_ns, order, exec_id=exec_id, exec_ref_id=ref, last_qty=last_qty, last_px=last_px
        )
        self.executions.append(told)
        self._reports.append(told)

    def statuses(self, orders: list[Order], now_ns: int) -> list[ExecutionReport]:
        """``ORDER_STATUS`` reports, all of one instant; they carry no news and no exec id."""
        ts_ns = self._last_ns = max(now_ns, self._last_ns)
        return [report(ExecType.ORDER_STATUS, ts_ns, order) for order in orders]

    def _stamp(self, now_ns: int) -> int:
        self._last_ns = max(now_ns, self._last_ns + 1)
        return self._last_ns


def _event(
    kind: Kind,
    ts_ns: int,
    order: Order,
    *,
    exec_id: str = "",
    exec_ref_id: str = "",
    request_id: str = "",
    last: tuple[int, int] | None = None,
    reason: str = "",
) -> TruthEvent:
    return TruthEvent(
        kind=kind,
        ts_ns=ts_ns,
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
        symbol=order.symbol,
        side=order.side.value,
        qty=order.quantity,
        price=to_float(order.price) if order.price else None,
        trigger_price=to_float(order.trigger_price) if order.trigger_price else None,
        order_type=order.order_type.value,
        exec_id=exec_id,
        exec_ref_id=exec_ref_id,
        request_id=request_id,
        last_qty=last[0] if last else None,
        last_px=to_float(last[1]) if last else None,
        cum_qty=order.cum_qty if order.venue_order_id else None,
        leaves_qty=order.open_qty if order.venue_order_id else None,
        reason=reason,
        nameless=order.nameless,
    )


def report(
    exec_type: ExecType,
    ts_ns: int,
    order: Order,
    *,
    exec_id: str = "",
    exec_ref_id: str = "",
    request_id: str = "",
    last_qty: int = 0,
    last_px: int = 0,
    text: str = "",
) -> ExecutionReport:
    """What is told of ``order`` as it is now."""
    return ExecutionReport(
        client_order_id=order.client_order_id,
        exec_type=exec_type,
        ord_status=order.status,
        exec_id=exec_id,
        ts_ns=ts_ns,
        order_qty=order.quantity,
        cum_qty=order.cum_qty,
        leaves_qty=order.open_qty,
        last_qty=last_qty,
        last_px=last_px,
        avg_px=order.avg_px,
        venue_order_id=order.venue_order_id,
        request_id=request_id,
        exec_ref_id=exec_ref_id,
        text=text,
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        price=order.price,
        trigger_price=order.trigger_price,
    )
