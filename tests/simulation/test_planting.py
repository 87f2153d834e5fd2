"""Bugs can be planted, every one of them, and one whose place is gone says so."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import get_context

import pytest

from simulation.mutants.catalogue import UnknownMutant, catalogue, named
from simulation.mutants.planting import CannotPlant, constant, default, edit, returns, without

HERE = "simulation.mutants.planting"


def in_a_child(work: Callable[[], object]) -> int:
    """Do it in a process of its own, so that nothing is planted here; 0 when it went well."""
    child = get_context("fork").Process(target=work)
    child.start()
    child.join()
    assert child.exitcode is not None
    return child.exitcode


@pytest.mark.parametrize("name", catalogue())
def test_every_bug_of_the_catalogue_can_be_planted(name: str) -> None:
    assert in_a_child(named(name).plant) == 0


def test_a_planted_bug_reaches_tables_and_copies() -> None:
    from decisions.gateway.controls import CONTROLS, _size  # noqa: PLC0415

    def look() -> None:
        edit("decisions.gateway.controls:_size", ("order.quantity > limits.max_order_qty", "True"))()
        (row,) = [row for row in CONTROLS if row.name == "E1"]
        if not (row.check is _size and "True" in repr(_size.__code__.co_consts)):
            os._exit(1)

    assert in_a_child(look) == 0


def test_a_place_or_a_text_that_is_gone_is_told() -> None:
    for plant in (
        edit(f"{HERE}:nobody", ("a", "b")),
        edit(f"{HERE}:returns", ("no such text", "b")),
        returns(f"{HERE}:Nobody.nothing", "1"),
        without("decisions.gateway.controls:CONTROLS", lambda _row: False),
        constant(f"{HERE}:NOBODY", lambda old: old),
        default("decisions.gateway.controls:Controls.judge(nobody)", 1),
    ):
        with pytest.raises(CannotPlant):
            plant()


def test_an_unknown_name_is_told_with_those_near_it_and_how_to_have_all() -> None:
    with pytest.raises(UnknownMutant, match=r"'late-fill'; near it: late-fill-ignored"):
        named("late-fill")
    with pytest.raises(UnknownMutant, match=r"'risk-frist'; near it: risk-first"):
        named("risk-frist")
    with pytest.raises(UnknownMutant, match=r"mutants --list` has all"):
        named("nothing of the kind")
