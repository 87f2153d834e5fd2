"""Alerts of what stands stopped (E8, E11), announced until a cell is known to keep them (L5).

They follow from the gateway's journal, which says too which of them a cell has taken: a gateway that is started
announces the others at once, whatever became of the one that stopped something.  A spare alert is better than a missing
one.
"""

from __future__ import annotations

from actors.control_log import ControlLog
from actors.fan_out import FanOut
from actors.machine import now_ms
from decisions.gateway.standing_alerts import alert_of, told
from domain.calendar import Calendar
from messages.controls import ControlAlert

AGAIN_MS = 3_000  # so long a cell has to take one before it is announced again


class StandingAlerts:
    """The gateway's part in it; the cells journal and repeat them."""

    def __init__(self, memory: ControlLog, cells: FanOut, calendar: Calendar) -> None:
        self.memory, self.cells, self.calendar = memory, cells, calendar
        self._again_ms: dict[ControlAlert, int] = {}  # when each is announced again
        cells.keeps = self.kept

    def look(self, now_ns: int) -> None:
        """Announce what no cell is known to keep."""
        now = now_ms()
        for stopped in self.memory.standing.untold(now_ns):
            alert = alert_of(stopped, self.calendar)
            if now >= self._again_ms.get(alert, now):
                self._again_ms[alert] = now + AGAIN_MS
                self.cells.announce(alert)

    def kept(self, alert: ControlAlert) -> None:
        """A cell has journaled this one."""
        if self._again_ms.pop(alert, None) is None:
            return
        for stopped in self.memory.standing.stopped():
            if alert_of(stopped, self.calendar) == alert:
                self.memory.record(told(stopped))
