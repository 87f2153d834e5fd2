"""More that must hold: who may write and send, time, hedge decisions, protection while closing, alerts that arrive.

Like :mod:`simulation.oracles`, on whose books it stands, it looks at the exchange's truth, at what left, at what became
durable, and at the alert log; never at what an actor believes.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decisions.effects import MS
from decisions.orders.working import RETRY_MS
from domain.calendar import calendar, has_expired
from domain.execution import Side
from domain.groups import ENTRY_ROLES, Role, cell_of, group_part
from messages.records import EscalationRecord, HedgeRecord, HedgeStatus, IntentRecord, IntentStatus
from simulation.oracles import Oracles
from storage.log import StoredTurn
from storage.port import Turn
from storage.tables import ESCALATIONS
from venue.audit.exposure import exposed
from venue.audit.wire import LEAVING, PACED, Line
from venue.protocol import Cancel, ClientMessage, Modify, Submit
from venue.truth import TruthEvent

if TYPE_CHECKING:
    from config.schema import Config
    from simulation.world import World

SECOND_NS = 999 * MS  # tokens are kept in whole milliseconds
ARRIVALS = {"order_received": "submit", "cancel_received": "cancel"}  # the exchange notes a change by its outcome only
TURNED_DOWN = frozenset({IntentStatus.REFUSED, IntentStatus.REJECTED})
ON_ITS_WAY_NS = 12_000 * MS  # of the machine: so long a command may wait for a gateway that hangs
DELIVERY_NS = 10_000 * MS  # broker time within which an alert has arrived once all is well


class Watch:
    """``oracles`` has taken every event before it comes here."""

    def __init__(self, oracles: Oracles, config: Config) -> None:
        self.oracles, self.config = oracles, config
        self.opened: dict[Path, int] = {}  # journal -> epoch of its last opening
        self.clock_ns: dict[Path, int] = {}  # journal -> time of its last turn
        self.gateways: list[int] = []  # pids, in the order of their starts
        self.hedges: dict[str, HedgeRecord] = {}
        self.decided_ns: dict[tuple[str, str], int] = {}  # group and symbol -> when its last hedge was decided
        self.raised: set[str] = set()  # escalation ids
        self.numbers: dict[str, str] = {}  # client order id -> the exchange's number for it
        self.failed: dict[Path, Turn] = {}  # journal -> the turn of its owner whose commit failed
        self.intents: dict[str, IntentRecord] = {}  # by client order id, as they are durable
        self.last: dict[Path, tuple[Turn, set[str]]] = {}  # journal -> its last durable turn, and what that decided
        self.unread: dict[str, int] = {}  # orders that a turn decided whose commit failed -> its epoch
        self.low: dict[Path, int] = {}  # journal -> the epoch whose owner found the disk full
        self.is_low: Callable[[Path], bool] = lambda _path: False
        self.limits: dict[str, Any] = {}  # of the gateway that started last
        self.left: deque[int] = deque()  # when something left within the last second, whichever gateway sent it
        self.released_ns = -ON_ITS_WAY_NS  # when a person last asked a gateway to turn the kill switch off
        self.asked: Counter[tuple[str, str]] = Counter()  # what left and has not arrived: kind and id

    # --- journals ---

    def on_open(self, path: Path, epoch: int) -> None:
        """A journal has a new owner."""
        before = self.opened.get(path, 0)
        self.oracles.demand(epoch > before, "I17", f"{path.name} is opened with epoch {epoch} after {before}")
        self.opened[path] = epoch

    def on_commit(self, path: Path, turn: Turn) -> None:
        """A turn is durable."""
        demand, before_ns = self.oracles.demand, self.clock_ns.get(path, 0)
        demand(turn.epoch == self.opened[path], "I17", f"{path.name}: a turn of epoch {turn.epoch} after a newer START")
        demand(turn.at_ns >= before_ns, "S12", f"{path.name}: a turn at {turn.at_ns} follows one at {before_ns}")
        self.clock_ns[path] = turn.at_ns
        demand(
            path not in self.failed or self.failed[path].epoch < turn.epoch,
            "I16", f"{path.name}: a turn follows one whose commit failed, and nobody has read the journal again",
        )  # fmt: skip
        intents = [record for record in turn.records if isinstance(record, IntentRecord)]
        self.last[path] = turn, self._unknown(turn)
        for intent in intents:
            self._judge_decision(path, turn, intent)
            self.intents[intent.client_order_id] = intent
        if self.is_low(path):
            self.low[path] = turn.epoch
        self.raised |= {record.escalation_id for record in turn.records if isinstance(record, EscalationRecord)}
        for record in turn.records:
            if isinstance(record, HedgeRecord):
                self._judge_hedge(record, turn.at_ns)

    def on_older(self, path: Path, turns: list[StoredTurn]) -> None:
        """The journal ends after these turns."""
        self.intents |= self.oracles.on_older(path, turns)
        self.clock_ns[path] = turns[-1].at_ns

    def on_failed_commit(self, path: Path, turn: Turn) -> None:
        """A commit raised; whether its turn is durable, only whoever opens the journal again may know (I16)."""
        last, decided = self.last.get(path, (None, set()))
        self.failed[path] = turn
        self.unread |= dict.fromkeys(sorted(decided if last is turn else self._unknown(turn)), turn.epoch)

    def _unknown(self, turn: Turn) -> set[str]:
        """The orders that this turn decides."""
        ids = {record.client_order_id for record in turn.records if isinstance(record, IntentRecord)}
        return ids - self.intents.keys()

    def _judge_decision(self, path: Path, turn: Turn, intent: IntentRecord) -> None:
        """A new order: not while the disk is full (I28), not at once after a refusal (R14), not for ever (L4),
        and none in a contract that has expired (E17): that the gateway refuses it is no excuse."""
        order_id, demand = intent.client_order_id, self.oracles.demand
        if order_id in self.intents:
            return
        expiry = self.oracles.groups[group_part(order_id)].group.leg(intent.leg_id).instrument.expiry
        dead = has_expired(calendar(self.config.broker.calendar), expiry, intent.decided_ns)
        demand(not dead, "E17", f"{order_id} is decided although {intent.symbol} has expired")
        if intent.role in ENTRY_ROLES:
            full = self.low.get(path) == turn.epoch and not intent.cancel_requests
            demand(not full, "I28", f"{order_id}: new risk although the disk is full")
        others = [one for one in self.intents.values() if one.parent_id == intent.parent_id]
        if intent.role is not Role.STOP_LIMIT:  # of what is obtained, another slice may have been released meanwhile
            others = [one for one in others if one.slice == intent.slice]
        if others and all(one.status in TURNED_DOWN for one in others):
            since_ns = intent.decided_ns - max(one.terminal_ns for one in others)
            demand(since_ns >= RETRY_MS * MS, "R14", f"{order_id} is asked for {since_ns} ns after a refusal")
        if intent.role in ENTRY_ROLES:
            tried = sum(one.sent_ns > 0 for one in others)
            most = self.config.orders.max_attempts
            demand(tried < most, "L4", f"{order_id}: {tried} attempts of its slice were made; {most} may be")

    def _judge_hedge(self, hedge: HedgeRecord, at_ns: int) -> None:
        """A hedge that is opened or raised is a decision; when one was raised, only its turn tells, or earlier."""
        demand, config = self.oracles.demand, self.config.hedge
        before = self.hedges.get(hedge.hedge_id)
        demand(hedge.level <= config.depth, "S11", f"{hedge.hedge_id} is level {hedge.level} of {config.depth}")
        key = hedge.group_id, hedge.symbol
        if hedge.level == 1 and (before is None or hedge.needed_qty > before.needed_qty):
            since_ns = (at_ns if before else hedge.opened_ns) - self.decided_ns.get(key, -(10**18))
            demand(since_ns >= config.window_ms * MS, "S7", f"{hedge.hedge_id}: {since_ns} ns after the one before")
            self.decided_ns[key] = max(self.decided_ns.get(key, 0), hedge.opened_ns)
        self.hedges[hedge.hedge_id] = hedge
        if hedge.status is HedgeStatus.ESCALATED:
            called = f"IMMEDIATE_MANUAL_HEDGE:{hedge.group_id}:{hedge.hedge_id}" in self.raised
            demand(called, "L5", f"{hedge.hedge_id} has given up, and nobody was called")

    # --- the door ---

    def on_wire(self, line: Line, *, is_marked: bool) -> None:
        """Something is about to leave for the broker, or a gateway has started; ``is_marked``: the kill switch's file
        is there."""
        demand = self.oracles.demand
        self._judge_kill_switch(line, is_marked)
        if line.kind == "start":
            self.gateways.append(line.pid)
            self.limits = line.controls
        if line.kind in PACED:
            self._judge_pace(line)
        if line.kind not in LEAVING:
            return
        if line.kind == "submit":
            read = self.unread.get(line.client_order_id) != line.epoch
            demand(read, "I16", f"{line.client_order_id} leaves by the owner of a journal whose commit failed")
        demand(
            line.pid == self.gateways[-1], "I17", f"{line.client_order_id} leaves gateway {line.pid} after a newer one"
        )
        cell = cell_of(line.client_order_id)
        if cell is None or not line.epoch:
            return
        newest = next((e for path, e in self.oracles.reconciled.items() if path.stem == f"cell-{cell}"), 0)
        demand(
            line.epoch >= newest, "I18", f"{line.client_order_id} leaves with epoch {line.epoch}; {newest} is at work"
        )

    def _judge_kill_switch(self, line: Line, is_marked: bool) -> None:
        """It goes off by a person's hand only, and a gateway that starts finds its file, whatever its journal says."""
        if line.kind == "start":
            missed = is_marked and not line.killed
            self.oracles.demand(not missed, "I26", "a gateway has started without looking for the kill switch's file")
        if line.kind == "kill" and not line.on:
            asked = line.host_ns <= self.released_ns + ON_ITS_WAY_NS
            self.oracles.demand(asked, "I26", "the kill switch went off, and nobody had turned it off")

    def _judge_pace(self, line: Line) -> None:
        """E7: the broker counts what leaves, whoever sent it and whichever gateway; new risk spares the reserve."""
        self.left.append(line.host_ns)
        while self.left[0] <= line.host_ns - SECOND_NS:
            self.left.popleft()
        most = self.limits["orders_per_second"] - (self.limits["reserved_tokens"] if line.new_risk else 0)
        text = f"E7: {line.kind} {line.client_order_id} is request {len(self.left)} of a second; {most} may be"
        self.oracles.demand(len(self.left) <= most, "I25", text)
        self.asked[line.kind, line.request_id or line.client_order_id] += 1

    def on_copy(self, message: ClientMessage) -> None:
        """The wire has made a second copy of what left once."""
        match message:
            case Submit():
                self.asked["submit", message.client_order_id] += 1
            case Cancel() | Modify():
                self.asked[type(message).__name__.lower(), message.request_id] += 1

    # --- the exchange ---

    def on_truth(self, event: TruthEvent) -> None:
        """Something happened at the exchange."""
        if event.kind in ARRIVALS:
            key = ARRIVALS[event.kind], event.request_id or event.client_order_id
            self.asked[key] -= 1
            text = f"E7: {event.kind} {key[1]} arrived more often than it left: it was never counted"
            self.oracles.demand(self.asked[key] >= 0, "I25", text)
        if event.kind == "accepted":
            number = self.numbers.setdefault(event.client_order_id, event.venue_order_id)
            twice = f"{event.client_order_id} is at the exchange twice, as {number} and {event.venue_order_id}"
            self.oracles.demand(number == event.venue_order_id, "R7", twice)
        if event.kind == "order_received" and event.side == Side.SELL.value:
            self._judge_exit(event)

    def _judge_exit(self, event: TruthEvent) -> None:
        """What protects a short is not sold before the short is gone (S1, R22)."""
        oracles, tag = self.oracles, group_part(event.client_order_id)
        record, intent = oracles.groups.get(tag), oracles.intents.get(event.client_order_id)
        if record is None or intent is None or record.group.leg(intent.leg_id).side is Side.SELL:
            return
        group, held = record.group, oracles.held(tag, record.group)
        longs = {leg.leg_id: held[leg.leg_id] - oracles.working(tag, leg.leg_id, Side.SELL) for leg in group.legs}
        shorts = {
            leg.leg_id: max(0, held[leg.leg_id]) + oracles.working(tag, leg.leg_id, Side.SELL)
            for leg in group.legs
            if leg.side is Side.SELL
        }
        after = exposed(group, longs, shorts)
        longs[intent.leg_id] += oracles.orders[event.client_order_id].leaves
        allowed = max(exposed(group, longs, shorts), oracles.busted[tag])
        oracles.demand(
            after <= allowed, "R22", f"{event.client_order_id} leaves {after} short units without protection"
        )

    # --- when everything has healed ---

    def at_rest(self, world: World) -> None:
        """Every alert that is old enough has been filed where a person looks, and only then counts as delivered."""
        filed = {alert.escalation_id for alert in world.machine.alerts}
        for journal in world.journals():
            for alert in journal.rows(ESCALATIONS):
                old = alert.raised_ns and world.server.now_ns - alert.raised_ns > DELIVERY_NS
                name = alert.escalation_id
                if old and not alert.acknowledged_ns:
                    self.oracles.demand(name in filed, "L5", f"alert {name} never arrived")
                if alert.delivered_ns:
                    self.oracles.demand(name in filed, "L5", f"alert {name} counts as delivered, but was not filed")
