"""E8 for strategies: what applies itself again and again is stopped until a person says that it was meant.

A strategy is applied once for each group of its own of which an entry leaves.  The applications are journaled, because
the broker does not know of strategies; as many places are kept as a window may hold.
"""

from __future__ import annotations

from actors.control_log import ControlLog
from actors.fan_out import FanOut
from config.schema import ControlsConfig
from decisions.gateway.repeats import applications, recent_applications, strategy_subject
from domain.groups import group_tag
from domain.strategies import strategy_of
from messages.controls import ControlAlert
from messages.orders import SubmitOrder
from messages.records import ControlAction, ControlRecord, Severity
from monitoring.measures import Measures


class StrategyThrottle:
    """Counts by the broker's clock.  ``names``: of the configured strategies; groups of anybody else are not counted.

    ``disabled``: one was, since the gateway last looked: what works of it is to be canceled.
    """

    def __init__(
        self, config: ControlsConfig, names: frozenset[str], memory: ControlLog, cells: FanOut, measures: Measures
    ) -> None:
        self.config, self.names, self.memory, self.cells, self.measures = config, names, memory, cells, measures
        self.disabled = False

    def name(self, order: SubmitOrder) -> str:
        """The configured strategy whose group this entry is of; "" when it is nobody's."""
        name = strategy_of(order.group_id)
        return name if name in self.names else ""

    def forbids(self, order: SubmitOrder, now_ns: int) -> str:
        """Why this entry may not leave, or ""; the first application too many disables the strategy."""
        name, standing = self.name(order), self.memory.standing
        if not name:
            return ""
        subject = strategy_subject(name)
        recent = recent_applications(standing, name, self.config, now_ns)
        known = any(record.group_id == order.group_id for record in recent)
        if not known and len(recent) >= self.config.strategy_limit and not standing.disabled(subject):
            self._disable(subject, name, len(recent), now_ns)
        record = standing.disabled(subject)
        return f"E8: {subject} is disabled: {record.text}; 'controls enable' ends that" if record else ""

    def left(self, order: SubmitOrder, now_ns: int) -> None:
        """An order left: the first entry of a group is an application of its strategy."""
        name = "" if order.reduce_only else self.name(order)
        recent = recent_applications(self.memory.standing, name, self.config, now_ns) if name else []
        if not name or any(record.group_id == order.group_id for record in recent):
            return
        taken = {record.subject for record in recent}
        places = (f"applied/{name}/{place}" for place in range(len(taken) + 1))
        self.memory.record(
            ControlRecord(
                subject=next(place for place in places if place not in taken),
                control="E8",
                action=ControlAction.MARKED,
                group_id=order.group_id,
                text=f"strategy {name} is applied with this group",
                at_ns=now_ns,
            )
        )

    def disabled_tags(self) -> frozenset[str]:
        """The tags of the groups of disabled strategies, as far as they are remembered."""
        standing = self.memory.standing
        disabled = (name for name in self.names if standing.disabled(strategy_subject(name)))
        return frozenset(group_tag(record.group_id) for name in disabled for record in applications(standing, name))

    def _disable(self, subject: str, name: str, count: int, now_ns: int) -> None:
        text = (
            f"strategy {name} was applied {count} times within {self.config.repeat_window_ms / 1_000:g} s "
            f"(controls.strategy_limit = {self.config.strategy_limit})"
        )
        self.disabled = True
        self.measures.add("control_actions_total", control="E8")
        self.memory.record(
            ControlRecord(subject=subject, control="E8", action=ControlAction.DISABLED, text=text, at_ns=now_ns)
        )
        told = f"{text}; new risk of it is stopped until 'controls enable \"{subject}\"'"
        self.cells.announce(
            ControlAlert(
                severity=Severity.CRITICAL, kind="REPEATED_EXECUTION", text=told, subject=f"{subject}/{now_ns}"
            )
        )
