"""Positions: what the journals explain x what the broker holds, over the union of both sides' symbols (S3, E14).

Pure comparison.  A snapshot is compared with what was known *at its time*: executions and changes that the journal
knows and the snapshot cannot know yet are left out (I13), those that the snapshot lists and the journal does not know
yet are counted (a journal that is behind is no divergence) and *unheard*: until the journals have them too, nobody can
say whose units went.  What orders may still do unseen is *slack*.  While there is either, nothing is concluded about
that symbol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from decisions.positions.books import KnownOrder, News
from decisions.positions.library import Library
from domain.execution import ExecType, ExecutionReport
from domain.fills import ANSWER, Execution, count
from domain.listings import Listings
from domain.orders import OrderState, merge
from domain.report_ids import execution_id
from messages.orders import Activity, ActivityKind, Position, Snapshot
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


class Comparer:
    """Puts both sides next to each other, snapshot after snapshot.

    Of most orders the same is said again and again.  An order is *quiet* once it is over, all that it did is older than
    any lag, and both sides say the same of it: then the journals' own sums hold what it counts, until a record or a
    snapshot says something new.  So a look costs what is alive, and what the broker lists.
    """

    def __init__(self) -> None:
        self._listings = Listings(lag_ns=0)
        self._restless = News(set(), set())
        self._as_of_ns = 0

    def compare(self, library: Library, view: BrokerView) -> Comparison:
        """Both sides, as of the snapshot."""
        snapshot, horizon_ns = view.snapshot, view.snapshot.as_of_ns - view.lag_ns
        ours, strangers = _taken_apart(snapshot, library)
        orders, events = self._to_look_at(library, snapshot.as_of_ns)
        orders |= self._listings.news(ours, snapshot.as_of_ns).keys()
        sums = _Sums(library.totals())
        differences: list[OrderDifference] = []
        for key in sorted(orders):
            order = library.order(key)
            if order is None:  # of a journal in whose place another one stands
                continue
            found = _order_differences(order, self._listings.reports(key))
            quiet = sums.count_order(order, self._listings.reports(key), horizon_ns)
            differences += found
            if found or not quiet:
                self._restless.orders.add(key)
        told = {activity.activity_id for activity in snapshot.activities}
        for key in sorted(events):
            event = library.event(key)
            if event is None:
                continue
            limit = horizon_ns if event.activity_id else snapshot.as_of_ns
            if event.activity_id not in told and event.ts_ns > limit:  # what the snapshot lists it knows
                sums.move(event.symbol, -event.quantity)
            if event.ts_ns > horizon_ns:
                self._restless.events.add(key)
        pending = _pending(library, (*snapshot.activities, *_foreign_trades(strangers)))
        differences += [_foreign(reports) for reports in strangers.values()]
        symbols = {*pending, *library.held_symbols(), *library.doubted()}
        return Comparison(
            as_of_ns=snapshot.as_of_ns,
            symbols=sums.balances(snapshot.positions, pending, symbols),
            orders=tuple(differences),
        )

    def _to_look_at(self, library: Library, as_of_ns: int) -> tuple[set[str], set[str]]:
        """The ids of orders and changes that may count something else than their sum."""
        news, restless = library.news(), self._restless
        self._restless = News(set(), set())
        if as_of_ns < self._as_of_ns:  # an older time than that at which some were found quiet
            news = library.everything()
        self._as_of_ns = as_of_ns
        return news.orders | restless.orders, news.events | restless.events


class _Sums:
    """By symbol: what the journals explain as of the snapshot, what may have moved unseen, and what is unheard."""

    def __init__(self, totals: dict[str, int]) -> None:
        self._journal = totals
        self._slack: dict[str, int] = {}
        self._unheard: dict[str, int] = {}

    def move(self, symbol: str, units: int) -> None:
        """Put right what the journals' sum counts, and the snapshot cannot know."""
        self._journal[symbol] = self._journal.get(symbol, 0) + units

    def count_order(self, order: KnownOrder, reports: list[ExecutionReport], horizon_ns: int) -> bool:
        """Count one order as of the snapshot; whether it is quiet from now on."""
        state = _joined(order.knowledge, reports)
        listed = {ANSWER if report.exec_type is ExecType.ORDER_STATUS else execution_id(report) for report in reports}
        counted = tuple(one for one in state.executions if one.exec_id in listed or one.ts_ns <= horizon_ns)
        units = _units(counted, state)
        self.move(order.symbol, order.side.sign * units - order.held)
        open_end = state.missing_qty + state.doubtful_qty if reports else order.live
        self._slack[order.symbol] = self._slack.get(order.symbol, 0) + open_end
        late = abs(state.cum_qty - order.knowledge.cum_qty)
        self._unheard[order.symbol] = self._unheard.get(order.symbol, 0) + late
        is_old = all(one.ts_ns <= horizon_ns for one in order.knowledge.executions)
        return is_old and not (late or open_end or order.live)

    def balances(
        self, positions: Iterable[Position], pending: Mapping[str, list[Activity]], others: AbstractSet[str]
    ) -> tuple[SymbolBalance, ...]:
        """All symbols of which either side has or says anything, and ``others``."""
        broker: dict[str, int] = {}
        for position in positions:
            broker[position.symbol] = broker.get(position.symbol, 0) + position.quantity
        return tuple(
            SymbolBalance(
                symbol=symbol,
                journal=self._journal.get(symbol, 0),
                broker=broker.get(symbol, 0),
                slack=self._slack.get(symbol, 0),
                unheard=self._unheard.get(symbol, 0),
                activities=tuple(pending.get(symbol, ())),
            )
            for symbol in sorted({*self._journal, *self._slack, *broker, *others})
        )


def _taken_apart(
    snapshot: Snapshot, library: Library
) -> tuple[list[ExecutionReport], dict[str, list[ExecutionReport]]]:
    """The snapshot's reports of orders that an intent explains, and those of others by order."""
    ours: list[ExecutionReport] = []
    strangers: dict[str, list[ExecutionReport]] = {}
    for report in (*snapshot.executions, *snapshot.orders):
        if library.order(report.client_order_id) is not None:
            ours.append(report)
        else:
            strangers.setdefault(report.client_order_id or report.venue_order_id, []).append(report)
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
        state = _joined(OrderState.new(reports[0].client_order_id, 0), reports)
        last = reports[-1]
        if state.cum_qty and last.side is not None:
            found.append(
                Activity(
                    activity_id=FOREIGN_ORDER + name,
                    kind=ActivityKind.MANUAL,
                    symbol=last.symbol,
                    quantity=last.side.sign * state.cum_qty,
                    price=state.avg_px,
                    ts_ns=max(one.ts_ns for one in state.executions if one.exec_id != ANSWER),
                )
            )
    return found


def _pending(library: Library, activities: Iterable[Activity]) -> dict[str, list[Activity]]:
    """The activities that the journals do not hold, or not in full, by symbol; each with what is left of it."""
    found: dict[str, list[Activity]] = {}
    for activity in activities:
        left = activity.quantity - library.booked(activity.activity_id)
        if left and not library.is_linked(activity.activity_id):
            found.setdefault(activity.symbol, []).append(msgspec.structs.replace(activity, quantity=left))
    return found
