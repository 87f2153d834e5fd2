"""Plans on their way into a cell: judged, kept until there are quotes to judge them by, then opened or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actors.admission import Admission, Waiting
from actors.foreign import Foreign
from actors.nursery import Nursery
from actors.turn import SYSTEM, Turn
from decisions.effects import Effects
from decisions.gateway.session import restricted_legs
from decisions.groups.contracts import tell_changes
from decisions.groups.validation import PlanRefused, validate
from domain.groups import group_tag
from domain.instruments import Instrument
from messages.operator import CommandRefused, GroupAccepted, SubmitGroup
from messages.orders import InstrumentList


class Plans:
    """Owned by the Desk; ``reply`` answers whoever submitted one, a person or a strategy."""

    def __init__(
        self, turn: Turn, nursery: Nursery, foreign: Foreign, reply: Callable[[str, msgspec.Struct], None]
    ) -> None:
        self.turn, self.nursery, self.foreign, self.reply = turn, nursery, foreign, reply
        self.admission = Admission()
        self.instruments: dict[str, Instrument] = {}  # the broker's newest list, by symbol
        self.handlers: dict[type[Any], Callable[[Any], None]] = {
            SubmitGroup: self.on_submit,
            InstrumentList: self.on_instruments,
        }

    def look(self) -> None:
        """See whether those that wait have their quotes by now."""
        for waiting in list(self.admission.waiting.values()):
            self.on_submit(waiting.command)

    def on_submit(self, command: SubmitGroup) -> None:
        """Validate a plan and start its group, once there are quotes to judge it by."""
        plan = command.plan
        since_ns = self.admission.waiting.pop(plan.group_id, Waiting(command, self.turn.moment.at_ns)).since_ns
        reply_to = f"submit:{plan.group_id}"
        tag_owner = self.nursery.taken(group_tag(plan.group_id))
        if tag_owner is not None:
            same = tag_owner == plan.group_id
            if same and command.again:
                self.reply(reply_to, GroupAccepted(plan.group_id))
                return
            problem = "has been submitted before" if same else f"makes the same order ids as group {tag_owner!r}"
            self.reply(reply_to, CommandRefused((f"group {plan.group_id!r} {problem}; choose another group_id",)))
            return
        if group_tag(plan.group_id) in self.foreign.groups:  # its first order would be taken for the old one
            problem = "has orders at the broker that this journal does not know; choose another group_id"
            self.reply(reply_to, CommandRefused((f"group {plan.group_id!r} {problem}",)))
            return
        if not self.turn.moment.may_open or not self.instruments:
            why = self.turn.moment.shut_by or "the broker has not listed its instruments yet"
            self.reply(reply_to, CommandRefused((f"new risk is not allowed at the moment: {why}",)))
            return
        try:
            group = validate(plan, self.instruments, self.turn.moment.today)
        except PlanRefused as refusal:
            self.reply(reply_to, CommandRefused(tuple(refusal.problems)))
            return
        restricted = restricted_legs(group, self.turn.moment.config)
        if restricted:
            self.reply(reply_to, CommandRefused(restricted))
            return
        missing = self.admission.missing(group, since_ns, self.turn.moment, self.instruments)
        if missing:
            self.turn.symbols.update(missing)
            self.admission.waiting[plan.group_id] = Waiting(command, since_ns)
            return
        problem = self.admission.refusal(group, self.turn.moment, self.nursery.index)
        self.turn.safeguards.update(self.admission.acted)
        if problem:
            self.reply(reply_to, CommandRefused((problem,)))
            return
        self.reply(reply_to, GroupAccepted(plan.group_id))
        self.nursery.open(self.admission.reserved(group))

    def on_instruments(self, found: InstrumentList) -> None:
        """What can be traded."""
        self.instruments = {instrument.symbol: instrument for instrument in found.instruments}
        effects = Effects()
        tell_changes(self.nursery.index.groups.values(), self.instruments, self.turn.moment, effects)
        self.turn.collect(SYSTEM, effects)
