"""A failing tape becomes short: what does not matter goes, until nothing more does or the budget is spent."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from simulation.shrink import Budget, Choice, Choices, shrink

Fails = Callable[[dict[tuple[str, int], int]], bool]
ENOUGH = Budget(10_000)


def again(fails: Fails, runs: list[Choices] | None = None) -> Callable[[Choices], Choices | None]:
    """A program that draws all that it is told, and fails or not."""

    def run(choices: Choices) -> Choices | None:
        if runs is not None:
            runs.append(choices)
        return choices if fails({(one.label, one.nth): one.number for one in choices}) else None

    return run


def several(label: str, *numbers: int) -> Choices:
    return tuple(Choice(label, nth, number) for nth, number in enumerate(numbers) if number)


def test_what_does_not_matter_goes() -> None:
    draws = several("coin", 7, 0, 3, 9, 1, 0, 4, 2, 8, 5)
    assert shrink(draws, again(lambda told: told.get(("coin", 3)) == 9), ENOUGH) == (Choice("coin", 3, 9),)


def test_numbers_are_halved_as_far_as_it_fails() -> None:
    short = shrink(several("wait, ms", 900, 1_000), again(lambda told: told.get(("wait, ms", 1), 0) > 100), ENOUGH)
    assert short == (Choice("wait, ms", 1, 125),)


def test_passes_are_repeated_until_nothing_more_goes() -> None:
    """The first of these can only go when the last one has, which a single round of passes tries too late."""
    chain = [(f"step {number}", 0) for number in range(8)]

    def fails(told: dict[tuple[str, int], int]) -> bool:
        there = [place in told for place in chain]
        return ("cause", 0) in told and all(later <= earlier for earlier, later in pairwise(there))

    whole = (*(Choice(label, nth, 1) for label, nth in chain), Choice("cause", 0, 1))
    assert shrink(whole, again(fails), ENOUGH) == (Choice("cause", 0, 1),)


def test_all_of_a_fault_goes_at_once_and_so_do_the_tosses_that_it_lost() -> None:
    """Neither pair of labels can go one by one, and of the tosses every small one takes another away with it."""
    delays = (Choice("F.actors.delay is on", 0, 1), Choice("rate of F.actors.delay", 0, 2))
    tosses = several("F.market.gap", 11, 12, 90, 13, 14)

    def fails(told: dict[tuple[str, int], int]) -> bool:
        both = sum(one.label.endswith("F.actors.delay") or "delay is on" in one.label for one in delays)
        there = sum((one.label, one.nth) in told for one in delays)
        small = [number for (label, _), number in told.items() if label == "F.market.gap" and number < 50]
        return there in (0, both) and ("F.market.gap", 2) in told and len(small) in (0, 4)

    assert shrink((*delays, *tosses), again(fails), ENOUGH) == (Choice("F.market.gap", 2, 90),)


def test_what_is_not_drawn_any_more_goes_without_a_run_of_its_own() -> None:
    whole = (Choice("groups", 0, 1), *several("quantity", 5, 5), Choice("price", 0, 1))
    runs: list[Choices] = []

    def run(choices: Choices) -> Choices | None:
        runs.append(choices)
        groups = 1 + any(one.label == "groups" for one in choices)
        drawn = tuple(one for one in choices if one.nth < groups)
        return drawn if whole[-1] in drawn else None

    assert shrink(whole, run, ENOUGH) == whole[-1:]
    assert whole[1:] in runs  # one group fewer
    assert (whole[1], whole[-1]) not in runs


def test_the_budget_is_kept_in_runs_and_in_seconds_and_nothing_is_run_twice() -> None:
    runs: list[Choices] = []
    draws = several("coin", *range(1, 100))
    fails = again(lambda told: sum(told.values()) > 2_000, runs)
    budget = Budget(30)
    shrink(draws, fails, budget)
    assert (len(runs), budget.used, budget.is_spent) == (30, 30, True)
    assert shrink(draws, fails, Budget(1_000, seconds=0.0)) == draws
    assert len(runs) == 30
    runs.clear()
    shrink(draws, fails, Budget(100_000))
    assert len(runs) == len(set(runs))
