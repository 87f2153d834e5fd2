"""E8: who executes the same thing again and again is stopped until a person says that it was meant.

Counted are *parent* orders of one symbol and side that traded within the window, so that the slices of a large order
are one; and new risk apart from repairs, which are never stopped: a person is told.  Strategies are counted besides, by
the groups that they open, because one that goes round in circles need not trade the same contract twice (EU 2017/589,
article 15, counts how often a strategy has been applied).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from config.schema import ControlsConfig
from decisions.effects import MS
from decisions.gateway.account import Fill
from decisions.gateway.standing import Standing
from domain.execution import Side
from domain.groups import group_tag, parent_of
from messages.records import ControlAction, ControlRecord


class Repeated(NamedTuple):
    """Too many parent orders traded; ``entry``: of new risk, which is disabled now."""

    subject: str
    symbol: str
    side: Side
    orders: int
    entry: bool


def subject_of(symbol: str, side: Side) -> str:
    """What is disabled, and how an operator names it."""
    return f"repeat/{symbol}/{side.value}"


def strategy_subject(name: str) -> str:
    """The same of a strategy."""
    return f"repeat/strategy/{name}"


def applications(standing: Standing, name: str) -> list[ControlRecord]:
    """Every application of a strategy that is remembered, a record for each group."""
    return standing.beginning(f"applied/{name}/")


def recent_applications(standing: Standing, name: str, config: ControlsConfig, now_ns: int) -> list[ControlRecord]:
    """Those within the window, and since a person enabled the strategy last."""
    since_ns = max(now_ns - config.repeat_window_ms * MS, standing.enabled_ns(strategy_subject(name)))
    return [record for record in applications(standing, name) if record.at_ns > since_ns]


def strategy_to_disable(
    standing: Standing, name: str, group_id: str, config: ControlsConfig, now_ns: int
) -> ControlRecord | None:
    """The record that disables a strategy, when this group is an application too many and none disables it yet."""
    recent = recent_applications(standing, name, config, now_ns)
    known = any(record.group_id == group_id for record in recent)
    if known or len(recent) < config.strategy_limit or standing.disabled(strategy_subject(name)):
        return None
    text = (
        f"strategy {name} was applied {len(recent)} times within {config.repeat_window_ms / 1_000:g} s "
        f"(controls.strategy_limit = {config.strategy_limit})"
    )
    return ControlRecord(
        subject=strategy_subject(name), control="E8", action=ControlAction.DISABLED, text=text, at_ns=now_ns
    )


def strategy_refusal(standing: Standing, name: str) -> str:
    """Why no entry of a strategy may leave; "" while it is not disabled."""
    subject = strategy_subject(name)
    record = standing.disabled(subject)
    return f"E8: {subject} is disabled: {record.text}; 'controls enable' ends that" if record else ""


def application(
    standing: Standing, name: str, group_id: str, config: ControlsConfig, now_ns: int
) -> ControlRecord | None:
    """The record of a strategy's new application; ``None`` when this group is one that counts already.

    It takes the first place that no application of the window needs, so that no more are kept than a window may hold.
    """
    recent = recent_applications(standing, name, config, now_ns)
    if any(record.group_id == group_id for record in recent):
        return None
    taken = {record.subject for record in recent}
    places = (f"applied/{name}/{place}" for place in range(len(taken) + 1))
    return ControlRecord(
        subject=next(place for place in places if place not in taken),
        control="E8",
        action=ControlAction.MARKED,
        group_id=group_id,
        text=f"strategy {name} is applied with this group",
        at_ns=now_ns,
    )


def disabled_tags(standing: Standing, names: AbstractSet[str]) -> frozenset[str]:
    """The tags of the groups of those strategies that are disabled, as far as they are remembered."""
    return frozenset(
        group_tag(record.group_id)
        for name in names
        if standing.disabled(strategy_subject(name))
        for record in applications(standing, name)
    )


class Repeats:
    """The trades of the last ``controls.repeat_window_ms`` of broker time, by symbol, side and purpose."""

    def __init__(self, config: ControlsConfig) -> None:
        self._limit = config.repeat_limit
        self._window_ns = config.repeat_window_ms * MS
        self._recent: dict[tuple[str, Side, bool], OrderedDict[str, int]] = {}  # parents, with their first times

    def follow(self, fill: Fill, standing: Standing) -> Repeated | None:
        """A fill that is new, in the order of their times; says when it is one too many."""
        subject = subject_of(fill.symbol, fill.side)
        if fill.ts_ns <= standing.enabled_ns(subject):
            return None
        recent = self._recent.setdefault((fill.symbol, fill.side, fill.is_entry), OrderedDict())
        since = max(fill.ts_ns - self._window_ns, standing.enabled_ns(subject))
        while recent and next(iter(recent.values())) <= since:
            recent.popitem(last=False)
        recent.setdefault(parent_of(fill.client_order_id), fill.ts_ns)
        if len(recent) <= self._limit:
            return None
        orders = len(recent)
        recent.clear()
        return Repeated(subject, fill.symbol, fill.side, orders, fill.is_entry)
