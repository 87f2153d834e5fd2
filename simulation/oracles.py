"""What must hold: judged by the exchange's truth, the wire and the durable journal, never by what an actor believes.

The safety checks run at every receipt at the exchange and at every commit; the liveness checks when all has healed.
Ids are those of the requirements (I invariants, L liveness).
"""

from __future__ import annotations

import traceback
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from domain.execution import Side
from domain.groups import ENTRY_ROLES, Group, Mode, cell_of, group_part, group_tag
from messages.operator import GroupAccepted
from messages.records import (
    GroupRecord,
    IntentRecord,
    IntentStatus,
    PositionEventRecord,
    ProcessedEventRecord,
)
from simulation.attribution import Attribution
from storage.log import StoredTurn
from storage.port import Turn
from venue.audit.exposure import exposed
from venue.audit.orders import Terms, terms_of
from venue.truth import TruthEvent

GATEWAY_STEM = "gateway"
ENDS = frozenset({"canceled", "expired", "rejected"})


class Violation(BaseException):
    """An invariant does not hold.  Not an ``Exception``: no actor may take it for a bug of its own."""

    def __init__(self, invariant: str, text: str) -> None:
        self.invariant, self.text = invariant, text
        super().__init__(f"{invariant}: {text}")


def bug(error: BaseException, when: str = "") -> Violation:
    """An exception of the program that no fault explains."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}, line {where.lineno}"
    return Violation("BUG", f"{type(error).__name__}: {error} ({place}){when}")


class AtExchange:
    """One order as the exchange's record tells it."""

    __slots__ = ("cum", "ended", "leaves", "qty", "received_ns", "side", "symbol")

    def __init__(self, event: TruthEvent) -> None:
        self.symbol, self.side, self.qty = event.symbol, Side(event.side), event.qty or 0
        self.cum, self.leaves, self.ended = 0, self.qty, False
        self.received_ns = event.ts_ns


class Oracles:
    """Keeps its own books from the truth record and from the turns that became durable."""

    def __init__(self) -> None:
        self.orders: dict[str, AtExchange] = {}
        self.by_group: dict[str, list[str]] = defaultdict(list)  # group's tag -> client order ids at the exchange
        self.intents: dict[str, IntentRecord] = {}
        self.first_intents: dict[str, IntentRecord] = {}
        self.changes: dict[str, set[Terms]] = defaultdict(set)  # by order: what it was ever to be changed into
        self.groups: dict[str, GroupRecord] = {}  # by tag
        self.reconciled: dict[Path, int] = {}  # journal -> the epoch that was compared with the broker
        self.busted: Counter[str] = Counter()  # units taken back, gone, or filled after an end, by group's tag
        self.moves: dict[str, dict[str, PositionEventRecord]] = defaultdict(dict)  # by tag: changes without orders
        self.excused: set[str] = set()  # of such changes, those that ``busted`` has counted, journaled still or not
        self.accepted: set[str] = set()
        self.forgotten: set[str] = set()  # orders of which a journal knows nothing any more
        self.remade: set[str] = set()  # of them, those whose ids were given out again
        self.received_ns: dict[str, int] = {}  # of them, when those that the exchange had by then were received
        self.lost: dict[str, GroupRecord] = {}  # groups, likewise, by tag
        self.attribution = Attribution()
        self.checks: Counter[str] = Counter()

    def fail(self, invariant: str, text: str) -> None:
        raise Violation(invariant, text)

    def demand(self, holds: bool, invariant: str, text: Any) -> None:
        """Count a check, and raise :class:`Violation` unless it holds."""
        self.checks[invariant] += 1
        if not holds:
            raise Violation(invariant, str(text))

    # --- the journal, turn by turn ---

    def on_commit(self, path: Path, turn: Turn) -> None:
        """A turn is durable."""
        fresh: dict[str, GroupRecord | None] = {}  # orders that are new in this turn, with their group as it then was
        for record in turn.records:
            if isinstance(record, IntentRecord):
                if record.client_order_id not in self.first_intents or record.client_order_id in self.forgotten:
                    self._made(record.client_order_id)
                    self.first_intents[record.client_order_id] = record
                    fresh[record.client_order_id] = self.groups.get(group_part(record.client_order_id))
                self._follow(record)
                self.intents[record.client_order_id] = record
                if record.replace_requests:
                    self.changes[record.client_order_id].add(_terms(record))
            elif isinstance(record, GroupRecord):
                self.groups[group_tag(record.group_id)] = record
                self.lost.pop(group_tag(record.group_id), None)
            elif isinstance(record, ProcessedEventRecord) and record.event_id.startswith("reconciled/"):
                self.reconciled[path] = int(record.event_id.split("/")[1])
            elif isinstance(record, PositionEventRecord) and record.group_id:
                self._moved(group_tag(record.group_id), record)
        for order_id, group in fresh.items():
            self._judge_intent(path, turn, self.intents[order_id], group)
        if any(isinstance(record, PositionEventRecord) for record in turn.records):
            unknown = self.left_to_a_person | {group_part(one) for one in self.forgotten | self.remade}
            tags = {record.group_id: tag for tag, record in self.groups.items() if tag not in unknown}
            for holds, text in self.attribution.on_commit(path, turn.records, tags):
                self.demand(holds, "R21", text)

    def _made(self, order_id: str) -> None:
        if order_id in self.forgotten:
            self.forgotten.remove(order_id)
            self.remade.add(order_id)

    def _moved(self, tag: str, moved: PositionEventRecord) -> None:
        """Units went without an order: what is on its way by then was decided with them.  Shares are of no leg."""
        if moved.leg_id and moved.event_id not in self.excused:
            self.excused.add(moved.event_id)
            self.busted[tag] += abs(moved.quantity)
        self.moves[tag][moved.event_id] = moved

    def _follow(self, intent: IntentRecord) -> None:
        before = self.intents.get(intent.client_order_id)
        if before is not None and before.status in (IntentStatus.FILLED, IntentStatus.CANCELED, IntentStatus.EXPIRED):
            known = self.orders.get(intent.client_order_id)
            again = intent.status is IntentStatus.LIVE and known is not None and known.cum
            self.demand(
                intent.status is not IntentStatus.LIVE or bool(again) or intent.client_order_id in self.orders,
                "I14", f"{intent.client_order_id} went from {before.status} to {intent.status}",
            )  # fmt: skip

    def _judge_intent(self, path: Path, turn: Turn, intent: IntentRecord, record: GroupRecord | None) -> None:
        if intent.role not in ENTRY_ROLES or intent.cancel_requests:
            return
        self.demand(record is not None, "I29", f"{intent.client_order_id} is of no group")
        assert record is not None
        self.demand(
            record.mode is Mode.ENTERING and not record.quarantined,
            "I10", f"{intent.client_order_id}: new risk of a group that is {record.mode.value}",
        )  # fmt: skip
        self.demand(
            self.reconciled.get(path) == turn.epoch,
            "I22", f"{intent.client_order_id}: new risk before the journal was compared with the broker",
        )  # fmt: skip

    def on_older(self, path: Path, turns: list[StoredTurn]) -> dict[str, IntentRecord]:
        """The journal ends after these turns: what came later is not known to anybody any more.

        Who is asked for what it has forgotten is a person; nothing of it may be done twice.  A change without an order
        is told again, and may be another group's by then, or nobody's.  Returns the orders that it knows.
        """
        if path.stem == GATEWAY_STEM:
            return {}
        cell = int(path.stem.partition("-")[2])
        intents: dict[str, IntentRecord] = {}
        groups: dict[str, GroupRecord] = {}
        moves: dict[str, dict[str, PositionEventRecord]] = defaultdict(dict)
        records = [record for turn in turns for record in turn.records()]
        for record in records:
            if isinstance(record, IntentRecord):
                intents[record.client_order_id] = record
            elif isinstance(record, GroupRecord):
                groups[group_tag(record.group_id)] = record
            elif isinstance(record, PositionEventRecord) and record.group_id:
                moves[group_tag(record.group_id)][record.event_id] = record
        self.attribution.on_older(path, records)
        forgotten = {order_id for order_id in self.intents if cell_of(order_id) == cell} - intents.keys()
        for one in sorted((forgotten - self.forgotten) & self.orders.keys()):
            self.attribution.on_stray(self.orders[one].symbol, self.orders[one].side.sign * self.orders[one].cum)
        self.forgotten |= forgotten
        self.received_ns |= {one: self.orders[one].received_ns for one in sorted(forgotten & self.orders.keys())}
        self.intents |= intents
        self.lost |= {tag: one for tag, one in self.groups.items() if one.cell == cell and tag not in groups}
        self.moves |= {tag: moves[tag] for tag, one in self.groups.items() if one.cell == cell}
        self.groups |= groups
        self.accepted -= {one.group_id for one in self.lost.values()}
        return intents

    # --- the exchange, event by event ---

    def on_truth(self, event: TruthEvent) -> None:
        """Something happened at the exchange."""
        order_id = event.client_order_id
        if not order_id:
            self.attribution.on_move(event)
        if event.kind == "order_received":
            self._judge_send(event)
            return
        order = self.orders.get(order_id)
        if order is None:
            return
        if event.kind == "rejected" and event.reason.startswith("duplicate"):
            return
        if event.kind == "fill" and order.ended:  # who decided before it was told could not know
            self.busted[group_part(order_id)] += event.last_qty or 0
        if event.cum_qty is not None and event.cum_qty < order.cum:
            self.busted[group_part(order_id)] += order.cum - event.cum_qty
        if event.cum_qty is not None:
            traded = order.side.sign * (event.cum_qty - order.cum)
            self.attribution.on_fill(group_part(order_id), event.ts_ns, order.symbol, traded)
            if order_id in self.forgotten:
                self.attribution.on_stray(order.symbol, traded)
            order.cum, order.leaves = event.cum_qty, event.leaves_qty or 0
            order.qty = event.qty or order.qty
        if event.kind in ENDS:
            order.ended, order.leaves = True, 0

    def _judge_send(self, event: TruthEvent) -> None:
        order_id = event.client_order_id
        intent = self.intents.get(order_id)
        self.demand(intent is not None, "I1", f"{order_id} is at the exchange, and no intent is durable")
        assert intent is not None
        told, meant = terms_of(event), _terms(intent)
        self.demand(told == meant, "I30", f"{order_id}: sent {told}, meant {meant}")
        if order_id in self.orders:
            return  # a second copy, which the exchange refuses
        tag = group_part(order_id)
        record = self.groups.get(tag)
        self.demand(record is not None, "I29", f"{order_id} is of no group")
        assert record is not None
        self._slot(intent)
        held = self.held(tag, record.group)
        leg = record.group.leg(intent.leg_id)
        forgiven = self.busted[tag]
        if intent.side is leg.side:
            acquiring = held[leg.leg_id] + self.working(tag, leg.leg_id, leg.side) + intent.quantity
            self.demand(
                acquiring <= leg.target_qty + forgiven, "I4",
                f"{order_id}: {acquiring} of {leg.target_qty} {leg.leg_id} would be held",
            )  # fmt: skip
        else:
            exiting = self.working(tag, leg.leg_id, leg.side.opposite) + intent.quantity
            self.demand(
                exiting <= held[leg.leg_id] + forgiven, "I9",
                f"{order_id}: {exiting} would be closed of {held[leg.leg_id]} {leg.leg_id}",
            )  # fmt: skip
        if intent.role in ENTRY_ROLES and leg.side is Side.SELL:
            self._protected(order_id, record.group, leg.leg_id, held, intent.quantity, tag)
        self.orders[order_id] = AtExchange(event)
        self.by_group[tag].append(order_id)

    def _slot(self, new: IntentRecord) -> None:
        slot_qty = None
        total = new.quantity
        for order_id in self.by_group[group_part(new.client_order_id)]:
            other = self.first_intents[order_id]
            if (other.parent_id, other.slice) != (new.parent_id, new.slice):
                continue
            known = self.orders[order_id]
            self.demand(
                known.leaves == 0,
                "I3",
                f"{new.client_order_id} comes before {order_id} has ended ({known.leaves} open)",
            )
            total += known.cum
            if slot_qty is None or other.attempt == 1:
                slot_qty = other.quantity
        first = next(
            (i for i in self.first_intents.values()
             if (i.parent_id, i.slice, i.attempt) == (new.parent_id, new.slice, 1)), new,
        )  # fmt: skip
        forgiven = self.busted[group_part(new.client_order_id)]
        self.demand(total <= first.quantity + forgiven, "I3", f"{new.client_order_id}: {total} of {first.quantity}")

    def held(self, tag: str, group: Group) -> dict[str, int]:
        """What the group holds of each leg, in its direction: by the exchange's record, and what came without orders.

        Whose that is, the exchange cannot say: the journals do.  The audit holds their sum against the exchange, and
        ``attribution.py`` judges it when it becomes durable.
        """
        held = {leg.leg_id: 0 for leg in group.legs}
        sides = {leg.leg_id: leg.side for leg in group.legs}
        for moved in self.moves[tag].values():
            if moved.leg_id in held:
                held[moved.leg_id] += moved.quantity * sides[moved.leg_id].sign
        for order_id in self.by_group[tag]:
            intent, order = self.intents[order_id], self.orders[order_id]
            held[intent.leg_id] += order.cum if intent.side is sides[intent.leg_id] else -order.cum
        return held

    def working(self, tag: str, leg_id: str, side: Side) -> int:
        """What the group's orders of this leg and side may still trade, by the exchange's record."""
        return sum(
            self.orders[order_id].leaves
            for order_id in self.by_group[tag]
            if self.intents[order_id].leg_id == leg_id and self.intents[order_id].side is side
        )

    def _protected(
        self, order_id: str, group: Group, leg_id: str, held: dict[str, int], quantity: int, tag: str
    ) -> None:
        shorts = {
            leg.leg_id: held[leg.leg_id] + self.working(tag, leg.leg_id, Side.SELL)
            for leg in group.legs
            if leg.side is Side.SELL
        }
        shorts[leg_id] += quantity
        bare, allowed = exposed(group, held, shorts), self.busted[tag]
        self.demand(bare <= allowed, "I7", f"{order_id}: {bare} units would be uncovered, {allowed} may be")

    # --- older copies ---

    @property
    def left_to_a_person(self) -> frozenset[str]:
        """Tags of groups of which a part of the journal is lost: nothing more is sent or learnt."""
        left = (tag for tag, record in self.groups.items() if record.mode is Mode.LEFT)
        return frozenset([*self.lost, *left])

    # --- the operator ---

    def answered(self, command_id: str, answer: Any) -> None:
        """An operator got this answer."""
        if isinstance(answer, GroupAccepted):
            self.accepted.add(answer.group_id)
            self.demand(
                group_tag(answer.group_id) in self.groups, "S10", f"{command_id} was accepted, but is not durable"
            )


def _terms(intent: IntentRecord) -> Terms:
    return Terms(
        intent.symbol, intent.side.value, intent.quantity, intent.price, intent.trigger_price, intent.order_type.value
    )
