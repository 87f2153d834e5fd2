"""Room on Python's stack, so that calling a function never means asking the kernel for memory.

CPython keeps its frames in chunks of 16 KiB (since 3.11, ``Python/pystate.c: push_chunk``).  A call that does not fit
into the last one maps another, and its return gives that back at once: a loop that happens to run near the end of a
chunk pays for an ``mmap``, page faults and a ``munmap`` with every call.  How deep the stack is by then is decided by
who forked whom: a cell that takes 92 µs a report at one depth took 179 µs at another, and the cells of a running system
were among the unlucky ones.  A single frame that claims a quarter of a megabyte gets a chunk of twice that, with room
for some hundred frames more, and nothing of it is touched before it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

# Just more than a power of two, of which chunks are made: the chunk is twice as large, and its other half is the room.
FRAME_WORDS = (1 << 18) // 8 + 1_024

P = ParamSpec("P")
R = TypeVar("R")


def with_room(run: Callable[P, R]) -> Callable[P, R]:
    """The same function, with a quarter of a megabyte of stack for whatever it calls."""

    @wraps(run)
    def roomy(*args: P.args, **kwargs: P.kwargs) -> R:
        return run(*args, **kwargs)

    code = roomy.__code__.replace(co_stacksize=FRAME_WORDS)  # type: ignore[attr-defined]
    roomy.__code__ = code  # type: ignore[attr-defined]
    return roomy


def call_with_room(run: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call it with that room: for a new process, to which :func:`with_room`'s function cannot be sent."""
    return with_room(run)(*args, **kwargs)
