"""From a tape that fails to a few draws that fail the same way: cut its end, zero blocks of it, then single draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def shrink(draws: Sequence[int], fails: Callable[[Sequence[int]], bool], budget: int = 400) -> list[int]:
    """A simpler tape on which ``fails`` still holds, found with at most ``budget`` runs."""
    left = budget

    def still(candidate: Sequence[int]) -> bool:
        nonlocal left
        if left <= 0:
            return False
        left -= 1
        return fails(candidate)

    best = _cut(list(draws), still)
    size = len(best) // 2
    while size >= 1 and left > 0:
        best = _zero_blocks(best, size, still)
        size //= 2
    best = _cut(best, still)
    while best and best[-1] == 0:  # behind the end every draw is 0
        best.pop()
    return best


def _cut(draws: list[int], still: Callable[[Sequence[int]], bool]) -> list[int]:
    """The shortest beginning that a bisection finds."""
    low, high = 0, len(draws)
    while low < high:
        middle = (low + high) // 2
        if still(draws[:middle]):
            high = middle
        else:
            low = middle + 1
    return draws[:high]


def _zero_blocks(draws: list[int], size: int, still: Callable[[Sequence[int]], bool]) -> list[int]:
    for start in range(0, len(draws), size):
        block = draws[start : start + size]
        if not any(block):
            continue
        candidate = [*draws[:start], *([0] * len(block)), *draws[start + size :]]
        if still(candidate):
            draws = candidate
    return draws
