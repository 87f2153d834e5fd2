"""The machine's monotonic clock: for pacing and silence only, never for a deadline (S12)."""

from __future__ import annotations

import time

from decisions.effects import MS


def now_ms() -> int:
    """Milliseconds of the machine's monotonic clock."""
    return time.monotonic_ns() // MS
