"""The regression gate: nothing that a report costs has come in unseen."""

from __future__ import annotations

import pytest

from actors.turn import OrderIndex
from benchmarks.gate import GATES, Gate, passes
from messages.records import Record


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name.split(",")[0])
def test_a_report_costs_no_more_than_it_may(gate: Gate) -> None:
    found = passes(gate)
    assert found.ok, f"{found}; see what was added to the way of a report, or set the bound anew in benchmarks/gate.py"


def test_one_quick_round_is_enough_and_a_slow_program_never_passes() -> None:
    speeds = [10.0, 10.0, 60.0]
    lucky = passes(Gate("made up", 2.0, lambda _: speeds.pop(0), lambda _: 100.0))
    assert lucky.ok and not speeds, "the third round was quick enough"
    slow = passes(Gate("made up", 2.0, lambda _: 10.0, lambda _: 100.0))
    assert not slow.ok and slow.ratio == 10.0


def test_a_cost_that_grows_with_all_groups_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: with every record somebody counts the open orders of all groups."""
    follow = OrderIndex.follow

    def walk(index: OrderIndex, record: Record) -> None:
        for _ in range(5):  # so much that no machine's day hides it
            sum(is_open for orders in index.orders.values() for is_open in orders.values())
        follow(index, record)

    monkeypatch.setattr(OrderIndex, "follow", walk)
    (plans,) = (gate for gate in GATES if gate.name.startswith("B8"))
    assert not passes(plans, rounds=1).ok
