"""Positions: what the journals explain x what the broker holds, over the union of both sides' symbols (S3, E14).

Pure comparison.  A snapshot is compared with what was known *at its time*: executions and changes that the journal
knows and the snapshot cannot know yet are left out (I13), those that the snapshot lists and the journal does not know
yet are counted (a journal that is behind is no divergence) and *unheard*: until the journals have them too, nobody can
say whose units went.  What orders may still do unseen is *slack*.  While there is either, nothing is concluded about
that symbol.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from decisions.positions.books import KnownOrder, Library
from domain.execution import ExecType, ExecutionReport
from domain.fills import ANSWER, Execution, count
from domain.orders import OrderState, merge
from domain.report_ids import execution_id
from messages.orders import Activity, ActivityKind, Snapshot
from messages.positions import BrokerView

FOREIGN_ORDER = "order/"  # an order of somebody else's is known by this and its id where a broker's activity has an id


class SymbolBalance(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol on both sides, in signed units; ``activities`` are those that the journals do not hold yet."""

    symbol: str
    journal: int
    broker: int
    slack: int  # units that orders of ours may have moved unseen
    unheard: int = 0  # units that the snapshot says they have traded, and the journals do not know yet
    activities: tuple[Activity, ...] = ()

    @property
    def difference(self) -> int:
        """What the broker has beyond what is explained."""
        return self.broker - self.journal


class OrderDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One order, or one trade of it, that the two sides tell differently."""

    kind: str  # order, fill, foreign
    client_order_id: str
    symbol: str
    journal: str
    broker: str
    leaves: int = 0  # units that work at the broker, and in no journal

    @property
    def key(self) -> str:
        """What this difference is about, the same at every look."""
        return f"{self.kind}/{self.client_order_id}"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the two sides say, at one broker time."""

    as_of_ns: int
    symbols: tuple[SymbolBalance, ...]
    orders: tuple[OrderDifference, ...]

    def balance(self, symbol: str) -> SymbolBalance:
        """The symbol's balance; of one that neither side knows, an empty one."""
        found = next((one for one in self.symbols if one.symbol == symbol), None)
        return found or SymbolBalance(symbol=symbol, journal=0, broker=0, slack=0)


def compare(library: Library, view: BrokerView) -> Comparison:
    """Put both sides next to each other."""
    snapshot, known = view.snapshot, library.orders()
    ours, strangers = _taken_apart(snapshot, known)
    horizon = snapshot.as_of_ns - view.lag_ns
    journal: dict[str, int] = {}
    slack: dict[str, int] = {}
    unheard: dict[str, int] = {}
    differences: list[OrderDifference] = []
    for order in known.values():
        reports = ours.get(order.client_order_id, [])
        state = _joined(order.knowledge, reports)
        listed = {ANSWER if report.exec_type is ExecType.ORDER_STATUS else execution_id(report) for report in reports}
        counted = tuple(one for one in state.executions if one.exec_id in listed or one.ts_ns <= horizon)
        units = _units(counted, state)
        journal[order.symbol] = journal.get(order.symbol, 0) + order.side.sign * units
        open_end = state.missing_qty if reports else order.live
        slack[order.symbol] = slack.get(order.symbol, 0) + open_end
        late = abs(state.cum_qty - order.knowledge.cum_qty)
        unheard[order.symbol] = unheard.get(order.symbol, 0) + late
        differences += _order_differences(order, reports)
    told = {activity.activity_id for activity in snapshot.activities}
    for event in library.events():  # what the snapshot lists it knows; else its age decides
        limit = horizon if event.activity_id else snapshot.as_of_ns
        if event.activity_id in told or event.ts_ns <= limit:
            journal[event.symbol] = journal.get(event.symbol, 0) + event.quantity
    broker: dict[str, int] = {}
    for position in snapshot.positions:
        broker[position.symbol] = broker.get(position.symbol, 0) + position.quantity
    pending = _pending(library, (*snapshot.activities, *_foreign_trades(strangers)))
    symbols = sorted({*journal, *broker, *pending})
    balances = tuple(
        SymbolBalance(
            symbol=symbol,
            journal=journal.get(symbol, 0),
            broker=broker.get(symbol, 0),
            slack=slack.get(symbol, 0),
            unheard=unheard.get(symbol, 0),
            activities=tuple(pending.get(symbol, ())),
        )
        for symbol in symbols
    )
    differences += [_foreign(reports) for reports in strangers.values()]
    return Comparison(as_of_ns=snapshot.as_of_ns, symbols=balances, orders=tuple(differences))


def _taken_apart(
    snapshot: Snapshot, known: dict[str, KnownOrder]
) -> tuple[dict[str, list[ExecutionReport]], dict[str, list[ExecutionReport]]]:
    """The snapshot's reports by order: of orders that an intent explains, and of others."""
    ours: dict[str, list[ExecutionReport]] = {}
    strangers: dict[str, list[ExecutionReport]] = {}
    for report in (*snapshot.executions, *snapshot.orders):
        name = report.client_order_id or report.venue_order_id
        (ours if report.client_order_id in known else strangers).setdefault(name, []).append(report)
    return ours, strangers


def _joined(state: OrderState, reports: Iterable[ExecutionReport]) -> OrderState:
    for report in reports:
        state = merge(state, report).state
    return state


def _units(counted: tuple[Execution, ...], state: OrderState) -> int:
    return state.cum_qty if len(counted) == len(state.executions) else count(counted).qty


def _order_differences(order: KnownOrder, reports: list[ExecutionReport]) -> list[OrderDifference]:
    """Where the broker's list and the journal do not agree on an order; most of it is over at the next look."""
    found: list[OrderDifference] = []
    told = [report for report in reports if report.exec_type is ExecType.ORDER_STATUS]
    known = {one.exec_id for one in order.knowledge.executions}
    unknown = [r for r in reports if r.exec_type is not ExecType.ORDER_STATUS and execution_id(r) not in known]
    if unknown:
        units = sum(report.last_qty for report in unknown)
        said = f"{order.knowledge.cum_qty} filled"
        found.append(_difference("fill", order, said, f"{len(unknown)} more trades, {units} units"))
    if told and told[-1].leaves_qty > 0 and not order.live:
        works = told[-1].leaves_qty
        found.append(_difference("order", order, order.status.value, f"works {works}", works))
    if not reports and order.live and order.knowledge.acknowledged:
        found.append(_difference("order", order, f"works {order.live}", "does not list it"))
    return found


def _difference(kind: str, order: KnownOrder, journal: str, broker: str, leaves: int = 0) -> OrderDifference:
    return OrderDifference(
        kind=kind,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        journal=journal,
        broker=broker,
        leaves=leaves,
    )


def _foreign(reports: list[ExecutionReport]) -> OrderDifference:
    last = reports[-1]
    side = last.side.value if last.side else "?"
    return OrderDifference(
        kind="foreign",
        client_order_id=last.client_order_id or last.venue_order_id,
        symbol=last.symbol,
        journal="knows no such order",
        broker=f"{side} {last.order_qty}, {last.ord_status.value}, {last.cum_qty} filled",
        leaves=last.leaves_qty,
    )


def _foreign_trades(strangers: dict[str, list[ExecutionReport]]) -> list[Activity]:
    """What orders of others have traded, each order as if the broker had told it as a manual activity."""
    found = []
    for name, reports in strangers.items():
        trades = [report for report in reports if report.exec_type is not ExecType.ORDER_STATUS]
        state = _joined(OrderState.new(reports[0].client_order_id, 0), trades)
        last = reports[-1]
        if state.cum_qty and last.side is not None:
            found.append(
                Activity(
                    activity_id=FOREIGN_ORDER + name,
                    kind=ActivityKind.MANUAL,
                    symbol=last.symbol,
                    quantity=last.side.sign * state.cum_qty,
                    price=state.avg_px,
                    ts_ns=max(one.ts_ns for one in state.executions),
                )
            )
    return found


def _pending(library: Library, activities: Iterable[Activity]) -> dict[str, list[Activity]]:
    """The activities that the journals do not hold, or not in full, by symbol; each with what is left of it."""
    held: dict[str, int] = {}
    linked = set()
    for event in library.events():
        held[event.activity_id] = held.get(event.activity_id, 0) + event.quantity
        if not event.quantity:
            linked.add(event.activity_id)  # it explained what had been journaled by evidence before
    found: dict[str, list[Activity]] = {}
    for activity in activities:
        left = activity.quantity - held.get(activity.activity_id, 0)
        if left and activity.activity_id not in linked:
            found.setdefault(activity.symbol, []).append(msgspec.structs.replace(activity, quantity=left))
    return found
