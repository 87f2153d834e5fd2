"""A parent is told of every child's death, also of those that die together.

Thespian 4.0.1 keeps a list of children, and drops every dead one from it each time that it hands over a notice; the
others' notices were not sent yet, and never are (``MultiProcReplicator._childExited``).  A cell that dies with its
neighbour would stay dead, and nobody would know.
"""

from __future__ import annotations

from typing import Any

from thespian.system.multiprocCommon import MultiProcReplicator


def tell_of_every_death() -> None:
    """Have this process, and what it forks, send the notices that are still owed whenever one is handed over."""
    MultiProcReplicator._childExited = _send_what_is_owed


def _send_what_is_owed(parent: Any, _address: Any) -> None:
    parent.childDied()
