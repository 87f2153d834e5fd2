"""What all tests share: the order of the files, and the command line as an operator has it."""

from __future__ import annotations

import signal

import pytest

pytest_plugins = ["command_line", "syncs"]

# Files that take long come first, so that the workers, which take one file after the other, end at the same time.
FIRST = (
    "tests/simulation/test_seeds",
    "tests/processes/test_kill_moments",
    "tests/actors/test_stop_interleavings",
    "tests/processes/test_orphans",
    "tests/actors/test_hostile_minutes",
    "tests/processes/test_two_realms",
    "tests/actors/test_any_order_same_state",
    "tests/processes/test_moved_positions",
    "tests/processes/",
    "tests/cli/test_demo",
    "tests/actors/",
)


def pytest_configure() -> None:
    """A shell without job control has its background jobs ignore SIGINT, which tests send and children inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((n for n, begin in enumerate(FIRST) if item.nodeid.startswith(begin)), len(FIRST)))
