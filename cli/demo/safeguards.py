"""How often each safeguard acted, as the running system's own metrics say."""

from __future__ import annotations

import contextlib
import re
import urllib.request

SAFEGUARDS = {
    "S1": "hedge-first execution",
    "S2": "stop-loss execution price",
    "S3": "position validation",
    "S4": "exercise and assignment",
    "S5": "margin pre-validation",
    "S6": "worst-case margin",
    "S7": "emergency hedge limiter",
    "S8": "monotonic state",
    "S9": "idempotent events",
    "S10": "intent before action",
    "S11": "recursive hedge",
    "S12": "broker-time timeouts",
}
_SAMPLE = re.compile(r'^legkeeper_safeguard_actions_total\{[^}]*safeguard="(S\d+)"[^}]*\} ([0-9.e+]+)$', re.MULTILINE)


def acted(port: int) -> dict[str, int]:
    """Safeguard by safeguard, over all processes, also those that were killed; zeros when nobody answers."""
    found = dict.fromkeys(SAFEGUARDS, 0)
    with contextlib.suppress(OSError):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        for safeguard, times in _SAMPLE.findall(text):
            found[safeguard] = found.get(safeguard, 0) + round(float(times))
    return found
