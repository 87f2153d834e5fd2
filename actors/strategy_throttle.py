"""E8 for strategies: what applies itself again and again is stopped until a person says that it was meant.

A strategy is applied once for each group of its own of which an entry leaves.  The applications are journaled, because
the broker does not know of strategies; as many places are kept as a window may hold.
"""

from __future__ import annotations

from actors.control_log import ControlLog
from actors.fan_out import FanOut
from config.schema import ControlsConfig
from decisions.gateway.repeats import application, disabled_tags, strategy_refusal, strategy_to_disable
from domain.strategies import strategy_of
from messages.orders import SubmitOrder
from messages.records import ControlRecord
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
        disables = strategy_to_disable(standing, name, order.group_id, self.config, now_ns)
        if disables is not None:
            self._disable(disables)
        return strategy_refusal(standing, name)

    def left(self, order: SubmitOrder, now_ns: int) -> None:
        """An order left: the first entry of a group is an application of its strategy."""
        name = "" if order.reduce_only else self.name(order)
        new = application(self.memory.standing, name, order.group_id, self.config, now_ns) if name else None
        if new is not None:
            self.memory.record(new)

    def disabled_tags(self) -> frozenset[str]:
        """The tags of the groups whose working entries are to be canceled."""
        return disabled_tags(self.memory.standing, self.names)

    def _disable(self, record: ControlRecord) -> None:
        self.disabled = True
        self.measures.add("control_actions_total", control="E8")
        self.memory.record(record)
