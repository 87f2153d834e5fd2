"""How long a demonstration waits: by what the system could do meanwhile, not by the clock on the wall alone."""

from __future__ import annotations

import time
from collections.abc import Callable

ROUND_S = 0.25  # what one look counts at the most, if it was answered


class Patience:
    """``seconds`` of a machine that gets to run.

    Under a heavy load a second may pass in which neither the system nor its watcher ran: a look that took long and was
    answered in the end counts as ``ROUND_S``.  One that was not answered counts whole, so that every wait ends.
    """

    def __init__(self, seconds: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._left_s, self._now_s, self._since_s = seconds, now_s, now_s()

    def looked(self, *, answered: bool) -> None:
        """Count what has passed since the last look."""
        now_s = self._now_s()
        passed_s, self._since_s = now_s - self._since_s, now_s
        self._left_s -= min(passed_s, ROUND_S) if answered else passed_s

    @property
    def over(self) -> bool:
        """Whether enough was waited."""
        return self._left_s <= 0
