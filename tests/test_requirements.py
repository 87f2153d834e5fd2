"""Every user pain R and control E has a test that carries its id, and a planted bug that switches it off.

That the test fails when the bug is planted is shown by ``python -m simulation switch-off``, which takes minutes.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from simulation.switch_off import MUTANTS, ids_of, pattern

TESTS = Path(__file__).parent
SAFEGUARDS = [f"S{number}" for number in range(1, 13)]
PAINS = [f"R{number}" for number in range(1, 26)]
CONTROLS = [f"E{number}" for number in range(1, 21)]
NAMED_CLASSES = {
    "TestEventOrdering": 6,
    "TestIdempotency": 4,
    "TestPersistenceAtomicity": 4,
    "TestRecursiveHedge": 4,
    "TestBrokerTimestamps": 4,
    "TestMultiLegGroup": 6,
    "TestMargin": 2,
}
NAMED_FUNCTIONS = (
    "test_add_legs", "test_all_legs_filled", "test_partially_filled", "test_mismatch_summary", "test_success",
    "test_rollback", "test_margin_sufficient", "test_margin_insufficient", "test_s3_position_balanced",
    "test_s3_position_mismatched", "test_exercise_strike", "test_exercise_is_option", "test_exercise_itm_call",
    "test_exercise_itm_put",
)  # fmt: skip


def _collected() -> tuple[set[str], Counter[str]]:
    """The names of all test functions, and how many each test class has."""
    functions: set[str] = set()
    classes: Counter[str] = Counter()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                functions.add(node.name)
            if isinstance(node, ast.ClassDef):
                classes[node.name] += sum(
                    isinstance(each, ast.FunctionDef) and each.name.startswith("test_") for each in node.body
                )
    return functions, classes


FUNCTIONS, CLASSES = _collected()


@pytest.mark.parametrize("requirement", [*SAFEGUARDS, *PAINS, *CONTROLS])
def test_it_has_a_test_by_its_id_and_can_be_switched_off(requirement: str) -> None:
    words = pattern(requirement).split(" or ")
    assert any(word in CLASSES or any(name.startswith(word) for name in FUNCTIONS) for word in words), f"no {words}"
    assert requirement in ids_of(MUTANTS)


@pytest.mark.parametrize("name", NAMED_CLASSES)
def test_the_classes_that_the_sources_name_are_whole(name: str) -> None:
    assert CLASSES[name] >= NAMED_CLASSES[name]


@pytest.mark.parametrize("name", NAMED_FUNCTIONS)
def test_the_tests_that_the_sources_name_are_there(name: str) -> None:
    assert name in FUNCTIONS
