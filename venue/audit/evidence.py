"""What the checks look at: the exchange's record, the journals, and who an order belongs to by its id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from domain.execution import Side
from domain.groups import Leg, cell_of, group_part, tag_kind, tag_leg_index
from venue.audit.journal import Entry, EvidenceError, GroupRow, Intent, Journal, Position, read_journals
from venue.audit.orders import ExchangeRecord, Order, State, Step, is_ours
from venue.audit.wire import Wire, WireError, read_wire
from venue.truth import TruthEvent, read_truth

SECOND_NS = 1_000_000_000
ENTRY, CLOSE, HEDGE, STOP = "E", "C", "H", "S"  # what kind of parent placed an order, by the letter in its id


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much is tolerated without an alert (I6), in exchange time and in units."""

    uncovered_s: float = 15.0
    unheard_s: float = (
        24.0  # on top, for what a bust or a correction uncovers: nobody may hear of it for two polls (R20)
    )
    uncovered_qty: int | None = None  # None: any quantity, as long as the time is kept
    in_flight_s: float = 5.0  # I10: an order that was on its way when its group was halted
    unguarded_s: float = 30.0  # I8: a position of a certified group without its whole stop
    late_s: float = 60.0  # I27: an act after its deadline; a killed process takes its time to come back
    killed_s: float = 30.0  # I26: for an entry that worked when the kill switch was turned
    absence_s: float = 2.0  # I15: the horizon after which an absence counts; void is what was found absent twice
    on_old_wire_s: float = 0.0  # I17: what was sent over an older connection may arrive so long after a newer one's
    restarts: int = 10  # I24: of one child, within the period
    restart_period_s: float = 30.0  # of the machine's clock


class Finding(msgspec.Struct, kw_only=True):
    """What one check found.  ``problems`` make it fail; ``notes`` say what was excused or measured."""

    name: str
    title: str
    cases: int = 0
    problems: list[str] = []
    notes: list[str] = []
    groups: list[str] = []  # those that the problems are about, in their order
    may_be_empty: bool = False
    shown_by: str = ""  # what shows it instead when the records hold no case of it

    @property
    def status(self) -> str:
        """``ok``, ``FAIL``, ``not shown`` (by these records; ``shown_by`` says by what), ``EMPTY`` (a failure: nothing
        was looked at) or ``empty (allowed)``."""
        if self.problems:
            return "FAIL"
        if self.cases:
            return "ok"
        if self.shown_by:
            return "not shown"
        return "empty (allowed)" if self.may_be_empty else "EMPTY"

    @property
    def passed(self) -> bool:
        """Whether the run may be certified as far as this check goes."""
        return self.status in ("ok", "not shown", "empty (allowed)")


class Move(NamedTuple):
    """A change of a leg's position without an order, as the journal attributed it, in the leg's direction."""

    ts_ns: int
    leg_id: str
    quantity: int
    at: Position
    heard_ns: int


class GroupOrders:
    """A group and its orders at the exchange, by leg and by what kind of parent placed them."""

    def __init__(self, row: GroupRow, orders: Iterable[Order], entries: Iterable[Entry] = ()) -> None:
        self.row = row
        self.group = row.group
        self.moves = sorted(self._moves(entries))
        self.orders = list(orders)
        self._leg_of = {order: self._find(order) for order in self.orders}

    def _find(self, order: Order) -> Leg | None:
        index = tag_leg_index(order.client_order_id)
        return next((leg for leg in self.group.legs if leg.index == index), None)

    def _moves(self, entries: Iterable[Entry]) -> Iterable[Move]:
        for entry in entries:
            facts = entry.facts
            leg = next((leg for leg in self.group.legs if leg.leg_id == facts["leg_id"]), None)
            if leg is not None and facts["group_id"] == self.group.group_id:
                signed = facts["quantity"] * leg.side.sign
                yield Move(facts["ts_ns"], leg.leg_id, signed, entry.at, entry.committed_ns)

    def lost(self, leg: Leg, state: State) -> int:
        """Units of the leg that went away without an order by then: they may be obtained once more."""
        by_ns = max((step.ts_ns for step in state.values()), default=0)
        return -sum(m.quantity for m in self.moves if m.leg_id == leg.leg_id and m.quantity < 0 and m.ts_ns <= by_ns)

    def came(self, leg: Leg, state: State, seen: Seen | None = None) -> int:
        """Units that came to the leg without an order by then; with ``seen``, as that decision could know."""
        by_ns = max((step.ts_ns for step in state.values()), default=0)
        known = (move for move in self.moves if move.ts_ns <= by_ns and (seen is None or move.at < seen.position))
        return sum(move.quantity for move in known if move.leg_id == leg.leg_id and move.quantity > 0)

    def leg_of(self, order: Order) -> Leg | None:
        """The leg that the order's id names; ``None`` when the plan has no such leg."""
        return self._leg_of[order]

    def entering(self, leg: Leg) -> list[Order]:
        """Entries, and hedges in the leg's direction."""
        return [order for order in self._of(leg) if not self.exits(order, leg)]

    def leaving(self, leg: Leg) -> list[Order]:
        """Closes, stop-losses, and hedges against the leg's direction."""
        return [order for order in self._of(leg) if self.exits(order, leg)]

    def along(self, leg: Leg) -> list[Order]:
        """Hedges in the leg's direction."""
        return [order for order in self.entering(leg) if tag_kind(order.client_order_id) == HEDGE]

    def _of(self, leg: Leg) -> list[Order]:
        return [order for order in self.orders if self._leg_of[order] is leg]

    @staticmethod
    def exits(order: Order, leg: Leg) -> bool:
        """Whether the order takes away from the leg's position."""
        kind = tag_kind(order.client_order_id)
        return kind in (CLOSE, STOP) or (kind == HEDGE and order.side is not leg.side)

    def held(self, state: State, seen: Seen | None = None, until_ns: int | None = None) -> dict[str, int]:
        """Each leg's position in its own direction, by leg id; negative when more left than had entered.

        With ``seen``, as that decision could know: exits that it had not heard of are left out, too.  Changes without
        an order count up to ``until_ns``; up to the latest event of the orders without it.
        """
        result = {leg.leg_id: 0 for leg in self.group.legs}
        latest_ns = max((step.ts_ns for step in state.values()), default=0) if until_ns is None else until_ns
        for move in self.moves:
            if move.ts_ns <= latest_ns and (seen is None or move.at < seen.position):
                result[move.leg_id] += move.quantity
        for order, step in state.items():
            if leg := self._leg_of[order]:
                unheard = seen.unheard(order, step.seq, ordinary=self.exits(order, leg))[0] if seen else 0
                filled = step.filled - unheard
                result[leg.leg_id] += filled if order.side is leg.side else -filled
        return result

    def final(self) -> State:
        """How each order is in the end."""
        return {order: order.last for order in self.orders}

    def shorts(self) -> list[Leg]:
        """The legs that are sold."""
        return [leg for leg in self.group.legs if leg.side is Side.SELL]


class Evidence:
    """Both sides of the story.

    ``record`` ends where the journal is certain to have known everything that it must have written *before*; ``latest``
    was read after the journal and holds everything that the journal can have *heard*.  At rest the two are one.
    ``leaps``: from when to when the exchange's clock went in no time at all, as it does over a simulated night.
    """

    def __init__(
        self,
        record: ExchangeRecord,
        latest: ExchangeRecord,
        journal: Journal,
        wire: Wire,
        *,
        at_rest: bool,
        leaps: Sequence[tuple[int, int]] = (),
    ) -> None:
        self.record = record
        self.latest = latest
        self.journal = journal
        self.wire = wire
        self.at_rest = at_rest
        self.leaps = leaps
        self.ours = [order for order in record.orders if is_ours(order.client_order_id)]
        self.foreign = len(record.orders) - len(self.ours)
        by_tag: dict[str, list[Order]] = {}
        for order in self.ours:
            if well_formed(order.client_order_id):
                by_tag.setdefault(group_part(order.client_order_id), []).append(order)
        moved = [entries[-1] for entries in journal.history["PositionEventRecord"].values()]
        self.groups = [GroupOrders(row, by_tag.get(tag, ()), moved) for tag, row in journal.groups.items()]

    def intent(self, order: Order) -> Intent | None:
        """The intent of the order, from the log."""
        return self.journal.intents.get(order.client_order_id)

    def groups_of(self, problems: Iterable[str]) -> list[str]:
        """The groups that these problems name, by their own id or by that of an order, hedge or stop-loss."""
        known = {group.row.tag: group.group.group_id for group in self.groups}
        ids = set(known.values())
        found: dict[str, None] = {}
        for problem in problems:
            name = re.split("[:/ ]", problem, maxsplit=1)[0]
            if name in ids or known.get(group_part(name)):
                found[name if name in ids else known[group_part(name)]] = None
        return list(found)

    def passed_ns(self, start_ns: int, end_ns: int) -> int:
        """How much time anybody had between these two of the exchange's clock."""
        leapt = (min(end_ns, until_ns) - max(start_ns, since_ns) for since_ns, until_ns in self.leaps)
        return end_ns - start_ns - sum(each for each in leapt if each > 0)

    def sends(self) -> list[TruthEvent]:
        """Every order of ours that reached the exchange, repetitions included."""
        return [send for send in self.record.sends if is_ours(send.client_order_id)]

    def seen_by(self, order: Order) -> Seen | None:
        """What was known when this order was decided; ``None`` when it has no intent."""
        intent = self.intent(order)
        return Seen(self.journal, intent.position) if intent else None

    def views_at(self, position: Position) -> tuple[Seen, ...]:
        """What a decision there may have known: what was taken back by its report, or by the broker's count alone."""
        return tuple(Seen(self.journal, position, by_count=by_count) for by_count in (False, True))


class Seen:
    """The world as the decision at ``position`` of the log could know it: surprises not heard of yet left out.

    ``by_count``: what a bust or a correction took counts as heard when the broker's own count had shown it.
    """

    def __init__(self, journal: Journal, position: Position, *, by_count: bool = False) -> None:
        self._journal = journal
        self.position = position
        self._by_count = by_count

    def unheard(self, order: Order, seq: int, *, ordinary: bool = False) -> tuple[int, int]:
        """What surprises up to event ``seq``, not heard of yet, had changed: filled and open units of ``order``.

        With ``ordinary`` any fill that had not been heard of is left out as well.  Whoever has heard that a fill is
        taken back knows all that is left of it.
        """
        undone = {step.undoes for step in order.steps if step.undoes >= 0 and self._knew(order, step)}
        news = [
            step
            for step in order.steps
            if (step.surprise or (ordinary and step.kind == "fill"))
            and step.seq <= seq
            and step.seq not in undone
            and not self._knew(order, step)
            and not (self._by_count and self._journal.counted(order.client_order_id, step, self.position))
        ]
        return sum(step.d_filled for step in news), sum(step.d_open for step in news)

    def _knew(self, order: Order, step: Step) -> bool:
        return self._journal.knew(order.client_order_id, step, self.position)


def filled_of(order: Order, state: State, seen: Seen | None) -> int:
    """What of the order has filled; with ``seen``, as that decision could know.

    What a bust gave back to a working order may have traded again: without it that would not have been more than the
    order is for.
    """
    step = state[order]
    if seen is None:
        return step.filled
    return min(step.filled - seen.unheard(order, step.seq)[0], max(order.quantity, step.filled))


def open_of(order: Order, state: State, seen: Seen | None) -> int:
    """What of the order may still fill; with ``seen``, as that decision could know."""
    step = state[order]
    return step.open - (seen.unheard(order, step.seq)[1] if seen else 0)


def well_formed(client_order_id: str) -> bool:
    """Whether the id is one that the system can have made."""
    return (
        client_order_id.isascii()
        and cell_of(client_order_id) is not None
        and tag_kind(client_order_id) in (ENTRY, CLOSE, HEDGE, STOP)
        and client_order_id.isalnum()
        and client_order_id == client_order_id.upper()
    )


def load(truth: Path, directory: Path, *, at_rest: bool = True) -> Evidence:
    """Read both sides.  While the system runs, the record is read before *and* after the journal.

    Raises :class:`EvidenceError` with what is wrong and what to do.
    """
    before = None if at_rest else ExchangeRecord(_events(truth))
    journal = read_journals(directory)
    try:
        wire = read_wire(directory)
    except WireError as error:
        raise EvidenceError(str(error)) from error
    latest = ExchangeRecord(_events(truth))
    return Evidence(before or latest, latest, journal, wire, at_rest=at_rest)


def _events(truth: Path) -> list[TruthEvent]:
    try:
        return list(read_truth(truth))
    except OSError as error:
        raise EvidenceError(f"{truth}: cannot be read: {error.strerror}; name the exchange's record") from error
    except ValueError as error:
        raise EvidenceError(str(error)) from error
