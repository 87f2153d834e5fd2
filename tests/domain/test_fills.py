"""The set of executions of one order: chains of corrections and busts, in any order of arrival."""

from __future__ import annotations

from itertools import permutations

import pytest

from domain.execution import ExecType
from domain.fills import Count, Execution, add, count

E = ExecType


def trade(exec_id: str, qty: int, px: int = 100, ts_ns: int = 1) -> Execution:
    return Execution(exec_id, E.TRADE, qty, px, "", ts_ns)


def correction(exec_id: str, ref: str, qty: int, px: int = 100, ts_ns: int = 2) -> Execution:
    return Execution(exec_id, E.TRADE_CORRECT, qty, px, ref, ts_ns)


def bust(exec_id: str, ref: str, ts_ns: int = 3) -> Execution:
    return Execution(exec_id, E.TRADE_CANCEL, 0, 0, ref, ts_ns)


def held(*executions: Execution) -> tuple[Execution, ...]:
    state: tuple[Execution, ...] = ()
    for execution in executions:
        state, _ = add(state, execution)
    return state


CASES = {
    "trades add up": ([trade("a", 3), trade("b", 4, 50)], Count(7, 500)),
    "a correction replaces its trade": ([trade("a", 3), correction("c", "a", 2, 90)], Count(2, 180, True)),
    "the last correction of a chain counts": (
        [trade("a", 3), correction("c", "a", 2), correction("d", "c", 5, 10)],
        Count(5, 50, True),
    ),
    "a bust voids its trade": ([trade("a", 3), trade("b", 1), bust("x", "a")], Count(1, 100, True)),
    "a bust of a correction voids the chain": (
        [trade("a", 3), correction("c", "a", 2), bust("x", "c")],
        Count(0, 0, True),
    ),
    "a correction of an unseen trade counts already": ([correction("c", "a", 2)], Count(2, 200, True)),
    "a bust of an unseen trade counts for nothing": ([bust("x", "a")], Count(0, 0, True)),
    "of two corrections of one trade the later counts": (
        [trade("a", 3), correction("c", "a", 2, ts_ns=9), correction("d", "a", 5, ts_ns=8)],
        Count(2, 200, True, disputed=True),
    ),
    "a bust wins over a later correction of the same trade": (
        [trade("a", 3), bust("x", "a", ts_ns=2), correction("c", "a", 2, ts_ns=9)],
        Count(0, 0, True, disputed=True),
    ),
    "a bust wins over corrections that always name the first trade": (
        [trade("a", 3), correction("c", "a", 2), bust("x", "a", ts_ns=1)],
        Count(0, 0, True, disputed=True),
    ),
    "a correction to nothing counts for nothing": (
        [trade("a", 3), correction("c", "a", 0)],
        Count(0, 0, True, disputed=True),
    ),
    "a correction that names nothing does not count beside the trades": (
        [trade("a", 3), correction("c", "", 2)],
        Count(3, 300, True, disputed=True),
    ),
    "a bust that names nothing voids nothing": ([trade("a", 3), bust("x", "")], Count(3, 300, True, disputed=True)),
    "a ring of references counts for nothing": (
        [correction("c", "d", 2), correction("d", "c", 5), trade("a", 1)],
        Count(1, 100, True, disputed=True),
    ),
    "a negative fill counts for nothing": ([trade("a", -3), trade("b", 1)], Count(1, 100, disputed=True)),
    "a correction under the id of its trade takes its place": (
        [trade("a", 3), correction("a", "a", 2)],
        Count(2, 200, True),
    ),
    "a bust under the id of its trade voids it": ([trade("a", 3), bust("a", "a")], Count(0, 0, True)),
}


@pytest.mark.parametrize(("executions", "expected"), CASES.values(), ids=CASES)
def test_what_counts_does_not_depend_on_the_order(executions: list[Execution], expected: Count) -> None:
    for order in permutations(executions):
        assert count(held(*order)) == expected
        assert held(*order) == held(*executions)


def test_the_same_execution_again_gives_the_same_tuple() -> None:
    before = held(trade("a", 3), trade("b", 4))
    after, conflict = add(before, trade("b", 4))
    assert after is before
    assert not conflict


def test_a_repeat_with_another_time_is_no_conflict_and_keeps_the_earlier_time() -> None:
    after, conflict = add(held(trade("a", 3, ts_ns=5)), trade("a", 3, ts_ns=4))
    assert (after, conflict) == ((trade("a", 3, ts_ns=4),), False)


def test_another_content_under_a_known_id_is_a_conflict_even_when_it_is_not_kept() -> None:
    before = held(trade("a", 3))
    after, conflict = add(before, trade("a", 2))
    assert after is before
    assert conflict
