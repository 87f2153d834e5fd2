"""What the gateway knows of every order it was asked to send, or has seen at the broker, in this incarnation.

It is no journal and no authority: it exists so that the controls can see what is committed already (E3, E6), and so
that the kill switch knows what to cancel.  Every event costs O(1); the sums are kept, never recomputed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from decisions.gateway.working_book import Working, WorkingBook
from domain.execution import ExecType, ExecutionReport, OrdType, Side
from domain.groups import ENTRY_ROLES, Role, cell_of, parent_of, tag_kind
from domain.listings import Listings
from domain.orders import OrderState, merge
from domain.retold import is_repetition
from messages.orders import ModifyOrder, ModifyResult, Outcome, Proof, Snapshot, SubmitOrder, SubmitResult, WorkingOrder

KEPT_ORDERS = 100_000
LAG_NS = 10 * 10**9  # no snapshot is so far behind what was told before it
# reports that say how the order stands; a reject's terms may be those of a copy, a pending one's are to come
_DESCRIBES: Final = frozenset(
    {ExecType.NEW, ExecType.TRIGGERED, ExecType.TRADE, ExecType.REPLACED, ExecType.RESTATED, ExecType.ORDER_STATUS}
)


class OpenOrder(msgspec.Struct, frozen=True):
    """An order that the broker works, or may be working."""

    client_order_id: str
    venue_order_id: str  # "" while unknown
    role: Role | None  # None: not sent by this incarnation of the gateway, or not ours
    symbol: str  # "" while unknown
    side: Side | None
    live_qty: int  # units that may still become a fill

    @property
    def is_entry(self) -> bool:
        """Whether it is new risk of ours; where its role is not known, its tag says so."""
        if self.role is not None:
            return self.role in ENTRY_ROLES
        return cell_of(self.client_order_id) is not None and tag_kind(self.client_order_id) == "E"


def same_payload(one: SubmitOrder, other: SubmitOrder) -> bool:
    """Whether two requests mean the same order: epoch and resend mark say who asks and how often, not for what.

    Nor does the parent's quantity, by which E6 measures: a hedge may have been raised since its first order was sent.
    """
    return one == _asked_as(one, other)


def _asked_as(one: SubmitOrder, other: SubmitOrder) -> SubmitOrder:
    """``other`` with all that belongs to the asking, and not to the order, as in ``one``."""
    return replace(other, epoch=one.epoch, resend=one.resend, parent_qty=one.parent_qty)


class Terms(NamedTuple):
    """What a change in place may change, apart from the quantity."""

    order_type: OrdType
    price: int
    trigger_price: int


def terms_of(order: SubmitOrder | ModifyOrder) -> Terms:
    """The terms of a request."""
    return Terms(order.order_type, order.price, order.trigger_price)


@dataclass(slots=True)
class _Known:
    """One order; ``counted`` and ``live`` are what its parent's sums hold of it.

    ``unseen``: a cell says that it may work, and this incarnation has neither sent it nor seen it at the broker.
    ``outlived``: a cell has proven that it ended with its session.
    ``terms``: as the broker has them, as far as known.  ``asked``: a change on its way; until the broker has told what
    became of it, both are possible.
    """

    state: OrderState
    parent_id: str
    order: SubmitOrder | None = None
    terms: Terms | None = None
    terms_ns: int = 0  # when the broker told them
    asked: ModifyOrder | None = None
    symbol: str = ""
    side: Side | None = None
    venue_order_id: str = ""
    accepted: bool = False
    refused: bool = False
    unseen: bool = False
    outlived: bool = False
    shown_ns: int = 0  # when the broker last told of it
    counted: int = 0
    live: bool = False

    @property
    def live_qty(self) -> int:
        """Units that may still trade, with what a change on its way would add."""
        if self.outlived:
            return self.state.missing_qty
        live = self.state.live_qty
        return live + max(0, self.asked.quantity - self.state.order_qty) if live and self.asked else live

    @property
    def is_refused(self) -> bool:
        """Definitively: a refusal says nothing against a broker that has shown that it took the order."""
        taken = self.accepted or self.state.is_acknowledged or self.state.cum_qty or self.state.reported_cum_qty
        return self.refused and not taken


@dataclass(slots=True)
class _Parent:
    """The sums over the orders of one parent."""

    committed: int = 0
    live: int = 0  # how many of its orders may still trade
    orders: dict[str, _Known] = field(default_factory=dict)


class Ledger:
    """All orders of this incarnation, by id and by parent.

    At most ``keep`` orders are remembered as long as that can be had by forgetting parents none of whose orders can
    trade any more, the longest quiet first, and each with all of its orders, so that no sum is ever half forgotten.
    """

    def __init__(self, keep: int = KEPT_ORDERS) -> None:
        self._keep = keep
        self._orders: dict[str, _Known] = {}
        self._parents: dict[str, _Parent] = {}
        self._live: dict[str, _Known] = {}
        self.doubted: set[str] = set()  # orders with trades that the broker's own count denies, unsettled
        self.book = WorkingBook()
        self._quiet: OrderedDict[str, None] = OrderedDict()  # parents without a live order, longest quiet first
        self._listings = Listings(LAG_NS)
        self.is_complete = False  # nothing that left before this gateway was started is missing here

    def sent(self, order: SubmitOrder) -> None:
        """This order is being written to the broker: from now on it counts as live."""
        self._listings.heard(order.client_order_id)
        known = self._orders.get(order.client_order_id)
        intended = OrderState.new(order.client_order_id, order.quantity)
        if known is None:
            known = self._add(_Known(intended, order.parent_id))
        elif known.state.order_qty == 0:  # seen at the broker first, by a report that did not say how large it is
            known.state = replace(known.state, described=intended.described)
        if known.parent_id != order.parent_id:
            self._remove(known)
            known.parent_id = order.parent_id
            self._add(known)
        known.order, known.symbol, known.side, known.refused = order, order.symbol, order.side, False
        known.unseen = False
        known.terms = known.terms or terms_of(order)
        self._recount(known)

    def presented(self, working: WorkingOrder) -> None:
        """A cell says that this order may work.  Who has sent or seen it knows better, or has looked for it twice."""
        self._listings.heard(working.state.client_order_id)
        if self.is_complete or working.state.client_order_id in self._orders or not working.state.live_qty:
            return
        known = _Known(working.state, working.parent_id, symbol=working.symbol, side=working.side, unseen=True)
        if working.order_type is not None:
            known.terms = Terms(working.order_type, working.price, working.trigger_price)
        self._recount(self._add(known))

    def complete(self) -> None:
        """Two lists, the second beyond the lag of the first, show what left before this gateway was started.

        What neither of them lists is not at the broker, whatever a cell says; without this, what a cell that has died
        said would keep others out for ever.
        """
        self.is_complete = True
        for client_order_id in [key for key, known in self._live.items() if known.unseen]:
            known = self._orders.pop(client_order_id)
            self._remove(known)
            del self._live[client_order_id]
            self.book.drop(client_order_id)
            self.doubted.discard(client_order_id)

    def follow(self, report: ExecutionReport) -> None:
        """Join what the broker says of an order, whoever placed it.

        A report that shows no quantity does not prove that an unknown order exists ("unknown order" is answered so),
        and one without an id cannot be joined to anything: both are passed over.
        """
        self._listings.heard(report.client_order_id)
        self._follow(report)

    def _follow(self, report: ExecutionReport) -> None:
        known = self._orders.get(report.client_order_id)
        if known is None:
            if not report.client_order_id or (report.order_qty <= 0 and report.last_qty <= 0):
                return
            ours = cell_of(report.client_order_id) is not None
            parent_id = parent_of(report.client_order_id) if ours else report.client_order_id
            known = self._add(_Known(OrderState.new(report.client_order_id, 0), parent_id))
        known.state = merge(known.state, report).state
        if report.order_qty > 0 or report.last_qty > 0:
            known.unseen = known.outlived = False
            known.shown_ns = max(known.shown_ns, report.ts_ns)
        if not is_repetition(known.state.told, report):
            _follow_terms(known, report)
        known.symbol = known.symbol or report.symbol
        known.side = known.side or report.side
        self._recount(known)

    def answered(self, result: SubmitResult) -> None:
        """How the broker answered a submit.  Unknown changes nothing: the order counts as live."""
        known = self._orders.get(result.client_order_id)
        if known is None:
            return
        known.venue_order_id = result.venue_order_id or known.venue_order_id
        known.accepted = known.accepted or result.outcome is Outcome.ACCEPTED
        known.refused = known.refused or result.outcome is Outcome.REFUSED
        self._recount(known)

    def forgotten(self, client_order_id: str, proof: Proof = Proof.VOID, as_of_ns: int = 0) -> None:
        """A cell has proven that this order does not work; a report revives it, and is the broker's newer word.

        That it is void it has proven whatever an answer said; one that is refused may have been taken by another.
        """
        known = self._orders.get(client_order_id)
        if known is None:
            return
        self._listings.heard(client_order_id)
        if proof is Proof.OUTLIVED:
            known.outlived = known.state.ended is None and known.shown_ns <= as_of_ns
        else:
            known.refused = True
            known.accepted = known.accepted and proof is Proof.REFUSED
        self._recount(known)

    def changing(self, change: ModifyOrder) -> None:
        """This change is being written to the broker: from now on the order may have either terms."""
        self._listings.heard(change.client_order_id)
        known = self._orders[change.client_order_id]
        known.asked = change
        self._recount(known)

    def changed(self, result: ModifyResult) -> None:
        """How the broker answered a change.  Only a refusal settles it: a report tells the terms of what was taken."""
        self._listings.heard(result.client_order_id)
        known = self._orders.get(result.client_order_id)
        asked = known.asked if known else None
        if known and asked and asked.request_id == result.request_id and result.outcome is Outcome.REFUSED:
            known.asked = None
            self._recount(known)

    def load(self, snapshot: Snapshot) -> None:
        """Join what is new of what the broker lists, after a restart or at the poll.  Absence from it changes nothing.

        Past ``keep`` orders, ended ones that are not known are left alone: they would only push out newer ones.
        """
        news = self._listings.news(chain(snapshot.orders, snapshot.executions), snapshot.as_of_ns)
        for report in (report for report in snapshot.orders if report.client_order_id in news):
            if report.leaves_qty > 0 or len(self._orders) < self._keep or report.client_order_id in self._orders:
                self._follow(report)
        for execution in (report for report in snapshot.executions if report.client_order_id in news):
            if execution.client_order_id in self._orders:
                self._follow(execution)

    def knows(self, client_order_id: str) -> bool:
        """Whether this id was sent, or seen at the broker."""
        known = self._orders.get(client_order_id)
        return known is not None and not known.unseen

    def may_trade(self, client_order_id: str) -> bool:
        """Whether this order may still become a fill."""
        return client_order_id in self._live

    def payload(self, client_order_id: str) -> SubmitOrder | None:
        """The order as it was last sent; ``None`` when this incarnation did not send it."""
        known = self._orders.get(client_order_id)
        return known.order if known else None

    def as_it_stands(self, client_order_id: str) -> SubmitOrder | None:
        """The order with the quantity and the terms that it has by now; ``None`` where they are not known for sure."""
        known = self._orders.get(client_order_id)
        if known is None or known.order is None or known.terms is None or known.asked is not None:
            return None
        return replace(known.order, quantity=known.state.order_qty, **known.terms._asdict())

    def filled(self, client_order_id: str) -> int:
        """Units of this order that have traded."""
        known = self._orders.get(client_order_id)
        return known.state.cum_qty if known else 0

    def contradiction(self, order: SubmitOrder) -> str:
        """How ``order`` differs from what is known under its id; "" when it does not, or the id is not known.

        Of an order that only the broker told us about, just what can never change is compared.
        """
        known = self._orders.get(order.client_order_id)
        if known is None:
            return ""
        if known.order is None:
            seen = {"symbol": known.symbol or order.symbol, "side": known.side or order.side}
        elif same_payload(known.order, order):
            return ""
        else:
            seen = msgspec.structs.asdict(_asked_as(order, known.order))
        asked = msgspec.structs.asdict(order)
        return ", ".join(f"{name} {asked[name]}, not {value}" for name, value in seen.items() if asked[name] != value)

    def committed(self, parent_id: str) -> int:
        """Units of this parent order that are filled or may still fill; what was definitively refused counts 0."""
        parent = self._parents.get(parent_id)
        return parent.committed if parent else 0

    def committed_by(self, client_order_id: str) -> int:
        """How much of its parent's :meth:`committed` is this order's."""
        known = self._orders.get(client_order_id)
        return known.counted if known else 0

    @property
    def live_orders(self) -> int:
        """How many orders may still become a fill."""
        return len(self._live)

    def open_orders(self) -> list[OpenOrder]:
        """The orders that the broker works, or may be working, foreign ones included, in the order of their arrival."""
        return list(self._open())

    def open_entries(self) -> list[OpenOrder]:
        """Those of :meth:`open_orders` that are new risk of ours: what a kill switch cancels."""
        return [order for order in self._open() if order.is_entry]

    def foreign_orders(self) -> list[OpenOrder]:
        """Those of :meth:`open_orders` that are not ours: they are listed and never touched."""
        return [order for order in self._open() if cell_of(order.client_order_id) is None]

    def _open(self) -> Iterator[OpenOrder]:
        for client_order_id, known in self._live.items():
            if known.state.leaves_qty > 0:
                yield OpenOrder(
                    client_order_id=client_order_id,
                    venue_order_id=known.state.venue_order_id or known.venue_order_id,
                    role=known.order.role if known.order else None,
                    symbol=known.symbol,
                    side=known.side,
                    live_qty=known.state.live_qty,
                )

    def _add(self, known: _Known) -> _Known:
        self._orders[known.state.client_order_id] = known
        parent = self._parents.setdefault(known.parent_id, _Parent())
        parent.orders[known.state.client_order_id] = known
        return known

    def _remove(self, known: _Known) -> None:
        parent = self._parents[known.parent_id]
        parent.committed -= known.counted
        parent.live -= known.live
        known.counted, known.live = 0, False
        del parent.orders[known.state.client_order_id]
        if not parent.orders:
            del self._parents[known.parent_id]
            self._quiet.pop(known.parent_id, None)

    def _recount(self, known: _Known) -> None:
        """Bring the sums up to date with one order that has changed."""
        live_qty = 0 if known.is_refused else known.live_qty
        counted, live = known.state.cum_qty + live_qty, live_qty > 0
        parent = self._parents[known.parent_id]
        parent.committed += counted - known.counted
        parent.live += live - known.live
        known.counted, known.live = counted, live
        if known.state.count.doubtful:
            self.doubted.add(known.state.client_order_id)
        elif self.doubted:
            self.doubted.discard(known.state.client_order_id)
        if live:
            self._live[known.state.client_order_id] = known
            self._show(known)
        else:
            self._live.pop(known.state.client_order_id, None)
            self.book.drop(known.state.client_order_id)
        if parent.live:
            self._quiet.pop(known.parent_id, None)
        else:
            self._quiet.setdefault(known.parent_id)
        while len(self._orders) > self._keep and self._quiet:
            self._forget(self._quiet.popitem(last=False)[0])

    def _show(self, known: _Known) -> None:
        """Bring the book of working orders up to date with one that may still trade."""
        order, order_id = known.order, known.state.client_order_id
        ours = cell_of(order_id) is not None
        if known.side is None or not known.symbol or not ours:
            return
        possible = [] if known.terms is None else [known.terms, *([terms_of(known.asked)] if known.asked else [])]
        types = {terms.order_type for terms in possible}
        stop = types == {OrdType.STOP_LIMIT} if possible else tag_kind(order_id) == "S" and not known.unseen
        self.book.put(
            Working(
                client_order_id=order_id,
                venue_order_id=known.state.venue_order_id or known.venue_order_id,
                symbol=known.symbol,
                side=known.side,
                is_entry=order.role in ENTRY_ROLES if order else tag_kind(order_id) == "E",
                order_type=known.terms.order_type if known.terms and len(types) == 1 else None,
                prices=tuple(sorted({terms.price for terms in possible})),
                dormant=stop and not known.state.triggered,
                live_qty=known.live_qty,
                unseen=known.unseen,
            )
        )

    def _forget(self, parent_id: str) -> None:
        for client_order_id in self._parents.pop(parent_id).orders:
            del self._orders[client_order_id]
            self.doubted.discard(client_order_id)


def _follow_terms(known: _Known, report: ExecutionReport) -> None:
    """Take the terms that a report tells, and see what became of a change."""
    asked = known.asked
    if asked is not None and report.exec_type is ExecType.REPLACED and report.request_id == asked.request_id:
        known.terms, known.terms_ns, known.asked = terms_of(asked), report.ts_ns, None
    elif report.order_type is not None and report.exec_type in _DESCRIBES and report.ts_ns >= known.terms_ns:
        told = Terms(report.order_type, report.price, report.trigger_price)
        if asked is None or told == terms_of(asked):
            known.terms, known.terms_ns, known.asked = told, report.ts_ns, None
