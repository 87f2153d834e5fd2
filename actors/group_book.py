"""One group's fills, summed: what it holds, and what that cost.  Exact, by the executions that are known.

What an exercise or assignment delivers is the account's, not the group's: its cash is not counted here.
"""

from __future__ import annotations

from collections import Counter

from actors.turn import ENDED
from domain.groups import Plan
from messages.records import ExecutionStateRecord, GroupRecord, IntentRecord, PositionEventRecord
from messages.strategy import GroupView
from storage.port import GroupRows


class GroupBook:
    """Follows the records of one group, from what the journal has on."""

    def __init__(self, rows: GroupRows | None) -> None:
        self.group: GroupRecord | None = None
        self._intents: dict[str, IntentRecord] = {}
        self._states: dict[str, ExecutionStateRecord] = {}
        self._moves: dict[str, PositionEventRecord] = {}  # what changed without an order of ours
        if rows is not None:
            self.group = rows.group
            self._intents = {intent.client_order_id: intent for intent in rows.intents}
            self._states = {state.client_order_id: state for state in rows.execution_states}
            self._moves = {move.event_id: move for move in rows.position_events}

    def follow(self, record: GroupRecord | IntentRecord | ExecutionStateRecord | PositionEventRecord) -> None:
        """Take note of a record."""
        match record:
            case GroupRecord():
                self.group = record
            case IntentRecord():
                self._intents[record.client_order_id] = record
            case ExecutionStateRecord():
                self._states[record.client_order_id] = record
            case PositionEventRecord():
                self._moves[record.event_id] = record

    def is_of_another_plan(self, plan: Plan) -> bool:
        """Whether there is a group, and it is not this plan's."""
        if self.group is None:
            return False
        legs = {(leg.instrument.symbol, leg.side, leg.leg_id) for leg in self.group.group.legs}
        return self.group.strategy != plan.strategy or legs != {(leg.symbol, leg.side, leg.leg_id) for leg in plan.legs}

    def view(self, *, given_up: bool) -> GroupView | None:
        """How the group stands; ``None`` when there is none yet."""
        if self.group is None:
            return None
        multipliers = {leg.instrument.symbol: leg.instrument.multiplier for leg in self.group.group.legs}
        held: Counter[str] = Counter()
        cash = 0
        for order_id, state in self._states.items():
            intent = self._intents.get(order_id)
            if intent is not None:
                held[intent.symbol] += intent.side.sign * state.knowledge.cum_qty
                cash -= intent.side.sign * state.knowledge.notional * multipliers[intent.symbol]
        for move in self._moves.values():
            if move.leg_id:
                held[move.symbol] += move.quantity
                cash -= move.quantity * move.price * multipliers[move.symbol]
        return GroupView(
            outcome=self.group.outcome,
            mode=self.group.mode,
            reason=self.group.reason,
            given_up=given_up,
            live=any(intent.status not in ENDED for intent in self._intents.values()),
            held={symbol: quantity for symbol, quantity in held.items() if quantity},
            cash=cash,
        )
