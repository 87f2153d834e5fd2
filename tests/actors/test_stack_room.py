"""A process does the same work at the same cost, however deep its stack is."""

from __future__ import annotations

import resource
from collections.abc import Callable

import pytest

from actors.stack_room import with_room

CALLS = 2_000
DEPTHS = range(400)  # some chunk of 16 KiB ends within so many frames of this size


def leaf() -> int:
    a = b = c = d = e = f = 1
    return a + b + c + d + e + f


def busy() -> int:
    """Page faults of many calls that each return at once."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(CALLS):
        leaf()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def at_depth(depth: int, run: Callable[[], int]) -> int:
    return run() if depth == 0 else at_depth(depth - 1, run)


def test_no_call_asks_the_kernel_for_memory_at_any_depth() -> None:
    faults = {depth: at_depth(depth, busy) for depth in DEPTHS}
    unlucky = max(faults, key=lambda depth: faults[depth])
    if faults[unlucky] < CALLS // 2:
        pytest.skip("this interpreter keeps its frames in another way")
    assert max(at_depth(depth, with_room(busy)) for depth in DEPTHS) < CALLS // 10


def test_what_runs_with_room_takes_and_gives_what_it_took_and_gave() -> None:
    def told(word: str, *, times: int = 1) -> str:
        """Says it."""
        return word * times

    assert with_room(told)("a", times=3) == "aaa"
    assert (with_room(told).__name__, with_room(told).__doc__) == ("told", "Says it.")
    with pytest.raises(TypeError):
        with_room(told)(1, 2, 3)  # type: ignore[call-arg, arg-type]
