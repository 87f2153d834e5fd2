"""A parent knows its child's process from its birth on, not only once the child has said so.

A child that hangs before its first word would otherwise be nobody whom the watchdog could kill.
"""

from __future__ import annotations

from typing import Any


def pid_of_newest_child(parent: Any) -> int:
    """The process of the actor that ``parent``, an actor, has created last; 0 where actors are no processes.

    Thespian 4.0.1 forks in ``createActor`` itself, and keeps the process object in its list of children, which is
    where it looks for deaths (``MultiProcReplicator._startChildActor``).
    """
    born = getattr(parent._myRef, "_child_procs", ())
    return born[-1].childProc.pid or 0 if born else 0
