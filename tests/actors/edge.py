"""What must hold at the exchange's edge, at the moment a request arrives there: judged by what the exchange knows.

The watcher takes the journal's word for what was intended and when, and the exchange's for what is.  A bust that the
cell had not heard of when it decided makes it believe that it holds something else than it does: so much is forgiven,
per leg.
"""

from __future__ import annotations

from itertools import islice

from world import World

from decisions.effects import Request
from domain.execution import ExecutionReport, OrdStatus, OrdType, Side
from domain.groups import ENTRY_ROLES, Group, Leg, Mode, group_part, tag_kind
from messages.orders import CancelOrder, ModifyOrder, SubmitOrder
from messages.records import ExecutionRecord, IntentRecord
from storage.port import GroupRows
from venue.audit.exposure import exposed

ENDED = frozenset({OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED})
PAYLOAD = (
    "client_order_id",
    "group_id",
    "role",
    "symbol",
    "side",
    "quantity",
    "order_type",
    "time_in_force",
    "price",
    "trigger_price",
    "parent_id",
    "decided_ns",
)


class Edge:
    """Called with every request just before the exchange receives it; raises ``AssertionError`` for a wrong one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.watched = 0
        self.rows: GroupRows
        self.turns = self.records = 0  # of the journal, that have been read
        self.heard: dict[str, int] = {}  # exec id -> which record of the journal first had it
        self.decided: dict[str, int] = {}  # client order id -> which record of the journal first had it
        self.reports: dict[str, ExecutionReport] = {}
        self.orders: list[tuple[IntentRecord, ExecutionReport]] = []

    def __call__(self, request: Request) -> None:
        self.watched += 1
        intent = self._intent(request.client_order_id)
        if isinstance(request, CancelOrder):
            assert intent.cancel_requests > 0, f"a cancel that the journal does not know: {request}"
            return
        if isinstance(request, ModifyOrder):
            self._change(request, intent)
            return
        assert isinstance(request, SubmitOrder)
        for name in PAYLOAD:  # I1, I30
            assert getattr(request, name) == getattr(intent, name), f"{name} is not in the intent: {request}"
        assert request.parent_qty == intent.parent_qty or request.resend
        if request.client_order_id in self.reports:
            assert request.resend, f"sent twice without saying so: {request}"
            return  # a second copy of what the exchange has: it refuses it
        group = self.rows.group
        leg = group.group.leg(intent.leg_id)
        self._slot(intent)
        self._children(intent, request.parent_qty)
        self._target(leg, intent)
        self._exits(leg, intent)
        if request.role in ENTRY_ROLES:
            ends_at_once = intent.cancel_requests > 0 and not request.resend  # decided and taken back in one turn
            assert group.mode is Mode.ENTERING or ends_at_once, f"new risk while {group.mode.value}: {request}"  # I10
            assert not group.quarantined, f"new risk of a quarantined group: {request}"
            if leg.side is Side.SELL:
                self._protected(group.group, leg, intent)

    def _change(self, request: ModifyOrder, intent: IntentRecord) -> None:
        """A change in place is in the journal first (I1, I30), and never leaves more at work than there was (R2)."""
        for name in ("order_type", "quantity", "price", "trigger_price"):
            assert getattr(request, name) == getattr(intent, name), f"{name} is not in the intent: {request}"
        assert request.quantity <= self.reports[request.client_order_id].order_qty, f"more than before: {request}"

    # --- what is known ---

    def _intent(self, client_order_id: str) -> IntentRecord:
        """The committed intent; looks up besides what is known of its group here and there."""
        self._read_on()
        group_id = self.world.journal.group_by_tag(group_part(client_order_id))
        assert group_id is not None, f"no group for {client_order_id}"
        self.rows = self.world.group(group_id)
        self.reports = {report.client_order_id: report for report in self.world.exchange.orders(self.world.now_ns)}
        self.orders = [
            (i, self.reports[i.client_order_id]) for i in self.rows.intents if i.client_order_id in self.reports
        ]
        found = [i for i in self.rows.intents if i.client_order_id == client_order_id]
        assert found, f"no committed intent for {client_order_id}"
        return found[0]

    def _read_on(self) -> None:
        """What the journal holds since the last request, in the order in which it was decided."""
        for turn in islice(self.world.journal.turns(), self.turns, None):
            self.turns += 1
            for record in turn.records():
                self.records += 1
                if isinstance(record, ExecutionRecord):
                    self.heard.setdefault(record.exec_id, self.records)
                elif isinstance(record, IntentRecord):
                    self.decided.setdefault(record.client_order_id, self.records)

    def _busted(self, leg: Leg, new: IntentRecord) -> int:
        """Units of this leg that had been taken back, and the cell had not heard of it when it decided ``new``."""
        own = {intent.client_order_id for intent in self.rows.intents if intent.leg_id == leg.leg_id}
        return sum(
            event.last_qty or 0
            for event in self.world.truth
            if event.kind == "busted"
            and event.client_order_id in own
            and self.heard.get(event.exec_id, self.records + 1) > self.decided[new.client_order_id]
        )

    def _net(self, leg: Leg) -> int:
        """What the group holds of a leg, in the leg's direction."""
        return sum(o.cum_qty * i.side.sign * leg.side.sign for i, o in self.orders if i.leg_id == leg.leg_id)

    def _open(self, leg: Leg, side: Side, kinds: str = "ECHS") -> int:
        return sum(
            order.leaves_qty
            for intent, order in self.orders
            if intent.leg_id == leg.leg_id and intent.side is side and tag_kind(intent.client_order_id) in kinds
        )

    # --- what must hold ---

    def _slot(self, new: IntentRecord) -> None:
        """I3: a slot never holds more than its quantity, and attempt n + 1 comes after the end of attempt n."""
        slot = [(i, o) for i, o in self.orders if (i.parent_id, i.slice) == (new.parent_id, new.slice)]
        for intent, order in slot:
            assert intent.attempt < new.attempt
            assert order.ord_status in ENDED, f"{new.client_order_id} comes before {intent.client_order_id} ended"
        first = next(i for i in self.rows.intents if (i.parent_id, i.slice, i.attempt) == (new.parent_id, new.slice, 1))
        assert sum(order.cum_qty + order.leaves_qty for _, order in slot) + new.quantity <= first.quantity, new

    def _children(self, new: IntentRecord, parent_qty: int) -> None:
        """R17, E6: the children of a parent never exceed it; an order sent again is measured by what it is now."""
        own = [order for intent, order in self.orders if intent.parent_id == new.parent_id]
        assert sum(order.cum_qty + order.leaves_qty for order in own) + new.quantity <= parent_qty, new

    def _target(self, leg: Leg, new: IntentRecord) -> None:
        """I4, I5: what is held and what may still be acquired, hedges included, never exceeds the target."""
        if new.side is not leg.side:
            return
        acquiring = self._net(leg) + self._open(leg, leg.side) + new.quantity
        assert acquiring <= leg.target_qty + self._busted(leg, new), f"{acquiring} of {leg.target_qty}: {new}"

    def _exits(self, leg: Leg, new: IntentRecord) -> None:
        """I9, R2, R12: what may still be exited never exceeds what is held."""
        if new.side is leg.side:
            return
        exiting = self._open(leg, leg.side.opposite) + new.quantity
        assert exiting <= self._net(leg) + self._busted(leg, new), f"{exiting} of {self._net(leg)}: {new}"

    def _protected(self, group: Group, leg: Leg, new: IntentRecord) -> None:
        """I7: a short arrives only under protection that has filled: it leaves no more uncovered than there was."""
        longs = {each.leg_id: self._net(each) for each in group.legs if each.side is Side.BUY}
        shorts = {each.leg_id: self._net(each) + self._open(each, Side.SELL) for each in group.legs}
        before = _bare(group, longs, shorts)
        shorts[leg.leg_id] += new.quantity
        forgiven = sum(self._busted(each, new) for each in group.legs)
        bare = _bare(group, longs, shorts)
        assert bare <= max(before, forgiven), f"{bare} uncovered with {new}, {before} without it"
        assert new.order_type is not OrdType.STOP_LIMIT


def _bare(group: Group, longs: dict[str, int], shorts: dict[str, int]) -> int:
    """Short units that nothing protects, and that the plan does not leave naked."""
    return exposed(group, longs, {k: v for k, v in shorts.items() if k not in longs})
