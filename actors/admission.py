"""What a Desk knows of funds: the broker's last word, what its own open groups may still need, and who waits."""

from __future__ import annotations

from collections.abc import Container, Mapping

import msgspec
from msgspec.structs import replace

from actors.turn import OrderIndex
from decisions.effects import MS, Moment
from decisions.groups.margining import (
    MarginJudgement,
    MarginRequirement,
    entry_prices,
    judge,
    refused_by,
    required,
    unquoted,
)
from domain.groups import Group, GroupOutcome
from domain.instruments import Instrument
from domain.margin.strategy import MarginUnknown
from domain.quotes import Quote
from messages.market import Funds
from messages.operator import SubmitGroup
from messages.records import GroupRecord


class Waiting(msgspec.Struct, frozen=True):
    """A submitted plan that waits for quotes of its legs, and since when (broker time)."""

    command: SubmitGroup
    since_ns: int


class Admission:
    """Judges groups before they are opened (S5, S6).

    A group that has been let in is *reserved* for: until it has ended and the broker's figures are newer than its end,
    its requirement counts as used, whatever of it the broker counts already.
    """

    def __init__(self) -> None:
        self.funds: Funds | None = None
        self.waiting: dict[str, Waiting] = {}
        self.acted: tuple[str, ...] = ()  # the safeguards that kept the last plan back: S5, S6
        self._reserved: dict[str, int] = {}
        self._total = 0  # the sum of it
        self._ended: dict[str, int] = {}  # group -> broker time of its end

    def take_funds(self, funds: Funds, open_groups: Container[str]) -> None:
        """The broker's figures; they know of every group that ended before them."""
        self.funds = funds
        for group_id in list(self._reserved):
            if group_id not in open_groups and self._ended.get(group_id, 0) < funds.ts_ns:
                self._total -= self._reserved.pop(group_id)
                self._ended.pop(group_id, None)

    def withdraw(self, group_id: str) -> None:
        """Its plan does not wait any more."""
        self.waiting.pop(group_id, None)

    def settled(self, record: GroupRecord, at_ns: int) -> None:
        """Where a group stands."""
        if record.outcome is not GroupOutcome.OPEN and record.group_id in self._reserved:
            self._ended.setdefault(record.group_id, at_ns)

    def missing(self, group: Group, since_ns: int, moment: Moment, listed: Mapping[str, Instrument]) -> list[str]:
        """The symbols without a usable quote that are worth waiting for; none when it has waited long enough."""
        if moment.at_ns - since_ns >= moment.config.margin.quote_wait_ms * MS:
            return []
        return unquoted(group, _fresh(group, moment), listed)

    def refusal(self, group: Group, moment: Moment, index: OrderIndex) -> str:
        """Why the group may not be opened; "" when it may, and then it is reserved for."""
        funds, margin = self.funds, moment.config.margin
        self.acted = ("S5",)  # what follows refuses by what is not known
        if funds is None or moment.at_ns - funds.ts_ns > margin.funds_max_age_ms * MS:
            return "not allowed at the moment: funds are not known yet; the broker is asked again every poll"
        try:
            self._reserve_for(index, moment)
            left = replace(funds, available=funds.available - self._total, used=funds.used + self._total)
            judged = self._judge(group, left, moment)
        except MarginUnknown as unknown:
            return f"not allowed at the moment: its margin is not known: {unknown}"
        self.acted = refused_by(judged, margin)
        if not judged.allowed:
            return judged.text
        self._reserve(group.group_id, judged.report.requirement)
        return ""

    def reserved(self, group: Group) -> Group:
        """The group that has been let in, with what is reserved for it, so that its journal says so too."""
        return replace(group, requirement=self._reserved[group.group_id])

    def _reserve(self, group_id: str, amount: int) -> None:
        self._total += amount - self._reserved.get(group_id, 0)
        self._reserved[group_id] = amount

    def _judge(self, group: Group, funds: Funds, moment: Moment) -> MarginJudgement:
        return judge(_required(group, _fresh(group, moment), moment), funds, moment.config.margin)

    def _reserve_for(self, index: OrderIndex, moment: Moment) -> None:
        """Groups of an earlier incarnation of this cell, and those opened again: what they were let in with.

        Only what has been opened since the last plan is looked at: the open groups may be thousands.  Without that
        figure (from a journal of an earlier release) it is worked out at the last quotes there are, a millisecond each.
        """
        for group_id in list(index.opened):
            if group_id in index.open and group_id not in self._reserved:
                group = index.open[group_id].group
                need = group.requirement or _required(group, moment.quotes, moment).requirement
                self._reserve(group_id, need)
            del index.opened[group_id]


def _required(group: Group, quotes: Mapping[str, Quote], moment: Moment) -> MarginRequirement:
    prices = entry_prices(group, quotes)
    return required(group, prices, quotes, moment.at_ns, moment.config.margin, moment.calendar)


def _fresh(group: Group, moment: Moment) -> dict[str, Quote]:
    names = {name for leg in group.legs for name in (leg.instrument.symbol, leg.instrument.underlying)}
    return {name: quote for name in sorted(names) if (quote := moment.quote(name)) is not None}
